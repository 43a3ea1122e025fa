"""The parts of `python -m genimg record gpu` that train: each is given a `Job` and gives results and samples."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from genimg.book import cost, experiments, families, ladder, vae_experiments
from genimg.book.records import Results
from genimg.data import shapes
from genimg.data.images import DIGITS, SHAPES, Images, digest
from genimg.data.sources import load_images
from genimg.measure import oracle
from genimg.measure.yardstick import LEAST_FOR_COPIES, yardstick
from genimg.models import vae
from genimg.models.flow import Flow
from genimg.models.gan import GAN
from genimg.models.model import Model
from genimg.system.device import fast_dtype, seed_everything
from genimg.system.errors import RunError
from genimg.training.loop import fit

_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        size: of the pictures of GAN, VAE and ladder; `flow_size` of the flow's.
        width, max_width: of the networks; `text_width` of the source text's.
        batch: pictures a step.
        pictures: to train on; as many `unseen` ones to compare with, and `scored` samples.
        rounds: of the ladder.
        source: of the pictures that the three families are compared on.
    """

    size: int
    flow_size: int
    width: int
    max_width: int
    text_width: int
    batch: int
    pictures: int
    unseen: int
    scored: int
    rounds: int
    source: str


#: Name -> Scale.
SCALES = {
    "full": Scale(128, 64, 32, 512, 64, 128, 40_000, 1000, 500, 5, SHAPES),
    "tiny": Scale(32, 16, 4, 16, 8, 8, 256, 128, 40, 1, DIGITS),
}


@dataclass(frozen=True)
class Job:
    """What a part is given: scale, device, the seconds that it should take, and the folder of real pictures or None."""

    scale: Scale
    device: torch.device
    seconds: float
    folder: str | None = None


def pictures(job: Job, size: int, n: int, seed: int = 0, hues: int | None = None) -> Images:
    """Shapes of all kinds, drawn on the device; in any hue, or in so many."""
    factors = shapes.sample_factors(n, seed, hues=hues, device=job.device)
    return Images(shapes.render(factors, size).cpu(), None, {k: v.cpu() for k, v in factors.items()}, ())


