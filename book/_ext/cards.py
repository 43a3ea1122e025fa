"""What a page says of itself elsewhere: a description for search engines, and a card where a link to it is shared.

The description is the page's own first paragraph. The card is a picture of 1,200 by 630 pixels, made at each build from
the page's title and its first figure. No page loads it: only its address stands in the page. (sphinxext-opengraph draws
cards of text alone.)
"""

import base64
import html
import io
import re
from pathlib import Path

import address
import executed
from docutils import nodes
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, MARGIN = 1200, 630, 60  # pixels; the size that sharing sites ask for
LONGEST = 300  # characters of a description
BOOK = "Images from Noise"
DEFAULT = executed.ROOT / "book" / "figures" / "from-noise.png"
CHINESE = re.compile(r"\s*\([^()]*[\u4e00-\u9fff][^()]*\)")  # terms of the source text, which the card's font lacks


def description_of(doctree):
    """A page's first paragraph without maths, as text, cut after a whole sentence where it is long."""
    for paragraph in doctree.findall(nodes.paragraph):
        if next(iter(paragraph.findall(nodes.math)), None) is not None:
            continue
        text = " ".join(paragraph.astext().split())
        if len(text) <= LONGEST:
            return text
        whole = text[:LONGEST].rpartition(". ")[0]
        return whole + "." if len(whole) > LONGEST / 3 else text[: LONGEST - 1].rpartition(" ")[0] + "…"
    return ""


def card(title, figure):
    """A page's card, an RGB picture: its title over its figure, on white.

    Args:
        title: text; wrapped to two lines at most, in smaller letters if it has to be.
        figure: a PIL image; made as large as there is room.
    """
    sheet = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    bold = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight="bold"))
    plain = font_manager.findfont("DejaVu Sans")
    draw.text((MARGIN, 40), BOOK, fill="#48566b", font=ImageFont.truetype(plain, 28))
    for size in range(64, 20, -4):
        lines = _wrapped(title, ImageFont.truetype(bold, size))
        if len(lines) <= 2:
            break
    draw.multiline_text((MARGIN, 84), "\n".join(lines), fill="#14181e", font=ImageFont.truetype(bold, size), spacing=10)
    top = 84 + len(lines) * (size + 14) + 24
    room = (WIDTH - 2 * MARGIN, HEIGHT - 30 - top)
    scale = min(room[0] / figure.width, room[1] / figure.height)
    small = figure.convert("RGBA").resize((round(figure.width * scale), round(figure.height * scale)), Image.LANCZOS)
    sheet.paste(small, ((WIDTH - small.width) // 2, top + (room[1] - small.height) // 2), small)
    return sheet


def _wrapped(text, font):
    lines = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= WIDTH - 2 * MARGIN:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def first_figure(copy):
    """The first picture that an executed chapter shows; None without one."""
    for cell in executed.code_cells(copy or {"cells": []}):
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                return Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
    return None


def tags(title, description, page, picture):
    """The elements that go into a page's head.

    Args:
        page, picture: addresses of the page and of its card.
    """
    alt = f"The words “{title}” over a figure of the page"
    named = {"name": {"description": description, "twitter:card": "summary_large_image"}}
    named["property"] = {
        "og:type": "article", "og:site_name": BOOK, "og:title": title, "og:description": description, "og:url": page,
        "og:image": picture, "og:image:width": WIDTH, "og:image:height": HEIGHT, "og:image:alt": alt,
    }  # fmt: skip
    return "\n".join(
        f'<meta {kind}="{name}" content="{html.escape(str(content))}" />'
        for kind, contents in named.items()
        for name, content in contents.items()
    )


def _describe(app, pagename, templatename, context, doctree):
    if doctree is None:  # the search page and the index
        return
    site = app.config.html_baseurl
    title = app.env.titles[pagename].astext()
    described = tags(title, description_of(doctree), f"{site}{pagename}.html", f"{site}{_place(pagename)}")
    context["metatags"] = context.get("metatags", "") + described


def _place(docname):
    """Where a page's card lies on the site."""
    return f"_static/cards/{docname.replace('/', '-')}.png"


def _draw(app, exception):
    if exception or app.builder.format != "html":
        return
    (Path(app.outdir) / "_static" / "cards").mkdir(exist_ok=True)
    for docname in sorted(app.env.found_docs):
        figure = first_figure(executed.executed_copy(app, docname)) or Image.open(DEFAULT)
        title = CHINESE.sub("", app.env.titles[docname].astext())
        few = card(title, figure).quantize(128, dither=Image.Dither.NONE)  # a third of the bytes
        few.save(Path(app.outdir) / _place(docname), optimize=True)


def _set_address(app, config):
    config.html_baseurl = address.SITE


def setup(app):
    app.connect("config-inited", _set_address)
    app.connect("html-page-context", _describe)
    app.connect("build-finished", _draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
