"""Chapters run over seeds and number formats, and what their claims gave added to the record that `trials` reads."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from genimg.book import claims
from genimg.book.trials import NAME, calls_of, code_hash, load, read, stamp_of, told_by, trial_in_words, trials_of
from genimg.system import files
from genimg.system.errors import RunError


def run(
    chapters: Sequence[str] = (), seeds: Sequence[int] = range(5), precisions: Sequence[str] = ("float32",),
    at_once: int = 2, folder: str | os.PathLike[str] = Path("book") / "records", tell: Callable[[str], object] = print,
) -> list[str]:  # fmt: skip
    """Execute chapters over seeds and number formats, and add to the record what their claims gave.

    A run that is on record already is not made again, so that a call that was killed goes on where it stopped.

    Args:
        chapters: names as `book` has them; none are all.
        at_once: how many run side by side, with one thread each.
        folder: of the record.

    Returns:
        what was broken or raised, a line each.

    Raises:
        RunError: not in a checkout of the book, nbclient is missing, or there is no such chapter.
    """
    executed = _executed()
    book = executed.ROOT / "book"
    there = {path.stem: path for path in sorted(book.glob("*.ipynb")) if calls_of(load(path))}
    if unknown := sorted(set(chapters) - set(there)):
        raise RunError(f"no chapter with claims is called {', '.join(unknown)}; there are {', '.join(there)}")
    names = sorted(chapters or there, key=lambda name: -executed.minutes(there[name]))
    on_record = read(folder)
    results = _still_true(on_record, there)
    for name in sorted(set(on_record) - set(results)):
        tell(f"{name}: its code has changed, {len(on_record[name]['runs'])} runs dropped")

    def missing(name: str, seed: int, precision: str) -> bool:
        runs = results.get(name, {"runs": ()})["runs"]
        return not any((run["seed"], run["precision"]) == (seed, precision) for run in runs)

    jobs = [(n, s, p) for p in precisions for n in names for s in seeds if missing(n, s, p)]
    bad = asyncio.run(_run_all(executed, there, jobs, results, at_once, folder, tell))
    for name in names:
        for trial in trials_of(load(there[name]), results.get(name)):
            tell(f"{name}: {trial_in_words(trial)}")
    return bad


@contextmanager
def _alone_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Waits until no other call writes the record there; where the system has no locks, as on Windows, goes on."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _still_true(results: dict[str, dict[str, Any]], there: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """The entries of a record whose chapters are there and compute what they did."""
    return {n: kept for n, kept in results.items() if n in there and kept["code"] == code_hash(load(there[n]))}


async def _run_all(
    executed: ModuleType, there: dict[str, Path], jobs: list[tuple[str, int, str]], results: dict[str, dict[str, Any]],
    at_once: int, folder: str | os.PathLike[str], tell: Callable[[str], object],
) -> list[str]:  # fmt: skip
    slots = asyncio.Semaphore(at_once)
    bad: list[str] = []

    async def one(name: str, seed: int, precision: str) -> None:
        async with slots:
            code = code_hash(load(there[name]))
            environment = {"GENIMG_SEED": str(seed), "GENIMG_PRECISION": precision, "GENIMG_SCALE": "cpu"}
            environment |= {"GENIMG_ZH": "0"}  # nobody sees these figures
            notebook, problem = await executed.run(there[name], os.environ | environment)
        which = f"{name}, seed {seed}, {precision}"
        told = told_by(notebook)
        bad.extend(f"{which}: {claims.in_words(claim)}" for claim in told if not claim["held"])
        stamp = stamp_of(notebook)
        if problem or stamp is None:
            bad.append(f"{which}: {problem or 'the chapter left no stamp'}")
            tell(bad[-1])
            return
        about = stamp["precision"], stamp["device"], stamp["commit"], stamp["cpu_seconds"]
        with _alone_in(folder):
            results.update(_still_true(read(folder), there))  # another call may have added runs meanwhile
            if results.get(name, {"code": None})["code"] != code:
                results[name] = {"code": code, "runs": []}
            results[name]["runs"].append(entry_of(told, seed, *about))
            results[name]["runs"].sort(key=lambda run: (run["precision"], run["seed"]))
            text = as_json(results, "python -m genimg claims", _summed(stamp, results))
            files.write_text(Path(folder) / f"{NAME}.json", text)
        broken = sum(not claim["held"] for claim in told)
        tell(f"{which}: {stamp['cpu_seconds']:.0f} s, {len(told) - broken} claims hold, {broken} broken")

    await asyncio.gather(*(one(*job) for job in jobs))
    return bad


def _summed(stamp: dict[str, Any], results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The record's stamp: the newest run's, with the seconds of all."""
    names = ("commit", "device", "precision", "threads", "torch", "python", "date")
    seconds = sum(run["cpu_seconds"] for kept in results.values() for run in kept["runs"])
    return {name: stamp[name] for name in names} | {"seconds": round(seconds)}


def entry_of(
    told: list[dict[str, Any]], seed: int, precision: str, processor: str, commit: str, cpu_seconds: float
) -> dict[str, Any]:
    """One executed run as the record keeps it; `told` is what `told_by` found."""
    values = [_rounded(claim["value"]) for claim in told]
    controls = [{name: _rounded(v) for name, v in claim["controls"].items()} for claim in told]
    about = {"seed": seed, "precision": precision, "processor": processor, "commit": commit}
    return about | {"cpu_seconds": round(cpu_seconds, 1), "values": values, "controls": controls}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def as_json(results: dict[str, dict[str, Any]], command: str, stamp: dict[str, Any]) -> str:
    """The record's text: a run a line, so that a new run is one changed line."""
    head = json.dumps({"name": NAME, "command": command, "stamp": stamp, "rows": []}, indent=1)
    chapters = []
    for chapter, kept in sorted(results.items()):
        runs = ",\n".join("   " + files.as_json(run) for run in kept["runs"])
        chapters.append(f'  {json.dumps(chapter)}: {{"code": {json.dumps(kept["code"])}, "runs": [\n{runs}\n  ]}}')
    return head.removesuffix("\n}") + ',\n "results": {\n' + ",\n".join(chapters) + "\n }\n}\n"


def _executed() -> ModuleType:
    """The module that executes chapters for the site; it lies beside them, not in the package."""
    folder = Path(__file__).parents[2] / "book" / "_ext"
    if not (folder / "executed.py").exists():
        raise RunError("chapters are run from a checkout of the book; this genimg was installed without one")
    sys.path.insert(0, str(folder))
    try:
        import executed
    except ModuleNotFoundError as error:
        raise RunError(f"running chapters needs {error.name}; requirements.txt of the book has it") from None
    return executed
