"""One factor at a time: the source text's networks, and each change to them, at one budget over several seeds.

Too long for a page: `python -m genimg record NAME` runs an experiment and keeps it as a record (`records.py`), which
the page then shows. The data are `shapes`, where an oracle can say how good a sample is.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.book.records import Results
from genimg.data.images import Images
from genimg.data.sources import load_images
from genimg.measure import metrics, oracle
from genimg.models import classic, gan, vae
from genimg.models.model import Model
from genimg.system.device import seed_everything
from genimg.training import diagnostics
from genimg.training.history import History
from genimg.training.loop import fit

#: Shapes that do not blend into each other; see the chapter on GANs.
KINDS = ("square", "triangle", "ring")

#: A picture is valid if the oracle redraws it within this root mean squared error (grey levels 0 to 1); see `judge`.
WITHIN = 0.05

#: The source text's GAN, as `build_gan` takes it.
TEXT_GAN: dict[str, Any] = dict(loss="sigmoid_bce", norm="all", up="transposed", lr=2e-4, betas=(0.5, 0.999), r1=0.0)

#: The GAN that factors are changed in, as `small_gan` takes it.
GAN: dict[str, Any] = dict(
    loss="relativistic", norm="none", lr=3e-3, betas=(0.0, 0.99), r1=0.1, augment=None
)  # fmt: skip

#: Name -> what differs from `GAN`; "text" is the source text's, with its own networks. Batch norm in D goes without
#: penalties, which mean nothing where a picture's score depends on its neighbours: compare it with "no penalties".
GAN_FACTORS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "no penalties": {"r1": 0.0},
    "no penalties, norm in D": {"r1": 0.0, "norm": "all"},
    "lr 2e-4": {"lr": 2e-4},
    "beta1 0.5": {"betas": (0.5, 0.99)},
    "beta1 0.9": {"betas": (0.9, 0.99)},
    "text": TEXT_GAN,
}

#: Name -> number of training pictures, and what differs from `GAN`.
GAN_FEW: dict[str, tuple[int, dict[str, Any]]] = {
    "64 pictures": (64, {}),
    "64, DiffAugment": (64, {"augment": ("colour", "translation")}),
}

#: What `shapes` are drawn with for these GANs: six hues, upright, some room to move.
EASY: dict[str, Any] = dict(kinds=KINDS, hues=6, shift=0.08, radius=(0.24, 0.30), angle=0.0, ground=0.6)

#: Shapes of six hues, a little moved, turned and scaled, as a small VAE learns to draw them in a minute.
VAE_SHAPES: dict[str, Any] = dict(
    kinds=("disc", "square", "triangle", "cross"), hues=6, shift=0.08, radius=(0.24, 0.32), angle=(0.0, 0.6),
    ground=(0.5, 0.7),
)  # fmt: skip


def build_gan(size: int, width: int, z_dim: int = 64, **changes: Any) -> gan.GAN:
    """The text's GAN with changes, a fresh `gan.GAN`."""
    options = TEXT_GAN | changes
    up, norm, r1 = options.pop("up"), options.pop("norm"), options.pop("r1")
    return gan.GAN(
        generator=classic.Generator(size, 3, z_dim, width, up), r1=r1, r2=r1, every=8,
        discriminator=classic.Discriminator(size, 3, width, norm), **options,
    )  # fmt: skip


def mean_sigma(dims: int) -> float:
    """The sigma for which the sum over `dims` pixels, / (2 sigma^2), is their mean."""
    return math.sqrt(dims / 2)


def small_gan(size: int, width: int, z_dim: int = 32, **changes: Any) -> gan.GAN:
    """A fresh `gan.GAN` with the settings of `GAN` and changes; where wanted, batch norm is put into D."""
    options = GAN | changes
    norm, r1 = options.pop("norm"), options.pop("r1")
    model = gan.GAN(size, 3, z_dim, width, 2 * width, r1=r1, r2=r1, every=8, **options)
    if norm == "all":
        model.discriminator.features = nn.Sequential(*(
            layer for old in cast(nn.Sequential, model.discriminator.features)
            for layer in ([old, nn.BatchNorm2d(old.out_channels)] if isinstance(old, nn.Conv2d) else [old])
        ))  # fmt: skip
        model.mixes = True
    return model


def judge(x: Tensor, within: float = WITHIN) -> dict[str, float]:
    """How good pictures (N, 3, S, S) in [-1, 1] of `EASY` shapes are, by the oracle: dict of shares.

    valid: redrawn within an error, by a shape of a size as in the data (an empty picture is redrawn well enough by a
    speck); modes: how evenly the valid ones spread over 18 kinds and hues, see `evenly`; places: likewise over nine
    places, thirds of the data's range in x and in y; beyond: share of N valid with a centre out of that range.
    """
    found = sorted_out(x, within)
    valid = found["valid"]
    return {
        "valid": valid.float().mean().item(),
        "modes": evenly(found["mode"][valid], len(KINDS) * EASY["hues"]),
        "places": evenly(found["place"][valid], 9),
        "beyond": (valid & found["out"]).float().mean().item(),
    }


