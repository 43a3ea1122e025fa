"""Folders in any state: each picture is read as it was meant, or is one line of error with the file's name."""

import io
import itertools
import multiprocessing
import os
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from genimg.data.decode import FITS, decode
from genimg.data.find import find
from genimg.data.images import Images, batches, fingerprint
from genimg.data.sources import load_images
from genimg.data.stream import Stream
from genimg.system.errors import DataError

SIZE = 16
ROWS = np.linspace(0, 255, 32).astype(np.uint8)
GREY = np.repeat(ROWS[:, None], 32, 1)  # dark above, light below: (32, 32)
COLOURS = np.stack([GREY, GREY.T, np.full_like(GREY, 90)], -1)  # (32, 32, 3)


def encoded(picture, format, **options):
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def picture(array=COLOURS, mode=None):
    made = Image.fromarray(array)
    return made.convert(mode) if mode else made


def flat(mode, colour, size=(20, 20)):
    return Image.new(mode, size, colour)


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(samples, depth, colour_type, *chunks, width=None, height=None):
    """A PNG written by hand from samples (H, W, C): Pillow cannot write them all."""
    h, w, _ = samples.shape
    bits = (samples.reshape(h, -1, 1).astype(np.int64) >> np.arange(depth - 1, -1, -1)) & 1
    rows = b"".join(b"\0" + np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in bits)
    head = struct.pack(">IIBBBBB", width or w, height or h, depth, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def constant(value, channels=1, size=20):
    return np.full((size, size, channels), value)


def frames(format, **options):
    return encoded(
        flat("RGB", (250, 0, 0)), format, save_all=True, append_images=[flat("RGB", (0, 0, 250))] * 2, **options
    )


def clear_half(mode):
    """Left half clear, right half red or, in grey, black."""
    made = flat(mode, (200, 0, 0, 255) if mode == "RGBA" else (0, 255), (32, 32))
    made.paste((0, 0, 0, 0) if mode == "RGBA" else (0, 0), (0, 0, 16, 32))
    return made


def palette_half():
    made = flat("P", 1, (32, 32))
    made.putpalette([0, 0, 0, 200, 0, 0])
    made.paste(0, (0, 0, 16, 32))
    return made


def with_exif(content):
    return encoded(picture(), "JPEG", quality=95, exif=b"Exif\0\0" + content)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
TIFF_TWO = frames("TIFF")
NAN = np.full((20, 20), 0.5, np.float32)
NAN[3, 3] = np.nan


def near(colour, tolerance=3):
    wanted = torch.tensor(colour).float().view(3, 1, 1)
    return lambda pixels: (pixels.float() - wanted).abs().max() <= tolerance


def colours(pixels):
    """As Pillow alone makes them of the array."""
    wanted = np.asarray(picture().resize((SIZE, SIZE), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    return np.abs(pixels.numpy().astype(int) - wanted).mean() < 4


def greys(pixels):
    rows = pixels.float().mean((0, 2))
    return (rows.diff() > 5).all() and rows[0] < 15 and rows[-1] > 240


def left_white_right(colour):
    return lambda pixels: near((255, 255, 255))(pixels[:, :, :6]) and near(colour)(pixels[:, :, 10:])


# File name, its bytes, and what becomes of it: a check of the pixels (3, 16, 16), or a phrase of the error.
PICTURES = {
    "PNG": ("a.png", encoded(picture(), "PNG"), colours),
    "JPEG": ("a.jpg", encoded(picture(), "JPEG", quality=95), colours),
    "progressive JPEG": ("a.jpeg", encoded(picture(), "JPEG", quality=95, progressive=True), colours),
    "WebP": ("a.webp", encoded(picture(), "WEBP", lossless=True), colours),
    "BMP": ("a.bmp", encoded(picture(), "BMP"), colours),
    "TIFF": ("a.tif", encoded(picture(), "TIFF"), colours),
    "TIFF, compressed": ("a.tiff", encoded(picture(), "TIFF", compression="tiff_deflate"), colours),
    "upper case suffix": ("A.PNG", encoded(picture(), "PNG"), colours),
    "PNG called jpg": ("a.jpg", encoded(picture(), "PNG"), colours),
    "JPEG called png": ("a.png", encoded(picture(), "JPEG", quality=95), colours),
    "WebP called gif": ("a.gif", encoded(picture(), "WEBP", lossless=True), colours),
    "animated GIF": ("a.gif", frames("GIF"), near((250, 0, 0))),
    "animated WebP": ("a.webp", frames("WEBP", lossless=True), near((250, 0, 0))),
    "animated PNG": ("a.png", frames("PNG"), near((250, 0, 0))),
    "two pages of TIFF": ("a.tiff", TIFF_TWO, near((250, 0, 0))),
    "CMYK JPEG": ("a.jpg", encoded(picture(mode="CMYK"), "JPEG", quality=95), colours),
    "CMYK TIFF": ("a.tif", encoded(picture(mode="CMYK"), "TIFF"), colours),
    "YCbCr TIFF": ("a.tif", encoded(picture(mode="YCbCr"), "TIFF"), colours),
    "grey PNG": ("a.png", encoded(picture(GREY), "PNG"), greys),
    "grey JPEG": ("a.jpg", encoded(picture(GREY), "JPEG"), greys),
    "one bit": ("a.png", encoded(flat("1", 1), "PNG"), near((255, 255, 255), 0)),
    "one bit TIFF": ("a.tif", encoded(flat("1", 1), "TIFF", compression="group4"), near((255, 255, 255), 0)),
    "palette": ("a.png", encoded(picture().quantize(256), "PNG"), lambda pixels: pixels.float().std() > 30),
    "RGBA": ("a.png", encoded(clear_half("RGBA"), "PNG"), left_white_right((200, 0, 0))),
    "RGBA WebP": ("a.webp", encoded(clear_half("RGBA"), "WEBP", lossless=True), left_white_right((200, 0, 0))),
    "grey and alpha": ("a.png", encoded(clear_half("LA"), "PNG"), left_white_right((0, 0, 0))),
    "palette, one clear": ("a.png", encoded(palette_half(), "PNG", transparency=0), left_white_right((200, 0, 0))),
    "palette, clear by bytes": (
        "a.png", encoded(palette_half(), "PNG", transparency=b"\0\xff"), left_white_right((200, 0, 0)),
    ),
    "GIF, one clear": ("a.gif", encoded(palette_half(), "GIF", transparency=0), left_white_right((200, 0, 0))),
    "16-bit grey": ("a.png", png(constant(32768), 16, 0), near((128, 128, 128), 1)),
    "16-bit grey, dark": ("a.png", png(constant(200), 16, 0), near((200, 200, 200), 1)),
    "16-bit grey, all clear": (
        "a.png", png(constant(300), 16, 0, chunk(b"tRNS", struct.pack(">H", 300))), near((255, 255, 255), 0),
    ),
    "16-bit RGB": ("a.png", png(constant(32768, 3), 16, 2), near((128, 128, 128), 1)),
    "16-bit RGB, all clear": (
        "a.png", png(constant(300, 3), 16, 2, chunk(b"tRNS", struct.pack(">HHH", 300, 300, 300))),
        near((255, 255, 255), 0),
    ),
    "16-bit RGBA": ("a.png", png(constant(32768, 4), 16, 6), near((191, 191, 191), 2)),
    "4-bit grey": ("a.png", png(constant(8), 4, 0), near((136, 136, 136), 1)),
    "16-bit TIFF": ("a.tif", encoded(picture(GREY.astype(np.uint16) * 257), "TIFF"), greys),
    "32-bit TIFF": ("a.tif", encoded(picture(GREY.astype(np.int32) << 23), "TIFF"), greys),
    "32-bit TIFF, 8 used": ("a.tif", encoded(picture(GREY.astype(np.int32)), "TIFF"), greys),
    "float TIFF, 0 to 1": ("a.tif", encoded(picture(GREY.astype(np.float32) / 255), "TIFF"), greys),
    "float TIFF, 0 to 255": ("a.tif", encoded(picture(GREY.astype(np.float32)), "TIFF"), greys),
    "float TIFF with NaN": ("a.tif", encoded(picture(NAN), "TIFF"), "not finite"),
    "float TIFF below 0": ("a.tif", encoded(picture(-np.ones((20, 20), np.float32)), "TIFF"), "values from -1"),
    "1 x 1": ("a.png", encoded(flat("RGB", (9, 8, 7), (1, 1)), "PNG"), near((9, 8, 7), 0)),
    "20,000 x 10": ("a.png", encoded(flat("RGB", (9, 8, 7), (20_000, 10)), "PNG"), near((9, 8, 7), 0)),
    "10 x 20,000": ("a.jpg", encoded(flat("RGB", (9, 8, 7), (10, 20_000)), "JPEG"), near((9, 8, 7))),
    "broken EXIF": ("a.jpg", with_exif(b"\xff" * 60), colours),
    "EXIF cut off": ("a.jpg", with_exif(b"II*\0\x08\0\0\0\x09\0\x12\x01"), colours),
    "EXIF orientation 99": (
        "a.jpg", with_exif(struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x112, 3, 1, 99, 0)), colours,
    ),
    "broken colour profile": ("a.png", encoded(picture(), "PNG", icc_profile=b"no profile" * 9), colours),
    "bytes after the end": ("a.png", encoded(picture(), "PNG") + b"\0junk" * 99, colours),
    "zero bytes": ("a.png", b"", "cannot identify"),
    "text": ("a.png", b"my holiday\n" * 99, "cannot identify"),
    "HTML": ("a.jpg", b"<!DOCTYPE html><html>404</html>", "cannot identify"),
    "zeros": ("a.bmp", bytes(5000), "cannot identify"),
    "PostScript": ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "cannot identify"),
    "PNG, truncated": ("a.png", encoded(NOISE, "PNG")[:4000], "truncated"),
    "PNG, head only": ("a.png", encoded(NOISE, "PNG")[:20], "cannot"),
    "PNG, wrong checksum": ("a.png", encoded(NOISE, "PNG")[:-6] + b"\0\0\0\0\0\0", None),
    "JPEG, truncated": ("a.jpg", encoded(NOISE, "JPEG")[:1500], "truncated"),
    "WebP, truncated": ("a.webp", encoded(NOISE, "WEBP")[:900], "cannot"),
    "GIF, truncated": ("a.gif", encoded(NOISE, "GIF")[:1800], "truncated"),
    "BMP, truncated": ("a.bmp", encoded(NOISE, "BMP")[:2000], "truncated"),
    "TIFF, truncated": ("a.tif", encoded(NOISE, "TIFF", compression="tiff_lzw")[:2000], "cannot"),
    "100,000 x 100,000 claimed": ("a.png", png(constant(0), 8, 0, width=100_000, height=100_000), "exceeds|too many"),
    "13,000 x 13,000 claimed": ("a.png", png(constant(0), 8, 0, width=13_000, height=13_000), "too many"),
    "no width": ("a.png", encoded(picture(), "PNG")[:16] + bytes(4) + encoded(picture(), "PNG")[20:], "cannot"),
    "unreadable palette": ("a.png", png(constant(3), 8, 3), None),
}  # fmt: skip


@pytest.mark.parametrize("row", PICTURES.values(), ids=PICTURES)
def test_pictures(row, tmp_path, capfd, recwarn):
    name, content, wanted = row
    (tmp_path / name).write_bytes(content)
    try:
        pixels = load_images(tmp_path, size=SIZE, channels=3).pixels
    except DataError as error:
        assert wanted is None or isinstance(wanted, str), error
        assert one_line(error, name)
        if wanted:
            assert any(phrase in str(error) for phrase in wanted.split("|")), error
    else:
        assert not isinstance(wanted, str), "an error was due"
        assert pixels.shape == (1, 3, SIZE, SIZE)
        assert wanted is None or wanted(pixels[0])
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def one_line(error, name):
    text = str(error)
    return text.isprintable() and name in text and "remove it" in text and "--skip-bad" in text


@pytest.mark.parametrize("size", [(20_000, 10), (10, 20_000)])
def test_very_long_pictures_are_padded(size, tmp_path):
    flat("RGB", (0, 0, 250), size).save(tmp_path / "a.png")
    pixels = decode(tmp_path / "a.png", SIZE, "#ff0000", "pad")
    blue = (pixels == torch.tensor([0, 0, 250]).view(3, 1, 1)).all(0)
    red = (pixels == torch.tensor([255, 0, 0]).view(3, 1, 1)).all(0)
    assert blue.sum() == SIZE
    assert (blue | red).all()


def test_padding_keeps_all_and_cropping_the_centre(tmp_path):
    wide = flat("RGB", (0, 250, 0), (64, 32))
    wide.paste((250, 0, 0), (0, 0, 8, 32))
    wide.save(tmp_path / "a.png")
    cropped, padded = (decode(tmp_path / "a.png", SIZE, "black", fit) for fit in FITS)
    assert near((0, 250, 0), 0)(cropped)
    assert (padded[:, :4] == 0).all()
    assert (padded[:, 12:] == 0).all()
    assert (padded[0, 4:12, 0] > 200).all()
    assert (padded[1, 4:12, 8:] > 240).all()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    orientation=st.integers(1, 8),
    format=st.sampled_from(["PNG", "TIFF", "WEBP"]),
    width=st.integers(3, 40),
    height=st.integers(3, 40),
)
def test_orientation_is_pillows(orientation, format, width, height, tmp_path):
    made = Image.fromarray(np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "a.png"
    file.write_bytes(encoded(made, format, exif=exif, **({"lossless": True} if format == "WEBP" else {})))
    with Image.open(file) as opened:
        opened.load()
        upright = ImageOps.exif_transpose(opened)
    file2 = tmp_path / "b.png"
    upright.save(file2, "PNG", exif=b"")
    for fit in FITS:
        assert torch.equal(decode(file, SIZE, fit=fit), decode(file2, SIZE, fit=fit))


def depths():
    return [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16),
            (6, 8), (6, 16)]  # fmt: skip


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(("kind", "depth"), depths())
def test_every_kind_of_png(kind, depth, clear, tmp_path):
    random, full, size = np.random.default_rng(0), 2**depth - 1, 8
    samples = random.integers(0, full + 1, (size, size, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]))
    chunks, alpha = [], np.ones((size, size))
    if kind == 3:
        palette, clearness = random.integers(0, 256, (full + 1, 3)), random.integers(0, 256, full + 1)
        chunks.append(chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
        colour = palette[samples[..., 0]]
        if clear:
            chunks.append(chunk(b"tRNS", clearness.astype(np.uint8).tobytes()))
            alpha = clearness[samples[..., 0]] / 255
    else:
        colour = np.broadcast_to(samples[..., : 3 if kind in (2, 6) else 1] * 255 / full, (size, size, 3))
        if kind in (4, 6):
            alpha = samples[..., -1] / full
        elif clear:
            chunks.append(chunk(b"tRNS", struct.pack(f">{samples.shape[-1]}H", *samples[2, 3])))
            alpha = 1.0 - (samples == samples[2, 3]).all(-1)
    (tmp_path / "a.png").write_bytes(png(samples, depth, kind, *chunks))
    pixels = decode(tmp_path / "a.png", size, "#ff0080").permute(1, 2, 0).numpy()
    wanted = colour * alpha[..., None] + np.array([255, 0, 128]) * (1 - alpha[..., None])
    assert np.abs(pixels - wanted).max() < 2


BASES = [row[1] for row in PICTURES.values() if callable(row[2])]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=st.sampled_from(BASES), edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4))),
       kept=st.floats(0.1, 1))  # fmt: skip
