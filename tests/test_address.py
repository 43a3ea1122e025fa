"""The repository's address stands once, in pyproject.toml; all other places are held to it."""

from pathlib import Path

import address  # of book/_ext, as conftest.py arranges
import pytest

ROOT = Path(__file__).parents[1]
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.ipynb"))]
BY_HAND = ["_config.yml", ".ci/run", ".github", "book", "genimg", "tests"]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_the_address_is_written_as_in_pyproject(path):
    wanted, there = address.written_anew(path).splitlines(), path.read_text("utf-8").splitlines()
    wrong = [f"{a!r} should be {b!r}" for a, b in zip(there, wanted, strict=False) if a != b]
    assert there == wanted, f"`python book/_ext/address.py` writes it anew: {wrong[:1]}"


def test_it_is_an_address_that_every_button_can_use():
    assert address.REPOSITORY == f"https://github.com/{address.OWNER_AND_NAME}"
    assert address.OWNER_AND_NAME.count("/") == 1 and not address.OWNER_AND_NAME.endswith((".git", "/"))


def test_nowhere_else_is_it_written():
    """A place of its own would be forgotten by whoever moves the repository."""
    files = [ROOT / name for name in BY_HAND]
    files += [file for folder in files if folder.is_dir() for file in folder.rglob("*")]
    texts = {file: file.read_bytes() for file in files if file.is_file() and file not in WRITTEN}
    assert len(texts) > 60
    assert not [file for file, text in texts.items() if address.OWNER_AND_NAME.encode() in text]


def test_a_moved_repository_is_written_everywhere(tmp_path, monkeypatch):
    links = (
        "[a](https://github.com/old/one), [b](https://colab.research.google.com/github/old/one/blob/main/book/a.ipynb)."
    )
    (tmp_path / "README.md").write_text(links)
    monkeypatch.setattr(address, "OWNER_AND_NAME", "new/two.three")
    assert address.written_anew(tmp_path / "README.md") == links.replace("old/one", "new/two.three")
    monkeypatch.setattr(address, "INSTALL", "changed()")
    chapter = ROOT / "book" / "index.ipynb"
    changed = address.written_anew(chapter)
    assert "changed()" in changed and "subprocess" not in changed
    assert changed.count('"cell_type"') == chapter.read_text("utf-8").count('"cell_type"')
    no_code = ROOT / "book" / "references.ipynb"
    assert address.written_anew(no_code) == no_code.read_text("utf-8")
