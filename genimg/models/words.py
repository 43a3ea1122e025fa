"""From a sentence to a picture: a flow on the codes of a VAE that reads words.

The first stage is `latent`'s, with a code of few places. The flow's network is a transformer that sees the code's
places and the sentence's words as one sequence (like Esser et al. 2024, https://arxiv.org/abs/2403.03206, but with the
same weights for both), and the time through its norms (Peebles and Xie 2022, https://arxiv.org/abs/2212.09748).
A sentence is L numbers of words, (N, L) int64, 0 for no word.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genimg.models.flow import guided, interpolate, velocity_loss
from genimg.models.latent import Latent, places_of
from genimg.models.model import Player
from genimg.models.ode import carry
from genimg.models.sizes import Size, sides
from genimg.models.vae import reparameterise


class Block(nn.Module):
    """Attention among all tokens, then a network for each, both scaled and shifted as the time says: (N, T, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU("tanh"), nn.Linear(2 * width, width))
        self.modulation = nn.Linear(width, 6 * width)
        for weight in self.modulation.parameters():
            nn.init.zeros_(weight)  # so that a block starts as the identity

    def forward(self, h: Tensor, time: Tensor) -> Tensor:
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.modulation(time)[:, None].chunk(6, 2)
        a = self.norm(h) * (1 + scale_a) + shift_a
        q, k, v = self.qkv(a).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (N, heads, T, _)
        a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # (N, T, width)
        h = h + gate_a * self.out(a)
        return h + gate_m * self.mlp(self.norm(h) * (1 + scale_m) + shift_m)


class WordsToCode(nn.Module):
    """The velocity of codes (N, z_dim, side, side), or (N, z_dim, *side), at times (N,), given sentences (N, L)."""

    turns: Tensor

    def __init__(
        self, z_dim: int, side: Size, vocabulary: int, length: int, width: int = 96, blocks: int = 4, heads: int = 4
    ) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(z_dim, width), nn.Linear(width, z_dim)
        self.word = nn.Embedding(vocabulary + 1, width)
        # As large as the words themselves: where positions start small, the order of words is learned late or never.
        self.position = nn.Parameter(torch.randn(length, width))
        self.place = nn.Parameter(torch.randn(math.prod(sides(side)), width))
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        nn.init.zeros_(self.leave.weight)
        self.register_buffer("turns", math.pi * 1.2 ** torch.arange(32))

    def forward(self, x: Tensor, t: Tensor, words: Tensor) -> Tensor:
        angle = t[:, None] * self.turns  # (N, 32)
        time = self.time(torch.cat([angle.cos(), angle.sin()], 1))
        places = self.enter(x.flatten(2).transpose(1, 2)) + self.place  # (N, side^2, width)
        h = torch.cat([places, self.word(words) + self.position], 1)  # (N, side^2 + L, width)
        for block in self.blocks:
            h = block(h, time)
        v = self.leave(self.norm(h[:, : len(self.place)]))  # (N, side^2, z_dim)
        return v.transpose(1, 2).unflatten(2, x.shape[2:])


class Words(Latent):
    """First stage and a flow that is told a sentence.

    Args: as `Latent` has them (`first` and `lr` too: the VAE's), the size of the transformer, and

        vocabulary, length: how many words there are, and in the longest sentence.
        side: places along the shorter side of the code; None takes as many as `places_of`.
        thin: the VAE trains on every so-many-th picture of a batch, for it wants many steps and the flow large ones.
        drop: share of sentences that training hides: guidance needs the velocity of no sentence in particular too.
    """

    # What a sentence says, which shape in which colour where, is decided early on the way: times around a third.
    middle = -0.7

    def __init__(
        self, vocabulary: int, length: int, size: Size = 32, channels: int = 3, z_dim: int = 4, side: int | None = 4,
        width: int = 24, max_width: int = 96, flow_width: int = 96, blocks: int = 4, heads: int = 4,
        kl_weight: float = 0.1, first: float = 0.48, thin: int = 4, drop: float = 0.1, lr: float = 2e-3,
        flow_lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.98),
    ) -> None:  # fmt: skip
        net = WordsToCode(z_dim, places_of(size, side), vocabulary, length, flow_width, blocks, heads)
        super().__init__(
            size, channels, z_dim, width, max_width, 0, kl_weight, first, lr, betas, vocabulary + 1, drop, side, net
        )  # fmt: skip
        self.length, self.thin, self.flow_lr = length, thin, flow_lr

    def players(self) -> dict[str, Player]:
        """The VAE, then the flow."""
        vae, flow = super().players().values()
        return {"vae": replace(vae, loss=self.first_loss), "flow": replace(flow, loss=self.told_loss, lr=self.flow_lr)}

    def first_loss(self, x: Tensor, *noise: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """`vae_loss` of some of the pictures; the first stage knows of no sentences."""
        return self.vae_loss(*(rows[:: self.thin] for rows in (x, *noise[:3])))

    def told_loss(
        self, x: Tensor, eps: Tensor, x_0: Tensor, t: Tensor, hide: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """The squared error of the velocity per sample; `labels` are the sentences (N, L)."""
        with torch.no_grad():
            mu, logvar = self.network("encoder")(x)
            code = (reparameterise(mu, logvar, eps) - self.shift) / self.deviation
        words = torch.where(hide[:, None] < self.drop, 0, labels)
        v = self.velocity(interpolate(x_0, code, t), t, words)
        return {"velocity": velocity_loss(v, x_0, code)}

    def velocity_of(self, words: Tensor, guidance: float = 1.0, averaged: bool = True) -> Callable[..., Tensor]:
        """The trained velocity of one sentence for each sample, (N, L), as a function (x, t) -> (N, z_dim, side, side),
        guided away from what it is without a sentence (see `flow.guided`)."""
        net, none = self.network("velocity", averaged), torch.zeros_like(words)

        def of(x: Tensor, t: Tensor) -> Tensor:
            if guidance == 1.0:
                return net(x, t, words)
            told, free = net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([words, none])).chunk(2)
            return guided(told, free, guidance)

        return of

    @torch.no_grad()
    def sample(  # type: ignore[override]  # of sentences in place of labels
        self, n: int | None = None, seed: int | None = None, z: Tensor | None = None, steps: int = 10,
        solver: str = "euler", averaged: bool = True, words: Tensor | None = None, guidance: float = 2.0,
    ) -> Tensor:  # fmt: skip
        """Pictures (n, C, H, W) in [-1, 1], float32, of sentences `words` (n, L), of one (L,), or of none;
        for `guidance` see `velocity_of`, for the rest `Latent.sample`."""
        z = self.noise_for(n, seed) if z is None else z
        guidance, words = (1.0, torch.zeros(1).long()) if words is None else (guidance, words)
        words, parts = words.to(z.device).expand(len(z), self.length), []
        for x, told in zip(z.unflatten(1, self.places).split(256), words.split(256), strict=True):
            code = carry(self.velocity_of(told, guidance, averaged), x, steps, solver)
            parts.append(self.decode(code * self.deviation + self.shift, averaged))
        return torch.cat(parts)
