"""What goes wrong for reasons outside the code: one line that names the thing and the way out."""


class DataError(ValueError):
    """A source of pictures cannot be read; the message names it and the way out."""


class RunError(ValueError):
    """A run cannot be started, continued or read; the message names what and the way out."""
