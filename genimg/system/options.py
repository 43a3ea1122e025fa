"""What the commands of the command line share: how they look, and options held to their rules."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from genimg.system.device import not_taken
from genimg.system.errors import RunError


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Says the default where there is one to say."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, [], ()) else super()._get_help_string(action)


def command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str,
    run: Callable[[argparse.Namespace], int], **options: Any,
) -> argparse.ArgumentParser:  # fmt: skip
    """A command's parser; `run` takes the options, the parser itself as `own` among them, and gives the exit code."""
    p = commands.add_parser(name, help=text, description=text, formatter_class=Help, allow_abbrev=False, **options)
    p.set_defaults(run=run, own=p)
    return p


def path(text: str) -> Path:
    """A path as an option gives it."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def at_least_one(options: argparse.Namespace, *names: str) -> None:
    """Hold options to whole numbers from 1 to 100,000.

    Raises:
        RunError: one of them is not.
    """
    for name in names:
        if not 1 <= getattr(options, name) <= 100_000:
            raise RunError(f"--{name.replace('_', '-')} {getattr(options, name)}: it has to be from 1 to 100,000")


def memory(options: argparse.Namespace) -> int | None:
    """--memory in bytes, None where it was not given."""
    return None if options.memory is None else int(options.memory * 1e9)


def device(options: argparse.Namespace) -> torch.device | None:
    """The device that is asked for, None if none is; threads and other options of the machine are held to their rules.

    Raises:
        RunError: no such device, or an option out of range.
    """
    for name in ("threads", "save_every", "workers"):
        value = getattr(options, name, None)
        least = 0 if name == "workers" else 1
        if value is not None and not least <= value <= 10**9:
            raise RunError(f"--{name.replace('_', '-')} {value}: it has to be a whole number of at least {least}")
    limit = getattr(options, "memory", None)
    if limit is not None and not 0 <= limit < 1e9:
        raise RunError(f"--memory {limit:g}: it has to be at least 0, in GB")
    if options.command != "train" and not 0 <= getattr(options, "seed", 0) <= 2**31:
        raise RunError(f"--seed {options.seed}: it has to be a whole number from 0 to 2,147,483,648")
    if getattr(options, "threads", None):
        torch.set_num_threads(min(options.threads, 1024))
    if options.device is None:
        if line := not_taken():
            print(line, file=sys.stderr)
        return None
    try:
        asked = torch.device(options.device)
        torch.zeros(1, device=asked).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise RunError(f"--device {options.device} is not to be had here ({str(error).splitlines()[0]})") from None
    return asked
