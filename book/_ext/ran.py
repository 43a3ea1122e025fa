"""The page "What ran": how the chapters and the records were made, gathered from the stamps that they themselves left.

Each chapter ends with `genimg.stamp()`, whose output holds what it tells as data too. The directive `ran` shows these
data of all executed copies, or of all records, as the site is built; so nothing on that page is written by hand.
(MyST-NB's nb-exec-table knows seconds by the clock alone.)
"""

import json
import re
from pathlib import Path

import executed
import says
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective

from genimg.book.chapter import STAMP, is_over
from genimg.book.trials import stamp_of
from genimg.book.zh import words

MACHINE = ("date", "device", "precision", "threads", "scale", "seed", "genimg", "commit", "python", "torch", "numpy")
MADE = (  # a letter, then what MACHINE names
    "**{0}**: {1}, {2}, {3}, {4}; scale {5}, seed {6}; genimg {7}, commit {8}; Python {9}, torch {10}, NumPy {11}."
)


def title_of(notebook):
    """A notebook's title, without what stands in parentheses after it."""
    title = "".join(notebook["cells"][0]["source"]).splitlines()[0].removeprefix("# ")
    return re.split(r" \(|（", title)[0]


def chapters_in_words(rows, say=words.filled):
    """A table of the chapters, and a list of when and where they ran.

    Args:
        rows: (title, file name, stamp) of each chapter, in the book's order; the stamp is None where a cell stopped it.

    Returns:
        Markdown; a chapter without a budget or a known peak has a dash there.
    """
    machines = list(dict.fromkeys(_machine(stamp) for _, _, stamp in rows if stamp))
    lines = [
        say("| Chapter | Processor, s | Budget, s | Clock, s | Memory, GB | Budget, GB | Where |"),
        "|:--|--:|--:|--:|--:|--:|:-:|",
    ]
    for title, file, stamp in rows:
        if stamp is None:
            lines.append(f"| [{title}]({file}) | {say('stopped')} | – | – | – | – | – |")
            continue
        budget = stamp["budget_minutes"] and stamp["budget_minutes"] * 60
        spent = f"{stamp['cpu_seconds']:,.0f}"
        cells = (
            say("**{0}**, over", spent) if is_over(stamp) else spent,
            budget and f"{budget:,.0f}",
            f"{stamp['seconds']:,.0f}",
            stamp["memory_gb"] and f"{stamp['memory_gb']:.2f}",
            stamp["budget_memory_gb"] and f"{stamp['budget_memory_gb']:g}",
            _letter(machines.index(_machine(stamp))),
        )
        lines.append(f"| [{title}]({file}) | " + " | ".join(cell or "–" for cell in cells) + " |")
    # The whole is the sum of what the rows show, so that a reader who adds them up finds the same.
    stamps = [stamp for _, _, stamp in rows if stamp]
    spent, seconds = (sum(round(stamp[name]) for stamp in stamps) for name in ("cpu_seconds", "seconds"))
    budget = sum(round((stamp["budget_minutes"] or 0) * 60) for stamp in stamps)
    peak = max((stamp["memory_gb"] or 0 for stamp in stamps), default=0)
    most = say("at most {0}", f"{peak:.2f}")
    lines.append(f"| **{say('All')}** | **{spent:,}** | **{budget:,}** | **{seconds:,}** | {most} | | |")
    for number, machine in enumerate(machines):
        told = dict(zip(MACHINE, machine, strict=True))
        lines += [
            "",
            say(MADE, _letter(number), *machine[:3], _threads(told["threads"], say), *machine[4:]),
        ]
    return "\n".join(lines)


def records_in_words(records, say=words.filled):
    """What each record's stamp tells, and the command that makes it again.

    Args:
        records: the records, as genimg.book.records writes them.

    Returns:
        Markdown; a sentence where there are none.
    """
    blocks = [say("No record has been made yet.")] if not records else []
    parts = [part for record in records for part in record.get("parts", {"": record}).values()]
    for record in parts:
        stamp = record["stamp"]
        blocks.append(
            say(
                "**{0}**: {1} s on {2} ({3}, {4}), {5}; commit {6}, torch {7}, Python {8}.",
                record["name"],
                f"{stamp['seconds']:,}",
                stamp["device"],
                stamp["precision"],
                _threads(stamp["threads"], say),
                stamp["date"],
                stamp["commit"],
                stamp["torch"],
                stamp["python"],
            )
            + f"\n\n```sh\n{record['command']}\n```"
        )
    return "\n\n".join(blocks)


def _machine(stamp):
    return tuple(stamp[name] for name in MACHINE)


def _threads(number, say):
    return say("1 thread") if number == 1 else say("{0} threads", number)


def _letter(number):
    """A, B, ... Z, AA, AB, ..."""
    before, place = divmod(number, 26)
    return (_letter(before - 1) if before else "") + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place]


class Ran(SphinxDirective):
    """`{ran} chapters` or `{ran} records`."""

    required_arguments = 1

    def run(self):
        self.env.note_reread()  # any chapter's outputs may have changed before the next build
        what = self.arguments[0]
        if what not in ("chapters", "records"):
            raise self.error(f"ran shows chapters or records, not {what}")
        say = says.of(self.env.app)
        if what == "chapters":
            text = chapters_in_words(self._chapters(), say)
        else:
            text = records_in_words(self._records(), say)
        return self.parse_text_to_nodes(text)

    def _chapters(self):
        app, rows = self.env.app, []
        paths = executed.chapters_of(app, self.env.found_docs)
        order = [docname for docname in self.config.external_site_map if docname in paths]
        for docname in order:
            copy = executed.executed_copy(app, docname)
            stamp = stamp_of(copy)
            if stamp is None and executed.PROBLEM not in copy["metadata"]:
                raise SphinxError(f"{paths[docname].name}: no cell of it left a stamp, so nobody knows how it ran")
            chapter = json.loads(paths[docname].read_text("utf-8"))
            rows.append((title_of(chapter), paths[docname].name, stamp))
        return rows

    def _records(self):
        files = sorted((executed.ROOT / "book" / "records").glob("*.json"))
        for file in files:
            self.env.note_dependency(str(file))
        return [json.loads(file.read_text("utf-8")) for file in files]


def _take_stamps_out(app, docname, source):
    """The page shows a stamp's text; of its data MyST-NB would say that it cannot show them."""
    if Path(app.env.doc2path(docname)).suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    for cell in executed.code_cells(notebook):
        for output in cell["outputs"]:
            output.get("data", {}).pop(STAMP, None)
    source[0] = json.dumps(notebook)


def setup(app):
    app.add_directive("ran", Ran)
    app.connect("source-read", _take_stamps_out)  # after `executed`, which puts the outputs in
    return {"parallel_read_safe": True, "parallel_write_safe": True}
