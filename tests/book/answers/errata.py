"""Right and plausible wrong answers to the exercises of the chapter on errata."""

import torch


def _median(x):
    return x.median(0).values


def _medoid(x):
    return x[torch.cdist(x, x, p=1).sum(1).argmin()]


def _company(matched=True, others=True, mode=None):
    def depends(network, x):
        before = network.training
        if mode is not None:
            network.train(mode)
        with torch.no_grad():
            first = network(x)[0]
            turned = network(x.flip(0))[-1 if matched else 0]
            among = network(torch.cat([x[:1], -3 * x[1:]]))[0] if others else first
        network.train(before)
        return not torch.allclose(first, turned, atol=1e-4), not torch.allclose(first, among, atol=1e-4)

    return depends


ANSWERS = {
    "11.1": (
        (_median, 0.001),
        [(lambda x: x.mean(0), 0.001), (_medoid, 0.001), (_median, 1.0), (_median, 0.6), (lambda x: x.median(), 0.0)],
    ),
    "11.2": (
        (lambda d: d.log().mean(),),
        [(lambda d: -d.log(),), (lambda d: (1 - d).log().mean(),), (lambda d: d.mean(),)],
    ),
    "11.3": ((_company(),), [(_company(matched=False),), (_company(others=False),), (_company(mode=False),)]),
}
