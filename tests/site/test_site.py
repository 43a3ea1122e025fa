"""The built site, in a browser: nothing fetched from elsewhere, no error, readable on a phone, maths drawn.

Runs where BOOK_SITE names a built site, as .ci/run does: BOOK_SITE=_build/html pytest -n 0 tests/site/test_site.py
"""

import gzip
import os
import re
import threading
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsers import SEEDED, browser  # noqa: F401

if not os.environ.get("BOOK_SITE"):
    pytest.skip("BOOK_SITE names no built site", allow_module_level=True)

SITE = Path(os.environ["BOOK_SITE"]).resolve()
PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts)
CHAPTERS = [page for page in PAGES if page.startswith(("book/", "zh/book/"))]  # of both editions
LISTINGS = [page for page in PAGES if "_modules/" in page]  # of code, all made alike, the English ones first
OTHERS = [*(page for page in PAGES if page not in CHAPTERS and page not in LISTINGS), LISTINGS[0], LISTINGS[-1]]
HEAVIEST = 3_000_000  # bytes of a page, before a live part is opened
WIDTHS = {"phone": 360, "desktop": 1440}
#: How pages are looked at; the Chinese ones, which have the same parts as the English, on a phone alone.
SCREENS = [
    (page, *screen)
    for pages in (CHAPTERS, OTHERS)
    for screen in (("phone", "dark"), ("desktop", "light"))
    for page in pages
    if screen[0] == "phone" or not page.startswith("zh/")
]


@cache
def packed_file(path):
    return gzip.compress(path.read_bytes(), 6)


