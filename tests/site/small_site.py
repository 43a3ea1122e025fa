"""A small book in a folder of its own, executed by kernels and built by Sphinx as the real one is."""

import io
import json

import executed
import nbformat
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

ABOUT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class SmallSite:
    """The book.

    Args:
        chapters: name -> sources of its cells; the first is Markdown, the others are code.
        pages: name -> the directives of a page made at build, with a bar between them.
    """

    def __init__(self, folder, monkeypatch, chapters, **pages):
        self.folder, self.book = folder, folder / "book"
        for made in (folder / "genimg", self.book / "_static", self.book / "records"):
            made.mkdir(parents=True)
        for file in ("requirements.txt", "pyproject.toml"):
            (folder / file).touch()
        (self.book / "_static" / "book.css").touch()
        (self.book / "words.md").write_text("# Words\n\nNo code.\n")
        for name, directives in pages.items():
            fences = "\n\n".join(f"```{directive}\n```" for directive in directives.split("|"))
            (self.book / f"{name}.md").write_text(f"# Page {name}\n\n{fences}\n")
        for name, sources in chapters.items():
            self.write(name, sources)
        root, *others = [*chapters, "words", *pages]
        files = "".join(f"  - file: book/{name}\n" for name in others)
        (folder / "_toc.yml").write_text(f"format: jb-book\nroot: book/{root}\nchapters:\n{files}")
        monkeypatch.setattr(executed, "ROOT", folder)
        monkeypatch.setattr(executed, "COPIES", folder / "_build" / "executed")

    def write(self, name, sources):
        words, *code = sources
        cells = [nbformat.v4.new_markdown_cell(words), *map(nbformat.v4.new_code_cell, code)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=ABOUT), self.book / f"{name}.ipynb")

    def build(self, *more):
        """Builds with warnings as errors and to the end, as README's command does; returns exit code and warnings.

        Args:
            more: extensions beside those that every small site has.
        """
        extensions = ["myst_nb", "sphinx_design", "sphinx_external_toc", "executed", "claims", "downloads", "ran"]
        settings = {
            "extensions": [*extensions, *more],
            "exclude_patterns": ["_build/**", "book/zh/**"], "nb_execution_mode": "off",
            "external_toc_path": "_toc.yml", "html_sourcelink_suffix": "", "nitpicky": True,
        }  # fmt: skip
        out, said = self.folder / "_build", io.StringIO()
        with docutils_namespace():
            app = Sphinx(
                self.folder, None, out / "html", out / "trees", "html", settings,
                status=None, warning=said, warningiserror=True, keep_going=True,
            )  # fmt: skip
            app.build()
        return app.statuscode, said.getvalue()

    def page(self, name, edition=""):
        return BeautifulSoup((self.folder / f"_build/html/{edition}book/{name}.html").read_text("utf-8"), "html.parser")

    def offer(self, name, edition=""):
        return json.loads((self.folder / f"_build/html/{edition}_sources/book/{name}.ipynb").read_text("utf-8"))

    def copy(self, name):
        path = self.book / f"{name}.ipynb"
        return executed.copy_of(path, executed.key(path))
