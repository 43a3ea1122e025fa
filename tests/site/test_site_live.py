"""The explorers of the built site in a browser: trained models that answer to pointer and keys as torch does."""

import json
import re

import live  # of book/_ext, as conftest.py arranges
import numpy as np
import pytest
from browsers import comes, rest
from test_site import SITE, WIDTHS, address, browser, visit  # noqa: F401

said = []
if not (SITE / "_static" / "live").exists() and live.install(said.append) is None:
    pytest.skip(f"the site was built without live models: {' '.join(said)}", allow_module_level=True)

#: Where each explorer stands.
EXPLORERS = {
    "latent-map": "book/vae.html",
    "sliders": "book/interpretability.html",
    "interpolation": "book/gan.html",
    "gan-2d": "book/gan.html",
    "particles": "book/flow-matching.html",
    "flow-2d": "book/flow-matching.html",
    "sentence": "book/words.html",
}
TRAINED_HERE = ("gan-2d", "flow-2d")
WITH_MODELS = [kind for kind in EXPLORERS if kind not in TRAINED_HERE]
SMALL_PICTURE = "e => { const c = document.createElement('canvas'); c.width = c.height = 64; " \
    "c.getContext('2d').drawImage(e, 0, 0, 64, 64); return c.toDataURL(); }"  # fmt: skip


@pytest.fixture
def open_explorer(visit):  # noqa: F811
    """Scrolls to an explorer and waits until it lives; returns page and element."""

    def open_(kind, width=1440, scheme="light", still=False, edition="", maths=False):
        page = visit(edition + EXPLORERS[kind], width, scheme, maths)
        if still:
            page.emulate_media(reduced_motion="reduce")
        explorer = page.locator(f".explorer[data-kind='{kind}']")
        explorer.scroll_into_view_if_needed()
        page.wait_for_function(
            "kind => document.querySelector(`.explorer[data-kind='${kind}']`).dataset.state", arg=kind, timeout=60_000
        )
        assert explorer.get_attribute("data-state") == "live"
        return page, explorer

    yield open_
    assert not visit.problems


def drawn(explorer):
    """What all canvases of an explorer show."""
    return [canvas.evaluate(SMALL_PICTURE) for canvas in explorer.locator("canvas").all()]


def settings_of(explorer):
    return json.loads(explorer.locator("script[type='application/json']").text_content())


def fetched(page):
    return page.evaluate("performance.getEntriesByType('resource').map(e => e.name)")


