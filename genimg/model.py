"""What GAN, VAE and Flow have in common, and the averages of their weights."""

import copy
import logging
import math

import torch
from torch import nn

from genimg import distributed, runtime


class Model(nn.Module):
    """What GAN, VAE and Flow have in common.

    A subclass names in `averaged` the submodules whose weights are averaged, and has `optimisers`, `step`, `noise` and
    `sample`, which also takes the noise itself: `sample(z=noise)`.

    Where `classes` is above 0, `step` also takes the labels of the batch. `quick` says that a sample takes one pass, so
    that `fit` may look at some when it is done.
    """

    averaged: tuple[str, ...] = ()
    classes = 0
    quick = False

    def __init__(self):
        super().__init__()
        self.average = nn.ModuleDict()
        self.optimiser = {}
        self.parallel = {}  # name -> the submodule as DistributedDataParallel runs it; not registered, so not saved
        self.compiled = {}
        self.dtype = torch.float32
        self.steps_done = 0
        self.alone = False

    def prepare(self, device, dtype=None):
        """Move to the device in channels_last, start the averages, make the optimisers.

        Convolutions and dense layers compute in `dtype`; None takes the one that the device is fast at.

        Where torchrun started several processes, each network is run through DistributedDataParallel, its batch norm
        over the whole batch on GPUs (on CPUs PyTorch has none that crosses processes: each sees its own part).

        Raises:
            ValueError: the model cannot be trained by several processes.
        """
        self.to(device, memory_format=torch.channels_last)
        self.dtype = dtype or runtime.fast_dtype(device)
        for name in self.averaged:
            self.average[name] = copy.deepcopy(self.get_submodule(name)).requires_grad_(False).eval()
        if distributed.size() > 1:
            if self.alone:
                raise ValueError("a learned sigma or scale cannot be trained by several processes; use sigma='optimal'")
            for name in [name for name, child in self.named_children() if child is not self.average]:
                if torch.device(device).type == "cuda":
                    setattr(self, name, nn.SyncBatchNorm.convert_sync_batchnorm(getattr(self, name)))
                self.parallel[name] = nn.parallel.DistributedDataParallel(getattr(self, name))
        self.optimiser = self.optimisers()
        self.train()
        self.average.eval()

    def net(self, name, fast=False):
        """The submodule as a training step has to call it: shared between processes, compiled if asked for."""
        plain = self.parallel.get(name, self.get_submodule(name))
        return self.compiled.get(name, plain) if fast else plain

    def compile(self, *names):
        """Let `net(name, fast=True)` run through torch.compile; where that fails, as without a C++ compiler, through
        the plain network again. Call it after `prepare`. Second derivatives (penalties) never take this path."""
        torch._dynamo.config.suppress_errors = True
        for noisy in ("torch._dynamo", "torch.utils.cpp_extension"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        for name in names:
            self.compiled[name] = torch.compile(self.net(name), dynamic=False)

    def device(self):
        """Where the weights are."""
        return next(self.parameters()).device

    def autocast(self):
        """Convolutions and dense layers in bfloat16 where the hardware is fast at it; otherwise nothing."""
        return torch.autocast(self.device().type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def update(self, name, loss):
        """One step of optimiser `name` down the gradient of `loss`."""
        self.optimiser[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser[name].step()

    def calibrate(self, batches=()):
        """Called before the averages are used: a model with batch norm re-estimates its statistics here, if it needs
        them from some batches of pictures (N, C, H, W)."""

    def optimisers(self):
        """Name -> torch optimiser, made once the parameters are on their device."""
        raise NotImplementedError

    def step(self, x):
        """Update the weights on a batch (N, C, H, W) in [-1, 1]; returns name -> 0-d detached tensor."""
        raise NotImplementedError

    def noise(self, n, generator=None):
        """What n samples are made of, drawn from N(0, I): (n, z_dim), of a Flow (n, C, H, W)."""
        raise NotImplementedError

    def sample(self, n=None, seed=None):
        """Pictures (n, C, H, W) in [-1, 1]."""
        raise NotImplementedError


def group_norm(channels):
    """Normalises groups of about 8 channels of each sample on its own, whatever else is in the batch."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // 8)), channels)


def has_batch_norm(module):
    """Whether a part of the module mixes the pictures of a batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def reset_statistics(module):
    """Make the batch norms of a module take the plain mean of what they will see, in training mode.

    Returns:
        whether there are any.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    module.train()
    return bool(norms)


@torch.no_grad()
def update_average(model, decay):
    """average <- decay * average + (1 - decay) * weights. Buffers are left alone: `Model.calibrate` makes them."""
    for name, average in model.average.items():
        olds, news = list(average.parameters()), list(model.get_submodule(name).parameters())
        torch._foreach_lerp_(olds, news, 1 - decay)
