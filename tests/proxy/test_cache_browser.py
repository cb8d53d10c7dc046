"""The wall in Chromium behind nginx, which repeats old responses of a dead server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import REFRESH_SECONDS
from counted_server import CountedServer
from proxies import Certificate, Proxy, running_proxy
from waiting import HANG_SECONDS, eventually

pytestmark = [pytest.mark.browser, pytest.mark.long]

EXAMPLE = "nginx/tls-prefix-cache.conf"
# What the example leaves out for this reason: stored responses without a limit.
WITHOUT_LIMIT = "proxy_cache_use_stale error timeout updating http_502 http_504;"
LOUD = "No connection to CI Observer"
CAUSE = "A cache repeats an old response."


@pytest.fixture
def server(database: Path) -> Iterator[CountedServer]:
    server = CountedServer(database)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(
    server: CountedServer, certificate: Certificate, tmp_path: Path
) -> Iterator[Proxy]:
    def edit(text: str) -> str:
        return text.replace("proxy_cache_lock on;", WITHOUT_LIMIT)

    with running_proxy(EXAMPLE, server.port, certificate, tmp_path, edit) as proxy:
        yield proxy


class Wall:
    """A wall whose clock and timers move only when the test moves them."""

    def __init__(self, chromium: Any, home: str, *, clock: str | None = None) -> None:
        context = chromium.new_context(ignore_https_errors=True)
        context.set_default_timeout(HANG_SECONDS * 1000)
        context.clock.install(**({"time": clock} if clock else {}))
        self.page = context.new_page()
        self.page.goto(home)
        self.page.wait_for_selector(".tile")

    def refresh(self, after_ms: int = REFRESH_SECONDS * 1000) -> tuple[int, str]:
        """The status of the configuration, and what nginx says of it."""
        with self.page.expect_response("**/api/config") as found:
            self.page.clock.fast_forward(after_ms)
        response = found.value
        response.finished()
        return response.status, response.headers["x-cache-status"]

    def is_lost(self) -> bool:
        self.page.clock.run_for(1000)
        return bool(self.page.locator("body").get_attribute("data-lost") == "true")

    def refresh_until(self, *, is_lost: bool) -> int:
        """The number of refreshes."""
        for number in range(1, 100):
            self.refresh()
            if self.is_lost() is is_lost:
                return number
        raise AssertionError(f"The wall is not {'lost' if is_lost else 'well'}.")


def test_a_dead_server_behind_a_cache_is_as_loud_as_none(
    chromium: Any, server: CountedServer, proxy: Proxy
) -> None:
    wall = Wall(chromium, proxy.home)
    wall.refresh_until(is_lost=False)
    server.stop()
    refreshes = wall.refresh_until(is_lost=True)
    # nginx responds in place of the server, also after the time of the response.
    eventually(lambda: wall.refresh() == (200, "STALE"))
    banner = wall.page.locator("#banner")
    text, level = banner.inner_text(), banner.get_attribute("data-level")
    opened = Wall(chromium, proxy.home, clock="2035-01-01T00:00:00Z")
    # The clock of this screen disagrees with the page, so it looks twice.
    opened.refresh(4000)
    if not opened.is_lost():
        opened.refresh(4000)
    is_opened_lost = opened.is_lost()
    server.start()
    wall.refresh_until(is_lost=False)
    opened.refresh_until(is_lost=False)

    assert refreshes <= 4
    assert LOUD in text
    assert CAUSE in text
    assert level == "loud"
    assert is_opened_lost
