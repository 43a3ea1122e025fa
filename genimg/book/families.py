"""The three families side by side: the same pictures, about as many parameters, the same seconds, several seeds.

`python -m genimg record families` runs the comparison at length and keeps it; the chapter on quality runs a short one.
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from genimg.book import experiments
from genimg.book.experiments import fitted_codes
from genimg.book.likelihoods import SIGMAS as SIGMAS
from genimg.book.likelihoods import bits_by_sigma as bits_by_sigma
from genimg.book.likelihoods import likelihoods
from genimg.book.likelihoods import refitted as refitted
from genimg.book.records import Results
from genimg.data.images import DIGITS, SHAPES, Images, to_bytes, to_floats
from genimg.data.sources import load_images
from genimg.measure import features, metrics
from genimg.measure.features import Extractor
from genimg.measure.yardstick import milliseconds_per_sample, yardstick
from genimg.models import vae
from genimg.models.flow import Flow
from genimg.models.gan import GAN
from genimg.models.likelihood import LEVELS, independent_pixels, to_levels
from genimg.models.model import Model
from genimg.models.ode import SOLVERS, carry, evaluations, integrate
from genimg.system.device import seed_everything
from genimg.training.loop import Training, fit

#: The digits as they are, 8x8 pixels of 17 grey levels. "digits" are the same, enlarged to 16x16 pixels of 8 bits.
NATIVE = "digits 8x8"


def native_gan(size: int, channels: int, d_width: int, **options: Any) -> GAN:
    """A GAN for small maps, whose discriminator looks at them once before it halves them."""
    judge = nn.Sequential(
        nn.Conv2d(channels, d_width, 3, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(d_width, 2 * d_width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(2 * d_width * (size // 2) ** 2, 1), nn.Flatten(0),
    )  # fmt: skip
    return GAN(size, channels, discriminator=judge, **options)


#: Source -> name of a family -> (class, its options, pictures in a batch). Widths make the parameters of one source
#: agree to a tenth. Learning rates are out of `RATES`, see `choose`.
CONTENDERS: dict[str, dict[str, tuple[Callable[..., Model], dict[str, Any], int]]] = {
    NATIVE: {
        "GAN": (native_gan, dict(size=8, channels=1, z_dim=32, width=64, d_width=64, max_width=128, lr=2e-3), 16),
        "VAE": (vae.VAE, dict(size=8, channels=1, z_dim=16, width=64, max_width=96, lr=2e-3, levels=17), 32),
        "flow": (Flow, dict(size=8, channels=1, width=25, max_width=100, lr=2e-3, levels=17), 32),
    },
    "digits": {
        "GAN": (GAN, dict(size=16, channels=1, z_dim=32, width=64, d_width=64, max_width=128, lr=2e-3), 16),
        "VAE": (vae.VAE, dict(size=16, channels=1, z_dim=16, width=32, max_width=128, lr=2e-3), 32),
        "flow": (Flow, dict(size=16, channels=1, width=32, max_width=128, patch=2, lr=2e-3), 32),
    },
    "shapes": {
        "GAN": (GAN, dict(size=32, channels=3, z_dim=32, width=20, d_width=40, max_width=128, lr=3e-3, every=8), 16),
        "VAE": (vae.VAE, dict(size=32, channels=3, z_dim=10, width=24, max_width=88, lr=3e-3), 32),
        "flow": (Flow, dict(size=32, channels=3, width=32, patch=4, predicts="denoised", lr=2e-3), 32),
    },
}

#: What the command records, and the source that it stands for.
RECORDED = {DIGITS: NATIVE, SHAPES: SHAPES}

#: Seconds of training of each model in a record.
SECONDS = {DIGITS: 35.0, SHAPES: 60.0}

#: Learning rates that a record tries for each family.
RATES = (1e-3, 2e-3, 4e-3)

#: Passes through the network that a record draws a flow's samples with.
PASSES = (4, 8, 16, 40)
#: The ways to spend them.
WAYS = ("Euler", "Heun", "Heun, last step Euler")

#: A VAE's decoder fed with draws from a mixture fitted to the codes of the training pictures, instead of the prior.
FITTED = "VAE, fitted codes"

#: Training pictures scored as if they were samples, which is the floor, and its spread over draws of so many pictures.
REAL = "real pictures"


def build(source: str, family: str, **changes: Any) -> Model:
    """A fresh model of a family for a source, drawn from torch's global generator."""
    make, options, _ = CONTENDERS[source][family]
    return make(**options | changes)


def load(source: str) -> tuple[Images, Images]:
    """(train, test) of a comparison: always the same pictures, 500 of them unseen."""
    if source == SHAPES:
        return experiments.pictures(32), experiments.pictures(32, 500, seed=1)
    return load_images("genimg:digits", 8 if source == NATIVE else 16).split(test=500, seed=0)


