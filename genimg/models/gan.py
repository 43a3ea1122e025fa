"""Generative adversarial networks: two networks, their losses and their penalties.

D(x) is the probability that x is *real* (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661). The discriminator
returns its logit: sigmoid(logit) = D(x). Losses are per sample, in nats where they are logarithms, to be minimised.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.models.diff_augment import diff_augment
from genimg.models.doubled import doubling
from genimg.models.model import CALIBRATED, Model, Player, group_norm, has_batch_norm, reset_statistics
from genimg.models.penalties import gradient_penalty_at, wgan_penalty
from genimg.models.sizes import Size, level_sides, level_widths

#: Name -> function from channels to a norm.
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "group": group_norm}


class Generator(nn.Module):
    """z (N, z_dim) -> picture (N, channels, height, width) in [-1, 1].

    A dense layer makes a map of 4x4, or 5 to 7 a side; each level doubles it by nearest-neighbour upsampling and a 3x3
    convolution, which leaves no checkerboard (Odena et al. 2016, https://doi.org/10.23915/distill.00003), and a norm
    after it.

    Args:
        size: of squares, or (height, width): multiples of 8 up to 512.
        channels: 1 for grey, 3 for colour.
        z_dim: length of the noise vector.
        width: channels at full resolution; they double with each halving, up to `max_width`.
        norm: "batch", or "group", which looks at one picture alone and so is the same in any number of processes.

    Raises:
        ValueError: another size or norm.
    """

    def __init__(
        self, size: Size = 16, channels: int = 1, z_dim: int = 32, width: int = 24, max_width: int = 96,
        norm: str = "batch",
    ) -> None:  # fmt: skip
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm {norm!r}; there are {', '.join(NORMS)}")
        make_norm = NORMS[norm]
        widths, maps = level_widths(size, width, max_width)[::-1], level_sides(size)[::-1]  # coarse to fine
        self.z_dim, self.coarse = z_dim, maps[0]
        self.dense = nn.Linear(z_dim, widths[0] * math.prod(maps[0]), bias=False)
        self.norm = make_norm(widths[0])
        self.levels = nn.ModuleList(
            nn.Sequential(*doubling(a, b, before, to, maps[-1]), make_norm(b), nn.ReLU())
            for a, b, before, to in zip(widths, widths[1:], maps, maps[1:], strict=False)
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.dense(z).unflatten(1, (-1, *self.coarse))  # (N, z_dim) -> (N, C, 4, 4)
        x = F.relu(self.norm(x)).contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            x = level(x)  # (N, C, h, w) -> (N, C / 2, 2 h, 2 w)
        return torch.tanh(self.last(x).float())


class Discriminator(nn.Module):
    """Picture (N, channels, height, width) in [-1, 1] -> logit (N,) of the probability that it is real.

    4x4 convolutions of stride 2 down to 4x4, or 5 to 7 a side, LeakyReLU(0.2), one dense layer. No batch norm: the
    score of a picture must not depend on its neighbours in the batch, or a gradient penalty per picture means nothing.
    """

    def __init__(self, size: Size = 16, channels: int = 1, width: int = 24, max_width: int = 192) -> None:
        super().__init__()
        widths = [channels, *level_widths(size, width, max_width)[:-1]]
        self.features = nn.Sequential(*(
            layer
            for a, b in zip(widths, widths[1:], strict=False)
            for layer in (nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        ))  # fmt: skip
        self.last = nn.Linear(widths[-1] * math.prod(level_sides(size)[-1]), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.features(x).flatten(1)).float().squeeze(1)  # (N, C, H, W) -> (N,)


# Losses: (logits_real, logits_fake), each (N,) -> (N,). softplus(-l) = -log D, softplus(l) = -log(1 - D), computed
# without ever forming D, which would round to 0 or 1.


def d_minimax(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """-log D(x_real) - log(1 - D(x_fake)): minus the value function of Goodfellow et al. 2014, equation 1."""
    return F.softplus(-logits_real) + F.softplus(logits_fake)


def g_minimax(logits_real: Tensor | None, logits_fake: Tensor) -> Tensor:
    """log(1 - D(x_fake)): the generator's side of the same value function. Its slope dies where D is sure."""
    return -F.softplus(logits_fake)


def g_non_saturating(logits_real: Tensor | None, logits_fake: Tensor) -> Tensor:
    """-log D(x_fake) (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-logits_fake)


def d_sigmoid_bce(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """`d_minimax` by way of the probability, as tutorials write it: sigmoid, then binary cross-entropy. In float32
    sigmoid(17) is already 1: beyond, the logarithm is cut at -100 and the gradient is lost."""
    return _cross_entropy(torch.sigmoid(logits_real), 1.0) + _cross_entropy(torch.sigmoid(logits_fake), 0.0)


def g_sigmoid_bce(logits_real: Tensor | None, logits_fake: Tensor) -> Tensor:
    """`g_non_saturating` by way of the probability; see `d_sigmoid_bce`."""
    return _cross_entropy(torch.sigmoid(logits_fake), 1.0)


def _cross_entropy(p: Tensor, label: float) -> Tensor:
    with torch.autocast(p.device.type, enabled=False):  # torch refuses it there, as 16 bits lose what is left here
        return F.binary_cross_entropy(p, torch.full_like(p, label), reduction="none")


def d_hinge(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """max(0, 1 - l_real) + max(0, 1 + l_fake) (Miyato et al. 2018, https://arxiv.org/abs/1802.05957)."""
    return F.relu(1 - logits_real) + F.relu(1 + logits_fake)


def d_wasserstein(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """l_fake - l_real (Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875); needs a Lipschitz penalty."""
    return logits_fake - logits_real


def g_raise(logits_real: Tensor | None, logits_fake: Tensor) -> Tensor:
    """-l_fake: the generator's side of the hinge and Wasserstein losses."""
    return -logits_fake


def d_relativistic(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """-log sigmoid(l_real - l_fake), in pairs (Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734)."""
    return F.softplus(logits_fake - logits_real)


def g_relativistic(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """-log sigmoid(l_fake - l_real): the same question asked the other way round."""
    return F.softplus(logits_real - logits_fake)


#: Name -> (discriminator's loss, generator's loss).
LOSSES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "minimax": (d_minimax, g_minimax),
    "non_saturating": (d_minimax, g_non_saturating),
    "sigmoid_bce": (d_sigmoid_bce, g_sigmoid_bce),
    "hinge": (d_hinge, g_raise),
    "wasserstein": (d_wasserstein, g_raise),
    "relativistic": (d_relativistic, g_relativistic),
}


class GAN(Model):
    """A generator, a discriminator, and what each of them loses against the other.

    Args:
        size, channels, z_dim: the pictures' size and channels, the noise's length.
        norm: of the generator, "batch" or "group".
        generator, discriminator: your own in place of those built from the sizes; the generator has a `z_dim`. A
            discriminator with batch norm sees real and generated pictures in separate batches.
        width, d_width: channels at full resolution in generator and discriminator.
        loss: a name out of `LOSSES`.
        r1, r2: weights of the zero-centred penalties: loss + r1 / 2 * |grad logit(x_real)|^2 + r2 / 2 * the same at
            x_fake (Huang et al. 2024, https://arxiv.org/abs/2501.05441, uses both with the relativistic loss).
        wgan: weight of the Wasserstein penalty; None takes 10 for the Wasserstein loss and 0 for the others.
        every: the penalties are computed each so many steps, with the weight multiplied by as much.
        augment: a policy of `diff_augment` applied to real and generated pictures before D sees them, or None.
        augment_p: the probability of each augmentation.
        lr, betas: Adam's. betas must be floats.
        d_lr: the discriminator's; None takes `lr` (two rates: Heusel et al. 2017, https://arxiv.org/abs/1706.08500).

    Raises:
        ValueError: an unknown loss or a size that the networks are not built for.
    """

    averaged = ("generator",)
    quick = True

    def __init__(
        self, size: Size = 16, channels: int = 1, z_dim: int = 32, width: int = 24, d_width: int = 24,
        max_width: int = 96, loss: str = "relativistic", r1: float = 0.1, r2: float = 0.1, wgan: float | None = None,
        every: int = 4, augment: str | Sequence[str] | None = None, augment_p: float = 1.0, lr: float = 1e-3,
        betas: tuple[float, float] = (0.0, 0.99), generator: nn.Module | None = None,
        discriminator: nn.Module | None = None, norm: str = "batch", d_lr: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss {loss!r}; there are {', '.join(LOSSES)}")
        self.generator = generator or Generator(size, channels, z_dim, width, max_width, norm)
        self.discriminator = discriminator or Discriminator(size, channels, d_width, 2 * max_width)
        self.loss_of_d, self.loss_of_g = LOSSES[loss]
        self.relativistic = loss == "relativistic"
        self.mixes = has_batch_norm(self.discriminator)
        self.r1, self.r2, self.every = r1, r2, every
        self.wgan = (10.0 if loss == "wasserstein" else 0.0) if wgan is None else wgan
        self.augment, self.augment_p = augment, augment_p
        self.lr, self.d_lr, self.betas = lr, lr if d_lr is None else d_lr, betas

    def players(self) -> dict[str, Player]:
        """D, which learns first, and G."""
        weights = {"r1": self.r1 / 2, "r2": self.r2 / 2, "wgan": self.wgan}
        weights = {name: weight for name, weight in weights.items() if weight}
        return {
            "d": Player(("discriminator",), self.d_loss, self.d_lr, self.betas, weights, self.every),
            "g": Player(("generator",), self.g_loss, self.lr, self.betas),
        }

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I), (n, z_dim)."""
        return torch.randn(n, cast(int, self.generator.z_dim), generator=generator, device=self.device())

    def d_loss(
        self, x_real: Tensor, z: Tensor, labels: Tensor | None = None, penalise: bool = False
    ) -> dict[str, Tensor]:
        """What D loses per sample: loss_d, the logits of both kinds, penalties if asked for."""
        y = () if labels is None else (labels,)  # networks are told the labels if the GAN was built with classes
        with torch.no_grad():  # no gradient of D's loss may reach G
            x_fake = self.generator(z, *y)  # (N, z_dim) -> (N, C, H, W)
        seen_real, seen_fake = self.shown(x_real), self.shown(x_fake)
        if penalise:
            seen_real, seen_fake = (x.detach().requires_grad_() for x in (seen_real, seen_fake))
        logits_real, logits_fake = self.judged(seen_real, seen_fake, *y, apart=penalise)
        logits = {"logit_real": logits_real, "logit_fake": logits_fake}
        parts = self.penalties(seen_real, seen_fake, logits_real, logits_fake, *y) if penalise else {}
        return {"loss_d": self.loss_of_d(logits_real, logits_fake)} | logits | {"x_fake": x_fake} | parts

    def g_loss(self, x_real: Tensor, z: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """What G loses per sample, by D as it now is: loss_g."""
        y = () if labels is None else (labels,)
        x_fake = self.generator(z, *y)  # (N, z_dim) -> (N, C, H, W)
        logits_fake, logits_real = self.discriminator(self.shown(x_fake), *y), None
        if self.relativistic:
            with torch.no_grad():
                logits_real = self.discriminator(self.shown(x_real), *y)
        return {"loss_g": self.loss_of_g(logits_real, logits_fake)}

    def penalties(
        self, x_real: Tensor, x_fake: Tensor, logits_real: Tensor, logits_fake: Tensor, *y: Tensor
    ) -> dict[str, Tensor]:
        """|grad logit|^2 at real and at generated pictures, and the Wasserstein penalty: those that have a weight."""
        parts = {}
        if self.r1:
            parts["r1"] = gradient_penalty_at(logits_real, x_real)
        if self.r2:
            parts["r2"] = gradient_penalty_at(logits_fake, x_fake)
        if self.wgan:
            parts["wgan"] = wgan_penalty(lambda x: self.discriminator(x, *y), x_real, x_fake)
        return parts

    def judged(self, x_real: Tensor, x_fake: Tensor, *y: Tensor, apart: bool = False) -> tuple[Tensor, Tensor]:
        """D's logits of both kinds, (N,) each: in one pass, unless D's norms would mix them or gradients are wanted."""
        if apart or self.mixes:
            return self.discriminator(x_real, *y), self.discriminator(x_fake, *y)
        return self.discriminator(torch.cat([x_real, x_fake]), *(labels.repeat(2) for labels in y)).chunk(2)

    def shown(self, x: Tensor) -> Tensor:
        """What D is shown: the pictures, augmented in a way that gradients pass through."""
        return diff_augment(x, self.augment, self.augment_p, self.world.rows) if self.augment else x

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor] = ()) -> None:
        """Run the averaged generator's batch-norm statistics anew: the raw one's belong to other weights."""
        if reset_statistics(self.average["generator"]):
            generator = torch.Generator(self.device()).manual_seed(0)
            for _ in range(CALIBRATED // 64):
                self.average["generator"](self.noise(64, generator))
        self.average["generator"].eval()

    @torch.no_grad()
    def sample(
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, averaged: bool = True
    ) -> Tensor:
        """Pictures (n, C, H, W) in [-1, 1], float32, at n z of a seed (None: of torch's global generator), or at a z
        (n, z_dim) of your own; by the averaged generator, or that in training (both with running statistics)."""
        return self.drawn(self.noise_for(n, seed) if z is None else z, averaged=averaged)

    def drawn(self, *inputs: Tensor, averaged: bool = True) -> Tensor:
        """What the generator makes of its inputs (n, ...), some at a time."""
        net = self.network("generator", averaged)
        was_training = net.training
        net.eval()
        x = torch.cat([net(*part) for part in zip(*(one.split(256) for one in inputs), strict=True)])
        net.train(was_training)
        return x
