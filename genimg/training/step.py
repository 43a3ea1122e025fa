"""One training step: each player in turn moves its weights down the gradient of its loss.

What models do not know is here: number formats, several processes, compilation, lazy penalties, optimisers.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from genimg.models.model import Model, Player, start_averages
from genimg.system import distributed
from genimg.system.device import fast_dtype
from genimg.training.measures import EVERY, measures


class Stepper:
    """A model made ready for training on a device: in channels_last, its averages started, an Adam for each player.

    Where torchrun started several processes, gradients are averaged over them, and batch norm sees the whole batch on
    GPUs (on CPUs PyTorch has none that crosses processes: each sees its own part).

    Args:
        dtype: that convolutions and dense layers compute in; None takes the one that the device is fast at.
        compiled: run losses through torch.compile; where that fails, as without a C++ compiler, plainly again. Second
            derivatives (penalties) never take this path.

    Attributes:
        steps: done so far.
        rates: player -> Adam's learning rate before any schedule.
        optimisers: player -> torch optimiser.
    """

    def __init__(
        self, model: Model, device: torch.device | str, dtype: torch.dtype | None = None, compiled: bool = False
    ) -> None:
        self.model, self.steps = model.to(device).to(memory_format=torch.channels_last), 0
        self.dtype = dtype or fast_dtype(device)
        model.world = distributed.Together
        start_averages(model)
        self.players = model.players()
        if distributed.size() > 1 and model.device().type == "cuda":
            for name in [name for player in self.players.values() for name in player.networks]:
                if isinstance(network := getattr(model, name), nn.Module):
                    setattr(model, name, nn.SyncBatchNorm.convert_sync_batchnorm(network))
        self.losses = {name: _shared(_Loss(model, player)) for name, player in self.players.items()}
        self.fast = {name: _compiled(loss) if compiled else loss for name, loss in self.losses.items()}
        self.weights = {name: [w for w in loss.parameters() if w.requires_grad] for name, loss in self.losses.items()}
        self.rates = {name: player.lr for name, player in self.players.items()}
        self.optimisers = {
            name: torch.optim.Adam(self.weights[name], player.lr, player.betas, fused=True)
            for name, player in self.players.items()
        }
        model.train()
        model.average.eval()

    def step(
        self, x: Tensor, labels: Tensor | None = None, *, players: Iterable[str] | None = None
    ) -> dict[str, Tensor]:
        """The move of every player, or of some by name, on a batch (N, C, H, W) in [-1, 1], labels (N,) or None.

        Returns:
            name -> 0-d tensor, detached and left on the device: means of the losses' parts, and,
            each `EVERY` steps, what watches a run.
        """
        told: dict[str, Tensor] = {}
        for name in self.players if players is None else players:
            parts = self.move(name, x, labels)
            told |= {part: value.mean() for part, value in parts.items() if value.dim() < 2}
            if self.steps % EVERY == 0:
                told |= measures(x, parts)
        self._only(*self.players)
        self.steps += 1
        return told

    def move(self, name: str, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """One update of one player on a batch (N, C, H, W); returns its loss's parts, detached."""
        player = self.players[name]
        penalise = bool(player.penalties) and self.steps % player.every == 0
        noise = distributed.rows(self.model.training_noise, len(x))
        self._only(name)
        if penalise:  # squared gradients of gradients: in float32
            parts = self.losses[name](x, *noise, labels=labels, penalise=True)
        else:
            with torch.autocast(x.device.type, self.dtype, enabled=self.dtype != torch.float32):
                parts = self.fast[name](x, *noise, labels=labels)
        loss = next(iter(parts.values())).mean()
        for part, weight in player.penalties.items() if penalise else ():
            loss = loss + player.every * weight * parts[part].mean()
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[name].step()
        parts = {part: value.detach() for part, value in parts.items()}
        self.model.after_update(parts)
        return parts

    def _only(self, *names: str) -> None:
        """Leave the weights of all other players alone: their gradients would be thrown away."""
        for player, weights in self.weights.items():
            for weight in weights:
                weight.requires_grad_(player in names)

    def set_rates(self, factors: float | Mapping[str, float]) -> None:
        """Learning rates as a share of those at the start: one for all players, or of some by name."""
        for name, factor in (factors if isinstance(factors, Mapping) else dict.fromkeys(self.rates, factors)).items():
            self.optimisers[name].param_groups[0]["lr"] = self.rates[name] * factor

    def state_dict(self) -> dict[str, Any]:
        """The optimisers' states."""
        return {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}

    def load_state_dict(self, state: dict[str, Any], steps: int) -> None:
        """Go on from what `state_dict` gave, after so many steps.

        Raises:
            KeyError, ValueError: it belongs to another model.
        """
        if state.keys() != self.optimisers.keys():
            raise KeyError(f"optimisers {', '.join(state)}, not {', '.join(self.optimisers)}")
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state[name])
        self.steps = steps


class _Loss(nn.Module):
    """A player's loss as a module that holds its weights, as DistributedDataParallel and torch.compile want it."""

    def __init__(self, model: Model, player: Player) -> None:
        super().__init__()
        for name in player.networks:
            setattr(self, name, getattr(model, name))
        self.loss = player.loss

    def forward(self, *arguments: Tensor, **options: Tensor | bool | None) -> dict[str, Tensor]:
        return self.loss(*arguments, **options)


def _shared(loss: nn.Module) -> nn.Module:
    return nn.parallel.DistributedDataParallel(loss) if distributed.size() > 1 else loss


def _compiled(loss: nn.Module) -> Callable[..., dict[str, Tensor]]:
    torch._dynamo.config.suppress_errors = True
    for noisy in ("torch._dynamo", "torch.utils.cpp_extension"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return torch.compile(loss, dynamic=False)
