"""Right and plausible wrong answers to the exercises of the chapter on concepts."""

ANSWERS = {
    "1.1": ((0.7, 0.6109), [(0.3, 0.6109), (0.7, 0.8813), (0.5, 0.6931)]),
}
