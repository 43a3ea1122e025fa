"""Right and plausible wrong answers to the exercises of the first page."""

import torch

W = torch.randn(32, 64, generator=torch.Generator().manual_seed(0)) / 8


def draw(z):
    return (z @ W).tanh().view(-1, 1, 8, 8)


def of_other_noise(z):
    return draw(torch.randn(len(z), 32))


def hard(z):
    return (z @ W[:, :1]).sign().expand(-1, 64).reshape(-1, 1, 8, 8)


def constant(z):
    return torch.zeros(len(z), 1, 8, 8)


def distances(x, itself=False):
    apart = torch.cdist(x, x)
    return apart if itself else apart.fill_diagonal_(torch.inf)


def spread(scale, z_scale=True, generator=0):
    z = torch.randn(100, 32, generator=torch.Generator().manual_seed(generator))
    x = draw(scale * z) if z_scale else scale * draw(z)
    return torch.pdist(x.flatten(1)).mean().item()


ANSWERS = {
    "0.1": (("slow", draw), [("jump", draw), ("slow", of_other_noise), ("slow", hard), ("slow", constant)]),
    "0.2": (
        (lambda x: distances(x).amin(1) / x.shape[1] ** 0.5,),
        [
            (lambda x: distances(x, itself=True).amin(1) / x.shape[1] ** 0.5,),
            (lambda x: distances(x).amin(1),),
            (lambda x: distances(x).amin(1).square() / x.shape[1],),
            (lambda x: distances(x, itself=True).amax(1) / x.shape[1] ** 0.5,),
            (lambda x: distances(x).amin(1)[:20],),
        ],
    ),
    "0.3": (
        (spread,),
        [
            (lambda scale: spread(scale, z_scale=False),),
            (lambda scale: spread(1.0),),
            (lambda scale: spread(1.0) + 1 - scale,),
        ],
    ),
}
