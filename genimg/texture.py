"""Texture and style from random filters: no trained network, no downloaded weights.

A texture is described by how often filters answer together, the Gram matrix (Gatys et al. 2015,
https://arxiv.org/abs/1505.07376, with a trained network). One layer of random filters of several sizes is enough for
many textures (Ustyuzhaninov et al. 2016, https://arxiv.org/abs/1606.00021).
"""

import torch
import torch.nn.functional as F

from genimg.progress import Progress

SIDES = (3, 5, 7, 11)


def random_filters(n=32, channels=3, seed=0, device="cpu"):
    """One bank of n random filters, (n, channels, k, k), for each side k of `SIDES`: mean 0, length 1."""
    generator = torch.Generator().manual_seed(seed)
    banks = []
    for k in SIDES:
        bank = torch.randn(n, channels, k, k, generator=generator)
        bank = bank - bank.mean((1, 2, 3), keepdim=True)
        banks.append((bank / bank.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).to(device))
    return banks


def responses(x, banks, tiling=False):
    """What the filters answer, negative answers cut off: a list of (N, n, H', W') and the picture itself.

    Args:
        x: (N, C, H, W).
        tiling: continue the picture with itself across its edges, so that an optimum tiles; otherwise filters stay
            inside the picture.
    """
    answers = [x]
    for bank in banks:
        half = bank.shape[-1] // 2
        padded = F.pad(x, (half,) * 4, mode="circular") if tiling else x
        answers.append(F.relu(F.conv2d(padded, bank)))
    return answers


def gram(maps):
    """Mean products of every two maps over all places: (N, n, H, W) -> (N, n, n)."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def style_loss(x, target, banks, tiling=False):
    """Squared distance of Gram matrices, relative to the target's, summed over filter sizes: (N,).

    Args:
        x: (N, C, H, W).
        target: Gram matrices of the example, as `style_of` gives them.
    """
    found = [gram(maps) for maps in responses(x, banks, tiling)]
    pairs = zip(found, target, strict=True)
    return sum((a - b).square().sum((1, 2)) / b.square().sum((1, 2)) for a, b in pairs)


def style_of(example, banks):
    """The Gram matrices of an example (1, C, H, W)."""
    with torch.no_grad():
        return [gram(maps) for maps in responses(example, banks)]


def synthesise(example, size=64, steps=150, seed=0, tiling=True, content=None, weight=0.0, filters=32, label="texture"):
    """A picture (1, C, size, size) in [-1, 1] with an example's texture, found from noise by gradient descent.

    Args:
        example: (1, C, H, W) in [-1, 1].
        tiling: make it tile: left meets right, top meets bottom.
        content: (1, C, size, size), what the picture should show; it is then where the search starts.
        weight: of the squared distance to the content, per number, after both are blurred 5x5; 0 for a texture alone.
        seed: of the filters and the noise.

    Returns:
        the picture and the style loss at each step, (steps,).
    """
    banks = random_filters(filters, example.shape[1], seed, example.device)
    target = style_of(example, banks)
    generator = torch.Generator().manual_seed(seed + 1)
    noise = 0.3 * torch.randn(1, example.shape[1], size, size, generator=generator).to(example.device)
    start = content.clone() if content is not None else noise + example.mean((2, 3), keepdim=True)
    x = start.requires_grad_()
    adam = torch.optim.Adam([x], 0.05)
    losses = []
    with Progress(steps, label) as progress:
        for step in range(steps):
            adam.param_groups[0]["lr"] = 0.05 * (1 - 0.9 * step / steps)
            loss = style = style_loss(x, target, banks, tiling).sum()
            if weight:
                loss = style + weight * (_blurred(x) - _blurred(content)).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            with torch.no_grad():
                x.clamp_(-1, 1)
            losses.append(style.detach())
            progress.update(step + 1, {"style": style.item()} if step + 1 == steps else {})
    return x.detach(), torch.stack(losses).cpu()


def seam(x):
    """How much neighbours differ across the edge of a tiled picture, over how much they differ inside it: (N,).

    About 1 where a tile's seam cannot be told from the rest.
    """
    across = (x[..., 0] - x[..., -1]).abs().mean((1, 2)) + (x[..., 0, :] - x[..., -1, :]).abs().mean((1, 2))
    inside = x.diff(dim=3).abs().mean((1, 2, 3)) + x.diff(dim=2).abs().mean((1, 2, 3))
    return across / inside


def _blurred(x):
    return F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
