"""python -m genimg train | sample | evaluate | page: a generator for a folder of pictures, from the command line.

Errors that have a way out are one line on stderr and exit code 2; Ctrl-C saves and ends with 130.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from genimg.system import signals

EXAMPLES = """
examples:
  python -m genimg train gan --data ~/pictures --size 64 --out runs/a     train on a folder; Ctrl-C saves
  python -m genimg train gan --data ~/pictures --size 64 --out runs/a     the same again goes on from there
  python -m genimg train --data ~/pictures --out runs/b                   the family that won the race on record
  python -m genimg sample runs/a --n 64 --seed 1 --out grid.png           64 new pictures
  python -m genimg evaluate runs/a                                        what can be measured of it
  python -m genimg page runs/a --out page.html                            its model live, in one file to show
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"genimg: {' '.join(message.split())} ({self.prog} --help tells more)\n")
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """The command line's parser: its defaults and its help are the reference."""
    from genimg.book import commands as of_book
    from genimg.runs import page, sampling
    from genimg.runs import parsers as of_runs

    p: argparse.ArgumentParser = _Parser(
        prog="python -m genimg",
        description="Train a generator on pictures, sample from it, measure it. A part of the book Images from Noise.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = p.add_subparsers(dest="command", required=True, metavar="command")
    of_runs.add_train(commands)
    sampling.add_sample(commands)
    of_runs.add_evaluate(commands)
    page.add_page(commands)
    of_book.add_record(commands)
    of_book.add_claims(commands)
    of_book.add_zh(commands)
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    with signals.leaving("genimg: stopped before anything was begun"):  # importing torch takes seconds
        import torch

        from genimg.runs import advice, kept
        from genimg.runs.parsers import unknown, why_default, with_family
        from genimg.runs.run import Stopped
        from genimg.system.errors import DataError, RunError
        from genimg.training.loop import Diverged

        p = parser()
        given = list(sys.argv[1:] if arguments is None else arguments)
        options, left = p.parse_known_args(whole := with_family(given))
        if left:
            options.own.error(unknown(left, options))
        if whole != given and os.environ.get("RANK", "0") == "0":
            print(why_default())

    def tell(error: BaseException | str, way_out: str = "") -> int:
        rank = f" (process {os.environ['RANK']})" if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ""
        print(f"genimg{rank}: {' '.join(str(error).split())}{way_out}", file=sys.stderr)
        return 2

    def of_memory(error: BaseException, text: str) -> int:
        return tell(str(error).split(". ")[0] or text, f"; {advice.LESS_MEMORY[options.command]}")

    try:
        return options.run(options)
    except (DataError, RunError, Diverged) as error:
        return tell(error)
    except Stopped as stopped:
        print(f"genimg: {stopped}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        begun = options.command == "train" and kept.has_checkpoint(options.out)
        print(f"genimg: stopped{'; the last checkpoint is as it was' if begun else ''}", file=sys.stderr)
        return 130
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        return of_memory(error, "out of memory")
    except ImportError as error:
        return tell(error)
    except OSError as error:  # a path that cannot even be looked for
        return tell(f"{error.filename or ''}: {error.strerror or error}", "; choose another path")
    except RuntimeError as error:
        if "DataLoader worker" in str(error):  # torch raises it wherever the program happens to be
            begun = options.command == "train" and kept.has_checkpoint(options.out)
            way_out = "; the last checkpoint is whole, and the same command goes on from it" if begun else ""
            text = "a process that reads pictures ahead was killed, as when memory runs out; fewer --workers take less"
            return tell(text, way_out)
        if "DefaultCPUAllocator" in str(error):
            return of_memory(MemoryError(), "not enough memory")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # gloo and nccl tell of a lost peer in errors of many kinds
            return tell(
                str(error)[:200], f"; another process may have died. The last checkpoint in {options.out} is whole"
            )
        raise


def speak_utf8() -> None:
    """Print UTF-8 whatever the terminal, a pipe or a file is said to take, and never fail for a character."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    speak_utf8()
    sys.exit(main())
