"""Makes docs/screenshots from the demo: `python docs/screenshots.py`.

The demo is the product itself on a simulated GitHub; nothing here knows what it shows.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS = 180

TELEVISION = {"viewport": {"width": 1920, "height": 1080}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
LAPTOP = {"viewport": {"width": 1280, "height": 900}}
# The window, the address, and what is there when the page is complete.
PICTURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "wall.png": (TELEVISION, "/", ".tile"),
    "phone.png": (PHONE, "/", ".tile"),
    "runs.png": (LAPTOP, "/runs", "#age:not(:empty)"),
    "workflow.png": (
        LAPTOP,
        "/workflows/acme/web-store/e2e.yml",
        "#age:not(:empty)",
    ),
}


@contextmanager
def running_demo() -> Iterator[str]:
    """The demo's address; it is stopped, and its database dropped, at the end."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environ = os.environ | {
            "CI_OBSERVER_PORT": str(port),
            "CI_OBSERVER_DB": f"{folder}/ci_observer.db",
        }
        command = [sys.executable, "-m", "ingest", "demo"]
        demo = subprocess.Popen(command, cwd=ROOT, env=environ)  # noqa: S603 (our own)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait()


def wait_until_complete(url: str) -> None:
    """Wait until every tile has been fetched once."""
    deadline = time.monotonic() + PATIENCE_SECONDS
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
    with urllib.request.urlopen(url) as answer:  # noqa: S310 (our own server)
        return json.load(answer)


def take_pictures(browser: Browser, url: str) -> None:
    for name, (window, path, sign) in PICTURES.items():
        page = browser.new_page(**window)
        page.goto(url + path)
        page.locator(sign).first.wait_for()
        page.screenshot(path=FOLDER / name)
        page.close()


def main() -> None:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        raise SystemExit("No Chromium on the PATH: apt install chromium")
    FOLDER.mkdir(exist_ok=True)
    with running_demo() as url, sync_playwright() as playwright:
        wait_until_complete(url)
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        take_pictures(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
