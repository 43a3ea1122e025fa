"""What goes wrong for reasons outside the code: one line that names the thing and the way out."""

import os


class DataError(ValueError):
    """A source of pictures cannot be read; the message names it and the way out."""


class RunError(ValueError):
    """A run cannot be started, continued or read; the message names what and the way out."""


def reason(error: BaseException, file: str | os.PathLike[str]) -> str:
    """What an error says, short and on one line."""
    text = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
    for name in (repr(str(file)), str(file)):
        text = text.replace(name, "it") if str(file) else text
    return shown(" ".join(text.split()), 160)


def shown(name: str | os.PathLike[str], most: int = 4096) -> str:
    """A path or text on one line."""
    name = str(name)
    name = name if name.isprintable() else repr(name)
    return name if len(name) <= most else name[:most] + "..."
