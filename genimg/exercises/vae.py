"""Exercises of the chapter vae."""
