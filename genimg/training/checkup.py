"""Looks at what a trained model makes: `diagnose(model, images)`. What can be seen while it trains is `diagnostics`."""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.data.images import Images, Streamed, to_floats
from genimg.measure.metrics import checkerboard
from genimg.models.labelled import LabelledGAN
from genimg.models.model import Model, has_batch_norm
from genimg.system.errors import DataError
from genimg.training.arguments import check_pictures
from genimg.training.diagnostics import Diagnosis

#: Of fewer pictures nothing can be said.
LEAST = 8
#: At most so many of the training pictures are compared.
COMPARED = 2000
#: Larger pictures are compared at this size.
SIDE = 32


@torch.no_grad()
def diagnose(
    model: Model, images: Images | Streamed | Tensor, n: int = 128, seed: int = 0,
    transform: Callable[[Tensor], Tensor] | None = None, **sampling: Any,
) -> list[Diagnosis]:  # fmt: skip
    """What is wrong with a trained model's samples, as far as pictures can tell without a network that judges them.

    Args:
        model: a GAN, VAE or Flow.
        images: those it was trained on: `Images`, `stream.Stream`, or a uint8 tensor (N, C, H, W).
        n: how many samples are looked at.
        seed: of the noise, and of the choice among the images.
        transform: what `fit` was given.
        sampling: goes to `model.sample`: steps, solver, labels, guidance.

    Returns:
        list of `Diagnosis`, empty where nothing is found.

    Raises:
        ValueError: fewer than eight images or samples.
        DataError: no pictures, or of another size or other channels than the model's.
    """
    check_pictures(images)
    if n < LEAST or len(images) < LEAST:
        raise ValueError(f"{len(images)} images and n={n}: of fewer than {LEAST} nothing can be said")
    generator = torch.Generator().manual_seed(seed)
    device = model.device()
    z = model.noise(n, torch.Generator(device).manual_seed(seed))
    x_fake = model.sample(z=z, **sampling).cpu()
    x_train = to_floats(_pixels(images, torch.randperm(len(images), generator=generator)[:COMPARED]))
    if x_fake.shape[1:] != x_train.shape[1:]:
        raise DataError(
            f"samples are {tuple(x_fake.shape[1:])} and the pictures {tuple(x_train.shape[1:])}: load others"
        )
    found = [
        _leaning(model, z, sampling),
        _stale(model, z),
        _unfinished(model, z, x_fake, sampling),
        _over_guided(model, z, x_fake, sampling),
        _memorised(x_fake, x_train),
        _alike(x_fake, x_train, model),
        _checkered(x_fake, x_train),
        _leaked(x_fake, x_train, transform),
    ]
    return [one for one in found if one]


def _pixels(images: Images | Streamed | Tensor, index: Tensor) -> Tensor:
    if isinstance(images, Streamed):  # a folder that is read as it goes
        return images.pixels_of(index[:256].tolist())
    return (images.pixels if isinstance(images, Images) else images)[index].cpu()


def _leaning(model: Model, z: Tensor, sampling: dict[str, Any]) -> Diagnosis | None:
    """The same z by itself in a small batch, and among others."""
    k = 4
    if "labels" in sampling and torch.as_tensor(sampling["labels"]).dim():
        return None  # each z has its label: it cannot change places
    first = model.sample(z=z[:k], **sampling)
    among = model.sample(z=z, **sampling)[:k]
    lean = ((first - among).square().mean().sqrt() / first.std().clamp_min(1e-6)).item()
    if lean > 0.05:
        return Diagnosis(
            "batch statistics leak",
            f"in other company the same z gives a picture {lean:.2f} deviations away",
            "Sample with running statistics (eval mode), or use a norm of one picture alone (norm='group')",
        )
    return None


def _stale(model: Model, z: Tensor) -> Diagnosis | None:
    """Averaged weights with the statistics that they have, and with those of a batch of their own."""
    net = next((model.average[name] for name in ("generator", "decoder") if name in model.average), None)
    if net is None or not has_batch_norm(net):
        return None
    labels = [model.spread(len(z))] if isinstance(model, LabelledGAN) else []
    own = copy.deepcopy(net).train()(z, *labels)
    kept = net(z, *labels)
    off = ((own - kept).square().mean().sqrt() / own.std().clamp_min(1e-6)).item()
    if off > 0.5:
        return Diagnosis(
            "stale batch-norm statistics",
            f"with the statistics of a batch of its own the averaged network draws {off:.2f} deviations otherwise",
            "An average of weights needs statistics of its own: run some batches through it after training (calibrate)",
        )
    return None


def _unfinished(model: Model, z: Tensor, x_fake: Tensor, sampling: dict[str, Any]) -> Diagnosis | None:
    if "steps" not in sampling:
        return None
    finer = model.sample(z=z, **sampling | {"steps": 2 * sampling["steps"]}).cpu()
    off = ((finer - x_fake).square().mean().sqrt() / finer.std().clamp_min(1e-6)).item()
    if off > 0.3:
        return Diagnosis(
            "too few steps",
            f"twice as many steps from the same noise end {off:.2f} deviations away",
            "Take more steps, or the solver 'heun'",
        )
    return None