def settled(page):
    """Waits for two frames, in which whatever was asked for has been drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_timeout(150)


@pytest.mark.parametrize("kind", EXPLORERS)
def test_each_explorer_stands_once_and_has_its_poster(kind):
    page = (SITE / EXPLORERS[kind]).read_text("utf-8")
    (explorer,) = re.findall(rf'<div class="explorer" data-kind="{kind}".*?<div class="stage"', page, re.DOTALL)
    assert "<img" in explorer and 'alt="' in explorer


@pytest.mark.parametrize("kind", EXPLORERS)
def test_posters_show_without_javascript(browser, address, kind):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + EXPLORERS[kind])
    explorer = page.locator(f".explorer[data-kind='{kind}']")
    poster = explorer.locator("img")
    poster.scroll_into_view_if_needed()
    assert poster.is_visible() and poster.bounding_box()["width"] > 200
    assert explorer.locator(".stage").bounding_box() is None or not explorer.locator(".stage").is_visible()
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("edition", ["", "zh/"])
def test_no_line_moves_when_the_first_page_offers_its_explorer(visit, browser, address, edition, width):  # noqa: F811
    height = "document.querySelector('.explorer > .stage').getBoundingClientRect().height"
    context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900})
    waiting = context.new_page()
    waiting.route("**/mount.mjs*", lambda route: route.abort())  # as long as the module is not there
    waiting.goto(f"{address}{edition}book/index.html")
    kept = waiting.evaluate(height)
    context.close()
    page = visit(f"{edition}book/index.html", WIDTHS[width])
    page.wait_for_selector(".explorer[data-state='offered']")
    assert abs(page.evaluate(height) - kept) < 3 and kept > 100


def test_nothing_is_loaded_before_the_reader_comes_near(visit):  # noqa: F811
    page = visit("book/vae.html")
    loaded = fetched(page)
    assert any(name.split("?")[0].endswith("live/mount.mjs") for name in loaded)
    assert not [name for name in loaded if "ort" in name.split("/") or name.endswith((".onnx", "kit.mjs"))]


def bytes_of_models(page):
    """Megabytes that explorers have loaded."""
    sizes = (
        "performance.getEntriesByType('resource').filter(e => e.name.includes('/live/')).map(e => e.encodedBodySize)"
    )
    return round(sum(page.evaluate(sizes)) / 1e6)


def waiting(page):
    """The explorer on the first screen, as long as nobody has asked for it."""
    explorer = page.locator(".explorer").first
    assert explorer.get_attribute("data-state") == "offered"
    assert not [url for url in fetched(page) if url.endswith((".onnx", ".wasm.gz", "kit.mjs", "sentence.mjs"))]
    return explorer


@pytest.mark.parametrize("edition", ["", "zh/"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_the_first_screen_has_a_field_and_pictures_and_loads_nothing(visit, width, height, edition):  # noqa: F811
    page = visit(f"{edition}book/index.html", width)
    page.set_viewport_size({"width": width, "height": height})
    explorer = waiting(page)
    boxes = [explorer.locator(part).bounding_box() for part in ("input", "button", "img")]
    assert boxes == sorted(boxes, key=lambda box: box["y"])
    assert all(box["y"] + box["height"] <= height for box in boxes), "below the first screen"
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert not visit.problems


def test_the_model_on_the_first_screen_comes_when_asked(visit):  # noqa: F811
    page = visit("book/index.html")
    explorer = waiting(page)
    explorer.get_by_role("button", name="Draw this sentence (loads 5 MB)").click()
    page.wait_for_function("document.querySelector('.explorer').dataset.state == 'live'", timeout=120_000)
    field = explorer.get_by_role("textbox", name="Sentence")
    finished(page, field.input_value(), 1)
    assert field.evaluate("e => e === document.activeElement") and explorer.get_by_label("Guidance").is_visible()
    assert explorer.get_by_role("button", name="Draw this sentence").count() == 0
    assert bytes_of_models(page) == 5 and not visit.problems  # as the button says


@pytest.mark.parametrize("edition", ["", "zh/"])
def test_whoever_writes_before_the_model_is_there_gets_that_picture(visit, edition):  # noqa: F811
    """The first letter asks for the model; what is written meanwhile stays, with the focus, and is drawn."""
    page = visit(f"{edition}book/index.html")
    explorer, text = waiting(page), "a green triangle above a blue ring"
    field = explorer.get_by_role("textbox")
    place = field.bounding_box()
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.wait_for_function("document.querySelector('.explorer').dataset.state == 'live'", timeout=120_000)
    finished(page, text, 1)
    assert field.input_value() == text and field.evaluate("e => e === document.activeElement")
    assert field.bounding_box() == place, "the field has moved under the reader's hands"
    assert explorer.locator("canvas").first.bounding_box()["y"] < 450
    assert not visit.problems


def test_letters_on_their_way_to_chinese_are_not_read_when_the_model_comes(visit):  # noqa: F811
    page = visit("zh/book/index.html")
    explorer = waiting(page)
    field = explorer.get_by_role("textbox")
    first = field.input_value()
    field.evaluate(
        """e => { e.dispatchEvent(new CompositionEvent("compositionstart")); e.value = "lü'se";
                  e.dispatchEvent(new InputEvent("input", { isComposing: true })); }"""
    )
    page.wait_for_function("document.querySelector('.explorer').dataset.state == 'live'", timeout=120_000)
    finished(page, first)
    assert not explorer.locator(".problem").inner_text() and field.input_value() == "lü'se"
    field.evaluate(
        """e => { e.value = "绿色方块在蓝色圆环的左边"; e.dispatchEvent(new CompositionEvent("compositionend")); }"""
    )
    finished(page, "绿色方块在蓝色圆环的左边")


def test_a_borrowed_model_is_that_of_its_chapter_and_lies_there_once():
    """The words of an explorer's own page: models and noises are the same, and so are the files."""
    settings = re.compile(r'data-kind="sentence".*?json">(.*?)</script>', re.DOTALL)
    pages = ("book/words.html", "book/index.html", "zh/book/index.html")
    given = [json.loads(settings.search((SITE / page).read_text("utf-8"))[1]) for page in pages]
    assert given[0]["models"] == given[1]["models"] == given[2]["models"]
    assert given[0]["noise"] == given[1]["noise"]
    files = [path.name for path in (SITE / "_static/live/models").iterdir()]
    kept = [name for name in files if name.partition("-")[2].startswith(("velocity", "decoder"))]
    assert set(given[0]["models"].values()) <= set(kept) and not [name for name in kept if name.startswith("index-")]
    link = re.search(r'<em>[^<]*(?:<(?!/em>)[^<]*)*href="words.html"', (SITE / "book/index.html").read_text("utf-8"))
    assert link, "the page does not say whose model it is"


