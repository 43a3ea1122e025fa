"""The ladder of speed-ups: one GAN trained by an ordinary loop, then by that loop with one thing after another mended.

Every rung trains the same networks from the same start on the same batches and the same noise. Rungs run in turn, a
few steps each, so that whatever else the machine does falls on all of them.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.book import cost, experiments
from genimg.book.records import Results
from genimg.data.images import Images, to_floats
from genimg.models import gan
from genimg.system.device import fast_dtype, seed_everything

#: The text's GAN with all that this book changes in it, for `experiments.build_gan`.
IMPROVED_GAN: dict[str, Any] = dict(
    norm="none", loss="relativistic", r1=0.1, up="nearest", lr=1e-3, betas=(0.0, 0.99)
)  # fmt: skip


@dataclass(frozen=True)
class Loop:
    """How a loop is written. The defaults are those of an ordinary tutorial.

    Attributes:
        loader: a data loader turns every picture into numbers on the host; otherwise all pictures lie on the device
            as bytes.
        read: the losses are read back (`.item()`) at every step.
        wasteful: gradients are computed that nobody uses: of the generator in D's step, of D in the generator's;
            and D judges real and generated pictures in two passes.
        penalty_every: the penalties are computed each so many steps, with the weight multiplied by as much.
        fused: Adam updates all weights in one call.
        channels_last: the channels of a pixel lie side by side in memory; otherwise one channel's map after the other,
            as PyTorch makes them.
        bfloat16: convolutions and dense layers compute in 16 bits.
        compiled: the networks run through torch.compile.
    """

    loader: bool = True
    read: bool = True
    wasteful: bool = True
    penalty_every: int = 1
    fused: bool = False
    channels_last: bool = False
    bfloat16: bool = False
    compiled: bool = False


#: Name -> what changes against the rung before.
RUNGS: dict[str, dict[str, Any]] = {
    "ordinary loop": {},
    "pictures on the device": {"loader": False},
    "losses left there": {"read": False},
    "no wasted gradients": {"wasteful": False},
    "fused Adam": {"fused": True},
    "penalties every 8 steps": {"penalty_every": 8},
    "channels last": {"channels_last": True},
    "bfloat16": {"bfloat16": True},
    "compiled": {"compiled": True},
}


def changes(device: torch.device | str) -> dict[str, dict[str, Any]]:
    """Name -> what changes, of the rungs that a device can climb. Compiled on GPUs alone: on CPUs it costs more than
    it gains; bfloat16 where the hardware is fast at it."""
    left_out = set() if torch.device(device).type == "cuda" else {"compiled"}
    if fast_dtype(device) != torch.bfloat16:
        left_out.add("bfloat16")
    return {name: change for name, change in RUNGS.items() if name not in left_out}


def rungs(device: torch.device | str) -> dict[str, Loop]:
    """Name -> Loop, each with all changes up to its own."""
    loop, ladder = Loop(), {}
    for name, change in changes(device).items():
        ladder[name] = loop = replace(loop, **change)
    return ladder


def without_one(device: torch.device | str) -> dict[str, Loop]:
    """Name -> Loop with all changes but that one; first "all of them"."""
    *_, best = rungs(device).values()
    usual = Loop()
    lacking = {
        name: replace(best, **{key: getattr(usual, key) for key in change})
        for name, change in changes(device).items()
        if change
    }
    return {"all of them": best, **lacking}


class Runner:
    """One rung in training.

    Args:
        loop: how.
        images: `Images`, colour, `size` x `size`.
        size, width: of the networks, `experiments.build_gan` with all improvements.
        batch, seed, device: as everywhere.
    """

    def __init__(
        self, loop: Loop, images: Images, size: int, width: int, batch: int, seed: int, device: torch.device | str,
        penalty: float = 0.1,
    ) -> None:  # fmt: skip
        self.loop, self.batch, self.device, self.penalty = loop, batch, torch.device(device), penalty
        seed_everything(seed)
        model = experiments.build_gan(size, width, **IMPROVED_GAN).to(device)
        if loop.channels_last:
            model = model.to(memory_format=torch.channels_last)
        else:  # the generator asks for channels last by itself
            levels = model.generator.get_submodule("levels")
            levels.register_forward_pre_hook(lambda levels, args: (args[0].contiguous(),))
        self.g, self.d = model.generator, model.discriminator
        self.run_g, self.run_d = (torch.compile(n) if loop.compiled else n for n in (self.g, self.d))
        self.adam_g, self.adam_d = (
            torch.optim.Adam(n.parameters(), 1e-3, (0.0, 0.99), fused=loop.fused) for n in (self.g, self.d)
        )
        self.noise = torch.Generator(self.device).manual_seed(seed)
        self.pixels = images.pixels if loop.loader else images.pixels.to(self.device)
        epochs = _epochs(len(images), batch, seed)
        self.loader = _loaded(images, epochs) if loop.loader else None
        self.order = itertools.chain.from_iterable(epochs)
        self.losses: list[Tensor | tuple[float, ...]] = []
        self.steps = 0

    def batch_of_pictures(self) -> Tensor:
        """The next pictures, (N, C, H, W) in [-1, 1], the same in every rung."""
        if self.loader:
            x = next(self.loader).to(self.device)
        else:
            x = to_floats(self.pixels[torch.tensor(next(self.order), device=self.device)])
        return x.contiguous(memory_format=torch.channels_last) if self.loop.channels_last else x

    def z(self) -> Tensor:
        """The noise of the next batch, (N, z_dim)."""
        return torch.randn(self.batch, cast(int, self.g.z_dim), generator=self.noise, device=self.device)

    def step(self) -> None:
        """One update of D, then one of G: the relativistic loss, R1 and R2."""
        loop, narrow = self.loop, torch.autocast(self.device.type, torch.bfloat16, enabled=self.loop.bfloat16)
        penalised = self.steps % loop.penalty_every == 0
        x_real = self.batch_of_pictures()  # (N, C, H, W)
        with narrow, torch.set_grad_enabled(loop.wasteful):
            x_fake = self.run_g(self.z())
        x_fake = x_fake.detach()
        if penalised:  # in 32 bits, and through the plain network: second derivatives
            x_real, x_fake = x_real.requires_grad_(), x_fake.requires_grad_()
            logits_real, logits_fake = self.d(x_real), self.d(x_fake)
        else:
            with narrow:
                if loop.wasteful:
                    logits_real, logits_fake = self.run_d(x_real), self.run_d(x_fake)
                else:
                    logits_real, logits_fake = self.run_d(torch.cat([x_real, x_fake])).chunk(2)
        loss_d = total = F.softplus(logits_fake - logits_real).mean()
        if penalised:
            for logits, x in ((logits_real, x_real), (logits_fake, x_fake)):
                weight = loop.penalty_every * self.penalty / 2
                total = total + weight * gan.gradient_penalty_at(logits, x).mean()
        self.adam_d.zero_grad()
        total.backward()
        self.adam_d.step()

        self.d.requires_grad_(loop.wasteful)
        x_real = x_real.detach()
        with narrow:
            logits_fake = self.run_d(self.run_g(self.z()))
            with torch.set_grad_enabled(loop.wasteful):
                logits_real = self.run_d(x_real)
        loss_g = F.softplus(logits_real - logits_fake).mean()
        self.adam_g.zero_grad()
        loss_g.backward()
        self.adam_g.step()
        self.d.requires_grad_(True)

        self.steps += 1
        losses = (loss_d.detach(), loss_g.detach())
        self.losses.append(tuple(loss.item() for loss in losses) if loop.read else torch.stack(losses))

    def timed(self, steps: int) -> float:
        """Seconds a step over so many."""
        cost.synchronise(self.device)
        started = time.perf_counter()
        for _ in range(steps):
            self.step()
        cost.synchronise(self.device)
        return (time.perf_counter() - started) / steps

    def history(self) -> Tensor:
        """Losses of D and G at every step so far, (steps, 2), nats."""
        return torch.stack([torch.as_tensor(loss).float().cpu() for loss in self.losses])


def climb(
    images: Images, size: int = 32, width: int = 16, batch: int = 32, seed: int = 0,
    device: torch.device | str = "cpu", rounds: int = 5, steps: int = 10, tell: Callable[[str], object] | None = None,
    loops: dict[str, Loop] | None = None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Run every rung in turn, `rounds` times `steps` steps, after two steps that are not timed.

    Args:
        loops: name -> Loop; None takes `rungs`.
        tell: called with one line after each round, or None.

    Returns:
        dict name -> {"ms": [a step, one a round], "ratio": [how many times as fast as the first, one a round],
        "losses": tensor (steps, 2)}.
    """
    loops = loops or rungs(device)
    runners = {name: Runner(loop, images, size, width, batch, seed, device) for name, loop in loops.items()}
    times: dict[str, list[float]] = {name: [] for name in runners}
    for runner in runners.values():
        runner.timed(2)
    for i in range(rounds):
        for name, runner in runners.items():
            times[name].append(1000 * runner.timed(steps))
        if tell:
            tell(f"round {i + 1} of {rounds}: " + ", ".join(f"{name} {t[-1]:.1f} ms" for name, t in times.items()))
    first = next(iter(times.values()))
    return {
        name: {
            "ms": times[name],
            "ratio": [a / b for a, b in zip(first, times[name], strict=True)],
            "losses": runner.history(),
        }
        for name, runner in runners.items()
    }


