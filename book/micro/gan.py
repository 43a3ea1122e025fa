"""A GAN on one page: relativistic loss, penalties R1 and R2 (Huang et al. 2024, https://arxiv.org/abs/2501.05441).

`python gan.py` learns scikit-learn's 1,797 handwritten digits of 8x8 pixels in half a minute of one core and writes
gan.png: 200 digits that nobody wrote. Watch d_loss stay near ln 2 = 0.69, where D can but guess."""

import sys

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

z_dim, width, r = 32, 256, 0.1  # r: weight of the penalties
steps, batch, lr, betas = 3500, 64, 1e-3, (0.0, 0.99)


def layers(*sizes):
    """Dense layers with SiLU between them: at 8x8 pixels they learn faster than convolutions."""
    return [layer for a, b in zip(sizes, sizes[1:], strict=False) for layer in (nn.Linear(a, b), nn.SiLU())][:-1]


def generator():
    """z (N, z_dim) -> x (N, 1, 8, 8) in [-1, 1]."""
    return nn.Sequential(*layers(z_dim, width, width, width, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))


def discriminator():
    """x (N, 1, 8, 8) -> logit (N,), the higher the more real. It sees each picture alone: no norm over the batch."""
    return nn.Sequential(nn.Flatten(), *layers(64, width, width, 1), nn.Flatten(0))


def penalty(logits, x):
    """|grad_x logit|^2, (N,). Where D is flat, G can come to rest."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)  # with a graph, so that D can lower it
    return gradient.flatten(1).square().sum(1)


def d_loss(G, D, x_real, z):
    """-log sigmoid(l_real - l_fake), (N,): which one of a pair is real? Plus R1 at x_real and R2 at x_fake."""
    x_real, x_fake = x_real.detach().requires_grad_(), G(z).detach().requires_grad_()  # detached: G is not trained here
    l_real, l_fake = D(x_real), D(x_fake)
    return F.softplus(l_fake - l_real) + r / 2 * (penalty(l_real, x_real) + penalty(l_fake, x_fake))


def g_loss(G, D, x_real, z):
    """-log sigmoid(l_fake - l_real), (N,): the same question, and G wants the wrong answer."""
    return F.softplus(D(x_real) - D(G(z)))


def save(x, path, columns=20, zoom=4):
    """Write pictures (N, 1, 8, 8) in [-1, 1] as a PNG, `columns` in a row, with a black line around each."""
    x = F.pad((x.clamp(-1, 1) + 1) * 127.5, (1, 1, 1, 1)).round().byte()  # (N, 1, 10, 10)
    sheet = Image.fromarray(x.view(-1, columns, 10, 10).transpose(1, 2).reshape(-1, 10 * columns).numpy())
    ImageOps.scale(sheet, zoom, Image.Resampling.NEAREST).save(path)


def main(path="gan.png", seed=0):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    data = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 8 - 1  # (1797, 1, 8, 8) in [-1, 1]
    G, D = generator(), discriminator()
    average = AveragedModel(G, multi_avg_fn=get_ema_multi_avg_fn(0.998))  # G circles what it learns; its mean is nearer
    g_adam, d_adam = (torch.optim.Adam(net.parameters(), lr, betas) for net in (G, D))
    for step in range(1, steps + 1):
        x_real = data[torch.randint(len(data), (batch,))]
        for adam, loss in ((d_adam, d_loss), (g_adam, g_loss)):
            mean = loss(G, D, x_real, torch.randn(batch, z_dim)).mean()
            adam.zero_grad()  # also of what the other network's loss has left here
            mean.backward()
            adam.step()
            if step % 500 == 0:
                print(f"step {step}  {loss.__name__} {mean.item():.3f}")
        average.update_parameters(G)
    save(average(torch.randn(200, z_dim)).detach(), path)


if __name__ == "__main__":
    main(*sys.argv[1:])
