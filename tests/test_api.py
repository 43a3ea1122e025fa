"""The page of the package's public names: every module, every name described, only backticks as markup."""

import importlib
import inspect
import pkgutil
import re

import api
import pytest
from sphinx.pycode import ModuleAnalyzer
from test_conventions import BOOK, README

import genimg

PAGE = (BOOK / "api.md").read_text("utf-8")
MODULES = [module.name for module in pkgutil.iter_modules(genimg.__path__) if not module.name.startswith("_")]


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


def test_the_page_has_every_module_in_the_order_of_readme():
    on_page = re.findall(r"^\.\. automodule:: genimg\.(\w+)$", PAGE, re.MULTILINE)
    headings = re.findall(r"^### `genimg\.(\w+)`$", PAGE, re.MULTILINE)
    row = next(line for line in README.read_text("utf-8").splitlines() if line.startswith("| `genimg/`"))
    assert on_page == headings == re.findall(r"`(\w+)`", row)
    assert sorted(on_page) == sorted(MODULES)


def test_the_page_has_every_short_name():
    short = {name for name in genimg.__all__ if not inspect.ismodule(getattr(genimg, name))}
    rows = re.findall(r"^\| `genimg\.(\w+)` \| \{py:\w+\}`[\w.]+ <genimg\.(\w+)\.(\w+)>` \|$", PAGE, re.MULTILINE)
    assert {name for name, *_ in rows} == short
    for name, module, key in rows:
        assert getattr(genimg, name) is getattr(importlib.import_module(f"genimg.{module}"), key)


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
