"""The time until a slow laptop has drawn the wall, and the cost of a refresh there.

    python -m bench.measure.wall_page

It uses the real server, 200 feeds, and Chromium with a six times slower CPU and an
empty cache. A wall is drawn with the frame that shows the last of its tiles. Chromium's
Element Timing reports that frame, after style, layout and paint, which a script cannot
see by itself. The baseline is a page without script or style that has the same texts in
a plain table. The cost of a refresh is the time of the main thread, as in DevTools.
"""

import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.baselines.plain_table import plain_table
from bench.harness.browser import chromium, main_thread_ms, slow_page
from bench.harness.feeds_server import FeedsServer, feeds_server
from bench.harness.sizes import FULL, Sizes
from bench.harness.table import Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TIMES = 7
TELEVISION = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}
LAST_BYTE = "from the last byte"
MAIN_THREAD = "main thread"

# Marks each tile name for Element Timing, and waits until all names in the viewport
# have been drawn.
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
  const isInViewport = (name) => {
    const box = name.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  };
  const drawnAt = (selector, count) => {
    const names = [...document.querySelectorAll(".tile__name")].filter(isInViewport);
    const isComplete = document.querySelectorAll(selector).length >= count;
    if (!isComplete || !names.every((name) => shownAt.has(name))) return null;
    const [{ responseStart, responseEnd }] = performance.getEntriesByType("navigation");
    const last = Math.max(...names.map((name) => shownAt.get(name)));
    return { fromStart: last - responseStart, fromEnd: last - responseEnd };
  };
  window.whenDrawn = async ([selector, count]) => {
    while (performance.now() < 60_000) {
      const drawn = drawnAt(selector, count);
      if (drawn) return drawn;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error("The page was not drawn within a minute.");
  };
})();
"""
# A selector, and the number of its elements on a complete page: the overflow of the
# television, each tile of the phone, each row of the table.
COMPLETE = {"television": (".more", 1), "phone": (".tile", 200), "table": ("tr", 200)}

Figures = dict[str, float]


def rows(_small: Path, _large: Path, sizes: Sizes) -> Iterator[Row]:
    """The first draw vs a plain table, and a refresh vs that draw."""
    figures = measure(sizes.page_loads, slowdown=sizes.slowdown)
    for kind, goal in (("television", "<= 1.9x"), ("phone", None)):
        yield Row(
            title=f"wall drawn after its last byte, {kind},"
            f" CPU {sizes.slowdown} times slower, vs a plain table",
            ours=figures[f"{kind}: {LAST_BYTE}"],
            baseline=figures[f"table: {LAST_BYTE}"],
            unit="ms",
            goal=goal,
        )
    for kind in ("one change", "no change"):
        yield Row(
            title=f"refresh with {kind}, vs the first draw: main-thread time",
            ours=figures[f"refresh with {kind}: {MAIN_THREAD}"],
            baseline=figures[f"television: {LAST_BYTE}"],
            unit="ms",
        )


def measure(times: int = TIMES, *, slowdown: int = FULL.slowdown) -> Figures:
    """All figures in milliseconds, by name; each is a median."""
    with (
        feeds_server() as server,
        plain_table(server.tiles()) as table_url,
        chromium() as browser,
    ):
        kinds = {
            "television": (server.url, TELEVISION),
            "phone": (server.url, PHONE),
            "table": (table_url, TELEVISION),
        }
        drawn: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        # In turn, so that other load on the machine affects all alike.
        for _ in range(times):
            for kind, (url, viewport) in kinds.items():
                drawn[kind].append(
                    first_draw(browser, url, viewport, COMPLETE[kind], slowdown)
                )
        figures = {
            f"{kind}: {name}": statistics.median(draw[name] for draw in draws)
            for kind, draws in drawn.items()
            for name in draws[0]
        }
        return figures | refreshes(browser, server, times, slowdown)


def first_draw(
    browser: "Browser",
    url: str,
    viewport: dict[str, int],
    complete: tuple[str, int],
    slowdown: int,
) -> dict[str, float]:
    """The time from the first and from the last byte to the complete frame."""
    with slow_page(browser, viewport, slowdown) as (page, _):
        page.add_init_script(WATCH)
        page.goto(url)
        drawn = page.evaluate("whenDrawn", complete)
        return {"from the first byte": drawn["fromStart"], LAST_BYTE: drawn["fromEnd"]}


def refreshes(
    browser: "Browser", server: FeedsServer, times: int, slowdown: int
) -> Figures:
    """The main-thread time of a refresh with one changed tile, and without a change."""
    actions: dict[str, Callable[[], None] | None] = {
        "one change": server.add_failure,
        "no change": None,
    }
    found: dict[str, list[float]] = {kind: [] for kind in actions}
    with slow_page(browser, TELEVISION, slowdown) as (page, session):
        page.goto(server.url)
        page.wait_for_selector(".more")
        for _ in range(times):
            for kind, act in actions.items():
                if act:
                    act()
                before = main_thread_ms(session)
                refresh(page)
                found[kind].append(main_thread_ms(session) - before)
    return {
        f"refresh with {kind}: {MAIN_THREAD}": statistics.median(values)
        for kind, values in found.items()
    }


def refresh(page: "Page") -> None:
    """Make the page refresh now, and wait until it is drawn."""
    with page.expect_response("**/api/config*"):
        page.evaluate("window.dispatchEvent(new Event('online'))")
    page.wait_for_load_state("networkidle")
    page.evaluate(
        "() => new Promise((done) =>"
        " requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


@click.command()
@click.option("--times", default=TIMES, show_default=True)
def main(*, times: int) -> None:
    """Print the figures in milliseconds."""
    click.echo(f"Chromium {FULL.slowdown} times slower, {datetime.now(UTC):%Y-%m-%d}")
    for name, value in measure(times).items():
        click.echo(f"{name:<44}{value:8.0f} ms")


if __name__ == "__main__":
    main()
