"""Figures: grids of pictures, curves of losses, interpolations, latent maps. No words beyond axis labels.

Every function draws into `ax` (or a new figure) and returns the axes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, told apart by colour-blind readers, on light and dark grounds alike.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")


def use_style() -> None:
    """Set matplotlib's defaults for the whole book; in a notebook, figures get twice the pixels."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.2),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "axes.prop_cycle": mpl.rcsetup.cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "axes.axisbelow": True,
            "font.size": 10,
            "axes.titlesize": 10,
            "legend.frameon": False,
            "image.interpolation": "nearest",
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    set_matplotlib_formats("retina")


class Pictured(Protocol):
    """A set of pictures in memory, as `Images` is."""

    @property
    def pixels(self) -> Tensor:
        """uint8 (N, C, H, W)."""


def as_array(x: "Tensor | np.ndarray | Pictured") -> np.ndarray:
    """(N, C, H, W) floats in [-1, 1] or uint8, or Images -> NumPy (N, H, W, 3) floats in [0, 1].

    Four channels are colours times opacity, and opacity: what is clear in them shows a checkerboard.

    Raises:
        ValueError: these are no such pictures; the message says what to pass.
    """
    shares = _shares(torch.as_tensor(_pixels(x)).detach().cpu())
    shares = on_board(shares) if shares.shape[1] == 4 else shares
    return shares.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()


def _pixels(x: "Tensor | np.ndarray | Pictured") -> Tensor | np.ndarray:
    pixels = x if isinstance(x, Tensor | np.ndarray) else getattr(x, "pixels", None)
    if pixels is None:
        way = "torch.stack makes one of many" if isinstance(x, list | tuple) else ""
        way = "pixels_of(range(64)) reads some of them" if hasattr(x, "pixels_of") else way
        raise ValueError(f"{type(x).__name__} is no set of pictures in memory{way and ': '}{way}; pass (N, C, H, W)")
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3, 4) or not len(pixels):
        way = "; permute(0, 3, 1, 2) of a tensor puts channels where they belong" if pixels.ndim == 4 else ""
        raise ValueError(f"pictures are (N, C, H, W) with 1, 3 or 4 channels, these are {tuple(pixels.shape)}{way}")
    return pixels


def _shares(x: Tensor) -> Tensor:
    return x.float() / 255 if x.dtype == torch.uint8 else ((x.float() + 1) / 2).clamp(0, 1)


