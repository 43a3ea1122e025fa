"""Right and plausible wrong answers to the exercises of the chapter on the GAN in code."""

import torch
from torch import nn

from genimg import classic


def generator(taps, padding=1):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = classic.Generator(32, 3, 64, 8)
        if taps != 3:
            for level in net.levels:
                old = level[0]
                level[0] = nn.ConvTranspose2d(old.in_channels, old.out_channels, taps, 2, padding, bias=False)
            net.last = nn.ConvTranspose2d(net.last.in_channels, 3, taps, 2, padding)
    return net


def nearest():
    return classic.Generator(32, 3, 64, 8, "nearest")


ANSWERS = {
    "4.1": (
        (generator(4), "no"),
        [(generator(4), "yes"), (generator(3), "no"), (generator(4, padding=0), "no"), (nearest(), "yes")],
    ),
    "4.2": (
        (0.9556, 0.2517),
        [(95.6, 25.2), (0.2517, 0.9556), (0.0149, 0.25), (0.9556, 0.0149), (0.5, 0.25), (0.9556, 0.5)],
    ),
    "4.3": (("yes", 0.02, 1.4), [("no", 0.02, 1.4), ("yes", 1.4, 0.02), ("yes", 0.02, 0.02), ("yes", -0.02, 1.4)]),
}