class Host(SimpleHTTPRequestHandler):
    """Serves the site as static hosts do: text is packed on its way. Pictures and fonts are not."""

    TEXTS = (".html", ".css", ".js", ".mjs", ".json", ".svg")

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() and self.path.partition("?")[0].endswith("/") else path
        if path.suffix not in self.TEXTS or not path.is_file():
            return super().do_GET()
        packed = packed_file(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@contextmanager
def opening(browser, address):  # noqa: F811
    """Opens pages; whatever one fetches from elsewhere, misses or throws is in `problems`."""
    contexts, problems = [], []

    def open_page(path, width=WIDTHS["desktop"], scheme="light", maths=True):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.add_init_script(SEEDED)
        contexts.append(context)

        def guard(route):
            if route.request.url.startswith((address, "data:", "blob:")):
                return route.continue_()
            problems.append(f"fetches {route.request.url}")
            return route.abort()

        context.route("**/*", guard)
        if not maths:  # which takes half of the time, and most tests of an explorer do not look at it
            context.route("**/tex-chtml.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"throws {error}"))
        page.on("console", lambda line: problems.append(f"logs {line.text}") if line.type == "error" else None)
        page.on("response", lambda r: problems.append(f"misses {r.url}") if r.status >= 400 else None)
        page.goto(address + path, wait_until="networkidle" if maths else "load")
        if maths:
            page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)")
        return page

    open_page.problems = problems
    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def visit(browser, address):  # noqa: F811
    """Opens pages for one test, which may change them."""
    with opening(browser, address) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def seen(request, browser, address):  # noqa: F811
    """A page that several tests look at, one after the other."""
    path, width, scheme = request.param
    with opening(browser, address) as open_page:
        page = open_page(path, WIDTHS[width], scheme)
        page.problems = open_page.problems
        yield page


def looking_at(pages):
    chosen = [screen for screen in SCREENS if screen[0] in pages]
    return pytest.mark.parametrize("seen", chosen, ids=lambda screen: "-".join(screen[:2]), indirect=True)


def test_the_site_has_its_pages():
    assert {"index.html", "search.html", "book/index.html", "book/references.html"} <= set(PAGES)


@looking_at(CHAPTERS + OTHERS)
def test_page_stands_alone_and_fits(seen):
    overflow = seen.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert not seen.problems
    assert overflow <= 0, f"the page scrolls {overflow} px sideways"


@looking_at(CHAPTERS + OTHERS)
def test_pages_weigh_little(seen):
    sizes = seen.evaluate(
        """() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
                   .map(e => [e.name, e.encodedBodySize])"""
    )
    assert len(sizes) > 3
    assert sum(size for _, size in sizes) < HEAVIEST, sorted(sizes, key=lambda one: -one[1])[:5]


@looking_at(CHAPTERS)
def test_maths_is_drawn(seen):
    written = seen.locator("article .math").count()
    assert seen.locator("article mjx-container").count() >= written
    assert seen.locator("mjx-merror").count() == 0
    words = seen.evaluate(
        """() => { const copy = document.querySelector("article").cloneNode(true);
                   copy.querySelectorAll("pre, code, dt.sig, script, style, mjx-container").forEach(e => e.remove());
                   return copy.textContent; }"""
    )
    assert not re.findall(r".{0,30}(?:\$|\\[a-zA-Z(\[]).{0,30}", words)


def test_a_full_stop_stays_with_its_formula(visit):
    """At every width: between the two there is no line's end."""
    page = visit("book/vae.html")
    pairs = page.locator("article .together")
    assert pairs.count() > 20
    for width in range(360, 1441, 180):
        page.set_viewport_size({"width": width, "height": 900})
        apart = pairs.evaluate_all(
            """all => all.filter(e => { const a = e.querySelector("mjx-container").getBoundingClientRect();
                 const range = document.createRange(); range.selectNodeContents(e.lastChild);
                 const b = range.getBoundingClientRect();
                 return a.width && (b.top > a.bottom || b.left < a.left); }).map(e => e.textContent)"""
        )
        assert not apart


@looking_at(CHAPTERS)
def test_wide_formulas_start_with_their_beginning(seen):
    starts = seen.eval_on_selector_all(
        ".bd-article div.math",
        "all => all.map(e => e.querySelector('mjx-container').getBoundingClientRect().left - "
        "e.getBoundingClientRect().left)",
    )
    assert all(start > -1 for start in starts), "a formula's left end is out of sight"


@looking_at(CHAPTERS)
def test_figures_have_alternative_text_true_colours_and_proportions(seen):
    for image in seen.locator("article img").all():
        alt = image.get_attribute("alt") or ""
        source = image.get_attribute("src")
        assert len(alt.split()) >= 4 or len(re.findall("[\u4e00-\u9fff]", alt)) >= 8, f"{source} has the text {alt!r}"
        assert image.evaluate("e => e.complete && e.naturalWidth > 0"), f"{source} is not shown"
        shape = "e => (e.width / e.height) / (e.naturalWidth / e.naturalHeight)"
        folded = image.evaluate("e => e.closest('details:not([open])') !== null")
        assert folded or image.evaluate(shape) == pytest.approx(1, abs=0.1), f"{source} is squeezed"
        assert image.evaluate("e => getComputedStyle(e).filter") == "none", f"{source} is recoloured in dark mode"


@pytest.mark.parametrize("path", CHAPTERS)
def test_figures_carry_the_number_of_their_chapter(path):
    page = (SITE / path).read_text("utf-8")
    number = re.search(r'<h1>\s*<span class="section-number">(\d+)', page)
    figures = re.findall(r"<em>(?:Figure|图) (\d+)\.\d+", page)
    assert set(figures) <= {number[1] if number else "0"}


@looking_at(CHAPTERS)
def test_cells_leave_no_warnings_in_the_page(seen):
    assert seen.locator("article .output.stderr, article .output.traceback").all_inner_texts() == []


@looking_at(CHAPTERS)
def test_solutions_are_hidden_until_opened(seen):
    exercises = seen.locator("section#exercises")
    if Path(urlsplit(seen.url).path).stem in ("api", "claims", "micro", "ran", "references"):
        assert exercises.count() == 0
        return
    words = exercises.locator("em:text-matches('^(Solution|Figure|解答|图 )')")
    assert words.count() >= 1
    assert not any(one.is_visible() for one in words.all()), "a solution in words is open"
    solutions = exercises.locator("details:has-text('genimg.check(')")
    assert 3 <= solutions.count() <= 6
    for solution in solutions.all():
        code = solution.locator("div.highlight").first
        assert not code.is_visible()
        assert solution.locator("summary").inner_text().strip() in ("Solution in code", "解答：代码")
        solution.locator("summary").click()
        assert code.is_visible()
        assert any(": right." in text for text in solution.locator(".output").all_inner_texts())


def test_the_first_address_leads_to_the_book(visit, address):
    page = visit("")
    page.wait_for_url(address + "book/index.html")


def test_search_finds(visit):
    page = visit("search.html?q=model")
    page.wait_for_selector("#search-results li a")
    assert not visit.problems
