"""What usually helps, in options of the command line: elsewhere cures name arguments of Python functions."""

import dataclasses

from genimg.training.diagnostics import Diagnosis

#: Name of a diagnosis -> its cure where its own names what the command line has not.
CURES = {
    "mode collapse": "A larger --r1, or --diff-augment colour translation",
    "discriminator has won": "Another --loss than minimax, a larger --r1, or --diff-augment colour translation",
    "the players chase each other": "A smaller --lr, or a larger --r1",
    "gradient penalty too large": "--r1 from 0.1 to 10, the smaller first",
    "discriminator too weak": "A larger --width, or a smaller --r1",
    "reconstruction averaged over pixels": "--sigma optimal",
    "posterior collapse": "A lower --beta, or --sigma optimal",
    "sigma ignored": "--sigma optimal: what the error does not need, the KL has been taking from the code",
    "prior mismatch": "--beta 1",
    "codes far beyond the prior": "A smaller --lr: a tenth first",
    "memorisation": "More pictures, --mirror, of a GAN --diff-augment colour translation; or fewer --steps",
    "batch statistics leak": "--norm group",
    "checkerboard": "--networks book",
    "augmentation leak": "Leave out --mirror; what --diff-augment does is shown to D on both sides and does not leak",
    "samples not looked at": "The run is whole all the same",
}

#: Command -> what takes less memory.
LESS_MEMORY = {
    "train": "try a smaller --batch, --width or --size",
    "sample": "try a smaller --n, --each, which draws a few at a time, or --device cpu",
    "evaluate": "try a smaller --n, or --device cpu",
    "page": "try --onnx, which writes the model alone",
    "record": "try a smaller --size, --width or --batch",
    "claims": "try --at-once 1",
}


def on_command_line(diagnosis: Diagnosis) -> Diagnosis:
    """A diagnosis whose cure can be typed."""
    return dataclasses.replace(diagnosis, cure=CURES.get(diagnosis.name, diagnosis.cure))
