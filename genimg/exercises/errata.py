"""Exercises of the chapter errata."""
