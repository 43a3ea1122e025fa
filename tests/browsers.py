"""Which browser the tests use, and how it is started."""

import shutil

import pytest

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Random numbers of a page, the same at every visit (mulberry32).
SEEDED = """let state = 1;
Math.random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};"""
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"


def find_browser():
    """Where a browser is installed; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser():
    executable = find_browser()
    if not executable:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with pytest.importorskip("playwright.sync_api").sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=FLAGS.split())
        yield started
        started.close()


def comes(page, holds, seconds=60):
    """Whether what is asked for comes, on however busy a machine: looks at it until then."""
    for _ in range(20 * seconds):
        if holds():
            return True
        page.wait_for_timeout(50)
    return False


def rest(page, look, seconds=60):
    """What is seen once two looks, .3 s apart, see the same; fails if there is no rest."""
    now = look()
    for _ in range(3 * seconds):
        page.wait_for_timeout(300)
        before, now = now, look()
        if before == now:
            return now
    raise AssertionError(f"no rest within {seconds} s")