def sorted_out(x: Tensor, within: float = WITHIN) -> dict[str, Tensor]:
    """What `judge` counts, for each picture: valid and out (N,) bool, mode 0 ... 17 and place 0 ... 8 (N,) int64."""
    reading = oracle.read_factors(x, KINDS)
    factors = {name: value.cpu() for name, value in reading.factors.items()}
    low, high = EASY["radius"]
    across, up = ((factors[axis].nan_to_num() / EASY["shift"] * 1.5).round().clamp(-1, 1).long() + 1 for axis in "xy")
    return {
        "valid": (reading.error.cpu() < within) & (factors["radius"] > low - 0.03) & (factors["radius"] < high + 0.03),
        "mode": mode_of(factors),
        "place": 3 * across + up,
        "out": torch.maximum(factors["x"].abs(), factors["y"].abs()) > EASY["shift"] + 0.03,
    }


def mode_of(factors: dict[str, Tensor]) -> Tensor:
    """The mode, kind and hue, of `EASY` shapes with these factors: (N,) int64, 0 ... 17."""
    kinds = torch.tensor([oracle.shapes.KINDS.index(kind) for kind in KINDS])
    kind = (factors["kind"].unsqueeze(1) == kinds).long().argmax(1)
    hue = (factors["hue"].nan_to_num() * EASY["hues"]).round().long() % EASY["hues"]
    return kind * EASY["hues"] + hue


def evenly(labels: Tensor, k: int) -> float:
    """Share of labels 0 ... k - 1 that is left where none may count for more than one in k: 1 if all are as frequent,
    1 / k if all are the same, 0 if there are none."""
    return (torch.bincount(labels, minlength=k).float() / max(1, len(labels))).clamp(max=1 / k).sum().item()


def score_gan(model: gan.GAN, history: History, images: Images, n: int = 360) -> dict[str, Any]:
    """What `judge` says of samples of the averaged weights and (`raw_...`) of those in training, and more.

    checkerboard: see `metrics.checkerboard`; known: share of pairs of a training picture and an unseen one in which D
    gives the first the larger logit, 0.5 if it knows none by heart; copied: share of samples nearer to a training
    picture than 99 in 100 unseen ones are; gap: mean logit of real pictures less that of generated ones, told_apart,
    spread: means over the second half of the run (see `diagnostics`); warned: what `fit` said.
    """
    seen = images[:1000].floats()
    unseen = load_images("shapes", seen.shape[-1], 1000, seed=1, **EASY).floats()
    with torch.no_grad():
        of_seen, of_unseen = (model.discriminator.eval()(x.to(model.device())).cpu() for x in (seen, unseen))
    half = len(history.steps) // 2
    told = {name: np.nanmean(history[name][half:]).item() for name in ("told_apart", "spread")}
    x = model.sample(n, seed=1)
    raw = {f"raw_{name}": value for name, value in judge(model.sample(n, seed=1, averaged=False)).items()}
    return judge(x) | raw | told | {
        "checkerboard": metrics.checkerboard(x),
        "known": (of_seen.unsqueeze(1) > of_unseen).float().mean().item(),
        "copied": (nearest(x.cpu(), seen) < nearest(unseen, seen).quantile(0.01)).float().mean().item(),
        "gap": np.mean(history["logit_real"][half:] - history["logit_fake"][half:]).item(),
        "warned": [text.split(":")[0] for text in history.warned],
        "seconds": history.seconds,
    }  # fmt: skip


def nearest(x: Tensor, seen: Tensor) -> Tensor:
    """Distance of each picture (N, C, H, W) to the nearest of some others (M, C, H, W): (N,)."""
    return torch.cdist(x.flatten(1), seen.flatten(1)).min(1).values


def pictures(size: int, n: int = 10_000, seed: int = 0) -> Images:
    """The experiments' shapes."""
    return load_images("genimg:shapes", size, n, seed=seed, kinds=KINDS)