def test_a_figure_that_is_near_from_the_first_waits_to_be_asked(visit):  # noqa: F811
    page = visit("book/index.html")
    page.set_viewport_size({"width": 1440, "height": 3000})
    page.reload(wait_until="networkidle")
    waiting(page)
    explorer = page.locator(".explorer[data-kind='interpolation']")
    explorer.get_by_role("button", name="Bring the figure to life (loads 4 MB)").click()
    page.wait_for_function("e => e.dataset.state === 'live'", arg=explorer.element_handle(), timeout=120_000)
    assert explorer.get_by_role("slider").first.is_visible()
    assert explorer.get_by_role("button", name="Bring the figure to life").count() == 0
    assert bytes_of_models(page) == 4 and not visit.problems


def test_pages_without_explorers_load_no_module():
    for path in SITE.glob("book/*.html"):
        page = path.read_text("utf-8")
        assert ("live/mount.mjs" in page) == ('class="explorer"' in page), path.name


@pytest.mark.parametrize("kind", WITH_MODELS)
def test_the_browser_computes_what_torch_computed(open_explorer, kind):
    page, explorer = open_explorer(kind)
    examples = settings_of(explorer)["examples"]
    assert {example["model"] for example in examples} == set(settings_of(explorer)["models"])
    for example in examples:
        inputs = {
            name: [np.asarray(values).flatten().tolist(), np.shape(values)]
            for name, values in example["inputs"].items()
        }
        answer = explorer.evaluate(
            """async (e, [model, inputs]) => {
                 const feeds = {};
                 for (const [name, [values, shape]] of Object.entries(inputs))
                   feeds[name] = [Float32Array.from(values), shape];
                 return Array.from(await e.api.models[model](feeds)); }""",
            [example["model"], inputs],
        )
        expected = np.asarray(example["output"]).flatten()
        assert len(answer) == len(expected)
        assert np.abs(np.asarray(answer) - expected).max() < 1e-3


def test_dragging_over_the_map_changes_the_picture(open_explorer):
    page, explorer = open_explorer("latent-map")
    explorer.locator("canvas.pad").scroll_into_view_if_needed()  # the map has grown below the window's edge
    pad = explorer.locator("canvas.pad").bounding_box()
    seen, places = [drawn(explorer)], [explorer.locator(".stage").get_attribute("data-z")]
    page.mouse.move(pad["x"] + pad["width"] / 2, pad["y"] + pad["height"] / 2)
    page.mouse.down()
    for across, down in ((0.8, 0.3), (0.2, 0.7)):
        page.mouse.move(pad["x"] + across * pad["width"], pad["y"] + down * pad["height"], steps=10)
        settled(page)
        seen.append(drawn(explorer))
        places.append(explorer.locator(".stage").get_attribute("data-z"))
    page.mouse.up()
    assert len({views[1] for views in seen}) == 3  # the picture
    reach = settings_of(explorer)["reach"]
    z = [float(value) for value in places[1].split(",")]
    assert z == pytest.approx([0.6 * reach, 0.4 * reach], abs=0.05)  # up is up
    page.mouse.move(pad["x"] + 5, pad["y"] + 5)
    settled(page)
    assert explorer.locator(".stage").get_attribute("data-z") == places[2], "it moves although the button is up"


@pytest.mark.parametrize("kind", WITH_MODELS)
def test_sliders_answer_to_the_keyboard(open_explorer, kind):
    page, explorer = open_explorer(kind)
    for slider in explorer.locator("input[type='range']").all():
        before, value = drawn(explorer), slider.input_value()
        slider.focus()
        for _ in range(3):
            page.keyboard.press("PageDown")
        assert slider.input_value() != value
        assert comes(page, lambda was=before: drawn(explorer) != was), f"{slider.get_attribute('id')} changes nothing"
        rest(page, lambda: drawn(explorer))
        assert slider.get_attribute("aria-valuetext")


@pytest.mark.parametrize("kind", WITH_MODELS)
def test_changes_are_announced_once_they_pause(open_explorer, kind):
    page, explorer = open_explorer(kind)
    line = explorer.locator("[role='status']")
    before = rest(page, line.text_content)
    slider = explorer.locator("input[type='range']").first
    slider.focus()
    page.keyboard.press("Home")
    assert comes(page, lambda: line.text_content() not in ("", before))


@pytest.mark.parametrize("kind", EXPLORERS)
def test_every_control_has_a_name(open_explorer, kind):
    _, explorer = open_explorer(kind)
    names = explorer.locator("input, select, button").evaluate_all(
        "all => all.map(e => (e.labels?.[0] ?? e).textContent.trim() || e.getAttribute('aria-label'))"
    )
    assert len(names) >= 2 and all(names)
    assert explorer.locator(".stage").get_attribute("role") == "group"
    assert all(canvas.get_attribute("aria-label") or canvas.get_attribute("aria-hidden") == "true"
               for canvas in explorer.locator("canvas").all())  # fmt: skip


