"""Right and plausible wrong answers to the exercises of the chapter on variational autoencoders."""

import math

import torch


def with_baseline(f, z):
    return (f - f.mean()) * z[:, 0]


def left_out(f, z):
    others = (f.sum() - f) / (len(f) - 1)
    return (f - others) * z[:, 0]


def plain(f, z):
    return f * z[:, 0]


def standardised(f, z):
    return (f - f.mean()) / f.std() * z[:, 0]


def averaged(f, z):
    return with_baseline(f, z).mean()


def divergence(mu_q, logvar_q, mu_p, logvar_p):
    return kl_each(mu_q, logvar_q, mu_p, logvar_p).sum(1)


def kl_each(mu_q, logvar_q, mu_p, logvar_p):
    apart = (mu_q - mu_p).square() / logvar_p.exp()
    return 0.5 * (apart + (logvar_q - logvar_p).exp() - 1 - logvar_q + logvar_p)


def turned(mu_q, logvar_q, mu_p, logvar_p):
    return divergence(mu_p, logvar_p, mu_q, logvar_q)


def mean_over_latents(*codes):
    return kl_each(*codes).mean(1)


def in_bits(*codes):
    return divergence(*codes) / math.log(2)


def from_prior(mu_q, logvar_q, mu_p, logvar_p):
    return divergence(mu_q, logvar_q, torch.zeros_like(mu_p), torch.zeros_like(logvar_p))


def variance_for_deviation(mu_q, logvar_q, mu_p, logvar_p):
    return divergence(mu_q, 2 * logvar_q, mu_p, 2 * logvar_p)


def sign_of_logvar(mu_q, logvar_q, mu_p, logvar_p):
    return divergence(mu_q, logvar_q, mu_p, logvar_p) + (logvar_q - logvar_p).sum(1)


def not_divided(mu_q, logvar_q, mu_p, logvar_p):
    apart = (mu_q - mu_p).square()
    return 0.5 * (apart + (logvar_q - logvar_p).exp() - 1 - logvar_q + logvar_p).sum(1)


UNSEEN, TRAINING = {1: -21.0, 5: -19.0, 20: -18.0, 80: -19.5}, {1: -20.8, 5: -17.9, 20: -15.0, 80: -9.0}
NEGATIVE = [{k: -v for k, v in table.items()} for table in (UNSEEN, TRAINING)]
SUMS = [{k: 400 * v for k, v in table.items()} for table in (UNSEEN, TRAINING)]

ANSWERS = {
    "3.1": (
        (0.5, 0.8069),
        [(0.8069, 0.5), (0.7213, 1.1641), (1.0, 1.6137), (0.5, 6.1137), (0.5, 0.3181), (0.5, 2.1931), (0.0, 0.8069)],
    ),
    "3.2": (
        (with_baseline, 6.6),
        [(plain, 6.6), (standardised, 6.6), (averaged, 6.6), (with_baseline, 43.7), (with_baseline, 0.151)]
        + [(left_out, 66.0)],
    ),
    "3.3": (
        ({0.0: 0.2, 1.0: 0.25}, {0.0: 45.0, 1.0: 20.0}, "worse"),
        [
            ({0.0: 0.2, 1.0: 0.25}, {0.0: 45.0, 1.0: 20.0}, "better"),
            ({0.0: 0.2, 1.0: 0.25}, {0.0: 20.0, 1.0: 45.0}, "worse"),
            ({0.0: 0.25, 1.0: 0.2}, {0.0: 45.0, 1.0: 20.0}, "worse"),
            ({0.0: 0.2, 1.0: 0.25}, {0.0: -45.0, 1.0: -50.0}, "worse"),
            ({0.0: 0.2, 4.0: 0.25}, {0.0: 45.0, 4.0: 20.0}, "worse"),
        ],
    ),
    "3.4": (
        (UNSEEN, TRAINING, 20),
        [(UNSEEN, TRAINING, 80), (TRAINING, UNSEEN, 80), (*NEGATIVE, 20), (*SUMS, 20), (UNSEEN, UNSEEN, 20)],
    ),
    "3.5": (
        (divergence,),
        [
            *[(kl_each,), (turned,), (mean_over_latents,), (in_bits,), (from_prior,), (variance_for_deviation,)],
            *[(sign_of_logvar,), (not_divided,)],
        ],
    ),
}
