"""Pictures whose truth is known: one shaded shape on a tinted ground, drawn from independent factors.

A picture is a square of width 1 with its centre at (0, 0), x to the right and y up. Lengths are in picture widths,
angles in radians, hues and grounds in turns of a colour circle. The same factors give the same picture at any size.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

#: The shapes, in the order of their numbers.
KINDS = ("disc", "square", "triangle", "cross", "star", "ring")

#: Factor name -> range drawn from when the caller does not say otherwise.
RANGES = {
    "hue": (0.0, 1.0),
    "x": (-0.15, 0.15),
    "y": (-0.15, 0.15),
    "radius": (0.20, 0.32),
    "angle": (0.0, 2 * math.pi),
    "ground": (0.0, 1.0),
}

#: Where the light comes from, in picture coordinates (up and to the left).
LIGHT = (-0.6, 0.8)

#: Pixels rendered at once, few enough for the working set to stay in the processor's cache.
CHUNK_PIXELS = 1 << 16


def sample_factors(
    n: int, seed: int = 0, kinds: Sequence[str] = KINDS, hues: int | None = None, shift: float | None = None,
    device: torch.device | str = "cpu", **ranges: float | tuple[float, float],
) -> dict[str, Tensor]:  # fmt: skip
    """Draw n sets of factors, each factor independent and uniform.

    Args:
        n: how many.
        seed: the same seed gives the same factors, whatever the device.
        kinds: names out of `KINDS` to draw from.
        hues: None for any hue, or a number of equally spaced ones.
        shift: largest shift of the centre in x and y; short for x=(-shift, shift), y=(-shift, shift).
        device: where the factors are put.
        ranges: a (low, high) pair or one fixed number for any name of `RANGES`.

    Returns:
        dict of tensors of shape (n,): `kind` int64 (index into `KINDS`); `hue`, `x`, `y`, `radius`, `angle`,
        `ground` float32.

    Raises:
        ValueError: an unknown kind or factor, or a range turned round.
    """
    unknown = [k for k in kinds if k not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds: {unknown or 'none given'}; there are {', '.join(KINDS)}")
    if shift is not None:
        ranges = {"x": (-shift, shift), "y": (-shift, shift), **ranges}
    for name in ranges:
        if name not in RANGES:
            raise ValueError(f"{name!r} is not a factor of shapes; there are kinds, hues, shift, {', '.join(RANGES)}")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.tensor([KINDS.index(k) for k in kinds])
    factors = {"kind": chosen[torch.randint(len(chosen), (n,), generator=generator)]}
    for name, default in RANGES.items():
        low, high = _pair(ranges.get(name, default))
        if low > high:
            raise ValueError(f"{name}: low {low} is above high {high}")
        u = torch.rand(n, generator=generator)
        if name == "hue" and hues is not None:
            factors[name] = torch.floor(u * hues).clamp_(max=hues - 1) / hues
        else:
            factors[name] = low + (high - low) * u
    return {name: value.to(device) for name, value in factors.items()}


def render(factors: dict[str, Tensor], size: int = 32) -> Tensor:
    """Draw the pictures that the factors describe, anti-aliased.

    Args:
        factors: as `sample_factors` gives them, each (N,), on any device.
        size: width and height in pixels, 8 to 1024.

    Returns:
        uint8 tensor (N, 3, size, size) on the factors' device.
    """
    if not 8 <= size <= 1024:
        raise ValueError(f"size {size}: shapes are drawn from 8 to 1024 pixels wide")
    kind = factors["kind"]
    pixels = torch.empty(len(kind), 3, size, size, dtype=torch.uint8, device=kind.device)
    per_chunk = max(1, CHUNK_PIXELS // size**2)
    for k in kind.unique().tolist():
        for part in (kind == k).nonzero().squeeze(1).split(per_chunk):
            chunk = {name: value[part] for name, value in factors.items()}
            pixels[part] = render_floats(k, chunk, size).mul_(255).round_().to(torch.uint8)
    return pixels


def render_floats(kind: int, factors: dict[str, Tensor], size: int) -> Tensor:
    """Pictures of one kind as floats in [0, 1], (N, 3, size, size); differentiable in every factor but the kind."""
    solid, cover, shadow = painted(kind, factors, size)
    return torch.lerp(behind(factors["ground"], shadow), solid, cover.unsqueeze(1)).clamp(0, 1)  # (N, 3, S, S)


def covered(kind: int, factors: dict[str, Tensor], size: int) -> Tensor:
    """How far each pixel lies in shapes of one kind, (N, size, size) in [0, 1]."""
    dx, dy, radius, distance = _outline(kind, factors, size)
    return (0.5 - distance(dx, dy) * (radius * size)).clamp(0, 1)


def painted(kind: int, factors: dict[str, Tensor], size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shapes of one kind without their ground, differentiable in x, y, radius, angle and hue.

    Returns:
        their light and colour (N, 3, S, S); how far each pixel is covered (N, S, S), and how far it is in their shadow.
    """
    dx, dy, radius, distance = _outline(kind, factors, size)
    edge = distance(dx, dy)
    cover = (0.5 - edge * (radius * size)).clamp(0, 1)
    shadow = (0.5 - distance(dx - 0.02, dy + 0.035) * (radius / 0.09)).clamp(0, 1)

    # Light falls off from the lit side to the other one; a bright spot and a darker rim make it look solid.
    lit = (dx * LIGHT[0] + dy * LIGHT[1]) / radius
    spot = torch.exp(-12 * ((dx / radius - 0.4 * LIGHT[0]) ** 2 + (dy / radius - 0.4 * LIGHT[1]) ** 2))
    rim = (1 + edge * 5).clamp(0, 1)
    tone = 1 + 0.16 * lit - 0.16 * rim * rim
    colour = hue_to_rgb(factors["hue"].float(), 0.52, 0.44).unsqueeze(-1).unsqueeze(-1)  # (N, 3, 1, 1)
    return colour * tone.unsqueeze(1) + 0.30 * spot.unsqueeze(1), cover, shadow


