"""Fixtures for tests in a browser: Chromium, and the real server on a port."""

import asyncio
import re
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from archive import NOW
from datasette.app import Datasette
from waiting import HANG_SECONDS

from ci_observer.demo.server.github_server import PromptServer, bound_socket
from ci_observer.ingest.config import Config
from ci_observer.ingest.times import utc
from ci_observer.web.database import DATABASE, ReadOnlyDatabase
from ci_observer.web.responses import App
from ci_observer.web.server import build_datasette
from ci_observer.web.settings import WebSettings

ROOT = Path(__file__).parents[2]
REFRESH_SECONDS = Config().refresh_seconds
TELEVISION = {"width": 1920, "height": 1080}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Half the processor time of Chromium, which opens a whole window for each page. It has
# no notifications, and blocks no sounds.
HEADLESS_SHELL = ("chromium-headless-shell", *CHROMIUM)
STOPPED_CLOCK = "create view clock as select '(.+)' as now"
TWO_FRAMES = (
    "() => new Promise((done) =>"
    " requestAnimationFrame(() => requestAnimationFrame(done)))"
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class WallServer:
    """The web side as `serve` runs it, in a thread; it can stop and start again."""

    def __init__(self, db_path: Path, web: WebSettings | None = None) -> None:
        self._db_path = db_path
        self._port = 0
        self.web = web

    @property
    def database(self) -> ReadOnlyDatabase:
        """The web side's database."""
        database = self._datasette.get_database(DATABASE)
        assert isinstance(database, ReadOnlyDatabase)
        return database

    @property
    def datasette(self) -> Datasette:
        return self._datasette

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    @property
    def port(self) -> int:
        return self._port

    def app(self) -> App:
        """What the server runs."""
        app: App = self._datasette.app()
        return app

    def start(self) -> None:
        self._listener = bound_socket("127.0.0.1", self._port)
        self._port = self._listener.getsockname()[1]
        self._datasette = build_datasette(self._db_path, root=ROOT, web=self.web)
        self._server = _Server(
            uvicorn.Config(self.app(), log_config=None, log_level="critical", ws="none")
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )
        self._thread.start()
        assert self._server.ready.wait(HANG_SECONDS), "The server did not start."

    def tick(self) -> None:
        """Let the stopped clock of the views go on by a second.

        For a page, a response with the same time is one that a cache repeats.
        """
        uri = f"{self._db_path.as_uri()}?mode=rw"
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(uri, uri=True, timeout=HANG_SECONDS)) as db,
        ):
            row = db.execute("select sql from sqlite_schema where name = 'clock'")
            [sql] = row.fetchone() or [""]
            stopped = re.fullmatch(
                "create view clock as select '(.+)' as now", sql, re.I
            )
            if stopped:
                now = utc(datetime.fromisoformat(stopped[1]) + timedelta(seconds=1))
                db.executescript(
                    "begin immediate; drop view clock;"
                    f" create view clock as select '{now}' as now; commit"
                )

    def stop(self) -> None:
        self._server.stop()
        self._thread.join()
        self._listener.close()
        for database in self._datasette.databases.values():
            database.close()
        self._datasette.executor.shutdown()


class _Server(PromptServer):
    """A server that waits for open requests, which may be opening a file."""

    # Ends what the app itself has begun.
    close: Callable[[], Awaitable[None]] | None = None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.close is not None:
            await self.close()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        await super().shutdown(sockets)


class Visit:
    """A browser window, and the errors, dialogs and foreign requests of its pages."""

    def __init__(self, page: Any, server: WallServer, *, has_scripts: bool) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        self._has_scripts = has_scripts
        self._pending: set[Any] = set()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)
        self.page.on("requestfinished", self._request_end)
        self.page.on("requestfailed", self._request_end)
        self.page.on("framenavigated", lambda _: self._pending.clear())

    def _console(self, message: Any) -> None:
        # Chromium itself writes a line when the server is down; other tests cover that.
        if message.type in ("error", "warning") and "ERR_" not in message.text:
            self.complaints.append(message.text)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        self._pending.add(request)
        if not request.url.startswith(self.server.url):
            self.complaints.append(f"request to {request.url}")

    def _request_end(self, request: Any) -> None:
        self._pending.discard(request)

    def open(self, query: str = "") -> Any:
        self.page.goto(f"{self.server.url}{query}")
        self.settle()
        return self.page

    def refresh(self) -> None:
        """Let the time of one refresh pass, and wait until the page has settled."""
        self.server.tick()
        self.page.clock.fast_forward(REFRESH_SECONDS * 1000)
        self.settle()

    def settle(self) -> None:
        """Wait until no request is pending and everything is drawn.

        A frame may start another request, so it takes two quiet rounds.
        """
        if self._has_scripts:
            for _ in range(2):
                self.wait_until(lambda: not self._pending)

    def wait_until(self, is_true: Callable[[], Any]) -> None:
        """Draw frames, and handle the browser's events, until a condition is true."""
        from playwright.sync_api import Error  # noqa: PLC0415 (absent where skipped)

        deadline = time.monotonic() + HANG_SECONDS
        is_done = False
        while not is_done:
            assert time.monotonic() < deadline, self._pending
            try:
                self.page.evaluate(TWO_FRAMES)
            except Error as error:
                if "navigation" not in str(error):
                    raise
            else:
                is_done = bool(is_true())


