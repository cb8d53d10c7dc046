"""The example files of contrib/proxy in Chromium: every request of every page."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from browser import REFRESH_SECONDS
from proxies import Proxy
from waiting import HANG_SECONDS

pytestmark = [pytest.mark.browser, pytest.mark.long]

# Each pair of a proxy, a scheme and a way with the prefix. Other tests use all files.
PAIRS = (
    *("caddy/prefix-keep.Caddyfile", "caddy/tls-prefix-strip.Caddyfile"),
    *("caddy/tls.Caddyfile", "nginx/prefix-strip.conf"),
    *("nginx/tls-prefix.conf", "nginx/tls.conf"),
)
PAGES = (
    "runs",
    "workflows/acme/api/ci.yml",
    "ci_observer/runs",
    "ci_observer/failing_now",
    "api",
)
DASHBOARD = "-/dashboards/ci-observer"
TOKEN = "let-me-in-please"  # noqa: S105 (of the test)
DRAWN = """() => document.querySelectorAll("[data-chart]").length
    && [...document.querySelectorAll("[data-part=message], [data-part=value]")]
    .every((part) => !part.textContent.includes("…"))"""

# Chromium restarts a request whose certificate it is told to ignore; once, on a busy
# machine, it did so too often. What arrives, and that charts are drawn, is checked.
GAVE_UP = "net::ERR_TOO_MANY_RETRIES"

Start = Callable[..., Proxy]


class Visitor:
    """A browser's page, and everything that went wrong on it."""

    def __init__(self, chromium: Any, home: str) -> None:
        self.home = home
        context = chromium.new_context(ignore_https_errors=True)
        context.set_default_timeout(HANG_SECONDS * 1000)
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.paths: set[str] = set()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)
        self.page.on("response", self._response)

    def open(self, path: str) -> Any:
        self.page.goto(f"{self.home}{path}")
        return self.page

    def _console(self, message: Any) -> None:
        if message.type == "error" and GAVE_UP not in message.text:
            self.complaints.append(message.text)

    def _request(self, request: Any) -> None:
        self.paths.add(urlsplit(request.url.removeprefix(self.home)).path)
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.complaints.append(f"request to {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= httpx.codes.BAD_REQUEST:
            self.complaints.append(f"{response.status} {response.url}")


@pytest.mark.parametrize("example", PAIRS)
def test_every_page_works_behind_the_proxy(
    chromium: Any, start: Start, example: str
) -> None:
    visitor = Visitor(chromium, start(example).home)
    page = visitor.page
    page.clock.install()

    with page.expect_response("**/api/wall*"):
        visitor.open("")
    with page.expect_response("**/api/config*"):
        page.clock.fast_forward(REFRESH_SECONDS * 1000)
    for path in PAGES:
        visitor.open(path)
    visitor.open(DASHBOARD)
    page.wait_for_function(DRAWN)
    visitor.page.context.close()

    assert visitor.complaints == []
    rows = "-/dashboards/ci-observer/runs-by-day.json"
    assert {"api/wall", "api/config", rows} <= visitor.paths


@pytest.mark.parametrize("example", ["nginx/tls.conf", "caddy/tls-prefix.Caddyfile"])
def test_charts_and_their_links_work_also_if_the_proxy_is_not_trusted(
    chromium: Any, start: Start, example: str
) -> None:
    proxy = start(example, FORWARDED_ALLOW_IPS="192.0.2.1")
    visitor = Visitor(chromium, proxy.home)
    page = visitor.page

    visitor.open("ci_observer/runs?_size=5").click("text=Next page")
    page.wait_for_url(f"{visitor.home}ci_observer/runs?*_next=*")
    visitor.open(DASHBOARD).wait_for_function(DRAWN)
    page.locator("#chart-runs-by-day .mark-rect path").first.click()
    page.wait_for_url(f"{visitor.home}runs?*")

    assert visitor.complaints == []


def test_a_login_stays_below_the_prefix_and_its_cookie_is_secure(
    chromium: Any, start: Start
) -> None:
    proxy = start("nginx/tls-prefix-strip.conf", ACCESS_TOKEN=TOKEN)
    visitor = Visitor(chromium, proxy.home)
    page = visitor.page

    visitor.open("runs?q=1")
    page.wait_for_url(f"{visitor.home}login?*")
    page.locator("input[type=password]").fill(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{visitor.home}runs?q=1")
    visitor.open(DASHBOARD).wait_for_function(DRAWN)

    # datasette-dashboards can redirect to default filters, and used to set it again.
    [cookie] = page.context.cookies()
    assert (cookie["path"], cookie["secure"], cookie["httpOnly"]) == (
        "/ci/",
        True,
        True,
    )
    assert visitor.complaints == []
