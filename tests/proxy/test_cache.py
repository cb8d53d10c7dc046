"""The examples of a cache: many walls, and responses that are never stored."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from counted_server import CountedServer
from proxies import Certificate, Proxy, running_proxy
from waiting import HANG_SECONDS

NGINX, VARNISH = "nginx/tls-prefix-cache.conf", "varnish/cache.vcl"
WALLS = 40
# Of browsers, old and new, and of programs.
ENCODINGS = ("gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate", "gzip")
SECONDS = 4
PAUSE_SECONDS = 0.5
# What a wall requests, and a person next to it.
PATHS = ("/ci/api/config", "/ci/api/wall", "/ci/api/runs", "/ci/")
# On a slow machine, a second and more may pass between two of them.
REQUESTS = 8
UNSTORED = ("/ci/api/health", "/ci/api/runs.ndjson", "/ci/api/nothing")
TOKEN = "let-me-in-please"  # noqa: S105 (of the test)

Start = Callable[..., Proxy]


@pytest.fixture
def counted(database: Path) -> Iterator[CountedServer]:
    server = CountedServer(database)
    server.start()
    yield server
    server.stop()


def test_many_walls_cost_one_request_a_second_for_each_route(
    counted: CountedServer, certificate: Certificate, tmp_path: Path
) -> None:
    with running_proxy(NGINX, counted.port, certificate, tmp_path) as proxy:
        run_walls(counted, proxy.home, certificate)


def test_varnish_stores_the_same_and_no_more(
    counted: CountedServer, certificate: Certificate, tmp_path: Path
) -> None:
    with running_proxy(VARNISH, counted.port, certificate, tmp_path) as proxy:
        run_walls(counted, f"{proxy.http}/ci/", certificate)
        with httpx.Client(
            base_url=proxy.http, trust_env=False, timeout=HANG_SECONDS
        ) as client:

            def requests(path: str, **headers: str) -> int:
                """How many of `REQUESTS` requests reach the server."""
                before = len(counted.times[path])
                for _ in range(REQUESTS):
                    client.get(path, headers=headers)
                return len(counted.times[path]) - before

            unstored = [requests(path) for path in UNSTORED]
            known = requests("/ci/api/filters", Cookie="a=b; ci_observer_1_ci=x")
            stranger = requests("/ci/api/filters", Cookie="a=b")
            links = {
                scheme: client.get(
                    "/ci/feed.atom", headers={"X-Forwarded-Proto": scheme}
                ).text
                for scheme in ("https", "http")
            }

    assert unstored == [REQUESTS] * len(UNSTORED)
    assert known == REQUESTS
    assert stranger < REQUESTS
    for scheme, text in links.items():
        assert f'href="{scheme}://localhost' in text


def run_walls(counted: CountedServer, home: str, certificate: Certificate) -> None:
    """Assert that many walls reach the server once a second and route."""
    start = time.monotonic()
    responses = asyncio.run(_run_walls(home, certificate))
    elapsed = time.monotonic() - start

    for path in PATHS:
        # At the start and at the end, one more may be on its way.
        assert 1 <= counted.rounds(path) <= elapsed + 2, path
        assert responses[path] > counted.rounds(path), path


async def _run_walls(home: str, certificate: Certificate) -> dict[str, int]:
    """The number of responses to all walls by path; each must be 200."""
    responses = dict.fromkeys(PATHS, 0)
    end = time.monotonic() + SECONDS
    context = ssl.create_default_context(cafile=certificate.path)
    async with httpx.AsyncClient(
        verify=context, timeout=HANG_SECONDS, trust_env=False
    ) as client:

        async def wall(number: int) -> None:
            headers = {"Accept-Encoding": ENCODINGS[number % len(ENCODINGS)]}
            # Of another program on the same host.
            cookie = {"Cookie": f"session={number}"}
            while time.monotonic() < end:
                for path in PATHS:
                    response = await client.get(
                        f"{home}{path.removeprefix('/ci/')}",
                        headers=headers | (cookie if "/api/" in path else {}),
                    )
                    assert response.status_code == httpx.codes.OK
                    responses[path] += 1
                await asyncio.sleep(PAUSE_SECONDS)

        await asyncio.gather(*map(wall, range(WALLS)))
    return responses


def test_what_is_not_stored_reaches_the_server_each_time(
    start: Start, certificate: Certificate
) -> None:
    proxy = start(NGINX)
    context = ssl.create_default_context(cafile=certificate.path)
    with httpx.Client(verify=context, base_url=proxy.home, trust_env=False) as client:
        client.timeout = httpx.Timeout(HANG_SECONDS)
        stored = _cache_status(client, "api/runs")
        unstored = {
            path: _cache_status(client, path)
            for path in (
                *("api", "api/health", "api/runs.ndjson", "ci_observer?sql=select+1"),
            )
        }
        missing = _cache_status(client, "api/runs?nothing=1")
        token = {"Authorization": "Bearer anything"}
        known = _cache_status(client, "api/runs", headers=token)
        # A page for a request with a cookie is for that visitor alone.
        for_one = client.get("muted", headers={"Cookie": "session=1"})
        for_all = client.get("muted")

    assert stored in ("HIT", "STALE", "UPDATING", "EXPIRED", "REVALIDATED")
    assert set(unstored.values()) == {"BYPASS"}
    assert missing == "MISS"
    assert known == "BYPASS"
    assert for_one.headers["cache-control"].startswith("private, ")
    assert for_all.headers["cache-control"].startswith("max-age=1, ")


def _cache_status(
    client: httpx.Client, path: str, headers: dict[str, str] | None = None
) -> str:
    """What nginx says of the second of two requests."""
    client.get(path, headers=headers)
    return client.get(path, headers=headers).headers["x-cache-status"]


def test_no_visitor_gets_the_page_of_another(
    start: Start, certificate: Certificate
) -> None:
    proxy = start(NGINX, ACCESS_TOKEN=TOKEN)
    context = ssl.create_default_context(cafile=certificate.path)
    with httpx.Client(
        verify=context, base_url=proxy.home, trust_env=False, timeout=HANG_SECONDS
    ) as client:
        login = client.post(
            "login", data={"token": TOKEN}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        cookies = dict(client.cookies)
        client.cookies.clear()
        for path in ("", "runs", "api/runs", "api/config", "api/wall"):
            known = client.get(path, headers={"Cookie": _cookie(cookies)})
            stranger = client.get(path)
            assert (known.status_code, known.headers["x-cache-status"]) == (
                200,
                "BYPASS",
            )
            assert stranger.status_code in (302, 401), path
            assert "acme" not in stranger.text

    assert login.status_code == httpx.codes.SEE_OTHER


def _cookie(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
