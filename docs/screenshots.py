"""Takes the pictures in docs/screenshots: `python docs/screenshots.py [NAME ...]`.

Most pictures show the demo. Walls that the demo does not have, such as one of 200
tiles, come from the factories of the tests.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picture_servers import NOW, PHONE, chromium, running_demo, running_wall
from playwright.sync_api import Browser, Page

FOLDER = Path(__file__).parent / "screenshots"

TELEVISION = {"width": 1920, "height": 1080}
LAPTOP = {"width": 1280, "height": 900}


@dataclass(frozen=True)
class Picture:
    """A page of the demo, or a wall with a number of feeds if `feeds` is not 0."""

    address: str = ""
    # A selector that matches once the page is complete.
    ready: str = ".tile"
    # What is clicked then.
    clicks: Sequence[str] = ()
    feeds: int = 0
    kinds: Sequence[str] = ()
    error: str | None = None
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
    "settings.png": Picture(
        "?mute=acme/data-pipeline/reindex.yml",
        clicks=("#settings", "[data-list=repo] summary"),
    ),
    "runs.png": Picture("runs", "#age:not(:empty)", window={"viewport": LAPTOP}),
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
    page.goto(url + picture.address)
    page.locator(picture.ready).first.wait_for()
    for selector in picture.clicks:
        page.locator(selector).click()
    # Scripts that the wall loads on demand.
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / name)
    page.close()


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