def test_averaged_and_raw_weights_draw_different_pictures(open_explorer):
    page, explorer = open_explorer("interpolation")
    averaged = drawn(explorer)
    explorer.get_by_role("checkbox").uncheck()
    settled(page)
    raw = drawn(explorer)
    assert all(a != b for a, b in zip(averaged, raw, strict=True))
    explorer.get_by_role("checkbox").check()
    settled(page)
    assert drawn(explorer) == averaged


def test_other_ends_make_another_walk(open_explorer):
    page, explorer = open_explorer("interpolation")
    seen = [drawn(explorer)[0]]
    for _ in range(6):  # past the ends that the page brings
        explorer.get_by_role("button", name="Other ends").click()
        settled(page)
        seen.append(drawn(explorer)[0])
    assert len(set(seen)) == 7


def test_steps_and_method_are_those_of_the_chapter(open_explorer):
    """Euler and Heun in the page end where the package's solver ends with the same velocities."""
    page, explorer = open_explorer("particles")
    settings = settings_of(explorer)
    assert explorer.locator(".stage").get_attribute("data-ready") == "euler 8"
    euler = np.reshape(explorer.evaluate("e => e.api.ends()"), (-1, 2))
    explorer.get_by_label("Method").select_option("heun")
    page.wait_for_selector(".stage[data-ready='heun 8']")
    heun = np.reshape(explorer.evaluate("e => e.api.ends()"), (-1, 2))
    assert np.abs(euler - heun).mean() > 1e-3

    def follow(method, steps):
        """By the browser's own velocities, in NumPy: what is tested is the solver."""
        x = np.asarray(settings["noise"], np.float32)
        ask = """async (e, [x, t]) => Array.from(await e.api.models.velocity(
                   {x: [Float32Array.from(x), [x.length / 2, 2]], t: [new Float32Array(x.length / 2).fill(t),
                    [x.length / 2]]}))"""

        def velocity(x, t):
            return np.reshape(explorer.evaluate(ask, [x.flatten().tolist(), t]), (-1, 2))

        for i in range(steps):
            v = velocity(x, i / steps)
            if method == "heun":
                v = (v + velocity(x + v / steps, (i + 1) / steps)) / 2
            x = x + v / steps
        return x

    assert np.abs(follow("euler", 8) - euler).max() < 1e-3
    assert np.abs(follow("heun", 8) - heun).max() < 1e-3


@pytest.mark.parametrize("kind", ["interpolation", "particles", "sentence"])
def test_motion_starts_when_asked_for_and_obeys_the_reader(open_explorer, kind):
    page, explorer = open_explorer(kind)
    name = {"interpolation": "Walk", "particles": "From noise to data", "sentence": "From noise to picture"}[kind]
    at_rest = drawn(explorer)
    page.wait_for_timeout(400)
    assert drawn(explorer) == at_rest, "it moves without being asked"
    # Frames tell when they began, on a busy machine long before the click that they follow.
    page.evaluate("(ask => { window.requestAnimationFrame = draw => ask(t => draw(t - 100)); })(requestAnimationFrame)")
    explorer.get_by_role("button", name=name).click()
    assert comes(page, lambda: drawn(explorer) != at_rest)
    page.emulate_media(reduced_motion="reduce")
    settled(page)
    assert not explorer.get_by_role("button", name=name).is_visible()
    stopped = drawn(explorer)  # not `rest`: some ways end by themselves
    page.wait_for_timeout(300)
    assert drawn(explorer) == stopped


