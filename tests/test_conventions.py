"""The conventions that chapters keep, so that Jupyter, Colab, GitHub and the site show the same pages.

Each rule is a function that returns what it finds wrong; the tests run it on the book, and on bad examples.
"""

import json
import re
from pathlib import Path

import address  # of book/_ext, as conftest.py arranges
import pytest

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
SITE_PAGES = sorted(BOOK.glob("*.md"))  # made of directives, for the site alone
README = ROOT / "README.md"

SITE_COMMAND = "pip install -r requirements.txt && jupyter-book build -W -n --keep-going ."
TEST_COMMAND = "pip install -r requirements.txt && pytest --nbmake"
WRITES = "`python book/_ext/address.py` writes it"

CODE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*\s*?$|(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)
MATHS = re.compile(r"\$\$.+?\$\$|(?<![\\$])\$[^$\n]+?(?:\n[^$\n]+?)?\$", re.DOTALL)
MYST_ONLY = {
    "a role or directive": r"(?<!`)\{[\w:+.-]+\}`[^`\s]|^\s*(`{3,}|~{3,})\{",
    "a colon fence": r"^\s*:::",
    "a target": r"^\([\w:.-]+\)=",
    "a block break or a comment": r"^(\+\+\+|%)",
    "a substitution": r"\{\{",
    "attributes": r"\]\([^)]*\)\{|\]\{",
    "a footnote": r"\[\^[^\]]+\]",
    "raw HTML": r"</?[A-Za-z][\w-]*(\s[^>]*)?/?>|<!--",
    "LaTeX outside dollars": r"\\begin\{|\\\[|\\\(",
}
MATHS_LABELS = r"\\(label|eqref|ref)\{"
TAG = r"\\tag\{([^}]*)\}"
NUMBER = r"\d+\.\d+"
PAPER = re.compile(
    r"https?://[\w.-]*(?:arxiv\.org|doi\.org|openreview\.net|proceedings\.[\w.-]+|neurips\.cc|nips\.cc|jmlr\.org|"
    r"thecvf\.com)/[^\s)>\]\"'`]+"
)
FORBIDDEN = {
    "the PyPI name genimg, which is somebody else's package": r"pip3? install (-\S+ )*genimg\b",
    "a machine's path": r"(?<![\w.~/-])/(tmp|home|root|work|Users|mnt)/|\b[A-Z]:\\",
    "unfinished work": r"\b(TODO|FIXME|XXX)\b",
}


def cells_of(notebook, kind):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def prose(text, maths=True):
    """Markdown without code, and without maths unless asked for."""
    text = CODE.sub(" ", text)
    return text if maths else MATHS.sub(" ", text)


def is_markdown_problem(text):
    without = {"LaTeX outside dollars", "raw HTML", "attributes", "a substitution", "a role or directive"}
    found = []
    for what, pattern in MYST_ONLY.items():
        where = text if what == "a role or directive" else prose(text, maths=what not in without)
        if match := re.search(pattern, where, re.MULTILINE):
            found.append(f"{what}: {match[0]!r}")
    if match := re.search(MATHS_LABELS, prose(text)):
        found.append(f"a label that pages cannot share: {match[0]!r}")
    return found


def are_leftovers(text):
    return [f"{what}: {m[0]!r}" for what, pattern in FORBIDDEN.items() if (m := re.search(pattern, text))]


