"""Exercises of the chapter interpretability."""
