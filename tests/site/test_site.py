"""The built site, in a browser: nothing fetched from elsewhere, no error, readable on a phone, maths drawn.

Runs where BOOK_SITE names a built site, as .ci/run does: BOOK_SITE=_build/html pytest -n 0 tests/site/test_site.py
"""

import gzip
import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsers import browser  # noqa: F401

if not os.environ.get("BOOK_SITE"):
    pytest.skip("BOOK_SITE names no built site", allow_module_level=True)

SITE = Path(os.environ["BOOK_SITE"]).resolve()
PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts)
CHAPTERS = [page for page in PAGES if page.startswith(("book/", "zh/book/"))]  # of both editions
WIDTHS = {"phone": 360, "desktop": 1440}


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
        packed = gzip.compress(path.read_bytes(), 6)
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


@pytest.fixture
def visit(browser, address):  # noqa: F811
    """Opens a page; whatever it fetches from elsewhere, misses or throws is in `visit.problems`."""
    contexts, problems = [], []

    def open_page(path, width=WIDTHS["desktop"], scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)

        def guard(route):
            if route.request.url.startswith((address, "data:", "blob:")):
                return route.continue_()
            problems.append(f"fetches {route.request.url}")
            return route.abort()

        context.route("**/*", guard)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"throws {error}"))
        page.on("console", lambda line: problems.append(f"logs {line.text}") if line.type == "error" else None)
        page.on("response", lambda r: problems.append(f"misses {r.url}") if r.status >= 400 else None)
        page.goto(address + path, wait_until="networkidle")
        page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)")
        return page

    open_page.problems = problems
    yield open_page
    for context in contexts:
        context.close()


def test_the_site_has_its_pages():
    assert {"index.html", "search.html", "book/index.html", "book/references.html"} <= set(PAGES)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES)
def test_page_stands_alone_and_fits(visit, path, width):
    page = visit(path, WIDTHS[width])
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert not visit.problems
    assert overflow <= 0, f"the page scrolls {overflow} px sideways"


@pytest.mark.parametrize("path", CHAPTERS)
def test_maths_is_drawn(visit, path):
    page = visit(path)
    written = page.locator("article .math").count()
    assert page.locator("article mjx-container").count() >= written
    assert page.locator("mjx-merror").count() == 0
    words = page.evaluate(
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


@pytest.mark.parametrize("path", CHAPTERS)
def test_wide_formulas_start_with_their_beginning(visit, path):
    page = visit(path, WIDTHS["phone"])
    starts = page.eval_on_selector_all(
        ".bd-article div.math",
        "all => all.map(e => e.querySelector('mjx-container').getBoundingClientRect().left - "
        "e.getBoundingClientRect().left)",
    )
    assert all(start > -1 for start in starts), "a formula's left end is out of sight"


@pytest.mark.parametrize("path", CHAPTERS)
def test_figures_have_alternative_text_true_colours_and_proportions(visit, path):
    page = visit(path, WIDTHS["phone"], scheme="dark")
    for image in page.locator("article img").all():
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


@pytest.mark.parametrize("path", CHAPTERS)
def test_cells_leave_no_warnings_in_the_page(visit, path):
    page = visit(path)
    assert page.locator("article .output.stderr, article .output.traceback").all_inner_texts() == []


@pytest.mark.parametrize("path", CHAPTERS)
def test_solutions_are_hidden_until_opened(visit, path):
    page = visit(path)
    exercises = page.locator("section#exercises")
    if Path(path).stem in ("api", "claims", "micro", "ran", "references"):
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
