"""Right and plausible wrong answers to the exercises of the chapter on concepts."""

import math

import torch


def median(pictures):
    return pictures.median(0).values


def one_picture(pictures):
    """The medoid: the picture with the smallest absolute error among them."""
    return pictures[torch.cdist(pictures.flatten(1), pictures.flatten(1), p=1).sum(1).argmin()]


def mean(x):
    return x.mean(0)


def best_answer(x_t, t, data, shrunk=True, power=2, half=0.5, scale=True):
    distance = torch.cdist(x_t, t * data if shrunk else data)
    return (-half * distance**2 / ((1 - t) ** power if scale else 1)).softmax(1) @ data


def answers(**options):
    return lambda *arguments: best_answer(*arguments, **options)


def undo(seen, p):
    return (seen - p / 4) / (1 - p)


def adam(gradients, eta, beta1, beta2, unbias=True, root=0.5, power=2, sign=-1):
    theta, m, s, path = 0.0, 0.0, 0.0, []
    for k, g in enumerate(gradients, 1):
        m, s = beta1 * m + (1 - beta1) * g, beta2 * s + (1 - beta2) * abs(g) ** power
        b1, b2 = (1 - beta1**k, 1 - beta2**k) if unbias else (1, 1)
        theta += sign * eta * (m / b1) / ((s / b2) ** root + 1e-8)
        path.append(theta)
    return path


def changed(**options):
    return lambda *arguments: adam(*arguments, **options)


ANSWERS = {
    "1.1": ((0.7, 0.6109), [(0.3, 0.6109), (0.7, 0.8813), (0.5, 0.6931), (0.7, 6.109)]),
    "1.2": (
        (median, "fewer"),
        [
            (mean, "fewer"),
            (one_picture, "fewer"),
            (lambda x: (x.amin(0) + x.amax(0)) / 2, "fewer"),
            (lambda x: x.median(), "fewer"),
            (median, "more"),
        ],
    ),
    "1.3": (
        (best_answer, "copies"),
        [
            (best_answer, "new"),
            (answers(shrunk=False), "copies"),
            (answers(power=1), "copies"),
            (answers(scale=False), "copies"),
            (answers(half=1.0), "copies"),
            (lambda x_t, t, data: data.mean(0).expand_as(x_t), "copies"),
            (lambda x_t, t, data: data[torch.cdist(x_t, t * data).argmin(1)], "copies"),
            (lambda x_t, t, data: data.mean(0), "copies"),
            (lambda x_t, t, data: x_t, "copies"),
        ],
    ),
    "1.4": (
        (undo, 1.0),
        [
            (lambda seen, p: seen / (1 - p), 1.0),
            (lambda seen, p: (seen - p / 3) / (1 - p), 1.0),
            (lambda seen, p: (1 - p) * seen + p / 4, 1.0),
            (lambda seen, p: seen, 1.0),
            (undo, 0.5),
            (undo, 0.75),
        ],
    ),
    "1.5": (
        (lambda k: 1 + 1 / k,),
        [
            (lambda k: 2 / k,),
            (lambda k: 1 / k,),
            (lambda k: 1 + 1 / math.sqrt(k),),
            (lambda k: 2,),
        ],
    ),
    "1.6": (
        (adam, 1.0),
        [
            (changed(unbias=False), 1.0),
            (changed(root=1), 1.0),
            (changed(power=1), 1.0),
            (changed(sign=1), 1.0),
            (lambda *arguments: [0.0, *adam(*arguments)], 1.0),
            (adam, 0.1),
            (adam, 1000.0),
        ],
    ),
}
