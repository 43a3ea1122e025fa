"""Exercises of the errata."""

import torch

from genimg.exercises import exercise, word


@exercise("11.1", "samples (n, 64) of the generator trained with the absolute error, and the data (m, 64)")
def blind(samples, x):
    samples, x = (t.detach().float().cpu().flatten(1) for t in (samples, x))
    if samples.shape[1] != x.shape[1]:
        return f"samples have {samples.shape[1]} numbers each, the data {x.shape[1]}"
    if samples.std(0).mean() > 0.3 * x.std(0).mean():
        return "these samples differ from each other: the best answer to a random picture does not depend on z"
    drawn = samples.mean(0)
    to_mean, to_median = ((drawn - one).abs().mean().item() for one in (x.mean(0), x.median(0).values))
    if to_median > 0.2:
        return f"the samples' pixels lie {to_median:.2f} from the median digit's: train for longer"
    if to_mean < to_median:
        return "the samples are nearer to the mean digit than to the median one: was the error squared after all"


@exercise(
    "11.2", "the generator's loss as a function of D's output for its samples, the probability of being generated"
)
def swapped_labels(loss):
    d = torch.linspace(0.05, 0.95, 19).requires_grad_()
    value = loss(d)
    (slope,) = torch.autograd.grad(value.sum(), d)
    if not slope.any():
        return "this loss does not depend on D's output"
    if (slope < 0).all():
        return "following this loss, samples are called generated more and more often"
    if not (slope > 0).all():
        return "this loss falls in some places and rises in others"


@exercise("11.3", '"yes" or "no" three times: on the order; on the company in training mode; in evaluation mode')
def company(order, training, evaluation):
    order, training, evaluation = (word(one, "yes", "no") for one in (order, training, evaluation))
    if order == "yes":
        return "a mean over the batch is the same in any order"
    if training == "no":
        return "what does batch norm divide by in training mode"
    if evaluation == "yes":
        return "in evaluation mode batch norm uses what it has kept, whatever the batch"
