"""Right and plausible wrong answers to the exercises of the chapter on cost."""

FIXED, EACH = 4e6, 98_000
BATCH = (16e9 - 2 * FIXED) / (2 * EACH)

ANSWERS = {
    "8.1": ((0.059, 0.88), [(5.9, 88), (0.88, 0.059), (0.941, 0.12), (0.5, 0.88), (0.059, 0.059)]),
    "8.2": (
        ("resolution", "resolution", 0.21, 0.254),
        [
            ("width", "resolution", 0.21, 0.254),
            ("resolution", "width", 0.21, 0.254),
            ("resolution", "resolution", 0.5, 0.254),
            ("resolution", "resolution", 0.21, 0.1),
        ],
    ),
    "8.3": ((6.0, 150.0), [(150.0, 6.0), (6 / 32, 150.0), (96.0, 150.0), (6.0, 32.0), (2.0, 150.0)]),
    "8.4": (
        (BATCH, FIXED, EACH),
        [(2 * BATCH, FIXED, EACH), (8 * BATCH, FIXED, EACH), (BATCH / 8, FIXED, EACH), (BATCH / 3, FIXED, EACH)],
    ),
}
