"""The two editions of the site: the Chinese one, built beside the English one, and the way from a page to its pair.

When the chapters have been executed, a second Sphinx starts in a process of its own, with the same settings in another
language, on sources that it is given in `_build/zh`: the Chinese notebooks and pages. It shows the outputs of the same
run. While the English pages are written the Chinese ones are too; they end in the folder `zh` of the site, under the
same names, and load what weighs most from the English ones' folder. What only Chinese pages need is in `chinese`.
"""

import html
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import address
import executed
import says
import yaml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import docutils_namespace

from genimg.book.zh import notebooks, words

SHARED = "../../_static/"  # from the Chinese pages' own folder of such files
NAMES = {False: ("en", "English"), True: (notebooks.LANGUAGE, "中文")}  # of the edition that is Chinese or not
HEAD = '<link rel="alternate" hreflang="{}" href="{}" />\n'


def folder():
    """Where the Chinese site is made."""
    return executed.ROOT / "_build" / "zh"


# The second run of Sphinx.


def _begin(app, env, docnames):
    if says.is_chinese(app) or app.builder.format != "html":
        return
    made = folder() / "source"
    for docname in env.found_docs:
        _write_page(Path(env.doc2path(docname)), made / Path(env.doc2path(docname)).relative_to(env.srcdir))
    _copy_files(executed.ROOT / "book", made / "book")
    say = words.load()
    _write_contents(Path(env.srcdir) / app.config.external_toc_path, made / "_toc.yml", say)
    _write_terms(executed.ROOT / "book" / "references.ipynb", folder() / "terms.txt")
    strict = {"warningiserror": app.warningiserror or app.keep_going, "keep_going": app.keep_going}
    (folder() / "settings.pickle").write_bytes(pickle.dumps((settings(app, say), strict)))
    with open(folder() / "said.txt", "w", encoding="utf-8") as said:
        app.chinese = subprocess.Popen([sys.executable, __file__, str(folder())], stdout=said, stderr=said)


def settings(app, say):
    """What the Chinese run of Sphinx is given: the settings of the English one, and what differs."""
    config = app.config
    given = {**config.overrides, "extensions": list(config.extensions), "language": says.CHINESE}
    given |= {name: say(config[name]) for name in ("html_title", "author", "copyright") if config[name]}
    given["external_toc_path"] = "_toc.yml"
    given |= {
        f"html_{name}": str(Path(app.confdir) / config[f"html_{name}"]) for name in ("favicon",) if config.html_favicon
    }
    for paths in ("html_static_path", "templates_path"):
        folders = [Path(app.confdir) / path for path in config[paths]]
        given[paths] = [str(path) for path in folders if path.exists()]  # extensions have added others
    given["html_search_options"] = {"dict": str(folder() / "terms.txt")}
    for name in ("nb_code_prompt_show", "nb_code_prompt_hide", "togglebutton_hint", "togglebutton_hint_hide"):
        if name in config:
            given[name] = say(config[name])
    if "mathjax_path" in config and not config.mathjax_path.startswith("http"):
        given["mathjax_path"] = SHARED + config.mathjax_path
    return given


def _write_page(path, target):
    """A page's Chinese source: of a chapter its notebook, of another page its translation, or the English, marked."""
    chinese = executed.ROOT / "book" / "zh"
    if path.suffix == ".ipynb":
        chapter = json.loads(path.read_text("utf-8"))
        notebooks.write(notebooks.translated(chapter, notebooks.read(path.stem, chinese)), target)
        return
    page = chinese / path.name
    text = (page if page.exists() else path).read_text("utf-8")
    _write(target, text if page.exists() else text.replace("\n", f"\n\n{notebooks.MARKS['none']}\n", 1))


def _write(target, text):
    """Writes a file unless it holds that text, so that Sphinx takes it for changed only where it is."""
    if not target.exists() or target.read_text("utf-8") != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")


def _copy_files(book, target):
    """What pages include: the folders beside them."""
    for file in book.glob("*/*"):
        if file.is_file() and not file.parent.name.startswith(("_", ".")) and file.parent.name not in ("zh", "records"):
            (target / file.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / file.parent.name)


def _write_contents(path, target, say):
    contents = yaml.safe_load(path.read_text("utf-8"))
    for part in contents.get("parts", ()):
        part["caption"] = say(part["caption"])
    _write(target, yaml.safe_dump(contents, allow_unicode=True, sort_keys=False))


def _write_terms(references, target):
    """The Chinese of the list of terms, which the search takes for words: one a line."""
    cells = json.loads(references.read_text("utf-8"))["cells"] if references.exists() else []
    text = "\n".join("".join(cell["source"]) for cell in cells)
    terms = re.findall(r"[\u4e00-\u9fff]+", " ".join(re.findall(r"^\|[^|]+\|([^|]+)\|", text, re.MULTILINE)))
    _write(target, "".join(f"{term}\n" for term in sorted(set(terms)) if len(term) > 1))


def _end(app, exception):
    """Waits for the Chinese pages, and puts them into the site."""
    run = getattr(app, "chinese", None)
    if run is None:
        return
    if exception:
        run.terminate()
        return
    code = run.wait()
    if code:
        said = (folder() / "said.txt").read_text("utf-8")
        logging.getLogger(__name__).warning(f"the Chinese site has problems:\n{said}")
    target = Path(app.outdir) / "zh"
    shutil.rmtree(target, ignore_errors=True)
    if (folder() / "html").exists():
        shutil.copytree(folder() / "html", target, ignore=shutil.ignore_patterns(".buildinfo", "objects.inv"))
        first = f"{app.config.root_doc}.html"
        (target / "index.html").write_text(f'<meta http-equiv="Refresh" content="0; url={first}" />\n', "utf-8")


def main(made):
    """Builds the Chinese site in a folder that holds its sources and settings; returns the exit code."""
    executed.ROOT, executed.COPIES = made.parents[1], made.parent / "executed"  # a test's book is not this one
    given, strict = pickle.loads((made / "settings.pickle").read_bytes())
    with docutils_namespace():
        app = Sphinx(made / "source", None, made / "html", made / "trees", "html", given, status=None, **strict)
        app.build()
    return app.statuscode


# From a page to its pair.


def place(app, pagename, chinese, pages):
    """A page's address in an edition, from the root of the whole site; its first page where it has no such page."""
    name = pagename if pagename in pages else app.config.root_doc
    return ("zh/" if chinese else "") + f"{name}.html"


def _lead_over(app, pagename, templatename, context, doctree):
    here = says.is_chinese(app)
    pages = {*app.env.found_docs, "search", "genindex"}
    up = "../" * (pagename.count("/") + here)
    language, name = NAMES[not here]
    context["other_edition"] = {"url": up + place(app, pagename, not here, pages), "lang": language, "name": name}
    if pagename in pages:
        links = {NAMES[chinese][0]: address.SITE + place(app, pagename, chinese, pages) for chinese in (False, True)}
        links["x-default"] = links["en"]
        heads = "".join(HEAD.format(language, html.escape(link)) for language, link in links.items())
        context["metatags"] = context.get("metatags", "") + heads


def setup(app):
    app.connect("env-before-read-docs", _begin)  # after `executed`, which makes the outputs
    app.connect("html-page-context", _lead_over)
    app.connect("build-finished", _end, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