def test_damaged_files_are_read_or_one_line(base, edits, kept, tmp_path, capfd):
    content = bytearray(base)
    for where, new in edits:
        at = int(where * len(content))
        content[at : at + len(new)] = new
    file = tmp_path / "a.png"
    file.write_bytes(content[: max(1, int(kept * len(content)))])
    try:
        pixels = decode(file, SIZE)
    except DataError as error:
        assert one_line(error, "a.png")
    else:
        assert pixels.shape == (3, SIZE, SIZE)
        assert pixels.dtype == torch.uint8
    told = capfd.readouterr().err
    assert not told or base[:2] == b"II"  # libtiff writes to stderr by itself, and Pillow offers no way to stop it


# Folders: what is prepared in an empty one beside good.png, and the names of the pictures found, or the error.


def linked(name, target):
    return lambda top: (top / name).symlink_to(target)


def written(*names):
    def make(top):
        for name in names:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            picture().save(top / name, "PNG")

    return make


def outside(top):
    picture().save(top.parent / "elsewhere.png")
    (top / "link.png").symlink_to(top.parent / "elsewhere.png")


def loop_of_two(top):
    (top / "a").mkdir()
    (top / "a" / "b").symlink_to(top)


def latin_name(top):
    with open(os.fsencode(top) + b"/caf\xe9.png", "wb") as file:
        file.write(b"")


