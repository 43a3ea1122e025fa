"""Articles of the built site before axe-core, which finds what keeps readers out who see, hear or point otherwise."""

import sys
from pathlib import Path

import pytest
from test_site import CHAPTERS, WIDTHS, address, browser, visit  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
import live

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


@pytest.fixture(scope="module")
def axe():
    said = []
    modules = live.install(said.append)
    if modules is None:
        pytest.skip(f"axe-core is not installed: {' '.join(said)}")
    return (modules / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("path", CHAPTERS)
def test_articles_hold_no_violation(visit, axe, path):  # noqa: F811
    """The two editions have the same parts: one is looked at wide and light, the other narrow and dark."""
    screen = (WIDTHS["phone"], "dark") if path.startswith("zh/") else (WIDTHS["desktop"], "light")
    page = visit(path, *screen)
    for explorer in page.locator(".explorer").all():
        explorer.scroll_into_view_if_needed()
        if explorer.get_attribute("data-state") == "offered":
            explorer.locator("button").click()
        ended = "e => ['live', 'failed'].includes(e.dataset.state)"
        page.wait_for_function(ended, arg=explorer.element_handle(), timeout=120_000)
    page.eval_on_selector_all("article details", "all => all.forEach(e => { e.open = true; })")  # what is folded, too
    # What opens fades in; half-way, its letters are paler than they will be.
    page.evaluate("Promise.all(document.getAnimations().map(one => one.finished.catch(() => {})))")
    page.evaluate(axe)
    found = page.evaluate(
        "rules => axe.run(document.querySelector('article'), { runOnly: rules, resultTypes: ['violations'] })", RULES
    )
    problems = {
        violation["id"]: [node["html"][:120] + " | " + node["failureSummary"][:300] for node in violation["nodes"][:3]]
        for violation in found["violations"]
    }
    assert not problems
