"""`Words` for pictures with captions: where no sentence is asked for, the noise chooses one of training."""

from typing import Any, Protocol

import torch
from torch import Tensor

from genimg.models.words import Words

#: Sentences of training that a model keeps.
KNOWN = 512
#: How far samples go in what their sentences say, where nothing else is asked for.
GUIDANCE = 2.0


class Reader(Protocol):
    """What knows the words, as `captions.Vocabulary` does."""

    @property
    def words(self) -> tuple[str, ...]:
        """All of them."""

    @property
    def length(self) -> int:
        """Numbers of a sentence."""

    def encode(self, text: str) -> Tensor:
        """A text as a sentence (length,)."""

    def decode(self, sentence: Tensor) -> str:
        """The words of a sentence (length,)."""


class Captioned(Words):
    """A flow on a VAE's codes that is told captions.

    Args:
        vocabulary: the words, and how many a sentence has.
        options: see `Words`.

    Attributes:
        known: sentences of training (KNOWN, length), drawn once, as often as they came.
    """

    known: Tensor

    def __init__(self, vocabulary: Reader, **options: Any) -> None:
        super().__init__(len(vocabulary.words), vocabulary.length, **options)
        self.vocabulary = vocabulary
        self.register_buffer("known", torch.zeros(KNOWN, self.length, dtype=torch.long))

    def know(self, labels: Tensor) -> None:
        """Keep some of the sentences (N, length) that are trained on."""
        super().know(labels)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        self.known.copy_(labels[order[torch.arange(KNOWN) % len(labels)]])

    def kinds(self) -> Tensor:
        """Those kept that differ, each once and no empty one, (K, length)."""
        return torch.tensor(list(dict.fromkeys(tuple(row) for row in self.known.tolist() if any(row))))

    def told(self, labels: Tensor | str | None, z: Tensor) -> Tensor:
        """The sentences of samples of noise z (N, code), (N, length): those that are asked for, in words or in numbers.
        For None the noise chooses, by digits so far behind the point that they say nothing of its size."""
        if labels is None:
            return self.known[(z[:, 0].double() * 2**16).floor().long() % KNOWN]
        labels = self.vocabulary.encode(labels) if isinstance(labels, str) else labels
        return labels.to(z.device).expand(len(z), self.length)

    @torch.no_grad()
    def sample(  # type: ignore[override]  # of captions as labels
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, steps: int = 20,
        solver: str = "euler", averaged: bool = True, labels: Tensor | str | None = None, guidance: float = GUIDANCE,
    ) -> Tensor:  # fmt: skip
        """Pictures (n, C, H, W) in [-1, 1], float32.

        Args:
            labels: a caption in words, or sentences (n, length) or (length,); None takes captions of training.
            n, seed, z, steps, solver, averaged: see `Latent.sample`.
            guidance: see `Words.velocity_of`.

        Raises:
            ValueError: a word that is not known, or too many words.
        """
        z = self.noise_for(n, seed) if z is None else z
        return super().sample(
            z=z, steps=steps, solver=solver, averaged=averaged, words=self.told(labels, z), guidance=guidance
        )
