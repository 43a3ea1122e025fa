"""Exercises of the chapter of questions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from genimg.book.exercises import Number, close, exercise, number_of, same, word


@exercise(
    "10.1", '"larger", "the same" or "smaller": the seam with reflection; then both seams, reflected and circular'
)
def reflected_seam(than: str, reflected: Number, circular: Number) -> str | None:
    than = word(than, "larger", "the same", "smaller")
    reflected, circular = number_of(reflected), number_of(circular)
    if min(reflected, circular) <= 0:
        return "a seam is a ratio of two steps between rows, above 0"
    if close(reflected, circular, relative=0.01):
        return "the two seams are the same: were both textures made with the same padding"
    if reflected < circular:
        return "the seams are in the other order, or were measured on other pictures than the ones that were made"
    if than != "larger":
        return f"you measured {reflected:.2f} and {circular:.2f}, which is not what you said"
    if circular > 1.5:
        return f"a seam of {circular:.2f} with circular padding: are the filters told to see the picture as a tile"
    return None


@exercise(
    "10.2", "a function (logits_real, logits_fake) -> slopes of D's loss at both, and of the generator's at the fake"
)
def hinge_slopes(slopes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]) -> str | None:
    l_real = torch.tensor([2.0, 3.0, 0.5, -1.5, 0.9])
    l_fake = torch.tensor([-2.0, -5.0, 0.5, 1.5, -0.9])
    at_real, at_fake, of_g = (torch.as_tensor(s).float() for s in slopes(l_real.clone(), l_fake.clone()))
    right = -(l_real < 1).float(), (l_fake > -1).float(), -torch.ones(5)
    if same(at_real, -(l_real < 0).float()) or same(at_fake, (l_fake > 0).float()):
        return "the hinge of D lies at 1 and -1, not at 0"
    if same(at_real, -right[0]) or same(at_fake, -right[1]):
        return "D lowers its loss: it wants larger logits for real pictures and smaller ones for generated ones"
    if not same(at_real, right[0]):
        return "D's slope at real pictures is wrong: a picture counts until its logit has reached 1"
    if not same(at_fake, right[1]):
        return "D's slope at generated pictures is wrong: a picture counts until its logit has come down to -1"
    if same(of_g, -right[2]):
        return "D's slopes are right; that generator would lower its own logits"
    if same(of_g, torch.zeros(5)) or same(of_g, -right[1]) or same(of_g, -(l_fake < 1).float()):
        return "D's slopes are right; the generator's loss has no hinge"
    if not same(of_g, right[2]):
        return "D's slopes are right; the generator's loss is minus the logit"
    return None


@exercise("10.3", "a function (kernel, stride) -> whether all pixels get as many terms")
def even_writes(even: Callable[[int, int], bool]) -> str | None:
    for stride in (2, 3, 4):
        for kernel in range(stride, 10):
            taps = torch.ones(1, 1, kernel, kernel)
            count = F.conv_transpose2d(torch.ones(1, 1, 12, 12), taps, stride=stride)[0, 0]
            inside = count[kernel:-kernel, kernel:-kernel]
            right = inside.min().item() == inside.max().item()
            if bool(even(kernel, stride)) != right:
                terms = sorted({int(c) for c in inside.flatten()})
                return f"kernel {kernel}, stride {stride}: the pixels inside get {', '.join(map(str, terms))} terms"
    return None


@exercise("10.4", '"four times", "twice" or "the same", and a function (x, y, n) -> mean FD of n rows of each')
def equal_footing(guess: str, at_equal: Callable[[Tensor, Tensor, int], Number]) -> str | None:
    from genimg.measure.metrics import frechet_distance

    generator = torch.Generator().manual_seed(0)
    x, y = 3 * torch.randn(600, 8, generator=generator), 3 * torch.randn(500, 8, generator=generator)
    y = y[y.norm(dim=1).argsort()]  # whoever takes the first rows does not draw them

    def subsets(a: Tensor, b: Tensor, n: int, draws: int = 40) -> float:
        pairs = [
            (a[torch.randperm(len(a), generator=generator)[:n]], b[torch.randperm(len(b), generator=generator)[:n]])
            for _ in range(draws)
        ]
        return sum(frechet_distance(*pair) for pair in pairs) / draws

    right, whole = subsets(x, y, 60), frechet_distance(x, y)
    answer = number_of(at_equal(x.clone(), y.clone(), 60))
    if close(answer, frechet_distance(x[:60], y[:60]), relative=1e-3):
        return "it takes the first rows; draw them at random, because files have an order"
    if close(answer, whole, relative=0.02):
        return "it compares all rows; the number to compare at is its third argument"
    if not close(answer, right, relative=0.35):
        return f"on two sets of the check's own it finds {answer:.2f} where subsets of 60 have {right:.2f} on average"
    if word(guess, "four times", "twice", "the same") != "four times":
        return "the function is right; the table of n times FD says what becomes of it with a quarter of the pictures"
    return None
