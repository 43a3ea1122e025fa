"""Chapters run where nothing but torch and the notebook is: as Colab runs them.

By default `index` runs whole, and of `errata`, which needs most, the cells that install, import and set up.
GENIMG_COLAB=all runs all chapters whole, which takes as long as building the site.
"""

import json
import os
import shutil

import address  # of book/_ext, as conftest.py arranges
import colab
import nbformat
import pytest
from filelock import FileLock

CHAPTERS = sorted(path for path in (colab.ROOT / "book").glob("*.ipynb") if path.stem != "references")
ALL = os.environ.get("GENIMG_COLAB") == "all"
RUN = CHAPTERS if ALL else [path for path in CHAPTERS if path.stem in ("errata", "index")]
LIST = """
import json, os, sys, torch
from importlib import metadata
print(json.dumps([sys.prefix, os.stat(torch.__file__).st_ino, {d.name: d.version for d in metadata.distributions()}]))
"""


def chapter(path, cells=None):
    """A chapter, or its first cells, that says at its end where its genimg is."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [*notebook.cells[:cells], nbformat.v4.new_code_cell("print(genimg.__file__)")]
    return notebook


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """The environment after the first cells of one chapter, shared by all processes that run tests.

    A dict of strings: its Python, git's variables, the commit, what was installed before and after, what was printed.
    """
    if not (colab.ROOT / ".git").exists():
        pytest.skip("no git checkout to install from")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "colab"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "made.json").exists():
            shutil.rmtree(folder, ignore_errors=True)  # what another process could not finish
            (folder / "repository").mkdir(parents=True)
            made = _make(folder)
            (folder / "made.json").write_text(json.dumps(made))
    made = json.loads((folder / "made.json").read_text())
    if "offline" in made:
        pytest.skip(f"the package index cannot be reached: {made['offline']}")
    return made


def _make(folder):
    python = colab.environment(folder / "environment")
    variables, commit = colab.repository(folder / "repository")
    fetched = colab.run(python, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "setuptools>=77", check=False)
    if fetched.returncode:
        return {"offline": fetched.stderr.strip().splitlines()[-1]}
    elsewhere = {"cwd": folder}  # the checkout may hold the notes that pip leaves of an editable installation
    before = colab.run(python, "-c", LIST, **elsewhere).stdout
    printed = colab.execute(chapter(colab.ROOT / "book" / "index.ipynb", 3), python, folder / "first", variables)
    after = colab.run(python, "-c", LIST, **elsewhere).stdout
    return dict(python=str(python), variables=variables, commit=commit, before=before, after=after, printed=printed)


def test_the_first_cell_installs_genimg_and_replaces_nothing(place):
    (prefix, torch_before, before), (_, torch_after, after) = map(json.loads, (place["before"], place["after"]))
    assert "genimg" not in before and "scikit-learn" not in before and "keras" not in before
    assert before.items() <= after.items()
    assert torch_before == torch_after
    assert {"genimg", "scikit-learn", "keras"} <= after.keys()
    assert place["printed"].splitlines()[-1].startswith(prefix)


def test_records_come_with_the_package(place, tmp_path):
    code = "from genimg.book import records; r = records.show('families-digits', ''); assert r and r.picture.exists()"
    assert "Record families-digits" in colab.run(place["python"], "-c", code, cwd=tmp_path).stdout


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_a_chapter_alone_in_a_folder_runs(place, path, tmp_path):
    whole = ALL or path.stem == "index"
    python = colab.Path(place["python"])
    printed = colab.execute(chapter(path, None if whole else 3), python, tmp_path / "alone", place["variables"])
    assert printed.splitlines()[-1].startswith(str(python.parents[1]))
    assert not whole or f"commit {place['commit'][:7]}\n" in printed


# The cell by itself, in environments without torch.


def cell_in(python, folder, **variables):
    return colab.run(python, "-c", address.INSTALL, check=False, cwd=folder, env=colab.settings(**variables))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An environment without any package, without pip too."""
    return colab.environment(tmp_path_factory.mktemp("empty") / "environment", names=())


def test_the_cell_does_nothing_where_genimg_is(empty, tmp_path):
    done = cell_in(empty, tmp_path, PYTHONPATH=str(colab.ROOT))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_pip_cannot_do_is_said(empty, tmp_path):
    done = cell_in(empty, tmp_path)
    assert "ImportError: genimg could not be installed. pip says:" in done.stderr
    assert "No module named pip" in done.stderr


@pytest.mark.parametrize("file", ["genimg/__init__.py", "genimg.py", "genimg/a_folder_only"])
def test_somebody_elses_genimg_is_refused_and_not_imported(empty, tmp_path, file):
    (tmp_path / "genimg").mkdir()
    (tmp_path / file).write_text("raise SystemExit('imported')")
    if file == "genimg.py":
        (tmp_path / "genimg").rmdir()
    done = cell_in(empty, tmp_path)
    assert done.returncode == 1 and "imported" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: Not the book's") and str(tmp_path) in last and "pip uninstall genimg" in last


def test_a_torch_that_is_too_old_is_kept_and_named(place, tmp_path):
    python = colab.environment(tmp_path / "environment", names=["pip"])
    packages = colab.Path(colab.run(python, "-c", "import pip; print(pip.__path__[0])").stdout.strip()).parent
    (packages / "torch").mkdir()
    (packages / "torch" / "__init__.py").touch()
    information = packages / "torch-2.5.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.5.0\n")
    (information / "INSTALLER").write_text("pip\n")
    (information / "RECORD").write_text("torch/__init__.py,,\n")
    done = cell_in(python, tmp_path, **place["variables"])
    assert "ImportError: genimg could not be installed. pip says:" in done.stderr
    assert "torch==2.5.0" in done.stderr and "torch>=2.11" in done.stderr
    assert (packages / "torch" / "__init__.py").exists() and information.exists()
    assert not (packages / "genimg").exists()
