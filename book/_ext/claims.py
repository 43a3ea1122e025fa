"""Claims on the site: how a page shows them, what is broken, and the page "What is claimed".

A chapter's `genimg.claim(...)` leaves its data in the executed copy. A page shows each as a box that a link can lead
to; a page with a broken claim, or with a cell that stopped it, says so at its top. The build goes on to its end, then
warns of all that was broken, which makes its exit code 1 under `-W`. No extension knows claims.
"""

import html
import json
import math
from dataclasses import replace
from pathlib import Path

import executed
import ran
import says
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from genimg.book import claims, trials
from genimg.book.chapter import is_over
from genimg.book.trials import outputs_of, stamp_of, told_by
from genimg.book.zh import words

RECORD = Path("book") / "records" / "claims.json"


def broken(notebook):
    """The claims of an executed notebook that do not hold."""
    return [claim for claim in told_by(notebook) if not claim["held"]]


def stopped_at(notebook):
    """The number of the cell that stopped an executed chapter; None if it came to its end."""
    if executed.PROBLEM not in notebook["metadata"]:
        return None
    raised = [number for number, output in outputs_of(notebook) if output["output_type"] == "error"]
    code = [n for n, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    begun = [n for n in code if notebook["cells"][n]["execution_count"]]
    return (raised or begun or code)[-1]


def in_words(claim, notebook=None):
    """A claim as a line; with its notebook, also the machine that it was broken on."""
    stamp = notebook and stamp_of(notebook)
    where = f" [{stamp['device']}, {stamp['precision']}, seed {stamp['seed']}]" if stamp else ""
    return " ".join(claims.in_words(claim).split()) + where


def broken_in(name, notebook):
    """What is to be told of an executed chapter at the end of a build, a line each: claims, and what stopped it."""
    lines = [f"{name}: {in_words(claim, notebook)}" for claim in broken(notebook)]
    if problem := notebook["metadata"].get(executed.PROBLEM):
        lines.append(f"{name}: cell {stopped_at(notebook)} stopped the chapter: {problem}")
    return lines


def over_budget(notebook):
    """As "200 s of a processor, budget 180 s" of a chapter at cpu scale that took longer; else None."""
    stamp = stamp_of(notebook)
    if not stamp or not is_over(stamp):
        return None
    return f"{stamp['cpu_seconds']:.0f} s of a processor, budget {60 * stamp['budget_minutes']:g} s"


# In the page of a chapter.


def box(claim, say=words.filled):
    """A claim's HTML on its page, in the language that `say` speaks."""
    state = "holds" if claim["held"] else "BROKEN"
    number, bounds = f"<b>{claims.short(claim['value'])}</b>", say(claims.bounds_in_words(claim))
    within = claims.is_within(claim["value"], claim["below"], claim["above"])
    how = say("claimed") if within else f"<strong>{say('not')}</strong>"
    said = say("{0}: {1}, {2} {3}.", html.escape(claim["sentence"]), number, how, bounds)
    return (
        f'<div class="claim claim-{state.lower()}" id="claim-{claim["number"]}"><p>'
        f"<strong>{say(f'Claim {state}.')}</strong> {said}</p>{_controls(claim, say)}</div>"
    )


def _controls(claim, say):
    """The line about a claim's controls, as HTML, or why it has none."""
    if not claim["controls"]:
        reason = claim["no_control"] and html.escape(claim["no_control"])
        return f"<p>{say('No control: {0}.', reason)}</p>" if reason else ""
    parts = []
    for name, value in claim["controls"].items():
        text = say("{0} ({1})", html.escape(name), claims.short(value))
        passes = claims.is_within(value, claim["below"], claim["above"])
        parts.append(
            f"<strong>{say('{0}, which is (so the measure proves nothing)', text)}</strong>" if passes else text
        )
    return f"<p>{say('Controls, which must not be: {0}.', say('; ').join(parts))}</p>"


def _show(app, docname, source):
    """Puts the boxes into the page, and at its top what is broken on it."""
    if docname not in getattr(app.env, "executed_keys", {}) or not source[0].lstrip().startswith("{"):
        return
    notebook, say = json.loads(source[0]), says.of(app)
    copy = executed.executed_copy(app, docname)
    lines = [f'<a href="#claim-{claim["number"]}">{html.escape(in_words(claim))}</a>' for claim in broken(copy)]
    boxes = (box(claim, say) for claim in told_by(notebook))
    for _, output in outputs_of(notebook):
        if claims.CLAIM in output.get("data", {}):
            output["data"] = {"text/html": next(boxes)}
    stopped = stopped_at(copy)
    if stopped is not None:
        problem = html.escape(copy["metadata"][executed.PROBLEM])
        text = f"<p><strong>{say('The chapter stopped here.')}</strong> {problem}</p>"
        data = {"text/html": f'<div class="claim claim-broken" id="stopped">{text}</div>'}
        output = {"output_type": "display_data", "metadata": {}, "data": data}
        place = len(executed.code_cells({"cells": copy["cells"][:stopped]}))  # prose may have changed since
        executed.code_cells(notebook)[place]["outputs"].insert(0, output)
        said = say("A cell stopped the chapter: {0}", problem)
        lines.append(f'<a href="#stopped">{said}</a>{say(". What follows it did not run.")}')
    if lines:
        items = "".join(f"<li>{line}</li>" for line in lines)
        text = (
            '<div class="admonition danger broken"><p class="admonition-title">'
            f"{say('Broken where this page was built')}</p><ul>{items}</ul></div>"
        )
        top = {"cell_type": "markdown", "id": "broken", "metadata": {}}
        notebook["cells"].insert(1, top | {"source": f"```{{raw}} html\n{text}\n```"})
    source[0] = json.dumps(notebook)


# At the end of a build.


def _tell(app, exception):
    """Warns of all that is broken, executed in this build or before, and notes chapters over their budget."""
    if exception or says.is_chinese(app):
        return
    log = logging.getLogger(__name__)
    names = [docname for docname in getattr(app.env, "executed_keys", {}) if docname in app.env.found_docs]
    copies = {docname.rpartition("/")[2]: executed.executed_copy(app, docname) for docname in names}
    for name, copy in copies.items():
        if said := over_budget(copy):
            log.info(f"{name} is over its budget: {said}")
    lines = [line for name, copy in copies.items() for line in broken_in(name, copy)]
    if lines:
        text = f"{len(lines)} broken; the site is whole, and its pages are marked:\n" + "\n".join(lines)
        log.warning(f"{text}\nThe copies of these runs are in {executed.COPIES}: without them a build executes anew.")


# The page "What is claimed".


class Claims(SphinxDirective):
    """`{claims}`: every claim of the book by chapter, with what it gave on the page and over the recorded runs."""

    def run(self):
        self.env.note_reread()  # any chapter's outputs may have changed before the next build
        self.env.note_dependency(str(executed.ROOT / RECORD))
        self.say = says.of(self.env.app)
        kept = trials.read((executed.ROOT / RECORD).parent)
        paths = executed.chapters_of(self.env.app, self.env.found_docs)
        rows = []  # (chapter's title, its page, claim on the page or None, its Trial)
        for docname in self.config.external_site_map:
            if docname not in paths:
                continue
            chapter, copy = json.loads(paths[docname].read_text("utf-8")), executed.executed_copy(self.env.app, docname)
            trial_list, here = trials.trials_of(chapter, kept.get(paths[docname].stem)), told_by(copy)
            here += [None] * (len(trial_list) - len(here))
            for claim, trial in zip(here, trial_list, strict=False):
                if claim:  # in the edition's language
                    trial = replace(trial, call=trial.call | {"sentence": claim["sentence"]})
                rows.append((ran.title_of(chapter), paths[docname].stem, claim, trial))
        return [*self._summary(rows), *(self._section(name, rows) for name in dict.fromkeys(row[1] for row in rows))]

    def _summary(self, rows):
        runs = [len(row[3].values) for row in rows] or [0]
        bare = sum(not row[3].call["no_control"] for row in rows)
        tight = sorted((row for row in rows if row[3].values), key=lambda row: trials.least_room(row[3]))[:5]
        say = self.say
        controlled = (
            say("all have controls") if bare == len(rows) else say("{0} have controls, the others a reason", bare)
        )
        often = say("{0} to {1}", min(runs), max(runs)) if min(runs) < max(runs) else f"{max(runs)}"
        text = say("{0} claims; {1}. Each was run {2} times.", len(rows), controlled, often)
        parts = [nodes.paragraph("", text)]
        if tight:
            parts.append(nodes.paragraph("", say("The five with the least room:")))
            items = "".join(
                f"<li>{say('{0}: {1} ({2})', room_in_words(trial, say), _link(name, claim, trial), html.escape(title))}"
                "</li>"
                for title, name, claim, trial in tight
            )
            parts.append(nodes.raw("", f"<ul>{items}</ul>", format="html"))
        return parts

    def _section(self, name, rows):
        own = sorted((row for row in rows if row[1] == name), key=lambda row: trials.least_room(row[3]))
        english = json.loads((executed.ROOT / "book" / f"{name}.ipynb").read_text("utf-8"))
        anchor = nodes.make_id(f"claims of {ran.title_of(english)}")  # the same in both editions
        section = nodes.section("", nodes.title("", own[0][0]), ids=[anchor])
        section += [nodes.raw("", entry(name, claim, trial, self.say), format="html") for *_, claim, trial in own]
        return section


def _link(name, claim, trial):
    place = f"#claim-{claim['number']}" if claim else ""
    return f'<a href="{name}.html{place}">{html.escape(trial.call["sentence"])}</a>'


def room_in_words(trial, say=words.filled):
    """As "4.2 deviations", or why there is no such number."""
    room = trials.least_room(trial)
    if len(trial.values) < 2:
        return say("not run often enough")
    if not math.isfinite(room):
        return say("the same in all runs" if room > 0 else "no room")
    return say("{0} deviations", f"{room:.1f}")


def entry(name, claim, trial, say=words.filled):
    """A claim's HTML on the page "What is claimed": what it gave here, over the runs, and a picture of both."""
    call = trial.call
    here = say("{0} here", f"<b>{claims.short(claim['value'])}</b>") if claim else say("not reached on this page")
    state = "" if claim is None or claim["held"] else f"<strong>{say('BROKEN.')}</strong> "
    parts = [here, say("{0} {1}", say("claimed"), say(claims.bounds_in_words(call)))]
    if numbers := trial.numbers():
        ranges = say("{0} to {1}", claims.short(min(numbers)), claims.short(max(numbers)))
        parts += [say("{0} in {1} runs", ranges, len(trial.values)), say("room: {0}", room_in_words(trial, say))]
    else:
        parts.append(say("no recorded run of this code"))
    controls = dict(call, controls=claim["controls"] if claim else {})
    return (
        f'<div class="claim"><p>{state}{_link(name, claim, trial)}</p>'
        f"<p>{say('{0}.', say('; ').join(parts))}</p>{strip(trial, say)}{_controls(controls, say)}</div>"
    )


def strip(trial, say=words.filled, width=600, height=34):
    """A picture of a trial: the runs as dots, the controls as crosses, the bounds as lines. Empty without runs.

    The axis is logarithmic where all numbers are positive and span more than a factor of 50.
    """
    call, values = trial.call, trial.numbers()
    if not values:
        return ""
    controls = [v for row in trial.controls.values() for v in row if v is not None]
    bounds = [b for b in (call["below"], call["above"]) if b is not None]
    everything = [*values, *controls, *bounds]
    low, high = min(everything), max(everything)
    scale = math.log if low > 0 and high / low > 50 else float
    low, high = scale(low), scale(high)
    room = width - 16

    def x(value):
        return round(8 + room * (scale(value) - low) / ((high - low) or 1), 1)

    middle = height / 2
    lines = "".join(f'<line class="bound" x1="{x(b)}" x2="{x(b)}" y1="1" y2="{height - 1}"/>' for b in bounds)
    dots = "".join(f'<circle class="run" cx="{x(v)}" cy="{middle}" r="4.5"/>' for v in values)
    crosses = "".join(
        f'<path class="control" d="M{x(v) - 4} {middle - 4}l8 8m0-8l-8 8"/>' for v in sorted(set(controls))
    )
    label = say("{0} runs as dots, controls as crosses, the bound as a line", len(values))
    return (
        f'<svg class="claim-strip" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f'<line class="axis" x1="8" x2="{width - 8}" y1="{middle}" y2="{middle}"/>{lines}{crosses}{dots}</svg>'
    )


def setup(app):
    app.add_directive("claims", Claims)
    app.connect("source-read", _show)  # after `executed`, which puts the outputs in
    app.connect("build-finished", _tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
