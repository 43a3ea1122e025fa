"""Two small classifiers, trained here and shipped with the package: their last layer but one is what `features` sees.

`python -c "from genimg.measure import classifier; classifier.write('digits')"` makes the shipped weights again, in
half a minute of one core (`shapes`: in three).
"""

import math
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.data import shapes
from genimg.data.images import DIGITS, _indices, to_floats
from genimg.data.sources import load_images
from genimg.measure import oracle
from genimg.system import files
from genimg.system.errors import DataError
from genimg.system.progress import Progress

#: Where the shipped weights are.
FOLDER = Path(__file__).parent / "weights"

#: Features of a picture.
DIMS = 64

#: Factor of shapes -> classes that its head tells apart. The angle counts within the shape's period.
BINS = {"kind": len(shapes.KINDS), "hue": 12, "ground": 8, "x": 8, "y": 8, "radius": 6, "angle": 6}

#: What the shapes' classifier is trained on, wider than what `shapes` draws when nothing is said.
RANGES = {"x": (-0.22, 0.22), "y": (-0.22, 0.22), "radius": (0.14, 0.40)}


@dataclass(frozen=True)
class Spec:
    """What a classifier sees, what its heads tell apart, and how long it is trained."""

    size: int
    channels: int
    heads: dict[str, int]
    steps: int
    batch: int = 64
    lr: float = 3e-3


#: Source -> what its classifier is.
SPECS = {"digits": Spec(16, 1, {"digit": 10}, 1500), "shapes": Spec(32, 3, BINS, 3000)}


