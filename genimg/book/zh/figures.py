"""Figures in Chinese: each drawn a second time in the same execution, its words looked up in the table.

Where `GENIMG_ZH=1` is set, as it is when the site's chapters are executed, a figure's output carries beside its picture
the Chinese one, under a media type of its own; its metadata name what the table or the font lacks. Anywhere else
nothing of this happens. The figure is not changed: only while it is drawn do its texts answer in Chinese, and have
Noto Sans SC for the letters that their own font lacks; its axes stand afterwards where they stood.
"""

import base64
import io
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from genimg.book.zh import words
from genimg.system.errors import RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The media type of a Chinese picture, a PNG in base64.
MIME = "application/vnd.genimg.zh-png"
#: Names in its metadata of the texts that the table lacks, and of what matplotlib said of missing letters.
MISSING, BOXES = "missing", "boxes"
#: The package of the index that brings the font, under the SIL Open Font License.
FONT_PACKAGE = "pylopdf_fonts_zh_cn"
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


def wanted() -> bool:
    """Whether figures are drawn in Chinese too: where the environment sets `GENIMG_ZH=1`."""
    return os.environ.get("GENIMG_ZH") == "1"


def font() -> Path:
    """The file of Noto Sans SC.

    Raises:
        RunError: its package is not installed.
    """
    found = util.find_spec(FONT_PACKAGE)
    if found is None or found.origin is None:
        name = FONT_PACKAGE.replace("_", "-")
        raise RunError(f"Chinese figures need a font: pip install {name}, or unset GENIMG_ZH")
    return Path(found.origin).parent / "NotoSansSC-Regular.otf"


@contextmanager
def chinese(table: words.Words) -> Iterator[list[str]]:
    """While it lasts, figures are drawn in Chinese. Gives the list of what matplotlib says of letters that are missing.

    matplotlib has no setting for another font for missing letters in formulas, and none that leaves the English
    figures alone.
    """
    from matplotlib import font_manager, mathtext, text

    file, boxes = str(font()), list[str]()
    get_text, find, parse = (
        text.Text.get_text,
        font_manager.fontManager._find_fonts_by_props,
        mathtext.MathTextParser.parse,
    )

    def set_in(parser: Any, said: str, dpi: float = 72, prop: Any = None, **options: Any) -> Any:
        if _CHINESE.search(said):
            prop = font_manager.FontProperties(fname=file, size=prop and prop.get_size())
        return parse(parser, said, dpi, prop, **options)

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            boxes.append(record.getMessage())

    listener, log = Listener(), logging.getLogger("matplotlib.mathtext")
    with (
        patch.object(text.Text, "get_text", lambda one: table(get_text(one))),
        patch.object(font_manager.fontManager, "_find_fonts_by_props", lambda *a, **k: [*find(*a, **k), file]),
        patch.object(mathtext.MathTextParser, "parse", set_in),
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        log.addHandler(listener)
        try:
            yield boxes
        finally:
            log.removeHandler(listener)
            boxes += [str(one.message) for one in said if "missing from" in str(one.message)]


@contextmanager
def unmoved(figure: "Figure") -> Iterator[None]:
    """A figure's layout moves its axes at each drawing, by the words that it finds; afterwards they stand as before."""
    stood = [(ax, ax.get_position(True).frozen(), ax.get_position().frozen(), ax.get_in_layout()) for ax in figure.axes]
    try:
        yield
    finally:
        for ax, original, active, in_layout in stood:
            ax.set_position(original, "original")
            ax.set_position(active, "active")
            ax.set_in_layout(in_layout)


def bundle(draw: Callable[[], bytes]) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """A notebook output's data and metadata for the Chinese picture that a function draws, PNG bytes.

    The metadata hold its size in CSS pixels, and what the table and the font lacked, where they lacked something.
    """
    from PIL import Image

    table = words.load()
    with chinese(table) as boxes:
        picture = draw()
    width, height = Image.open(io.BytesIO(picture)).size
    told: dict[str, Any] = {"width": width // 2, "height": height // 2}  # figures are drawn at twice their resolution
    told |= {name: found for name, found in ((MISSING, list(table.missing)), (BOXES, sorted(set(boxes)))) if found}
    return {MIME: base64.b64encode(picture).decode()}, {MIME: told}


def register() -> None:
    """In a notebook's kernel, from now on, have every figure shown carry its Chinese picture."""
    from IPython import get_ipython
    from IPython.core.formatters import BaseFormatter
    from matplotlib.figure import Figure
    from traitlets import ObjectName, Unicode

    class Formatter(BaseFormatter):
        format_type = Unicode(MIME)
        print_method = ObjectName("_repr_zh_png_")

    def png(figure: Figure) -> bytes:
        made = as_png(figure)
        made = made[0] if isinstance(made, tuple) else made
        return base64.b64decode(made) if isinstance(made, str) else made

    def picture(figure: Figure) -> tuple[str, dict[str, Any]]:
        with unmoved(figure):
            data, metadata = bundle(lambda: png(figure))
        return data[MIME], metadata[MIME]

    formatters = get_ipython().display_formatter.formatters
    as_png = formatters["image/png"]
    formatters[MIME] = Formatter()
    formatters[MIME].for_type(Figure, picture)
