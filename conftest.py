"""What pytest needs for the whole book: long chapters first, one thread each, executed copies kept for the site.

A chapter with broken claims fails when it is through, and names them all. So does one in which `fit` warns of a run,
unless the chapter says that this was to be expected (`diagnostics.expected`): readers would see the warning, and
healthy runs must not have one. Figures have no letters but those of the font that matplotlib ships, and none without
their Chinese.
"""

import signal
import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent / "book" / "_ext"))

import executed  # sets one thread for each kernel, so it comes before torch
from nbmake.nb_result import NotebookError
from nbmake.nb_run import NotebookRun

from genimg.book import claims, trials
from genimg.book.zh import outputs, words

settings.register_profile("book", deadline=None)  # no test depends on the clock
settings.load_profile("book")

# A shell has what it puts into the background ignore Ctrl-C, and so would all that the tests start and stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_execute = NotebookRun.execute


def _execute_and_keep(run):
    path = Path(run.filename)
    key = executed.key(path)
    result = _execute(run)
    executed.keep(path, key, result.nb, result.error and executed.plain(result.error.summary))
    broken = [claim for claim in trials.told_by(result.nb) if not claim["held"]]
    if broken:
        summary = f"{len(broken)} broken claim(s)" + (f", then {result.error.summary}" if result.error else "")
        said = [claims.in_words(claim) for claim in broken] + ([str(result.error.trace)] if result.error else [])
        result.error = NotebookError(summary, "\n".join(said), broken[0]["cell"])
    result.error = result.error or _unexpected_warning(result.nb) or _lacking_chinese(result.nb)
    return result


#: What a cell must not say on stderr -> what that means.
WARNINGS = {
    "TrainingWarning": "a run of this cell is not healthy",
    "missing from font": "a figure of this cell has letters that matplotlib's own font lacks",
}


def _unexpected_warning(notebook):
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            for word, meaning in WARNINGS.items():
                if output.output_type == "stream" and output.name == "stderr" and word in output.text:
                    return NotebookError(f"{word}: {meaning}", output.text, index)
    return None


def _lacking_chinese(notebook):
    lacked = outputs.lacked(notebook)
    names = [name for claim in trials.told_by(notebook) for name in claim["controls"]]
    say = words.load()
    lacked += [name for name in names if say(name) in say.missing]
    text = "book/zh/words.json lacks words of its figures and controls, or the Chinese font letters"
    return NotebookError(text, "\n".join(dict.fromkeys(lacked)), 0) if lacked else None


NotebookRun.execute = _execute_and_keep


#: Folders of tests that start processes, which take longest.
SLOW = ("runs", "system", "tests")


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker is left alone with one: chapters, then tests that start processes.

    A file's tests stay with one worker, which makes what they share once.
    """

    def place(item):
        chapter = item.path.suffix == ".ipynb"
        return not chapter, -executed.minutes(item.path) if chapter else item.path.parent.name not in SLOW

    items.sort(key=place)
