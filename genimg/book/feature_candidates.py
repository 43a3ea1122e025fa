"""Features that a distance might be measured in, none of them downloaded: fixed, learnt, a discriminator's.

The package measures with the bank of Gabor filters (`measure.gabor`); the other candidates live here alone. Each is a
function (pictures to learn from, seconds of training, seed, device) -> Measure.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.book.families import clock
from genimg.data.images import Images, batches, to_floats
from genimg.measure import features, metrics
from genimg.models.gan import GAN
from genimg.system.device import seed_everything
from genimg.training.loop import Training

#: Pictures, uint8 (N, 3, S, S), to what a distance is computed from, features (N, d) or what `pyramid` gives.
Points = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Measure:
    """A candidate as it is used.

    Attributes:
        points: what it makes of pictures, on the CPU.
        distance: between two sets of these.
        about: what there is to say of its training.
    """

    points: Points
    distance: Callable[[Tensor, Tensor], float]
    about: dict[str, float] | None = None


def small_gan(size: int) -> GAN:
    """A GAN that learns quickly."""
    return GAN(size, 3, z_dim=64, width=16, d_width=16, max_width=48)


def gabor_bank(learn: Images, seconds: float, seed: int, device: torch.device) -> Measure:
    """The features of the package for any pictures."""
    return Measure(features.load(features.ANY), metrics.frechet_distance)


class Convolutions(nn.Module):
    """Three layers of stride 2: (N, 3, H, W) -> maps of 32, 64 and 64 channels, each half as large as that before."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((3, 32), (32, 64), (64, 64))
        self.layers = nn.ModuleList(nn.Conv2d(*w, 3, 2, 1, padding_mode="reflect") for w in widths)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.layers:
            x = F.relu(layer(x))
            maps.append(x)
        return maps


def in_maps(maps: Callable[[Tensor], list[Tensor]], learn: Images, device: torch.device, **about: float) -> Measure:
    """Features from a network's maps: means and deviations over places of each channel, each divided by its own
    deviation over pictures, so that no layer rules the distance; but by no less than a tenth of a usual one."""

    @torch.no_grad()
    def pooled(pixels: Tensor) -> Tensor:
        found = []
        for part in pixels.split(250):
            each = maps(to_floats(part.to(device)))
            found.append(torch.cat([f for x in each for f in (x.mean((2, 3)), x.std((2, 3)))], 1).cpu())
        return torch.cat(found)

    scale = pooled(learn.pixels[:1000]).std(0)
    scale = scale.clamp(min=scale.mean().item() / 10)
    return Measure(lambda pixels: pooled(pixels) / scale, metrics.frechet_distance, about)


def random_convolutions(learn: Images, seconds: float, seed: int, device: torch.device) -> Measure:
    """A network with the weights it begins with."""
    seed_everything(seed)
    return in_maps(Convolutions().to(device), learn, device)


def rotations(learn: Images, seconds: float, seed: int, device: torch.device) -> Measure:
    """The same network, trained to tell by how many quarters a picture of the folder was turned (Gidaris et al. 2018,
    https://arxiv.org/abs/1803.07728)."""
    seed_everything(seed)
    net, head = Convolutions().to(device), nn.Linear(64, 4).to(device)
    adam = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=2e-3)
    turns = torch.arange(4, device=device).repeat_interleave(16)  # (64,)
    hits, started = [0.0], clock(device)
    for x in batches(learn, 64, seed, device):
        assert isinstance(x, Tensor)
        x = torch.cat([part.rot90(turn, (2, 3)) for turn, part in enumerate(x.split(16))])
        logits = head(net(x)[-1].mean((2, 3)))  # (64, 4)
        adam.zero_grad()
        F.cross_entropy(logits, turns).backward()
        adam.step()
        hits.append((logits.argmax(1) == turns).float().mean().item())
        if clock(device) - started > seconds:
            break
    took = clock(device) - started
    about = {"seconds": took, "steps": float(len(hits) - 1), "told": statistics.mean(hits[-50:])}
    return in_maps(net, learn, device, **about)


