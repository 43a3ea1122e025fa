"""Live models in the pages: explorers beside the figures that stand for them, and all that these load.

A chapter's `genimg.live.Live` outputs carry a picture, models and settings. An explorer that needs nothing of what the
chapter computed is named in the metadata of the cell that draws its poster, {"genimg": {"live": kind}}: it is no part
of the code whose claims are on record. One that runs another chapter's model is put in by `lent`. The page shows the
picture as a figure like any other, its poster, inside an element of class `explorer`; a module brings the element to
life when the reader comes near (sphinx-thebe would need a server). What the explorers load comes from book/_live,
`genimg.system.browser` and npm, and lies on the site itself. Where npm does not run the site is built all the same: the
posters then stay what they are.
"""

import base64
import hashlib
import html
import json
import shutil
from pathlib import Path

import editions
import executed
import says
from docutils import nodes

from genimg.book.zh import words
from genimg.system import browser
from genimg.system.errors import RunError

MIME = "application/vnd.genimg.live+json"
SOURCES = executed.ROOT / "book" / "_live"
INSTALLED = executed.ROOT / "_build" / "live"
#: Bytes that every explorer loads, whatever its models: onnxruntime-web, packed.
RUNTIME = 3_750_000
NAMES = {
    "latent-map": "map of the latent space",
    "sliders": "latents by hand",
    "interpolation": "walk between two random vectors",
    "gan-2d": "a GAN that trains here",
    "flow-2d": "a flow that trains here",
    "particles": "from noise to data",
    "sentence": "a sentence becomes a picture",
}


def install(tell=print):
    """What the explorers need from npm, see `browser.install`; None, and a line of why, where it is not to be had."""
    try:
        return browser.install(INSTALLED)
    except RunError as error:
        tell(f"{error}; the live models stay pictures")
        return None


def file_name(chapter, model, data):
    """Under which name a model lies on the site: its content is in the name, so that no cache shows an old one."""
    return f"{chapter}-{model}-{hashlib.sha256(data).hexdigest()[:10]}.onnx"


def element(chapter, bundle, number, say=words.filled):
    """The explorer's HTML in the language that `say` speaks, what stands before the poster and what after.

    A chapter's own explorer stands below its figure. One that is lent begins the page: its poster is below it.
    """
    kind, of = bundle["kind"], bundle.get("of", chapter)
    contents = {name: base64.b64decode(data) for name, data in bundle["models"].items()}
    models = {name: file_name(of, name, data) for name, data in contents.items()}
    megabytes = round((RUNTIME + sum(map(len, contents.values()))) / 1e6)
    settings = {**bundle["settings"], "models": models, "examples": bundle["examples"]}
    if "latents" in settings:
        settings["latents"] = [[say(name), place] for name, place in settings["latents"]]
    if "text" in settings:
        settings["text"] = say(settings["text"])
    as_json = json.dumps(settings, separators=(",", ":")).replace("<", "\\u003c")  # so that no tag can end the script
    label = html.escape(say("Live model: {0}", say(NAMES[kind])))
    before = f'<div class="explorer" data-kind="{kind}" data-megabytes="{megabytes}" id="live-{number}">'
    stage = f'<div class="stage" role="group" aria-label="{label}"></div>'
    after = f'<script type="application/json">{as_json}</script></div>'
    return (before + stage, after) if "of" in bundle else (before, stage + after)


def take_out(notebook):
    """Takes the bundles out of a notebook's outputs; returns them."""
    outputs = [output for cell in executed.code_cells(notebook) for output in cell["outputs"]]
    return [output["data"].pop(MIME) for output in outputs if MIME in output.get("data", {})]


def put_named_in(notebook):
    """Gives the last picture of each cell whose metadata names an explorer a bundle of that kind, without settings."""
    for cell in executed.code_cells(notebook):
        kind = cell["metadata"].get("genimg", {}).get("live")
        pictures = [output["data"] for output in cell["outputs"] if "image/png" in output.get("data", {})]
        if kind and pictures:
            pictures[-1][MIME] = {"kind": kind, "settings": {}, "models": {}, "examples": []}


