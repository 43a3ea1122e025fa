"""Exercises of the chapter on the GAN in code."""

import copy

import torch
from torch import nn

from genimg import classic, metrics
from genimg.exercises import close, exercise, number_of, word


@exercise("4.1", 'your untrained generator with 4x4 taps, and "yes" or "no": is the checkerboard gone')
def even_taps(network, gone):
    gone = word(gone, "yes", "no")
    taps = {m.kernel_size[0] for m in network.modules() if isinstance(m, nn.ConvTranspose2d)}
    if not taps:
        return "there is no transposed convolution in this network"
    if taps != {4}:
        return f"its transposed convolutions have {', '.join(map(str, sorted(taps)))} taps a side, not 4 everywhere"
    net = copy.deepcopy(network).cpu().train()  # training mode: an untrained network has no other statistics
    with torch.no_grad():
        x = net(torch.randn(128, 64, generator=torch.Generator().manual_seed(0)))
    if x.shape[-1] not in classic.SIZES:
        return f"its pictures have {x.shape[-1]} pixels a side: with 4 taps and a stride of 2 it takes a padding of 1"
    power = metrics.checkerboard(x)
    if power > 1.2 and gone == "yes":
        return f"this network has {power:.1f} times the power of its neighbours at half a cycle a pixel; smooth is 1"
    if power <= 1.2 and gone == "no":
        return f"the checkerboard of this network is weak ({power:.1f}): is it untrained, with weights of its own"


@exercise("4.2", "two shares: of the dense layer as it is, and of one that sees the map averaged over its places")
def dense_share(share, averaged):
    with torch.device("meta"):
        d = classic.Discriminator(128)
    total, dense = (sum(p.numel() for p in m.parameters()) for m in (d, d.dense))
    small = d.down.features // classic.BOTTOM**2 * classic.DENSE
    right, right_averaged = dense / total, small / (total - dense + small)
    if number_of(share) > 1 or number_of(averaged) > 1:
        return "a share lies between 0 and 1"
    if close(share, right_averaged, absolute=0.005) and close(averaged, right, absolute=0.005):
        return "the two are the other way round"
    if close(share, small / total, absolute=0.005):
        return "the first share is that of a layer that sees averages already"
    if not close(share, right, absolute=0.005):
        return f"the dense layer holds 512 x 8 x 8 x 1024 weights; of all, that is not {number_of(share):g}"
    if close(averaged, small / total, absolute=0.005):
        return "the first share is right; for the second, the total has become smaller too"
    if not close(averaged, right_averaged, absolute=0.005):
        return "the first share is right; for the second, 512 numbers are left where 512 x 8 x 8 were"


@exercise("4.3", '"yes" or "no": does it notice; then how far apart the logits lie in batches of their own, and in one')
def one_batch(notices, alone, together):
    notices, alone, together = word(notices, "yes", "no"), number_of(alone), number_of(together)
    if alone < 0 or together < 0:
        return "a distance in deviations is no smaller than 0: take the absolute value"
    if alone >= together:
        return (
            f"in batches of their own {alone:.2f}, in one {together:.2f}: swapped, or still normalised apart? Both "
            "halves have to pass through the network in one call"
        )
    if notices == "no":
        return f"{together:.2f} deviations in one batch are more than {alone:.2f} in two: what does that say"
