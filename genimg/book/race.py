"""The race: what the command line offers and one well-known recipe, on one folder, for the same processor minutes.

`python -m genimg record race --data FOLDER` runs it. Each contestant is a part of the record, written as soon as it is
done: the same command, given again, goes on with those that are missing.
"""

import itertools
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.book import records
from genimg.book.families import clock, parameters
from genimg.data.images import Images, batches
from genimg.data.stream import Stream
from genimg.measure import features
from genimg.measure.yardstick import yardstick
from genimg.models.sizes import level_widths
from genimg.runs.pictures import load_pictures, parted, some
from genimg.runs.recipes import FAMILIES, Recipe
from genimg.system.device import seed_everything
from genimg.system.errors import RunError
from genimg.system.progress import Progress
from genimg.training.loop import Training

#: The record's name.
NAME = "race"
#: What needs no training, and the recipe that is not the command line's.
CONTROLS, DCGAN = "controls", "dcgan"
#: The record's parts, in the order in which they are made.
PARTS = (CONTROLS, "latent", "gan", "flow", "vae", DCGAN)
#: Samples in a row of a part's picture, which has two.
COLUMNS = 8
#: Steps that are timed to know how many fit into the minutes, after as many that warm up.
TIMED = 8

#: Draws n samples (n, C, H, W) in [-1, 1] from a seed.
Sampler = Callable[[int, int], Tensor]