def record(
    size: int = 32, width: int = 16, batch: int = 32, seeds: int = 3, steps: int = 40,
    device: torch.device | str | None = None, tell: Callable[[str], object] = print,
) -> Results:  # fmt: skip
    """`climb` with several seeds, as plain numbers: name -> list of {"ms", "ratio", "loss_d", "loss_g"}, one a seed.

    Times are medians over rounds; losses are means over the last third of the steps, nats.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    images = experiments.pictures(size, n=2000)
    results: Results = {}
    for seed in range(seeds):
        for name, found in climb(images, size, width, batch, seed, device, steps=steps, tell=tell).items():
            last = found["losses"][-len(found["losses"]) // 3 :].mean(0).tolist()
            score = {"ms": statistics.median(found["ms"]), "ratio": statistics.median(found["ratio"])}
            results.setdefault(name, []).append(score | {"loss_d": last[0], "loss_g": last[1]})
    return results


class _Pictures(torch.utils.data.Dataset):
    """What a tutorial's data set does: a picture object, turned into numbers one by one."""

    def __init__(self, images: Images) -> None:
        from torchvision import transforms

        self.pixels = images.pixels.permute(0, 2, 3, 1).numpy()  # (N, H, W, C)
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index]))


def _epochs(n: int, batch: int, seed: int) -> Iterator[list[list[int]]]:
    """Epochs without end, each a list of batches of indices, each from a new permutation; what is left over is dropped.

    Raises:
        ValueError: fewer pictures than a batch.
    """
    if n < batch:
        raise ValueError(f"a batch of {batch} from {n} pictures")
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(n, generator=generator)
        yield [indices.tolist() for indices in order.split(batch) if len(indices) == batch]


def _loaded(images: Images, epochs: Iterator[list[list[int]]]) -> Iterator[Tensor]:
    pictures = _Pictures(images)
    for batches in epochs:
        yield from torch.utils.data.DataLoader(pictures, batch_sampler=batches)
