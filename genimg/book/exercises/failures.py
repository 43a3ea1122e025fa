"""Exercises of the chapter on failures."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, word


@exercise("12.1", '"yes" or "no", and the median over three starts of spread at the end, with momentum and penalties')
def penalties(cured: str, spread: Number) -> str | None:
    cured, spread = word(cured, "yes", "no"), number_of(spread)
    if spread > 5 or spread < 0:
        return "a spread is a ratio of two deviations: 0 if all pictures are the same, about 1 if all is well"
    if spread > 0.5:
        return f"a spread of {spread:.2f} is not that of this run: was the momentum left in (betas=(0.95, 0.99))"
    if cured == "yes":
        return f"the spread is {spread:.2f}, and 1 is right: look at the pictures before you call that cured"
    return None


@exercise("12.2", "a function (logits_real, logits_fake) -> share, and the share for N(1, 1) against N(-1, 1)")
def told_apart(function: Callable[[Tensor, Tensor], Number], share: Number) -> str | None:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 500, generator=generator)
    right = (real > fake).double().mean().item()
    answer = float(function(real.clone(), fake.clone()))
    if close(answer, 1 - right, absolute=1e-6):
        return "the function counts the pairs in which the generated picture has the larger logit"
    accuracy = 0.5 * ((real > 0).double().mean() + (fake < 0).double().mean()).item()
    if close(answer, accuracy, absolute=1e-6):
        return "the function compares each logit with 0; a pair is compared with each other"
    if not close(answer, right, absolute=1e-6):
        return f"of 500 pairs the function finds {answer:g} told apart where {right:g} are"
    limit = 0.5 * (1 + math.erf(1))  # Phi(2 / sqrt(2))
    if close(share, 0.5 * (1 + math.erf(1 / math.sqrt(2))), absolute=0.004):
        return "the function is right; the share is that of logits on the right side of 0, not of pairs"
    if close(share, 0.5 * (1 + math.erf(2 / math.sqrt(2))), absolute=0.004):
        return "the function is right; for the share: the difference of two unit normals has a variance of 2, not 1"
    if not close(share, limit, absolute=0.004):
        return "the function is right; for the share, ask how the difference of the two logits is distributed"
    return None


@exercise("12.3", "sigma, and how many times as much the KL weighs as with sigma 0.1")
def mean_over_pixels(sigma: Number, factor: Number) -> str | None:
    dims = 3 * 64 * 64
    if close(sigma, math.sqrt(64 * 64 / 2), relative=0.01):
        return "that is for one colour: a picture has three numbers a pixel"
    if close(sigma, dims / 2, relative=0.01):
        return "that is sigma squared"
    if close(sigma, math.sqrt(dims), relative=0.01):
        return "the Gaussian's exponent has 2 sigma squared under the error"
    if not close(sigma, math.sqrt(dims / 2), relative=0.01):
        return "set error / D equal to error / (2 sigma^2), D the numbers in a picture"
    if close(factor, math.sqrt(dims / 2) / 0.1, relative=0.02):
        return "sigma is right; the weight of the KL goes with its square"
    if not close(factor, dims / 2 / 0.01, relative=0.02):
        return "sigma is right; multiply both losses by their sigma squared and compare what stands before the KL"
    return None


@exercise("12.4", "a function steps -> list of diagnoses, and the least number of steps with an empty list")
def steps(diagnoses: Callable[[int], Sequence[object]], n: Number) -> str | None:
    n = int(number_of(n))
    if n < 2:
        return "one step is what the figure shows to fail"
    if diagnoses(n):
        return f"with {n} steps it still says: {diagnoses(n)[0]}"
    if not diagnoses(n - 1):
        return f"with {n - 1} steps it is silent already"
    return None


@exercise("12.5", "the folder that holds report.md and the pictures that it shows")
def capstone(folder: str | os.PathLike[str]) -> str | None:
    import re

    folder = Path(folder)
    if not (folder / "report.md").is_file():
        return f"there is no report.md in {folder}"
    text = (folder / "report.md").read_text("utf-8")
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    missing = [name for name in shown if not (folder / name).is_file()]
    if missing:
        return f"the report shows {missing[0]}, which is not there"
    if len(set(shown)) < 3:
        return f"it shows {len(set(shown))} pictures: samples, data, and the nearest training pictures belong in it"
    from PIL import Image

    for name in shown:
        with Image.open(folder / name) as picture:
            low, high = cast(tuple[int, int], picture.convert("L").getextrema())
        if high - low < 8:
            return f"{name} is one even colour"
    wanted = {
        "how many pictures": r"\d+ pictures", "how many steps": r"[\d,]+ steps", "the seed": r"seed",
        "the distance to the nearest training picture (rms)": r"rms\b.*\d", "what diagnose says": r"(?i)diagnos",
        "what to do next": r"(?im)^#+ next",
    }  # fmt: skip
    for what, pattern in wanted.items():
        if not re.search(pattern, text):
            return f"the report does not tell {what}"
    return None
