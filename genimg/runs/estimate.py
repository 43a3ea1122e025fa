"""What a run is going to take, said before and soon after its first step."""

import torch

from genimg.models.model import Model
from genimg.runs.recipes import Recipe
from genimg.system.device import peak_memory_gb
from genimg.system.progress import duration


def planned(model: Model, recipe: Recipe, n: int) -> str:
    """What is going to be trained on n pictures: known before the first step."""
    weights = sum(weight.numel() for weight in model.parameters())
    held_out = f", {recipe.held_out:,} others are held out to measure by" if recipe.held_out else ""
    times = recipe.steps * recipe.batch / n
    shown = f"{times:,.0f} times" if times >= 10 else f"{times:.1f} times"
    return (
        f"{recipe.family} of {weights:,} weights: {recipe.steps:,} steps show each of {n:,} pictures {shown}{held_out}"
    )


def expected(seconds: float, steps: int, left: int, to_grid: int, memory: float) -> str:
    """What steps of so many seconds each will take: all that are left, those to the next grid of samples, and the
    memory in GB that was needed so far."""
    each = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
    return (
        f"{each} a step: {steps:,} steps in about {duration(left * seconds)}, "
        f"the next samples in {duration(to_grid * seconds)}; {memory:.1f} GB of memory"
    )


def memory_gb(device: torch.device) -> float:
    """GB that were needed at most so far, of the GPU's memory where the run is on one."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else peak_memory_gb()
