"""python -m genimg train | sample | evaluate: a generator for a folder of pictures, from the command line.

Errors that have a way out are one line on stderr and exit code 2; Ctrl-C saves and ends with 130.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import torch

from genimg.book import commands as of_book
from genimg.runs import commands as of_runs
from genimg.runs.run import Stopped
from genimg.system.errors import DataError, RunError
from genimg.training.loop import Diverged

EXAMPLES = """
examples:
  python -m genimg train gan --data ~/pictures --size 64 --out runs/a     train on a folder; Ctrl-C saves
  python -m genimg train gan --data ~/pictures --size 64 --out runs/a     the same again goes on from there
  python -m genimg sample runs/a --n 64 --seed 1 --out grid.png           64 new pictures
  python -m genimg evaluate runs/a                                        what can be measured of it
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"genimg: {' '.join(message.split())} ({self.prog} --help tells more)\n")
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """The command line's parser: its defaults and its help are the reference."""
    p: argparse.ArgumentParser = _Parser(
        prog="python -m genimg",
        description="Train a generator on pictures, sample from it, measure it. A part of the book Images from Noise.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = p.add_subparsers(dest="command", required=True, metavar="command")
    of_runs.add_train(commands)
    of_runs.add_sample(commands)
    of_runs.add_evaluate(commands)
    of_book.add_record(commands)
    of_book.add_claims(commands)
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    options = parser().parse_args(arguments)

    def tell(error: BaseException | str, way_out: str = "") -> int:
        rank = f" (process {os.environ['RANK']})" if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ""
        print(f"genimg{rank}: {' '.join(str(error).split())}{way_out}", file=sys.stderr)
        return 2

    try:
        return options.run(options)
    except (DataError, RunError, Diverged) as error:
        return tell(error)
    except Stopped as stopped:
        print(f"genimg: {stopped}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("genimg: stopped without saving; the last checkpoint is as it was", file=sys.stderr)
        return 130
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        return tell(str(error).split(". ")[0] or "out of memory", "; try a smaller --batch, --width or --size")
    except ImportError as error:
        return tell(error)
    except OSError as error:  # a path that cannot even be looked for
        return tell(f"{error.filename or ''}: {error.strerror or error}", "; choose another path")
    except RuntimeError as error:
        if "DataLoader worker" in str(error):  # torch raises it wherever the program happens to be
            way_out = "; the last checkpoint is whole, and the same command goes on from it (fewer --workers take less)"
            return tell("a process that reads pictures ahead was killed, as when memory runs out", way_out)
        if "DefaultCPUAllocator" in str(error):
            return tell("not enough memory", "; try a smaller --batch, --width or --size")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # gloo and nccl tell of a lost peer in errors of many kinds
            return tell(
                str(error)[:200], f"; another process may have died. The last checkpoint in {options.out} is whole"
            )
        raise


if __name__ == "__main__":
    sys.exit(main())
