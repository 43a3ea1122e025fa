"""What a distance between sets of pictures is measured in: the last layer but one of a network that knows pictures.

The book's own features come from two small classifiers (`classifier.py`) whose weights are shipped with the package,
so that every number can be had without a network, and from a fixed bank of filters (`gabor.py`) for any pictures. A
distance in them is named after them, with their digest; it is not FID, which means Inception's features. Those, and
DINOv2's, come through torch-fidelity where it is installed.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from genimg import plots
from genimg.data.images import Images, to_bytes, to_floats
from genimg.data.sources import import_torchvision
from genimg.measure import gabor
from genimg.measure.classifier import DIMS, FOLDER, SPECS, Classifier, random_state_kept, train, write
from genimg.system import files
from genimg.system.errors import DataError, RunError, reason
from genimg.system.progress import Progress

__all__ = ["Extractor", "load", "train", "write"]

#: Features for any pictures.
ANY = "gabor"
#: Source -> torch-fidelity's name of the network, its layer, features, megabytes to fetch once.
ONLINE = {"inception": ("inception-v3-compat", "2048", 2048, 92), "dinov2": ("dinov2-vit-b-14", "dinov2", 768, 330)}


class Extractor:
    """Pictures in, features out; made by `load`.

    Attributes:
        name: what to call the features beside a number.
        digest: first 12 hex digits of the SHA-256 of the weights; it travels with each number.
        dims: features of a picture.
        size: pictures are resized to size x size.
        channels: how many a picture may have.
    """

    def __init__(
        self, net: "Classifier | gabor.Bank | _Fidelity", name: str, digest: str, dims: int, size: int,
        channels: tuple[int, ...],
    ) -> None:  # fmt: skip
        self.net, self.name, self.digest = net, name, digest
        self.dims, self.size, self.channels = dims, size, channels

    def __call__(self, x: Tensor | Images, batch: int = 250) -> Tensor:
        """Features of pictures.

        Args:
            x: (N, C, H, W) of any size, uint8 or floats in [-1, 1]; or Images. Floats are clipped and rounded to
                8 bits, as in a file, so that both kinds of one picture have the same features.
            batch: pictures worked on at once.

        Returns:
            float32 (N, dims) on the CPU. A picture's features do not depend on the others.

        Raises:
            DataError: not such pictures.
        """
        return self._each(self.net.features, x, batch, self.dims)

    def classify(self, x: Tensor | Images, batch: int = 250) -> Tensor:
        """Class probabilities (N, classes) on the CPU: digits 0 to 9, or `shapes.KINDS`.

        Raises:
            DataError: not such pictures, or features without classes.
        """
        if not isinstance(self.net, Classifier):
            raise DataError(f"{self.name} has no classes; {' and '.join(SPECS)} have")
        name, head = next(iter(self.net.heads.items()))
        assert isinstance(head, nn.Linear)
        return self._each(lambda x: self.net(x)[name].softmax(1), x, batch, head.out_features)

    def _each(self, function: Callable[[Tensor], Tensor], x: Tensor | Images, batch: int, columns: int) -> Tensor:
        pixels = self._pixels(x)
        self.net.eval()  # in training mode, features would depend on the other pictures and the weights on both
        result = torch.empty(len(pixels), columns)
        many = len(pixels) > (500 if isinstance(self.net, _Fidelity) else 20_000)
        with (
            random_state_kept(), torch.no_grad(), torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False), Progress(len(pixels), self.name, many, unit="picture") as progress,
        ):  # fmt: skip
            for start in range(0, len(pixels), batch):
                part = pixels[start : start + batch]
                result[start : start + batch] = function(self.net.prepared(part))
                progress.update(start + len(part))
        return result

    def _pixels(self, x: Tensor | Images) -> Tensor:
        """uint8 pictures (N, C, H, W), or one clear error."""
        x = x.pixels if isinstance(x, Images) else x
        if not isinstance(x, Tensor) or x.dim() != 4 or not (x.dtype == torch.uint8 or x.is_floating_point()):
            what = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise DataError(f"{self.name}: it takes pictures (N, C, H, W), uint8 or floats in [-1, 1], not {what}")
        if x.shape[1] == 4 and 3 in self.channels:  # opacity is seen by what shows through
            x = to_bytes(2 * plots.on_board(to_floats(to_bytes(x) if x.is_floating_point() else x) / 2 + 0.5) - 1)
        if x.shape[1] not in self.channels or 0 in x.shape[1:]:
            channels = " or ".join(map(str, self.channels))
            raise DataError(f"{self.name}: it takes pictures with C = {channels}, not {tuple(x.shape)}")
        if x.dtype == torch.uint8:
            return x
        if not x.isfinite().all():
            raise DataError(f"{self.name}: some of the pictures hold numbers that are not finite")
        return to_bytes(x)


class _Fidelity(nn.Module):
    """A network of torch-fidelity behind the same two functions as a Classifier. It resizes pictures by itself."""

    def __init__(self, model: nn.Module, device: str) -> None:
        super().__init__()
        self.model, self.device = model.to(device), device

    def prepared(self, pixels: Tensor) -> Tensor:
        return pixels.expand(-1, 3, -1, -1).to(self.device)

    def features(self, x: Tensor) -> Tensor:
        return self.model(x)[0]


def load(source: str, folder: str | os.PathLike[str] | None = None) -> Extractor:
    """Features for a source.

    Args:
        source: "digits" (grey) or "shapes" (colour), the book's own; "gabor", for any pictures; "inception" or "dinov2"
            (either), which need torch-fidelity and, once, a network.
        folder: of the weights. None takes the package's own, and torch's cache for those from the network.

    Returns:
        Extractor.

    Raises:
        DataError: an unknown source; torch-fidelity or its weights cannot be had.
        RunError: the weights are missing, broken or others.
    """
    if source in ONLINE:
        return _online(source, folder)
    if source == ANY:
        return _any()
    if source not in SPECS:
        raise DataError(f"there are no features for {source!r}, only {', '.join([*SPECS, ANY, *ONLINE])}")
    spec, path = SPECS[source], Path(folder or FOLDER) / f"features-{source}.safetensors"
    tensors = files.read_weights(path)
    with torch.device("meta"):  # no random numbers drawn for weights that are replaced
        net = Classifier(spec.size, spec.channels, spec.heads)
    if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in net.state_dict().items()}:
        raise RunError(f"{path} does not hold the weights of the {source} classifier")
    files.check_finite(tensors, path)
    net.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}, assign=True)
    net.eval().requires_grad_(False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return Extractor(net, f"{source} classifier", digest, DIMS, spec.size, (spec.channels,))


def _any() -> Extractor:
    bank = gabor.Bank().to("cuda" if torch.cuda.is_available() else "cpu")
    digest = hashlib.sha256(repr(gabor.SETTINGS).encode()).hexdigest()[:12]
    return Extractor(bank, "Gabor bank", digest, gabor.DIMS, gabor.LARGEST, (1, 3))


def _online(source: str, folder: str | os.PathLike[str] | None) -> Extractor:
    name, layer, dims, megabytes = ONLINE[source]
    try:
        import_torchvision()
        from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY as networks
    except ImportError as error:
        raise DataError(
            f"features of {source} come through torch-fidelity, which cannot be imported ({reason(error, '')}). In a "
            f"checkout of this book: pip install -e '.[eval]'. Its weights, {megabytes} MB, then need a network once. "
            f"{', '.join(SPECS)} and {ANY} need neither"
        ) from error
    usual = torch.hub.get_dir()
    try:
        if folder:
            torch.hub.set_dir(folder)
        with random_state_kept():
            model = networks[name](name, [layer])
    except Exception as error:  # URLError, OSError, RuntimeError, UnpicklingError, ... by what is missing or broken
        raise DataError(
            f"the weights of {source} could not be loaded ({reason(error, '')}). They need a network once, "
            f"{megabytes} MB, and are kept in {folder or usual}; offline, copy that folder from elsewhere or name "
            f"its copy with folder=. {', '.join(SPECS)} and {ANY} need no network"
        ) from error
    finally:
        if folder:
            torch.hub.set_dir(usual)
    digest = hashlib.sha256()
    for key, tensor in model.state_dict().items():
        digest.update(key.encode() + tensor.contiguous().numpy().tobytes())
    net = _Fidelity(model.eval().requires_grad_(False), "cuda" if torch.cuda.is_available() else "cpu")
    return Extractor(net, f"{name} ({layer})", digest.hexdigest()[:12], dims, model.INPUT_IMAGE_SIZE, (1, 3))
