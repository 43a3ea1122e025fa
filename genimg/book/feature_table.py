"""What a distance to pictures held out should be measured in: five candidates that download nothing, put to the test.

`python -m genimg record features --data FOLDER` runs it. Each candidate with each seed is a part of the record, written
as soon as it is done: the same command, given again, goes on with those that are missing. The package measures with the
bank of Gabor filters (`measure.gabor`); the other candidates live here alone.
"""

import functools
import itertools
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.book import records
from genimg.book.families import clock
from genimg.book.race import seconds_a_step
from genimg.book.records import Record
from genimg.data import shapes
from genimg.data.images import SHAPES, Images, batches, to_bytes, to_floats
from genimg.data.sources import load_images
from genimg.measure import features, metrics, oracle
from genimg.models.gan import GAN
from genimg.models.model import Model
from genimg.models.vae import VAE
from genimg.runs.pictures import load_pictures, parted, some
from genimg.runs.recipes import DEFAULT, SAVE_EVERY, Recipe
from genimg.runs.scores import DRAWN
from genimg.system.device import seed_everything
from genimg.system.errors import RunError
from genimg.training.loop import Training

#: The record's name.
NAME = "features"
#: The pictures that candidates are tried on: those drawn by the package, and those of the reader's folder.
FOLDER = "folder"
SOURCES = (SHAPES, FOLDER)
#: Draws of real pictures whose distances are the floor and its spread; of the first so many the faults are made.
DRAWS, SPOILT = 5, 2
#: Kinds of picture: of shapes their own, of a folder this many parts of one size by colour.
KINDS = 6
#: Fault -> its three strengths: deviation of the blur in pixels; deviation of the noise and what red gains and blue
#: loses, in pixel values from -1 to 1; how often each picture comes; kinds that are missing.
FAULTS: dict[str, tuple[float, ...]] = {
    "blur": (0.5, 0.7, 1.0), "noise": (0.06, 0.12, 0.24), "tint": (0.05, 0.1, 0.2), "copies": (4, 12, 36),
    "dropped": (1, 2, 3),
}  # fmt: skip
#: How many of its own spreads above the floor the weakest fault has to be.
ABOVE = 2.0
#: Steps after which the models whose samples the oracle judges too are looked at; samples, and those it reads.
LOOKS, READ = (10, 25, 60, 120, 250), 32
#: Side of the pictures by which the cost is measured, the command line's own; how many.
COST_SIZE, COSTED = 64, 100

#: uint8 (N, 3, S, S) -> what a distance is computed from: features (N, d), of the pyramid what `pyramid` says.
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
    distance: Callable[[Tensor, Tensor], float] = metrics.frechet_distance
    about: dict[str, float] | None = None


@dataclass(frozen=True)
class Tried:
    """Pictures that candidates are tried on, none of them twice.

    Attributes:
        learn: what candidates and models learn from.
        pool: other real pictures, `DRAWS` times as many as are held out.
        kinds: of these, (N,) from 0 to `KINDS` - 1.
        unseen: those held out, from which distances are measured.
    """

    learn: Images
    pool: Images
    kinds: Tensor
    unseen: Images

    def draw(self, i: int) -> Tensor:
        """The i-th draw of real pictures, floats (n, 3, S, S)."""
        n = len(self.unseen)
        return self.pool[i * n : (i + 1) * n].floats()


