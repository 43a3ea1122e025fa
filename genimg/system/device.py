"""The machine: what it is called, which number format it is fast at, seeds, processor seconds, memory."""

import os
import platform
import random
import sys
from pathlib import Path

import numpy as np
import torch

#: Number formats that convolutions and dense layers may compute in.
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def device_name(device: torch.device | str) -> str:
    """What a person would call the device."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def fast_dtype(device: torch.device | str) -> torch.dtype:
    """The number format of convolutions and dense layers: `GENIMG_PRECISION`, or else what the device is fast at.

    That is bfloat16 where the hardware multiplies it faster than float32, on a CPU with AVX512-BF16 or AMX: elsewhere
    bfloat16 is emulated and slower.

    Raises:
        ValueError: `GENIMG_PRECISION` is neither float32 nor bfloat16.
    """
    asked = os.environ.get("GENIMG_PRECISION")
    if asked:
        if asked not in PRECISIONS:
            raise ValueError(
                f"GENIMG_PRECISION is {asked!r}; it may be float32 or bfloat16, or unset to let the device decide"
            )
        return PRECISIONS[asked]
    device = torch.device(device)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    has = any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return torch.bfloat16 if has else torch.float32


def not_taken() -> str | None:
    """A line on an Apple GPU that is there but is taken only when asked for; None where there is none, or a better one.

    What it computes has been compared with a processor's nowhere yet: a test does it wherever there is one, and
    GENIMG_DEVICE=mps pytest tests/test_gpu.py does more of it.
    """
    if torch.cuda.is_available() or not torch.backends.mps.is_available():
        return None
    return "the Apple GPU here is not used, as nobody has yet compared what it computes; --device mps tries it"


def precision_name(device: torch.device | str) -> str:
    """Either "float32" or "bfloat16": what `fast_dtype` takes on the device."""
    return str(fast_dtype(device)).removeprefix("torch.")


def cpu_seconds() -> float:
    """Seconds that processors have worked for this process, and for the programs it started and waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_memory_gb() -> float:
    """Peak resident memory of this process in GB (10^9 bytes); NaN where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9
