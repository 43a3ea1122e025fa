"""Captions from names and from tables: their words, their numbers, and one line on what does not do."""

import pytest
import torch
from PIL import Image

from genimg.data import captions
from genimg.data.images import batches, fingerprint
from genimg.data.sentences import UnknownWord
from genimg.data.sources import load_images
from genimg.data.stream import Stream
from genimg.system.errors import DataError

#: Picture's path -> its grey level.
LEVELS = {"red_flag.png": 0, "Red house (2).jpg": 60, "deep/er/flag-of-a house.png": 120, "---.png": 240}


def written(folder, names):
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), LEVELS.get(name, i)).save(folder / name)
    return folder


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path / "pictures", LEVELS)


def table(folder, text, name="captions.csv"):
    (folder.parent / name).write_text(text, "utf-8")
    return folder.parent / name


def words_of(images):
    return captions.Vocabulary(tuple(images.account.captions.words), images.labels.shape[1])


def said(images):
    """Grey level of each picture -> its sentence, back in words."""
    pixels = images.pixels_of(range(len(images))) if isinstance(images, Stream) else images.pixels
    return {int(x.float().mean()): words_of(images).decode(y) for x, y in zip(pixels, images.labels, strict=True)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Red flag", "red flag"), ("red_flag-01", "red flag 01"), ("two  blue,green;birds!", "two blue green birds"),
        ("CAFÉ noir", "café noir"), ("cafe\u0301", "café"), ("红旗and flag", "红 旗 and flag"),
        ("\uff13匹の猫", "3 匹 の 猫"),
        ("हिन्दी", "हिन्दी"), ("❤️ heart", "heart"), ("ＲＥＤ", "red"), ("don't", "don t"), ("---", ""), ("", ""),
    ],
)  # fmt: skip
def test_words_are_runs_of_letters_and_digits(text, words):
    assert captions.split(text) == words.split()


def test_a_vocabulary_has_the_most_frequent_words_first_and_no_rare_ones():
    told = ["b a", "a c", "a b d", "e e e", "c"]
    assert captions.vocabulary_of(told) == captions.Vocabulary(("a", "b", "c"), 2)
    assert captions.vocabulary_of(told, 2).words == ("a", "b")
    numbers, read = captions.numbered(told)
    assert numbers.tolist() == [[2, 1], [1, 3], [1, 2], [0, 0], [3, 0]]
    assert (read.captions, read.different, read.silent, read.cut) == (5, 5, 1, 0)
    assert str(read) == "5 captions, 5 different words, 3 kept: 3 a, 2 b, 2 c; 1 have none of them"
    again, other = captions.numbered(["c unheard b", "a"], captions.Vocabulary(("a", "b", "c"), 2))
    assert again.tolist() == [[3, 2], [1, 0]] and other.words == {"a": 1, "b": 1, "c": 1}


def test_long_captions_are_cut_and_it_is_said():
    many = " ".join(f"w{i}" for i in range(captions.LONGEST + 5))
    numbers, read = captions.numbered([many, f"{many} w0", "w3"])
    assert numbers.shape == (3, captions.LONGEST) and read.cut == 2
    assert str(read).endswith(f"; 2 are cut after {captions.LONGEST} words")


def test_a_sentence_is_encoded_as_it_is_decoded_and_unknown_words_are_named():
    vocabulary = captions.Vocabulary(("red", "flag", "旗"), 3)
    assert vocabulary.encode("Red-flag").tolist() == [1, 2, 0] and vocabulary.encode("").tolist() == [0, 0, 0]
    assert vocabulary.decode(vocabulary.encode("旗 RED")) == "旗 red"
    with pytest.raises(UnknownWord, match=r"'flgs' \(the nearest is 'flag'\), 'rd' \(the nearest is 'red'\)"):
        vocabulary.encode("flgs rd red flgs")
    with pytest.raises(ValueError, match="4 words; its longest caption has 3"):
        vocabulary.encode("red red red flag")


