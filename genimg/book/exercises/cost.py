"""Exercises of the chapter on cost."""

import torch
from torch import Tensor, nn

from genimg.book.exercises import Number, close, exercise, number_of


def _near(value: Number, right: float) -> bool:
    return close(value, right, relative=0.02)


@exercise("8.1", "the share of the parameters that is left, and the share of the operations")
def averaged_map(parameters: Number, operations: Number) -> str | None:
    levels = [(3, 64, 64), (64, 128, 32), (128, 256, 16), (256, 512, 8)]  # channels in and out, side of the output
    weights = sum(9 * a * b for a, b, _ in levels)
    work = sum(2 * side**2 * 9 * a * b for a, b, side in levels)
    dense, small, last = 64 * 512 * 1024, 512 * 1024, 1024
    left = (weights + small + last) / (weights + dense + last)
    kept = (work + 2 * (small + last)) / (work + 2 * (dense + last))
    parameters, operations = number_of(parameters), number_of(operations)
    for name, value in (("parameters", parameters), ("operations", operations)):
        if not 0 < value <= 1:
            return f"the share of {name} that is left lies between 0 and 1; that is {value:g}"
    if _near(parameters, kept) and _near(operations, left):
        return "the two shares are in the other order"
    if _near(parameters, 1 - left) or _near(operations, 1 - kept):
        return "that is what is saved; the share that is left was asked for"
    if _near(parameters, 512 / 32768):
        return "that is the share of the dense layer alone; the convolutions have parameters too"
    if not _near(parameters, left):
        return f"a share of {parameters:.3f} of the parameters is not what is left: count every layer before and after"
    if _near(operations, parameters):
        return "the parameters are right; a convolution's weight is used at each place, a dense layer's once"
    if not _near(operations, kept):
        return "the parameters are right; count the operations of every layer by (8.1), before and after"
    return None


@exercise("8.2", "four shares that are left: operations at half the resolution and half the width, then bytes likewise")
def half_of_what(work_size: Number, work_width: Number, kept_size: Number, kept_width: Number) -> str | None:
    from genimg.book import cost
    from genimg.models import classic, gan

    def work(size: int, width: int) -> int:
        g = gan.Generator(size, 3, 64, width, max_width=8 * width).eval()
        d = gan.Discriminator(size, 3, width, max_width=8 * width).eval()
        z = torch.zeros(1, 64)
        return sum(layer.operations for net, x in ((g, z), (d, g(z))) for layer in cost.layers(net, x))

    def kept(size: int, width: int) -> int:
        d = classic.Discriminator(size, 3, width)
        return cost.saved_bytes(lambda: d(torch.zeros(4, 3, size, size)).mean(), list(d.parameters()))

    with torch.random.fork_rng(devices=[]):  # the networks draw their weights
        right = [of(*smaller) / of(64, 32) for of in (work, kept) for smaller in ((32, 32), (64, 16))]
    said = [number_of(value) for value in (work_size, work_width, kept_size, kept_width)]
    if all(_near(a, b) for a, b in zip(said, right, strict=True)):
        return None
    if all(_near(1 - a, b) for a, b in zip(said, right, strict=True)):
        return "those are the shares that are saved; what is left was asked for"
    if all(_near(said[i], right[j]) for i, j in enumerate((1, 0, 3, 2))):
        return "resolution and width are in the other order"
    if all(_near(said[i], right[j]) for i, j in enumerate((2, 3, 0, 1))):
        return "operations and bytes are in the other order"
    names = ("operations at half the resolution", "operations at half the width",
             "bytes at half the resolution", "bytes at half the width")  # fmt: skip
    wrong = [name for name, a, b in zip(names, said, right, strict=True) if not _near(a, b)]
    guessed = "; a half goes into different layers in different ways, so count" if set(said) <= {0.25, 0.5} else ""
    return f"not what is left: {', '.join(wrong)}{guessed}"


