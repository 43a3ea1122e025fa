"""The three families side by side: the same pictures, about as many parameters, the same seconds, several seeds.

`python -m genimg record families` runs the comparison at length and keeps it; the chapter on quality runs a short one.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from genimg.book import experiments
from genimg.book.experiments import fitted_codes
from genimg.book.records import Results
from genimg.data.images import DIGITS, SHAPES, Images
from genimg.data.sources import load_images
from genimg.measure import features
from genimg.measure.yardstick import bits_per_dim, milliseconds_per_sample, yardstick
from genimg.models import vae
from genimg.models.flow import Flow
from genimg.models.gan import GAN
from genimg.models.model import Model
from genimg.models.ode import evaluations
from genimg.system.device import seed_everything
from genimg.training.loop import Training, fit

#: Source -> name of a family -> (class, its options, pictures in a batch). Widths make the parameters of one source
#: agree to a tenth; learning rates and batches are the best of those tried for each.
CONTENDERS: dict[str, dict[str, tuple[type[Model], dict[str, Any], int]]] = {
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

#: Seconds of training of each model in the record of a source.
SECONDS = {"digits": 90.0, "shapes": 120.0}

#: A VAE's decoder fed with draws from a mixture fitted to the codes of the training pictures, instead of the prior.
FITTED = "VAE, fitted codes"

#: Training pictures scored as if they were samples, which is the floor, and its spread over draws of so many pictures.
REAL = "real pictures"


def build(source: str, family: str) -> Model:
    """A fresh model of a family for a source, drawn from torch's global generator."""
    cls, options, _ = CONTENDERS[source][family]
    return cls(**options)


def load(source: str) -> tuple[Images, Images]:
    """(train, test) of a comparison: always the same pictures, 500 of them unseen."""
    if source == DIGITS:
        return load_images("genimg:digits", 16).split(test=500, seed=0)
    return experiments.pictures(32), experiments.pictures(32, 500, seed=1)


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


def compare(
    source: str, seeds: int | Iterable[int] = 3, seconds: float | None = None,
    steps: dict[str, int] | None = None, n: int = 500, n_likelihood: int = 200,
    device: torch.device | str | None = None, tell: Callable[[str], object] | None = print,
    after: Callable[[str, int, Model], object] | None = None,
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """Train each family with each seed, and measure them with one yardstick.

    Args:
        source: "digits" (16x16) or "shapes" (32x32, the kinds of `experiments.KINDS`).
        seeds: how many; they are 0, 1, 2, ...; or a list of them.
        seconds: of training for each, see `clock`; or
        steps: name of a family -> how many steps, which makes the comparison deterministic.
        n: samples, and real pictures that they are compared with.
        n_likelihood: unseen pictures whose likelihood is bounded.
        tell: function that prints a line, or None.
        after: function (family, seed, model) that is called with each model once it is trained, or None.

    Returns:
        (results, samples): variant -> list of scores, one a seed; a score is a dict of numbers: those of
        `measure.yardstick` (and the text `features`), `parameters`, `steps`, `seconds`, `passes` through the network
        and `milliseconds_per_sample`, and `bits_per_dim` where the family has it. Variants are the families, `FITTED`
        and `REAL`. Samples: the first 16 of the first seed.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    train, test = load(source)
    extractor, kinds = features.load(source), experiments.KINDS if source == SHAPES else None
    contenders = CONTENDERS[source]
    if not steps:
        assert seconds is not None, "compare takes seconds, or steps"
        steps = {
            family: steps_within(seconds, build(source, family), train, batch, device)
            for family, (_, _, batch) in contenders.items()
        }
    results: Results = {name: [] for name in [*contenders, FITTED, REAL]}
    samples = {REAL: test.floats()[:16]}
    unseen = test[:n_likelihood].floats()

    def score(name: str, sample: Callable[..., Tensor], seed: int, **more: float) -> None:
        x = sample(n, seed=1000 + seed).cpu()
        found = yardstick(x, train, test, extractor, kinds)
        time_taken = milliseconds_per_sample(sample)
        scored: dict[str, Any] = {key: float(v) for key, v in found.items() if isinstance(v, int | float)} | more
        scored |= {"fd_floor": found["floor"]["fd"], "milliseconds_per_sample": time_taken}
        scored["features"] = found["features"]
        results[name].append(scored)
        samples.setdefault(name, x[:16])
        if tell:
            numbers = (f"{key} {value:.3g}" for key, value in scored.items() if not isinstance(value, str))
            tell(f"{name}, seed {seed}: " + ", ".join(numbers))

    for seed in range(seeds) if isinstance(seeds, int) else seeds:
        for family, (_, _, batch) in contenders.items():
            seed_everything(seed)
            model = build(source, family)
            started = clock(device)
            fit(model, train, steps[family], batch, seed, device, label=f"{family}, seed {seed}")
            more = dict(parameters=parameters(model), steps=steps[family], seconds=clock(device) - started)
            more["passes"] = evaluations(20, "heun") if family == "flow" else 1
            if after:
                after(family, seed, model)
            bits = bits_per_dim(model, unseen, seed)
            score(family, model.sample, seed, **more, **({} if bits is None else {"bits_per_dim": bits}))
            if isinstance(model, vae.VAE):
                started = clock(device)
                sample = fitted_codes(model, train, seed)
                more["seconds"] += clock(device) - started
                score(FITTED, sample, seed, **more)
        drawn = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:n]
        reals = yardstick(train[drawn].floats(), train, test, extractor, kinds)
        del reals["rms"], reals["copies"]  # they are training pictures
        numbers = {key: float(v) for key, v in reals.items() if isinstance(v, int | float)}
        results[REAL].append(numbers | {"features": reals["features"]})
    return results, samples
