"""Exercises of the chapter index."""
