"""Executed copies of the chapters: made several at a time, kept under `_build/executed`, shown by Sphinx.

The chapters are committed without outputs. A build executes those whose copy is missing or stale, in parallel, and
Sphinx then reads each chapter with the outputs of its copy put in. `pytest --nbmake` leaves its copies in the same
place (conftest.py), so that a build after the tests executes nothing again. A chapter that stops at a cell leaves a
copy too, with the outputs up to there; what was broken, `claims` tells.

A copy's name holds a hash of everything its outputs depend on: the code cells, genimg, the pins, the files beside the
chapters, Python, the libraries and the environment. An edit of prose keeps the hash, any other changes it. (MyST-NB by
jupyter-cache keys on cells alone, and so shows what an older genimg computed.)
"""

import asyncio
import hashlib
import json
import os
import platform
import re
import shutil
import time
from importlib import metadata, util
from pathlib import Path

import nbformat
import says
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).parents[2]
COPIES = ROOT / "_build" / "executed"
LIBRARIES = (
    "ipykernel", "matplotlib", "numpy", "onnx", "onnxscript", "pillow", "safetensors", "scikit-learn",
    "scipy", "torch", "torchvision",
)  # fmt: skip
PROBLEM = "genimg_problem"  # in the metadata of a copy: what stopped the chapter, in a line
AGAIN = "genimg_again"  # in the metadata of a copy that the next build makes again, as it may end otherwise
CELL_SECONDS = 1800  # generous: it only ends a cell that hangs
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
AT_ONCE = min(4, CORES)  # a chapter may use 2 GB of memory

EXERCISES = "## Exercises\n"
# From "*Solution." or a caption, in either language, at the start of a paragraph,
# to the next exercise, the next heading or the cell's end.
SOLUTION = re.compile(
    r"^(\*(?:Solution\.|Figure |解答。|图 ).*?)\s*(?=^\*\*\d+\.\d+\*\*|^## |\Z)", re.MULTILINE | re.DOTALL
)
SOLVED = {"code_prompt_show": "Solution in code", "code_prompt_hide": "Hide the solution"}
FOLDED = "``````{dropdown} %s\n\\1\n``````\n\n"

