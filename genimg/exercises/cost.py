"""Exercises of the chapter cost."""
