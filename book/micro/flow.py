"""Flow matching on one page (Lipman et al. 2022, https://arxiv.org/abs/2210.02747), asked for one digit after another.

`python flow.py` learns scikit-learn's 1,797 handwritten digits of 8x8 pixels in half a minute of one core and writes
flow.png: ten rows, the digits 0 to 9. The loss ends near 0.35, not 0: many paths cross at x_t, and v is their mean.
"""

import sys

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from sklearn.datasets import load_digits
from torch import nn

width, steps, batch, lr = 256, 4200, 64, 2e-3


class Velocity(nn.Module):
    """x_t (N, 1, 8, 8), t (N,), label (N,) -> v (N, 1, 8, 8): dense layers, each adding to what the last has left."""

    def __init__(self):
        super().__init__()
        self.first, self.given, self.last = nn.Linear(64, width), nn.Linear(12 + 10, width), nn.Linear(width, 64)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(6))

    def forward(self, x_t, t, label):
        angle = torch.pi * t[:, None] * 2.0 ** torch.arange(-1, 5)  # (N, 6), from a quarter of a turn to eight turns
        given = self.given(torch.cat([angle.cos(), angle.sin(), F.one_hot(label, 10)], 1))  # (N, width)
        h = self.first(x_t.flatten(1))
        for dense in self.hidden:
            h = h + F.silu(dense(F.layer_norm(h, (width,)) + given))
        return self.last(F.layer_norm(h, (width,))).view_as(x_t)


def loss(net, x_1, x_0, t, label):
    """Mean squared error of the velocity, (N,), at times t (N,) on the straight paths from noise x_0 to x_1."""
    x_t = torch.lerp(x_0, x_1, t.view(-1, 1, 1, 1))  # (1 - t) x_0 + t x_1, whose velocity is x_1 - x_0
    return (net(x_t, t, label) - (x_1 - x_0)).square().flatten(1).mean(1)


@torch.no_grad()
def sample(net, x, label, n=20):
    """Noise x (N, 1, 8, 8) -> pictures, in n steps of Heun's, the last of Euler's (https://arxiv.org/abs/2206.00364)."""
    for i in range(n):
        t = x.new_full((len(x),), i / n)
        v = net(x, t, label)
        v_next = net(x + v / n, t + 1 / n, label) if i < n - 1 else v
        x = x + (v + v_next) / 2 / n
    return x


def save(x, path, columns=20, zoom=4):
    """Write pictures (N, 1, 8, 8) in [-1, 1] as a PNG, `columns` in a row, with a black line around each."""
    x = F.pad((x.clamp(-1, 1) + 1) * 127.5, (1, 1, 1, 1)).round().byte()  # (N, 1, 10, 10)
    sheet = Image.fromarray(x.view(-1, columns, 10, 10).transpose(1, 2).reshape(-1, 10 * columns).numpy())
    ImageOps.scale(sheet, zoom, Image.Resampling.NEAREST).save(path)


def main(path="flow.png", seed=0):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    pixels, labels = map(torch.from_numpy, load_digits(return_X_y=True))
    data = pixels.float().view(-1, 1, 8, 8) / 8 - 1  # (1797, 1, 8, 8) in [-1, 1]
    net = Velocity()
    adam = torch.optim.Adam(net.parameters(), lr)
    for step in range(steps):
        i = torch.randint(len(data), (batch,))
        t = torch.randn(batch).sigmoid()  # more often from the middle of the path, where v is hardest to tell
        mean = loss(net, data[i], torch.randn(batch, 1, 8, 8), t, labels[i]).mean()
        adam.zero_grad()
        mean.backward()
        adam.param_groups[0]["lr"] = lr * (1 - step / steps)  # ever smaller steps: the noise of batches averages out
        adam.step()
        if step % 500 == 0:
            print(f"step {step}  loss {mean.item():.3f}")
    save(sample(net, torch.randn(200, 1, 8, 8), torch.arange(10).repeat_interleave(20)), path)


if __name__ == "__main__":
    main(*sys.argv[1:])
