"""genimg: the small package behind *Images from Noise*. One idea a file, seven rooms; see README's tree.

These names are its face. Each is imported when it is first used.
"""

import importlib
from typing import Any

#: Name -> where it lies.
_PLACES = {
    "load_images": "genimg.data.sources", "shapes": "genimg.data.shapes",
    "gan": "genimg.models.gan", "vae": "genimg.models.vae", "flow": "genimg.models.flow",
    "latent": "genimg.models.latent",
    "oracle": "genimg.measure.oracle", "metrics": "genimg.measure.metrics",
    "train": "genimg.runs.calls", "load": "genimg.runs.calls", "evaluate": "genimg.runs.evaluation",
    "fit": "genimg.training.loop", "diagnose": "genimg.training.checkup",
    "plots": "genimg.plots", "live": "genimg.book.live",
    "setup": "genimg.book.chapter", "show": "genimg.book.chapter", "stamp": "genimg.book.chapter",
    "claim": "genimg.book.claims", "check": "genimg.book.exercises",
}  # fmt: skip

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"genimg has no {name!r}; its names are {', '.join(__all__)}")
    place = importlib.import_module(_PLACES[name])
    return place if _PLACES[name].endswith(f".{name}") else getattr(place, name)


def __dir__() -> list[str]:
    return __all__