def record(
    folder: str, minutes: float = 15.0, size: int = 64, device: torch.device | str | None = None,
    out: str | os.PathLike[str] = records.FOLDER, only: Sequence[str] = (), overwrite: bool = False,
    tell: Callable[[str], object] = print,
) -> None:  # fmt: skip
    """Train each contestant that is not on record yet, and measure it.

    Args:
        folder: of pictures.
        minutes: of training for each: of the processor, or by the clock on a GPU.
        size: of the pictures.
        out: folder of the record.
        only: names of parts; none are all.
        overwrite: make those again that are on record.

    Raises:
        RunError: no such part; no pictures held out.
    """
    if unknown := sorted(set(only) - set(PARTS)):
        raise RunError(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    images, recipe = load_pictures(Recipe("gan", folder, size=size).complete())
    if not recipe.held_out:
        raise RunError(f"{folder} has too few pictures to hold any out, and nothing to measure by")
    train, held_out = parted(images, recipe)
    unseen = some(held_out, len(held_out))
    about: dict[str, Any] = {"pictures": len(train), "fingerprint": recipe.fingerprint, "size": size}
    command = f"python -m genimg record race --data FOLDER --minutes {minutes:g} --size {size}"
    for name in only or PARTS:
        if not overwrite and name in records.parts(NAME, out):
            tell(f"{name} is on record")
            continue
        started = time.perf_counter()
        if name == CONTROLS:
            drawn = controls(train, unseen)
            results = {kind: [judged(x, train, unseen) | about] for kind, x in drawn.items()}
            shown = unseen.floats()
        else:
            learn = dcgan if name == DCGAN else of_family(name)
            sample, more = learn(train, 60 * minutes, device)
            begun = clock(device)
            shown = sample(len(unseen), 1).cpu()
            more["ms a sample"] = 1000 * (clock(device) - begun) / len(unseen)
            results = {name: [judged(shown, train, unseen) | more | about]}
        rows = dict(zip((name, f"{name}, more"), shown[: 2 * COLUMNS].split(COLUMNS), strict=True))
        records.write(NAME, command, results, rows, started, device, out, part=name)
        for kind, (score,) in results.items():
            tell(f"{kind}: " + ", ".join(f"{k} {v:.4g}" for k, v in score.items() if isinstance(v, int | float)))


def judged(x: Tensor, train: Images | Stream, unseen: Images) -> dict[str, Any]:
    """What is kept of the yardstick, of samples (N, C, H, W) in [-1, 1] against pictures held out: the Frechet distance
    in features for any pictures, coverage, copies, and the same of training pictures (the floor)."""
    found = yardstick(x, train, unseen, features.load(features.ANY))
    floor = {f"{key}_floor": found["floor"][key] for key in ("fd", "coverage")}
    return {key: found[key] for key in ("n", "fd", "coverage", "copies", "rms", "rms_real", "features")} | floor


def controls(train: Images | Stream, unseen: Images) -> dict[str, Tensor]:
    """As many pictures (n, C, H, W) as are held out, that no model has made; the first are training pictures."""
    x = some(train, len(unseen), seed=1).floats()
    mean = some(train, len(train)).floats().mean(0, keepdim=True)
    side = x.shape[-1]
    small = F.interpolate(x, (side // 8, side // 8), mode="area")
    return {
        "training pictures": x,
        "training pictures, blurred": F.interpolate(small, (side, side), mode="bilinear"),
        "mean picture": mean.expand_as(x),
        "white": torch.ones_like(x),
        "noise": torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1,
    }


def of_family(name: str) -> Callable[[Images | Stream, float, torch.device], tuple[Sampler, dict[str, Any]]]:
    """What trains a family of the command line with all its defaults but the number of steps."""
    assert name in FAMILIES

    def learn(train: Images | Stream, seconds: float, device: torch.device) -> tuple[Sampler, dict[str, Any]]:
        _, channels, size, _ = train.shape
        recipe = Recipe(name, "folder", size=size, channels=channels).complete()
        costs = seconds_a_step(recipe, train, device)
        mean = sum(share * cost for share, cost in costs)
        first, cost = costs[0]
        seed_everything(recipe.seed)
        model = recipe.build()
        run = Training(model, train, max(1, round(seconds / mean)), recipe.batch, recipe.seed, device)
        started = clock(device)
        with Progress(run.steps, name) as progress:
            while run.step < run.steps:
                progress.update(run.step, run.advance())
                # The first steps tell better than some before them how many there is time for.
                if run.step % 25 == 0 and run.step < 0.9 * first * run.steps:
                    run.steps = progress.total = round(seconds / mean * run.step * cost / (clock(device) - started))
            run.finish()
        more = {"minutes": (clock(device) - started) / 60, "steps": run.steps, "batch": run.batch}
        return lambda n, seed: model.sample(n, seed), more | {"parameters": parameters(model)}

    return learn


def seconds_a_step(
    recipe: Recipe, train: Images | Stream, device: torch.device
) -> list[tuple[float, float]]:  # fmt: skip
    """(share of the steps, seconds of a step) for each part of a run in which other networks learn."""
    seed_everything(recipe.seed)
    model = recipe.build()
    run = Training(model, train, 1000, recipe.batch, recipe.seed, device)
    ends = sorted({end for player in model.players().values() for end in player.part})
    costs = []
    for a, b in itertools.pairwise(ends):
        run.step = round(a * run.steps)
        for _ in range(TIMED):
            run.advance()
        started = clock(device)
        for _ in range(TIMED):
            run.advance()
        costs.append((b - a, (clock(device) - started) / TIMED))
    return costs


def dcgan(
    train: Images | Stream, seconds: float, device: torch.device, batch: int = 128, z_dim: int = 100
) -> tuple[Sampler, dict[str, Any]]:
    """The DCGAN of PyTorch's tutorial (https://pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html): the
    networks of Radford et al. 2015 (https://arxiv.org/abs/1511.06434), binary cross-entropy, Adam with 2e-4 and betas
    (0.5, 0.999), batches of 128. Samples come from the generator as it is, in training mode, 64 at a time."""
    _, channels, size, _ = train.shape
    seed_everything(0)
    g, d = (net.to(device) for net in dcgan_networks(size, channels, z_dim))
    g_adam, d_adam = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (g, d))

    def cross_entropy(x: Tensor, label: float) -> Tensor:
        p = torch.sigmoid(d(x).flatten())  # (N, C, S, S) -> (N,)
        return F.binary_cross_entropy(p, torch.full_like(p, label))

    def z(n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, z_dim, 1, 1, generator=generator, device=device)

    @torch.no_grad()
    def sample(n: int, seed: int) -> Tensor:
        noise = z(n, torch.Generator(device).manual_seed(seed))
        return torch.cat([g(part) for part in noise.split(64)])

    stream, steps, started = batches(train, min(batch, len(train)), device=device), 0, clock(device)
    while clock(device) - started < seconds:
        x_real, x_fake = next(stream), g(z(batch))
        assert isinstance(x_real, Tensor)
        d_adam.zero_grad()
        (cross_entropy(x_real, 1.0) + cross_entropy(x_fake.detach(), 0.0)).backward()
        d_adam.step()
        g_adam.zero_grad()
        cross_entropy(x_fake, 1.0).backward()
        g_adam.step()
        steps += 1
    more = {"minutes": (clock(device) - started) / 60, "steps": steps, "batch": batch}
    return sample, more | {"parameters": parameters(g) + parameters(d)}


def dcgan_networks(size: int, channels: int, z_dim: int = 100, width: int = 64) -> tuple[nn.Module, nn.Module]:
    """Generator z (N, z_dim, 1, 1) -> (N, channels, size, size) in [-1, 1], and discriminator -> logit (N, 1, 1, 1):
    4x4 convolutions without biases, batch norm but at the ends, weights drawn from N(0, 0.02^2)."""
    widths = level_widths(size, width, width * size)[:-1]  # of 64 pixels: 64, 128, 256, 512
    up: list[nn.Module] = [nn.ConvTranspose2d(z_dim, widths[-1], 4, 1, 0, bias=False)]
    down: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for a, b in itertools.pairwise(widths):
        down += [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, inplace=True)]
    for a, b in itertools.pairwise([*widths[::-1], channels]):
        up += [nn.BatchNorm2d(a), nn.ReLU(inplace=True), nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)]
    g = nn.Sequential(*up, nn.Tanh())
    d = nn.Sequential(*down, nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False))
    for module in (*g.modules(), *d.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return g, d