def on_board(x: Tensor) -> Tensor:
    """Pictures (N, 4, H, W) in [0, 1], colours times opacity and opacity, on a checkerboard of eight squares along the
    shorter side: (N, 3, H, W) in [0, 1]."""
    height, width = x.shape[-2:]
    side = max(1, min(height, width) // 8)
    down, along = torch.arange(height) // side, torch.arange(width) // side
    board = torch.where((down[:, None] + along) % 2 == 0, 1.0, 0.8).to(x.device)
    return (x[:, :3] + (1 - x[:, 3:]) * board).clamp(0, 1)


def as_cut_out(x: Tensor) -> np.ndarray:
    """Pictures (N, 4, H, W), floats in [-1, 1] or uint8, colours times opacity and opacity -> NumPy (N, H, W, 4) floats
    in [0, 1], colours and opacity, as files hold them."""
    x = _shares(x.detach().cpu())
    opacity = x[:, 3:]
    colours = (x[:, :3] / opacity.clamp_min(1e-6)).clamp(0, 1) * (opacity > 0)
    return torch.cat([colours, opacity], 1).permute(0, 2, 3, 1).numpy()


def tile(x: Tensor | np.ndarray | Pictured, columns: int, gap: int = 1) -> np.ndarray:
    """Pictures in rows with a white gap between: (N, C, H, W) -> one array (rows, columns, 3) in [0, 1]."""
    pictures = as_array(x)
    n, height, width, _ = pictures.shape
    rows = -(-n // columns)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), dtype=np.float32)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def grid(
    x: Tensor | np.ndarray | Pictured, columns: int = 8, title: str | None = None, ax: "Axes | None" = None,
    width: float | None = None,
) -> "Axes":  # fmt: skip
    """Pictures (N, C, H, W), in [-1, 1] or uint8, or Images, in rows of `columns`, pixels shown as squares.

    Args:
        width: of a new figure, in inches; None makes it fit the number of columns.
    """
    import matplotlib.pyplot as plt

    sheet = tile(x, columns)
    if ax is None:
        width = width or min(7.0, 0.75 * columns)
        _, ax = plt.subplots(figsize=(width, width * sheet.shape[0] / sheet.shape[1] + (0.3 if title else 0)))
    ax.imshow(sheet)
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax


def rows(named: Mapping[str, Tensor], columns: int = 8, width: float = 7.0) -> np.ndarray:
    """Rows of pictures under one another, each with its name at the left: {"data": (N, C, H, W), ...}."""
    import matplotlib.pyplot as plt

    sheets = [tile(x[:columns], columns) for x in named.values()]
    height = sum(s.shape[0] / s.shape[1] for s in sheets) * (width - 1.2)
    _, axes = plt.subplots(
        len(named), 1, figsize=(width, height), height_ratios=[s.shape[0] / s.shape[1] for s in sheets], squeeze=False
    )
    for ax, name, sheet in zip(axes[:, 0], named, sheets, strict=True):
        ax.imshow(sheet)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    return axes[:, 0]


class Recorded(Protocol):
    """What `curves` draws, as a `History` is: the steps, and by name an array with a value for each."""

    steps: list[int]
    values: dict[str, list[float]]

    def __getitem__(self, name: str) -> np.ndarray:
        """Values of a name."""


def curves(
    history: Recorded, names: Sequence[str] | None = None, ax: "Axes | None" = None, ylabel: str = "loss (nats)",
    labels: Sequence[str] | None = None,
) -> "Axes":  # fmt: skip
    """Means of named losses against the step; names=None takes the losses that were lowered, "loss" or "loss_..."."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1]
    names = [name for name in history.values if name.startswith("loss")] if names is None else names
    for name, label in zip(names, labels or names, strict=True):
        values = history[name]
        known = np.isfinite(values)
        ax.plot(np.array(history.steps)[known], values[known], label=label)
    ax.set_xlabel("step")
    ax.set_ylabel(ylabel)
    if len(names) > 1:
        ax.legend()
    return ax


def between(z_from: Tensor, z_to: Tensor, steps: int = 8) -> Tensor:
    """Points from one z to the other on the arc that keeps its length typical of N(0, I): (steps, *z.shape).

    Straight lines between Gaussian vectors pass through lengths that noise never has (White 2016,
    https://arxiv.org/abs/1609.04468).
    """
    t = torch.linspace(0, 1, steps, device=z_from.device).view(-1, *[1] * z_from.dim())
    cosine = torch.nn.functional.cosine_similarity(z_from.flatten(), z_to.flatten(), dim=0).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if angle < 1e-4:
        return torch.lerp(z_from, z_to, t)
    return (torch.sin((1 - t) * angle) * z_from + torch.sin(t * angle) * z_to) / torch.sin(angle)


def interpolation(decode: Callable[[Tensor], Tensor], ends: Tensor, steps: int = 8, ax: "Axes | None" = None) -> "Axes":
    """One row of pictures for each pair of ends: decode(z) -> (N, C, H, W) along `between` two z.

    Args:
        decode: function (N, *z.shape) -> pictures.
        ends: (pairs, 2, *z.shape).
    """
    return grid(interpolated(decode, ends, steps), columns=steps, ax=ax)


def interpolated(decode: Callable[[Tensor], Tensor], ends: Tensor, steps: int = 8) -> Tensor:
    """The pictures of `interpolation`, (pairs * steps, C, H, W)."""
    return decode(torch.cat([between(a, b, steps) for a, b in ends]))


def scatter2d(
    points: Tensor | np.ndarray, colour: Tensor | np.ndarray | None = None, ax: "Axes | None" = None, size: float = 6,
    labels: tuple[str, str] = ("$z_1$", "$z_2$"), names: Sequence[str] = (),
) -> "Axes":  # fmt: skip
    """Points (N, 2), coloured by class; the classes' names are written once, beside the axes."""
    import matplotlib.pyplot as plt

    ax = ax or plt.subplots(figsize=(4.6, 4.0))[1]
    x, y = torch.as_tensor(points).detach().cpu().numpy().T
    if colour is None:
        ax.scatter(x, y, s=size, lw=0, alpha=0.6)
    else:
        colour = torch.as_tensor(colour).cpu().numpy()
        palette = plt.get_cmap("tab10")
        for k in np.unique(colour):
            own, label = colour == k, names[k] if names else str(k)
            ax.scatter(x[own], y[own], s=size, lw=0, alpha=0.7, color=palette(int(k) % 10), label=label)
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2)
    ax.set_aspect("equal", "datalim")
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    return ax
