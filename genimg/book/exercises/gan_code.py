"""Exercises of the chapter on the GAN in code."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, same, word


@exercise("4.1", '"yes" or "no", and a kernel (4, 4) that keeps a constant map constant')
def taps(gone: str, kernel: Tensor) -> str | None:
    kernel = torch.as_tensor(kernel).detach().float()
    if kernel.shape != (4, 4):
        return f"the kernel has the shape {tuple(kernel.shape)}, and (4, 4) was asked for"
    if kernel.abs().max() < 1e-6:
        return "a kernel of zeros makes a constant map of everything; take one that does not"
    if kernel.max() - kernel.min() < 1e-4 * kernel.abs().max():
        return "that kernel is right, but all its values are the same; find another"
    answer = F.conv_transpose2d(torch.ones(1, 1, 8, 8), kernel.view(1, 1, 4, 4), stride=2, padding=1)[0, 0, 2:-2, 2:-2]
    if answer.std() > 1e-4 * kernel.abs().max():
        four = ", ".join(f"{value:.3g}" for value in answer[:2, :2].flatten().tolist())
        return f"of a map of ones it makes pixels that differ: {four} in each square of four"
    if word(gone, "yes", "no") == "yes":
        return "the kernel is right; the untrained network has random ones: measure its checkerboard"
    return None


@exercise("4.2", "the dense layer's share of the parameters, and its number of parameters after averaging")
def dense_layer(share: Number, averaged: Number) -> str | None:
    from genimg.models import classic

    with torch.device("meta"):
        d = classic.Discriminator(128)
    dense, every = (sum(p.numel() for p in part.parameters()) for part in (d.dense, d))
    if close(share, 100 * dense / every, relative=0.01):
        return "that is in per cent, and a part of 1 was asked for"
    if close(share, dense / (every - dense), relative=0.01):
        return "that is the dense layer over all the others, not over the whole"
    if close(share, 1 - dense / every, relative=0.01):
        return "that is the share of all the other layers"
    if not close(share, dense / every, absolute=0.005):
        return "count the parameters of d.dense and of d, the discriminator for 128 pixels"
    channels, outputs = d.dense.in_features // 64, d.dense.out_features
    if close(averaged, channels, absolute=0.5):
        return "the share is right; these are the inputs of the layer after averaging, not its parameters"
    if close(averaged, 64 * outputs, relative=0.02):
        return "the share is right; the average is taken over the places, and the channels stay"
    if close(averaged, dense / 8, relative=0.01):
        return "the share is right; a map of 8x8 has 64 places, not 8"
    if close(averaged, dense, relative=0.01):
        return "the share is right; that is the layer without averaging"
    if not close(averaged, channels * outputs, relative=0.003):
        return "the share is right; after averaging one number for each channel is left, and each meets each output"
    return None


@exercise("4.3", 'a function (d, s) -> distance of the means after one batch norm, and "more" or "less"')
def one_batch(together: Callable[[float, float], Number], noticed: str) -> str | None:
    generator = torch.Generator().manual_seed(0)
    for d, s in ((1.0, 1.0), (3.0, 0.5), (0.2, 2.0)):
        x = torch.randn(2, 64, 1, generator=generator, dtype=torch.float64)
        x = (x - x.mean(1, keepdim=True)) / x.std(1, correction=0, keepdim=True) * s
        x[1] += d
        normed = F.batch_norm(x.flatten(0, 1), None, None, training=True, eps=1e-12).view(2, 64)
        right = (normed[1].mean() - normed[0].mean()).item()
        answer = number_of(together(d, s))
        reasons = [
            (0.0, "that is the distance when each half is normed by itself"),
            (-right, "the size is right, and a distance is not negative"),
            (d / s, "the deviation of both together is larger than that of each half"),
            (d / (s**2 + d**2) ** 0.5, "each half lies only half of d from the common mean"),
            (d / (s**2 + d**2 / 2) ** 0.5, "a half lies d / 2 from the common mean, and that is squared as a whole"),
            (d / (s**2 + d**2 / 4), "that divides by the variance; batch norm divides by the deviation"),
            (d / (s + d / 2), "the two parts of the spread add up as squares"),
        ]
        for value, reason in reasons:
            if close(answer, value, absolute=1e-5):
                return reason
        if not close(answer, right, absolute=1e-4):
            return f"for d = {d:g} and s = {s:g} it says {answer:.4f}, and batch norm leaves {right:.4f}"
    if word(noticed, "more", "less") == "less":
        return "the function is right; compare what it says with the distance after two batch norms"
    return None


@exercise("4.4", "a function from logits (N,) to losses (N,), and the least whole logit with a sigmoid of exactly 1")
def stable_loss(loss: Callable[[Tensor], Tensor], logit: Number) -> str | None:
    logits = torch.tensor([-80.0, -20.0, -3.3, -0.7, 0.4, 2.6, 8.0, 14.0, 20.0, 30.0, 95.0, 120.0])
    right = F.softplus(logits.double())
    given = logits.clone().requires_grad_()
    answer = loss(given)
    if answer.shape != logits.shape:
        return f"of logits {tuple(logits.shape)} it makes {tuple(answer.shape)}: return one loss for each"
    (slope,) = torch.autograd.grad(answer.sum(), given)
    answer, middle = answer.detach(), slice(2, 7)
    if same(answer[middle], -right[middle], absolute=1e-3):
        return "that is log(1 - D) itself; the loss has a minus in front"
    if same(answer[middle], F.softplus(-logits)[middle], absolute=1e-3):
        return "that is -log D, the loss on real pictures"
    values = [each.flip(0).tolist() for each in (logits, answer, slope, right)]  # large logits first
    for at, value, steep, exact in zip(*values, strict=True):
        if not math.isfinite(value):
            return f"at a logit of {at:g} the loss is {value}"
        if at > -20 and not close(value, exact, relative=1e-4):
            return f"at a logit of {at:g} the loss is {value:.5g}, and {exact:.5g} is right"
        if at <= -20 and not close(value, exact, relative=1e-3):
            return (
                f"at a logit of {at:g} the loss is {value:.3g}, and {exact:.3g} is right: 1 + a tiny number rounds to 1"
            )
        if not math.isfinite(steep) or not close(steep, 1 / (1 + math.exp(-at)), relative=1e-3):
            return f"the loss is right at a logit of {at:g}; its slope there is {steep:.3g}"
    if not close(logit, 17, absolute=1e-6):
        value = torch.sigmoid(torch.tensor(number_of(logit))).item()
        where = "and not the first" if value == 1 else "as a difference from 1 shows"
        return f"the loss is right; sigmoid({number_of(logit):g}) is {value:.9g} in 32 bits, {where}"
    return None
