"""The notebooks that the site offers for download: the chapters as committed, with the outputs that the pages show.

MyST-NB and the theme offer the sources only, which have none.
"""

import json
from pathlib import Path

import executed

MODELS = "application/vnd.genimg.live+json"  # what live figures carry for the site alone; Jupyter shows their pictures


def download(chapter, copy):
    """A chapter's notebook with the outputs of its executed copy; what only the site can show is left out."""
    executed.put_in(chapter, copy)
    for cell in executed.code_cells(chapter):
        for output in cell["outputs"]:
            output.get("data", {}).pop(MODELS, None)
            output.get("metadata", {}).pop(MODELS, None)
    return chapter


def _write_downloads(app, exception):
    """Puts them in the place of the sources, which Sphinx has copied to where the pages' buttons lead."""
    if exception or app.builder.format != "html":
        return
    for docname, path in executed.chapters_of(app, app.env.found_docs).items():
        chapter = download(json.loads(path.read_text("utf-8")), executed.executed_copy(app, docname))
        target = Path(app.outdir) / "_sources" / f"{docname}.ipynb"
        target.write_text(json.dumps(chapter, indent=1, ensure_ascii=False) + "\n", "utf-8")


def setup(app):
    app.connect("build-finished", _write_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
