"""Takes the pictures in docs/screenshots: `python docs/screenshots.py [NAME ...]`.

Most pictures show the demo. Walls that the demo does not have, such as one of 200
tiles, come from the factories of the tests.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

from archive import NOW, set_clock  # noqa: E402 (the tests are not a package)
from browser import WallServer  # noqa: E402
from walls import PHONE, save_poll, save_wall  # noqa: E402

from ci_observer.ingest.db import schema  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_SECONDS = 180

TELEVISION = {"width": 1920, "height": 1080}
LAPTOP = {"width": 1280, "height": 900}
# Names like those of large organisations.
NAMES = (
    "CI", "Build and test", "Deploy to production", "Lint", "CodeQL", "Release",
    "End-to-end tests", "Nightly integration tests", "Publish Docker image", "Docs",
    "terraform-plan-production", "Benchmarks",
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A page of the demo, or a wall with a number of feeds if `feeds` is not 0."""

    address: str = ""
    # A selector that matches once the page is complete.
    ready: str = ".tile"
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
    "runs.png": Picture("runs", "#age:not(:empty)", window={"viewport": LAPTOP}),
    "workflow.png": Picture(
        "workflows/acme/web-store/e2e.yml",
        "#age:not(:empty)",
        window={"viewport": LAPTOP},
    ),
}


@contextmanager
def running_demo() -> Iterator[str]:
    """Run the demo with a temporary database; yield its address."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environ = os.environ | {
            "CI_OBSERVER_PORT": str(port),
            "CI_OBSERVER_DB": f"{folder}/ci_observer.db",
        }
        command = [sys.executable, "-m", "ci_observer", "demo"]
        demo = subprocess.Popen(command, cwd=ROOT, env=environ)  # noqa: S603 (our own)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait()


def wait_until_complete(url: str) -> None:
    """Wait until every tile has been fetched once."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            polling = fetch(f"{url}/api/config")["polling"]
            tiles = fetch(f"{url}/api/wall")["tiles"]
        except (urllib.error.URLError, ConnectionError):
            tiles = []
        if tiles and polling["state"] == "ok":
            return
        time.sleep(1)
    raise SystemExit("The demo's wall did not fill in time.")


def fetch(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url) as response:  # noqa: S310 (our own server)
        return json.load(response)


@contextmanager
def running_wall(picture: Picture) -> Iterator[str]:
    """Serve a wall of the tests' factories; yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        with closing(schema.connect(path)) as db:
            schema.migrate(db)
            set_clock(db, NOW)
            save_wall(db, picture.feeds, kinds=picture.kinds, names=NAMES)
            if picture.error:
                save_poll(db, error=picture.error, error_kind="rate_limited")
        server = WallServer(path)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def take_picture(browser: Browser, url: str, name: str) -> None:
    picture = PICTURES[name]
    page = browser.new_page(**picture.window)
    if picture.feeds:
        page.clock.install(time=NOW)
    if picture.blindness:
        simulate(page, picture.blindness)
    page.goto(url + picture.address)
    page.locator(picture.ready).first.wait_for()
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
            wait_until_complete(url)
            for name in of_demo:
                take_picture(browser, f"{url}/", name)
    for name in names:
        if name not in of_demo:
            with running_wall(PICTURES[name]) as url:
                take_picture(browser, url, name)


def main() -> None:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise SystemExit("No Chromium on the PATH: apt install chromium")
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        take_pictures(browser, sys.argv[1:] or list(PICTURES))
        browser.close()


if __name__ == "__main__":
    main()
