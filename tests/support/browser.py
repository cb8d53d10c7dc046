"""Fixtures for tests in a browser: Debian's Chromium, and the real server on a port."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from archive import NOW

from ci_observer.ingest.config import Config
from ci_observer.web.server import build_datasette

ROOT = Path(__file__).parents[2]
REFRESH_SECONDS = Config().refresh_seconds
TELEVISION = {"width": 1920, "height": 1080}
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class WallServer:
    """The web side as `serve` runs it, in a thread; it can die and come back."""

    def __init__(self, db_path: Path) -> None:
        self._db_path = db_path
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._datasette = build_datasette(self._db_path, root=ROOT)
        self._server = _Server(
            uvicorn.Config(
                self._datasette.app(),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}
        )
        self._thread.start()
        assert self._server.is_up.wait(20), "The server did not start."

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        for database in self._datasette.databases.values():
            database.close()
        self._datasette.executor.shutdown()


class _Server(uvicorn.Server):
    """Says when it listens, so that nobody has to ask again and again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


class Visit:
    """One browser window, and everything it did that it should not have done."""

    def __init__(self, page: Any, server: WallServer) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        # A dead server is worth a line of the browser's own, and is tested apart.
        if message.type in ("error", "warning") and "ERR_" not in message.text:
            self.complaints.append(message.text)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith(self.server.url):
            self.complaints.append(f"request to {request.url}")

    def open(self, query: str = "") -> Any:
        self.page.goto(f"{self.server.url}{query}")
        return self.page

    def refresh(self) -> None:
        """Let the time of one refresh go by."""
        self.page.clock.fast_forward(REFRESH_SECONDS * 1000)


NewVisit = Callable[..., Visit]


@pytest.fixture
def server(db_path: Path) -> Iterator[WallServer]:
    """A server of the test's database, started."""
    server = WallServer(db_path)
    server.start()
    yield server
    server.stop()


@contextmanager
def launched() -> Iterator[Any]:
    """The browser; the tests that want one are skipped where there is none."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: make setup"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on the PATH: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


# Not for the session: Playwright keeps an event loop running in this thread, which the
# asynchronous tests of other modules could not bear.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser, for the tests of one module."""
    with launched() as browser:
        yield browser


@pytest.fixture
def new_visit(chromium: Any, server: WallServer) -> Iterator[NewVisit]:
    """Opens a window on the wall: a television's, whose clock shows the tests' time."""
    opened: list[tuple[Any, Visit]] = []

    def open_window(*, has_clock: bool = True, **options: Any) -> Visit:
        context = chromium.new_context(**({"viewport": TELEVISION} | options))
        visit = Visit(context.new_page(), server)
        if has_clock and options.get("java_script_enabled", True):
            visit.page.clock.install(time=NOW)
        opened.append((context, visit))
        return visit

    yield open_window
    for context, _ in opened:
        context.close()
    assert [visit.complaints for _, visit in opened] == [[] for _ in opened]


@pytest.fixture
def visit(new_visit: NewVisit) -> Visit:
    """One such window."""
    return new_visit()


@pytest.fixture
def expect(chromium: Any) -> Any:
    """Playwright's assertions, which wait for what they state."""
    from playwright.sync_api import expect  # noqa: PLC0415 (absent where skipped)

    return expect