@pytest.mark.parametrize("kind", EXPLORERS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_explorers_fit_a_phone(open_explorer, kind, scheme):
    page, explorer = open_explorer(kind, width=360, scheme=scheme, maths=True)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    box = explorer.bounding_box()
    for part in explorer.locator("canvas, input, select, button").all():
        if part.is_visible():
            inner = part.bounding_box()
            assert inner["x"] >= box["x"] - 1 and inner["x"] + inner["width"] <= box["x"] + box["width"] + 1


DONE = """([text, number]) => {
             const [said, , , noise] = document.querySelector("[data-kind='sentence'] .stage").dataset.ready.split("|");
             return said === text && (!number || noise === String(number)); }"""


def finished(page, text, number=None):
    """Waits until the picture of a sentence is there."""
    page.wait_for_function(DONE, arg=[text, number], timeout=20_000)


def views(explorer):
    """What the large canvas, the drawing of what is asked for, and the picture before show."""
    return dict(zip(("now", "asked", "before"), drawn(explorer), strict=True))


def test_a_sentence_comes_to_torchs_picture(open_explorer):
    """Words, guidance and solver in the page: the code and the picture are those that torch came to."""
    _, explorer = open_explorer("sentence")
    (example,) = (one for one in settings_of(explorer)["examples"] if one["model"] == "decoder")
    code, picture = explorer.evaluate("e => [e.api.code(), e.api.picture()]")
    assert np.abs(np.asarray(code) - np.ravel(example["inputs"]["code"][0])).max() < 1e-2
    assert np.abs(np.asarray(picture) - np.ravel(example["output"][0])).max() < 1e-2
    assert np.abs(np.ravel(example["output"][0]) - np.ravel(example["output"][1])).max() > 0.1


def test_a_written_sentence_is_drawn_from_the_same_noise(open_explorer):
    page, explorer = open_explorer("sentence")
    first = views(explorer)
    field = explorer.get_by_role("textbox", name="Sentence")
    field.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("A green triangle above a blue ring")  # no Enter: a pause is enough
    finished(page, "A green triangle above a blue ring", 1)
    second = views(explorer)
    assert second["now"] != first["now"] and second["asked"] != first["asked"]
    assert second["before"] == first["now"]
    labels = [box.locator("select").evaluate("e => e.selectedOptions[0].textContent") for box in
              explorer.locator(".slots > *").all()]  # fmt: skip
    assert labels == ["green", "triangle", "above", "blue", "ring"]
    assert "A green triangle above a blue ring" in explorer.locator("canvas").first.get_attribute("aria-label")
    field.fill("绿色三角在蓝色圆环的上面")
    finished(page, "绿色三角在蓝色圆环的上面", 1)
    assert explorer.get_by_label("First shape").evaluate("e => e.selectedOptions[0].textContent") == "三角"
    assert views(explorer)["asked"] == second["asked"]


def test_unknown_words_are_named_and_mended(open_explorer):
    page, explorer = open_explorer("sentence")
    at_rest, field = views(explorer), explorer.get_by_role("textbox", name="Sentence")
    field.fill("a red sqaure left of a <b>blue</b> rong")
    page.wait_for_selector(".stage[data-problem]")
    said = explorer.locator(".problem").inner_text()
    for word in ("'sqaure'", "'square'", "'rong'", "'ring'"):
        assert word in said
    assert field.get_attribute("aria-invalid") == "true" and explorer.locator(".problem b").count() == 0
    assert comes(page, lambda: "'sqaure'" in explorer.locator("[role='status']").text_content())
    assert views(explorer) == at_rest, "words that are not known are drawn"
    field.fill("a green square left of a blue rong")
    page.wait_for_function("!document.querySelector('.stage[data-problem]').dataset.problem.includes('sqaure')")
    explorer.get_by_role("button", name="Use 'ring'").click()
    finished(page, "a green square left of a blue ring")
    assert field.get_attribute("aria-invalid") == "false" and not explorer.locator(".problem").inner_text()
    assert views(explorer)["now"] != at_rest["now"]
    field.fill("a red square left of a blue ring and a red square")
    page.wait_for_selector(".stage[data-problem]")
    assert "at most 6" in explorer.locator(".problem").inner_text()


def test_letters_on_their_way_to_chinese_are_not_read(open_explorer):
    """An input method writes the sounds first, and says when they have become words."""
    page, explorer = open_explorer("sentence")
    field, write = (
        explorer.get_by_role("textbox", name="Sentence"),
        """(e, [text, composing]) => {
        e.value = text;
        e.dispatchEvent(new InputEvent("input", { isComposing: composing }));
        if (!composing) e.dispatchEvent(new CompositionEvent("compositionend")); }""",
    )
    field.evaluate(write, ["lü'se fang'kuai", True])
    page.wait_for_timeout(600)
    assert not explorer.locator(".problem").inner_text()
    field.evaluate(write, ["绿色方块在蓝色圆环的左边", False])
    finished(page, "绿色方块在蓝色圆环的左边")


def test_part_of_a_sentence_is_drawn_and_called_one(open_explorer):
    page, explorer = open_explorer("sentence")
    legend = explorer.locator(".legend")
    assert "whole sentence" not in legend.inner_text()
    explorer.get_by_role("textbox", name="Sentence").fill("red ring")
    finished(page, "red ring")
    assert "not a whole sentence" in legend.inner_text()
    assert not explorer.get_by_text("Asked for").is_visible()


def test_words_are_chosen_by_the_keyboard_and_noise_by_a_button(open_explorer):
    page, explorer = open_explorer("sentence")
    first, field = views(explorer), explorer.get_by_role("textbox", name="Sentence")
    words = field.input_value().split()
    explorer.get_by_label("First colour").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("before => document.querySelector('.sentence input').value !== before", arg=" ".join(words))
    changed = field.input_value().split()
    assert sum(a != b for a, b in zip(words, changed, strict=True)) == 1 and words[1] != changed[1]
    finished(page, " ".join(changed), 1)
    second = views(explorer)
    assert second["now"] != first["now"] and second["before"] == first["now"]
    explorer.get_by_role("button", name="Other noise").focus()
    page.keyboard.press("Enter")
    finished(page, " ".join(changed), 2)
    third = views(explorer)
    assert third["now"] != second["now"] and third["before"] == second["now"] and third["asked"] == second["asked"]
    seen = [third["now"]]
    for number in range(3, 7):  # past the noises that the page brings
        page.keyboard.press("Enter")
        finished(page, " ".join(changed), number)
        seen.append(views(explorer)["now"])
    assert len(set(seen)) == len(seen)
    explorer.get_by_role("button", name="Same noise, other word").click()
    page.wait_for_function("before => document.querySelector('.sentence input').value !== before",
                           arg=" ".join(changed))  # fmt: skip
    finished(page, field.input_value(), 6)
    assert views(explorer)["now"] != seen[-1]


def test_without_guidance_of_words_no_sentence_is_heard(open_explorer):
    """At guidance 0 the velocity is that of no sentence: all sentences give one picture."""
    page, explorer = open_explorer("sentence")
    explorer.get_by_label("Guidance").focus()
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.explorer .stage').dataset.ready.split('|')[2] === '0'")
    deaf = views(explorer)["now"]
    field = explorer.get_by_role("textbox", name="Sentence")
    field.fill("a yellow ring above a green square")
    finished(page, field.input_value())
    assert views(explorer)["now"] == deaf
    explorer.get_by_label("Guidance").focus()
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.explorer .stage').dataset.ready.split('|')[2] === '6'")
    assert views(explorer)["now"] != deaf


COUNT = """(() => { const put = CanvasRenderingContext2D.prototype.putImageData; window.paints = 0;
             CanvasRenderingContext2D.prototype.putImageData = function (...given) {
               paints += 1; return put.apply(this, given); }; })()"""


@pytest.mark.parametrize("still", [False, True])
def test_a_picture_forms_step_by_step_unless_the_reader_wants_it_still(open_explorer, still):
    page, explorer = open_explorer("sentence", still=still)
    page.evaluate(COUNT)
    steps = int(explorer.locator(".control", has_text="Steps").locator("output").inner_text())
    explorer.get_by_role("textbox", name="Sentence").fill("a yellow ring above a green square")
    finished(page, "a yellow ring above a green square")
    paints = page.evaluate("paints")
    assert paints == 2 if still else paints > steps  # the picture and the one before, or all the way
    explorer.get_by_label("Time t").focus()
    before = views(explorer)["now"]
    page.keyboard.press("Home")
    settled(page)
    assert views(explorer)["now"] != before, "the way can be looked at by hand"


def test_the_chinese_page_speaks_and_starts_in_chinese(open_explorer):
    page, explorer = open_explorer("sentence", edition="zh/")
    field = explorer.get_by_role("textbox", name="句子")
    english, chinese = r"[A-Za-z]{2,}", r"[\u4e00-\u9fff]"
    assert re.search(chinese, field.input_value()) and not re.search(english, field.input_value())
    assert not re.search(english, explorer.locator(".stage").inner_text())
    field.fill("紫色方块在蓝色圆环的左边")
    page.wait_for_selector(".stage[data-problem]")
    assert "“紫色”" in explorer.locator(".problem").inner_text()
    field.fill("a red ring below a blue square")
    finished(page, "a red ring below a blue square")


def game(explorer):
    return explorer.evaluate("e => e.api.state()")


def test_the_gan_in_the_page_trains_when_asked_to(open_explorer):
    page, explorer = open_explorer("gan-2d")
    at_rest, stage = drawn(explorer), explorer.locator(".stage")
    page.wait_for_timeout(500)
    assert stage.get_attribute("data-steps") == "0" and drawn(explorer) == at_rest
    explorer.get_by_role("button", name="One step").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".stage[data-steps='1']")
    assert all(now != before for now, before in zip(drawn(explorer), at_rest, strict=True))
    explorer.get_by_role("button", name="Run").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "Number(document.querySelector('.explorer[data-kind=\"gan-2d\"] .stage').dataset.steps) > 40"
    )
    explorer.get_by_role("button", name="Pause").click()
    rest(page, lambda: game(explorer)["steps"])
    explorer.get_by_role("button", name="Reset").click()
    page.wait_for_selector(".stage[data-steps='0']")
    settled(page)
    assert drawn(explorer) == at_rest, "the same seed starts elsewhere"
    explorer.get_by_label("Random start").focus()
    page.keyboard.press("ArrowRight")
    assert comes(page, lambda: drawn(explorer) != at_rest)


