"""The repository's address, read where it is written once (pyproject.toml), and all that is made of it.

The site's buttons take it at each build. The first code cell of every chapter and README's links hold it as text: after
a change of the address, or of the cell below, `python book/_ext/address.py` writes both anew.
"""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
OWNER_AND_NAME = REPOSITORY.removeprefix("https://github.com/")
#: Where GitHub Pages shows what the workflow publishes.
SITE = "https://{}.github.io/{}/".format(*OWNER_AND_NAME.split("/"))
COLAB = "https://colab.research.google.com"
LINK = re.compile(r"(https://(?:github\.com|colab\.research\.google\.com/github)/)[\w-]+/[\w.-]*\w")

# The first code cell of every chapter. The site leaves it out: it does nothing there, and would open every page.
TAGS = ["remove-cell"]
INSTALL = """\
# Does nothing where genimg is installed. Elsewhere, as on Colab, it installs genimg from the book's repository (on the
# package index that name is somebody else's) and leaves the torch, torchvision and NumPy that are there as they are.
import subprocess
import sys
from importlib import invalidate_caches, metadata, util
from pathlib import Path

repository = "ADDRESS"
found = util.find_spec("genimg")
if found is None:
    print("Installing genimg from", repository)
    kept = [f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision", "numpy") if util.find_spec(name)]
    pip = [sys.executable, "-m", "pip", "install", f"genimg[errata] @ git+{repository}", *kept]
    done = subprocess.run(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise ImportError(f"genimg could not be installed. pip says:\\n{done.stdout}")
    invalidate_caches()
elif not any(Path(folder, "book").exists() for folder in found.submodule_search_locations or ()):
    raise ImportError(f"Not the book's: {found}. Remove it (pip uninstall genimg), restart, and run this cell again.")
""".rstrip().replace("ADDRESS", REPOSITORY)


def written_anew(path):
    """The text that a chapter or README should have."""
    text = path.read_text("utf-8")
    if path.suffix != ".ipynb":
        return LINK.sub(rf"\g<1>{OWNER_AND_NAME}", text)
    notebook = json.loads(text)
    cells = notebook["cells"]
    if all(cell["cell_type"] != "code" for cell in cells):
        return text
    cell = dict(cell_type="code", id=f"{path.stem}-install", metadata={"tags": TAGS})
    cell |= dict(source=INSTALL.splitlines(keepends=True), execution_count=None, outputs=[])
    cells[1 : 1 + (cells[1]["id"] == cell["id"])] = [cell]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _set_buttons(app, config):
    config.html_theme_options |= {
        "repository_url": REPOSITORY,
        "repository_branch": "zh" if config.language.startswith("zh") else "main",  # ci.yml writes the branch
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {"colab_url": COLAB},
    }


def setup(app):
    app.connect("config-inited", _set_buttons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    for path in (ROOT / "README.md", *sorted((ROOT / "book").glob("*.ipynb"))):
        path.write_text(written_anew(path), "utf-8")
