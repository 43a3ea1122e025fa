"""Exercises of the chapter on cost."""

import torch
from torch import nn

from genimg import classic, cost
from genimg.exercises import close, exercise, number_of, word


@exercise("8.1", "what is left of the parameters and of the operations, two shares of before")
def averaged_map(parameters, operations):
    with torch.device("meta"):
        text = classic.Discriminator(size=128, channels=3, width=64).eval()
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1024), nn.Linear(1024, 1)
        x = torch.empty(1, 3, 128, 128)
        before, after = cost.layers(text, x), cost.layers(nn.Sequential(text.down, *head), x)
    right = [sum(getattr(a, what) for a in after) / sum(getattr(b, what) for b in before)
             for what in ("parameters", "operations")]  # fmt: skip
    said = number_of(parameters), number_of(operations)
    if max(said) > 1:
        return "what is left is a share, from 0 to 1"
    if all(close(a, b, absolute=0.02) for a, b in zip(said, right[::-1], strict=True)):
        return "the two are the other way round"
    if all(close(1 - a, b, absolute=0.02) for a, b in zip(said, right, strict=True)):
        return "those are the shares that are saved; what is left was asked for"
    if not close(said[0], right[0], absolute=0.02):
        return "a dense layer has as many weights as inputs times outputs: 8 x 8 x 512 inputs before, 512 after"
    if not close(said[1], right[1], absolute=0.02):
        return "the parameters are right; a convolution uses each weight at every place, a dense layer once"


@exercise(
    "8.2", '"resolution" or "width": what saves more operations, more activations; then operations left, for each half'
)
def halved(operations, activations, half_resolution, half_width):
    operations, activations = (word(one, "resolution", "width") for one in (operations, activations))
    half_resolution, half_width = number_of(half_resolution), number_of(half_width)
    if max(half_resolution, half_width) > 1:
        return "what is left is a share, from 0 to 1"
    if half_resolution > 0.25:
        return f"half of it has a quarter of the places in every layer, and a level less, not {half_resolution:.0%}"
    if not 0.245 < half_width < 0.5:
        return (
            "half the width has a quarter of the weights between two layers, and half of those at the three channels: "
            f"not {half_width:.0%}"
        )
    if operations != "resolution":
        return f"half the resolution leaves {half_resolution:.0%} of the operations, half the width {half_width:.0%}"
    if activations != "resolution":
        return "activations are counted in places times channels: which of the two is squared"


@exercise("8.3", "samples for the operations of one step on 32 pictures, of the flow and of the GAN")
def samples_for_a_step(of_flow, of_gan):
    of_flow, of_gan = number_of(of_flow), number_of(of_gan)
    if of_flow > of_gan:
        return "the GAN draws a sample in one pass, the flow in 16: swapped"
    if close(of_flow, 6 / 32, relative=0.05):
        return "that is the number for one picture; the step has 32"
    if close(of_flow, 6 * 16, relative=0.05):
        return "a sample of the flow takes 16 passes"
    if not close(of_flow, 6, relative=0.05):
        return "a step of the flow takes 3 forward passes a picture, a sample 16: what do 32 pictures give"
    if of_gan < 3 * 32:
        return "the flow is right; a step of the GAN holds several passes of both networks, a sample one pass of G"


@exercise("8.4", "the largest batch, and fixed bytes and bytes a picture of one network")
def largest_batch(batch, fixed, per_picture):
    batch, fixed, per_picture = number_of(batch), number_of(fixed), number_of(per_picture)
    right = (16e9 - 2 * fixed) / (2 * per_picture)
    if close(batch, (16e9 - fixed) / per_picture, relative=0.02):
        return "that is for D alone; G needs as much again"
    if close(batch, right / 8, relative=0.02) or close(batch, right * 8, relative=0.02):
        return "a byte has eight bits: one of the numbers is in the other unit"
    if close(batch, (16e9 - fixed) / (2 * per_picture), relative=1e-6) and not close(batch, right, relative=1e-6):
        return "the weights of both networks are to be kept, not of one"
    if not close(batch, right, relative=0.02):
        return (
            f"with {fixed:.3g} bytes fixed and {per_picture:.3g} a picture, for two networks, 16 GB hold another number"
        )
