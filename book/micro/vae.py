"""A VAE on one page (Kingma and Welling 2013, https://arxiv.org/abs/1312.6114; sigma as in Rybkin et al. 2020,
https://arxiv.org/abs/2006.13202).

`python vae.py` learns scikit-learn's handwritten digits of 8x8 pixels in half a minute of one core and writes vae.png:
two rows of digits it has not seen, each above its reconstructions, then 200 digits decoded from noise.
"""

import math
import sys

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from sklearn.datasets import load_digits
from torch import nn

z_dim, width = 8, 192
steps, batch, lr = 9000, 64, 2e-3


def layers(*sizes):
    """Dense layers with SiLU between them."""
    return [layer for a, b in zip(sizes, sizes[1:], strict=False) for layer in (nn.Linear(a, b), nn.SiLU())][:-1]


def make_encoder():
    """x (N, 1, 8, 8) -> mu and logvar of q(z | x) side by side, (N, 2 z_dim)."""
    return nn.Sequential(nn.Flatten(), *layers(64, width, width, 2 * z_dim))


def make_decoder():
    """z (N, z_dim) -> mean of p(x | z), (N, 1, 8, 8) in [-1, 1]. Deep: it has to fold a Gaussian into ten digits."""
    return nn.Sequential(*layers(z_dim, width, width, width, width, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))


def loss(encoder, decoder, x, eps):
    """Negative ELBO in nats, (N,): what the code costs, KL(q || N(0, I)), and what is left of the picture after it."""
    mu, logvar = encoder(x).chunk(2, dim=1)
    z = mu + (0.5 * logvar).exp() * eps  # a sample of q that gradients pass through
    kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
    squared = (x - decoder(z)).square().flatten(1)  # (N, 64)
    variance = squared.mean()  # of all sigma^2 the one that makes this batch likeliest: no weight to choose
    nll = 0.5 * (squared / variance + (2 * math.pi * variance).log()).sum(1)  # -log N(x; decoder(z), sigma^2)
    return nll + kl


def save(x, path, columns=20, zoom=4):
    """Write pictures (N, 1, 8, 8) in [-1, 1] as a PNG, `columns` in a row, with a black line around each."""
    x = F.pad((x.clamp(-1, 1) + 1) * 127.5, (1, 1, 1, 1)).round().byte()  # (N, 1, 10, 10)
    sheet = Image.fromarray(x.view(-1, columns, 10, 10).transpose(1, 2).reshape(-1, 10 * columns).numpy())
    ImageOps.scale(sheet, zoom, Image.Resampling.NEAREST).save(path)


def main(path="vae.png", seed=0):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    data = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 8 - 1  # (1797, 1, 8, 8) in [-1, 1]
    train, test = data[:-40], data[-40:]
    encoder, decoder = make_encoder(), make_decoder()
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr)
    slower = torch.optim.lr_scheduler.LinearLR(adam, 1, 0, steps)
    for step in range(1, steps + 1):
        x = train[torch.randint(len(train), (batch,))]
        mean = loss(encoder, decoder, x, torch.randn(batch, z_dim)).mean()
        adam.zero_grad()
        mean.backward()
        adam.step()
        slower.step()
        if step % 1500 == 0:
            print(f"step {step}  -ELBO {mean.item():.1f} nats")
    with torch.no_grad():
        again = decoder(encoder(test)[:, :z_dim])  # from the mean code
        pairs = torch.stack([test.view(2, 20, 1, 8, 8), again.view(2, 20, 1, 8, 8)], 1).flatten(0, 2)
        gap = torch.full((20, 1, 8, 8), -1.0)
        save(torch.cat([pairs, gap, decoder(torch.randn(200, z_dim))]), path)


if __name__ == "__main__":
    main(*sys.argv[1:])
