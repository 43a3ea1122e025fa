"""What a page says of itself elsewhere: a description for search engines, and a card where a link to it is shared.

The description is the page's own first paragraph. The card is a picture of 1,200 by 630 pixels, made at each build from
the page's title and its first figure, or the cover. No page loads it: only its address stands in the page.
(sphinxext-opengraph draws cards of text alone.)
"""

import base64
import html
import io
import re
from pathlib import Path

import address
import cover
import executed
import lent
import says
from docutils import nodes
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from genimg.book.zh import figures, words

WIDTH, HEIGHT, MARGIN = 1200, 630, 60  # pixels; the size that sharing sites ask for
LONGEST = 300  # characters of a description
BOOK = "Images from Noise"
TERM = re.compile(r"\s*(?:\([^()]*[\u4e00-\u9fff][^()]*\)|（[^（）]*）)")  # of a title: its term in the other language
WORD = re.compile(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+\s?")  # Chinese breaks at every letter


def description_of(doctree):
    """A page's first paragraph without maths, as text, cut after a whole sentence where it is long."""
    for paragraph in doctree.findall(nodes.paragraph):
        if next(iter(paragraph.findall(nodes.math)), None) is not None:
            continue
        text = " ".join(paragraph.astext().split())
        if len(text) <= LONGEST:
            return text
        whole = re.match(r".*(?:\.(?= )|。)|", text[:LONGEST])[0]
        return whole if len(whole) > LONGEST / 3 else text[: LONGEST - 1].rpartition(" ")[0] + "…"
    return ""


def card(title, figure, book, fonts):
    """A page's card, an RGB picture: its title over its figure, on white.

    Args:
        title: text; wrapped to two lines at most, in smaller letters if it has to be.
        figure: a PIL image; made as large as there is room.
        book: the book's title.
        fonts: files of the fonts of the two.
    """
    sheet = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    plain, bold = fonts
    draw.text((MARGIN, 40), book, fill="#48566b", font=ImageFont.truetype(plain, 28))
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
    lines = [""]
    for word in WORD.findall(text):
        if font.getlength((lines[-1] + word).rstrip()) <= WIDTH - 2 * MARGIN or not lines[-1]:
            lines[-1] += word
        else:
            lines.append(word)
    return [line.rstrip() for line in lines]


def fonts_of(app):
    """Files of the fonts of a card's small letters and of its title."""
    if says.is_chinese(app):
        return [str(figures.font())] * 2
    bold = font_manager.FontProperties(family="DejaVu Sans", weight="bold")
    return [font_manager.findfont("DejaVu Sans"), font_manager.findfont(bold)]


def first_figure(copy):
    """The first picture that an executed chapter shows; None without one."""
    for cell in executed.code_cells(copy or {"cells": []}):
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                return Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
    return None


def tags(title, description, page, picture, say=words.filled):
    """The elements that go into a page's head.

    Args:
        page, picture: addresses of the page and of its card.
        say: speaks the page's language.
    """
    alt = say("The words “{0}” over a figure of the page", title)
    named = {"name": {"description": description, "twitter:card": "summary_large_image"}}
    named["property"] = {
        "og:type": "article", "og:site_name": say(BOOK), "og:title": title, "og:description": description,
        "og:url": page, "og:image": picture, "og:image:width": WIDTH, "og:image:height": HEIGHT, "og:image:alt": alt,
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
    page, picture = f"{site}{pagename}.html", f"{site}{_place(pagename)}"
    described = tags(title, description_of(doctree), page, picture, says.of(app))
    context["metatags"] = context.get("metatags", "") + described


def _place(docname):
    """Where a page's card lies on the site."""
    return f"_static/cards/{docname.replace('/', '-')}.png"


def _draw(app, exception):
    if exception or app.builder.format != "html":
        return
    (Path(app.outdir) / "_static" / "cards").mkdir(exist_ok=True)
    for docname in sorted(app.env.found_docs):
        _, poster = lent.lent(app, docname)
        figure = Image.open(io.BytesIO(poster)) if poster else first_figure(executed.executed_copy(app, docname))
        title = TERM.sub("", app.env.titles[docname].astext())
        drawn = card(title, figure or Image.open(cover.FILE), says.of(app)(BOOK), fonts_of(app))
        few = drawn.quantize(128, kmeans=1, dither=Image.Dither.NONE)  # a third of the bytes, the same colours
        few.save(Path(app.outdir) / _place(docname), optimize=True)


def _set_address(app, config):
    config.html_baseurl = address.SITE + ("zh/" if config.language == says.CHINESE else "")


def setup(app):
    app.connect("config-inited", _set_address)
    app.connect("html-page-context", _describe)
    app.connect("build-finished", _draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