LONG = "x" * 250 + ".png"
FOLDERS = {
    "good only": (lambda top: None, ["good.png"]),
    "names of all sorts": (
        written("with space.png", "中文/图.png", "🙂.png", "-n.png", "new\nline.png", LONG),
        ["-n.png", "good.png", "new\nline.png", "with space.png", LONG, "中文/图.png", "🙂.png"],
    ),
    "hidden": (written(".h.png", "._good.png", ".git/a.png", "__MACOSX/a.png", "a/.b/c.png"), ["good.png"]),
    "order by path": (written("b/a.png", "a/z.png", "a.png"), ["a.png", "a/z.png", "b/a.png", "good.png"]),
    "text beside": (lambda top: (top / "notes.txt").write_text("x"), ["good.png"]),
    "empty folder inside": (lambda top: (top / "void").mkdir(), ["good.png"]),
    "folder called x.png": (written("x.png/a.png"), ["good.png", "x.png/a.png"]),
    "link to itself": (linked("loop", "."), ["good.png"]),
    "link in a circle": (loop_of_two, ["good.png"]),
    "file that links to itself": (linked("x.png", "x.png"), "x.png cannot be read"),
    "broken link": (linked("x.png", "nowhere.png"), "x.png cannot be read as a picture (No such file"),
    "link out of the folder": (outside, ["good.png", "link.png"]),
    "pipe": (lambda top: os.mkfifo(top / "x.png"), "x.png cannot be read as a picture (not an ordinary file"),
    "device": (linked("x.png", "/dev/zero"), "x.png cannot be read as a picture (not an ordinary file"),
    "bad file, odd name": (lambda top: (top / "a\nb.png").write_bytes(b""), r"a\nb.png"),
    "bad file, name not UTF-8": (latin_name, r"caf\udce9.png"),
}  # fmt: skip


