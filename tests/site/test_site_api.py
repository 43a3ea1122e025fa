"""The built page of the package's public names: every name once, with a link to its source.

Runs where BOOK_SITE names a built site, as .ci/run does: BOOK_SITE=_build/html pytest -n 0 tests/site/test_site_api.py
"""

import os
import re
from pathlib import Path

import pytest

if not os.environ.get("BOOK_SITE"):
    pytest.skip("BOOK_SITE names no built site", allow_module_level=True)

import api
from bs4 import BeautifulSoup
from sphinx.pycode import ModuleAnalyzer
from test_api import MODULES, methods, own

SITE = Path(os.environ["BOOK_SITE"]).resolve()


@pytest.fixture(scope="module")
def page():
    return BeautifulSoup((SITE / "book" / "api.html").read_text("utf-8"), "html.parser")


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_stands_once_with_its_source(page, name):
    classes = {key: thing for key, thing in own(name).items() if isinstance(thing, type)}
    wanted = {*own(name), *api.constants(ModuleAnalyzer.for_module(f"genimg.{name}").code)}
    wanted |= {f"{key}.{method}" for key, thing in classes.items() for method in methods(thing)}
    for key in wanted:
        signatures = page.find_all("dt", id=f"genimg.{name}.{key}")
        assert len(signatures) == 1, f"{key} stands {len(signatures)} times"
        source = signatures[0].find("a", href=re.compile(r"_modules/"))
        assert source, f"{key} has no link to its source"
        file, _, anchor = source["href"].partition("#")
        assert anchor == key
        assert f'id="{anchor}"' in (SITE / "book" / file).resolve().read_text("utf-8")


def test_no_name_stands_twice(page):
    ids = [signature["id"] for signature in page.select("dt.sig[id]")]
    assert len(ids) == len(set(ids)) > 300


def test_descriptions_have_no_markup_left(page):
    article = page.find("article")
    assert not article.select(".system-message, .problematic")
    for code in article.find_all(["pre", "code"]):
        code.extract()
    assert not re.findall(r".{0,30}(?:``|\\[*|_\"]|:\w+:`).{0,30}", article.get_text())


def test_values_hold_nothing_of_the_machine(page):
    assert not re.findall(r"0x[0-9a-f]{6,}|PosixPath|/home/|/tmp/|/root/", page.find("article").get_text())