def _over_guided(model: Model, z: Tensor, x_fake: Tensor, sampling: dict[str, Any]) -> Diagnosis | None:
    if sampling.get("guidance", 1.0) <= 1.0:
        return None
    plain = model.sample(z=z, **sampling | {"guidance": 1.0}).cpu()
    ratio = (_apart(x_fake) / _apart(plain).clamp_min(1e-6)).item()
    cut = (x_fake.abs() > 0.99).float().mean().item() - (plain.abs() > 0.99).float().mean().item()
    if ratio < 0.6 or cut > 0.3:
        return Diagnosis(
            "guidance too strong",
            f"neighbouring samples lie {ratio:.2f} times as far apart as without guidance, and {cut:.0%} more of their "
            "pixels are cut off at black or white",
            "Lower guidance towards 1: variety is lost from there on",
        )
    return None


def _memorised(x_fake: Tensor, x_train: Tensor) -> Diagnosis | None:
    x, y = _rows(x_fake), _rows(x_train)
    own = _nearest(y, y, itself=True).median()
    ratio = (_nearest(x, y).median() / own.clamp_min(1e-6)).item()
    if own > 0 and ratio < 0.5:
        return Diagnosis(
            "memorisation",
            f"samples lie {ratio:.2f} times as far from the nearest training picture as training pictures from each "
            "other",
            "More pictures, augmentation that D sees on both sides (augment=), or fewer steps",
        )
    return None


def _alike(x_fake: Tensor, x_train: Tensor, model: Model) -> Diagnosis | None:
    if not hasattr(model, "discriminator"):  # where a VAE's samples are alike, its decoder does without the code
        return None
    ratio = (_apart(x_fake) / _apart(x_train[: len(x_fake)]).clamp_min(1e-6)).item()
    if ratio < 0.35:
        return Diagnosis(
            "mode collapse",
            f"neighbouring samples lie {ratio:.2f} times as far apart as neighbouring pictures of the data",
            "Train without momentum (betas=(0.0, 0.99)), and G no faster than D",
        )
    return None


def _checkered(x_fake: Tensor, x_train: Tensor) -> Diagnosis | None:
    if min(x_fake.shape[-2:]) < 16:
        return None
    fake, real = checkerboard(x_fake), checkerboard(x_train)
    if fake > 1.6 * max(real, 1.0):  # 1 is a smooth spectrum, 0.7 is what blurred pictures have
        return Diagnosis(
            "checkerboard",
            f"samples have {fake:.1f} times the power of their neighbours at half a cycle a pixel, the data {real:.1f}",
            "Upsample and convolve instead of transposed convolutions with a kernel that the stride does not divide",
        )
    return None


def _leaked(x_fake: Tensor, x_train: Tensor, transform: Callable[[Tensor], Tensor] | None) -> Diagnosis | None:
    if transform is None:
        return None
    share, of_data = augmented_share(x_fake, x_train, transform), augmented_share(None, x_train, transform)
    if share > of_data + 0.25:
        return Diagnosis(
            "augmentation leak",
            f"the nearest neighbour is an augmented picture for {share:.0%} of samples, and for {of_data:.0%} of the "
            "data",
            "Give the augmentation to GAN(augment=...), which shows it to D on both sides, instead of to fit",
        )
    return None


@torch.no_grad()
def augmented_share(x_fake: Tensor | None, x_train: Tensor, transform: Callable[[Tensor], Tensor]) -> float:
    """Of which kind is the nearest neighbour: a picture of the data, or one that `transform` changed?

    Args:
        x_fake: samples (N, C, H, W), or None: pictures of the data that are not among the neighbours.
        x_train: (M, C, H, W); a third stays as it is, a third is transformed, a third is left for x_fake=None.
        transform: as `fit` takes it.

    Returns:
        share of x_fake, a float, whose nearest neighbour was transformed: near 0 if nothing leaks and the
        augmentation can be seen.
    """
    third = len(x_train) // 3
    pool = torch.cat([_rows(x_train[:third]), _rows(transform(x_train[third : 2 * third]))])
    x = x_train[2 * third :] if x_fake is None else x_fake
    return (torch.cdist(_rows(x), pool).argmin(1) >= third).float().mean().item()


def _rows(x: Tensor) -> Tensor:
    """Pictures (N, C, H, W) -> (N, D), larger ones averaged down."""
    if max(x.shape[-2:]) > SIDE:
        x = F.adaptive_avg_pool2d(x, SIDE)
    return x.float().flatten(1)


def _nearest(x: Tensor, y: Tensor, itself: bool = False) -> Tensor:
    """Distance of each row of x to its nearest in y, (N,)."""
    distances = torch.cdist(x, y)
    if itself:
        distances.fill_diagonal_(float("inf"))
    return distances.amin(1)


def _apart(x: Tensor) -> Tensor:
    """Median distance of a picture to its nearest other one: what twins make small (Arora and Zhang 2017 count them:
    https://arxiv.org/abs/1706.08224)."""
    x = _rows(x)
    return _nearest(x, x, itself=True).median()
