"""What is read of a folder, what is passed over, and that both are said."""

import io
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image, features

from genimg.__main__ import main
from genimg.data import fitting
from genimg.data.account import Account, title
from genimg.data.decode import decode, is_picture
from genimg.data.find import FOREIGN, RAW, find
from genimg.data.folder import _Reading
from genimg.data.images import fingerprint
from genimg.data.sources import SOURCES, load_images, meant
from genimg.system import files
from genimg.system.errors import DataError

TRAIN = ["train", "gan", "--size", "8", "--width", "4", "--batch", "4", "--steps", "2", "--threads", "1"]


def save(path, colour=(200, 30, 90), size=(20, 20), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path, **options)


def encoded(format, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (200, 30, 90)).save(buffer, format, **options)
    return buffer.getvalue()


def sentence(folder, **options):
    return str(load_images(folder, size=8, **options).account)


# A name that is a folder and a built-in source.


@pytest.mark.parametrize("name", SOURCES)
def test_a_name_of_two_meanings_is_refused_with_both_spellings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / name / "mine.png")
    with pytest.raises(DataError) as caught:
        load_images(name)
    assert f"'./{name}'" in str(caught.value) and f"'genimg:{name}'" in str(caught.value)
    for folder in (f"./{name}", f"{name}/", tmp_path / name, type(tmp_path)(name)):
        assert load_images(folder, size=8).shape == (1, 3, 8, 8)
    assert meant(f"genimg:{name}") == name


def test_the_built_in_source_beside_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = load_images("digits", size=8)
    save(tmp_path / "digits" / "mine.png")
    assert torch.equal(load_images("genimg:digits", size=8).pixels, plain.pixels)


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("pictres", "pictures"), ("sets/dgos", "sets/dogs"), ("sets/dgos/", "sets/dogs"), ("digit", "digits"),
        ("sets/digit", None), ("nowhere/dogs", None), ("xyz", None), ("note.tx", None),
    ],
)  # fmt: skip
def test_the_nearest_folder_or_source_is_named(asked, near, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("pictures", "sets/dogs"):
        save(tmp_path / folder / "mine.png")
    (tmp_path / "note.txt").touch()
    with pytest.raises(DataError) as error:
        find(asked)
    assert str(error.value).partition("; ")[2] == (f"the nearest is '{near}'" if near else "")


def test_a_run_trains_on_what_was_meant_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        save(tmp_path / "digits" / f"{i}.png", (50 * i, 30, 90))
    assert main([*TRAIN, "--data", "digits", "--out", "a"]) == 2
    assert "'genimg:digits' the source" in capsys.readouterr().err
    assert main([*TRAIN, "--data", "genimg:digits", "--n", "100", "--out", "a"]) == 0
    assert capsys.readouterr().out.startswith("100 pictures, 8x8, grey, from digits\n")
    assert main([*TRAIN, "--data", "./digits", "--out", "b"]) == 0
    assert capsys.readouterr().out.startswith("4 pictures, 8x8, colour, from 4 png in digits\n")
    assert main(["evaluate", "a", "--n", "8", "--features", "none"]) == 0  # the folder is there still


# Outputs are no inputs.


def test_a_run_inside_its_pictures_goes_on_and_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for i in range(6):
        save(tmp_path / f"{i}.png", (40 * i, 30, 90))
    for out in ("runs/a", "runs/a", "runs/b"):
        assert main([*TRAIN, "--data", ".", "--out", out]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "pictures, 8x8" in line]
    assert said[0] == f"6 pictures, 8x8, colour, from 6 png in {tmp_path.name}"
    assert said[1] == f"{said[0]}; passed over: 1 run of genimg ({os.path.join('runs', 'a')})"
    assert main(["sample", "runs/a", "--out", "grid.png"]) == 0
    assert main(["sample", "runs/a", "--n", "3", "--each", "--out", "new"]) == 0
    assert main([*TRAIN, "--data", ".", "--out", "runs/a"]) == 0
    assert "4 drawn by genimg" in capsys.readouterr().out


def test_a_run_in_the_very_folder_of_its_pictures_goes_on(tmp_path, capsys):
    for i in range(6):
        save(tmp_path / f"{i}.png", (40 * i, 30, 90))
    for steps in ("2", "4"):
        assert main([*TRAIN, "--steps", steps, "--data", str(tmp_path), "--out", str(tmp_path)]) == 0
    assert "going on from step 2" in (said := capsys.readouterr().out)
    assert said.count("6 pictures, 8x8, colour, from 6 png") == 2


def test_settings_of_others_hide_no_pictures(tmp_path):
    for i, text in enumerate(('{"family": "bert"}', "[]", "no JSON", '{"fingerprint": 1}')):
        save(tmp_path / str(i) / "a.png")
        (tmp_path / str(i) / "config.json").write_text(text)
    assert len(find(tmp_path).files) == 4


def test_only_outputs_is_no_data(tmp_path):
    files.write_picture(tmp_path / "grid.png", np.zeros((8, 8, 3)))
    with pytest.raises(DataError, match="no pictures in .*; passed over: 1 drawn by genimg"):
        load_images(tmp_path)


# No file vanishes silently.


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jfif", "JPEG"), ("a.jpe", "JPEG"), ("a.JPG", "JPEG"), ("a.ppm", "PPM"), ("a.jp2", "JPEG2000"),
        ("a", "PNG"), ("a", "JPEG"), ("a.dat", "WEBP"), ("a.txt", "PNG"), ("IMG.jpg_large", "JPEG"), ("a.", "GIF"),
        ("a.psd.bak", "TIFF"), ("a.ico", "ICO"), ("a.dds", "DDS"),
    ],
)  # fmt: skip
def test_a_picture_is_read_whatever_its_ending(name, format, tmp_path):
    (tmp_path / name).write_bytes(encoded(format))
    images = load_images(tmp_path, size=8)
    assert (images.pixels[0].float().mean((1, 2)) - torch.tensor([200.0, 30, 90])).abs().max() < 8
    assert images.account.read == {name.lower().partition(".")[2].split(".")[-1] or "without an ending": 1}


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read(tmp_path):
    (tmp_path / "a.avif").write_bytes(encoded("AVIF"))
    assert sentence(tmp_path).startswith("1 picture, 8x8, colour, from 1 avif in")


