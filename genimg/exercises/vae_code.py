"""Exercises of the chapter vae-code."""