def trivial(train: Tensor, test: Tensor) -> dict[str, Tensor]:
    """Pictures that took no training, by which a measure of samples is judged: name -> (N, C, H, W) in [-1, 1].

    Blank, mean picture, noise with each number's mean and deviation, unseen pictures blurred over a fifth of their
    width, and 20 training pictures copied again and again; then the unseen pictures as they are.

    Args:
        train, test: pictures (N, C, H, W) in [-1, 1].
    """
    mean, n, window = train.mean(0, keepdim=True), len(test), test.shape[-1] // 5 | 1
    noise = torch.randn(test.shape, generator=torch.Generator().manual_seed(0)).to(test)
    return {
        "blank": torch.full_like(mean, mean.mean().item()),
        "mean picture": mean,
        "noise": (mean + train.std(0) * noise).clamp(-1, 1),
        "blurred": F.avg_pool2d(test, window, 1, window // 2, count_include_pad=False),
        "20 copied": train[:20].repeat(-(-n // 20), 1, 1, 1)[:n],
        "unseen": test,
    }


def score_shapes(x: Tensor, kinds: Sequence[str], hues: int = 6) -> dict[str, float]:
    """Whether pictures (N, 3, S, S) are shapes, and whether all sorts (a kind in a hue) are among them.

    Returns:
        dict of floats. valid: share of the pictures that the oracle redraws within its limit, which an empty picture is
        not; covered: sorts among these, out of len(kinds) * hues; uneven: divergence of these from equal shares of all
        sorts in nats, left out if there are none.
    """
    found = oracle.report(x, kinds, hues)
    scores = {"valid": 1 - found.invalid, "covered": float(found.covered)}
    return scores | ({"uneven": found.kl} if found.covered else {})


def fitted_codes(
    model: vae.VAE, train: Images, seed: int, components: int = 50,
) -> Callable[..., Tensor]:  # fmt: skip
    """A sampler like `model.sample` whose z come from a Gaussian mixture fitted to codes of the training pictures.

    Returns:
        function (n, seed) -> pictures (n, C, H, W).
    """
    from sklearn.mixture import GaussianMixture

    mu, logvar = model.encode(train.floats(model.device()))
    noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(seed)).to(mu)
    codes = vae.reparameterise(mu, logvar, noise).double().cpu().numpy()
    mixture = GaussianMixture(components, covariance_type="full", reg_covar=1e-2, random_state=seed).fit(codes)

    def sample(n: int, seed: int | None = None) -> Tensor:
        z, _ = mixture.set_params(random_state=seed).sample(n)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed or 0))  # it samples mode by mode
        return model.decode(torch.as_tensor(z).float()[order].to(model.device()))

    return sample


def gan_factors(
    size: int = 32, width: int = 12, steps: int = 1200, batch: int = 16, seeds: int = 5,
    device: torch.device | str | None = None, names: Sequence[str] = tuple(GAN_FACTORS),
    tell: Callable[[str], object] = print,
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """Train every variant of `GAN_FACTORS` with every seed.

    Returns:
        (results, samples): name -> list of score dicts, one a seed; name -> pictures (16, 3, size, size) of seed 0.
    """
    images = load_images("shapes", size, 6000, seed=0, **EASY)
    variants = {name: (images, GAN_FACTORS[name]) for name in names}
    return _gans(variants, size, width, steps, batch, seeds, device, tell)


def gan_few(
    size: int = 32, width: int = 12, steps: int = 1200, batch: int = 16, seeds: int = 5,
    device: torch.device | str | None = None, names: Sequence[str] = tuple(GAN_FEW),
    tell: Callable[[str], object] = print,
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """As `gan_factors`, for `GAN_FEW`."""
    few = {name: GAN_FEW[name] for name in names}
    variants = {name: (load_images("shapes", size, n, seed=0, **EASY), changes) for name, (n, changes) in few.items()}
    return _gans(variants, size, width, steps, batch, seeds, device, tell)


def _gans(
    variants: dict[str, tuple[Images, dict[str, Any]]], size: int, width: int, steps: int, batch: int, seeds: int,
    device: torch.device | str | None, tell: Callable[[str], object],
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    def one(variant: tuple[Images, dict[str, Any]], seed: int) -> tuple[Model, dict[str, Any]]:
        images, changes = variant
        model = build_gan(size, 16) if changes is TEXT_GAN else small_gan(size, width, **changes)
        with diagnostics.expected():
            history = fit(model, images, steps, batch, seed, device, label=f"seed {seed}")
        return model, score_gan(model, history, images)

    return each(one, variants, seeds, tell)


def each(
    one: Callable[[Any, int], tuple[Model, dict[str, Any]]], factors: dict[str, Any], seeds: int,
    tell: Callable[[str], object],
) -> tuple[Results, dict[str, Tensor]]:  # fmt: skip
    """Call one(changes, seed) for all factors and seeds: the scores, and 16 samples of seed 0 each."""
    results: Results = {}
    samples: dict[str, Tensor] = {}
    for name, changes in factors.items():
        results[name] = []
        for seed in range(seeds):
            seed_everything(seed)
            model, score = one(changes, seed)
            results[name].append(score)
            if seed == 0:
                samples[name] = model.sample(16, seed=0).cpu()
            tell(f"{name}, seed {seed}: " + ", ".join(f"{key} {in_short(value)}" for key, value in score.items()))
    return results, samples


def in_short(value: object) -> str:
    """A number in three digits, anything else as it is."""
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)
