"""The part that checks the device: the package's tests on it, and what only CUDA has, tried once each."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from genimg.book.gpu.parts import Job
from genimg.book.records import Results
from genimg.models.gan import GAN
from genimg.system import distributed

#: Where the package's tests of a device are, in a checkout.
TESTS = Path(__file__).parents[3] / "tests" / "test_gpu.py"


def checks(job: Job) -> tuple[Results, dict[str, Tensor]]:
    """The package's tests that touch a device, and what only CUDA has, tried once each."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "--noconftest", "-m", "gpu", str(TESTS)]
    environment = {"PYTHONPATH": str(TESTS.parents[1]), "GENIMG_DEVICE": str(job.device)}
    said = _run([*command, "-p", "no:cacheprovider"], environment, max(120.0, 3 * job.seconds))
    results: Results = {"tests": [{"summary": said, "seconds": time.perf_counter() - started}]}
    for name, attempt in PATHS.items():
        results[name] = [{"summary": attempt(job) if job.device.type == "cuda" else "not tried"}]
    return results, {}


def _run(command: list[str], environment: dict[str, str], timeout: float) -> str:
    """The last line that a program says, and the first lines of a failure."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"stopped after {timeout:.0f} s"
    lines = (done.stdout + done.stderr).strip().splitlines() or ["said nothing"]
    failures = [line[:200] for line in lines if line.startswith(("FAILED", "ERROR"))][:20]
    return "; ".join([lines[-1][:200], *failures]) + (f" (exit code {done.returncode})" if done.returncode else "")


def _nccl(job: Job) -> str:
    """One process under torchrun, batch norm over all processes among its networks."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1", "-m", "genimg"]
        options = "train gan --data shapes --n 64 --size 32 --width 8 --batch 16 --steps 4".split()
        said = _run([*command, *options, "--out", f"{out}/run"], {"PYTHONPATH": str(TESTS.parents[1])}, 120)
    return said


def _synchronised_batch_norm(job: Job) -> str:
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group("nccl", init_method=f"file://{folder}/met", rank=0, world_size=1)
        try:
            layer = torch.nn.BatchNorm2d(4).to(job.device)
            together = torch.nn.SyncBatchNorm.convert_sync_batchnorm(layer)
            x = torch.randn(8, 4, 5, 5, device=job.device)
            apart = (together(x) - torch.nn.BatchNorm2d(4).to(job.device)(x)).abs().max().item()
            return f"differs by {apart:.1e} from batch norm; {distributed.size()} process"
        finally:
            torch.distributed.destroy_process_group()


def _pinned(job: Job) -> str:
    source = torch.randint(256, (64, 3, 128, 128), dtype=torch.uint8).pin_memory()
    there = source.to(job.device, non_blocking=True)
    torch.cuda.synchronize(job.device)
    return f"{(there.cpu() == source).float().mean().item():.0%} of the bytes arrived"


def _compiled(job: Job) -> str:
    model = GAN(32, 3, z_dim=16, width=8, d_width=8, max_width=32).to(job.device).eval()
    z = torch.randn(4, 16, device=job.device)
    with torch.no_grad():
        apart = (torch.compile(model.generator)(z) - model.generator(z)).abs().max().item()
    return f"differs by {apart:.1e} from the plain network"


def _graphed(job: Job) -> str:
    model = GAN(32, 3, z_dim=16, width=8, d_width=8, max_width=32).to(job.device).eval()
    z = torch.randn(4, 16, device=job.device)
    with torch.no_grad():
        for _ in range(3):
            plain = model.generator(z)
        torch.cuda.synchronize(job.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            x = model.generator(z)
        graph.replay()
    return f"differs by {(x - plain).abs().max().item():.1e} from the plain network"


def _told(attempt: Callable[[Job], str]) -> Callable[[Job], str]:
    """The attempt, with what it raises in words: the other parts go on."""

    def told(job: Job) -> str:
        try:
            return attempt(job)
        except Exception as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"

    return told


#: What only CUDA has, by name, as functions of a Job that try it and say what came of it.
PATHS = {
    "nccl, one process": _told(_nccl),
    "batch norm over processes": _told(_synchronised_batch_norm),
    "pinned transfers": _told(_pinned),
    "torch.compile": _told(_compiled),
    "CUDA graphs": _told(_graphed),
}