def record(
    folder: str, minutes: float = 1.0, size: int = 32, seeds: int = 2, device: torch.device | str | None = None,
    out: str | os.PathLike[str] = records.FOLDER, only: Sequence[str] = (), overwrite: bool = False,
    looks: Sequence[int] = LOOKS, tell: Callable[[str], object] = print,
) -> None:  # fmt: skip
    """Try each candidate that is not on record yet, with each seed.

    Args:
        folder: of pictures.
        minutes: of training, for each candidate that is trained: of the processor, or by the clock on a GPU.
        size: of the pictures.
        seeds: of candidates in which anything is drawn.
        out: folder of the record.
        only: names of candidates; none are all.
        overwrite: make those again that are on record.
        looks: steps of a GAN and a VAE on shapes after which their samples are measured.

    Raises:
        RunError: no such candidate; too few pictures.
    """
    if unknown := sorted(set(only) - set(CANDIDATES)):
        raise RunError(f"no candidate is called {', '.join(unknown)}; there are {', '.join(CANDIDATES)}")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    tried = pictures(folder, size)
    models = functools.cache(lambda: list(snapshots(tried[SHAPES].learn, len(tried[SHAPES].unseen), looks, device)))
    saved = functools.cache(lambda: seconds_between_saves(tried[FOLDER].learn, device))
    command = f"python -m genimg record features --data FOLDER --minutes {minutes:g} --size {size} --seeds {seeds}"
    for seed, name in itertools.product(range(seeds), only or CANDIDATES):
        part = f"{name}, seed {seed}"
        if seed and name in WITHOUT_CHANCE:
            continue
        if not overwrite and part in records.parts(NAME, out):
            tell(f"{part} is on record")
            continue
        started = time.perf_counter()
        results: records.Results = {}
        for source, of in tried.items():
            measure = CANDIDATES[name](of.learn, 60 * minutes, seed, device)
            score = judged(measure, of) | (measure.about or {})
            if source == SHAPES:
                score |= {"agreement": agreement(measure, of, models())}
                score |= costs(measure, device, saved())
            score |= {"n": len(of.unseen), "pictures": len(of.learn)}
            results[source] = [score]
            tell(f"{part}, {source}: " + ", ".join(f"{k} {v:.3g}" for k, v in score.items() if isinstance(v, float)))
        records.write(NAME, command, results, {}, started, device, out, part=part)


def of_source(parts: dict[str, Record], source: str) -> Record:
    """What the parts of the record say of one source: candidate -> scores, one a seed."""
    results: records.Results = {}
    for part, kept in parts.items():
        results.setdefault(part.rsplit(", seed ", 1)[0], []).extend(kept.results[source])
    return Record(results, (), None)


