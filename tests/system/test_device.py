"""The machine: seeds, the number format that it is fast at, memory."""

import os

import torch

from genimg.system import device


def test_fast_dtype_is_only_claimed_where_the_processor_has_it(monkeypatch):
    monkeypatch.delenv("GENIMG_PRECISION", raising=False)
    dtype = device.fast_dtype("cpu")
    flags = open("/proc/cpuinfo").read() if os.path.exists("/proc/cpuinfo") else ""
    if flags:
        assert (dtype == torch.bfloat16) == ("avx512_bf16" in flags or "amx_tile" in flags)
