"""Right and plausible wrong answers to the exercises of the chapter on failures."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def told_apart(logits_real, logits_fake):
    return (logits_real > logits_fake).float().mean()


def turned(logits_real, logits_fake):
    return (logits_fake > logits_real).float().mean()


def accuracy(logits_real, logits_fake):
    return 0.5 * ((logits_real > 0).float().mean() + (logits_fake < 0).float().mean())


def report(leave_out=None, pictures=3, even=False):
    folder = Path(tempfile.mkdtemp())
    parts = {
        "about": "A GAN for 300 pictures, 300 steps, seed 0.",
        "shown": " ".join(f"![picture]({i}.png)" for i in range(pictures)),
        "numbers": "- rms: 0.12\n- rms_real: 0.11",
        "diagnosis": "## Diagnosis\n\nnothing found",
        "next": "## Next\n\nMore steps.",
    }
    noise = np.random.default_rng(0).integers(0, 255, (8, 8), dtype=np.uint8)
    for i in range(pictures):
        Image.fromarray(np.zeros_like(noise) if even else noise).save(folder / f"{i}.png")
    if leave_out != "file":
        text = "\n\n".join(part for name, part in parts.items() if name != leave_out)
        (folder / "report.md").write_text(text, encoding="utf-8")
    return folder


def silent_from(least):
    return lambda steps: [] if steps >= least else ["too few steps: ..."]


ANSWERS = {
    "12.1": (("no", 0.03), [("yes", 0.03), ("no", 0.97), ("no", 30.0)]),
    "12.2": (
        (told_apart, 0.9214),
        [(turned, 0.9214), (accuracy, 0.9214), (told_apart, 0.8413), (told_apart, 0.9772), (told_apart, 0.5)],
    ),
    "12.3": ((78.4, 614_400), [(45.3, 614_400), (6144, 614_400), (110.9, 614_400), (78.4, 784), (78.4, 6144)]),
    "12.4": ((silent_from(3), 3), [(silent_from(3), 2), (silent_from(3), 4), (silent_from(3), 1)]),
    "12.5": (
        (report(),),
        [(report("file"),), (report("numbers"),), (report("diagnosis"),), (report(pictures=2),), (report(even=True),)],
    ),
}