@exercise("8.3", "samples for one step on 32 pictures: of the GAN, the VAE and the flow with 16 evaluations")
def samples_for_a_step(of_gan: Number, of_vae: Number, of_flow: Number) -> str | None:
    from genimg.book import cost, families
    from genimg.models import gan, vae

    x = torch.zeros(2, 1, 16, 16)

    def forward(network: nn.Module, *inputs: Tensor) -> int:
        return sum(layer.operations for layer in cost.layers(network, *inputs))

    with torch.random.fork_rng(devices=[]):
        a_gan, a_vae = (families.build("digits", family) for family in ("GAN", "VAE"))
        assert isinstance(a_gan, gan.GAN) and isinstance(a_vae, vae.VAE)
        g, d = forward(a_gan.generator, a_gan.noise(2)), forward(a_gan.discriminator, x)
        encoder, decoder = forward(a_vae.encoder, x), forward(a_vae.decoder, a_vae.noise(2))
    right = {"GAN": 32 * (4 * g + 9 * d) / g, "VAE": 32 * 3 * (encoder + decoder) / decoder, "flow": 32 * 3 / 16}
    for (family, samples), said in zip(right.items(), (of_gan, of_vae, of_flow), strict=True):
        said = number_of(said)  # the first layers, which (8.2) leaves out, are less than 2 %
        if _near(said, samples / 32):
            return f"{family}: that is for a step on one picture; the step is on 32"
        if family == "flow" and _near(said, 16 * samples):
            return "flow: that is for samples of one evaluation; one takes 16"
        if family == "flow" and _near(said, 1 / samples):
            return "flow: that is steps for a sample; samples for a step were asked for"
        if family == "GAN" and _near(said, 32 * (3 * (g + d)) / g):
            return "GAN: a step is not three forward passes of both networks; see (8.2)"
        if family == "VAE" and _near(said, 96):
            return "VAE: its step trains the encoder too, which a sample does not need"
        if not _near(said, samples):
            return f"{family}: {said:.4g} is not (8.2) times 32 over the operations of one sample"
    return None


@exercise("8.4", "the largest batch")
def largest_batch(pictures: Number) -> str | None:
    from genimg.book import cost
    from genimg.models import gan

    with torch.random.fork_rng(devices=[]):
        d = gan.Discriminator(32, 3)

    def kept(n: int) -> int:
        return cost.saved_bytes(lambda: d(torch.zeros(n, 3, 32, 32)).mean(), list(d.parameters()))

    fixed, slope = 20 * sum(p.numel() for p in d.parameters()), (kept(4) - kept(2)) / 2
    right, said = (16e9 - 2 * fixed) / (2 * slope), number_of(pictures)
    if _near(said, (16e9 - fixed) / slope):
        return "that is for D alone; G was to need as much again"
    if _near(said, (16 * 2**30 - 2 * fixed) / (2 * slope)):
        return "16 GB are 16 billion bytes; that is with 16 times 2^30"
    if _near(said, right / 8):
        return "that takes GB for billions of bits; they are bytes"
    if _near(said, 4 * right):
        return "that takes the kept numbers for bytes; each has four"
    if not _near(said, right):
        return "solve (8.4) for the batch, with the bytes that are kept for one picture, and twice for D and G"
    return None


@exercise("8.5", "the number of patches, and the side of the picture in pixels")
def attention_catches_up(patches: Number, side: Number) -> str | None:
    right, wide = 6 * 1152, 16 * (6 * 1152) ** 0.5
    patches, side = number_of(patches), number_of(side)
    if _near(patches, wide) and _near(side, right):
        return "the two are in the other order"
    if _near(patches, right / 2):
        return "that takes 12 d^2 for the operations of the dense layers on a patch; those are multiplications alone"
    if _near(patches, 2 * right):
        return "that counts one of attention's two products; both have n^2 d multiplications"
    if _near(patches, 6):
        return "that is in units of d; d is 1,152"
    if not _near(patches, right):
        return f"{patches:g} patches: set the two terms of a block's operations equal and solve for n"
    if _near(side, wide / 16):
        return "the number of patches is right; that side is in patches, and each stands for 16 pixels"
    if _near(side, wide / 8) or _near(side, wide / 2):
        return "the number of patches is right; a patch has 2 places a side, and a place of the code 8 pixels"
    if not _near(side, wide):
        return "the number of patches is right; its root is their number along a side, 16 pixels each"
    return None