@pytest.mark.parametrize("row", FOLDERS.values(), ids=FOLDERS)
def test_folders(row, tmp_path):
    prepare, wanted = row
    top = tmp_path / "top"
    top.mkdir()
    written("good.png")(top)
    prepare(top)
    if isinstance(wanted, str):
        with pytest.raises(DataError) as caught:
            load_images(top, size=SIZE)
        assert wanted in str(caught.value)
        assert str(caught.value).isprintable()
        images = load_images(top, size=SIZE, skip_bad=True)
        assert len(images) == len(images.skipped) == 1
    else:
        assert [os.path.relpath(file, top) for file in find(top).files] == wanted
        assert len(load_images(top, size=SIZE)) == len(wanted)


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        (None, {}, "NoneType is no source of pictures: pass a folder"),
        ("", {}, "neither a folder"),
        ("~nobody-of-that-name/pictures", {}, "neither a folder"),
        ("x" * 5000, {}, "neither a folder"),
        ("a\0b", {}, "neither a folder"),
        ("good.png", {}, "a file, neither a folder"),
        ("empty", {}, "no pictures in"),
        ("texts", {}, "no pictures in"),
        ("bad", {"skip_bad": True}, "none of the 2 pictures"),
        (".", {"size": 7}, "8 to 1024"),
        (".", {"size": 1025}, "8 to 1024"),
        (".", {"background": "sky"}, "background 'sky' is no colour"),
        (".", {"background": "#ffffff00"}, "is no colour"),
        (".", {"background": 3}, "is no colour"),
        (".", {"fit": "squeeze"}, "there are crop, pad"),
        (".", {"memory": -1}, "number of bytes"),
        (".", {"channels": 2}, "3 is colour, 1 grey"),
        (".", {"white": 0}, "above 0"),
        (".", {"white": float("nan")}, "above 0"),
        (".", {"skip": True}, "folders take background, fit, skip_bad"),
        ("digits", {"background": "white"}, "only shapes and folders take options"),
    ],
)
def test_refused(source, options, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "texts", "bad"):
        (tmp_path / name).mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    (tmp_path / "bad" / "a.png").write_text("x")
    (tmp_path / "bad" / "b.png").write_text("x")
    written("good.png")(tmp_path)
    with pytest.raises(DataError) as caught:
        load_images(source, **options)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written("mine/good.png")(tmp_path)
    assert len(load_images("~/mine")) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["closed", "closed/a.png"])
