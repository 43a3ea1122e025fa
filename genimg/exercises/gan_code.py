"""Exercises of the chapter gan-code."""