def test_collapse_and_cure_set_the_controls(open_explorer):
    page, explorer = open_explorer("gan-2d")
    explorer.get_by_role("button", name="Cure it").click()
    assert comes(page, lambda: game(explorer)["running"])
    cured = game(explorer)["chosen"]
    assert cured["r1"] > 0 and cured["r2"] == 0
    assert explorer.get_by_label("Penalty").input_value() == "r1"
    assert float(explorer.get_by_label("Its weight").input_value()) == cured["r1"]
    explorer.get_by_role("button", name="Let it collapse").click()
    assert comes(page, lambda: game(explorer)["chosen"] == {**cured, "r1": 0})
    assert explorer.get_by_label("Penalty").input_value() == "none"
    assert explorer.get_by_label("Its weight").is_disabled(), "a weight of nothing"
    explorer.get_by_label("Penalty").select_option("both")
    chosen = game(explorer)["chosen"]
    assert chosen["r1"] == chosen["r2"] > 0
    assert explorer.get_by_label("Its weight").is_enabled()
    explorer.get_by_role("button", name="Pause").click()


def test_sliders_show_what_the_gan_trains_with(open_explorer):
    page, explorer = open_explorer("gan-2d")

    def agree():
        chosen = game(explorer)["chosen"]
        for label, name in (("rate of G", "rateG"), ("rate of D", "rateD"), ("Momentum", "beta1")):
            shown = explorer.locator(".control", has_text=label).locator("output").inner_text()
            assert float(shown) == pytest.approx(chosen[name], rel=0.05), label
        return chosen

    before = agree()
    for label in ("rate of G", "rate of D", "Momentum"):
        explorer.get_by_label(label).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
    after = agree()
    assert after["rateG"] == pytest.approx(2 * before["rateG"])
    assert after["rateD"] == pytest.approx(2 * before["rateD"])
    assert after["beta1"] > before["beta1"]
    explorer.get_by_role("button", name="Let it collapse").click()
    explorer.get_by_role("button", name="Pause").click()
    assert agree() == before