def test_no_permission(name, tmp_path):
    written("closed/a.png")(tmp_path)
    (tmp_path / name).chmod(0)
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        load_images(tmp_path)
    (tmp_path / name).chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    written("a.png", "closed/b.png")(tmp_path)
    scandir = os.scandir

    def refusing(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"closed cannot be read \(Permission denied\); change its permissions"):
        load_images(tmp_path)


@pytest.mark.parametrize("memory", [None, 0])
def test_left_out_files_are_told_once(memory, tmp_path, capsys):
    written("b.png", "d.png")(tmp_path)
    for name in "ace":
        (tmp_path / f"{name}.png").write_text("x")
    images = load_images(tmp_path, size=SIZE, skip_bad=True, memory=memory)
    assert [os.path.basename(name) for name in images.skipped] == ["a.png", "c.png", "e.png"]
    assert images.shape == (2, 3, SIZE, SIZE)
    pixels = images.pixels if memory is None else images.pixels_of([0, 1])
    assert all(colours(one) for one in pixels)
    error = capsys.readouterr().err
    assert error.startswith("left out 3 of 5 files that cannot be read: ")
    assert error.count("\n") == 1


# Streams: what is in memory, drawn from disk.


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """Eleven pictures of one colour each."""
    top = tmp_path_factory.mktemp("some")
    for i in range(11):
        flat("RGB", (20 * i, 255 - 20 * i, i)).save(top / f"{i:02}.png")
    return top


