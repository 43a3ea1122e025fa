"""Exercises of the chapter on GANs."""

import torch

from genimg.exercises import exercise, number_of, same, word


@exercise("2.1", '"yes" or "no": does Adam rescue it; the shift after 400 steps, exact and with random samples')
def adam_rescues(rescued, exact, sampled):
    rescued, exact, sampled = word(rescued, "yes", "no"), abs(number_of(exact)), abs(number_of(sampled))
    if exact > 4:
        return f"a shift of {exact:.1f} is where it began: was it plain gradient descent again"
    if sampled > 4:
        return f"with random samples the shift is still {sampled:.1f}: is the loss a mean over fresh z at each step"
    if max(exact, sampled) > 1.5:
        return f"shifts of {exact:.1f} and {sampled:.1f} are on the way: 400 steps at a rate of 0.1 go farther"
    if rescued == "no":
        return f"the shifts are {exact:.2f} and {sampled:.2f}, and 8 at the start"


@exercise("2.2", "the largest gradient that the generator gets from D's loss alone, and from both losses together")
def no_detach(from_d, together):
    from_d, together = abs(number_of(from_d)), abs(number_of(together))
    if from_d < 1e-4:
        return "without detach, D's loss does reach the generator: was D(G(z)) computed with G's gradients on"
    if together > 0.5 * from_d:
        return "together they are no smaller: the same z in both losses, the minimax loss, no zero_grad in between"
    if together > 1e-3 * from_d:
        return f"{together:.2g} is small, and not nothing: is the generator's loss the same term with the other sign"


@exercise(
    "2.3", 'a function (w, b, x) -> R1 per sample (n,), without gamma / 2, and "yes" or "no": does a shift change it'
)
def r1_of_linear(r1, shift_changes):
    shift_changes = word(shift_changes, "yes", "no")
    generator = torch.Generator().manual_seed(0)
    w, b, x = (torch.randn(shape, generator=generator) for shape in ((7,), (), (4, 7)))
    answer = torch.as_tensor(r1(w.clone(), b.clone(), x.clone())).detach().float()
    right = w.square().sum()
    if answer.dim() == 0 and torch.isclose(answer, 4 * right, atol=1e-3):
        return "that is the sum over the four samples; it is asked for per sample"
    if answer.dim() == 0 and torch.isclose(answer, right, atol=1e-3):
        return "the number is right; there is one for each sample"
    for wrong, says in (
        (right.sqrt(), "that is the length of the gradient; R1 squares it"),
        (right / 2, "the factor of one half belongs to the weight gamma, not to the penalty"),
        (right / 7, "that is a mean over the entries of the gradient; R1 is their sum of squares"),
        (right + b.square(), "the gradient is by x, and not by b"),
    ):
        if same(answer, wrong.expand(4), 1e-3):
            return says
    if not same(answer, right.expand(4), 1e-3):
        return f"for the first sample it gives {answer.flatten()[0]:.3f}, and the squared gradient by x is {right:.3f}"
    if shift_changes == "yes":
        return "the function is right: does it depend on b"


@exercise(
    "2.4", 'D\'s probability as a function of x (n,), and "towards" or "away": where a generator that raises it goes'
)
def swapped_labels(probability, goes):
    goes = word(goes, "towards", "away")
    x = torch.linspace(-1, 3, 81)
    with torch.no_grad():
        d = torch.as_tensor(probability(x.clone())).flatten().float().cpu()
    if d.shape != x.shape:
        return f"81 numbers have to give 81 probabilities, not {tuple(d.shape)}"
    if d.min() < 0 or d.max() > 1:
        return "these are logits: put a sigmoid after them"
    right = torch.sigmoid(2 * x - 2)  # q / (p + q) for p = N(0, 1) and q = N(2, 1)
    if (d - (1 - right)).abs().max() < 0.15:
        return "this is p / (p + q), the probability of real: the labels were not swapped"
    if (d - right).abs().max() > 0.15:
        return f"in places it is off q / (p + q) by {(d - right).abs().max():.2f}: train longer, on N(0, 1) and N(2, 1)"
    if goes == "towards":
        return "this D is large where samples are and data are not: what raises it"