def is_kept_output(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [f"cell {n} keeps its output" for n, cell in enumerate(code) if cell["outputs"] or cell["execution_count"]]


def are_frame_problems(notebook):
    """Title and budget, the cell that installs genimg, setup, ..., the stamp; only a page without code goes without."""
    cells = notebook["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    found = []
    if cells[0]["cell_type"] != "markdown" or not re.match(r"# \S", sources[0]):
        found.append("the first cell is no title")
    if sum(len(re.findall(r"^# ", prose(text), re.MULTILINE)) for text in cells_of(notebook, "markdown")) != 1:
        found.append("there has to be one title (# ...)")
    code = cells_of(notebook, "code")
    if not code:
        return found
    for word in (r"\bminutes?\b", r"\b(GB|MB)\b", r"\bdownload"):
        if not re.search(word, sources[0]):
            found.append(f"the first cell states no budget: nothing like {word}")
    if (code[0], sources[1], cells[1]["metadata"].get("tags")) != (sources[1], address.INSTALL, address.TAGS):
        found.append(f"the second cell does not install genimg as in all chapters; {WRITES}")
    if len(code) < 2 or not re.search(r"genimg\.setup\([^)]*minutes=[^)]*memory_gb=", code[1]) or sources[2] != code[1]:
        found.append("the third cell does not call genimg.setup(..., minutes=..., memory_gb=...)")
    if not re.fullmatch(r"genimg\.stamp\(\);?", code[-1].strip()):
        found.append("the last code cell is not genimg.stamp()")
    return found


def are_figure_problems(notebook):
    """Every figure: a code cell with alternative text, then a Markdown cell that opens with its numbered caption."""
    found, captions, cells = [], [], notebook["cells"]
    for before, cell in zip([None, *cells], cells, strict=False):
        text = "".join(cell["source"])
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
        if alt and len(alt.split()) < 4:
            found.append(f"too short to stand for a picture: {alt!r}")
        if cell["cell_type"] != "markdown":
            continue
        opens = re.match(rf"\*Figure ({NUMBER})\. \S", text)
        if len(re.findall(r"^\*Figure", text, re.MULTILINE)) != bool(opens):
            found.append(f"a caption is `*Figure n.m. ...*` and opens its cell: {text[:60]!r}")
        had = before and before["metadata"].get("mystnb", {}).get("image", {}).get("alt")
        if bool(opens) != bool(had):
            found.append(f"a caption needs a figure with mystnb.image.alt before it, and the reverse: {text[:60]!r}")
        captions += [opens[1]] if opens else []
    found += [f"Figure {n} stands {captions.count(n)} times" for n in set(captions) if captions.count(n) > 1]
    named = re.findall(rf"\bFigures? ({NUMBER})", " ".join(map(prose, cells_of(notebook, "markdown"))))
    return found + [f"there is no Figure {n}" for n in sorted(set(named) - set(captions))]


def are_equation_problems(notebooks):
    """Tags are n.m and stand once in the book; every (n.m) in prose is one of them."""
    texts = {name: "\n\n".join(map(prose, cells_of(notebook, "markdown"))) for name, notebook in notebooks.items()}
    tags = [(name, tag) for name, text in texts.items() for tag in re.findall(TAG, text)]
    found = [f"{name}: \\tag{{{tag}}} is not n.m" for name, tag in tags if not re.fullmatch(NUMBER, tag)]
    known = [tag for _, tag in tags]
    found += [f"({tag}) stands {known.count(tag)} times" for tag in sorted(set(known)) if known.count(tag) > 1]
    for name, text in texts.items():
        outside = sorted(set(re.findall(TAG, MATHS.sub(" ", text))))
        found += [f"{name}: \\tag{{{tag}}} outside maths" for tag in outside]
        named = re.findall(r"\((\d+\.\d+)\)", MATHS.sub(" ", text))
        found += [f"{name} names ({n}), which does not exist" for n in sorted(set(named) - set(known))]
        own = [tag for of, tag in tags if of == name and re.fullmatch(NUMBER, tag)]
        if own != sorted(own, key=lambda tag: [int(part) for part in tag.split(".")]):
            found.append(f"{name}: equations are not in order: {own}")
        if len({tag.split(".")[0] for tag in own}) > 1:
            found.append(f"{name}: equations of several chapters: {own}")
    return found


def papers_in(*texts):
    """Links to papers, in one spelling."""
    links = set()
    for link in PAPER.findall("\n".join(texts)):
        link = re.sub(r"^https?://(www\.|dx\.)?", "", link.rstrip(".,;:/"))
        links.add(re.sub(r"^arxiv\.org/(?:abs|pdf)/([^v]+?)(v\d+)?(\.pdf)?$", r"arxiv.org/abs/\1", link))
    return links


def load(path):
    return json.loads(path.read_text("utf-8"))


def each_chapter(test):
    return pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)(test)


@each_chapter
def test_a_chapter_keeps_no_outputs(path):
    assert not is_kept_output(load(path))


@each_chapter
def test_markdown_is_commonmark_with_dollar_maths(path):
    found = {text[:60]: f for text in cells_of(load(path), "markdown") if (f := is_markdown_problem(text))}
    assert not found


@each_chapter
def test_a_chapter_has_title_budget_setup_and_stamp(path):
    assert not are_frame_problems(load(path))


@each_chapter
def test_figures_have_captions_and_alternative_text(path):
    assert not are_figure_problems(load(path))


@each_chapter
def test_citations_stand_on_references(path):
    listed = papers_in(*cells_of(load(BOOK / "references.ipynb"), "markdown"))
    assert papers_in(*cells_of(load(path), "markdown")) <= listed


def misdated(listed, text):
    """Citations `[Names YEAR](address)` whose year is not the one that the list gives: "Names YEAR, listed as YEAR"."""
    years = {link: year for year, link in re.findall(r"(\d{4})[a-z]?\. \[[^\]]+\]\((\S+?)\)", listed)}
    cited = re.findall(r"\[([^\]\[]*?(\d{4})[a-z]?)\]\((https?://\S+?)\)", text)
    return [f"{name}, listed as {years[link]}" for name, year, link in cited if years.get(link, year) != year]


@each_chapter
def test_citations_carry_the_year_of_references(path):
    listed = "\n".join(cells_of(load(BOOK / "references.ipynb"), "markdown"))
    assert not misdated(listed, "\n".join(cells_of(load(path), "markdown")))


def test_a_citation_with_another_year_is_found():
    listed = "- A. Body, 2021. [A title](https://arxiv.org/abs/2101.00001). For this."
    assert misdated(listed, "As [Body 2021](https://arxiv.org/abs/2101.00001) say.") == []
    said = (
        "As [Body et al. 2022](https://arxiv.org/abs/2101.00001) say, and [Other 2020](https://arxiv.org/abs/2001.1)."
    )
    assert misdated(listed, said) == ["Body et al. 2022, listed as 2021"]


def test_citations_of_the_package_stand_on_references():
    listed = papers_in(*cells_of(load(BOOK / "references.ipynb"), "markdown"))
    cited = {path.name: papers_in(path.read_text("utf-8")) - listed for path in sorted(ROOT.glob("genimg/**/*.py"))}
    assert not {name: links for name, links in cited.items() if links}


def test_references_lists_nothing_that_nobody_cites():
    listed = papers_in(*cells_of(load(BOOK / "references.ipynb"), "markdown"))
    texts = [text for path in CHAPTERS if path.stem != "references" for text in cells_of(load(path), "markdown")]
    texts += [path.read_text("utf-8") for path in ROOT.glob("genimg/**/*.py")]
    assert not listed - papers_in(*texts)


def test_equations_are_numbered_once_and_named_right():
    assert not are_equation_problems({path.stem: load(path) for path in CHAPTERS})


def test_every_chapter_is_in_the_table_of_contents():
    toc = re.findall(r"^(?:root|\s*-\s*file): *(\S+)", (ROOT / "_toc.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(toc) == sorted(f"book/{path.stem}" for path in [*CHAPTERS, *SITE_PAGES])


@pytest.mark.parametrize(
    "path",
    [*CHAPTERS, *SITE_PAGES, *sorted(ROOT.glob("*.md")), *sorted((ROOT / "genimg").rglob("*.py"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_nothing_is_left_over(path):
    assert not are_leftovers(path.read_text("utf-8"))


@pytest.mark.parametrize("command", [SITE_COMMAND, TEST_COMMAND])
def test_readme_and_ci_run_the_same_commands(command):
    assert command in README.read_text("utf-8").splitlines()
    assert command in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


# The rules themselves: each finds what it is for, and nothing in what is right.


def markdown(text, **metadata):
    return {"cell_type": "markdown", "metadata": metadata, "source": text}


def code(text, outputs=(), execution_count=None, **metadata):
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": text,
        "outputs": list(outputs),
        "execution_count": execution_count,
    }


def with_alt(alt):
    return {"mystnb": {"image": {"alt": alt}}}


OPENING = [
    markdown("# Title (标题)\n\nBudget: 4 minutes of one core, 2 GB of memory, nothing is downloaded."),
    code(address.INSTALL, tags=address.TAGS),
    code("import genimg\n\nrun = genimg.setup(seed=0, minutes=4, memory_gb=2)"),
]
STAMP = code("genimg.stamp()")
FIGURE = code("ax.plot(x);", **with_alt("A line that falls from one to zero."))
CAPTION = markdown("*Figure 2.1. A line.*\n\nMore.")


@pytest.mark.parametrize(
    "text",
    [
        "as {cite}`goodfellow2014` says",
        "see {eq}`kl`",
        "```{note}\nAside\n```",
        ":::{note}\nAside\n:::",
        "(a-target)=\n# Title",
        "+++\nnext",
        "% hidden",
        "a <b>word</b>",
        'a picture <img src="a.png"/>',
        "<!-- hidden -->",
        "{{ version }}",
        "a footnote[^1]",
        "[words](https://example.org){.class}",
        "\\begin{align} a &= b \\end{align}",
        "inline \\(x\\)",
        "$$ a = b \\label{ab} $$",
    ],
)
def test_markdown_rule_finds(text):
    assert is_markdown_problem(text)


@pytest.mark.parametrize(
    "text",
    [
        "plain *words*, **bold**, [a link](https://arxiv.org/abs/1406.2661) and <https://example.org>",
        "$a < b$ and $c > d$, $\\hat{x}_{i}$",
        "$$\\begin{aligned} a &= b \\\\ c &= {{d}} \\end{aligned} \\tag{2.1}$$",
        "`x < y > z` and `{name}`: code",
        "```python\nx: dict = {}  # <b>\n```",
        "| a | b |\n|---|---|\n| $p<q$ | 5 % |",
        "> **Aside.** 5 < 6 and 7 > 6.",
    ],
)
def test_markdown_rule_lets_pass(text):
    assert not is_markdown_problem(text)


@pytest.mark.parametrize(
    "text",
    ["!pip install genimg", "pip install -q genimg", "saved in /tmp/x.png", "open('/home/me/x')", "# TODO: later"],
)
def test_leftover_rule_finds(text):
    assert are_leftovers(text)


@pytest.mark.parametrize("text", ["pip install -e .", "https://example.org/home/x", "a/b, x / y", "book/tmp/x"])
def test_leftover_rule_lets_pass(text):
    assert not are_leftovers(text)


def test_output_rule():
    assert not is_kept_output({"cells": [STAMP]})
    assert is_kept_output({"cells": [code("1", execution_count=1)]})
    assert is_kept_output({"cells": [code("1", outputs=[{"output_type": "stream", "text": "1"}])]})


@pytest.mark.parametrize(
    "cells",
    [
        [*OPENING[1:], STAMP],
        [markdown("# Title\n\nNo budget."), *OPENING[1:], STAMP],
        [*OPENING[:2], code("import genimg"), STAMP],
        [*OPENING[:2], code("genimg.setup(seed=0)"), STAMP],
        [*OPENING[:2], markdown("Words."), OPENING[2], STAMP],
        [OPENING[0], OPENING[2], STAMP],
        [OPENING[0], OPENING[2], OPENING[1], STAMP],
        [OPENING[0], code(address.INSTALL), OPENING[2], STAMP],
        [OPENING[0], code(address.INSTALL + "\n1 + 1", tags=address.TAGS), OPENING[2], STAMP],
        [*OPENING[:2], STAMP],
        [*OPENING, code("1 + 1")],
        [*OPENING, STAMP, code("1 + 1")],
        [*OPENING, markdown("# Second title"), STAMP],
        [markdown("no title")],
    ],
)
def test_frame_rule_finds(cells):
    assert are_frame_problems({"cells": cells})


@pytest.mark.parametrize("cells", [[*OPENING, STAMP], [*OPENING, STAMP, markdown("## Sources")], [markdown("# Page")]])
def test_frame_rule_lets_pass(cells):
    assert not are_frame_problems({"cells": cells})


@pytest.mark.parametrize(
    "cells",
    [
        [code("ax.plot(x)"), CAPTION],
        [FIGURE, markdown("No caption.")],
        [FIGURE, markdown("Words.\n\n*Figure 2.1. Not at the start.*")],
        [FIGURE, markdown("*Figure. No number.*")],
        [code("ax.plot(x)", **with_alt("A line")), CAPTION],
        [FIGURE, CAPTION, FIGURE, CAPTION],
        [FIGURE, CAPTION, markdown("As Figure 2.2 shows.")],
    ],
)
def test_figure_rule_finds(cells):
    assert are_figure_problems({"cells": cells})


def test_figure_rule_lets_pass():
    assert not are_figure_problems({"cells": [FIGURE, CAPTION, markdown("As Figure 2.1 shows."), code("1 + 1")]})


@pytest.mark.parametrize(
    "texts",
    [
        ["$$a \\tag{2.1}$$", "$$b \\tag{2.1}$$"],
        ["$$a \\tag{2.1}$$ by (2.2)"],
        ["$$a \\tag{A}$$"],
        ["$$a \\tag{2.2}$$ $$b \\tag{2.1}$$"],
        ["$$a \\tag{2.1}$$ $$b \\tag{3.1}$$"],
        ["\\tag{2.1}"],
    ],
)
def test_equation_rule_finds(texts):
    assert are_equation_problems({str(n): {"cells": [markdown(text)]} for n, text in enumerate(texts)})


def test_equation_rule_lets_pass():
    texts = ["$$a \\tag{2.9}$$ $$b \\tag{2.10}$$ by (2.9), (3.1); $f(0.5)$ and `(1.5)`", "$$c \\tag{3.1}$$ by (2.10)"]
    assert not are_equation_problems({str(n): {"cells": [markdown(text)]} for n, text in enumerate(texts)})


def test_papers_have_one_spelling():
    links = "[a](https://arxiv.org/abs/1406.2661v1), https://arxiv.org/pdf/1406.2661.pdf, http://dx.doi.org/10.1/x."
    assert papers_in(links, "[b](https://example.org/x)") == {
        "arxiv.org/abs/1406.2661",
        "doi.org/10.1/x",
    }