# Kernels share the cores, and torch's threads would fight over them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GENIMG_LIVE", "1")  # models for the site's live parts go into the copies; see genimg.live
os.environ.setdefault("GENIMG_ZH", "1")  # and figures in Chinese beside the English ones; see genimg.book.zh


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def key(path):
    """Hash of all that a chapter's outputs depend on."""
    notebook = json.loads(path.read_text("utf-8"))
    cells = [["".join(cell["source"]), cell["metadata"].get("tags")] for cell in code_cells(notebook)]
    names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    environment = {name: v for name, v in sorted(os.environ.items()) if name.startswith("GENIMG_") or name in names}
    gpu = any(Path("/dev").glob("nvidia*"))
    machine = [platform.python_version(), platform.machine(), gpu, [_version(name) for name in LIBRARIES]]
    digest = hashlib.sha256(json.dumps([cells, environment, machine]).encode())
    files = [*_files(ROOT / "genimg"), *_files(ROOT / "book")]
    for file in [ROOT / "requirements.txt", ROOT / "pyproject.toml", *files]:
        digest.update(f"\0{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def copy_of(path, of_key):
    """Where the executed copy of a chapter is kept."""
    return COPIES / f"{path.stem}-{of_key}.ipynb"


def keep(path, of_key, notebook, problem=None):
    """Store an executed copy; the chapter's five newest are kept.

    Args:
        problem: what stopped the chapter, in a line, or None.
    """
    if problem:
        notebook["metadata"][PROBLEM] = problem
    COPIES.mkdir(parents=True, exist_ok=True)
    copy = copy_of(path, of_key)
    unfinished = copy.with_suffix(f".{os.getpid()}")
    nbformat.write(notebook, unfinished)
    unfinished.replace(copy)
    copies = sorted(COPIES.glob(f"{path.stem}-{'?' * 16}.ipynb"), key=lambda p: p.stat().st_mtime)
    for old in copies[:-5]:
        old.unlink()


def is_fresh(path, of_key):
    """Whether a chapter's copy is there and need not be made again."""
    copy = copy_of(path, of_key)
    return copy.exists() and AGAIN not in json.loads(copy.read_text("utf-8"))["metadata"]


def minutes(path):
    """The budget that a chapter states in `genimg.setup(minutes=...)`; 0 without one."""
    text = "\n".join("".join(cell["source"]) for cell in code_cells(json.loads(path.read_text("utf-8"))))
    stated = re.search(r"\bminutes=(\d+)", text)
    return int(stated[1]) if stated else 0


async def run(path, environment=None):
    """Execute a chapter from its first cell to its last, or to the one that raises.

    Args:
        environment: the kernel's, None for this process's.

    Returns:
        the notebook with its outputs, and what stopped it in a line, None if nothing did. Where a kernel was killed or
        hung, the notebook's metadata says so by `AGAIN`.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(path.parent)}})
    problem = None
    try:
        await client.async_execute(env=dict(os.environ if environment is None else environment))
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}".splitlines()[0]
    except CellTimeoutError:
        problem = f"a cell took more than {CELL_SECONDS} s"
        notebook["metadata"][AGAIN] = True
    except DeadKernelError:
        problem = "its kernel was killed, for want of memory or by hand"
        notebook["metadata"][AGAIN] = True
    return notebook, problem


def execute(paths, tell=print):
    """Execute chapters, AT_ONCE at a time, the longest first; keep the copies, of those that failed up to there."""
    asyncio.run(_execute_all(sorted(paths, key=minutes, reverse=True), tell))


async def _execute_all(paths, tell):
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(path):
        async with slots:
            of_key, started = key(path), time.perf_counter()
            tell(f"{path.stem}: executing (budget {minutes(path)} min of one idle core)")
            notebook, problem = await run(path)
            keep(path, of_key, notebook, problem)
            how = f"FAILED ({problem}) after" if problem else "executed in"
            tell(f"{path.stem}: {how} {time.perf_counter() - started:.0f} s")

    await asyncio.gather(*(one(path) for path in paths))


def _files(folder):
    """The files under a folder that can change a chapter's outputs."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file()
        and file.suffix not in (".ipynb", ".md", ".pyc")
        and file.name != "claims.json"  # which is made from the chapters, and read by none
        and file.parent.name != "figures"  # likewise
        and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts[:-1])
    )


def plain(text):
    """Text without a terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


# The Sphinx extension.


def chapters_of(app, docnames):
    paths = {docname: Path(app.env.doc2path(docname)) for docname in docnames}
    return {d: p for d, p in paths.items() if p.suffix == ".ipynb" and code_cells(json.loads(p.read_text("utf-8")))}


def _read_again(app, env, added, changed, removed):
    """Names the chapters whose outputs are out of date although their files are not."""
    return [d for d in chapters_of(app, env.found_docs - added) if is_out_of_date(env, d)]


def is_out_of_date(env, docname):
    """Whether the outputs with which a chapter was last read are not those of the chapter as it stands."""
    path = Path(env.doc2path(docname))
    of_key, shown = key(path), getattr(env, "executed_copies", {}).get(docname)
    return shown is None or shown != _print_of(copy_of(path, of_key)) or not is_fresh(path, of_key)


def _print_of(copy):
    """Name and hash of an executed copy: the tests may have made it anew under the same name. None without one."""
    return (copy.name, hashlib.sha256(copy.read_bytes()).hexdigest()) if copy.exists() else None


def _execute_missing(app, env, docnames):
    from sphinx.util import logging

    chapters = chapters_of(app, docnames)
    keys = {docname: key(path) for docname, path in chapters.items()}
    missing = [path for docname, path in chapters.items() if not is_fresh(path, keys[docname])]
    tell = logging.getLogger(__name__).info
    if says.is_chinese(app):
        missing = []  # whose outputs are those of the English chapters, executed a moment ago
    elif chapters:
        tell(f"{len(missing)} of {len(chapters)} chapters to execute, the others have fresh outputs in {COPIES}")
    execute(missing, tell)
    env.executed_keys = getattr(env, "executed_keys", {}) | keys
    prints = {docname: _print_of(copy_of(path, keys[docname])) for docname, path in chapters.items()}
    env.executed_copies = getattr(env, "executed_copies", {}) | prints


def shown_copy(app, docname):
    """Where the executed copy lies that a chapter's page shows; None for a page without code."""
    of_key = getattr(app.env, "executed_keys", {}).get(docname)
    return of_key and copy_of(Path(app.env.doc2path(docname)), of_key)