def test_memory_decides(some):
    bytes_needed = 11 * 3 * SIZE * SIZE
    assert isinstance(load_images(some, size=SIZE, memory=bytes_needed), Images)
    stream = load_images(some, size=SIZE, memory=bytes_needed - 1)
    assert isinstance(stream, Stream)
    assert len(stream) == 11
    assert stream.shape == (11, 3, SIZE, SIZE)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_gives_what_memory_gives(some, workers):
    images, stream = load_images(some, size=SIZE), load_images(some, size=SIZE, memory=0)
    assert fingerprint(images) == fingerprint(stream) != fingerprint(images[:10])
    before = torch.get_rng_state()
    for options in ({}, {"start": 7}, {"part": (1, 2)}, {"start": 3, "part": (0, 2)}):
        kept, drawn = (batches(i, 4, seed=5, workers=workers, **options) for i in (images, stream))
        for a, b in itertools.islice(zip(kept, drawn, strict=True), 9):
            assert torch.equal(a, b)
            assert a.stride() == b.stride()
        drawn.close()
    assert torch.equal(torch.get_rng_state(), before)  # resumed runs depend on it


def test_large_batches_with_few_file_handles(some):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        drawn = batches(load_images(some, size=8, memory=0), 400, workers=2)
        assert next(drawn).shape == (400, 3, 8, 8)
        drawn.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_vanishes_is_one_line(workers, tmp_path):
    written(*(f"{i}.png" for i in range(6)))(tmp_path)
    drawn = batches(load_images(tmp_path, size=SIZE, memory=0), 3, workers=workers)
    next(drawn)
    (tmp_path / "4.png").unlink()
    with pytest.raises(DataError) as caught:
        for _ in range(50):
            next(drawn)
    assert one_line(caught.value, "4.png")