def _outline(
    kind: int, factors: dict[str, Tensor], size: int
) -> tuple[Tensor, Tensor, Tensor, Callable[[Tensor, Tensor], Tensor]]:
    """Pixels' places seen from the centres, (N, 1, S) and (N, S, 1), radii (N, 1, 1), and a function from places to
    their signed distance from the outline, in radii."""
    column = [factors[name].float().view(-1, 1, 1) for name in ("x", "y", "radius", "angle")]
    x, y, radius, angle = column  # each (N, 1, 1)
    axis = (torch.arange(size, device=x.device) + 0.5) / size - 0.5
    dx, dy = axis.view(1, 1, -1) - x, -axis.view(1, -1, 1) - y  # (N, 1, S), (N, S, 1)
    cos, sin = torch.cos(angle) / radius, torch.sin(angle) / radius

    def distance(dx: Tensor, dy: Tensor) -> Tensor:  # to the outline, negative inside, in radii: (N, S, S)
        return OUTLINES[KINDS[kind]](dx * cos + dy * sin, dy * cos - dx * sin)

    return dx, dy, radius, distance


def behind(ground: Tensor, shadow: Tensor, swing: float = 0.08) -> Tensor:
    """The ground of hue (N,), lighter above, with shadows (N, S, S) on it: (N, 3, S, S). `swing` says how tinted."""
    axis = (torch.arange(shadow.shape[-1], device=shadow.device) + 0.5) / shadow.shape[-1] - 0.5
    tone = (1 + 0.10 * (-axis).view(1, -1, 1) * 2) * (1 - 0.42 * shadow)
    return hue_to_rgb(ground.float(), 0.84, swing).unsqueeze(-1).unsqueeze(-1) * tone.unsqueeze(1)


def hue_to_rgb(hue: Tensor, middle: float, swing: float) -> Tensor:
    """Colours on a circle in RGB: (N,) hues in turns -> (N, 3); 0 is red, 1/3 green, 2/3 blue."""
    phase = torch.arange(3, device=hue.device) / 3
    return middle + swing * torch.cos(2 * math.pi * (hue.unsqueeze(-1) - phase))


def _pair(value: float | tuple[float, ...] | list[float]) -> tuple[float, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


# Signed distance from a point (u, v) to the outline of a shape of radius about 1. Exact along the edges, a lower
# bound beyond the corners: all that anti-aliasing needs. Sizes are chosen for similar areas.


def _disc(u: Tensor, v: Tensor) -> Tensor:
    return torch.sqrt(u * u + v * v) - 0.95


def _ring(u: Tensor, v: Tensor) -> Tensor:
    return (torch.sqrt(u * u + v * v) - 0.78).abs() - 0.24


def _square(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) - 0.82


def _triangle(u: Tensor, v: Tensor) -> Tensor:
    slanted = u.abs() * math.sqrt(0.75) + v * 0.5
    return torch.maximum(slanted, -v) - 0.62


def _cross(u: Tensor, v: Tensor) -> Tensor:
    u, v = u.abs(), v.abs()
    return torch.maximum(torch.maximum(u, v) - 1.0, torch.minimum(u, v) - 0.36)


def _star(u: Tensor, v: Tensor, tips: int = 5, inner: float = 0.5, outer: float = 1.15) -> Tensor:
    # Fold the plane onto half a tip; what is left is one straight edge from the tip to the inner corner.
    half = math.pi / tips
    angle = (torch.atan2(u, v) + half) % (2 * half) - half
    r = torch.sqrt(u * u + v * v)
    along, across = r * torch.cos(angle), r * torch.sin(angle).abs()
    ex, ey = inner * math.cos(half) - outer, inner * math.sin(half)
    length = math.hypot(ex, ey)
    return (along - outer) * (ey / length) - across * (ex / length)


#: Kind -> function of a point (u, v) that is negative inside the outline.
OUTLINES = {"disc": _disc, "square": _square, "triangle": _triangle, "cross": _cross, "star": _star, "ring": _ring}
