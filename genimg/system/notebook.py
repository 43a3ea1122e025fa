"""What text and data look like in a notebook, on a page of the site and on a terminal."""

import re
import sys
import textwrap

#: Characters that a page of the site shows in a line.
WIDTH = 96


def as_typed(line: str) -> str:
    """A command line, with a prompt, broken before its options as a shell takes it where a page would cut it off."""
    kept = re.sub(" (?!--)", "\N{NO-BREAK SPACE}", line)  # an option stays beside its value
    lines = textwrap.wrap(kept, WIDTH - 6, break_long_words=False, break_on_hyphens=False)
    return "$ " + " \\\n    ".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def folded(text: str) -> str:
    """What a program says, its long lines broken where a page would cut them off."""
    lines = text.split("\n")
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False) for line in lines)


def put_out(text: str, media_type: str, told: object) -> None:
    """Print text; in a notebook as an output that carries the same as data, for the site to gather."""
    if in_notebook():
        from IPython.display import display

        display({"text/plain": text, media_type: told}, raw=True)
    else:
        print(text)


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return bool(shell) and hasattr(shell, "kernel")
