"""What a distance to pictures held out should be measured in: candidates that download nothing, put to the test.

`python -m genimg record features --data FOLDER` runs it. Each candidate with each seed is a part of the record, written
as soon as it is done: the same command, given again, goes on with those that are missing.
"""

import functools
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.book import records
from genimg.book.families import clock
from genimg.book.feature_candidates import CANDIDATES, WITHOUT_CHANCE, Measure, small_gan
from genimg.book.feature_faults import DRAWS, FAULTS, FOLDER, Tried, controls, pictures, spoilt
from genimg.book.race import seconds_a_step
from genimg.book.records import Record
from genimg.data import shapes
from genimg.data.images import SHAPES, Images, to_bytes
from genimg.measure import oracle
from genimg.models.model import Model
from genimg.models.vae import VAE
from genimg.runs.recipes import DEFAULT, SAVE_EVERY, Recipe
from genimg.runs.scores import DRAWN
from genimg.system.device import seed_everything
from genimg.system.errors import RunError
from genimg.training.loop import Training

#: The record's name.
NAME = "features"
#: Of how many draws of real pictures the faults are made.
SPOILT = 2
#: How many of its own spreads above the floor the weakest fault has to be.
ABOVE = 2.0
#: Steps after which the models whose samples the oracle judges are looked at.
LOOKS = (10, 25, 60, 120, 250)
#: Samples that the oracle reads at each look.
READ = 32
#: Side of the pictures by which the cost is measured, the command line's own.
COST_SIZE = 64
#: How many pictures that takes.
COSTED = 100


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
    for make in (small_gan, _vae):
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


def _vae(size: int) -> Model:
    return VAE(size=size, channels=3, z_dim=16, width=16, max_width=64, lr=3e-3)
