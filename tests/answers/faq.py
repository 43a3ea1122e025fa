"""Right and plausible wrong answers to the exercises of the chapter of questions and answers."""

import torch

ANSWERS = {
    "10.1": (("larger", 1.6, 1.1), [("smaller", 1.6, 1.1), ("larger", 1.1, 1.6), ("the same", 1.1, 1.1)]),
    "10.2": (
        (torch.zeros(2), torch.zeros(2), -torch.ones(2)),
        [(0.0, 0.0, 0.0), (-1.0, 1.0, -1.0), (0.0, 0.0, 1.0), (torch.tensor([0.0, -1.0]), 0.0, -1.0), (0, 0, -2)],
    ),
    "10.3": (
        (lambda kernel, stride: kernel % stride == 0,),
        [
            (lambda kernel, stride: kernel % 2 == 0,),
            (lambda kernel, stride: kernel > stride,),
            (lambda kernel, stride: kernel == stride,),
            (lambda kernel, stride: kernel % 2 == 1,),
        ],
    ),
    "10.4": (
        (3.4 - 1000 / 400, 1.8 - 1000 / 1600, "theirs"),
        [
            (3.4, 1.8, "mine"),
            (3.4 - 1000 / 400, 1.8, "theirs"),
            (3.4 - 2.5, 1.8 - 2.5, "mine"),
            (3.4 + 2.5, 1.8 + 0.625, "mine"),
            (0.9, 1.175, "mine"),
            (3.4 - 1000 / 400, 1.8 - 1000 / 800, "mine"),
        ],
    ),
}