NewVisit = Callable[..., Visit]


@pytest.fixture
def server(db_path: Path) -> Iterator[WallServer]:
    """A running server of the test's database."""
    server = WallServer(db_path)
    server.start()
    yield server
    server.stop()


class Browsers:
    """The browsers of one process, each launched when a test first needs it."""

    def __init__(self, playwright: Any) -> None:
        self._playwright = playwright
        self._launched: dict[str, Any] = {}

    def launch(self, names: Sequence[str]) -> Any:
        """The first installed browser. Skips the test if there is none."""
        path = next(filter(None, map(shutil.which, names)), None)
        if path is None:
            pytest.skip(f"no {names[0]} on the PATH: apt install {names[0]}")
        if path not in self._launched:
            self._launched[path] = self._playwright.chromium.launch(
                executable_path=path, args=ARGUMENTS
            )
        return self._launched[path]

    def close(self) -> None:
        for browser in self._launched.values():
            browser.close()


@pytest.fixture(scope="session")
def browsers() -> Iterator[tuple[Browsers, asyncio.AbstractEventLoop]]:
    """The browsers of this process, and Playwright's event loop."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: make setup"
    )
    sync_api.expect.set_options(timeout=HANG_SECONDS * 1000)
    with sync_api.sync_playwright() as playwright:
        found = Browsers(playwright)
        # From its start to its end the loop counts as running in this thread, in which
        # the asynchronous tests could not start theirs.
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield found, loop
        asyncio._set_running_loop(loop)
        found.close()


@pytest.fixture
def chromium(
    browsers: tuple[Browsers, asyncio.AbstractEventLoop],
    request: pytest.FixtureRequest,
) -> Iterator[Any]:
    """A browser, whose pages are closed at the end of the test.

    It is the headless shell unless the test is marked `whole_browser`.
    """
    found, loop = browsers
    asyncio._set_running_loop(loop)
    needs_all = request.node.get_closest_marker("whole_browser")
    try:
        browser = found.launch(CHROMIUM if needs_all else HEADLESS_SHELL)
        yield browser
        for context in browser.contexts:
            context.close()
    finally:
        asyncio._set_running_loop(None)


def stop_time(context: Any) -> None:
    """Stop the pages' clocks, stopwatches and timers at `NOW`.

    Time passes only when a test moves it, so no test depends on the machine's speed.
    Frames are still drawn.
    """
    context.add_init_script("window.realFrame = requestAnimationFrame.bind(window)")
    context.clock.install(time=NOW - timedelta(seconds=1))
    context.clock.pause_at(NOW)
    context.add_init_script("window.requestAnimationFrame = window.realFrame")


@pytest.fixture
def new_visit(chromium: Any, server: WallServer) -> Iterator[NewVisit]:
    """Opens windows as large as a television, whose time stands still at `NOW`."""
    visits: list[Visit] = []

    def open_window(*, has_clock: bool = True, **options: Any) -> Visit:
        context = chromium.new_context(**({"viewport": TELEVISION} | options))
        context.set_default_timeout(HANG_SECONDS * 1000)
        has_scripts = options.get("java_script_enabled", True)
        if has_clock and has_scripts:
            stop_time(context)
        visit = Visit(context.new_page(), server, has_scripts=has_scripts)
        visits.append(visit)
        return visit

    yield open_window
    for visit in visits:
        visit.page.context.close()
    assert [visit.complaints for visit in visits] == [[] for _ in visits]


@pytest.fixture
def visit(new_visit: NewVisit) -> Visit:
    """A window with the defaults of `new_visit`."""
    return new_visit()


@pytest.fixture
def expect(chromium: Any) -> Any:
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect  # noqa: PLC0415 (absent where skipped)

    return expect
