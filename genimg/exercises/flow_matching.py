"""Exercises of the chapter flow-matching."""