def levels_of(source: str) -> int:
    """Grey levels of a source's pictures."""
    return 17 if source == NATIVE else LEVELS


def finished(source: str, x: Tensor) -> Tensor:
    """Samples (N, C, H, W) as they are measured: rounded to the grey levels that the data have, and 8x8 digits enlarged
    to 16x16 just as the "digits" are."""
    x = to_levels(x.detach().cpu().float(), levels_of(source))
    if source != NATIVE:
        return x
    large = interpolate(to_bytes(x).float(), (16, 16), mode="bicubic", antialias=True)
    return to_floats(large.round().clamp(0, 255))


def parameters(model: nn.Module) -> int:
    """Numbers that training adjusts, of all the networks of a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def clock(device: torch.device | str) -> float:
    """Seconds that this process has computed: of the processor on a CPU, where waiting does not count; else by a clock
    that waits for the GPU."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def steps_within(
    seconds: float, model: Model, train: Images, batch: int, device: torch.device | str, warm_up: int = 10,
    timed: int = 40,
) -> int:  # fmt: skip
    """How many steps of a model's training fit into so many seconds, by the time of some. It is trained a little."""
    run = Training(model, train, 1000, batch, device=device)
    for _ in range(warm_up):
        run.advance()
    started = clock(device)
    for _ in range(timed):
        run.advance()
    return max(1, round(timed * seconds / (clock(device) - started)))


def fit_within(
    seconds: float, model: Model, train: Images, batch: int, seed: int, device: torch.device | str
) -> int:  # fmt: skip
    """Train for so many seconds, see `clock`; the number of steps, and with it the course of the learning rate, follows
    what the steps so far have taken. Returns how many they were."""
    run = Training(model, train, 100, batch, seed, device, half_life=1000)
    started = clock(device)
    while run.step < run.steps:
        run.advance()
        if run.step % 25 == 0:
            run.steps = max(run.step, round(run.step * seconds / (clock(device) - started)))
            run.half_life = run.steps * batch / 20
    run.finish()
    return run.step


def choose(
    source: str, seconds: float, device: torch.device | str, tell: Callable[[str], object] | None = print
) -> dict[str, dict[float, float]]:
    """Family -> learning rate -> FD of its samples, after so many seconds of training with seed 0.

    The pictures compared with are neither trained on nor among the unseen ones of `load`: of the digits, 297 of the
    training pictures are put aside; of the shapes, 500 are drawn for this.
    """
    train, _ = load(source)
    if source == SHAPES:
        aside = experiments.pictures(32, 500, seed=2)
    else:
        train, aside = train[:1000], train[1000:]
    extractor = features.load(SHAPES if source == SHAPES else DIGITS)
    reference = extractor(finished(source, aside.floats()))
    found: dict[str, dict[float, float]] = {}
    for family, (_, _, batch) in CONTENDERS[source].items():
        found[family] = {}
        for lr in RATES:
            seed_everything(0)
            model = build(source, family, lr=lr)
            fit_within(seconds, model, train, batch, 0, device)
            x = finished(source, model.sample(len(aside), seed=1))
            found[family][lr] = metrics.frechet_distance(extractor(x), reference)
        if tell:
            tell(f"{family}: " + ", ".join(f"lr {lr:g} FD {fd:.3g}" for lr, fd in found[family].items()))
    return found


