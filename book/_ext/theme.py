"""What the theme and MyST-NB put into pages and this book does without."""

from pathlib import Path

# A button "Show code cell source" whose name for screen readers is "Toggle hidden content": its words are its name.
MISNAMED = '<summary aria-label="Toggle hidden content">'


def _name_buttons(app, pagename, templatename, context, doctree):
    if "body" in context:
        context["body"] = context["body"].replace(MISNAMED, "<summary>")


def _drop_icon_script(app, exception):
    """Empties the 1.5 MB script that draws the icons a second time; the style sheet and its fonts draw them already."""
    if exception or app.builder.format != "html":
        return
    for script in (Path(app.outdir) / "_static" / "vendor" / "fontawesome").glob("*/js/*.js"):
        script.write_text("", "utf-8")


def setup(app):
    app.connect("html-page-context", _name_buttons)
    app.connect("build-finished", _drop_icon_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
