"""The page of the package's public names: every module, every name described, only backticks as markup."""

import importlib
import inspect
import pkgutil
import re

import api
import pytest
from sphinx.pycode import ModuleAnalyzer
from test_conventions import BOOK, README, ROOT

import genimg

PAGE = (BOOK / "api.md").read_text("utf-8")
ROOMS = ("system", "data", "models", "measure", "training", "runs", "book")
#: All modules but the rooms themselves, the command line's entry, records, and the checks of single chapters.
MODULES = [
    name
    for name in (module.name.removeprefix("genimg.") for module in pkgutil.walk_packages(genimg.__path__, "genimg."))
    if name not in (*ROOMS, "__main__", "recorded") and not name.startswith("book.exercises.")
]


def own(name):
    """The functions and classes that a module itself makes public: name -> object."""
    module = importlib.import_module(f"genimg.{name}")
    return {
        key: thing
        for key, thing in vars(module).items()
        if not key.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing))
        if thing.__module__ == module.__name__
    }


def methods(cls):
    """The public methods and properties that a class itself defines, `forward` aside: torch's name for a call."""
    things = {name: thing for name, thing in vars(cls).items() if not name.startswith("_") and name != "forward"}
    return {name: t for name, t in things.items() if inspect.isroutine(getattr(cls, name)) or isinstance(t, property)}


def without_description(name):
    analyzer = ModuleAnalyzer.for_module(f"genimg.{name}")
    analyzer.analyze()
    found = [key for key in api.constants(analyzer.code) if ("", key) not in analyzer.attr_docs]
    for key, thing in own(name).items():
        if not thing.__doc__ or thing.__doc__.startswith(f"{key}("):  # the second is what dataclasses make up
            found.append(key)
        if inspect.isclass(thing):
            found += [f"{key}.{method}" for method in methods(thing) if not getattr(thing, method).__doc__]
    return found


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_described(name):
    assert not without_description(name)


def test_the_page_has_every_module_room_by_room():
    on_page = re.findall(r"^\.\. automodule:: genimg\.([\w.]+)$", PAGE, re.MULTILINE)
    assert on_page == re.findall(r"^### `genimg\.([\w.]+)`$", PAGE, re.MULTILINE)
    assert sorted(on_page) == sorted(MODULES)
    assert tuple(dict.fromkeys(name.split(".")[0] for name in on_page)) == (*ROOMS, "plots")
    assert re.findall(r"^## .+: `(\w+)`$", PAGE, re.MULTILINE) == [*ROOMS, "plots"]


def test_readmes_tree_has_every_module_in_its_room():
    tree = re.search(r"^genimg/\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)[1]
    assert len(tree.splitlines()) < 40
    blocks = dict(re.findall(r"^  (\w+)/? (.*?)(?=^  \w|\Z)", tree, re.MULTILINE | re.DOTALL))
    assert [name for name in blocks if name != "plots"] == list(ROOMS)
    for name in MODULES:
        room, *inside = name.split(".")
        assert room in blocks and (not inside or inside[0] in re.findall(r"\w+", blocks[room])), name


def test_the_page_has_every_public_name():
    rows = re.findall(r"^- `genimg\.(\w+)` is \{py:(\w+)\}`[\w.]+ <genimg\.([\w.]+)>`$", PAGE, re.MULTILINE)
    assert {name for name, *_ in rows} == set(genimg.__all__)
    for name, role, place in rows:
        module, _, key = ("", "", "") if role == "mod" else place.rpartition(".")
        thing = importlib.import_module(f"genimg.{place}") if role == "mod" else None
        assert getattr(genimg, name) is (thing or getattr(importlib.import_module(f"genimg.{module}"), key))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("|grad logit|^2 and *z.shape", r"\|grad logit\|^2 and \*z.shape"),
        ("`a|b`, x_ and x_real", r"`a|b`, x\_ and x_real"),
        ('"digits"', r"\"digits\""),
    ],
)
def test_only_backticks_are_markup(text, escaped):
    assert api.as_plain_text(text) == escaped


def test_constants_are_found_with_their_lines():
    code = "A, B = 1, 2\nfrom x import C\nD: int = 3\nd = 4\nE = {\n    1: 2,\n}\nF.g = 5\n"
    assert api.constants(code) == {"A": (1, 1), "B": (1, 1), "D": (3, 3), "E": (5, 7)}


def read_as_types(text):
    """Comments on constants whose words before a colon autodoc takes for a type, which it then looks for in vain."""
    found = re.findall(r"^#: (.*(?:\n#: .*)*)\n(?!#:)", text, re.MULTILINE)
    return [said for said in (one.replace("\n#: ", " ") for one in found) if re.match(r"[^`]*?\w: ", said)]


@pytest.mark.parametrize("path", sorted((ROOT / "genimg").rglob("*.py")), ids=lambda path: path.stem)
def test_no_comment_on_a_constant_is_read_as_a_type(path):
    assert not read_as_types(path.read_text("utf-8"))


def test_a_comment_that_is_read_as_a_type_is_found():
    assert read_as_types("#: Rows: lightness,\n#: and colours.\nX = 1\n") == ["Rows: lightness, and colours."]
    assert read_as_types("#: Its rows are lightness and colours.\nX = 1\n") == []
