"""Right and plausible wrong answers to the exercises of the chapter on VAEs."""

import math

DENSITY = {1: -22.0, 5: -19.5, 20: -18.6, 80: -19.0}

ANSWERS = {
    "3.1": (
        (0.5, 1.5 - math.log(2)),
        [
            (0.5 / math.log(2), (1.5 - math.log(2)) / math.log(2)),
            (1.0, 3 - math.log(4)),
            (0.5, 7.5 - math.log(4)),
            (0.5, 1.5 + math.log(2)),
            (0.0, 0.8069),
            (0.5, 1.5),
        ],
    ),
    "3.2": ((131.5, 19.9, "no"), [(131.5, 19.9, "yes"), (19.9, 131.5, "no"), (17_300, 396, "no"), (131.5, 60.0, "no")]),
    "3.3": (
        ("worse", (0.20, 0.25), (0.1, 0.5)),
        [
            ("better", (0.20, 0.25), (0.1, 0.5)),
            ("worse", (0.25, 0.20), (0.5, 0.1)),
            ("worse", (0.20, 0.25), (0.5, 0.4)),
            ("worse", (0.20, 0.25), (10, 50)),
            ("worse", (0.60, 0.25), (0.1, 0.5)),
        ],
    ),
    "3.4": (
        (DENSITY, -25.0, 20),
        [
            (DENSITY, -25.0, 80),
            (DENSITY, -25.0, 1),
            ({n: -value for n, value in DENSITY.items()}, 10.0, 1),
            (DENSITY, -10.0, 20),
            ({20: -18.6}, -25.0, 20),
        ],
    ),
}