def trained(
    job: Job, build: Callable[[], _M], images: Images, seconds: float, batch: int | None = None,
    transform: Callable[[Tensor], Tensor] | None = None, label: str = "training",
) -> tuple[_M, dict[str, float]]:  # fmt: skip
    """A model trained for so many seconds, and how that went.

    Args:
        build: function without arguments that makes the model.

    Returns:
        (model, score): score has `parameters`, `steps`, `batch`, `seconds`, `images_per_second` of the training alone,
        and `gpu_memory_gb` at its peak where there is a GPU.
    """
    batch, device = batch or job.scale.batch, job.device
    tried = (10, 20) if device.type == "cuda" else (1, 3)
    seed_everything(0)
    started = families.clock(device)
    steps = families.steps_within(1.0, build(), images, batch, device, *tried)  # a second's
    seconds -= families.clock(device) - started
    steps = max(2, round(steps * max(seconds, 0.0)))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seed_everything(0)
    model = build()
    started = families.clock(device)
    history = fit(model, images, steps, batch, 0, device, transform=transform, label=label)
    took = families.clock(device) - started
    score = {"parameters": families.parameters(model), "steps": steps, "batch": batch, "seconds": took}
    score["images_per_second"] = steps * batch / history.seconds
    if device.type == "cuda":
        score["gpu_memory_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return model, score


def read(x: Tensor, n: int) -> dict[str, float]:
    """What the oracle says of at most n pictures: dict of `invalid`, `modes`, `kl` (nats) and `redraw_error`."""
    reading = oracle.read_factors(x[:n])
    found = oracle.modes(reading)
    return {
        "invalid": found.invalid, "modes": float(found.covered), "kl": found.kl,
        "redraw_error": reading.error.median().item(),
    }  # fmt: skip


def gans(job: Job) -> tuple[Results, dict[str, Tensor]]:
    """The book's GAN on shapes in any hue and in six, the source text's for a tenth of the time, and what trivial
    pictures score."""
    scale, n = job.scale, job.scale.scored
    # R1 and R2 look at the gradient by pixel; of a picture four times as wide it is smaller, its square sum by 16.
    r = 0.1 * (scale.size / 32) ** 2
    builders: dict[str, Callable[[], GAN]] = {
        "book's": lambda: GAN(
            scale.size, 3, z_dim=128, width=scale.width, d_width=scale.width, max_width=scale.max_width, r1=r, r2=r,
            every=8, lr=1e-3,
        ),
        "source text's": lambda: experiments.build_gan(scale.size, scale.text_width, z_dim=128),
    }  # fmt: skip
    results: Results = {}
    samples: dict[str, Tensor] = {}
    for network, hues, share in (("book's", None, 0.45), ("book's", 6, 0.45), ("source text's", 6, 0.1)):
        name = f"{network}, {'any hue' if hues is None else f'{hues} hues'}"
        images = pictures(job, scale.size, scale.pictures, hues=hues)
        model, score = trained(job, builders[network], images, share * job.seconds * 0.85, label=name)
        x = model.sample(n, seed=1)
        results[name], samples[name] = [score | read(x, n)], x[:16].cpu()
    unseen = pictures(job, scale.size, n, seed=1, hues=6).floats(job.device)
    results |= trivial(unseen)
    return results, {"unseen shapes": unseen[:16].cpu()} | samples


def trivial(unseen: Tensor) -> Results:
    """What the oracle says of unseen shapes, and of pictures that took no training: name -> [score]."""
    mean = unseen.mean(0, keepdim=True)
    sets = {
        "unseen shapes": unseen, "mean picture": mean, "flat grey": torch.full_like(mean, mean.mean().item()),
        "noise": torch.randn_like(unseen[:20]).clamp(-1, 1),
    }  # fmt: skip
    return {name: [read(x, len(x))] for name, x in sets.items()}


def vaes(job: Job) -> tuple[Results, dict[str, Tensor]]:
    """A VAE on shapes: bits per dimension of unseen ones, reconstructions, samples from the prior and from a mixture
    fitted to its codes."""
    scale, n = job.scale, job.scale.scored
    images = pictures(job, scale.size, scale.pictures)
    unseen = pictures(job, scale.size, scale.unseen, seed=1)
    model, score = trained(
        job, lambda: vae.VAE(scale.size, 3, z_dim=64, width=scale.width, max_width=scale.max_width, lr=1e-3), images,
        0.7 * job.seconds, label="VAE",
    )  # fmt: skip
    x = unseen.floats(job.device)
    fitted = families.fitted_codes(model, images[:4000], 0, components=min(50, len(images) // 8))
    drawn = {
        "redrawn": model.decode(model.encode(x[:n])[0]), "prior": model.sample(n, seed=1), "fitted": fitted(n, seed=1),
    }  # fmt: skip
    results: Results = {"redrawn": [score | vae_experiments.score_vae(model, unseen) | read(drawn["redrawn"], n)]}
    results |= {name: [read(drawn[name], n)] for name in ("prior", "fitted")} | trivial(x[:n])
    return results, {"unseen shapes": x[:16].cpu()} | {name: y[:16].cpu() for name, y in drawn.items()}


def flows(job: Job) -> tuple[Results, dict[str, Tensor]]:
    """A flow on shapes at half the width, sampled in 20 and in 5 steps of Heun's method."""
    scale, n = job.scale, job.scale.scored
    images = pictures(job, scale.flow_size, scale.pictures)
    model, score = trained(
        job, lambda: Flow(scale.flow_size, 3, scale.width, scale.max_width // 2, patch=4, predicts="denoised", lr=1e-3),
        images, 0.75 * job.seconds, label="flow",
    )  # fmt: skip
    results: Results = {}
    samples: dict[str, Tensor] = {}
    for steps in (20, 5):
        started = families.clock(job.device)
        x = model.sample(n, seed=1, steps=steps)
        took = 1000 * (families.clock(job.device) - started) / n
        name = f"{steps} steps"
        results[name] = [(score if steps == 20 else {}) | {"milliseconds_per_sample": took} | read(x, n)]
        samples[name] = x[:16].cpu()
    unseen = pictures(job, scale.flow_size, n, seed=1).floats(job.device)
    return results | trivial(unseen), {"unseen shapes": unseen[:16].cpu()} | samples


def speeds(job: Job) -> tuple[Results, dict[str, Tensor]]:
    """The ladder of speed-ups, each rung's operations a second beside the most that a large product or convolution
    reaches."""
    scale, device = job.scale, job.device
    images = experiments.pictures(scale.size, n=max(scale.batch * 8, 256))
    probe = ladder.Runner(ladder.Loop(), images, scale.size, scale.text_width, scale.batch, 0, device)
    probe.timed(1)
    loops = ladder.rungs(device)
    per_step = probe.timed(2)
    steps = int(min(max(0.4 * job.seconds / (scale.rounds * len(loops) * per_step), 2), 40))
    climbed = ladder.climb(
        images, scale.size, scale.text_width, scale.batch, 0, device, scale.rounds, steps, loops=loops
    )  # fmt: skip
    size = None if device.type == "cuda" else 0.25
    most, moved = cost.peaks(device, fast_dtype(device), size)
    exact, _ = cost.peaks(device, torch.float32, size)
    results: Results = {"ceiling": [{"operations_per_second": most, "in_32_bits": exact, "bytes_per_second": moved}]}
    for name, found in climbed.items():
        plain = ladder.Runner(
            replace(loops[name], compiled=False), images, scale.size, scale.text_width, scale.batch, 0, device
        )
        operations = cost.step_operations(partial(plain.timed, 8)) / 8  # one with penalties
        last = found["losses"][-max(1, len(found["losses"]) // 3) :].mean(0).tolist()
        ms = sorted(found["ms"])[len(found["ms"]) // 2]
        results[name] = [{
            "ms": ms, "ratio": sorted(found["ratio"])[len(found["ratio"]) // 2],
            "images_per_second": 1000 * scale.batch / ms, "share_of_ceiling": operations / (ms / 1000) / most,
            "loss_d": last[0], "loss_g": last[1],
        }]  # fmt: skip
    return results, {}


def three(job: Job) -> tuple[Results, dict[str, Tensor]]:
    """The three families on one yardstick, each trained for the same time."""
    share = 0.2 if job.device.type == "cuda" else 0.05
    return families.compare(
        job.scale.source, 1, share * job.seconds, n=job.scale.scored, n_likelihood=job.scale.scored // 5,
        device=job.device, tell=None,
    )  # fmt: skip


def unlike(pixels: Tensor) -> list[int]:
    """Indices of pictures (N, C, H, W) without those that came before to the last bit, as emptied or copied files."""
    first = {digest(picture): i for i, picture in reversed(list(enumerate(pixels)))}
    return sorted(first.values())


def folders(job: Job) -> tuple[Results, dict[str, Tensor]]:
    """A GAN on a folder of real pictures, mirrored and with what D is shown augmented; how many samples are copies."""
    scale = job.scale
    assert job.folder is not None
    images = load_images(job.folder, scale.size)
    if not isinstance(images, Images):
        raise RunError(f"{job.folder} does not fit into memory at {scale.size} pixels; name a smaller folder")
    images = images[unlike(images.pixels)]
    seen, unseen = images.split(test=min(LEAST_FOR_COPIES + 1, len(images) // 4), seed=0)
    r = 0.1 * (scale.size / 32) ** 2
    model, score = trained(
        job, lambda: GAN(
            scale.size, seen.shape[1], z_dim=128, width=scale.width, d_width=scale.width, max_width=scale.max_width,
            r1=r, r2=r, every=8, augment=("colour", "translation"),
        ), seen, 0.9 * job.seconds, label="folder",
    )  # fmt: skip
    x = model.sample(scale.scored, seed=1).cpu()
    found = yardstick(x, seen, unseen)
    numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
    results: Results = {"GAN": [score | numbers]}
    return results, {"folder": seen[:16].floats(), "GAN": x[:16], "more of it": x[16:32]}
