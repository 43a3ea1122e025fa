"""What only the Chinese pages need: headings with the English anchors, and a search that knows Chinese words.

An anchor is made of a heading's text. So a heading keeps its English text until Sphinx has read the page, the Chinese
one waiting in a paragraph under it; then the Chinese takes its place. Links to places on a page are thus the same in
both editions.
"""

import json
import logging
import re
from pathlib import Path

import executed
import says
from docutils import nodes
from sphinx.search.zh import SearchChinese

WAITING = "\ue000"  # before a heading that waits: a letter that no font has and no text
HEADING = re.compile(r"^(#{1,6} )(.+)$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def headings(text):
    """The numbers of the lines that are headings."""
    found, fence = [], None
    for number, line in enumerate(text.splitlines()):
        if mark := FENCE.match(line):
            fence = None if fence and mark[1].startswith(fence) else fence or mark[1]
        elif fence is None and HEADING.match(line):
            found.append(number)
    return found


def waiting(chinese, english):
    """A Chinese text under the headings of the English one, its own under them; as it is if their number differs."""
    lines, others = chinese.splitlines(), english.splitlines()
    places, other_places = headings(chinese), headings(english)
    if len(places) == len(other_places):
        for place, other in zip(places, other_places, strict=True):
            if lines[place] != others[other]:
                lines[place] = f"{others[other]}\n\n{WAITING}{HEADING.match(lines[place])[2]}\n"
    return "\n".join(lines)


def _let_headings_wait(app, docname, source):
    if not says.is_chinese(app):
        return
    path = Path(app.env.doc2path(docname))
    english = (executed.ROOT / path.relative_to(app.srcdir)).read_text("utf-8")
    app.env.note_dependency(str(executed.ROOT / "book" / "zh" / f"{path.stem}.md"))
    if path.suffix != ".ipynb":
        source[0] = waiting(source[0], english)
        return
    notebook = json.loads(source[0])
    for cell, other in zip(notebook["cells"], json.loads(english)["cells"], strict=True):
        if cell["cell_type"] == "markdown":
            cell["source"] = waiting("".join(cell["source"]), "".join(other["source"]))
    source[0] = json.dumps(notebook)


def _put_headings_in(app, doctree):
    for paragraph in list(doctree.findall(nodes.paragraph)):
        if paragraph.astext().startswith(WAITING):
            heading = paragraph.parent[paragraph.parent.index(paragraph) - 1]
            paragraph.parent.remove(paragraph)
            first = next(paragraph.findall(nodes.Text))
            first.parent.replace(first, nodes.Text(first.removeprefix(WAITING)))
            heading.children = []
            heading += paragraph.children


# Words of the theme and of Sphinx that neither has in Chinese.
THEME = (
    "Skip to main content", "Back to top", "Repository", "Open issue", "Table of contents", "Toggle primary sidebar",
    "Toggle secondary sidebar", "Launch on Colab", "Link to this heading", "Link to this image", "Link to this table",
    "previous page", "next page", "Search this book...", "Version warning", "Main", "Launch interactive content",
    "Source repositories", "Page", "Colab logo", "Please activate JavaScript to enable the search functionality.",
)  # fmt: skip
IN_PAGE = re.compile(r'([\w-]="|>\s*)({})(?="|\s*<)'.format("|".join(map(re.escape, THEME))))


def _translate_theme(app, exception):
    if exception or not says.is_chinese(app):
        return
    say = says.of(app)
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text("utf-8")
        if (chinese := IN_PAGE.sub(lambda found: found[1] + say(found[2]), text)) != text:
            page.write_text(chinese, "utf-8")


class Search(SearchChinese):
    """Sphinx's own, with a query cut into the words of the index, the longest first; Sphinx cuts only the pages."""

    js_splitter_code = r"""
function splitQuery(query) {
  const known = (word) => word in Search._index.terms || word in Search._index.titleterms;
  const words = [];
  for (const [run] of query.matchAll(/\p{Script=Han}+|[^\P{L}\p{Script=Han}]+|[\p{N}_]+/gu)) {
    if (!/\p{Script=Han}/u.test(run)) {
      words.push(run);
      continue;
    }
    for (let at = 0, end; at < run.length; at = end) {
      for (end = run.length; end > at + 1 && !known(run.slice(at, end)); end -= 1);
      if (end > at + 1 || run.length === 1) words.push(run.slice(at, end));
    }
  }
  return words;
}
"""

    def init(self, options):
        import jieba

        jieba.setLogLevel(logging.WARNING)
        super().init(options)


def setup(app):
    app.add_search_language(Search)
    app.connect("source-read", _let_headings_wait, priority=400)  # before `executed` folds what stands under one
    app.connect("doctree-read", _put_headings_in, priority=400)  # before Sphinx gathers titles
    app.connect("build-finished", _translate_theme)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
