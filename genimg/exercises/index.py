"""Exercises of the first page."""

import torch

from genimg.exercises import exercise, same, word


@exercise("0.1", '"jump" or "slow", and your generator as a function z -> pictures, z of (n, 32)')
def walk(expected, draw):
    expected = word(expected, "jump", "slow")
    z = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    path = torch.lerp(z[:1], z[1:], torch.linspace(0, 1, 101).view(-1, 1))
    x = draw(path).detach().float().cpu()
    if not same(x, draw(path).detach().float().cpu(), 1e-4):
        return "the function gives other pictures for the same z: does it use the z that it is given"
    changes = x.diff(dim=0).flatten(1).square().mean(1).sqrt()
    if x.flatten(1).std(0).max() < 1e-3:
        return "the function gives one picture for every z"
    jumps = (changes.max() > 0.5 * (x[-1] - x[0]).square().mean().sqrt()).item()
    if jumps:
        return "this function jumps: a generator of the book, in evaluation mode, does not"
    if expected == "jump":
        return (
            f"the largest of 100 small steps changes a pixel by {changes.max():.3f}: look at the pictures of your walk"
        )


@exercise("0.2", "a function from (n, d) pictures as rows to the distances (n,) to the nearest other row")
def nearest_other(function):
    x = torch.rand(40, 25, generator=torch.Generator().manual_seed(0))
    distances = torch.cdist(x, x)
    right = distances.fill_diagonal_(torch.inf).amin(1)
    answer = torch.as_tensor(function(x.clone())).flatten().float().cpu()
    if answer.shape != right.shape:
        return f"of 40 pictures there are 40 distances, not {len(answer)}"
    if answer.abs().max() < 1e-3:
        return "each picture has found itself, at a distance of 0: leave the diagonal out"
    if same(answer, right / 5, 1e-4):  # root mean square over the 25 pixels, as the page has it
        return None
    if same(answer, right, 1e-4):
        return "these are lengths; per pixel they are shorter by the root of the number of pixels"
    if same(answer, right.square() / 25, 1e-4):
        return "these are mean squares; take their roots"
    if same(answer, distances.masked_fill(distances.isinf(), 0).amax(1) / 5, 1e-4):
        return "these are the distances to the farthest"
    return "these are not the distances to the nearest other picture, per pixel"


@exercise("0.3", "a function from a scale to the mean distance between pictures of scaled noise")
def truncated(spread):
    at = {scale: float(spread(scale)) for scale in (0.0, 0.5, 1.0)}
    if at[1.0] <= 0:
        return "at scale 1 the pictures have to differ"
    if abs(at[0.5] / at[1.0] - 0.5) < 1e-4:
        return "half the scale gives exactly half the spread: were the pictures scaled, and not the noise"
    if at[0.0] > 0.05 * at[1.0]:
        return f"at scale 0 there is one z and one picture, and the function finds a spread of {at[0.0]:.3g}"
    if at[0.5] >= at[1.0]:
        return f"the spread at half the scale, {at[0.5]:.3g}, is not below that at 1, {at[1.0]:.3g}"
