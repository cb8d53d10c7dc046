"""Single requests: the headers sent, and the result of each response or failure.

`test_poller` tests whole passes with a server.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from ci_observer.ingest.errors import (
    GitHubError,
    GitHubUnavailable,
    GitHubUnreachable,
    InvalidResponse,
    RateLimited,
)
from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection, Slot
from ci_observer.ingest.github.headers import RateLimit
from ci_observer.ingest.github.pages import Response, RunPage
from ci_observer.ingest.github.proxies import Proxy
from ci_observer.ingest.github.transport import open_http

API = "https://ghes.example/api/v3"
RUNS = f"{API}/repos/acme/api/actions/workflows/ci.yml/runs"
TOKEN = "github_pat_secret123"  # noqa: S105 (made up)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def call(
    work: Callable[[GitHub], Awaitable[Any]],
    token: str | None = TOKEN,
    slot: Slot = nullcontext,
    proxy: Proxy | None = None,
) -> Any:
    async def run() -> Any:
        async with open_http("1.2.3") as http:
            connection = Connection(
                http,
                api_url=API,
                token=token,
                clock=lambda: NOW,
                slot=slot,
                proxy=proxy,
            )
            return await work(GitHub(connection))

    return asyncio.run(run())


def fetch_runs(github: GitHub) -> Awaitable[RunPage]:
    return github.fetch_runs("acme/api", "ci.yml", per_page=30, etag='W/"1"')


@respx.mock
def test_a_request_carries_the_headers_that_github_recommends():
    route = respx.get(RUNS, params={"per_page": 30}).respond(json={"workflow_runs": []})

    call(fetch_runs)

    headers = route.calls.last.request.headers
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["user-agent"] == "ci-observer/1.2.3"
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["if-none-match"] == 'W/"1"'


@respx.mock
def test_without_a_token_no_authorization_is_sent():
    route = respx.get(RUNS).respond(json={"workflow_runs": []})

    call(fetch_runs, token=None)

    assert "authorization" not in route.calls.last.request.headers


@respx.mock
def test_every_request_has_explicit_timeouts_longer_than_github_s_own():
    route = respx.get(RUNS).respond(json={"workflow_runs": []})

    call(fetch_runs)

    timeout = route.calls.last.request.extensions["timeout"]
    assert timeout == {"connect": 10, "read": 20, "write": 20, "pool": 20}


@respx.mock
def test_an_error_is_raised_inside_the_slot_of_its_request():
    """An error that concerns all requests can stop the next one."""
    respx.get(RUNS).respond(429)
    known: list[tuple[str, GitHubError]] = []

    @asynccontextmanager
    async def slot(account: str) -> AsyncIterator[None]:
        try:
            yield
        except GitHubError as error:
            known.append((account, error))
            raise

    with pytest.raises(RateLimited) as raised:
        call(fetch_runs, slot=slot)

    assert known == [("", raised.value)]


@respx.mock
def test_a_page_has_its_runs_its_etag_and_the_address_of_the_next():
    respx.get(RUNS).respond(
        json={"workflow_runs": [{"id": 1}]},
        headers={
            "etag": 'W/"2"',
            "link": f'<{API}/repositories/1/runs?page=2>; rel="next"',
        },
    )

    assert call(fetch_runs) == RunPage(
        runs=[{"id": 1}], etag='W/"2"', next_url="/repositories/1/runs?page=2"
    )


@respx.mock
def test_a_304_keeps_the_etag():
    respx.get(RUNS).respond(304)

    assert call(fetch_runs) == RunPage(etag='W/"1"', is_not_modified=True)


@respx.mock
def test_responses_are_counted_and_the_latest_rate_limit_is_kept():
    limit = {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "4321",
        "x-ratelimit-reset": "1772370000",
    }
    respx.get(RUNS).mock(
        side_effect=[
            httpx.Response(200, json={"workflow_runs": []}, headers=limit),
            httpx.Response(304),
        ]
    )

    async def twice(github: GitHub) -> Any:
        await fetch_runs(github)
        await fetch_runs(github)
        return github.connection.stats

    stats = call(twice)
    assert (stats.requests, stats.not_modified) == (2, 1)
    assert stats.lowest_rate_limit(NOW) == RateLimit(
        5000, 4321, datetime.fromtimestamp(1772370000, UTC)
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (httpx.ConnectError("Name or service not known"), GitHubUnreachable),
        (httpx.ConnectTimeout(""), GitHubUnreachable),
        (httpx.ReadTimeout(""), GitHubUnavailable),
        (httpx.RemoteProtocolError("Server disconnected"), GitHubUnavailable),
        (httpx.DecodingError("bad gzip"), GitHubUnavailable),
    ],
)
@respx.mock
def test_no_response_differs_from_no_connection(fault, error):
    respx.get(RUNS).mock(side_effect=fault)

    with pytest.raises(GitHubUnavailable) as caught:
        call(fetch_runs)

    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (504, GitHubUnavailable, "GitHub responds with 504"),
        (403, GitHubUnreachable, "The proxy http://proxy:3128"),
        (407, GitHubUnreachable, "The proxy http://proxy:3128"),
    ],
)
@respx.mock
def test_a_web_page_of_the_server_s_load_balancer_is_not_that_of_the_proxy(
    status, error, text
):
    """Behind TLS; else one slow page of runs would end every pass."""
    respx.get(RUNS).respond(status, html="<h1>Gateway</h1>")
    proxy = Proxy("HTTPS_PROXY", "http", "proxy", 3128)

    with pytest.raises(GitHubError, match=text) as caught:
        call(fetch_runs, proxy=proxy)

    assert type(caught.value) is error


@respx.mock
def test_the_reason_of_a_failure_ends_with_one_full_stop():
    respx.get(RUNS).mock(side_effect=httpx.RemoteProtocolError("Disconnected."))

    with pytest.raises(GitHubUnavailable) as caught:
        call(fetch_runs)

    assert str(caught.value) == "No response from GitHub: Disconnected."


@respx.mock
def test_a_redirect_within_the_origin_is_followed():
    respx.get(RUNS).respond(301, headers={"location": "/api/v3/repositories/1/runs"})
    respx.get(f"{API}/repositories/1/runs").respond(json={"workflow_runs": []})

    assert call(fetch_runs) == RunPage()


@respx.mock
def test_a_permanent_redirect_to_an_id_is_followed_once():
    old = respx.get(RUNS).respond(
        301, headers={"location": f"{API}/repositories/1/actions/runs?page=1"}
    )
    respx.get(url__startswith=f"{API}/repositories/1/").respond(
        json={"workflow_runs": []}
    )

    async def twice(github: GitHub) -> Any:
        await fetch_runs(github)
        await fetch_runs(github)
        return github.connection.renamed_ids

    assert call(twice) == {"acme/api": 1}
    assert (old.call_count, respx.calls.call_count) == (1, 3)


@respx.mock
def test_a_temporary_redirect_is_not_remembered():
    respx.get(RUNS).respond(307, headers={"location": f"{API}/repositories/1/runs"})
    respx.get(f"{API}/repositories/1/runs").respond(json={"workflow_runs": []})

    async def once(github: GitHub) -> Any:
        await fetch_runs(github)
        return github.connection.renamed_ids

    assert call(once) == {}


@respx.mock
def test_a_redirect_to_another_origin_renames_nothing():
    elsewhere = "https://evil.example/repositories/666/runs"
    respx.get(RUNS).respond(301, headers={"location": elsewhere})

    async def once(github: GitHub) -> Any:
        with pytest.raises(InvalidResponse):
            await fetch_runs(github)
        return github.connection.renamed_ids

    assert call(once) == {}


@respx.mock
def test_a_redirect_loop_ends():
    route = respx.get(RUNS).respond(301, headers={"location": RUNS})

    with pytest.raises(InvalidResponse, match="loop"):
        call(fetch_runs)

    assert route.call_count == 4


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/api/v3/runs",
        "http://ghes.example/api/v3/runs",
        "https://ghes.example:8443/api/v3/runs",
        "//evil.example/runs",
        "https://[broken/runs",
    ],
)
@respx.mock
def test_the_token_goes_to_no_other_origin(elsewhere):
    """Neither through a redirect nor through the link to a next page."""
    ours = respx.get(RUNS).respond(301, headers={"location": elsewhere})

    with pytest.raises(InvalidResponse):
        call(fetch_runs)
    with pytest.raises(InvalidResponse):
        call(lambda github: github.fetch_page("acme/api", elsewhere))

    assert respx.calls.call_count == ours.call_count == 1


@respx.mock
def test_a_workflow_s_name_cannot_change_the_path():
    route = respx.get(url__startswith=API).respond(json={"workflow_runs": []})

    call(lambda g: g.fetch_runs("acme/api", "../../x?y#z.yml", per_page=30))

    assert route.calls.last.request.url.raw_path == (
        b"/api/v3/repos/acme/api/actions/workflows/"
        b"..%2F..%2Fx%3Fy%23z.yml/runs?per_page=30"
    )


@respx.mock
def test_workflows_are_fetched_page_by_page():
    url = f"{API}/repos/acme/api/actions/workflows"
    respx.get(url, params={"page": 2}).respond(json={"workflows": [{"id": 2}]})
    respx.get(url).respond(
        json={"workflows": [{"id": 1}]},
        headers={"link": f'<{url}?page=2>; rel="next"'},
    )

    assert call(lambda g: g.fetch_workflows("acme/api")) == Response(
        [{"id": 1}, {"id": 2}], None
    )


@respx.mock
def test_annotations_are_read_from_all_pages():
    url = f"{API}/repos/acme/api/check-runs/7/annotations"
    link = {"link": f'<{url}?per_page=100&page=2>; rel="next"'}
    respx.get(url, params={"per_page": 100, "page": 2}).respond(json=[{"message": "b"}])
    respx.get(url, params={"per_page": 100}).respond(
        json=[{"message": "a"}], headers=link
    )

    found = call(lambda github: github.fetch_annotations("acme/api", 7))
    assert found == [Annotation("a"), Annotation("b")]


@respx.mock
def test_no_more_pages_of_annotations_are_read_than_are_enough():
    url = f"{API}/repos/acme/api/check-runs/7/annotations"
    link = {"link": f'<{url}?per_page=100&page=2>; rel="next"'}
    route = respx.get(url).respond(json=[{"message": "a"}], headers=link)

    found = call(lambda github: github.fetch_annotations("acme/api", 7, is_enough=bool))

    assert found == [Annotation("a")]
    assert route.call_count == 1


@respx.mock
def test_another_run_than_the_requested_one_is_refused():
    """It would be stored under the workflow of the requested one."""
    respx.get(f"{API}/repos/acme/api/actions/runs/7").respond(json={"id": 8})

    with pytest.raises(InvalidResponse, match="run 8 to a request for run 7"):
        call(lambda github: github.fetch_run("acme/api", 7))