def pictures(folder: str, size: int) -> dict[str, Tried]:
    """Shapes, and the folder's pictures in colour, as many of both and parted alike: source -> Tried.

    Raises:
        RunError: too few pictures.
    """
    images, recipe = load_pictures(Recipe("gan", folder, size=size, channels=3).complete())
    rest, held_out = parted(images, recipe)
    n = min(len(held_out), len(rest) // (2 * DRAWS))
    if n < 8 * DRAWS:
        raise RunError(f"{folder} has {len(images):,} pictures; to try features on them it takes some 500")
    rest, unseen = some(rest, len(rest)), some(held_out, n)
    pool, learn = rest[: DRAWS * n], rest[DRAWS * n :]
    drawn = load_images("genimg:shapes", size, len(rest) + n, seed=0)
    assert drawn.factors is not None
    ours, kinds = drawn[: DRAWS * n], drawn.factors["kind"][: DRAWS * n]
    return {
        SHAPES: Tried(drawn[DRAWS * n : len(rest)], ours, kinds, drawn[len(rest) :]),
        FOLDER: Tried(learn, pool, by_colour(pool), unseen),
    }


def by_colour(images: Images) -> Tensor:
    """Kinds where nobody has named any: parts of one size along the direction in which mean colours differ most."""
    colours = images.floats().mean((2, 3))  # (N, 3)
    colours = colours - colours.mean(0)
    along = colours @ torch.linalg.svd(colours, full_matrices=False).Vh[0]  # (N,)
    return along.argsort().argsort() * KINDS // len(images)


# The faults. Everything is rounded to 8 bits, as files hold it.


def spoilt(tried: Tried, i: int) -> dict[str, list[Tensor]]:
    """The i-th draw of real pictures with every fault: fault -> uint8 (n, 3, S, S) in order of strength."""
    x, random = tried.draw(i), torch.Generator().manual_seed(i)
    waves = torch.randn(x.shape, generator=random)
    warm = torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1)
    made: dict[str, Callable[[float], Tensor]] = {
        "blur": lambda pixels: blurred(x, pixels),
        "noise": lambda much: x + much * waves,
        "tint": lambda much: x + much * warm,
        "copies": lambda times: x[: math.ceil(len(x) / times)].repeat(int(times), 1, 1, 1)[: len(x)],
        "dropped": lambda kinds: without(tried, int(kinds), i),
    }
    return {fault: [to_bytes(made[fault](strength)) for strength in FAULTS[fault]] for fault in FAULTS}


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Pictures (N, 3, S, S) under a Gaussian of so many pixels."""
    bell = torch.exp(-torch.arange(-4.0, 5.0).square() / (2 * deviation**2))
    bell = (bell / bell.sum()).expand(3, 1, 1, 9)
    x = F.conv2d(F.pad(x, (4, 4, 0, 0), mode="replicate"), bell, groups=3)
    return F.conv2d(F.pad(x, (0, 0, 4, 4), mode="replicate"), bell.transpose(2, 3), groups=3)


def without(tried: Tried, missing: int, seed: int) -> Tensor:
    """As many pictures of the pool as are held out, drawn from all kinds but the first so many."""
    left = (tried.kinds >= missing).nonzero().flatten()
    order = torch.randperm(len(left), generator=torch.Generator().manual_seed(seed))
    return tried.pool[left[order[: len(tried.unseen)]]].floats()


def controls(tried: Tried) -> dict[str, Tensor]:
    """Pictures that are worth nothing: name -> uint8 (n, 3, S, S)."""
    x = tried.unseen.floats()
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean = tried.learn.floats().mean(0, keepdim=True).expand_as(x)
    return {"mean picture": to_bytes(mean), "white": to_bytes(torch.ones_like(x)), "noise only": to_bytes(noise)}


# The verdict.


def judged(measure: Measure, tried: Tried) -> dict[str, Any]:
    """What a candidate says of every fault, beside what it says of real pictures.

    Returns:
        dict. floor: mean distance of the real pictures that the faults are made of; spread: deviation over all draws,
        in floors. Of each fault "distances", means over draws, in floors, in order of strength, "excess" of the weakest
        over the floor, in spreads, and "right", 1.0 or 0.0, see `right`. The same of the controls, whose distances are
        in their own order. right: how many faults are.
    """
    reference = measure.points(tried.unseen.pixels)

    def away(x: Tensor) -> float:
        return measure.distance(measure.points(x), reference)

    floors = [away(to_bytes(tried.draw(i))) for i in range(DRAWS)]
    runs = [{fault: [away(x) for x in sets] for fault, sets in spoilt(tried, i).items()} for i in range(SPOILT)]
    means = {fault: torch.tensor([run[fault] for run in runs]).mean(0).tolist() for fault in FAULTS}
    nothing = [away(x) for x in controls(tried).values()]
    floor, spread = (max(value, 1e-12) for value in (statistics.mean(floors[:SPOILT]), statistics.stdev(floors)))
    score: dict[str, Any] = {"floor": floor, "spread": spread / floor}
    for fault, distances in [*means.items(), ("controls", sorted(nothing))]:
        score[f"{fault}, distances"] = [distance / floor for distance in distances]
        score[f"{fault}, excess"] = (distances[0] - floor) / spread
        score[f"{fault}, right"] = float(right(floor, spread, distances))
    return score | {"right": sum(score[f"{fault}, right"] for fault in FAULTS)}


def right(floor: float, spread: float, distances: Sequence[float]) -> bool:
    """Whether distances rise with the fault, and the weakest is above the floor by more than `ABOVE` spreads."""
    return distances[0] > floor + ABOVE * spread and all(a < b for a, b in itertools.pairwise(distances))


def agreement(measure: Measure, tried: Tried, models: Sequence[tuple[Tensor, float]]) -> float:
    """Rank correlation, over models, of their samples' distance and what the oracle says of them, see `misdrawn`."""
    from scipy.stats import spearmanr

    reference = measure.points(tried.unseen.pixels)
    distances = [measure.distance(measure.points(x), reference) for x, _ in models]
    if len(set(distances)) == 1:
        return 0.0  # of what is all the same there are no ranks
    return float(spearmanr(distances, [error for _, error in models]).statistic)