def _mark(app, docname, source):
    """Puts a mark after each output with a bundle, where `_wrap` finds it, and keeps the bundles until then."""
    if docname not in getattr(app.env, "executed_keys", {}):
        return
    notebook = json.loads(source[0])
    put_named_in(notebook)
    for cell in executed.code_cells(notebook):
        cell["outputs"] = [part for output in cell["outputs"] for part in _marked(output)]
    app.env.temp_data[MIME] = take_out(notebook)
    source[0] = json.dumps(notebook)


def _marked(output):
    if MIME not in output.get("data", {}):
        return [output]
    mark = {"output_type": "display_data", "metadata": {}, "data": {"text/html": f"<!-- {MIME} -->"}}
    return [output, mark]


def _wrap(app, doctree):
    """Puts the explorer around its poster, the picture before the mark."""
    marks = [node for node in doctree.findall(nodes.raw) if MIME in node.astext()]
    if not marks:
        return
    docname, say = app.env.docname, says.of(app)
    pictures = list(doctree.findall(lambda node: isinstance(node, nodes.image) or node in marks))
    for number, (mark, bundle) in enumerate(zip(marks, app.env.temp_data[MIME], strict=True), 1):
        picture = pictures[pictures.index(mark) - 1]
        before, after = element(docname.rpartition("/")[2], bundle, number, say)
        parent = picture.parent
        place = parent.index(picture)
        parent[place : place + 1] = [nodes.raw("", before, format="html"), picture, nodes.raw("", after, format="html")]
        mark.parent.remove(mark)


def _look_for_node(app, config):
    from sphinx.util import logging

    modules = install(logging.getLogger(__name__).info)
    config.book_live = str(modules or "")  # a change of it writes all pages again


def _load(app, pagename, templatename, context, doctree):
    """The module and the style sheet, on pages with explorers only."""
    if app.config.book_live and doctree is not None and _has_explorers(doctree):
        where = editions.SHARED if says.is_chinese(app) else ""
        app.add_js_file(f"{where}live/mount.mjs", type="module")
        app.add_css_file(f"{where}live/live.css")


def _has_explorers(doctree):
    return any('class="explorer"' in node.astext() for node in doctree.findall(nodes.raw))


def _ship(app, exception):
    """Copies what explorers load: their modules, the models of all pages, the runtime with its WebAssembly packed."""
    if exception or app.builder.format != "html" or not app.config.book_live or says.is_chinese(app):
        return
    target = Path(app.outdir) / "_static" / "live"
    shutil.rmtree(target, ignore_errors=True)
    for folder in (target, target / "ort", target / "models"):
        folder.mkdir(parents=True)
    for file in (*SOURCES.glob("*.mjs"), *SOURCES.glob("*.css"), browser.SOURCES / "kit.mjs"):
        shutil.copy(file, target)
    module, wasm = browser.RUNTIME
    source, packed = browser.runtime(Path(app.config.book_live))
    (target / "ort" / module).write_bytes(source.encode())
    (target / "ort" / f"{wasm}.gz").write_bytes(packed)
    for docname in sorted(getattr(app.env, "executed_keys", {})):
        for bundle in take_out(executed.executed_copy(app, docname)) if docname in app.env.found_docs else ():
            for name, data in bundle["models"].items():
                data = base64.b64decode(data)
                (target / "models" / file_name(docname.rpartition("/")[2], name, data)).write_bytes(data)


def setup(app):
    app.add_config_value("book_live", "", "html")
    app.connect("config-inited", _look_for_node)
    app.connect("source-read", _mark, priority=600)  # after `executed` has put the outputs in
    app.connect("doctree-read", _wrap)
    app.connect("html-page-context", _load)
    app.connect("build-finished", _ship)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
