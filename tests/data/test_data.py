"""Loading: every source, every error, and the batches made of them."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from genimg.data.images import Images, batches, to_bytes, to_floats
from genimg.data.sources import data_folder, load_images
from genimg.system.errors import DataError


def test_digits_are_the_real_ones():
    from sklearn.datasets import load_digits

    images = load_images("digits")
    assert images.pixels.shape == (1797, 1, 8, 8)
    assert torch.equal(images.labels, torch.from_numpy(load_digits().target))
    assert np.array_equal(images.pixels[:, 0].numpy(), np.round(load_digits().images * 255 / 16))


@pytest.mark.parametrize("size", [16, 32])
def test_resized_digits_keep_their_mean(size):
    native, resized = load_images("digits").pixels.float(), load_images("digits", size=size).pixels.float()
    assert resized.shape == (1797, 1, size, size)
    assert (native.mean((1, 2, 3)) - resized.mean((1, 2, 3))).abs().mean() < 3


def test_photos():
    images = load_images("photos")
    assert images.pixels.shape == (2, 3, 427, 640)
    assert images.classes == ("china", "flower")
    crops = load_images("photos", size=32, n=20, seed=1)
    assert crops.pixels.shape == (20, 3, 32, 32)
    assert torch.equal(crops.pixels, load_images("photos", size=32, n=20, seed=1).pixels)
    assert not torch.equal(crops.pixels, load_images("photos", size=32, n=20, seed=2).pixels)
    assert load_images("photos", size=512, n=2).pixels.shape == (2, 3, 512, 512)


def test_shapes_come_with_their_factors():
    images = load_images("shapes", size=32, n=12, kinds=("disc", "star"), hues=4, shift=0.05)
    assert images.pixels.shape == (12, 3, 32, 32)
    assert torch.equal(images.labels, images.factors["kind"])
    assert images.factors["x"].abs().max() <= 0.05
    some = images[images.labels == 0]
    assert len(some) == len(some.factors["hue"]) == int((images.labels == 0).sum())


# Sources that fail, each with one error that names the thing and the way out.


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("nowhere/at/all",), {}, "neither a folder nor one of digits"),
        (("digits",), {"size": 4}, "8 to 1024"),
        (("digits",), {"size": 5000}, "8 to 1024"),
        (("digits",), {"size": 16.0}, "whole number"),
        (("digits",), {"n": 0}, "at least 1"),
        (("digits",), {"hues": 3}, "only shapes and folders take options"),
        (("shapes",), {"kinds": ("blob",)}, "blob"),
        (("shapes",), {"wobble": 1}, "wobble"),
        (("digits",), {"seed": "a"}, "seed='a'"),
        ((".",), {"memory": "1"}, "memory='1'"),
        ((".",), {"classes": 3}, "classes=3"),
        ((".",), {"workers": 2}, "folders take background"),
        ((None,), {}, "NoneType is no source of pictures: pass a folder"),
        ((["a.png", "b.png"],), {}, "list is no source of pictures: pass a folder"),
        ((torch.zeros(2, 3, 8, 8),), {}, r"Tensor is no source .* genimg.fit\(model, images\)"),
        ((np.zeros((2, 8, 8, 3)),), {}, "ndarray is no source of pictures: pass a folder"),
    ],
)
def test_bad_arguments(arguments, options, says):
    with pytest.raises(DataError, match=says) as caught:
        load_images(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_offline_and_absent(tmp_path):
    code = "import genimg; genimg.load_images('mnist')"
    nowhere = "http://127.0.0.1:9"  # a port where nothing listens: the download fails at once, network or not
    environment = os.environ | {"GENIMG_DATA": str(tmp_path), "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere}
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "https_proxy"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "DataError: mnist is not in" in last
    assert str(tmp_path) in last
    assert "GENIMG_DATA" in last


def test_mismatched_torchvision_is_one_clear_error(tmp_path):
    # What torchvision built for another torch does on import, reproduced by a package that dies the same way.
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    code = "from genimg.data.augment import augment; augment(flip=True)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert "ImportError: this needs torchvision" in last
    assert "torchvision::nms" in last
    assert "pip install" in last


def test_importing_genimg_needs_neither_torchvision_nor_sklearn():
    code = (
        "import sys\n"
        "for name in ('torchvision', 'sklearn', 'matplotlib', 'PIL', 'tqdm', 'IPython'): sys.modules[name] = None\n"
        "import genimg\n"
        "print(genimg.load_images('shapes', n=3).pixels.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "torch.Size([3, 3, 32, 32])", done.stderr


# Folders.


def save(path, mode="RGB", size=(20, 30), colour=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour or (10, 20, 30)).save(path, **options)


def test_folder_of_any_depth_in_a_fixed_order(tmp_path):
    save(tmp_path / "b.png", colour=(2, 2, 2))
    save(tmp_path / "a" / "deep" / "er.JPEG", colour=(200, 0, 0))
    save(tmp_path / "c.webp", colour=(9, 9, 9), lossless=True)
    (tmp_path / "notes.txt").write_text("no picture")
    images = load_images(tmp_path, size=16)
    assert images.pixels.shape == (3, 3, 16, 16)
    assert [int(p[0].float().mean()) for p in images.pixels[1:]] == [2, 9]
    assert torch.equal(images.pixels, load_images(str(tmp_path), size=16).pixels)


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no pictures in"):
        load_images(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n then nothing"])
def test_corrupt_file_is_named(tmp_path, content):
    save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.png"):
        load_images(tmp_path)


def test_truncated_file_is_named(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:1500])
    with pytest.raises(DataError, match=r"half\.jpg"):
        load_images(tmp_path)


def test_transparency_is_put_on_white(tmp_path):
    save(tmp_path / "clear.png", "RGBA", colour=(0, 0, 0, 0))
    assert (load_images(tmp_path, size=8).pixels == 255).all()


def test_exif_rotation_is_obeyed(tmp_path):
    picture = np.zeros((40, 40, 3), dtype=np.uint8)
    picture[:20] = 255  # white above
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    pixels = load_images(tmp_path, size=8).pixels[0].float()
    assert pixels[:, :3].mean() < 20 < 200 < pixels[:, 5:].mean()


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    Image.fromarray(np.full((16, 16), 32768, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert (load_images(tmp_path, size=8).pixels.float() - 127.5).abs().max() <= 1


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    mode=st.sampled_from(["L", "RGB", "RGBA"]),
    grey=st.integers(0, 255),
    size=st.integers(8, 64),
    suffix=st.sampled_from([".png", ".bmp", ".tiff", ".PNG"]),
)
def test_any_flat_picture_keeps_its_colour(tmp_path_factory, width, height, mode, grey, size, suffix):
    folder = tmp_path_factory.mktemp("folder")
    colour = {"L": grey, "RGB": (grey, 7, 250), "RGBA": (grey, 7, 250, 255)}[mode]
    Image.new(mode, (width, height), colour).save(folder / f"picture{suffix}")
    pixels = load_images(folder, size=size, channels=3).pixels
    assert pixels.shape == (1, 3, size, size)
    wanted = torch.tensor([grey] * 3 if mode == "L" else [grey, 7, 250], dtype=torch.uint8)
    assert (pixels == wanted.view(1, 3, 1, 1)).all()


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 60), size=st.integers(8, 40), seed=st.integers(0, 1000))
def test_any_number_of_digits(n, size, seed):
    images = load_images("digits", size=size, n=n, seed=seed)
    assert images.pixels.shape == (n, 1, size, size)
    assert len(images.labels) == n
    assert torch.equal(images.pixels, load_images("digits", size=size, n=n, seed=seed).pixels)


def test_pictures_say_what_they_are_in_a_line():
    digits = load_images("digits", n=50)
    assert repr(digits) == "Images(50 pictures, 8x8, grey, from digits)"
    assert repr(digits[:3]) == "Images(3 pictures, 8x8, 1 channel)"
    assert repr(load_images("shapes", 16, 1)) == "Images(1 picture, 16x16, colour, from shapes)"


# Splits, floats, batches.


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 80), share=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_split_puts_every_picture_in_one_side(n, share, seed):
    images = Images(torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 8, 8), torch.arange(n))
    if not 0 < round(share * n) < n:
        with pytest.raises(DataError, match="empty"):
            images.split(share, seed)
        return
    train, test = images.split(share, seed)
    assert sorted(train.labels.tolist() + test.labels.tolist()) == list(range(n))
    assert torch.equal(train.pixels[:, 0, 0, 0].long(), train.labels)


def test_split_obeys_its_seed():
    images = load_images("digits", n=100)
    assert torch.equal(images.split(seed=1)[1].pixels, images.split(seed=1)[1].pixels)
    assert not torch.equal(images.split(seed=1)[1].pixels, images.split(seed=2)[1].pixels)


def test_floats_and_bytes_invert_each_other():
    levels = torch.arange(256, dtype=torch.uint8)
    floats = to_floats(levels)
    assert floats.min() == -1
    assert floats.max() == 1
    assert torch.equal(to_bytes(floats), levels)
    assert torch.equal(to_bytes(torch.tensor([-3.0, 3.0])), torch.tensor([0, 255], dtype=torch.uint8))


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 30), batch=st.integers(1, 40), seed=st.integers(0, 99))
def test_each_epoch_shows_every_picture_once(n, batch, seed):
    pixels = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 8, 8).contiguous()
    epochs = 3
    stream = batches(pixels, batch, seed=seed)
    drawn = torch.cat([next(stream) for _ in range(-(-epochs * n // batch))])
    assert drawn.min() >= -1
    assert drawn.max() <= 1
    seen = to_bytes(drawn[:, 0, 0, 0]).tolist()[: epochs * n]
    for epoch in range(epochs):
        assert sorted(seen[epoch * n : (epoch + 1) * n]) == list(range(n))


def test_batches_obey_their_seed():
    pixels = load_images("digits").pixels
    first, again, other = (torch.cat(list(itertools.islice(batches(pixels, 50, seed=s), 40))) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[:203], first[1797:])  # the second epoch has an order of its own


def test_labels_go_with_their_pictures():
    digits = load_images("digits", 8)
    pairs = batches(digits, 64, seed=5, labelled=True)
    plain = batches(digits, 64, seed=5)
    known = {picture.numpy().tobytes(): label for picture, label in zip(digits.pixels, digits.labels, strict=True)}
    for _ in range(40):  # into a second epoch
        x, labels = next(pairs)
        assert torch.equal(x, next(plain))
        assert [known[p.numpy().tobytes()] for p in to_bytes(x)] == labels.tolist()
    with pytest.raises(DataError, match="no labels"):
        next(batches(digits.pixels, 8, labelled=True))


@pytest.mark.parametrize("wrong", [torch.zeros(3, 1, 8, 8), torch.zeros(0, 1, 8, 8, dtype=torch.uint8)])
def test_batches_refuse_floats_and_nothing(wrong):
    with pytest.raises(DataError, match="uint8"):
        next(batches(wrong, 2))


def test_downloads_go_where_the_reader_says(monkeypatch, tmp_path):
    monkeypatch.setenv("GENIMG_DATA", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"
    monkeypatch.delenv("GENIMG_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "genimg"
