"""How soon the wall is drawn on a slow laptop, and what a refresh of it costs there.

    python -m bench.page

The real server, 200 feeds, and Chromium with its processor slowed down six times and
nothing in its cache. A wall is drawn with the frame that shows the last of its tiles:
Chromium's Element Timing knows, after style, layout and painting, which a script cannot
see by itself. The baseline is a page without script or style that has the same texts as
a plain table. What a refresh costs is the time of the main thread, as in DevTools.
"""

import shutil
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.page_server import FeedsServer, feeds_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SLOWER = 6
TIMES = 7
TELEVISION = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}
TEXTS = (
    "workflow_name",
    "repo",
    "branch",
    "tile_state",
    "since_at",
    "last_result_display_title",
    "last_result_actor",
    "success_rate",
    "median_duration_seconds",
)

# Marks the names as they are made, and tells when those in the window have been shown.
WATCH = """
(() => {
  const shownAt = new Map();
  const mark = () => {
    for (const name of document.querySelectorAll(".tile__name:not([elementtiming])")) {
      name.setAttribute("elementtiming", "name");
    }
  };
  new PerformanceObserver((list) => {
    for (const { element, renderTime } of list.getEntries()) {
      shownAt.set(element, renderTime);
    }
  }).observe({ type: "element" });
  new MutationObserver(mark).observe(document, { childList: true, subtree: true });
  const isSeen = (name) => {
    const box = name.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  };
  const drawnAt = (sign, number) => {
    const names = [...document.querySelectorAll(".tile__name")].filter(isSeen);
    const isWhole = document.querySelectorAll(sign).length >= number;
    if (!isWhole || !names.every((name) => shownAt.has(name))) return null;
    const [{ responseStart, responseEnd }] = performance.getEntriesByType("navigation");
    const last = Math.max(...names.map((name) => shownAt.get(name)));
    return { fromStart: last - responseStart, fromEnd: last - responseEnd };
  };
  window.whenDrawn = async ([sign, number]) => {
    while (performance.now() < 60_000) {
      const drawn = drawnAt(sign, number);
      if (drawn) return drawn;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error("The page was not drawn within a minute.");
  };
})();
"""
# What a page has when it has all, and how many: what is not shown, each tile, each row.
WHOLE = {"television": (".more", 1), "phone": (".tile", 200), "table": ("tr", 200)}

Figures = dict[str, float]


def measure(times: int = TIMES) -> Figures:
    """Milliseconds by what they are of, each the median of so many."""
    with feeds_server() as server, table_of(server) as table, chromium() as browser:
        kinds = {
            "television": (server.url, TELEVISION),
            "phone": (server.url, PHONE),
            "table": (table, TELEVISION),
        }
        drawn: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        # In turns, so that what else the machine does disturbs them all alike.
        for _ in range(times):
            for kind, (url, window) in kinds.items():
                drawn[kind].append(first_draw(browser, url, window, WHOLE[kind]))
        figures = {
            f"{kind}: {name}": statistics.median(one[name] for one in found)
            for kind, found in drawn.items()
            for name in found[0]
        }
        return figures | refreshes(browser, server, times)


def first_draw(
    browser: "Browser", url: str, window: dict[str, int], whole: tuple[str, int]
) -> dict[str, float]:
    """From the first and from the last byte to the frame that shows all."""
    with slow_page(browser, window) as (page, _):
        page.add_init_script(WATCH)
        page.goto(url)
        drawn = page.evaluate("whenDrawn", whole)
        return {
            "from the first byte": drawn["fromStart"],
            "from the last byte": drawn["fromEnd"],
        }


def refreshes(browser: "Browser", server: FeedsServer, times: int) -> Figures:
    """The main thread's time of a refresh with a change of one tile, and with none."""
    found: dict[str, list[float]] = {"one change": [], "no change": []}
    with slow_page(browser, TELEVISION) as (page, session):
        page.goto(server.url)
        page.wait_for_selector(".more")
        for _ in range(times):
            for kind, act in (("one change", server.change), ("no change", None)):
                if act:
                    act()
                before = main_thread(session)
                refresh(page)
                found[kind].append(main_thread(session) - before)
    return {
        f"refresh with {kind}: main thread": statistics.median(values)
        for kind, values in found.items()
    }


def refresh(page: "Page") -> None:
    """Let the page ask now, and draw what it is answered."""
    with page.expect_response("**/api/config*"):
        page.evaluate("window.dispatchEvent(new Event('online'))")
    page.wait_for_load_state("networkidle")
    page.evaluate(
        "() => new Promise((done) =>"
        " requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


@contextmanager
def slow_page(
    browser: "Browser", window: dict[str, int]
) -> Iterator[tuple["Page", "CDPSession"]]:
    """A page of a slow machine, without a cache."""
    context = browser.new_context(viewport=window)  # type: ignore[arg-type]
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Performance.enable")
    yield page, session
    context.close()


def main_thread(session: "CDPSession") -> float:
    """Milliseconds that the page's main thread has worked until now."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    [seconds] = [one["value"] for one in metrics if one["name"] == "TaskDuration"]
    return 1000 * float(seconds)


@contextmanager
def chromium() -> Iterator["Browser"]:
    # Here, so that other benchmarks run without a browser.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise SystemExit("There is no Chromium on the PATH: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def table_of(server: FeedsServer) -> Iterator[str]:
    """The address of a static page with the texts of the tiles, a row each."""
    rows = "\n".join(table_row(tile) for tile in server.tiles())
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "table.html"
        page.write_text(
            '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Table</title>'
            f"<table>\n{rows}\n</table>\n"
        )
        handler: Callable[..., Any] = partial(Quiet, directory=folder)
        static = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=static.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{static.server_port}/{page.name}"
        static.shutdown()
        static.server_close()


class Quiet(SimpleHTTPRequestHandler):
    """Without a line for each request."""

    def log_message(self, *_: object) -> None:
        pass


def table_row(tile: dict[str, Any]) -> str:
    first, *others = (escape(str(tile[name])) for name in TEXTS)
    # The class is what `WATCH` looks for.
    cells = "".join(f"<td>{text}" for text in others)
    return f'<tr><td class="tile__name">{first}{cells}'


@click.command()
@click.option("--times", default=TIMES, show_default=True)
def main(*, times: int) -> None:
    """Print the figures in milliseconds."""
    click.echo(f"Chromium {SLOWER} times slower, {datetime.now(UTC):%Y-%m-%d}")
    for name, value in measure(times).items():
        click.echo(f"{name:<44}{value:8.0f} ms")


if __name__ == "__main__":
    main()