def test_what_is_read_and_what_is_passed_over_is_said(tmp_path):
    for i in range(31):
        (tmp_path / f"{i}.jfif").write_bytes(encoded("JPEG"))
    for i in range(5):
        save(tmp_path / f"{i}.png")
    (tmp_path / "IMG_1.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "notes.txt").write_text("Pyramids of Giza\n")
    (tmp_path / "README").write_text("# mine\n")
    (tmp_path / "._0.jfif").write_bytes(b"\0\5\x16\7")
    for ending in RAW:
        shutil.copy(tmp_path / "0.png", tmp_path / f"x{ending}")
    account = load_images(tmp_path, size=8).account
    assert str(account).startswith("36 pictures, 8x8, colour, from 31 jfif and 5 png in ")
    assert "; passed over: 1 arw, 1 cr2," in str(account)
    kinds = ["txt", "without an ending", "heic (pip install pillow-heif reads them)", "hidden", *(r[1:] for r in RAW)]
    assert account.passed == dict.fromkeys(kinds, 1)
    found = find(tmp_path)
    assert len(found.files) + found.passed.total() == len(os.listdir(tmp_path))


def test_pictures_that_nothing_reads_here_are_named_where_there_are_no_others(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(DataError, match="no pictures in .*1 heic .pip install pillow-heif"):
        load_images(tmp_path)


def test_many_kinds_are_summed_up():
    account = Account("a", (1, 3, 8, 8), {"png": 1}, {f"kind {i:02}": 100 - i for i in range(20)})
    assert "89 kind 11 and 676 of other kinds" in str(account)


@pytest.mark.parametrize("memory", [None, 0])
def test_the_account_is_kept_with_the_run(memory, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        save(tmp_path / "mine" / f"{i}.png", (50 * i, 30, 90))
    for i in range(12):
        (tmp_path / "mine" / f"bad-{i:02}.png").write_text("x")
    options = [] if memory is None else ["--memory", "0", "--workers", "0"]
    assert main([*TRAIN, "--data", "mine", "--skip-bad", *options, "--out", "run"]) == 0
    out = capsys.readouterr()
    first, *skipped = (tmp_path / "run" / "pictures.txt").read_text().splitlines()
    assert out.out.startswith(f"{first}\n")
    assert first == "4 pictures, 8x8, colour, from 4 png in mine; cannot be read: 12"
    assert [os.path.basename(line.split()[3]) for line in skipped] == [f"bad-{i:02}.png" for i in range(12)]
    assert all("cannot identify" in line for line in skipped)
    assert "left out 12 of 16 files" in out.err


# Folders of others.


def test_foreign_folders_are_passed_over(tmp_path):
    save(tmp_path / "a" / "good.png")
    for name in FOREIGN:
        save(tmp_path / "a" / name / "good.png" / "SYNOPHOTO_THUMB_M.jpg")
    said = sentence(tmp_path)
    assert said.startswith("1 picture, 8x8, colour, from 1 png")
    assert all(f"1 folder {name}" in said for name in FOREIGN)
    assert len(load_images(tmp_path / "a" / FOREIGN[0], size=8)) == 1  # asked for by name, it is read


def test_a_folder_that_cannot_be_read_is_left_out_if_asked_for(tmp_path, monkeypatch):
    """One whose path is longer than the system takes, which root cannot read either."""
    save(tmp_path / "good.png")
    monkeypatch.chdir(tmp_path)
    for _ in range(17):
        os.mkdir("x" * 250)
        os.chdir("x" * 250)
    with pytest.raises(DataError, match=r"cannot be read \(File name too long\).*--skip-bad"):
        load_images(tmp_path)
    images = load_images(tmp_path, size=8, skip_bad=True)
    assert len(images) == len(images.skipped) == 1
    assert "File name too long" in images.account.report()


# Grey in, grey out.


@pytest.mark.parametrize("memory", [None, 0])
def test_a_folder_of_grey_pictures_has_one_channel(memory, tmp_path):
    save(tmp_path / "a.png", 90)
    save(tmp_path / "b.jpg", (130, 130, 130), quality=95)
    Image.new("LA", (20, 20), (7, 255)).save(tmp_path / "c.png")
    images = load_images(tmp_path, size=8, memory=memory)
    pixels = images.pixels if memory is None else images.pixels_of(range(3))
    assert images.shape == (3, 1, 8, 8) == tuple(pixels.shape)
    assert pixels.flatten(1).float().mean(1).tolist() == [90, 130, 7]
    assert " grey," in str(images.account)
    assert load_images(tmp_path, size=8, memory=memory, channels=3).shape == (3, 3, 8, 8)
    assert load_images(tmp_path, size=8, memory=memory, background="red").shape == (3, 1, 8, 8)
    save(tmp_path / "d.png", (90, 91, 90))
    assert load_images(tmp_path, size=8, memory=memory).shape == (4, 3, 8, 8)
    grey = load_images(tmp_path, size=8, memory=memory, channels=1)
    assert grey.shape == (4, 1, 8, 8)


def test_a_coloured_picture_read_meanwhile_is_not_forgotten():
    reading = _Reading(["grey", "coloured"], 8, "white", "crop", None, streams=False)
    coloured = torch.arange(3, dtype=torch.uint8).view(3, 1, 1).expand(3, 8, 8)

    class Slow(torch.Tensor):
        def __eq__(self, other):  # while this grey picture is looked at, another thread keeps a coloured one
            thread = threading.Thread(target=reading._keep, args=(1, coloured))
            thread.start()
            thread.join()
            return torch.ones(3, 8, 8, dtype=torch.bool)

    reading._keep(0, torch.zeros(3, 8, 8, dtype=torch.uint8).as_subclass(Slow))
    assert reading.channels() == 3


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("coloured", [False, True])
def test_memory_and_stream_have_one_fingerprint(channels, coloured, tmp_path):
    for i in range(5):
        save(tmp_path / f"{i}.png", 40 * i)
    if coloured:
        save(tmp_path / "2.png")
    images, stream = (load_images(tmp_path, size=8, memory=memory, channels=channels) for memory in (None, 0))
    assert images.shape == stream.shape
    assert torch.equal(images.pixels, stream.pixels_of(range(5)))
    assert fingerprint(images) == fingerprint(stream)


def test_a_run_on_grey_pictures_gives_grey_ones(tmp_path, capsys):
    for i in range(8):
        save(tmp_path / "mine" / f"{i}.png", 30 * i)
    arguments = [*TRAIN, "--data", str(tmp_path / "mine")]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    assert main(["sample", str(tmp_path / "run"), "--n", "4", "--each", "--out", str(tmp_path / "new")]) == 0
    assert decode(tmp_path / "new" / "0.png", 8).float().std(0).max() == 0
    assert main([*arguments, "--channels", "3", "--out", str(tmp_path / "colour")]) == 0
    assert ", colour, from" not in (tmp_path / "run" / "pictures.txt").read_text()
    assert ", colour, from" in (tmp_path / "colour" / "pictures.txt").read_text()
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "colour"), "--n", "4", "--features", "none"]) == 0


