"""What the theme and MyST-NB put into pages and this book does without, or leave undone, and have no option for."""

import re
from pathlib import Path
from urllib.parse import unquote

from docutils import nodes
from PIL import Image

# A button "Show code cell source" whose name for screen readers is "Toggle hidden content": its words are its name.
MARKS = r"[^\s\u4e00-\u9fff]{1,4}(?=\s|$)|[，。；：、？！）”]{1,2}"  # what stays on a formula's line
MISNAMED = '<summary aria-label="Toggle hidden content">'
PICTURE = re.compile(r'<img (?=[^>]*src="[^"]*_images/([^"]+\.png)")')


def _mend_body(app, pagename, templatename, context, doctree):
    if "body" in context:
        body = context["body"].replace(MISNAMED, "<summary>")
        files = {name: Path(app.srcdir) / source for source, name in app.builder.images.items()}
        context["body"] = PICTURE.sub(lambda tag: _sized(tag[0], files[unquote(tag[1])]), body)


def _sized(tag, file):
    """With its size a picture keeps its place before it is there, however narrow the style sheet makes it."""
    with Image.open(file) as picture:
        return f'{tag}width="{picture.width}" height="{picture.height}" '


def _keep_together(app, doctree, docname):
    """Puts a formula and the full stop behind it on one line; MathJax's box alone would let it fall to the next."""
    for formula in list(doctree.findall(nodes.math)):
        line, place = formula.parent, formula.parent.index(formula)
        behind = line[place + 1] if place + 1 < len(line) else None
        if isinstance(behind, nodes.Text) and (mark := re.match(MARKS, behind)):
            together = nodes.inline("", "", formula.deepcopy(), nodes.Text(mark[0]), classes=["together"])
            line[place : place + 2] = [together, nodes.Text(behind[mark.end() :])]


def _drop_icon_script(app, exception):
    """Empties the 1.5 MB script that draws the icons a second time; the style sheet and its fonts draw them already."""
    if exception or app.builder.format != "html":
        return
    for script in (Path(app.outdir) / "_static" / "vendor" / "fontawesome").glob("*/js/*.js"):
        script.write_text("", "utf-8")


def setup(app):
    app.connect("html-page-context", _mend_body)
    app.connect("doctree-resolved", _keep_together)
    app.connect("build-finished", _drop_icon_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