def by_passes(
    model: Flow, way: str, passes: int, source: str, extractor: Extractor, test: Images, seed: int
) -> float:  # fmt: skip
    """FD of a flow's samples that took about so many passes through its network each, by one of `WAYS`; as many as the
    pictures they are compared with."""
    z, velocity = model.noise_for(len(test), seed), model.velocity_of()
    with torch.no_grad():
        if way == "Euler":
            x = carry(velocity, z, passes, "euler")
        elif way == "Heun":
            x = integrate(velocity, z, passes // SOLVERS["heun"], "heun")
        else:
            x = carry(velocity, z, passes // SOLVERS["heun"], "heun")
    return metrics.frechet_distance(extractor(finished(source, x)), extractor(test))


def compare(
    source: str, seeds: int | Iterable[int] = 3, seconds: float | None = None,
    steps: dict[str, int] | None = None, n: int = 500, n_likelihood: int = 128,
    device: torch.device | str | None = None, tell: Callable[[str], object] | None = print,
    after: Callable[[str, int, Model], object] | None = None, at_length: bool = False,
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """Train each family with each seed, and measure them with one yardstick.

    Args:
        source: `NATIVE`, "digits" (16x16) or "shapes" (32x32, the kinds of `experiments.KINDS`).
        seeds: how many; they are 0, 1, 2, ...; or a list of them.
        seconds: of training for each, see `fit_within`; or
        steps: name of a family -> how many steps, which makes the comparison deterministic.
        n: samples, and real pictures that they are compared with.
        n_likelihood: unseen pictures whose likelihood is bounded, and training pictures beside them.
        device: where they are trained; None takes the GPU where there is one.
        tell: function that prints a line, or None.
        after: function (family, seed, model) that is called with each model once it is trained, or None.
        at_length: as a record does it: choose each family's learning rate first, in a fifth of the seconds (see
            `choose`); solve the flow's likelihood with 80 steps too (else with 40); and measure its samples with fewer
            passes too (see `by_passes`).

    Returns:
        (results, samples): variant -> list of scores, one a seed; a score is a dict of numbers: those of
        `measure.yardstick` (and the text `features`), `parameters`, `steps`, `seconds`, `passes` through the network,
        `milliseconds_per_sample`, and `likelihoods` where the family has them; with `at_length`, `lr`, "FD at lr ..."
        of those tried and "FD, (way), (passes)". Variants are the families, `FITTED` and `REAL`, which has the bits of
        two codes that know no generator: `bits_uniform` (all levels as probable) and `bits_independent` (see
        `independent_pixels`). Samples: the first 16 of the first seed.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    given, _ = load(source)  # what is trained on
    train, test = load(DIGITS if source == NATIVE else source)  # the same pictures, as they are measured
    extractor = features.load(SHAPES if source == SHAPES else DIGITS)
    kinds = experiments.KINDS if source == SHAPES else None
    assert steps or seconds is not None, "compare takes seconds, or steps"
    tried = choose(source, (seconds or 0.0) / 5, device, tell) if at_length else {}
    rates = {family: min(fds, key=fds.__getitem__) for family, fds in tried.items()}
    results: Results = {name: [] for name in [*CONTENDERS[source], FITTED, REAL]}
    samples = {REAL: test.floats()[:16]}
    levels = levels_of(source)
    seen, unseen = (to_levels(part[:n_likelihood].floats(), levels) for part in load(source))

    def score(name: str, sample: Callable[..., Tensor], seed: int, **more: float) -> None:
        x = finished(source, sample(n, seed=1000 + seed))
        found = yardstick(x, train, test, extractor, kinds, within=experiments.WITHIN)
        scored: dict[str, Any] = {key: float(v) for key, v in found.items() if isinstance(v, int | float)} | more
        scored |= {"fd_floor": found["floor"]["fd"], "milliseconds_per_sample": milliseconds_per_sample(sample)}
        scored["features"] = found["features"]
        results[name].append(scored)
        samples.setdefault(name, x[:16])
        if tell:
            numbers = (f"{key} {value:.3g}" for key, value in scored.items() if not isinstance(value, str))
            tell(f"{name}, seed {seed}: " + ", ".join(numbers))

    for seed in range(seeds) if isinstance(seeds, int) else seeds:
        for family, (_, _, batch) in CONTENDERS[source].items():
            seed_everything(seed)
            model = build(source, family, **({"lr": rates[family]} if rates else {}))
            started = clock(device)
            if steps:
                done = steps[family]
                fit(model, given, done, batch, seed, device, label=f"{family}, seed {seed}")
            else:
                done = fit_within(seconds or 0.0, model, given, batch, seed, device)
            more = dict(parameters=parameters(model), steps=done, seconds=clock(device) - started)
            more["passes"] = evaluations(20, "heun") if family == "flow" else 1
            if after:
                after(family, seed, model)
            more |= likelihoods(model, seen, unseen, seed, 4 if at_length else 2)
            if rates:
                more |= {"lr": rates[family]} | {f"FD at lr {lr:g}": fd for lr, fd in tried[family].items()}
            if rates and isinstance(model, Flow):
                for way in WAYS:
                    for passes in PASSES:
                        fd = by_passes(model, way, passes, source, extractor, test[:n], seed=1000 + seed)
                        more[f"FD, {way}, {passes}"] = fd
            score(family, model.sample, seed, **more)
            if isinstance(model, vae.VAE):
                started = clock(device)
                sample = fitted_codes(model, given, seed)
                own = {key: more[key] for key in ("parameters", "steps", "passes")}
                score(FITTED, sample, seed, **own, seconds=more["seconds"] + clock(device) - started)
        drawn = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:n]
        reals = yardstick(train[drawn].floats(), train, test, extractor, kinds, within=experiments.WITHIN)
        del reals["rms"], reals["copies"]  # they are training pictures
        numbers = {key: float(v) for key, v in reals.items() if isinstance(v, int | float)}
        everywhere = to_levels(given.floats(), levels)
        log_p = independent_pixels(everywhere, unseen, levels)
        numbers["bits_uniform"] = math.log2(levels)
        numbers["bits_independent"] = vae.bits_per_dim(log_p, unseen[0].numel()).mean().item()
        results[REAL].append(numbers | {"features": reals["features"]})
    return results, samples
