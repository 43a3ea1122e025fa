"""Pictures of more than 8 bits: one scale a folder, whatever the container, and it is said."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from test_folder import chunk, png

from genimg.__main__ import main
from genimg.data.decode import decode
from genimg.data.depth import Deep, white_of
from genimg.data.sources import load_images
from genimg.system.errors import DataError

RAMP = np.linspace(0, 1, 16)[:, None] * np.ones((1, 16))  # (16, 16)


def tiff(array, *, compressed=False, white_is_zero=False, **tags):
    """A TIFF (H, W, C) of any type, written by hand: Pillow writes not all that it reads."""
    h, w, c = array.shape
    data = zlib.compress(array.tobytes()) if compressed else array.tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
    photometric = 2 if c == 3 else 0 if white_is_zero else 1
    bits = array.dtype.itemsize * 8
    entries = {
        256: (3, [w]), 257: (3, [h]), 258: (3, [bits] * c), 259: (3, [8 if compressed else 1]), 262: (3, [photometric]),
        273: (4, [0]), 277: (3, [c]), 278: (3, [h]), 279: (4, [len(data)]), 339: (3, [kind] * c),
    }  # fmt: skip
    entries |= {int(tag.removeprefix("tag")): (3, [value]) for tag, value in tags.items()}
    place, table, rest = 8 + 2 + 12 * len(entries) + 4, b"", b""
    entries[273] = (4, [place + sum(2 * len(v) for _, v in entries.values() if len(v) > 2)])
    for tag, (type_, values) in sorted(entries.items()):
        raw = struct.pack(f"<{len(values)}{'H' if type_ == 3 else 'I'}", *values)
        if len(raw) > 4:
            raw, rest = struct.pack("<I", place + len(rest)), rest + raw
        table += struct.pack("<HHI", tag, type_, len(values)) + raw.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + rest + data


def written(array, format="TIFF"):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format)
    return buffer.getvalue()


def folder(tmp_path, *contents):
    tmp_path.mkdir(exist_ok=True)
    for i, content in enumerate(contents):
        (tmp_path / f"{i}.{'png' if content[1:4] == b'PNG' else 'tif'}").write_bytes(content)
    return tmp_path


def grey(part, most, dtype):
    return (RAMP * part * most).round().astype(dtype) if dtype != np.float32 else (RAMP * part * most).astype(dtype)


KINDS = {
    "8 of 16 bits": (255, lambda a: tiff(a.astype(np.uint16)[..., None])),
    "10 of 16 bits": (1023, lambda a: tiff(a.astype(np.uint16)[..., None])),
    "12 of 16 bits": (4095, lambda a: tiff(a.astype(np.uint16)[..., None])),
    "12 of 16 bits, compressed": (4095, lambda a: tiff(a.astype(np.uint16)[..., None], compressed=True)),
    "12 of 16 bits, PNG": (4095, lambda a: png(a.astype(np.int64)[..., None], 16, 0)),
    "14 of 16 bits": (16383, lambda a: tiff(a.astype(np.uint16)[..., None])),
    "16 bits": (65535, lambda a: tiff(a.astype(np.uint16)[..., None])),
    "12 of 32 bits": (4095, lambda a: written(a.astype(np.int32))),
    "20 of 32 bits": (2**20 - 1, lambda a: written(a.astype(np.int32))),
    "31 bits": (2**31 - 1, lambda a: written(a.astype(np.int32))),
    "floats to 1": (1, lambda a: written(a.astype(np.float32))),
    "floats to 255": (255, lambda a: written(a.astype(np.float32))),
    "floats to 4095": (4095, lambda a: written(a.astype(np.float32))),
    "floats to 17.5": (17.5, lambda a: written(a.astype(np.float32))),
    "floats to 0.003": (0.003, lambda a: written(a.astype(np.float32))),
    "12 of 16 bits, colour": (4095, lambda a: tiff(np.stack([a, a / 2, a / 4], -1).astype(np.uint16))),
    "12 of 16 bits, colour, compressed": (
        4095, lambda a: tiff(np.stack([a, a / 2, a / 4], -1).astype(np.uint16), compressed=True),
    ),
    "12 of 16 bits, colour PNG": (4095, lambda a: png(np.stack([a, a / 2, a / 4], -1).astype(np.int64), 16, 2)),
    "12 of 16 bits, RGBA": (
        4095, lambda a: png(np.stack([a, a / 2, a / 4, 0 * a + 65535], -1).astype(np.int64), 16, 6),
    ),
}  # fmt: skip


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_one_scale_for_a_folder(kind, memory, tmp_path):
    """Three pictures, of full, half and a thirtieth of the brightness: they keep their order and their ratios."""
    white, encode = kind
    parts = (1.0, 0.5, 1 / 30)
    images = load_images(folder(tmp_path, *(encode(RAMP * part * white) for part in parts)), size=16, memory=memory)
    pixels = images.pixels if memory is None else images.pixels_of(range(3))
    for picture, part in zip(pixels, parts, strict=True):
        wanted = torch.from_numpy(RAMP * part * 255)
        assert (picture[0] - wanted).abs().max() < 2
    assert images.account.white == pytest.approx(white)
    assert f"; 3 of more than 8 bits, in which {white:,.6g} is white" in str(images.account)


def test_another_white_can_be_asked_for(tmp_path):
    top = folder(tmp_path, written(np.full((8, 8), 2000, np.uint16)))
    assert load_images(top, size=8).account.white == 4095
    for white, level in ((2000, 255), (1000, 255), (65535, 8), (4000, 128)):
        assert (load_images(top, size=8, white=white).pixels.float() - level).abs().max() <= 1


def test_what_a_file_states_counts(tmp_path):
    dark = grey(0.01, 4095, np.uint16)[..., None]
    images = load_images(folder(tmp_path, tiff(dark, tag281=4095)), size=16)
    assert images.account.white == 4095
    assert images.pixels.max() <= 3


def test_white_may_be_zero(tmp_path):
    array = grey(1, 4095, np.uint16)[..., None]
    images = load_images(folder(tmp_path, tiff(array, white_is_zero=True)), size=16)
    assert (images.pixels[0, 0] - torch.from_numpy((1 - RAMP) * 255)).abs().max() < 2


def test_a_mixed_folder_keeps_its_8_bits(tmp_path):
    top = folder(tmp_path, written(np.full((8, 8), 2000, np.uint16)))
    Image.new("RGB", (8, 8), (10, 20, 30)).save(top / "b.png")
    images = load_images(top, size=8)
    assert images.account.deep == 1
    assert images.pixels[1, :, 0, 0].tolist() == [10, 20, 30]
    assert (images.pixels[0].float() - 2000 * 255 / 4095).abs().max() <= 1


def test_floats_and_whole_numbers_together_are_refused(tmp_path):
    top = folder(tmp_path, written(np.full((8, 8), 2000, np.uint16)), written(np.full((8, 8), 0.5, np.float32)))
    with pytest.raises(DataError, match=r"1\.tif holds floats up to 0\.5 and .*0\.tif whole numbers up to 2000"):
        load_images(top)
    assert load_images(top, size=8, white=4095).shape[0] == 2


def test_a_float_tiff_in_colour_is_named_for_what_it_is(tmp_path):
    top = folder(tmp_path, tiff(np.stack([RAMP] * 3, -1).astype(np.float32)))
    with pytest.raises(DataError, match=r"0\.tif .*a TIFF of 3 x 32 bits, floats, which Pillow does not know"):
        load_images(top)


def test_clear_parts_stay_clear_at_any_white(tmp_path):
    samples = np.full((8, 8, 3), 2000)
    samples[:4] = 700
    clear = chunk(b"tRNS", struct.pack(">HHH", 700, 700, 700))
    (tmp_path / "a.png").write_bytes(png(samples, 16, 2, clear))
    pixels = decode(tmp_path / "a.png", 8, "#ff0000")
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]
    assert (pixels[:, 7, 7].float() - 2000 * 255 / 4095).abs().max() <= 1


def test_the_largest_value_decides():
    for top, white in ((0, 255), (255, 255), (256, 1023), (4003, 4095), (4096, 16383), (70_000, 2**18 - 1)):
        assert white_of([Deep(3, False), Deep(top, False)]) == white
    for top, white in ((0, 1), (0.5, 1), (1.001, 1), (0.02, 0.02), (20, 20), (200, 255), (3000, 4095)):
        assert white_of([Deep(0, True), Deep(top, True)]) == white


def test_a_run_keeps_its_white(tmp_path, capsys):
    top = folder(tmp_path / "mine", *(written(grey(part, 4095, np.uint16)) for part in (1, 0.7, 0.5, 0.2)))
    unseen = folder(tmp_path / "unseen", *(written(grey(part, 4095, np.uint16)) for part in (0.1, 0.2, 0.15, 0.05)))
    train = ["train", "vae", "--size", "16", "--width", "8", "--batch", "4", "--steps", "2", "--threads", "1"]
    for _ in range(2):
        assert main([*train, "--data", str(top), "--out", str(tmp_path / "run")]) == 0
    assert "4 of more than 8 bits, in which 4,095 is white" in capsys.readouterr().out
    assert '"white": 4095.0' in (tmp_path / "run" / "config.json").read_text()
    assert main(["evaluate", str(tmp_path / "run"), "--data", str(unseen), "--n", "4", "--features", "none"]) == 0
