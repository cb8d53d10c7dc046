"""Takes the pictures in docs/screenshots: `python docs/screenshots.py [NAME ...]`.

Most pictures show the demo. Walls that the demo does not have, such as one of 200
tiles, come from the factories of the tests.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from picture_servers import NOW, PHONE, chromium, running_demo, running_wall
from playwright.sync_api import Browser, Page, TimeoutError

FOLDER = Path(__file__).parent / "screenshots"

TELEVISION = {"width": 1920, "height": 1080}
LAPTOP = {"width": 1280, "height": 900}
NOTEBOOK = {"width": 1366, "height": 768}


@dataclass(frozen=True)
class Picture:
    """A page of the demo, or a wall with a number of feeds if `feeds` is not 0."""

    address: str = ""
    # A selector that matches once the page is complete.
    ready: str = ".tile"
    seconds: int = 30
    # The click that follows.
    clicks: Sequence[str] = ()
    feeds: int = 0
    kinds: Sequence[str] = ()
    error: str | None = None
    # With it, the wall of a past time.
    hours_ago: int = 0
    blindness: str | None = None
    window: dict[str, Any] = field(default_factory=lambda: {"viewport": TELEVISION})


PICTURES = {
    "wall.png": Picture(),
    "phone.png": Picture(window={"viewport": PHONE, "device_scale_factor": 2}),
    "light.png": Picture("?theme=light"),
    "deuteranopia.png": Picture(blindness="deuteranopia"),
    "wall-60.png": Picture(feeds=60),
    "wall-200.png": Picture(feeds=200),
    # Each state that a passing tile must not be taken for, next to one.
    "untested.png": Picture(
        feeds=24,
        kinds=(
            *("passing", "cancelled", "cancelled_often", "cancelled_by_ada"),
            *("misunderstood", "no_conclusion", "stale_run", "phantom", "no_runs"),
            *("failing", "timed_out", "blocked", "archived", "stuck", "tag", "passing"),
            *("pull_requests_only", "unscheduled", "unknown", "held", "running"),
            *("queued", "waiting", "passing"),
        ),
    ),
    "green.png": Picture(feeds=24, kinds=("passing", "running", "passing", "flaky")),
    "banner.png": Picture(feeds=24, error="5000 requests an hour are spent."),
    "past.png": Picture(hours_ago=30, window={"viewport": NOTEBOOK}),
    "settings.png": Picture(
        "?mute=acme/data-pipeline/reindex.yml",
        clicks=("#settings", "[data-list=repo] summary"),
    ),
    "runs.png": Picture("runs", "#age:not(:empty)", window={"viewport": LAPTOP}),
    # The demo fetches jobs from the newest run to the oldest.
    "jobs.png": Picture(
        "workflows/acme/web-store/ci.yml/jobs",
        ".jobgrid tbody tr:first-child td:nth-of-type(1) a",
        seconds=300,
        window={"viewport": LAPTOP},
    ),
    "run.png": Picture(
        "workflows/acme/web-store/ci.yml/jobs",
        ".red__error",
        seconds=300,
        clicks=("li:has(.red__error) a >> nth=0",),
        window={"viewport": LAPTOP},
    ),
    # The demo fetches jobs for minutes; until then banners say that numbers lack them.
    "summary.png": Picture(
        "summary",
        ".summary:not(:has(> .banner)) #queue table",
        seconds=600,
        window={"viewport": LAPTOP},
    ),
    "dashboard.png": Picture(
        "-/dashboards/jobs",
        "main:not(:has-text('still being fetched')) #card-minutes-by-actor svg",
        seconds=600,
        window={"viewport": {"width": 1280, "height": 1350}},
    ),
    "commits.png": Picture(
        "commits/acme/web-store", ".matrix__title", window={"viewport": LAPTOP}
    ),
    # A commit with a failure and a success.
    "commit.png": Picture(
        "commits/acme/web-store",
        ".matrix__title",
        clicks=(
            "tr:has([data-state=failing]):has([data-look=good]) .matrix__title"
            " >> nth=0",
        ),
        window={"viewport": {"width": 1280, "height": 560}},
    ),
    "workflow.png": Picture(
        "workflows/acme/web-store/e2e.yml",
        "#age:not(:empty)",
        window={"viewport": LAPTOP},
    ),
}


def take_picture(browser: Browser, url: str, name: str) -> None:
    picture = PICTURES[name]
    page = browser.new_page(**picture.window)
    if picture.feeds:
        page.clock.install(time=NOW)
    if picture.blindness:
        simulate(page, picture.blindness)
    open_page(page, url + (picture.address or past_address(picture.hours_ago)), picture)
    for selector in picture.clicks:
        page.locator(selector).click()
    # Scripts that the wall loads on demand.
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / name)
    page.close()


def past_address(hours_ago: int) -> str:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return f"?at={at:%Y-%m-%dT%H:%MZ}" if hours_ago else ""


def open_page(page: Page, address: str, picture: Picture) -> None:
    """Load a page, and again every 30 seconds until it is complete."""
    for second in range(0, picture.seconds, 30):
        page.goto(address)
        try:
            page.locator(picture.ready).first.wait_for(timeout=30_000)
        except TimeoutError:
            if second + 30 >= picture.seconds:
                raise
        else:
            return


def simulate(page: Page, blindness: str) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setEmulatedVisionDeficiency", {"type": blindness})


def take_pictures(browser: Browser, names: Sequence[str]) -> None:
    of_demo = [name for name in names if not PICTURES[name].feeds]
    if of_demo:
        with running_demo() as url:
            for name in of_demo:
                take_picture(browser, url, name)
    for name in names:
        picture = PICTURES[name]
        if not picture.feeds:
            continue
        with running_wall(
            picture.feeds, kinds=picture.kinds, error=picture.error
        ) as url:
            take_picture(browser, url, name)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with chromium() as browser:
        take_pictures(browser, sys.argv[1:] or list(PICTURES))


if __name__ == "__main__":
    main()
