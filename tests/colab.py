"""What Colab gives a chapter: an environment with torch and little else, an empty folder, a repository by its address.

The environment is real and made in seconds: its files are links to those of the one that runs the tests.
"""

import json
import os
import shutil
import subprocess
import venv
from importlib import metadata
from pathlib import Path

import address  # of book/_ext, as conftest.py arranges
import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
THERE = ("torch", "torchvision", "numpy", "matplotlib", "ipython", "ipykernel", "pip")
KERNEL = ("-m", "ipykernel_launcher", "-f", "{connection_file}")


def with_dependencies(names):
    """The named distributions and all that they need, as installed here; names in canonical form."""
    found, wanted = {}, [Requirement(name) for name in names]
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name not in found:
            found[name] = metadata.distribution(name)
            needs = map(Requirement, found[name].requires or ())
            extras = requirement.extras or {""}
            wanted += [r for r in needs if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return found


def environment(folder, names=THERE):
    """Make an environment that holds these packages and what they need.

    Returns:
        path of its Python.
    """
    venv.create(folder, symlinks=os.name != "nt")
    python = next(path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists())
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    for distribution in with_dependencies(names).values():
        for file in distribution.files:
            source, target = distribution.locate_file(file), packages / file
            if ".." in file.parts or not source.exists():  # commands, and compiled files of modules never imported
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:  # on another disk
                target.symlink_to(source)
    return python


def repository(folder):
    """Commit the working tree as it is, changes included, as the only commit of a repository in a folder.

    Returns:
        dict of the environment variables in which git finds it by the book's address; the commit.
    """
    listed = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    who = ("user.name=a", "user.email=a@example.org", "commit.gpgsign=false")
    git = ["git", "-C", folder, *(part for setting in who for part in ("-c", setting))]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "The working tree"]):
        run(*git, *command)
    key, value = f"url.{folder.as_uri()}.insteadOf", address.REPOSITORY
    found_by = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": value}
    return found_by, run(*git, "rev-parse", "HEAD").stdout.strip()


def settings(**more):
    """The environment variables of this process without what would lead to the checkout or change a chapter."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GENIMG_", "VIRTUAL_ENV"))}
    return own | more


def run(*command, check=True, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **{"env": settings(), **options})
    assert not check or done.returncode == 0, done.stderr
    return done


def execute(notebook, python, folder, variables):
    """Run a notebook, alone in a folder, on a kernel of that Python.

    Returns:
        all that its cells printed or displayed as plain text, the stamp among it.

    Raises:
        CellExecutionError: a cell raised.
    """
    kernels = folder.parent / f"kernels-{folder.name}"
    (kernels / "colab").mkdir(parents=True)
    specification = {"argv": [str(python), *KERNEL], "display_name": "Colab", "language": "python"}
    (kernels / "colab" / "kernel.json").write_text(json.dumps(specification))
    manager = AsyncKernelManager(kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernels)]))
    folder.mkdir()
    nbformat.write(notebook, folder / "chapter.ipynb")
    client = NotebookClient(notebook, km=manager, timeout=1800, resources={"metadata": {"path": str(folder)}})
    client.execute(env=settings(**variables), cleanup_kc=True)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(
        output.text if output.output_type == "stream" else output.get("data", {}).get("text/plain", "") + "\n"
        for output in outputs
    )
