"""Right and plausible wrong answers to the exercises of the chapter on concepts."""

import torch

SHARES = {1: 0.02, 2: 0.3, 4: 0.7, 8: 0.88, 16: 0.905, 40: 0.92}


def quarters(kinds, always=1.0):
    turns = torch.tensor([[[1.0, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]])

    def turn(x):
        which = torch.randint(kinds, (len(x),)) * (torch.rand(len(x)) < always)
        return torch.einsum("nij,nj->ni", turns[which], x)

    return turn


def any_angle(x):
    angle = 2 * torch.pi * torch.rand(len(x))
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x[:, 0] - sin * x[:, 1], sin * x[:, 0] + cos * x[:, 1]], 1)


def median(x):
    return x.median(0).values


ANSWERS = {
    "1.1": ((0.7, 0.6109), [(0.3, 0.6109), (0.7, 0.8813), (0.7, 6.109), (0.5, 0.6931)]),
    "1.2": (
        (median, "yes"),
        [
            (lambda x: x.mean(0), "yes"),
            (lambda x: x[0], "yes"),
            (median, "no"),
            (lambda x: x.amin(0), "yes"),
            (lambda x: x.median(), "yes"),
        ],
    ),
    "1.3": ((SHARES, 16), [(SHARES, 8), (SHARES, 40), ({1: 0.95, 2: 0.95}, 1), ({1: 2.0, 2: 90.0}, 2)]),
    "1.4": (
        ("no", quarters(4)),
        [("yes", quarters(4)), ("no", quarters(4, always=0.5)), ("no", any_angle), ("no", quarters(3))],
    ),
}
