"""The Chinese edition: notebooks, words and figures, from what stands in `book/zh` and the one execution."""

from pathlib import Path

#: Where the translations are, in a checkout.
FOLDER = Path(__file__).parents[3] / "book" / "zh"