def snapshots(
    learn: Images, n: int, looks: Sequence[int], device: torch.device
) -> Iterator[tuple[Tensor, float]]:  # fmt: skip
    """A small GAN and a small VAE on shapes, seen several times on their way: n samples, uint8 (n, 3, S, S), and what
    the oracle says of some of them."""
    for make in (_gan, _vae):
        seed_everything(0)
        model = make(learn.shape[-1])
        run = Training(model, learn, max(looks), 16, 0, device, tell=lambda _: None)
        while run.step < run.steps:
            run.advance()
            if run.step in looks:
                run.finish()
                x = to_bytes(model.sample(n, seed=1).cpu())
                yield x, misdrawn(x[:READ])


def misdrawn(pixels: Tensor) -> float:
    """Mean error, in grey levels 0 to 1, with which the oracle redraws pictures, uint8 (N, 3, S, S), by shapes of sizes
    and at places as the data have them: else a speck would do for an empty picture."""
    factors = oracle.read_factors(pixels).factors
    kept = {name: factors[name].clamp(*shapes.RANGES[name]) for name in ("x", "y", "radius")}
    redrawn = shapes.render(factors | kept, pixels.shape[-1])
    return ((pixels.float() - redrawn) / 255).square().mean((1, 2, 3)).sqrt().mean().item()


def _gan(size: int) -> GAN:
    return GAN(size, 3, z_dim=64, width=16, d_width=16, max_width=48)


def _vae(size: int) -> Model:
    return VAE(size=size, channels=3, z_dim=16, width=16, max_width=64, lr=3e-3)


def seconds_between_saves(learn: Images, device: torch.device) -> float:
    """Of the training that the command line starts where nothing is said."""
    recipe = Recipe(DEFAULT, FOLDER, size=COST_SIZE, channels=3).complete()
    larger = Images(to_bytes(F.interpolate(learn[: 2 * recipe.batch].floats(), COST_SIZE)))
    return SAVE_EVERY * sum(share * cost for share, cost in seconds_a_step(recipe, larger, device))


def costs(measure: Measure, device: torch.device, between: float) -> dict[str, float]:
    """Milliseconds for 1,000 pictures of `COST_SIZE` pixels, distance included; and those for what a save draws, as a
    share of the time between two saves."""
    x = torch.randint(0, 256, (COSTED, 3, COST_SIZE, COST_SIZE), generator=torch.Generator().manual_seed(0)).byte()
    reference = measure.points(x)
    started = clock(device)
    measure.distance(measure.points(x), reference)
    each = (clock(device) - started) / COSTED
    return {"ms for 1,000": 1e6 * each, "share": DRAWN * each / between}


# The candidates: (pictures to learn from, seconds, seed, device) -> Measure.


def gabor_bank(learn: Images, seconds: float, seed: int, device: torch.device) -> Measure:
    """The features of the package for any pictures."""
    return Measure(features.load(features.ANY))


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
    return Measure(lambda pixels: pooled(pixels) / scale, about=about)


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
    model = _gan(learn.shape[-1])
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


#: Patches of a picture at each level of the pyramid, their side, and directions that they are projected on.
PATCHES, SIDE, DIRECTIONS = 16, 7, 64
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