# Large pictures, large folders, odd names.


def peak(code):
    """Megabytes that a process of its own takes at most while the code runs, over what it took before."""
    code = f"""
import re, genimg
from genimg.data.decode import decode, endings
def kilobytes(name):
    return int(re.search(name + r":\\s*(\\d+)", open("/proc/self/status").read())[1])
endings()
before = kilobytes("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted anew
{code}
print((kilobytes("VmHWM") - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


linux = pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="memory is read from /proc")


@linux
def test_a_jpeg_of_200_megapixels_is_read_in_little_memory(tmp_path):
    Image.new("L", (16320, 12240), 130).save(tmp_path / "a.jpg")
    took = peak(f"assert decode({str(tmp_path / 'a.jpg')!r}, 64).float().mean() == 130")
    assert took < 150


def test_a_jpeg_that_stays_too_large_is_refused(tmp_path):
    content = bytearray(encoded("JPEG"))
    at = content.index(b"\xff\xc0") + 5
    for height, width in ((65000, 65000), (2300, 65500)):
        content[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(DataError, match=r"too many" if width == height else r"a\.jpg cannot be read"):
            decode(tmp_path / "a.jpg", 1024)


def enormous(noisy=300):
    """201 million pixels, a third of them dark, of which some rows are noise that no file can hold in less."""
    pixels = np.full((12288, 16384), 130, dtype=np.uint8)
    pixels[:4096] = 10
    pixels[5000 : 5000 + noisy] = np.random.default_rng(0).integers(0, 255, (noisy, 16384), dtype=np.uint8)
    return Image.fromarray(pixels)


@linux
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_an_honest_picture_of_200_megapixels_is_read(ending, tmp_path):
    file = tmp_path / f"a.{ending}"
    enormous().save(file, **({"compress_level": 1} if ending == "png" else {}))
    assert is_picture(file)
    code = f"x = decode({str(file)!r}, 48)[0].float()\n"
    code += "assert abs(x[:15].mean() - 10) < 1 and abs(x[33:].mean() - 130) < 1, x"
    assert peak(code) < 300


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_it_is_reduced_as_a_copy_of_all_of_it_would_be(mode, monkeypatch):
    monkeypatch.setattr(fitting, "BAND", 1500 * 100)
    random = np.random.default_rng(0).integers(0, 255, (900, 1500, 4), dtype=np.uint8)
    picture = Image.fromarray(random).convert(mode)
    found = fitting.reduced(picture, (16, 24))
    clear = mode in ("LA", "RGBA")
    whole = picture.convert("RGBA").convert("RGBa") if clear else picture.convert("RGB")
    whole = whole.reduce(18).convert("RGBA" if clear else "RGB")
    assert found.mode == whole.mode and found.size == (84, 50)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(whole))
    assert fitting.reduced(picture, (300, 16)) is picture


def test_a_small_file_that_claims_as_much_is_refused(tmp_path):
    enormous(noisy=0).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png cannot be read .*16,384 x 12,288 pixels are too many"):
        decode(tmp_path / "a.png", 64)


@linux
def test_memory_does_not_grow_with_a_folder_that_streams(tmp_path):
    code = (
        f"images = genimg.load_images({str(tmp_path)!r}, 128, memory=0)\n"
        "from genimg.data.images import batches\n"
        "for _, x in zip(range(40), batches(images, 20, workers=0)): pass"
    )
    content = encoded("PNG")
    took = []
    for n in (100, 1000):
        for i in range(n):
            (tmp_path / f"{i}.png").write_bytes(content)
        took.append(peak(code))
    assert took[1] - took[0] < 15  # the pictures would take 44 more


@pytest.mark.parametrize("spelled", [".", "..", "./", "", "sub/.."])
def test_a_folder_has_a_name_however_it_is_spelled(spelled, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    assert title(spelled) == (tmp_path.parent.name if spelled == ".." else tmp_path.name)
    assert title("/") == "/"


def test_the_line_of_a_run_on_the_working_folder_has_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        save(tmp_path / f"{i}.png", (50 * i, 30, 90))
    assert main([*TRAIN, "--data", ".", "--out", "runs/a"]) == 0
    assert f"gan on {tmp_path.name}" in capsys.readouterr().err
