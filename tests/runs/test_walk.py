"""Pictures from a run to be shown: walks, rows between two, enlarged, one by one."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from genimg.__main__ import main
from genimg.data.find import find
from genimg.data.images import Images, to_bytes
from genimg.measure import features
from genimg.runs import run as runs
from genimg.runs import walk
from genimg.runs.pictures import load_pictures
from genimg.system import files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("walks") / "a"
    small = ["--data", "digits", "--size", "8", "--width", "4", "--batch", "4", "--steps", "2", "--threads", "1"]
    assert main(["train", "gan", *small, "--out", str(out)]) == 0
    return out


def refusal(capsys, arguments):
    capsys.readouterr()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def frames(path):
    with Image.open(path) as picture:
        assert picture.info["loop"] == 0
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)])


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_walk_comes_through_each_z_is_closed_and_smooth(n):
    z = torch.randn(n, 400, generator=torch.Generator().manual_seed(0))
    way = torch.stack(list(walk.through(z, 40)))  # (n, 40, 400)
    assert torch.allclose(way[:, 0], z, atol=1e-5)
    way = way.flatten(0, 1)
    lengths = way.norm(dim=1)
    assert (lengths / 20 - 1).abs().max() < 0.15  # as long as draws are: the square root of 400
    if n == 2:  # there and back along one arc
        return
    steps = torch.cat([way, way[:2]]).diff(dim=0)  # with the step from the last point to the first
    sizes = steps.norm(dim=1)
    assert sizes.max() < 2.5 * sizes.mean() and sizes.min() > 0.2 * sizes.mean()  # it neither jumps nor stops
    turns = torch.nn.functional.cosine_similarity(steps[1:], steps[:-1])
    assert turns.min() > 0.95  # nor turns a corner


def test_a_walk_of_pictures_and_pairs_of_a_corner_turn():
    """The same measure finds the corners of arcs laid end to end."""
    from genimg import plots

    z = torch.randn(5, 400, generator=torch.Generator().manual_seed(0))
    way = torch.cat([plots.between(z[i], z[(i + 1) % 5], 41)[:-1] for i in range(5)])
    steps = way.diff(dim=0)
    assert torch.nn.functional.cosine_similarity(steps[1:], steps[:-1]).min() < 0.8


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_a_walk_is_one_moving_picture(ending, run, tmp_path, capsys):
    out = tmp_path / f"walk.{ending}"
    line = ["sample", str(run), "--walk", str(out), "--n", "3", "--seconds", "0.4", "--scale", "4", "--seed", "2"]
    assert main(line) == 0
    assert capsys.readouterr().out.strip() == str(out)
    model, _ = runs.load(run)
    z = torch.cat(list(walk.through(model.noise_for(3, 2), 10)))
    expected = to_bytes(model.sample(z=z)).repeat_interleave(4, 2).repeat_interleave(4, 3)
    expected = expected.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    found = frames(out)
    if ending == "webp":
        assert np.array_equal(found, expected)
    else:  # frames like the one before are kept as a longer time
        assert found.shape[1:] == (32, 32, 3) and len(found) <= 30
        assert np.abs(found[0].astype(int) - expected[0]).max() <= 2
    with Image.open(out) as picture:
        picture.load()
        assert picture.info["duration"] % 40 == 0
    assert "--overwrite" in refusal(capsys, line)
    assert main([*line, "--overwrite"]) == 0


#: Stands in for ffmpeg: keeps what it was told and what it was given, and writes a file.
STAND_IN = """#!{python}
import sys
from pathlib import Path
place = Path(__file__).parent
(place / "told").write_text(" ".join(sys.argv[1:]))
(place / "given").write_bytes(sys.stdin.buffer.read())
Path(sys.argv[-1]).write_bytes(b"a video")
"""


def program(folder, text):
    (folder / "ffmpeg").write_text(text.format(python=sys.executable))
    (folder / "ffmpeg").chmod(0o755)
    return str(folder / "ffmpeg")


def test_a_video_is_made_of_the_frames_of_the_walk(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(walk, "ffmpeg", lambda: program(tmp_path, STAND_IN))
    line = ["sample", str(run), "--n", "3", "--seconds", "0.2", "--seed", "2", "--walk"]
    assert main([*line, str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes() == b"a video"
    assert main([*line, str(tmp_path / "a.webp")]) == 0
    assert (tmp_path / "given").read_bytes() == frames(tmp_path / "a.webp").tobytes()
    assert "-s 8x8 -r 25 " in (tmp_path / "told").read_text()


@pytest.mark.parametrize("text", ["#!{python}\nimport sys\nsys.exit('no such encoder')\n", "#!/no/such/program\n"])
def test_a_program_that_fails_is_one_line_and_leaves_nothing(text, run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(walk, "ffmpeg", lambda: program(tmp_path, text))
    said = refusal(capsys, ["sample", str(run), "--n", "2", "--seconds", "0.2", "--walk", str(tmp_path / "a.mp4")])
    assert "ffmpeg could not make the video (" in said and ("no such encoder" in said or "No such file" in said)
    assert not (tmp_path / "a.mp4").exists()


def test_a_video_plays_its_frames(run, tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    line = ["sample", str(run), "--n", "2", "--seconds", "0.4", "--scale", "5", "--walk"]
    assert main([*line, str(tmp_path / "a.mp4")]) == 0 and main([*line, str(tmp_path / "a.webp")]) == 0
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    about = next(reader)
    assert about["fps"] == walk.RATE and about["size"] == (40, 40)
    found = np.stack([np.frombuffer(frame, np.uint8).reshape(40, 40, 3) for frame in reader])
    expected = frames(tmp_path / "a.webp")
    assert len(found) == 20
    assert np.abs(found.astype(int) - expected[: len(found)]).mean() < 6


def test_a_walk_as_frames(run, tmp_path):
    line = ["sample", str(run), "--n", "2", "--seconds", "0.2", "--each", "--walk", str(tmp_path / "frames")]
    assert main(line) == 0
    names = sorted(file.name for file in (tmp_path / "frames").iterdir())
    assert names == [f"{i:02d}.png" for i in range(10)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--walk", "walk.mp4"], ["--walk walk.mp4", "pip install imageio-ffmpeg", ".gif and .webp"]),
        (["--walk", "walk"], ["--walk walk", ".gif, .webp, .mp4", "--each"]),
        (["--walk", "a.gif", "--out", "b.gif"], ["leave out --out"]),
        (["--walk", "a.gif", "--each"], ["--walk a.gif", "folder"]),
        (["--walk", "a.gif", "--n", "1"], ["--n 1", "two pictures"]),
        (["--walk", "a.gif", "--seconds", "nan"], ["--seconds nan", "to 60"]),
        (["--walk", "a.gif", "--seconds", "0"], ["--seconds 0", "to 60"]),
        (["--scale", "65"], ["--scale 65", "from 1 to 64"]),
    ],
)
def test_what_cannot_be_written_is_said(options, said, run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(walk, "ffmpeg", lambda: None)
    line = refusal(capsys, ["sample", str(run), *options])
    assert all(word in line for word in said), line
    assert not list(tmp_path.iterdir())


def test_an_enlarged_grid_shows_each_pixel_as_a_square(run, tmp_path):
    for scale in ("1", "5"):
        assert main(["sample", str(run), "--n", "6", "--scale", scale, "--out", str(tmp_path / f"{scale}.png")]) == 0
    assert np.array_equal(pixels(tmp_path / "1.png").repeat(5, 0).repeat(5, 1), pixels(tmp_path / "5.png"))


def test_rows_between_two_and_their_single_pictures_are_the_same(run, tmp_path):
    line = ["sample", str(run), "--interpolate", "--n", "3", "--columns", "70", "--seed", "4"]
    assert main([*line, "--out", str(tmp_path / "rows.png")]) == 0
    assert main([*line, "--each", "--out", str(tmp_path / "each")]) == 0
    rows = pixels(tmp_path / "rows.png")
    assert rows.shape == (3 * 9 - 1, 70 * 9 - 1, 3)
    files = sorted((tmp_path / "each").iterdir())
    assert len(files) == 210
    for i in (0, 1, 69, 70, 209):
        top, left = i // 70 * 9, i % 70 * 9
        assert np.array_equal(pixels(files[i]), rows[top : top + 8, left : left + 8])


def test_what_was_drawn_is_not_taken_for_data(run, tmp_path):
    for name in ("walk.gif", "walk.webp"):
        assert main(["sample", str(run), "--walk", str(tmp_path / name), "--n", "2", "--seconds", "0.1"]) == 0
    for ending in files.PICTURES:
        out = tmp_path / f"grid{ending}"
        assert main(["sample", str(run), "--n", "2", "--scale", "2", "--out", str(out)]) == 0
        with Image.open(out) as grid:
            assert (grid.format, grid.size) == (files.PICTURES[ending], (142, 16))
    for ending in (".gif", *files.PICTURES):
        Image.new("RGB", (20, 20), "red").save(tmp_path / f"own{ending}")
    found = find(tmp_path)
    assert sorted(file.rpartition("/")[2] for file in found.files) == [
        "own.gif", "own.jpeg", "own.jpg", "own.png", "own.webp",
    ]  # fmt: skip
    assert found.passed == {"drawn by genimg": 6}


def test_the_best_are_picked_and_said_to_be(run, tmp_path, capsys):
    line = ["sample", str(run), "--n", "80", "--seed", "3", "--each"]
    assert main([*line, "--out", str(tmp_path / "all")]) == 0
    assert main([*line, "--best", "5", "--out", str(tmp_path / "best")]) == 0
    assert "picked: the 5 of 80 samples" in capsys.readouterr().err
    drawn, best = ([pixels(file) for file in sorted((tmp_path / name).iterdir())] for name in ("all", "best"))
    model, recipe = runs.load(run)
    images, _ = load_pictures(recipe)
    held_out = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[: recipe.held_out]]
    extractor = features.load(features.ANY)

    def away(pictures):
        x = torch.from_numpy(np.stack(pictures))[..., :1].permute(0, 3, 1, 2).contiguous()
        return torch.cdist(extractor(Images(x)).double(), extractor(held_out).double()).amin(1)

    assert torch.allclose(away(best), away(drawn).sort().values[:5], rtol=1e-3)


def test_what_cannot_be_picked_is_said(run, tmp_path, capsys):
    out = ["--out", str(tmp_path / "a.png")]
    assert "from 1 to --n, 4" in refusal(capsys, ["sample", str(run), "--n", "4", "--best", "5", *out])
    other = tmp_path / "none"
    small = ["--data", "digits", "--size", "8", "--width", "4", "--batch", "4", "--steps", "2", "--held-out", "0"]
    assert main(["train", "vae", *small, "--out", str(other)]) == 0
    assert "holds no pictures out" in refusal(capsys, ["sample", str(other), "--best", "2", *out])
    assert not (tmp_path / "a.png").exists()
