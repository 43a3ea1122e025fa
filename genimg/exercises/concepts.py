"""Exercises of the chapter on concepts."""

import math

from genimg.exercises import close, exercise


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
