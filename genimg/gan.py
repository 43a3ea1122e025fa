"""Generative adversarial networks: two networks, their losses, their penalties, and one alternating step.

D(x) is the probability that x is *real* (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661). The discriminator
here returns the logit of that probability: sigmoid(logit) = D(x). Losses are per sample, in nats where they are
logarithms, and are to be minimised.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from genimg import diagnostics, distributed
from genimg.augment import diff_augment
from genimg.model import Model, group_norm, has_batch_norm, reset_statistics

#: Name -> function from channels to a norm.
NORMS = {"batch": nn.BatchNorm2d, "group": group_norm}


class Generator(nn.Module):
    """z (N, z_dim) -> picture (N, channels, size, size) in [-1, 1].

    A dense layer makes a 4x4 map; each level doubles it by nearest-neighbour upsampling and a 3x3 convolution, which
    leaves no checkerboard (Odena et al. 2016, https://doi.org/10.23915/distill.00003), and a norm after it.

    Args:
        size: 8, 16, 32, 64, 128 or 256.
        channels: 1 for grey, 3 for colour.
        z_dim: length of the noise vector.
        width: channels at full resolution; they double with each halving, up to `max_width`.
        norm: "batch", or "group", which looks at one picture alone and so is the same in any number of processes.

    Raises:
        ValueError: another size or norm.
    """

    def __init__(self, size=16, channels=1, z_dim=32, width=24, max_width=96, norm="batch"):
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm {norm!r}; there are {', '.join(NORMS)}")
        make_norm = NORMS[norm]
        widths = level_widths(size, width, max_width)[::-1]  # coarse to fine
        self.z_dim = z_dim
        self.dense = nn.Linear(z_dim, widths[0] * 16, bias=False)
        self.norm = make_norm(widths[0])
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1, bias=False), make_norm(b), nn.ReLU()
            )
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z):
        x = self.dense(z).unflatten(1, (-1, 4, 4))  # (N, z_dim) -> (N, C, 4, 4)
        x = F.relu(self.norm(x)).contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            x = level(x)  # (N, C, s, s) -> (N, C / 2, 2 s, 2 s)
        return torch.tanh(self.last(x).float())


class Discriminator(nn.Module):
    """Picture (N, channels, size, size) in [-1, 1] -> logit (N,) of the probability that it is real.

    4x4 convolutions of stride 2 down to 4x4, LeakyReLU(0.2), one dense layer. No batch norm: the score of a picture
    must not depend on its neighbours in the batch, or a gradient penalty per picture means nothing.
    """

    def __init__(self, size=16, channels=1, width=24, max_width=192):
        super().__init__()
        widths = [channels, *level_widths(size, width, max_width)[:-1]]
        layers = [
            layer
            for a, b in zip(widths, widths[1:], strict=False)
            for layer in (nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        ]
        self.features = nn.Sequential(*layers)
        self.last = nn.Linear(widths[-1] * 16, 1)

    def forward(self, x):
        return self.last(self.features(x).flatten(1)).float().squeeze(1)  # (N, C, S, S) -> (N,)


def level_widths(size, width, max_width):
    """Channels per level, fine to coarse, for maps of size, size / 2, ..., 4.

    Raises:
        ValueError: size is not 8, 16, 32, 64, 128 or 256.
    """
    levels = int(math.log2(size)) - 1 if size > 0 else 0
    if size not in (8, 16, 32, 64, 128, 256):
        raise ValueError(f"size {size}: these networks are built for 8, 16, 32, 64, 128 or 256 pixels")
    return [min(width * 2**i, max_width) for i in range(levels)]


# Losses: (logits_real, logits_fake), each (N,) -> (N,), to be minimised. softplus(-l) = -log D, softplus(l) =
# -log(1 - D), computed without ever forming D, which would round to 0 or 1.


def d_minimax(logits_real, logits_fake):
    """-log D(x_real) - log(1 - D(x_fake)): minus the value function of Goodfellow et al. 2014, equation 1."""
    return F.softplus(-logits_real) + F.softplus(logits_fake)


def g_minimax(logits_real, logits_fake):
    """log(1 - D(x_fake)): the generator's side of the same value function. Its slope dies where D is sure."""
    return -F.softplus(logits_fake)


def g_non_saturating(logits_real, logits_fake):
    """-log D(x_fake) (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-logits_fake)


def d_sigmoid_bce(logits_real, logits_fake):
    """`d_minimax` by way of the probability, as tutorials write it: sigmoid, then binary cross-entropy.

    In float32 sigmoid(17) is already 1: beyond, the logarithm is cut at -100 and the gradient is lost.
    """
    p_real, p_fake = torch.sigmoid(logits_real), torch.sigmoid(logits_fake)
    real = F.binary_cross_entropy(p_real, torch.ones_like(p_real), reduction="none")
    return real + F.binary_cross_entropy(p_fake, torch.zeros_like(p_fake), reduction="none")


def g_sigmoid_bce(logits_real, logits_fake):
    """`g_non_saturating` by way of the probability; see `d_sigmoid_bce`."""
    p_fake = torch.sigmoid(logits_fake)
    return F.binary_cross_entropy(p_fake, torch.ones_like(p_fake), reduction="none")


def d_hinge(logits_real, logits_fake):
    """max(0, 1 - l_real) + max(0, 1 + l_fake) (Miyato et al. 2018, https://arxiv.org/abs/1802.05957)."""
    return F.relu(1 - logits_real) + F.relu(1 + logits_fake)


def d_wasserstein(logits_real, logits_fake):
    """l_fake - l_real (Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875); needs a Lipschitz penalty."""
    return logits_fake - logits_real


def g_raise(logits_real, logits_fake):
    """-l_fake: the generator's side of the hinge and Wasserstein losses."""
    return -logits_fake


def d_relativistic(logits_real, logits_fake):
    """-log sigmoid(l_real - l_fake), in pairs (Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734)."""
    return F.softplus(logits_fake - logits_real)


def g_relativistic(logits_real, logits_fake):
    """-log sigmoid(l_fake - l_real): the same question asked the other way round."""
    return F.softplus(logits_real - logits_fake)


#: Name -> (discriminator's loss, generator's loss).
LOSSES = {
    "minimax": (d_minimax, g_minimax),
    "non_saturating": (d_minimax, g_non_saturating),
    "sigmoid_bce": (d_sigmoid_bce, g_sigmoid_bce),
    "hinge": (d_hinge, g_raise),
    "wasserstein": (d_wasserstein, g_raise),
    "relativistic": (d_relativistic, g_relativistic),
}


def gradient_penalty_at(logits, x):
    """|grad_x logit|^2 per sample, (N,): R1 at real pictures, R2 at generated ones.

    Mescheder et al. 2018, https://arxiv.org/abs/1801.04406. `x` needs requires_grad before the logits are computed.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def wgan_penalty(discriminator, x_real, x_fake, generator=None):
    """(|grad logit| - 1)^2 at random points between pairs, (N,) (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028)."""
    shape = (len(x_real), *[1] * (x_real.dim() - 1))
    t = torch.rand(shape, generator=generator, device=x_real.device)
    x = torch.lerp(x_real, x_fake, t).detach().requires_grad_()
    return (gradient_penalty_at(discriminator(x), x).add(1e-12).sqrt() - 1).square()


class GAN(Model):
    """A generator, a discriminator and the step that trains one against the other.

    Args:
        size, channels, z_dim: the pictures' size and channels, the noise's length.
        norm: of the generator, "batch" or "group".
        generator, discriminator: networks of your own in place of those built from the sizes; the generator has an
            attribute `z_dim`. A discriminator with batch norm sees real and generated pictures in separate batches.
        width, d_width: channels at full resolution in generator and discriminator.
        loss: a name out of `LOSSES`.
        r1, r2: weights of the zero-centred penalties: loss + r1 / 2 * |grad logit(x_real)|^2 + r2 / 2 * the same at
            x_fake (Huang et al. 2024, https://arxiv.org/abs/2501.05441, uses both with the relativistic loss).
        wgan: weight of the Wasserstein penalty; None takes 10 for the Wasserstein loss and 0 for the others.
        every: the penalties are computed each so many steps, with the weight multiplied by as much.
        augment: a policy of `diff_augment` applied to real and generated pictures before D sees them, or None.
        augment_p: the probability of each augmentation.
        lr, betas: Adam's. betas must be floats.

    Raises:
        ValueError: an unknown loss or a size that the networks are not built for.
    """

    averaged = ("generator",)
    quick = True

    def __init__(
        self, size=16, channels=1, z_dim=32, width=24, d_width=24, max_width=96, loss="relativistic", r1=0.1, r2=0.1,
        wgan=None, every=4, augment=None, augment_p=1.0, lr=1e-3, betas=(0.0, 0.99), generator=None, discriminator=None,
        norm="batch",
    ):  # fmt: skip
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss {loss!r}; there are {', '.join(LOSSES)}")
        self.generator = generator or Generator(size, channels, z_dim, width, max_width, norm)
        self.discriminator = discriminator or Discriminator(size, channels, d_width, 2 * max_width)
        self.d_loss, self.g_loss = LOSSES[loss]
        self.relativistic = loss == "relativistic"
        self.mixes = has_batch_norm(self.discriminator)
        self.r1, self.r2, self.every = r1, r2, every
        self.wgan = (10.0 if loss == "wasserstein" else 0.0) if wgan is None else wgan
        self.augment, self.augment_p = augment, augment_p
        self.lr, self.betas = lr, betas

    def optimisers(self):
        """One Adam for each network; `step` uses them in turn."""
        return {
            "g": torch.optim.Adam(self.generator.parameters(), self.lr, self.betas, fused=True),
            "d": torch.optim.Adam(self.discriminator.parameters(), self.lr, self.betas, fused=True),
        }

    def noise(self, n, generator=None):
        """z ~ N(0, I), (n, z_dim)."""
        return torch.randn(n, self.generator.z_dim, generator=generator, device=self.device())

    def step(self, x_real):
        """One update of D, then one of G, on a batch of real pictures (N, C, H, W) in [-1, 1].

        Returns:
            dict of 0-d tensors, detached and left on the device: loss_d, loss_g, logit_real, logit_fake and, on
            the steps that compute them, r1, r2, wgan and what `diagnostics` judges a run by: told_apart, spread, shift.
        """
        losses = self.d_step(x_real)
        losses.update(self.g_step(x_real))
        self.steps_done += 1
        return losses

    def d_step(self, x_real):
        """One update of D, with the penalties on the steps that compute them; returns what of `step` is D's."""
        with self.autocast(), torch.no_grad():  # no gradient of D's loss may reach G
            x_fake = self.generator(distributed.rows(self.noise, len(x_real)))
        looked_at = self.steps_done % diagnostics.EVERY == 0
        compared = diagnostics.compare_batches(x_real, x_fake) if looked_at else {}
        x_real, x_fake = self.seen(x_real), self.seen(x_fake)
        penalised = self.steps_done % self.every == 0 and (self.r1 or self.r2 or self.wgan)
        if penalised:  # squared gradients of gradients: in float32
            x_real, x_fake = x_real.detach().requires_grad_(), x_fake.detach().requires_grad_()
            d = self.net("discriminator")
            logits_real, logits_fake = d(x_real), d(x_fake)
        else:
            with self.autocast():
                d = self.net("discriminator", fast=True)
                both = (d(x_real), d(x_fake)) if self.mixes else d(torch.cat([x_real, x_fake])).chunk(2)
            logits_real, logits_fake = both
        loss = self.d_loss(logits_real, logits_fake).mean()
        losses = {"loss_d": loss, "logit_real": logits_real.mean(), "logit_fake": logits_fake.mean(), **compared}
        if looked_at:
            losses["told_apart"] = diagnostics.told_apart(logits_real, logits_fake)
        if penalised:
            for name, weight, logits, x in (
                ("r1", self.r1 / 2, logits_real, x_real),
                ("r2", self.r2 / 2, logits_fake, x_fake),
            ):
                if weight:
                    losses[name] = gradient_penalty_at(logits, x).mean()
                    loss = loss + self.every * weight * losses[name]
            if self.wgan:
                losses["wgan"] = wgan_penalty(self.discriminator, x_real, x_fake).mean()
                loss = loss + self.every * self.wgan * losses["wgan"]
        self.update("d", loss)
        return {name: value.detach() for name, value in losses.items()}

    def g_step(self, x_real):
        """One update of G against D as it now is; returns {"loss_g": 0-d tensor}."""
        self.discriminator.requires_grad_(False)  # G's loss trains G alone: D's gradients would be thrown away
        with self.autocast():
            x_fake = self.net("generator", fast=True)(distributed.rows(self.noise, len(x_real)))
            logits_fake = self.discriminator(self.seen(x_fake))
            logits_real = None
            if self.relativistic:
                with torch.no_grad():
                    logits_real = self.discriminator(self.seen(x_real))
        loss = self.g_loss(logits_real, logits_fake).mean()
        self.update("g", loss)
        self.discriminator.requires_grad_(True)
        return {"loss_g": loss.detach()}

    def seen(self, x):
        """What D is shown: the pictures, augmented in a way that gradients pass through."""
        return diff_augment(x, self.augment, self.augment_p) if self.augment else x

    @torch.no_grad()
    def calibrate(self, batches=()):
        """Run the averaged generator's batch-norm statistics anew: the raw one's belong to other weights."""
        if reset_statistics(self.average["generator"]):
            generator = torch.Generator(self.device()).manual_seed(0)
            for _ in range(20):
                self.average["generator"](self.noise(128, generator))
        self.average["generator"].eval()

    @torch.no_grad()
    def sample(self, n=None, seed=None, z=None, averaged=True):
        """Pictures (n, C, H, W) in [-1, 1], float32.

        Args:
            n: how many; or give `z` (n, z_dim) yourself.
            seed: the noise's seed; None goes on with torch's global one.
            averaged: the averaged generator, or the one in training as it stands (both with running statistics).
        """
        if z is None:
            z = self.noise(n, None if seed is None else torch.Generator(self.device()).manual_seed(seed))
        net = self.average["generator"] if averaged else self.generator
        was_training = net.training
        net.eval()
        x = torch.cat([net(part) for part in z.split(256)])
        net.train(was_training)
        return x