def test_the_map_of_the_gan_follows_the_theme(open_explorer):
    page, explorer = open_explorer("gan-2d")
    light = drawn(explorer)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    settled(page)
    dark = drawn(explorer)
    assert all(a != b for a, b in zip(light, dark, strict=True))
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    settled(page)
    assert drawn(explorer) == light


def test_training_pauses_out_of_sight_and_draws_seldom_if_asked_to(open_explorer):
    page, explorer = open_explorer("gan-2d", still=True)
    explorer.get_by_role("button", name="Run", exact=True).click()
    views = explorer.evaluate(
        """async (e) => { const count = () => e.api.times.length, before = count();
                          await new Promise(done => setTimeout(done, 2500)); return count() - before; }"""
    )
    assert 1 <= views <= 4
    page.evaluate("scrollTo(0, 0)")
    assert comes(page, lambda: not game(explorer)["running"])


def test_the_flow_in_the_page_learns_and_its_points_go_their_way(open_explorer):
    page, explorer = open_explorer("flow-2d")
    stage, at_rest = explorer.locator(".stage"), drawn(explorer)
    page.wait_for_timeout(500)
    assert stage.get_attribute("data-steps") == "0" and drawn(explorer) == at_rest
    assert int(stage.get_attribute("data-near")) < 50
    explorer.get_by_role("button", name="Train").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".stage[data-left='0']", timeout=120_000)
    page.wait_for_function("Number(document.querySelector('.stage[data-left]').dataset.time) < 0.9")  # by itself
    page.wait_for_selector(".stage[data-time='1.00']", timeout=20_000)
    assert int(stage.get_attribute("data-near")) > 80
    explorer.get_by_label("Time t").focus()
    page.keyboard.press("Home")
    settled(page)
    assert stage.get_attribute("data-time") == "0.00"
    assert "% of the points end in a circle" in explorer.locator(".legend").inner_text()
    explorer.get_by_role("button", name="Reset").click()
    page.wait_for_selector(".stage[data-left='1500']")


