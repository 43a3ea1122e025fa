"""Exercises of the chapter on concepts."""

import math

import torch

from genimg.exercises import close, exercise, number_of, same, word


@exercise("1.1", "the best probability of heads, and the mean cross-entropy there in nats")
def coin(p, nats):
    heads = 7 / 10
    entropy = -heads * math.log(heads) - (1 - heads) * math.log(1 - heads)
    if close(p, 1 - heads, absolute=0.01):
        return "that is the probability of tails"
    if not close(p, heads, absolute=0.01):
        return f"with p = {p:g} the seven heads and three tails are less probable than they could be"
    if close(nats, entropy / math.log(2), absolute=0.002):
        return "the probability is right; the value is in bits, and nats were asked for"
    if close(nats, 10 * entropy, absolute=0.02):
        return "the probability is right; the value is the sum over ten throws, and the mean was asked for"
    if not close(nats, entropy, absolute=0.002):
        return "the probability is right; put it into (1.3) once more for the value"


@exercise(
    "1.2", 'a function from pictures (n, ...) to the one with the least absolute error, and "yes" or "no": sharper'
)
def least_absolute(best, sharper):
    sharper = word(sharper, "yes", "no")
    x = torch.rand(51, 3, 3, generator=torch.Generator().manual_seed(0)) ** 3
    answer = torch.as_tensor(best(x.clone()))
    if answer.shape != x.shape[1:]:
        return f"of {tuple(x.shape)} comes one picture {tuple(x.shape[1:])}, and not {tuple(answer.shape)}"
    if same(answer, x.mean(0), 1e-4):
        return "the mean is the answer to the squared error"
    if any(same(answer, one, 1e-4) for one in x):
        return "this is one of the pictures; the best answer chooses for each pixel"
    if not same(answer, x.median(0).values, 1e-4):
        error, least = ((x - one).abs().mean().item() for one in (answer, x.median(0).values))
        return f"its absolute error is {error:.4f}, and there is a picture with {least:.4f}"
    if sharper == "no":
        return "the picture is right; count its half-tones and those of the mean"


@exercise("1.3", "a dict from steps to the share of points near a heap, and the least number of steps with nine of ten")
def enough_steps(shares, least):
    shares = {int(number_of(steps)): number_of(share) for steps, share in shares.items()}
    if max(shares.values()) > 1:
        return "a share lies between 0 and 1"
    if shares.get(1, 0) > 0.5:
        return "one step ends at the mean of the data, which is no heap: are these shares of points near any heap"
    enough = [steps for steps, share in sorted(shares.items()) if share >= 0.9]
    if not enough:
        return "none of these numbers of steps is enough"
    if not close(least, enough[0]):
        return f"of the numbers that you tried, {number_of(least):g} is not the first that is enough"


@exercise("1.4", '"yes" or "no": can it know; and your function that turns points (n, 2) always')
def always_turned(knows, turn):
    knows = word(knows, "yes", "no")
    points = torch.tensor([1.0, 0.25]).expand(4000, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        turned = turn(points.clone()).detach()
    if turned.shape != points.shape:
        return f"points {tuple(points.shape)} became {tuple(turned.shape)}"
    places = torch.tensor([[1, 0.25], [-0.25, 1], [-1, -0.25], [0.25, -1]])  # by 0, 90, 180, 270 degrees
    distances = torch.cdist(turned, places)
    if distances.amin(1).max() > 1e-4:
        return "some points were not turned by a quarter, a half or three quarters of a circle"
    share = distances.argmin(1).bincount(minlength=4) / len(points)
    if share[0] > 0.4:
        return (
            f"{share[0]:.0%} of the points stay where they are: of four turns that happen always, one in four is by 0"
        )
    if (share - 0.25).abs().max() > 0.04:
        return f"the four sides get {', '.join(f'{s:.0%}' for s in share.tolist())} of the points, not a quarter each"
    if knows == "yes":
        return "D is shown real points on all four sides alike: what in them tells which side they came from"