class Classifier(nn.Module):
    """Convolutions down to 4x4 pixels, a layer of `DIMS` features, a linear head for each thing to be told apart.

    Args:
        size: width and height of its pictures: 4 times a power of 2.
        channels: of its pictures.
        heads: name -> number of classes.
    """

    def __init__(self, size: int, channels: int, heads: dict[str, int]) -> None:
        super().__init__()
        self.size = size
        widths = [16, 32, 48, 48][: int(math.log2(size // 4)) + 1]
        layers: list[nn.Module] = []
        for before, after in zip([channels, *widths], widths, strict=False):
            stride = 2 if layers else 1
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(16 * widths[-1], DIMS, bias=False), nn.BatchNorm1d(DIMS)
        )
        self.heads = nn.ModuleDict({name: nn.Linear(DIMS, classes) for name, classes in heads.items()})

    def prepared(self, pixels: Tensor) -> Tensor:
        """uint8 (N, C, H, W) -> what the layers see: floats (N, C, size, size) in [-1, 1], anti-aliased bilinear."""
        x = to_floats(pixels.cpu())
        if tuple(x.shape[-2:]) == (self.size, self.size):
            return x
        return F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)

    def features(self, x: Tensor) -> Tensor:
        """(N, C, size, size) -> (N, DIMS), before the rectifier: closer to Gaussian than behind it."""
        return self.body(x)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(N, C, size, size) -> {head: logits (N, classes)}."""
        h = self.features(x).relu()
        return {name: head(h) for name, head in self.heads.items()}


def train(source: str, seed: int = 0, steps: int | None = None) -> tuple[Classifier, dict[str, float]]:
    """Train the classifier of "digits" or "shapes" from nothing.

    Args:
        seed: of the weights, the order, the jitter; for shapes of the pictures too.
        steps: None takes as many as the shipped weights have had.

    Returns:
        (Classifier in evaluation mode, {head: share of held-out pictures that it gets right}). The weights are
        rounded to 16-bit floats, as `write` keeps them.
    """
    spec = spec_of(source)
    steps = steps or spec.steps
    (x, labels), (x_test, labels_test) = _pictures(source, seed, steps * spec.batch)
    order = _indices(len(x), spec.batch, seed, 0, (0, 1))
    with random_state_kept(), Progress(steps, f"{source} classifier") as progress:
        torch.default_generator.manual_seed(seed)
        net = Classifier(spec.size, spec.channels, spec.heads)
        optimiser = torch.optim.AdamW(net.parameters(), lr=spec.lr, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, spec.lr, total_steps=steps)
        for step in range(1, steps + 1):
            index = next(order)
            shown = to_floats(x[index])
            outputs = net(_jittered(shown) if source == DIGITS else shown)
            losses = [F.cross_entropy(outputs[name], labels[name][index], ignore_index=-1) for name in outputs]
            loss = torch.stack(losses).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % 50 == 0 or step == steps:
                progress.update(step, {"loss": loss.item()})
    net.half().float().eval().requires_grad_(False)
    return net, accuracy(net, x_test, labels_test)


def write(source: str, folder: str | os.PathLike[str] | None = None, seed: int = 0) -> tuple[Path, dict[str, float]]:
    """`train`, and keep the weights as features-SOURCE.safetensors (16-bit floats); returns (path, accuracies)."""
    net, right = train(source, seed)
    path = Path(folder or FOLDER) / f"features-{source}.safetensors"
    files.write_weights(path, {n: t.half() if t.is_floating_point() else t for n, t in net.state_dict().items()})
    return path, right


@torch.no_grad()
def accuracy(net: Classifier, pixels: Tensor, labels: dict[str, Tensor]) -> dict[str, float]:
    """{head: share that it gets right} of uint8 pictures; labels below 0 do not count."""
    outputs = [net(net.prepared(part)) for part in pixels.split(500)]
    result = {}
    for name in outputs[0]:
        predicted = torch.cat([output[name].argmax(1) for output in outputs])
        result[name] = (predicted == labels[name])[labels[name] >= 0].float().mean().item()
    return result


def bins(factors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Factors of shapes -> {head: class (N,)} as in `BINS`; -1 for the angle of a shape that has none."""
    result = {"kind": factors["kind"]}
    for name in ("hue", "ground"):  # on a circle: the first bin lies around 0
        result[name] = (factors[name] * BINS[name]).round().long() % BINS[name]
    for name, (low, high) in RANGES.items():
        result[name] = ((factors[name] - low) / (high - low) * BINS[name]).long().clamp(0, BINS[name] - 1)
    period = torch.tensor([oracle.PERIODS[kind] or math.inf for kind in shapes.KINDS])[factors["kind"]]
    turn = (factors["angle"] / period * BINS["angle"]).round().long() % BINS["angle"]
    result["angle"] = torch.where(period.isinf(), -1, turn)
    return result


def spec_of(source: str) -> Spec:
    """The Spec of a source.

    Raises:
        DataError: it has none.
    """
    if source not in SPECS:
        raise DataError(f"there is no classifier for {source!r}, only for {' and '.join(SPECS)}")
    return SPECS[source]


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Python's, NumPy's and torch's global generators are afterwards as they were."""
    kept = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])


def _pictures(source: str, seed: int, most: int) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """((pixels, labels), the same held out): uint8 pictures and {head: class}; of shapes no more than are seen."""
    size = SPECS[source].size
    if source == DIGITS:
        parts = load_images("genimg:digits", size).split(500, seed=0)
        return [(part.pixels, {"digit": part.labels}) for part in parts if part.labels is not None]
    many = (min(30_000, most), 2000)
    drawn = [load_images("genimg:shapes", size, n, 10**6 + 2 * seed + i, **RANGES) for i, n in enumerate(many)]
    return [(part.pixels, bins(part.factors)) for part in drawn if part.factors is not None]


def _jittered(x: Tensor, turn: float = 0.25, zoom: float = 0.12, shift: float = 0.12) -> Tensor:
    """Each picture turned (radians), zoomed and shifted by its own random amount; black comes in from outside."""
    most = torch.tensor([turn, zoom, shift, shift]).view(-1, 1, 1)
    angle, log_scale, right, down = (2 * torch.rand(4, len(x), 1) - 1) * most  # each (N, 1)
    cos, sin = angle.cos() * log_scale.exp(), angle.sin() * log_scale.exp()
    matrix = torch.stack([torch.cat([cos, -sin, right], 1), torch.cat([sin, cos, down], 1)], 1)  # (N, 2, 3)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x + 1, grid, align_corners=False) - 1
