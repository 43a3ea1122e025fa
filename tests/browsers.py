"""Which browser the tests use, and how it is started."""

import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"


def find_browser():
    """Where a browser is installed; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
