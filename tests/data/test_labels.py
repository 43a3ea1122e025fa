"""Labels from subfolders and from tables: every picture has its own, or one line says which has none."""

import pytest
import torch
from PIL import Image

from genimg.data import labels
from genimg.data.images import batches, fingerprint
from genimg.data.sources import load_images
from genimg.data.stream import Stream
from genimg.system.errors import DataError

#: Picture's path -> its grey level; the kinds' order by name is not that by number.
LEVELS = {"kind 2/a.png": 0.1, "kind 10/b.png": 0.9, "kind 2/deep/er/c.png": 0.2, "kind 10/d.png": 0.8}


@pytest.fixture
def folder(tmp_path):
    for name, level in LEVELS.items():
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), round(255 * level)).save(tmp_path / "pictures" / name)
    return tmp_path / "pictures"


def table(folder, text, name="labels.csv"):
    (folder.parent / name).write_text(text, "utf-8")
    return folder.parent / name


def of_levels(images):
    """Name of the class of each picture, by its grey level."""
    pixels = images.pixels if not isinstance(images, Stream) else images.pixels_of(range(len(images)))
    names = list(images.account.classes)
    return {round(x.float().mean().item() / 255, 1): names[y] for x, y in zip(pixels, images.labels, strict=True)}


@pytest.mark.parametrize("memory", [None, 0], ids=["memory", "stream"])
def test_subfolders_of_the_first_level_are_labels(memory, folder):
    images = load_images(folder, 8, classes="folder", memory=memory)
    assert isinstance(images, Stream) == (memory == 0)
    assert list(images.account.classes.items()) == [("kind 2", 2), ("kind 10", 2)]
    assert "2 classes: 2 kind 2 and 2 kind 10" in str(images.account)
    assert of_levels(images) == {0.1: "kind 2", 0.2: "kind 2", 0.8: "kind 10", 0.9: "kind 10"}
    for part in (images.part([3, 0]) if memory == 0 else images[[3, 0]],):
        assert part.labels.tolist() == images.labels[[3, 0]].tolist()
    x, y = next(batches(images, 4, labelled=True, workers=0))
    assert all((level > 0) == (label == 1) for level, label in zip(x.mean((1, 2, 3)), y, strict=True))
    assert fingerprint(images) == fingerprint(load_images(folder, 8))  # the pictures are the same


TABLES = {
    "plain": "kind 2/a.png,low\nkind 10/b.png,high\nkind 2/deep/er/c.png,low\nkind 10/d.png,high\n",
    "with a head": "file,label\nkind 2/a.png,low\nkind 10/b.png,high\nkind 2/deep/er/c.png,low\nkind 10/d.png,high\n",
    "semicolons": "kind 2/a.png;low\nkind 10/b.png;high\nkind 2/deep/er/c.png;low\nkind 10/d.png;high\n",
    "of Windows": "\ufeffkind 2\\a.png,low\r\nkind 10\\b.png,high\r\nkind 2\\deep\\er\\c.png,low\r\n"
    "kind 10\\d.png,high\r\n",
    "without endings": "kind 2/a,low\nkind 10/b,high\nkind 2/deep/er/c,low\nkind 10/d,high\n",
    "with rows of others": "gone.png,odd\nkind 2/a.png, low\n\nkind 10/b.png,high\n./kind 2/deep/er/c.png,low\n"
    "kind 10/d.png,high\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_gives_labels(name, folder):
    images = load_images(folder, 8, classes=table(folder, TABLES[name]))
    assert of_levels(images) == {0.1: "low", 0.2: "low", 0.8: "high", 0.9: "high"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind 2/a.png,low\nkind 10/b.png,high\n", "2 of 4 pictures have no row in "),
        ("kind 2/a.png,low\nkind 2/a.png,high\n", "kind 2/a.png has two labels, low and high"),
        ("kind 2/a.png,low\nkind 10/b.png\n", "row 2 has no label: kind 10/b.png"),
        (TABLES["plain"].replace("high", "low"), "all 4 pictures have the label low: classes are two or more"),
        ("", "4 of 4 pictures have no row in "),
    ],
)
def test_tables_that_do_not_do(text, says, folder):
    with pytest.raises(DataError) as error:
        load_images(folder, 8, classes=table(folder, text))
    assert says in str(error.value) and "\n" not in str(error.value)


def test_folders_without_subfolders_are_one_line(folder):
    with pytest.raises(
        DataError,
        match=r"2 of 2 pictures lie in no subfolder of .*kind 10, .*: b\.png, d\.png\. Mend that, or move them away$",
    ):
        load_images(folder / "kind 10", 8, classes="folder")
    (folder / "kind 2" / "a.png").rename(folder / "a.png")
    with pytest.raises(DataError, match=r"1 of 4 pictures lie in no subfolder of .*: a\.png\. Mend that"):
        load_images(folder, 8, classes="folder")
    with pytest.raises(DataError, match="neither the word folder nor a table that can be read"):
        load_images(folder, 8, classes="folders")


def test_numbers_follow_names():
    found, names = labels.numbered(["b", "a10", "a9", "b"])
    assert names == ("a9", "a10", "b") and found.tolist() == [2, 1, 0, 2]
    assert labels.counted(found, names) == {"a9": 1, "a10": 1, "b": 2} and labels.counted(None, ()) == {}


def test_a_fingerprint_tells_labels_apart():
    y = torch.tensor([0, 1, 1])
    same = labels.fingerprint(y, ("cat", "dog"))
    assert same == labels.fingerprint(y.clone(), ("cat", "dog"))
    assert len({same, labels.fingerprint(y.flip(0), ("cat", "dog")), labels.fingerprint(y, ("dog", "cat"))}) == 3
