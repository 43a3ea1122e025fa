"""What the command line trains: a recipe is plain data, checked, from which a model can be built again."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from genimg.data.augment import mirror
from genimg.data.captions import LONGEST, MOST, Vocabulary
from genimg.models import captioned, classic, flow, gan, labelled, latent, sizes, vae
from genimg.models.diff_augment import POLICIES
from genimg.models.model import Model
from genimg.system.errors import RunError

#: What can be trained.
FAMILIES = ("gan", "vae", "flow", "latent")
#: The family that is trained where none is named. It came nearest in the race on record, see `book.race`.
DEFAULT = "latent"
#: Family -> settings that the others do not have.
OWN = {
    "gan": ("norm", "loss", "r1", "diff_augment"),
    "vae": ("beta", "sigma"),
    "latent": ("beta", "captions", "vocabulary"),
}
#: Fields that are found out and never set.
FOUND = ("class_names", "words", "length", "fingerprint", "labels", "begun_from")
#: Fields that hold several words.
LISTS = ("diff_augment", "class_names", "words")
#: Families that the source text has no networks for.
NEWER = ("flow", "latent")
#: Steps between two saves.
SAVE_EVERY = 500
#: The book's networks, or those of the source text.
NETWORKS = ("book", "text")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run computes. None stands for a default that `complete` fills in.

    Attributes:
        family: "gan", "vae", "flow" or "latent".
        data: a source of `load_images`, as text.
        size, channels: of the pictures: pixels of a side, or (height, width), see `models.sizes`; None takes 1 channel
            where all of a folder are grey, else 3; with 4 they are transparent where a folder's are.
        n: how many pictures at most; None takes all (of shapes 10,000).
        held_out: how many of them are not trained on, but measured by; None takes what `pictures.to_hold_out` says.
        steps, batch, seed: of the training. batch counts pictures over all processes.
        networks: "book" (upsampling, no batch norm in the discriminator) or "text" (the source text's).
        norm: of a GAN's generator among the book's networks: "batch" or "group".
        z_dim, width: length of the noise (a flow has none of its own: its noise is a picture), of "latent" numbers in
            each place of the code; channels at the first level.
        lr: of Adam.
        loss, r1: of a GAN: a name out of `gan.LOSSES`; weight of the penalties R1 and R2.
        diff_augment: of a GAN: policies of `diff_augment`.
        beta: of a VAE, and of the first stage of "latent": weight of the KL.
        sigma: of a VAE: "optimal" or a positive number.
        mirror: show pictures mirrored half of the time.
        background, fit, skip_bad, white: of a folder, see `folder.load`.
        classes: what gives the pictures labels, of which one can be asked for: "folder" takes the subfolders' names, of
            a built-in source its own labels; else the path of a table, see `labels.labels_of`.
        class_names: the names of the classes.
        captions: what gives the pictures sentences, by which "latent" is told what to draw: "names" takes the files'
            names, else the path of a table, see `captions.captions_of`.
        vocabulary: words that are kept at most; None takes `captions.MOST`. words, length: see `captions.Vocabulary`.
        fingerprint, labels: of the pictures and of their labels or sentences, so that a run never goes on with others.
        begun_from: folder of the run whose weights it started from; empty for none.
    """

    family: str
    data: str
    size: sizes.Size = 64
    channels: int | None = None
    n: int | None = None
    held_out: int | None = None
    steps: int = 5000
    batch: int = 32
    seed: int = 0
    networks: str = "book"
    norm: str = "batch"
    z_dim: int | None = None
    width: int | None = None
    lr: float | None = None
    loss: str | None = None
    r1: float | None = None
    diff_augment: tuple[str, ...] = ()
    beta: float = 1.0
    sigma: str | float = "optimal"
    mirror: bool = False
    background: str = "white"
    fit: str = "crop"
    skip_bad: bool = False
    white: float | None = None
    classes: str | None = None
    class_names: tuple[str, ...] = ()
    captions: str | None = None
    vocabulary: int | None = None
    words: tuple[str, ...] = ()
    length: int = 0
    fingerprint: str = ""
    labels: str = ""
    begun_from: str = ""

    @classmethod
    def from_dict(cls, values: Any) -> "Recipe":
        """The recipe in a parsed `config.json`. A setting that it does not name is younger than it: the default.

        Raises:
            RunError: it is no recipe or a newer version's, or has values that `check` refuses.
        """
        if not isinstance(values, dict) or not {"family", "data"} <= values.keys():
            raise RunError("it is no run's recipe: it names no family and no data")
        if odd := sorted(values.keys() - {f.name for f in dataclasses.fields(cls)}):
            raise RunError(f"it has {', '.join(odd[:5])}, which this genimg does not know: a newer one may, update it")
        lists = {name: tuple(values[name]) for name in LISTS if isinstance(values.get(name), list)}
        if isinstance(values.get("size"), str):
            try:
                values = values | {"size": sizes.read(values["size"])}
            except ValueError as error:
                raise RunError(str(error)) from None
        recipe = cls(**values | lists)
        try:
            recipe.check()
        except TypeError as error:  # a list where a word should be
            raise RunError(f"it holds a value of the wrong kind ({error})") from None
        return recipe

    def complete(self) -> "Recipe":
        """The recipe with every default filled in and checked.

        Raises:
            RunError: a value out of range, named with what it may be.
        """
        text = self.networks == "text"
        is_gan = self.family == "gan"
        defaults: dict[str, Any] = {
            "z_dim": {"flow": None, "latent": 8, "gan": 128}.get(self.family, 128 if text else 64),
            "width": 64 if text else 32,
            "lr": 2e-4 if text else 1e-3,
            "loss": None if not is_gan else "sigmoid_bce" if text else "relativistic",
            "r1": None if not is_gan else 0.0 if text else 0.1,
            "vocabulary": None if self.captions is None else MOST,
        }
        size = tuple(self.size) if isinstance(self.size, list) else self.size
        if isinstance(size, tuple) and len(set(size)) == 1 and len(size) == 2:
            size = size[0]
        found = {k: v for k, v in defaults.items() if getattr(self, k) is None}
        recipe = dataclasses.replace(self, size=size, **found)
        recipe.check()
        return recipe

    def check(self) -> None:
        """Hold every setting to its rule.

        Raises:
            RunError: a setting that no run can have; the message names it and what it may be.
        """
        text = self.networks == "text"
        of_text = f"one of {', '.join(map(str, classic.SIZES))}"
        rules = {
            "family": (self.family in FAMILIES, f"one of {', '.join(FAMILIES)}"),
            "data": (isinstance(self.data, str) and self.data, "a folder or the name of a source"),
            "networks": (
                self.networks == "book" if self.family in NEWER else self.networks in NETWORKS,
                "book: the source text has no flow" if self.family in NEWER else f"one of {', '.join(NETWORKS)}",
            ),
            "norm": (self.norm in gan.NORMS, f"one of {', '.join(gan.NORMS)}"),
            "size": (
                sizes.is_size(self.size) and (self.size in classic.SIZES or not text),
                of_text if text else sizes.rule(self.size),
            ),
            "channels": (self.channels is None or _whole(self.channels) and self.channels in (1, 3, 4), "1, 3 or 4"),
            "n": (self.n is None or _whole(self.n, 1), "a whole number of at least 1"),
            "held-out": (self.held_out is None or _whole(self.held_out, 0), "a whole number, 0 for none"),
            "steps": (_whole(self.steps, 1, 10**9), "a whole number from 1 to 1,000,000,000"),
            "batch": (_whole(self.batch, 2, 65536), "a whole number from 2 to 65,536"),
            "seed": (_whole(self.seed, 0, 2**31), "a whole number from 0 to 2,147,483,648"),
            "z-dim": (
                self.z_dim is None if self.family == "flow" else _whole(self.z_dim, 1, 65536),
                "left out: a flow's noise is as large as its pictures"
                if self.family == "flow"
                else "a whole number from 1 to 65,536",
            ),  # fmt: skip
            "width": (_whole(self.width, 4, 1024), "a whole number from 4 to 1,024"),
            "lr": (_number(self.lr, 0, 1), "a number above 0, up to 1"),
            "loss": (self.loss is None or self.loss in gan.LOSSES, f"one of {', '.join(gan.LOSSES)}"),
            "r1": (self.r1 is None or _number(self.r1, 0, 1e6, closed=True), "a number from 0 to 1,000,000"),
            "diff-augment": (
                isinstance(self.diff_augment, tuple) and set(self.diff_augment) <= set(POLICIES),
                f"some of {', '.join(POLICIES)}",
            ),
            "beta": (_number(self.beta, 0, 1e6, closed=True), "a number from 0 to 1,000,000"),
            "sigma": (self.sigma == "optimal" or _number(self.sigma, 0, 1e6), "optimal or a number above 0"),
            "mirror": (
                isinstance(self.mirror, bool) and not (self.mirror and self.captions),
                "left out with captions: a mirrored picture has its left at the right, and its caption says left",
            ),
            "background": (isinstance(self.background, str), "a colour"),
            "fit": (isinstance(self.fit, str), "crop or pad"),
            "skip-bad": (isinstance(self.skip_bad, bool), "true or false"),
            "white": (self.white is None or _number(self.white, 0, 2**32), "a number above 0"),
            "classes": (_source(self.classes), "folder, or a table of files and labels"),
            "class-names": (_texts(self.class_names), "a list of names"),
            "captions": (_source(self.captions), "names, or a table of files and sentences"),
            "vocabulary": (
                self.vocabulary is None or bool(self.captions) and _whole(self.vocabulary, 1, 10**6),
                "a whole number from 1 to 1,000,000" if self.captions else "left out: there are no captions",
            ),
            "words": (_texts(self.words), "a list of words"),
            "length": (_whole(self.length, 0, LONGEST), f"a whole number up to {LONGEST}"),
            "labels": (isinstance(self.labels, str), "text"),
            "fingerprint": (isinstance(self.fingerprint, str), "text"),
            "begun-from": (isinstance(self.begun_from, str), "text"),
        }
        for name, value in self._of_others().items():
            raise RunError(f"--{name.replace('_', '-')} {value}: {self.networks} {self.family} has no such setting")
        if self.captions and self.classes:
            raise RunError("--captions and --classes at once: a picture is told either its sentence or its class")
        for name, (holds, may_be) in rules.items():
            if not holds:
                value = getattr(self, name.replace("-", "_"))
                raise RunError(f"--{name} {told(value)}: it has to be {may_be}")

    def _of_others(self) -> dict[str, Any]:
        """Settings that have been made although they are not of this family, or not of these networks."""
        if self.family not in FAMILIES:
            return {}
        own = OWN.get(self.family, ())
        others = sorted({name for names in OWN.values() for name in names} - set(own))
        others += ["norm", "classes"] if self.networks == "text" else []
        plain = {field.name: field.default for field in dataclasses.fields(self)}
        return {name: getattr(self, name) for name in others if getattr(self, name) != plain[name]}

    def build(self) -> Model:
        """A fresh model, its weights drawn from torch's global generator: seed that first."""
        size, channels, z_dim, width = self.size, self.channels, self.z_dim, self.width
        text, classes = self.networks == "text", len(self.class_names)
        side, _ = sizes.sides(size)  # the text's networks are for squares
        assert width is not None and self.lr is not None, "complete() fills in what is None"
        assert channels is not None, "load_pictures() fills it in"
        if self.family == "flow":
            return flow.Flow(size, channels, width, 4 * width, classes=classes, lr=self.lr)
        assert z_dim is not None
        if self.family == "latent":
            options: dict[str, Any] = dict(size=size, channels=channels, z_dim=z_dim, width=width, max_width=4 * width)
            options |= dict(kl_weight=self.beta, lr=self.lr)
            if self.captions:
                options |= dict(side=None, first=0.5, thin=1, flow_lr=self.lr)
                return captioned.Captioned(Vocabulary(self.words, self.length), **options)
            return latent.Latent(**options, classes=classes)
        if self.family == "vae":
            options = dict(size=size, channels=channels, lr=self.lr, beta=self.beta, sigma=self.sigma)
            if text:
                options |= dict(encoder=classic.Encoder(side, channels, z_dim, width), betas=(0.5, 0.999))
                options |= dict(decoder=classic.Decoder(side, channels, z_dim, width))
            if classes:
                return labelled.LabelledVAE(classes, z_dim=z_dim, width=width, max_width=8 * width, **options)
            return vae.VAE(z_dim=z_dim, width=width, max_width=8 * width, **options)
        options = dict(loss=self.loss, lr=self.lr, r1=self.r1, r2=self.r1, augment=self.diff_augment or None)
        if text:
            options |= dict(betas=(0.5, 0.999), generator=classic.Generator(side, channels, z_dim, width))
            options |= dict(discriminator=classic.Discriminator(side, channels, width))
        options |= dict(every=8, norm=self.norm)
        if classes:
            return labelled.LabelledGAN(classes, size, channels, z_dim, width, width, 8 * width, **options)
        return gan.GAN(size, channels, z_dim, width, width, 8 * width, **options)

    def transform(self) -> Callable[[Tensor], Tensor] | None:
        """What is done to each batch before the model sees it."""
        return mirror if self.mirror else None


def told(value: object) -> str:
    """A setting's value as the command line has it."""
    if isinstance(value, tuple) and len(value) == 2 and all(map(_whole, value)):
        return sizes.written(value)
    return value if isinstance(value, str) else repr(value)


def _source(value: object) -> bool:
    return value is None or isinstance(value, str) and bool(value)


def _texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


def _whole(value: object, low: int | None = None, high: int | None = None) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def _number(value: object, low: float, high: float, closed: bool = False) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return (low <= value if closed else low < value) and value <= high
