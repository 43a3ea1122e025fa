"""A live model that a page borrows: trained by another chapter, on a page for which training it would be too long.

A Markdown cell asks for it in its metadata, {"genimg": {"live": "sentence", "of": chapter}}, and reads well without it:
Jupyter shows nothing there. The site puts the explorer under the cell's first paragraph, with the model that the
chapter has exported in the same build, over the cover as its poster and a line that says whose model it is. Where the
chapter did not come to export it, the line says that, and the page is what it is without.
"""

import base64
import functools
import json
import re
from pathlib import Path

import cover
import executed
import live
import ran
import says

BLANK = re.compile(r"\n\s*\n")
HEADING = re.compile(r"[#\ue000]")  # the second opens one that waits for its Chinese, see `chinese`
LINE = (
    "Six sentences become pictures; each forms from noise, from top to bottom: {0}. The model that draws here was "
    "trained by the chapter [{1}]({2}), in the same build of the book."
)
NONE = (
    "A model that draws what you write belongs here. The chapter [{0}]({1}) trains it; in this build it did not come "
    "to that."
)
ALT = "Six columns of small pictures. Each begins as a blur at the top and ends as two shaded shapes: {0}."


def chapter_of(cell):
    """The chapter whose explorer a cell asks for; None for every other cell."""
    return cell["metadata"].get("genimg", {}).get("of") if cell["cell_type"] == "markdown" else None


def lender(app, docname):
    """The page of the chapter from which a page borrows; None if it borrows nothing, or from none of this site."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".ipynb":
        return None
    of = next(filter(None, map(chapter_of, json.loads(path.read_text("utf-8"))["cells"])), None)
    page = of and f"{docname.rpartition('/')[0]}/{of}"
    return page if page in app.env.found_docs else None


def lent(app, docname):
    """What the explorer of a page's lender was given, and its poster, bytes of a PNG; None, None without one."""
    page = lender(app, docname)
    copy = page and executed.shown_copy(app, page)
    return _lent(copy, copy.stat().st_mtime_ns) if copy and copy.exists() else (None, None)


@functools.cache
def _lent(copy, when):
    bundle = cover.bundle_of(json.loads(copy.read_text("utf-8")))
    return (bundle, cover.sheet(bundle)) if bundle else (None, None)


def put_in(notebook, title, bundle, poster, say):
    """Puts a borrowed explorer into a notebook that Sphinx is about to read.

    Args:
        title: of the chapter that lends.
        bundle, poster: from `lent`.
        say: speaks the page's language.
    """
    (place,) = (i for i, cell in enumerate(notebook["cells"]) if chapter_of(cell))
    cell = notebook["cells"][place]
    blocks = BLANK.split("".join(cell["source"]))
    end = 1 + next(i for i, block in enumerate(blocks) if not HEADING.match(block))
    link = title, f"{chapter_of(cell)}.ipynb"
    sentences = say("; ").join(map(say, cover.SENTENCES))
    line = say(LINE, sentences, *link) if bundle else say(NONE, *link)
    name = cell["id"]
    figure = [_figure(f"{name}-live", bundle, poster, chapter_of(cell), say(ALT, sentences))] if bundle else []
    says_so = _words(f"{name}-line", f"*{line}*")
    rest = _words(f"{name}-rest", "\n\n".join(blocks[end:]))
    notebook["cells"][place : place + 1] = [_words(name, "\n\n".join(blocks[:end])), *figure, says_so, rest]


def _words(name, source):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def _figure(name, bundle, poster, chapter, alt):
    """A cell that shows nothing but the poster and the explorer; the chapter's own page keeps the tests' examples."""
    given = {**bundle, "of": chapter, "examples": []}
    given["settings"] = {**bundle["settings"], "text": cover.SENTENCES[0]}
    data = {"image/png": base64.b64encode(poster).decode(), live.MIME: given}
    return {
        "cell_type": "code", "id": name, "execution_count": None,
        "source": f"# {chapter}'s model",  # is not shown; MyST-NB passes over cells without any
        "metadata": {"tags": ["remove-input"], "mystnb": {"image": {"alt": alt}}},
        "outputs": [{"output_type": "display_data", "metadata": {}, "data": data}],
    }  # fmt: skip


def _borrow(app, docname, source):
    page = lender(app, docname)
    if not page:
        return
    notebook = json.loads(source[0])
    title = ran.title_of(json.loads(Path(app.env.doc2path(page)).read_text("utf-8")))
    put_in(notebook, title, *lent(app, docname), says.of(app))
    source[0] = json.dumps(notebook)


def _read_again(app, env, added, changed, removed):
    """Names the pages that borrow from a chapter whose words or outputs are not those that they were read with."""
    lenders = {docname: page for docname in env.found_docs - added if (page := lender(app, docname))}
    stale = added | changed
    return [d for d, page in lenders.items() if page in stale or executed.is_out_of_date(env, page)]


def setup(app):
    app.connect("env-get-outdated", _read_again)
    app.connect("source-read", _borrow, priority=550)  # after all that counts a chapter's cells, before `live`
    return {"parallel_read_safe": True, "parallel_write_safe": True}
