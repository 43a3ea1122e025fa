"""Exercises of the chapter of questions and answers."""

import torch
import torch.nn.functional as F

from genimg.exercises import close, exercise, number_of, word


@exercise("10.1", '"larger", "smaller" or "the same", then the seam with reflected and with circular padding')
def seam(change, reflected, circular):
    change = word(change, "larger", "smaller", "the same")
    reflected, circular = number_of(reflected), number_of(circular)
    if reflected <= circular:
        return (
            f"reflected {reflected:.2f}, circular {circular:.2f}: swapped, or was the padding left circular? "
            "Nothing asks the last row to fit the first if the filters see a mirror there"
        )
    if change != "larger":
        return f"{reflected:.2f} against {circular:.2f}: that is not {change!r}"


@exercise(
    "10.2", "three slopes: of D's loss by a real and by a fake logit, beyond the margin, and of G's by a fake logit"
)
def hinge(of_real, of_fake, of_g):
    slopes = [_slope(value) for value in (of_real, of_fake, of_g)]
    if None in slopes:
        return "in one of these the slope is not the same for all logits: some of them are within the margin"
    of_real, of_fake, of_g = slopes
    if of_real == of_fake == of_g == 0:
        return "D's slopes are right; the generator's loss is minus the logit, and has no margin"
    if (of_real, of_fake) == (-1, 1):
        return "those are D's slopes within the margin, where its loss is not 0"
    if of_real or of_fake:
        return "where D's loss is 0 for all logits nearby, what is its slope"
    if of_g == 1:
        return "D's slopes are right; the generator's has the wrong sign: it wants larger logits, so its loss falls"
    if not close(of_g, -1, absolute=1e-6):
        return "D's slopes are right; the generator's loss is minus the logit"


def _slope(value):
    values = torch.as_tensor(value, dtype=torch.float64).flatten()
    return values[0].item() if (values == values[0]).all() else None


@exercise("10.3", "a function (kernel, stride) -> True where all pixels get as many terms")
def even_terms(function):
    for stride in (2, 3, 4):
        for kernel in range(stride, 10):
            ones = torch.ones(1, 1, 12)
            terms = F.conv_transpose1d(ones, torch.ones(1, 1, kernel), stride=stride)[0, 0, kernel:-kernel]
            right, answer = bool((terms == terms[0]).all()), bool(function(kernel, stride))
            if answer != right:
                got = ", ".join(f"{int(n)}" for n in terms[:stride])
                return f"with a kernel of {kernel} and a stride of {stride}, neighbouring pixels get {got} terms"


@exercise("10.4", 'both distances with the constant taken off, and whose model is better: "theirs" or "mine"')
def corrected(theirs, mine, better):
    theirs, mine, better = number_of(theirs), number_of(mine), word(better, "theirs", "mine")
    constants = 400 * (3.4 - theirs), 1600 * (1.8 - mine)
    if constants[0] < 0 or constants[1] < 0:
        return "the bias is upwards: without it a distance is smaller than measured"
    if min(constants) == 0:
        return "both distances are too large, by the constant over n: take it off both"
    if not close(constants[1], constants[0], relative=1e-3):
        if close(3.4 - theirs, 1.8 - mine, relative=1e-3):
            return "the same was taken off both; the constant is divided by n, and n differs"
        return (
            f"the constant came out as {constants[0]:.0f} for 400 and as {constants[1]:.0f} for 1600: it is one number"
        )
    if better != ("theirs" if theirs < mine else "mine"):
        return f"{theirs:.2f} and {mine:.2f}: the smaller distance is the better"