def test_no_worker_is_left_behind(some):
    drawn = batches(load_images(some, size=SIZE, memory=0), 4, workers=2)
    next(drawn)
    assert len(multiprocessing.active_children()) == 2
    drawn.close()
    until = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


# Where batches begin, and who has which rows.


def numbered(n):
    return torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 8, 8).contiguous()


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 30), batch=st.integers(1, 40), seed=st.integers(0, 99), start=st.integers(0, 60))
def test_a_start_leaves_out_what_came_before(n, batch, seed, start):
    whole = itertools.islice(batches(numbered(n), batch, seed), start, start + 4)
    later = batches(numbered(n), batch, seed, start=start)
    assert all(torch.equal(a, next(later)) for a in whole)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 30), own=st.integers(1, 9), processes=st.integers(1, 5), start=st.integers(0, 9))
def test_parts_make_the_whole(n, own, processes, start):
    whole = batches(numbered(n), own * processes, start=start)
    parts = [batches(numbered(n), own * processes, start=start, part=(r, processes)) for r in range(processes)]
    for _ in range(4):
        assert torch.equal(next(whole), torch.cat([next(part) for part in parts]))


@pytest.mark.parametrize(
    ("batch", "options", "says"),
    [
        (5, {"part": (0, 2)}, "a batch of 5 cannot be shared by 2"),
        (4, {"part": (2, 2)}, "out of range"),
        (0, {}, "out of range"),
        (4, {"start": -1}, "out of range"),
    ],
)
def test_batches_out_of_range(batch, options, says):
    with pytest.raises(ValueError, match=says):
        next(batches(numbered(9), batch, **options))


def test_a_log_says_how_far_reading_is_where_it_takes_long(some, capsys, monkeypatch):
    load_images(some, size=SIZE)
    assert capsys.readouterr().err == ""
    clock = itertools.count(step=4)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    load_images(some, size=SIZE)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("reading some") and ": file 3 of 11, " in first and ": 11 files in " in last


def test_a_script_without_a_main_guard_is_told_what_it_can_do(some, tmp_path):
    """Where processes are spawned, as on macOS and Windows, each runs the script again."""
    code = """
import multiprocessing, sys, torch
multiprocessing.set_start_method("spawn", force=True)
from genimg.data.sources import load_images
images = load_images(sys.argv[1], 16, memory=0)
images.workers = int(sys.argv[2])
print(len(next(images.batches([torch.arange(5)]))))
"""
    (tmp_path / "script.py").write_text(code)
    command = [sys.executable, str(tmp_path / "script.py"), str(some)]
    done = subprocess.run([*command, "1"], capture_output=True, text=True)
    line = done.stderr.strip().splitlines()[-1]
    assert done.returncode and "DataError: reading ahead failed" in line
    assert "workers = 0 of these pictures" in line and "if __name__ == '__main__':" in line
    assert subprocess.run([*command, "0"], capture_output=True, text=True).stdout == "5\n"
