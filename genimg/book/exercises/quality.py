"""Exercises of the chapter on quality."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, same


@exercise("7.1", "precision and coverage of one real picture, five hundred times")
def one_picture(precision: Number, coverage: Number) -> str | None:
    precision, coverage = number_of(precision), number_of(coverage)
    if not (0 <= precision <= 1 and 0 <= coverage <= 1):
        return "both are shares, from 0 to 1"
    if coverage == 1 and precision < 0.05:
        return "these are the two numbers in the other order"
    if precision < 1:
        return "each of the five hundred is a real picture: can it lie outside the ball around itself"
    if coverage == 0:
        return "the precision is right; at least one real picture's ball holds a sample"
    if coverage >= 0.05:
        return "the precision is right; for the coverage ask in how many balls one single point can lie"
    return None


@exercise("7.2", "a function real (n, d) -> features (n, d) with FD 0, and the coverage of those made from the digits'")
def disguise(make: Callable[[Tensor], Tensor], covered: Number) -> str | None:
    from genimg.measure import metrics

    generator = torch.Generator().manual_seed(0)
    side = torch.randint(2, (300, 1), generator=generator).double() * 8 - 4
    mix = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    real = (torch.randn(300, 6, generator=generator, dtype=torch.float64) + side) @ mix + 3  # two modes, correlated
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = torch.as_tensor(make(real.clone())).double()
    if made.shape != real.shape:
        return f"for features {tuple(real.shape)} it returns the shape {tuple(made.shape)}"
    if (metrics.nearest_neighbours(made, real)[0] < 1e-6).double().mean() > 0.5:
        return "it returns real features: those have FD 0 and look like digits"
    scale = real.var(0).sum().item()
    if not same(made.mean(0), real.mean(0), 1e-3):
        return "the means differ: take the noise's own mean away, and add that of the real features"
    if metrics.frechet_distance(made, real) > 1e-5 * scale:
        if same(made.var(0), real.var(0), 1e-2):
            return "each feature has its variance, but how features vary together is not theirs"
        if metrics.frechet_distance(made, real) < 0.05 * scale:
            return "the covariance is nearly right: that of the noise itself is not exactly I, and comes on top"
        return "the means agree and the covariances do not"
    covered = number_of(covered)
    if not 0 <= covered <= 1:
        return "the function is right; coverage is a share, from 0 to 1"
    if covered >= 0.75:
        return "the function is right; so much is covered by real digits only: is the disguised set the second argument"
    return None


@exercise(
    "7.3", "FDs of one model's samples drawn again (10), FDs of models trained again (3), and the ratio of deviations"
)
def drawn_or_trained(again: Iterable[Number], retrained: Iterable[Number], ratio: Number) -> str | None:
    again, retrained = (torch.as_tensor([number_of(v) for v in values]).double() for values in (again, retrained))
    if len(again) < 5 or len(retrained) < 3:
        return f"{len(again)} draws and {len(retrained)} trainings are too few for a deviation: 10 and 3 were asked for"
    if again.std() == 0:
        return "all draws have one FD: was the same set drawn each time"
    if again.std() >= 0.3 * again.mean():
        return "drawing again moves FD by so much only if the sets are very small, or of different sizes"
    right = (retrained.std() / again.std()).item()
    if close(ratio, 1 / right, relative=0.01):
        return "the ratio is the other way round: training again over drawing again"
    if close(ratio, right**2, relative=0.01):
        return "that is the ratio of the variances"
    if close(ratio, (retrained.std(correction=0) / again.std(correction=0)).item(), relative=1e-4):
        return "a deviation from so few numbers divides by their number less one: np.std has ddof=1 for that"
    if close(ratio, (retrained.mean() / again.mean()).item(), relative=0.01):
        return "that is the ratio of the means; the question is how far the numbers spread"
    if not close(ratio, right, relative=0.01):
        return f"the deviations are {retrained.std():.3g} and {again.std():.3g}, and their ratio is another"
    return None


@exercise(
    "7.4", "a function (features_of, own, first, second) -> mean relative change, and it in training and in evaluation"
)
def neighbours(moved: Callable[..., Number], training: Number, evaluation: Number) -> str | None:
    generator = torch.Generator().manual_seed(0)
    own, first, second = (torch.randn(n, 5, generator=generator) + m for n, m in ((4, 0.0), (12, 1.0), (12, -2.0)))

    def features_of(x: Tensor) -> Tensor:  # what batch norm does in training, and a little more
        return torch.cat([(x - x.mean(0)) / x.std(0), 3 * x], 1)

    def fixed(x: Tensor) -> Tensor:
        return x.square() + 1

    a, b = (features_of(torch.cat([own, others]))[:4] for others in (first, second))
    length = a.norm(dim=1)
    right = ((a - b).norm(dim=1) / length).mean().item()
    found = number_of(moved(features_of, own.clone(), first.clone(), second.clone()))
    if close(found, (a - b).norm(dim=1).mean().item(), relative=1e-3):
        return "the change is not divided by the length of the features"
    alone = features_of(own)
    if close(found, ((a - alone).norm(dim=1) / length).mean().item(), relative=1e-3):
        return "it compares with the pictures alone; both times they are beside others"
    if number_of(moved(fixed, own.clone(), first.clone(), second.clone())) > 1e-6:
        return (
            "where each picture is computed by itself it does not give 0: are the neighbours' features compared as well"
        )
    if not any(close(found, v, relative=1e-3) for v in (right, ((a - b).norm(dim=1) / b.norm(dim=1)).mean().item())):
        return "it is not the length of the change over the length of the features, mean over the own pictures"
    training, evaluation = number_of(training), number_of(evaluation)
    if evaluation > training:
        return "the function is right; in evaluation mode nothing depends on neighbours: are the two numbers swapped"
    if evaluation > 1e-3:
        return "the function is right; in evaluation mode more is left than rounding: is net.eval() called"
    if training < 0.02:
        return "the function is right; in training mode there is more than that: is net.train() called"
    return None


@exercise(
    "7.5", "a function (tau, D) -> strength, a dict from strength to share called copies, and the least that hides them"
)
def hidden_copies(
    strength_of: Callable[[float, int], Number], flagged: dict[float, float], least: Number
) -> str | None:
    generator = torch.Generator().manual_seed(0)
    for dims in (400, 2500):
        unit = torch.randn(200, dims, generator=generator).norm(dim=1).mean().item()
        for tau in (0.5, 6.0):
            found = number_of(strength_of(tau, dims))
            if close(found, tau / dims, relative=0.02):
                return "the distance is the root of a sum of D squares, which grows with the root of D"
            if close(found, tau, relative=0.02):
                return "the noise of strength s is s long in each of D directions"
            if close(found, tau**2 / dims, relative=0.02):
                return "that is the strength squared"
            if not close(found, tau / unit, relative=0.02):
                return f"noise of strength {found:.3g} in {dims} numbers is {found * unit:.3g} long, and tau is {tau:g}"
    flagged = {number_of(strength): number_of(rate) for strength, rate in sorted(flagged.items())}
    if 0.0 not in flagged or len(flagged) < 4:
        return "the function is right; the dict has the strength 0 and at least three others"
    if max(flagged.values()) > 1 or min(flagged.values()) < 0:
        return "the function is right; what (7.3) gives is a share, from 0 to 1"
    if flagged[0.0] < 1:
        return "the function is right; bare copies are all found: is the set that was copied the second argument"
    if max(flagged) not in [s for s, rate in flagged.items() if rate <= 0.01]:
        return "the function is right; with none of these strengths the copies are hidden: go on to stronger noise"
    hidden = min(s for s in flagged if all(rate <= 0.01 for t, rate in flagged.items() if t >= s))
    if not close(least, hidden, absolute=1e-6):
        return f"the function is right; by the dict, the share is at most 0.01 from another strength on than {least:g}"
    return None
