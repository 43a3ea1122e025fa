"""Exercises of the chapter on the reader's own pictures."""

import io
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from genimg.book.exercises import Number, close, exercise, number_of


@exercise("13.1", "a function (width, height) -> (left, top, right, bottom), and the part of 1920x1080 that is lost")
def square(place: Callable[[int, int], tuple[int, int, int, int]], lost: Number) -> str | None:
    for width, height in ((8, 8), (30, 20), (20, 31), (7, 4)):
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        answer = tuple(int(number_of(value)) for value in place(width, height))
        if len(answer) != 4:
            return f"the function gives {len(answer)} numbers, and four were asked for"
        if answer == (left, top, side, side) and (left or top):
            return f"of {width}x{height} it gives left, top and the side twice; right and bottom are places"
        if answer == (0, 0, side, side) and (left or top):
            return f"of {width}x{height} it gives the corner at the top left, and not the centre"
        if answer != (left, top, left + side, top + side):
            return f"of {width}x{height} it gives {answer}, and {(left, top, left + side, top + side)} is right"
    if close(lost, 1080 / 1920, absolute=0.002):
        return "the function is right; that is the part that is kept"
    if close(lost, 100 * (1 - 1080 / 1920), relative=0.01):
        return "the function is right; the part is in per cent, and one of 1 was asked for"
    if not close(lost, 1 - 1080 / 1920, absolute=0.002):
        return "the function is right; the square keeps 1080 of 1920 columns, and all rows"
    return None


@exercise("13.2", "a function (steps, step_seconds, save_seconds, every) -> hours, and two numbers of hours")
def hours(of: Callable[[int, float, float, int], Number], rarely: Number, often: Number) -> str | None:
    for steps, step, save, every in ((1000, 0.5, 3.0, 100), (1010, 0.5, 3.0, 100)):
        saves = math.ceil(steps / every)
        answer = 3600 * number_of(of(steps, step, save, every))
        right = (steps + every) * step + saves * save
        if close(answer, steps * step + saves * save, relative=1e-6):
            return "the steps since the last save are lost, and done again"
        if close(answer, (steps + every) * step, relative=1e-6):
            return "that leaves the saves out"
        if close(answer / 3600, right, relative=1e-6):
            return "that is in seconds, and hours were asked for"
        if steps % every and close(answer, right - save, relative=1e-6):
            return "the last step of a run is a save too, also where `every` does not divide the steps"
        if not close(answer, right, relative=1e-6):
            return f"of {steps} steps, saved every {every}, it gives {answer:g} s, and {right:g} is right"
    first, second = (((20_000 + every) * 0.25 + 20_000 / every * 4) / 3600 for every in (500, 50))
    if close(rarely, second, relative=0.002) and close(often, first, relative=0.002):
        return "the function is right; the two numbers have changed places"
    if not close(rarely, first, relative=0.002):
        return "the function is right; the first number is that of a save every 500 steps"
    if not close(often, second, relative=0.002):
        return "the function and the first number are right; the second is that of a save every 50 steps"
    return None


@exercise(
    "13.3", "two functions, save(net, optimiser, generator) -> dictionary and restore(kept, net, optimiser, generator)"
)
def checkpoint(save: Callable[..., dict[str, Any]], restore: Callable[..., object]) -> str | None:
    def new(seed: int) -> tuple[nn.Module, torch.optim.Optimizer, torch.Generator]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
        return net, torch.optim.Adam(net.parameters(), lr=0.05), torch.Generator().manual_seed(seed)

    def train(net: nn.Module, optimiser: torch.optim.Optimizer, generator: torch.Generator, steps: int) -> None:
        for _ in range(steps):
            x = torch.randn(8, 3, generator=generator)
            optimiser.param_groups[0]["lr"] *= 0.9
            optimiser.zero_grad()
            (net(x).squeeze(1) - x.prod(1)).square().mean().backward()
            optimiser.step()

    whole, stopped, fresh = new(0), new(0), new(1)
    train(*whole, 7)
    train(*stopped, 4)
    kept = save(*stopped)
    if not isinstance(kept, dict):
        return f"save returns {type(kept).__name__}, and a dictionary was asked for"
    file = io.BytesIO()
    torch.save(kept, file)
    file.seek(0)
    restore(torch.load(file), *fresh)
    for (name, there), here in zip(stopped[0].named_parameters(), fresh[0].parameters(), strict=True):
        if not torch.equal(there, here):
            return f"the weights do not come back: {name} differs"
    for (name, buffer), own in zip(stopped[0].named_buffers(), fresh[0].buffers(), strict=True):
        if not torch.equal(buffer, own):
            return f"the weights come back; {name}, which batch norm counts up and no gradient changes, does not"
    wanted, found = stopped[1].state_dict(), fresh[1].state_dict()
    if not found["state"]:
        return "the network comes back; Adam does not remember its two means and its steps"
    for k, state in wanted["state"].items():
        for name, value in state.items():
            if not torch.equal(value, found["state"][k][name]):
                return f"the network comes back; Adam's {name} does not"
    if wanted["param_groups"] != found["param_groups"]:
        return "network and Adam's means come back; the learning rate that had fallen does not"
    if not torch.equal(stopped[2].get_state(), fresh[2].get_state()):
        return "network and optimiser come back; the next random numbers are other ones"
    train(*fresh, 3)
    for a, b in zip(whole[0].state_dict().values(), fresh[0].state_dict().values(), strict=True):
        if not torch.equal(a, b):
            return "all comes back, and yet the run ends elsewhere than the one that was not stopped"
    return None


@exercise("13.4", "the share that is counted with 150 unseen pictures, and the least number of unseen pictures")
def counted(share: Number, least: Number) -> str | None:
    if close(share, 0.01, absolute=1e-4):
        return "r is a whole number: of 150 unseen pictures it is 1, which is less than one in a hundred"
    if close(share, 1 / 150, absolute=1e-5):
        return "the sample itself is one more of the pictures that may be the nearest"
    if close(share, 0.0, absolute=1e-9):
        return "a sample that copies nothing may still happen to lie nearest"
    if not close(share, 1 / 151, absolute=1e-5):
        return "ask which of 151 pictures of one kind, the sample and the unseen ones, lies nearest to the folder"
    if close(least, 100, absolute=0.5):
        return "the share is right; m + 1 has to be at least 100, and m is one less"
    if not close(least, 99, absolute=0.5):
        return "the share is right; r has to be at least 1"
    return None
