"""Right and plausible wrong answers to the exercises of the chapter on the reader's own pictures."""

import math

import torch


def square(width, height):
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def corner(width, height):
    side = min(width, height)
    return 0, 0, side, side


def sides(width, height):
    left, top, right, bottom = square(width, height)
    return left, top, right - left, bottom - top


def hours(steps, step_seconds, save_seconds, every):
    return ((steps + every) * step_seconds + math.ceil(steps / every) * save_seconds) / 3600


def nothing_lost(steps, step_seconds, save_seconds, every):
    return (steps * step_seconds + math.ceil(steps / every) * save_seconds) / 3600


def free_saves(steps, step_seconds, save_seconds, every):
    return (steps + every) * step_seconds / 3600


def rounded_down(steps, step_seconds, save_seconds, every):
    return ((steps + every) * step_seconds + steps // every * save_seconds) / 3600


def seconds(*numbers):
    return 3600 * hours(*numbers)


def save(net, optimiser, generator):
    return {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "generator": generator.get_state()}


def restore(kept, net, optimiser, generator, parts=("net", "optimiser", "generator")):
    if "net" in parts:
        net.load_state_dict(kept["net"])
    if "parameters" in parts:
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                parameter.copy_(kept["net"][name])
    if "optimiser" in parts:
        optimiser.load_state_dict(kept["optimiser"])
    if "means" in parts:
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": kept["optimiser"]["state"], "param_groups": groups})
    if "generator" in parts:
        generator.set_state(kept["generator"])


def only(*parts):
    return lambda *arguments: restore(*arguments, parts=parts)


RARELY, OFTEN = (20_500 * 0.25 + 40 * 4) / 3600, (20_050 * 0.25 + 400 * 4) / 3600

ANSWERS = {
    "13.1": ((square, 0.4375), [(corner, 0.4375), (sides, 0.4375), (square, 0.5625), (square, 43.75), (square, 0.25)]),
    "13.2": (
        (hours, RARELY, OFTEN),
        [
            (nothing_lost, RARELY, OFTEN),
            (free_saves, RARELY, OFTEN),
            (rounded_down, RARELY, OFTEN),
            (seconds, RARELY, OFTEN),
            (hours, OFTEN, RARELY),
            (hours, RARELY - 0.05, OFTEN),
            (hours, RARELY, OFTEN - 0.05),
        ],
    ),
    "13.3": (
        (save, restore),
        [
            (save, only("net", "generator")),
            (save, only("net", "optimiser")),
            (save, only("parameters", "optimiser", "generator")),
            (save, only("net", "means", "generator")),
            (save, only("optimiser", "generator")),
            (lambda *parts: [save(*parts)], lambda kept, *parts: restore(kept[0], *parts)),
        ],
    ),
    "13.4": ((1 / 151, 99), [(0.01, 99), (1 / 150, 99), (0, 99), (1.5 / 151, 99), (1 / 151, 100), (1 / 151, 98)]),
}
