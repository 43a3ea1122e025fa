"""Measures the built site in a browser: bytes and time to first paint of every page, cold start of every explorer.

BOOK_SITE=_build/html python tests/site/measure_site.py [slowdown]

Prints Markdown tables. Bytes are those on the way, text packed as static hosts pack it; times are medians of three
visits with an empty cache, on this machine; `slowdown` makes the processor so many times slower, as a phone's would be.
"""

import statistics
import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer

from browsers import FLAGS, find_browser
from test_site import CHAPTERS, SITE, Host

VISITS = 3
BYTES = """performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
             .reduce((sum, e) => sum + e.encodedBodySize, 0)"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def visit(browser, address, slowdown):
    """A fresh page with nothing cached, and a function to close it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    if slowdown > 1:
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    page.goto(address, wait_until="networkidle")
    return page, context.close


def main():
    from playwright.sync_api import sync_playwright

    slowdown = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    explorers = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS.split())
        print("| page | bytes | first paint, ms |\n|:--|--:|--:|")
        for path in CHAPTERS:
            paints = []
            for _ in range(VISITS):
                page, close = visit(browser, address + path, slowdown)
                page.wait_for_function(PAINT)  # a slowed processor may have fetched all before it has painted
                paints.append(page.evaluate(PAINT))
                size = page.evaluate(BYTES)
                explorers += [(path, kind) for kind in page.eval_on_selector_all(
                    ".explorer", "all => all.map(e => e.dataset.kind)") if (path, kind) not in explorers]  # fmt: skip
                close()
            print(f"| {path} | {size:,} | {statistics.median(paints):.0f} |", flush=True)
        print(
            "\n| explorer | cold start, ms | bytes more | redraws | median, ms | 95 %, ms |\n|:--|--:|--:|--:|--:|--:|"
        )
        for path, kind in explorers:
            starts = []
            for _ in range(VISITS):
                page, close = visit(browser, address + path, slowdown)
                before = page.evaluate(BYTES)
                explorer = page.locator(f".explorer[data-kind='{kind}']")
                explorer.scroll_into_view_if_needed()
                if explorer.get_attribute("data-state") == "offered":
                    explorer.locator("button").click()
                page.wait_for_function(
                    "k => /live|failed/.test(document.querySelector(`.explorer[data-kind='${k}']`).dataset.state)",
                    arg=kind,
                    timeout=120_000,
                )
                starts.append(int(explorer.get_attribute("data-cold-start")))
                more = page.evaluate(BYTES) - before
                if kind in ("gan-2d", "flow-2d"):
                    explorer.locator(".buttons button").first.click()
                    page.wait_for_timeout(4000)
                else:
                    explorer.locator("input[type='range']").first.focus()
                    for i in range(60):
                        page.keyboard.press("ArrowLeft" if i < 40 else "ArrowRight")
                        page.wait_for_timeout(20)
                times = sorted(explorer.evaluate("e => Array.from(e.api.times)")[1:])  # the first one warms up
                close()
            median, late = statistics.median(times), times[int(0.95 * len(times))]
            start = statistics.median(starts)
            print(f"| {kind} | {start:.0f} | {more:,} | {len(times)} | {median:.1f} | {late:.1f} |", flush=True)
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
