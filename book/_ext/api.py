"""What the page of `genimg`'s public names needs beside Sphinx's own autodoc, napoleon and viewcode, which do the rest.

The package's docstrings are plain text in Google's style, in which backticks are the only markup; formulas are full of
characters that reStructuredText would take for more. Constants, too, get a link to their source, and show their values
where these are short and say the same on every machine.
"""

import ast
import re

from sphinx.ext import autodoc
from sphinx.pycode import ModuleAnalyzer

LONGEST_VALUE = 80
MARKUP = re.compile(r"(`[^`]*`)|([*|\"]|(?<=\w)_(?!\w))")


def as_plain_text(line):
    """Escapes what stands outside backticks and would be markup, or a quotation mark made round."""
    return MARKUP.sub(lambda found: found[1] or f"\\{found[2]}", line)


def constants(code):
    """Name -> (first line, last line) of what a module's code gives names to in capitals."""
    found = {}
    for statement in ast.parse(code).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        parts = [part for target in targets if target for part in ast.walk(target)]
        names = [part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
        lines = statement.lineno, statement.end_lineno
        found |= {name: lines for name in names if re.fullmatch("[A-Z][A-Z_]*", name)}
    return found


class Constant(autodoc.DataDocumenter):
    """Shows a constant's value where it is short and holds neither a place in memory nor a path."""

    def should_suppress_value_header(self):
        value = repr(self.object)
        return len(value) > LONGEST_VALUE or "<" in value or "Path(" in value or super().should_suppress_value_header()


def _plain_docstring(app, what, name, object_, options, lines):
    lines[:] = map(as_plain_text, lines)


def _find_source(app, module):
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.find_tags()
    return analyzer.code, analyzer.tags | {n: ("other", *place) for n, place in constants(analyzer.code).items()}


def setup(app):
    for extension in ("autodoc", "napoleon", "viewcode"):
        app.setup_extension(f"sphinx.ext.{extension}")
    app.add_autodocumenter(Constant, override=True)
    app.connect("autodoc-process-docstring", _plain_docstring, priority=400)  # before napoleon, which writes markup
    app.connect("viewcode-find-source", _find_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
