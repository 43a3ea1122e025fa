"""Right and plausible wrong answers to the exercises of the chapter of questions."""

import torch


def _hinge(margin=1.0, of_d=1.0, of_g=-1.0, hinged=False):
    def slopes(l_real, l_fake):
        at_real, at_fake = -of_d * (l_real < margin).float(), of_d * (l_fake > -margin).float()
        return at_real, at_fake, of_g * (at_fake if hinged else torch.ones_like(l_fake))

    return slopes


C = 860
ANSWERS = {
    "10.1": (
        ("larger", 1.9, 1.0),
        [("the same", 1.9, 1.0), ("larger", 1.0, 1.9), ("larger", 1.0, 1.0), ("smaller", 1.9, 1.0)],
    ),
    "10.2": ((_hinge(),), [(_hinge(margin=0.0),), (_hinge(of_d=-1.0),), (_hinge(of_g=1.0),), (_hinge(hinged=True),)]),
    "10.3": (
        (lambda k, s: k % s == 0,),
        [(lambda k, s: k % 2 == 0,), (lambda k, s: k % 2 == 1,), (lambda k, s: k >= s,), (lambda k, s: k % s == 1,)],
    ),
    "10.4": (
        ("theirs", 2.8 - C / 400, 1.8 - C / 1600),
        [
            ("mine", 2.8 - C / 400, 1.8 - C / 1600), ("mine", 2.8, 1.8), ("mine", 2.8 + C / 400, 1.8 + C / 1600),
            ("theirs", 2.8 - C / 1600, 1.8 - C / 400), ("mine", 2.8 - 20 / 20, 1.8 - 20 / 40),
        ],
    ),
}  # fmt: skip
