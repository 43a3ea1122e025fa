"""The built site as a whole: every link leads somewhere, pages say what they are, keep still, and can be printed."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from browsers import comes
from PIL import Image
from test_site import CHAPTERS, PAGES, SITE, WIDTHS, address, browser, visit  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
import address as repository


class Page(HTMLParser):
    """Links, identifiers and meta elements of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.meta, self.canonical = [], set(), {}, None
        self.feed((SITE / path).read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]
        if tag == "meta" and (name := attributes.get("name") or attributes.get("property")):
            self.meta.setdefault(name, []).append(attributes.get("content", ""))
        if attributes.get("rel") == "canonical":
            self.canonical = attributes["href"]


@pytest.fixture(scope="module")
def pages():
    return {path: Page(path) for path in PAGES}


@pytest.mark.parametrize("path", PAGES)
def test_links_and_anchors_lead_somewhere(pages, path):
    lost = []
    for link in pages[path].links:
        parts = urlsplit(link)
        if parts.scheme in ("http", "https"):
            if not parts.hostname or "." not in parts.hostname or " " in link:
                lost.append(link)
            continue
        if parts.scheme in ("data", "mailto", "javascript"):
            continue
        target, anchor = urldefrag(urljoin(f"http://site/{path}", link))
        target = unquote(urlsplit(target).path).removeprefix("/") or "index.html"
        if target.endswith("/"):
            target += "index.html"
        if not (SITE / target).is_file():
            lost.append(link)
        elif anchor and target in pages and unquote(anchor) not in pages[target].ids:
            lost.append(link)
    assert not lost


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_page_says_what_it_is(pages, path):
    page = pages[path]
    meta = {name: contents[0] for name, contents in page.meta.items()}
    assert all(len(page.meta[name]) == 1 for name in meta if name.startswith(("og:", "twitter:", "description")))
    least = 25 if path.startswith("zh/") else 80
    assert least <= len(meta["description"]) <= 300 and not re.search(r"[\\$]|\s\s", meta["description"])
    assert meta["og:description"] == meta["description"]
    assert meta["og:url"] == page.canonical == repository.SITE + path
    assert meta["og:title"] and meta["og:image:alt"] and meta["twitter:card"] == "summary_large_image"
    picture = SITE / meta["og:image"].removeprefix(repository.SITE)
    assert Image.open(picture).size == (1200, 630)
    assert picture.stat().st_size < 500_000
    assert picture.name not in (SITE / path).read_text("utf-8").replace(meta["og:image"], "")  # no page loads it


def test_descriptions_are_the_pages_own(pages):
    descriptions = [pages[path].meta["description"][0] for path in CHAPTERS]
    assert len(set(descriptions)) == len(descriptions)


def test_the_icon_is_there(pages):
    for path in CHAPTERS:
        assert any(link.split("?")[0].endswith("favicon.svg") for link in pages[path].links)
    assert (SITE / "_static" / "favicon.svg").read_text("utf-8").startswith(("<svg", "<?xml"))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["book/index.html", "book/gan.html"])
def test_pictures_keep_their_place_before_they_come(visit, browser, address, path, width):  # noqa: F811
    heights = "[...document.querySelectorAll('article img')].map((e) => e.getBoundingClientRect().height)"
    there = visit(path, WIDTHS[width]).evaluate(heights)
    assert len(there) > 4 and max(there) > 50
    context = browser.new_context(viewport={"width": WIDTHS[width], "height": 900})
    page = context.new_page()
    page.route("**/_images/*", lambda route: None)  # asked for, and never answered
    page.goto(address + path, wait_until="domcontentloaded")
    near = f"there => {{ const kept = {heights}; return there.every((one, i) => Math.abs(one - kept[i]) < 3); }}"
    page.wait_for_function(near, arg=there, timeout=20_000)  # that the style sheet is there, too
    assert page.evaluate("[...document.querySelectorAll('article img')].every((e) => !e.naturalWidth)")
    context.close()


@pytest.mark.parametrize(("words", "found"), [("mode collapse", "gan.html"), ("reparameterise", "vae.html")])
def test_search_finds_words_of_the_book(visit, words, found):  # noqa: F811
    page = visit("search.html")
    field = page.locator("input[name='q']:visible").first
    field.focus()
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    page.wait_for_function("/finished|found/.test(document.querySelector('#search-results').textContent)")
    targets = page.locator("#search-results li a").evaluate_all("all => all.map(e => e.getAttribute('href'))")
    assert any(found in target for target in targets[:8])


def test_navigation_opens_and_closes_by_keyboard_on_a_phone(visit):  # noqa: F811
    page = visit("book/gan.html", WIDTHS["phone"])
    link = page.locator(".bd-sidebar-primary a", has_text="Variational").first
    assert not page.evaluate("e => { const b = e.getBoundingClientRect(); return b.left >= 0 && b.right > 0 && "
                             "b.width > 0; }", link.element_handle())  # fmt: skip
    button = page.locator("label[for='__primary'], button.primary-toggle").locator("visible=true").first
    button.focus()
    page.keyboard.press("Enter")
    assert comes(page, lambda: (link.bounding_box() or {"x": -1})["x"] >= 0)
    page.keyboard.press("Escape")
    assert comes(page, lambda: (link.bounding_box() or {"x": -1})["x"] < 0)


def test_the_first_tab_offers_to_skip_to_the_text(visit):  # noqa: F811
    page = visit("book/gan.html")
    page.keyboard.press("Tab")
    top = "document.activeElement.getBoundingClientRect().top"
    assert comes(page, lambda: page.evaluate(top) >= 0)  # it slides in
    focused = page.evaluate("[document.activeElement.textContent.trim(), document.activeElement.getAttribute('href')]")
    assert focused[0] == "Skip to main content"
    box = page.evaluate("(b => [b.top, b.height])(document.activeElement.getBoundingClientRect())")
    assert box[0] >= 0 and box[1] > 10


@pytest.mark.parametrize("path", ["book/gan.html", "book/api.html"])
def test_pages_can_be_printed(visit, path):  # noqa: F811
    page = visit(path)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})  # about the width of a sheet of paper
    for gone in (".bd-sidebar-primary", ".bd-header-article", ".copybtn"):
        assert not any(part.is_visible() for part in page.locator(gone).all()), gone
    cut = page.eval_on_selector_all(
        "article pre", "all => all.filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).length"
    )
    assert cut == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 700


def test_a_dark_page_is_printed_light_and_stays_dark(visit):  # noqa: F811
    page = visit("book/gan.html")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.evaluate(
        """addEventListener("beforeprint", () => {
               const light = (e) => getComputedStyle(e).color.match(/[0-9]+/g).slice(0, 3).every((c) => c > 110);
               window.lightLetters = [...document.querySelectorAll("article :is(h2, p, li, pre span, mjx-container)")]
                 .filter((e) => e.offsetParent && light(e)).map((e) => e.textContent.slice(0, 40));
           })"""
    )
    assert page.pdf().startswith(b"%PDF")
    assert page.evaluate("lightLetters") == []
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_download_of_a_page_is_its_notebook(pages):
    for path in CHAPTERS:
        source = SITE / "_sources" / Path(path).with_suffix(".ipynb")
        if source.exists():
            assert json.loads(source.read_text("utf-8"))["nbformat"] == 4
