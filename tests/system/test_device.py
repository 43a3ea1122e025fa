"""The machine: seeds, the number format that it is fast at, memory."""

import os

import torch

from genimg.__main__ import main
from genimg.system import device


def test_fast_dtype_is_only_claimed_where_the_processor_has_it(monkeypatch):
    monkeypatch.delenv("GENIMG_PRECISION", raising=False)
    dtype = device.fast_dtype("cpu")
    flags = open("/proc/cpuinfo").read() if os.path.exists("/proc/cpuinfo") else ""
    if flags:
        assert (dtype == torch.bfloat16) == ("avx512_bf16" in flags or "amx_tile" in flags)


def test_an_apple_gpu_that_is_not_taken_is_told(monkeypatch, tmp_path, capsys):
    arguments = ["sample", str(tmp_path / "none"), "--n", "1"]
    assert device.not_taken() is None or torch.backends.mps.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for there, lines in ((False, 1), (True, 2)):
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=there: there)
        assert main(arguments) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == lines and ("--device mps tries it" in said[0]) == there
    assert main([*arguments, "--device", "cpu"]) == 2
    assert "mps" not in capsys.readouterr().err