def executed_copy(app, docname):
    """The executed copy that a chapter's page shows, as a dict, in its language; None for a page without code."""
    from genimg.book.zh import notebooks, outputs  # which load torch

    shown = shown_copy(app, docname)
    if not shown:
        return None
    copy = json.loads(shown.read_text("utf-8"))
    if not says.is_chinese(app):
        return outputs.in_english(copy)
    path = Path(app.env.doc2path(docname))
    chapter, blocks = json.loads(path.read_text("utf-8")), notebooks.read(path.stem, ROOT / "book" / "zh")
    return outputs.in_chinese(copy, chapter, blocks, says.of(app))


def put_in(notebook, copy):
    """Gives a chapter the outputs of its executed copy."""
    for cell, done in zip(code_cells(notebook), code_cells(copy), strict=True):
        cell["outputs"], cell["execution_count"] = done["outputs"], done["execution_count"]


def _put_outputs_in(app, docname, source):
    """Gives Sphinx the chapter as it stands in the sources with the outputs of its executed copy."""
    if docname not in chapters_of(app, [docname]):
        return
    notebook = json.loads(source[0])
    put_in(notebook, executed_copy(app, docname))
    _fold_solutions(notebook, says.of(app))
    source[0] = json.dumps(notebook)


def _fold_solutions(notebook, say):
    """Folds what stands in words between an exercise's hidden code and the next exercise, until the reader opens it.

    The hidden code is called what it is.
    """
    open_ = False
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            if open_ and "hide-cell" in cell["metadata"].get("tags", ()):
                prompts = {name: say(text) for name, text in SOLVED.items()}
                cell["metadata"]["mystnb"] = cell["metadata"].get("mystnb", {}) | prompts
            continue
        text = "".join(cell["source"])
        open_ = open_ or EXERCISES in text
        if open_:
            before, heading, after = text.rpartition(EXERCISES)
            cell["source"] = before + heading + SOLUTION.sub(FOLDED % say("Solution in words"), after)
            open_ = "\n## " not in f"\n{after}"


def _note_static_files(app, config):
    """Makes an edit of the style sheet a change of configuration; Sphinx would not see it and keep the old one."""
    files = sorted((ROOT / "book" / "_static").iterdir())
    config.book_static = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _ship_mathjax(app, exception):
    """Copies what the pages need of MathJax, which a package brings: 2 of its 24 MB."""
    if exception or app.builder.format != "html" or says.is_chinese(app):  # these pages use the English ones'
        return
    package = Path(util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in ("input/tex/extensions", "output/chtml/fonts/woff-v2"):
        shutil.copytree(package / part, target / part, dirs_exist_ok=True)
    shutil.copy(package / "tex-chtml.js", target)


def setup(app):
    app.add_config_value("book_static", "", "html")
    app.connect("config-inited", _note_static_files)
    app.connect("env-get-outdated", _read_again)
    app.connect("env-before-read-docs", _execute_missing)
    app.connect("source-read", _put_outputs_in)
    app.connect("build-finished", _ship_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