def discriminator(learn: Images, seconds: float, seed: int, device: torch.device) -> Measure:
    """The maps of a GAN's discriminator, before its last layer."""
    seed_everything(seed)
    model = small_gan(learn.shape[-1])
    started, steps = clock(device), 0
    run = Training(model, learn, 10**6, 16, seed, device, schedule="constant", tell=lambda _: None)
    while clock(device) - started < seconds:
        run.advance()
        steps += 1
    layers = model.discriminator.features
    assert isinstance(layers, nn.Sequential)

    def maps(x: Tensor) -> list[Tensor]:
        found = []
        for layer in layers:
            x = layer(x)
            found += [x] if isinstance(layer, nn.LeakyReLU) else []
        return found

    return in_maps(maps, learn, device, seconds=clock(device) - started, steps=float(steps))


#: Patches of a picture at each level of the pyramid.
PATCHES = 16
#: Their side.
SIDE = 7
#: Directions that they are laid along.
DIRECTIONS = 64
#: The smallest level's side.
COARSEST = 8


def pyramid(learn: Images, seconds: float, seed: int, device: torch.device) -> Measure:
    """Patches of a Laplacian pyramid, compared along random directions: the sliced Wasserstein distance of Karras et
    al. 2017 (https://arxiv.org/abs/1710.10196), here with fewer patches and directions, and with patches divided by the
    deviations of real ones (the paper divides each set by its own, which hides a tint or too little contrast)."""
    random = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(3 * SIDE**2, DIRECTIONS, generator=random), dim=0)

    def patches(pixels: Tensor) -> Tensor:  # uint8 (N, 3, S, S) -> (N, levels, PATCHES, 3 SIDE^2)
        return torch.stack([_patches(level, seed) for level in levels(to_floats(pixels))], 1)

    scale = patches(learn.pixels[:500]).unflatten(3, (3, -1)).std((0, 2, 4))  # (levels, 3)

    def points(pixels: Tensor) -> Tensor:  # (levels, DIRECTIONS, N PATCHES), sorted
        found = patches(pixels).unflatten(3, (3, -1))
        finer = scale[:1].expand(max(found.shape[1] - len(scale), 0), -1)  # of larger pictures than those learnt from
        along = (found / torch.cat([finer, scale])[None, :, None, :, None]).flatten(3) @ directions
        return along.permute(1, 3, 0, 2).flatten(2).sort(2).values

    return Measure(points, sliced_wasserstein)


def levels(x: Tensor) -> list[Tensor]:
    """Laplacian pyramid of pictures (N, 3, S, S): what each halving loses, and what is left at the end."""
    found = []
    while x.shape[-1] >= 2 * COARSEST:
        smaller = F.avg_pool2d(x, 2)
        found.append(x - F.interpolate(smaller, x.shape[-2:], mode="bilinear"))
        x = smaller
    return [*found, x]


def _patches(x: Tensor, seed: int) -> Tensor:
    """`PATCHES` of each picture (N, 3, S, S) at random places, the same in every set: (N, PATCHES, 3 SIDE^2)."""
    random, last = torch.Generator().manual_seed(seed), x.shape[-1] - SIDE
    top, left = (torch.randint(0, last + 1, (len(x), PATCHES), generator=random) for _ in range(2))
    windows = x.unfold(2, SIDE, 1).unfold(3, SIDE, 1)  # (N, 3, S - 6, S - 6, 7, 7)
    return windows.permute(0, 2, 3, 1, 4, 5)[torch.arange(len(x))[:, None], top, left].flatten(2)


def sliced_wasserstein(a: Tensor, b: Tensor) -> float:
    """Mean over levels and directions of how far two sets' projections lie apart: (levels, DIRECTIONS, n) each, in
    ascending order."""
    return (a - b).abs().mean().item()


#: Name -> what makes it.
CANDIDATES: dict[str, Callable[[Images, float, int, torch.device], Measure]] = {
    "Gabor bank": gabor_bank, "random convolutions": random_convolutions, "pyramid patches": pyramid,
    "rotations": rotations, "discriminator": discriminator,
}  # fmt: skip
#: Those that no seed changes.
WITHOUT_CHANCE = ("Gabor bank",)
