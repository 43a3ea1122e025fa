"""Exercises of the chapter quality."""
