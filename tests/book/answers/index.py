"""Right and plausible wrong answers to the exercises of the first page."""

import torch

from genimg import plots

NOISE, WEIGHTS = (torch.randn(shape, generator=torch.Generator().manual_seed(1)) for shape in ((200, 8), (8, 48)))


def steps(draw, a, b):
    return draw(plots.between(a, b, steps=200)).diff(dim=0)


def largest(draw, a, b):
    return steps(draw, a, b).square().mean((1, 2, 3)).sqrt().max()


def apart(x, reduce=torch.amin):
    x = x.flatten(1)
    return reduce(torch.cdist(x, x).fill_diagonal_(torch.inf), 1) / x.shape[1] ** 0.5


def picture(z):
    return torch.tanh(4 * z @ WEIGHTS + 2 * WEIGHTS[0]).view(-1, 3, 4, 4)


def spread(scale):
    return picture(scale * NOISE).std(0).mean()


ANSWERS = {
    "0.1": (
        ("slow", largest),
        [
            ("jump", largest),
            ("slow", lambda *a: steps(*a).square().mean((1, 2, 3)).sqrt().mean()),
            ("slow", lambda *a: steps(*a).square().mean((1, 2, 3)).max()),
            ("slow", lambda *a: steps(*a).flatten(1).norm(dim=1).max()),
            ("slow", lambda *a: steps(*a).abs().max()),
            ("slow", lambda draw, a, b: draw(torch.stack([a, b])).diff(dim=0).square().mean().sqrt()),
        ],
    ),
    "0.2": (
        (apart,),
        [
            (lambda x: torch.cdist(x.flatten(1), x.flatten(1)).amin(1),),
            (lambda x: apart(x) * x[0].numel() ** 0.5,),
            (lambda x: apart(x) ** 2,),
            (lambda x: apart(x).min(),),
            (lambda x: torch.cdist(x.flatten(1), x.flatten(1)).mean(1) / x[0].numel() ** 0.5,),
        ],
    ),
    "0.3": (
        ("nearly all", spread),
        [
            ("about half", spread),
            ("nearly all", lambda scale: (scale * picture(NOISE)).std(0).mean()),
            ("nearly all", lambda scale: picture(NOISE + scale).std(0).mean()),
            ("nearly all", lambda scale: picture(scale * NOISE).std()),
            ("nearly all", lambda scale: picture(scale * torch.randn(200, 8)).std(0).mean()),
            ("nearly all", lambda scale: spread(2 * scale) if scale == 0.5 else spread(scale / 4)),
        ],
    ),
}
