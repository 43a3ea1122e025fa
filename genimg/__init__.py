"""genimg: the small package behind *Images from Noise*. One idea a file; see each module's docstring.

Importing it needs torch, NumPy and nothing else; plots, pictures from files and torchvision are imported where used.
"""

from genimg import (
    attribution,
    augment,
    checkup,
    claims,
    classic,
    classifier,
    cost,
    data,
    decode,
    diagnostics,
    disentanglement,
    distributed,
    exercises,
    experiments,
    families,
    features,
    files,
    flow,
    folder,
    gan,
    ladder,
    live,
    metrics,
    model,
    oracle,
    plots,
    recipes,
    records,
    runs,
    runtime,
    shapes,
    sweep,
    texture,
    toys,
    training,
    trials,
    unet,
    vae,
)
from genimg.checkup import diagnose
from genimg.claims import claim
from genimg.data import Images, load_images
from genimg.exercises import check
from genimg.runtime import setup, show, stamp
from genimg.training import History, fit

__all__ = [
    "History", "Images", "attribution", "augment", "check", "checkup", "claim", "claims", "classic", "classifier",
    "cost", "data", "decode", "diagnose", "diagnostics", "disentanglement", "distributed", "exercises", "experiments",
    "families", "features", "files", "fit", "flow", "folder", "gan", "ladder", "live", "load_images", "metrics",
    "model", "oracle", "plots", "recipes", "records", "runs", "runtime", "setup", "shapes", "show", "stamp", "sweep",
    "texture", "toys", "training", "trials", "unet", "vae",
]  # fmt: skip