@pytest.mark.parametrize("memory", [None, 0], ids=["memory", "stream"])
def test_names_of_files_are_captions(memory, folder):
    images = load_images(folder, 8, captions="names", memory=memory)
    assert isinstance(images, Stream) == (memory == 0)
    assert said(images) == {0: "red flag", 60: "red house", 120: "flag house", 240: ""}
    assert "4 captions, 6 different words, 3 kept: 2 flag, 2 house, 2 red; 1 have none of them" in str(images.account)
    part = images.part([2, 0]) if memory == 0 else images[[2, 0]]
    assert part.labels.tolist() == images.labels[[2, 0]].tolist()
    x, y = next(batches(images, 4, labelled=True, workers=0))
    assert y.shape == (4, 2) and all(
        said(images)[round((level.item() + 1) * 127.5)] == words_of(images).decode(one)
        for level, one in zip(x.mean((1, 2, 3)), y, strict=True)
    )
    assert fingerprint(images) == fingerprint(load_images(folder, 8))
    with pytest.raises(DataError, match="classes and captions at once"):
        load_images(folder, 8, captions="names", classes="folder")


#: All of them say of the four pictures "one red flag", "a red house", "flag, house; big" and "红旗 flag".
TABLES = {
    "quoted": 'file,caption\nred_flag.png,one red flag\nRed house (2).jpg,"a red house"\n'
    'deep/er/flag-of-a house.png,"flag, house; big"\n---.png,红旗 flag\n',
    "semicolons": "red_flag.png;one red flag\nRed house (2).jpg;a red house\n"
    'deep/er/flag-of-a house.png;"flag, house; big"\n---.png;红旗 flag\n',
    "many commas in the first row": 'deep/er/flag-of-a house.png;"flag, house; big"\nred_flag.png;one red flag\n'
    "Red house (2).jpg;a red house\n---.png;红旗 flag\n",
    "tabs of Windows": "\ufeffred_flag.png\tone red flag\r\nRed house (2).jpg\ta red house\r\n"
    "deep\\er\\flag-of-a house.png\tflag, house; big\r\n---.png\t红旗 flag\r\n",
    "without endings": 'red_flag,one red flag\nRed house (2),a red house\ndeep/er/flag-of-a house,"flag, house; big"\n'
    "---,红旗 flag\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_gives_captions(name, folder, capsys):
    images = load_images(folder, 8, captions=table(folder, TABLES[name]))
    assert said(images) == {0: "red flag", 60: "red house", 120: "flag house", 240: "flag"}
    assert capsys.readouterr().err == ""


def test_rows_of_other_files_are_named(folder, capsys):
    images = load_images(folder, 8, captions=table(folder, TABLES["quoted"] + "gone.png,red\nlost.png,house\n"))
    assert said(images)[0] == "red flag"
    assert capsys.readouterr().err.endswith("captions.csv: 2 rows are of no picture that is read: gone.png, lost.png\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("red_flag.png,red\n---.png,red\n", "2 of 4 pictures have no row in "),
        ("red_flag.png,red\n---.png, \n", "row 2 has no sentence: ---.png, "),
        ("red_flag.png,red\nred_flag.png,blue\n", "red_flag.png has two sentences, red and blue"),
        (
            "red_flag.png,red, blue\n",
            "row 1 goes on after its sentence: red_flag.png,red, blue; one with commas stands",
        ),
        ("", "4 of 4 pictures have no row in "),
    ],
)
def test_tables_that_do_not_do(text, says, folder):
    with pytest.raises(DataError) as error:
        load_images(folder, 8, captions=table(folder, text))
    assert says in str(error.value) and "\n" not in str(error.value)


def test_no_such_table_is_one_line(folder):
    with pytest.raises(DataError, match=r"captions nmaes: neither the word names nor a table that can be read"):
        load_images(folder, 8, captions="nmaes")
    table(folder, "red_flag.png," + "x" * 200_000)
    with pytest.raises(DataError, match="nor a table that can be read"):
        load_images(folder, 8, captions=folder.parent / "captions.csv")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["one.png", "two.png", "three.png"], "no word stands in 2 of the 3 captions, as 'one' is one"),
        (["--.png", "-.png"], "no word stands in 2 of the 2 captions"),
        (["cat 1.png", "cat 2.png"], "all 2 captions say the same, 'cat'"),
    ],
)
def test_names_that_teach_nothing(names, says, tmp_path):
    with pytest.raises(DataError) as error:
        load_images(written(tmp_path / "pictures", names), 8, captions="names")
    assert says in str(error.value) and "\n" not in str(error.value)


def test_files_with_the_same_caption_each_keep_it(tmp_path):
    images = load_images(written(tmp_path / "p", ["cat.png", "cat.jpg", "a/cat.png", "dog 1.png", "dog 2.png"]), 8,
                         captions="names")  # fmt: skip
    assert sorted(words_of(images).decode(y) for y in images.labels) == ["cat"] * 3 + ["dog"] * 2
    assert images.labels.dtype == torch.int64
