"""The servers behind the pictures: the demo, and walls that the demo does not have."""

import json
import os
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
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

from archive import NOW, set_clock  # noqa: E402 (the tests are not a package)
from browser import WallServer  # noqa: E402
from walls import PHONE, save_poll, save_wall  # noqa: E402

from bench.harness.browser import chromium  # noqa: E402
from ci_observer.ingest.db import schema  # noqa: E402

__all__ = ["NAMES", "NOW", "PHONE", "chromium", "running_demo", "running_wall"]

TIMEOUT_SECONDS = 180
# Names like those of large organisations.
NAMES = (
    "CI", "Build and test", "Deploy to production", "Lint", "CodeQL", "Release",
    "End-to-end tests", "Nightly integration tests", "Publish Docker image", "Docs",
    "terraform-plan-production", "Benchmarks",
)  # fmt: skip


@contextmanager
def running_demo() -> Iterator[str]:
    """Run the demo until its wall is complete; yield its address."""
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
            url = f"http://127.0.0.1:{port}/"
            wait_until_complete(url)
            yield url
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait()


def wait_until_complete(url: str) -> None:
    """Wait until every tile has been fetched once."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            polling = fetch(f"{url}api/config")["polling"]
            tiles = fetch(f"{url}api/wall")["tiles"]
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
def running_wall(
    feeds: int,
    *,
    kinds: Sequence[str] = (),
    names: Sequence[str] = NAMES,
    error: str | None = None,
) -> Iterator[str]:
    """Serve a wall of the tests' factories; yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci_observer.db"
        with closing(schema.connect(path)) as db:
            schema.migrate(db)
            set_clock(db, NOW)
            save_wall(db, feeds, kinds=kinds, names=names)
            if error:
                save_poll(db, error=error, error_kind="rate_limited")
        server = WallServer(path)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()
