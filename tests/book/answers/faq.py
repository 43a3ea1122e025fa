"""Right and plausible wrong answers to the exercises of the chapter of questions."""

import torch

from genimg.measure.metrics import frechet_distance


def _hinge(margin=1.0, of_d=1.0, of_g=-1.0, hinged=False):
    def slopes(l_real, l_fake):
        at_real, at_fake = -of_d * (l_real < margin).float(), of_d * (l_fake > -margin).float()
        return at_real, at_fake, of_g * (at_fake if hinged else torch.ones_like(l_fake))

    return slopes


def _at_equal(first=False, whole=False, root=False):
    def at_equal(x, y, n):
        if whole:
            return frechet_distance(x, y)
        if first:
            return frechet_distance(x[:n], y[:n])
        found = [frechet_distance(x[torch.randperm(len(x))[:n]], y[torch.randperm(len(y))[:n]]) for _ in range(10)]
        return (sum(found) / len(found)) ** (0.5 if root else 1)

    return at_equal


ANSWERS = {
    "10.1": (
        ("larger", 1.9, 1.0),
        [("the same", 1.9, 1.0), ("larger", 1.0, 1.9), ("larger", 1.0, 1.0), ("smaller", 1.9, 1.0)],
    ),
    "10.2": ((_hinge(),), [(_hinge(margin=0.0),), (_hinge(of_d=-1.0),), (_hinge(of_g=1.0),), (_hinge(hinged=True),)]),
    "10.3": (
        (lambda k, s: k % s == 0,),
        [(lambda k, s: k % 2 == 0,), (lambda k, s: k % 2 == 1,), (lambda k, s: k >= s,), (lambda k, s: k % s == 1,)],
    ),
    "10.4": (
        ("four times", _at_equal()),
        [
            ("twice", _at_equal()), ("the same", _at_equal()), ("four times", _at_equal(first=True)),
            ("four times", _at_equal(whole=True)), ("four times", _at_equal(root=True)),
        ],
    ),
}  # fmt: skip