def strike(page, canvas, *places):
    """Draws with the mouse from place to place, each in parts of the map."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    at = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


KEPT = "JSON.parse(localStorage.getItem('images-from-noise.drawing'))"


@pytest.mark.parametrize("kind", TRAINED_HERE)
def test_nothing_is_trained_before_something_is_drawn(open_explorer, kind):
    page, explorer = open_explorer(kind)
    train = explorer.locator(".buttons button").first
    explorer.get_by_label("Data", exact=True).select_option("drawn")
    settled(page)
    assert train.is_disabled() and "Nothing is drawn yet" in explorer.locator(".legend").inner_text()
    canvas = explorer.locator("canvas").first
    strike(page, canvas, (0.2, 0.2), (0.4, 0.2))
    settled(page)
    assert train.is_enabled() and len(page.evaluate(KEPT)) > 10
    train.click()
    page.wait_for_function("Number(document.querySelector('.stage[data-near]').dataset.steps) > 10")
    explorer.get_by_role("button", name="Clear the drawing").click()
    page.wait_for_timeout(500)  # not `rest`: the flow's training ends by itself
    stopped = game(explorer)
    page.wait_for_timeout(500)
    assert page.evaluate(KEPT) == [] and not stopped["running"] and game(explorer)["steps"] == stopped["steps"]
    strike(page, canvas, (0.2, 0.2), (0.4, 0.2))
    assert comes(page, lambda: game(explorer)["running"]), "the reader has let it run: it goes on, on the new drawing"


@pytest.mark.parametrize("kind", TRAINED_HERE)
def test_samples_go_where_the_reader_draws(open_explorer, kind):
    page, explorer = open_explorer(kind)
    explorer.get_by_label("Data", exact=True).select_option("drawn")
    stage = explorer.locator(".stage")
    strike(page, explorer.locator("canvas").first, (0.8, 0.15), (0.85, 0.15))  # above, at the right
    settled(page)
    dots = np.array(page.evaluate(KEPT))
    assert dots[:, 0].min() > 1.7 and dots[:, 0].max() < 2.2 and np.allclose(dots[:, 1], 2.1, atol=0.05)
    assert int(stage.get_attribute("data-near")) < 20
    explorer.get_by_role("button", name="Cure it" if kind == "gan-2d" else "Train").click()
    page.wait_for_function("Number(document.querySelector('.stage[data-near]').dataset.near) > 50", timeout=120_000)


@pytest.mark.parametrize("kind", TRAINED_HERE)
def test_the_keyboard_draws_and_is_told_where(open_explorer, kind):
    page, explorer = open_explorer(kind)
    canvas = explorer.locator("canvas").first
    assert canvas.get_attribute("role") == "img" and canvas.get_attribute("tabindex") is None
    explorer.get_by_label("Data", exact=True).select_option("drawn")
    canvas.focus()
    top = rest(page, lambda: page.evaluate("scrollY"))  # it may have scrolled there
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowUp", "Space"):
        page.keyboard.press(key)
    assert page.evaluate(KEPT) == [[0.4, 0.24]] and page.evaluate("scrollY") == top
    page.keyboard.down("Space")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.up("Space")
    assert page.evaluate(KEPT)[-1] == [0, 0.24] and len(page.evaluate(KEPT)) > 5
    page.keyboard.press("ArrowDown")
    count = len(page.evaluate(KEPT))
    told = explorer.locator("[role='status']")
    assert comes(page, lambda: told.text_content() == f"{count} dots. Brush at (0.0, 0.0)."), told.text_content()
    assert canvas.get_attribute("role") == "application" and f"{count} dots" in canvas.get_attribute("aria-label")


def test_a_drawing_is_kept_without_a_network(open_explorer):
    page, explorer = open_explorer("flow-2d", width=360)
    explorer.get_by_label("Data", exact=True).select_option("drawn")
    canvas = explorer.locator("canvas").first
    before = fetched(page)
    strike(page, canvas, (0.5, 0.5), (0.5, 0.9))  # on a phone the map is smaller: the places are the same
    settled(page)
    dots = np.array(page.evaluate(KEPT))
    assert np.allclose(dots[:, 0], 0, atol=0.05) and dots[0, 1] == pytest.approx(0, abs=0.05)
    assert dots[-1, 1] == pytest.approx(-2.4, abs=0.1)
    assert fetched(page) == before
    page.evaluate("scrollTo(0, 0)")
    page.reload()
    explorer.scroll_into_view_if_needed()
    page.wait_for_selector(".explorer[data-kind='flow-2d'][data-state='live']")
    explorer.get_by_label("Data", exact=True).select_option("drawn")
    settled(page)
    assert explorer.get_by_role("button", name="Train").is_enabled()
    assert f"{len(dots)} dots" in canvas.get_attribute("aria-label")


def test_who_wants_less_motion_sees_the_way_by_the_slider_alone(open_explorer):
    page, explorer = open_explorer("flow-2d", still=True)
    assert not explorer.get_by_role("button", name="From noise to data").is_visible()
    explorer.get_by_role("button", name="Train").click()
    page.wait_for_selector(".stage[data-left='0']", timeout=120_000)
    page.wait_for_timeout(500)
    assert explorer.locator(".stage").get_attribute("data-time") == "1.00"


def test_models_and_runtime_stay_small():
    live = SITE / "_static" / "live"
    sizes = {path.name: path.stat().st_size for path in live.rglob("*") if path.is_file()}
    assert sizes["ort-wasm-simd-threaded.wasm.gz"] < 4e6
    models = {name: size for name, size in sizes.items() if name.endswith(".onnx")}
    assert len(models) == 9
    told = sum(size for name, size in models.items() if name.startswith("words-"))
    assert 1e6 < told < 2e6, "a sentence's picture costs what the page says"
    assert max(size for name, size in models.items() if not name.startswith("words-")) < 1e6
