"""Several processes as torchrun starts them: the same weights as one process, and an end when one of them dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from genimg import vae
from genimg.__main__ import main
from genimg.data.sources import load_images
from genimg.runs.kept import CHECKPOINT, PREVIOUS, read_config
from genimg.runs.recipes import Recipe
from genimg.runs.run import train
from genimg.system import distributed, files
from genimg.system.device import seed_everything
from genimg.system.errors import RunError
from genimg.training.loop import Training

PAIR = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
TORCHRUN = [*PAIR, "-m", "genimg"]
COMMON = ["--data", "digits", "--batch", "8", "--device", "cpu", "--threads", "1", "--precision", "float32"]
# Not the relativistic loss: D's last bias cancels in it, and Adam steps by a full rate along what is rounding alone.
BOOK = {
    "vae": ["vae", "--size", "16", "--width", "8", "--steps", "12"],
    "gan": [
        "gan", "--size", "16", "--width", "8", "--steps", "12", "--norm", "group", "--r1", "0.5",
        "--loss", "non_saturating",
    ],
    "flow": ["flow", "--size", "16", "--width", "8", "--steps", "12"],
    # A low rate: the flow's blocks start at zero, so the first gradients behind them are rounding to Adam.
    "latent": ["latent", "--size", "16", "--width", "8", "--steps", "12", "--lr", "2e-4"],
}  # fmt: skip

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available() or torch.cuda.is_available(),
    reason="two processes on the CPU with gloo",
)


def together(arguments, out, save_every=6, command=TORCHRUN):
    return subprocess.Popen(
        [*command, "train", *arguments, *COMMON, "--out", str(out), "--save-every", str(save_every)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def ended(process, seconds=180):
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


@pytest.mark.parametrize("name", list(BOOK))
def test_two_processes_give_the_weights_of_one(name, tmp_path):
    pair = together(BOOK[name], tmp_path / "two")
    assert main(["train", *BOOK[name], *COMMON, "--out", str(tmp_path / "one"), "--save-every", "6"]) == 0
    _, errors = ended(pair)
    assert pair.returncode == 0, errors
    one, two = (files.read_tensors(tmp_path / n / CHECKPOINT)["training"] for n in ("one", "two"))
    assert one["model"].keys() == two["model"].keys()
    moved = 0.0
    torch.manual_seed(0)
    begun = read_config(tmp_path / "one")
    seed_everything(begun.seed)
    start = begun.build().state_dict()
    for key, value in one["model"].items():
        assert (value - two["model"][key]).abs().max() < 1e-5, key
        if key in start and value.is_floating_point():
            moved = max(moved, (value - start[key]).abs().max().item())
    assert moved > 1e-3  # it is training that agrees, not standing still
    assert one["history"]["steps"] == two["history"]["steps"]
    for series, values in one["history"]["values"].items():
        assert two["history"]["values"][series] == pytest.approx(values, rel=1e-4, abs=1e-5)
    assert {f.name for f in (tmp_path / "one").iterdir()} == {f.name for f in (tmp_path / "two").iterdir()}
    for row in ("config.json", "samples/data.png"):
        assert (tmp_path / "one" / row).read_bytes() == (tmp_path / "two" / row).read_bytes()


def workers(launcher):
    """Process ids of a launcher's workers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == launcher.pid:
            found.append(int(folder.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_that_dies_ends_the_run_and_the_checkpoint_goes_on(tmp_path):
    out, steps = tmp_path / "a", ["gan", "--size", "8", "--width", "4", "--norm", "group", "--steps"]
    pair = together([*steps, "100000"], out, save_every=10)
    deadline = time.monotonic() + 120
    while not (out / PREVIOUS).exists():
        assert pair.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    last = max(workers(pair))
    os.kill(last, signal.SIGKILL)
    _, errors = ended(pair, 90)
    assert pair.returncode not in (0, None)
    assert not [pid for pid in workers(pair) if pid == last]
    state = files.read_tensors(out / CHECKPOINT)["training"]
    assert state["step"] % 10 == 0 and state["step"] >= 20
    alone = together([*steps, "100000"], out, save_every=10, command=[sys.executable, "-m", "genimg"])
    told = []
    while not told or files.read_tensors(out / CHECKPOINT)["training"]["step"] <= state["step"]:
        told.append(1)
        assert alone.poll() is None and time.monotonic() < deadline + 120
        time.sleep(0.3)
    alone.send_signal(signal.SIGINT)
    shown, errors = ended(alone)
    assert alone.returncode == 130, errors
    assert f"going on from step {state['step']:,}" in shown


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(distributed, "size", lambda: 2)
    with pytest.raises(RunError, match="--batch 7 cannot be shared by 2 processes evenly"):
        train(Recipe("vae", "digits", size=8, batch=7, steps=2), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def trained(**options):
    """A VAE after a few steps, in however many processes there are."""
    seed_everything(3)
    model = vae.VAE(size=8, z_dim=4, width=8, **options)
    start = model.log_sigma.item()
    training = Training(model, load_images("digits", 8, 100), steps=12, batch=8, device="cpu", dtype=torch.float32)
    while training.step < training.steps:
        training.advance()
    assert abs(model.log_sigma.item() - start) > 1e-3
    return model.state_dict()


WORKER = """import sys, torch
sys.path.insert(0, FOLDER)
from test_distributed import trained
from genimg.system import distributed

with distributed.joined():
    state = trained(**OPTIONS)
    assert distributed.size() == 2
    torch.save(state, f"{sys.argv[1]}/{distributed.rank()}.pt")
"""


@pytest.mark.parametrize("options", [{"sigma": "learned"}, {"likelihood": "logistic"}], ids=["gaussian", "logistic"])
def test_two_processes_learn_the_sigma_of_one(options, tmp_path):
    """A parameter that is no network's: its gradient is averaged with those of the networks."""
    worker = WORKER.replace("FOLDER", repr(str(Path(__file__).parent))).replace("OPTIONS", repr(options))
    (tmp_path / "worker.py").write_text(worker)
    pair = subprocess.Popen(
        [*PAIR, str(tmp_path / "worker.py"), str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    one = trained(**options)
    _, errors = ended(pair)
    assert pair.returncode == 0, errors
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert one.keys() == first.keys() and "log_sigma" in one
    for key, value in one.items():
        assert (value - first[key]).abs().max() < 1e-5, key
        assert torch.equal(first[key], second[key]), key


def test_processes_share_the_rows_of_one_draw(monkeypatch):
    def drawn(rank, size):
        monkeypatch.setattr(distributed, "rank", lambda: rank)
        monkeypatch.setattr(distributed, "size", lambda: size)
        generator = torch.Generator().manual_seed(5)
        return distributed.rows(lambda n: torch.randn(n, 3, generator=generator), 12 // size)

    whole = drawn(0, 1)
    for size in (2, 3, 4):
        assert torch.equal(torch.cat([drawn(rank, size) for rank in range(size)]), whole)


def test_processes_share_the_rows_of_several_tensors_drawn_together(monkeypatch):
    def draw(n):
        return torch.arange(n), 10 * torch.arange(n).unsqueeze(1)

    monkeypatch.setattr(distributed, "rank", lambda: 1)
    monkeypatch.setattr(distributed, "size", lambda: 3)
    rows, tens = distributed.rows(draw, 2)
    assert rows.tolist() == [2, 3] and tens.tolist() == [[20], [30]]


def test_alone_nothing_is_shared():
    assert (distributed.rank(), distributed.size()) == (0, 1)
    value = torch.ones(2)
    assert distributed.mean(value) is value
    assert distributed.any_true(1) is True
    with distributed.joined() as device:
        assert device is None
