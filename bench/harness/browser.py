"""Chromium on a slow machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def chromium() -> Iterator["Browser"]:
    # Imported here so that other benchmarks run without a browser.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise SystemExit("There is no Chromium on the PATH: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def slow_page(
    browser: "Browser", viewport: dict[str, int], slowdown: int
) -> Iterator[tuple["Page", "CDPSession"]]:
    """A page without a cache, whose CPU is throttled to a fraction."""
    context = browser.new_context(viewport=viewport)  # type: ignore[arg-type]
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Performance.enable")
    yield page, session
    context.close()


def main_thread_ms(session: "CDPSession") -> float:
    """The time that the page's main thread has worked so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    [seconds] = [item["value"] for item in metrics if item["name"] == "TaskDuration"]
    return 1000 * float(seconds)
