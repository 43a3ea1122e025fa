"""Exercises of the chapter gan."""
