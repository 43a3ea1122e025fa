"""What GAN, VAE and Flow have in common: players with their networks and losses, and averages of their weights."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

#: Pictures that batch-norm statistics are made of. With so many, samples of a GAN at 32 pixels lay 3
#: to 5 hundredths of a deviation from those that the statistics of 8,192 give; 1 to 2 with 2,560, 5 to 9 with 64.
CALIBRATED = 256


@dataclass(frozen=True)
class Player:
    """Who learns, and what it lowers.

    Attributes:
        networks: names of the submodules and parameters that it moves.
        loss: function (x (N, C, H, W), noise, labels=None) -> name -> tensor. The loss itself, (N,), comes first; other
            parts (N,) are for the record, those with more axes for what watches a run. Where the player has
            `penalties`, also penalise=True, which adds them by name.
        lr, betas: Adam's.
        penalties: name -> weight, of parts that are added to the loss on the steps that compute them.
        every: these are each so many steps, with the weights multiplied by as much.
        part: of a run, in which it moves, from and to as shares of the steps.
    """

    networks: tuple[str, ...]
    loss: Callable[..., dict[str, Tensor]]
    lr: float
    betas: tuple[float, float]
    penalties: dict[str, float] = field(default_factory=dict)
    every: int = 1
    part: tuple[float, float] = (0.0, 1.0)


class World(Protocol):
    """All processes that train one model together."""

    def mean(self, value: Tensor) -> Tensor:
        """The mean over processes."""

    def rows(self, draw: Callable[[int], Tensor], n: int) -> Tensor:
        """This process's n rows of what is drawn for the whole batch."""


class Alone:
    """The only process that trains. Where there are several, the training loop puts `distributed` in its place."""

    @staticmethod
    def mean(value: Tensor) -> Tensor:
        """The mean over processes."""
        return value

    @staticmethod
    def rows(draw: Callable[[int], Tensor], n: int) -> Tensor:
        """This process's n rows of what is drawn for the whole batch."""
        return draw(n)


class Model(nn.Module):
    """What GAN, VAE and Flow have in common.

    A subclass names in `averaged` the submodules whose weights are averaged, and has `players`, `noise`, `sample`
    (which also takes the noise itself: `sample(z=noise)`) and, where training takes other noise, `training_noise`.

    Where `classes` is above 0, losses also take the labels of the batch, and `sample` those that are wanted. `quick`
    says that a sample takes one pass, so that `fit` may look at some when it is done.
    """

    averaged: tuple[str, ...] = ()
    classes = 0
    quick = False

    def __init__(self) -> None:
        super().__init__()
        self.average = nn.ModuleDict()  # filled by the training loop
        self.world: World = Alone
        self.history: Any = None  # of the training that it went through last: a `training.history.History`
        self.run: str | None = None  # folder of the run that it comes from
        self.behind = False  # whether the averages' batch-norm statistics belong to earlier weights
        self.shown_pictures: Callable[[], Iterable[Tensor]] = tuple  # while it trains: some batches, for `calibrate`

    def __repr__(self) -> str:
        weights = {name: sum(w.numel() for w in part.parameters()) for name, part in self.named_children()}
        parts = [f"{name} {n:,}" for name, n in weights.items() if n and name != "average"]
        return f"{type(self).__name__}(weights: {', '.join(parts)}{'; averaged' if len(self.average) else ''})"

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As any module's; a model that was just built gets averages too, where the weights are of a trained one."""
        if not len(self.average) and any(name.startswith("average.") for name in state_dict):
            start_averages(self)
        return super().load_state_dict(state_dict, strict, assign)

    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def network(self, name: str, averaged: bool = True) -> nn.Module:
        """The averaged submodule, ready for use, or the one in training; before any training there is only that."""
        if not (averaged and name in self.average):
            return self.get_submodule(name)
        if self.behind:
            self.calibrate(self.shown_pictures())
            self.behind, self.shown_pictures = False, tuple
        return self.average[name]

    def players(self) -> dict[str, Player]:
        """Name -> Player, in the order in which they move."""
        raise NotImplementedError

    def know(self, labels: Tensor) -> None:
        """Called before training where there are classes, with the labels (N,) of all pictures that are trained on.

        Raises:
            ValueError: more classes than the model was built with.
        """
        if (found := int(labels.max()) + 1) > self.classes:
            raise ValueError(
                f"the pictures are of {found} classes, and the model was built with classes={self.classes}"
            )

    def kinds(self) -> Tensor:
        """Labels of what can be asked for, one row each: all classes, (classes,)."""
        return torch.arange(self.classes)

    def labels_of(self, labels: Tensor | int | None, n: int) -> Tensor | None:
        """Labels (n,) as they are asked for; None where none are.

        Raises:
            ValueError: the model has no classes, or not these.
        """
        if labels is None:
            return None
        labels = torch.as_tensor(labels, device=self.device()).long().expand(n)
        if not self.classes or labels.min() < 0 or labels.max() >= self.classes:
            raise ValueError(f"labels {labels.unique().tolist()}: this model was trained with {self.classes} classes")
        return labels

    def after_update(self, parts: dict[str, Tensor]) -> None:
        """Called after each update with what the loss gave: for running values that no gradient moves."""

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """What n samples are made of, drawn from N(0, I): (n, z_dim), of a Flow (n, C, H, W)."""
        raise NotImplementedError

    def training_noise(self, n: int) -> tuple[Tensor, ...]:
        """All that a loss of n pictures draws: tensors of n rows."""
        return (self.noise(n),)

    def calibrate(self, batches: Iterable[Tensor] = ()) -> None:
        """Called before the averages are used where they have moved since: a model with batch norm estimates its
        statistics anew here, if it needs them from some batches of pictures (N, C, H, W)."""

    def sample(
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, *more: Any, **options: Any
    ) -> Tensor:
        """Pictures (n, C, H, W) in [-1, 1], float32."""
        raise NotImplementedError

    def noise_for(self, n: int | None, seed: int | None) -> Tensor:
        """The noise of n samples from a seed; None goes on with torch's global generator."""
        if n is None:
            raise ValueError("sample needs n, how many pictures, or z, the noise that they are made of")
        return self.noise(n, None if seed is None else torch.Generator(self.device()).manual_seed(seed))


def start_averages(model: Model) -> None:
    """Copies of the submodules that are averaged, from where they now are."""
    for name in model.averaged:
        model.average[name] = copy.deepcopy(model.get_submodule(name)).requires_grad_(False).eval()


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalises groups of about 8 channels of each sample on its own, whatever else is in the batch."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // 8)), channels)


def has_batch_norm(module: nn.Module) -> bool:
    """Whether a part of the module mixes the pictures of a batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def reset_statistics(module: nn.Module) -> bool:
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
