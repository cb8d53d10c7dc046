"""Responses that no client expects: slow, huge, malformed, with absurd headers."""

from __future__ import annotations

import gzip
import json
import zlib
from itertools import islice
from typing import Any

import httpx
import pytest
from demo_client import FILE, REPO, RUNS, client_of, numbers
from waiting import HANG_SECONDS

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World

MEGABYTE = 2**20


@pytest.fixture
def world() -> World:
    """Four runs, and pages of two."""
    world = World("2026-03-02T09:00:00Z")
    for minute in range(4):
        world.add_run(REPO, FILE, created_at=f"2026-03-02T08:0{minute}:00Z")
    return world


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ({"kind": "saml"}, 403, "Resource protected by organization SAML enforcement."),
        ({"kind": "ip_allow_list", "owner": "ada"}, 403, "the `ada` organization has"),
        ({"kind": "suspended"}, 403, "This installation has been suspended"),
        ({"kind": "access_blocked"}, 451, "Repository access blocked"),
        ({"kind": "access_blocked", "status": 403, "reason": "tos"}, 403, "blocked"),
        ({"kind": "conflict"}, 409, "Git Repository is empty."),
        ({"kind": "odd_retry_after"}, 429, "secondary rate limit"),
        ({"kind": "far_reset"}, 429, "API rate limit exceeded"),
    ],
)
def test_errors_have_githubs_words(
    client: httpx.Client,
    github: GitHubServer,
    fault: dict[str, Any],
    status: int,
    words: str,
) -> None:
    github.faults.add(**fault, path="/actions/runs")
    other, struck = client.get(f"/repos/{REPO}"), client.get(RUNS)

    assert other.status_code == 200
    assert struck.status_code == status
    assert words in struck.json()["message"]


def test_saml_names_the_address_to_authorize_the_token(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("saml", owner="acme")

    required, _, url = client.get(RUNS).headers["x-github-sso"].partition("; url=")
    assert required == "required"
    assert url.startswith("https://github.com/orgs/acme/sso?authorization_request=")


def test_a_blocked_repository_has_its_notice(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("access_blocked")
    block = client.get(RUNS).json()["block"]

    assert block["reason"] == "dmca"
    assert block["html_url"].startswith("https://github.com/github/dmca/")


def test_successes_can_lack_a_list(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("accepted")
    accepted = client.get(RUNS)
    github.faults.add("no_content")
    empty = client.get(RUNS)

    assert (accepted.status_code, accepted.json()) == (202, {})
    assert (empty.status_code, empty.content) == (204, b"")


def test_a_login_page_is_a_200_with_an_etag(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("login_page", count=None)
    page = client.get(RUNS)
    again = client.get(RUNS, headers={"if-none-match": page.headers["etag"]})

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Sign in to GitHub" in page.text
    assert again.status_code == 304


def test_a_502_can_be_everywhere(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("server_error", count=None)

    for path in (RUNS, f"/repos/{REPO}", "/rate_limit", "/orgs/acme/repos"):
        assert client.get(path).status_code == 502


def test_a_body_can_be_endless(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("endless", size=1000)
    with client.stream("GET", RUNS) as response:
        chunks = list(islice(response.iter_bytes(1000), 200))

    assert "content-length" not in response.headers
    assert b"".join(chunks).startswith(b'{"total_count":4')
    assert chunks[-1] == b" " * 1000
    assert client.get(RUNS).status_code == 200


def test_a_body_can_come_byte_by_byte(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("drip", seconds=0.001)
    with client.stream("GET", f"{RUNS}/1") as response:
        pieces = list(response.iter_raw())

    assert json.loads(b"".join(pieces))["message"] == "Not Found"
    assert sum(map(len, pieces)) == int(response.headers["content-length"])
    assert len(pieces) > 20


def test_a_header_can_be_endless(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("slow_headers", seconds=0)

    with pytest.raises(httpx.RemoteProtocolError):
        client.get(RUNS)
    assert client.get(RUNS).status_code == 200


def test_slow_responses_end_with_the_client(github: GitHubServer) -> None:
    for kind in ("drip", "slow_headers"):
        github.faults.add(kind, seconds=60)
        with (
            client_of(github) as client,
            pytest.raises(httpx.ReadTimeout),
        ):
            client.get(RUNS, timeout=httpx.Timeout(HANG_SECONDS, read=0.05))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_gzip_bomb_is_small_and_becomes_large(
    client: httpx.Client, github: GitHubServer, layers: int
) -> None:
    github.faults.add("gzip_bomb", megabytes=20, layers=layers)
    with client.stream("GET", RUNS) as response:
        raw = b"".join(response.iter_raw())

    assert response.headers["content-encoding"] == ", ".join(["gzip"] * layers)
    assert len(raw) < MEGABYTE / 20
    for _ in range(layers):
        raw = gzip.decompress(raw)
    assert raw == bytes(20 * MEGABYTE)


def test_a_gzip_bomb_has_a_gigabyte(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("gzip_bomb")
    with client.stream("GET", RUNS) as response:
        raw = b"".join(response.iter_raw())

    some = zlib.decompressobj(wbits=31).decompress(raw, 64 * MEGABYTE)
    assert some == bytes(64 * MEGABYTE)
    assert int.from_bytes(raw[-4:], "little") == 1000 * MEGABYTE


def test_a_body_can_claim_to_be_compressed(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("broken_gzip")

    with pytest.raises(httpx.DecodingError):
        client.get(RUNS)


def test_a_valid_body_can_be_huge(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("huge", megabytes=3)
    response = client.get(RUNS)

    assert len(response.content) > 3 * MEGABYTE
    assert numbers(response) == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "deep_json"}, RecursionError),
        ({"kind": "invalid_utf8"}, UnicodeDecodeError),
        ({"kind": "huge_number"}, ValueError),
    ],
)
def test_a_body_can_break_its_parser(
    client: httpx.Client,
    github: GitHubServer,
    fault: dict[str, Any],
    error: type[Exception],
) -> None:
    github.faults.add(**fault)

    with pytest.raises(error):
        json.loads(client.get(RUNS).content)


def test_an_etag_can_be_outside_of_ascii(
    client: httpx.Client, github: GitHubServer
) -> None:
    github.faults.add("odd_etag", count=None)
    response = client.get(RUNS)
    etag = dict(response.headers.raw)[b"etag"]
    again = client.get(RUNS, headers=[(b"if-none-match", etag)])

    assert etag == b'W/"na\xefve"'
    assert again.status_code == 304
    assert dict(again.headers.raw)[b"etag"] == etag


def test_an_etag_can_be_utf8(client: httpx.Client, github: GitHubServer) -> None:
    github.faults.add("odd_etag", value='"✓"')

    assert dict(client.get(RUNS).headers.raw)[b"etag"] == '"✓"'.encode()


def next_pages(client: httpx.Client, most: int) -> list[list[int]]:
    """The run numbers on the first pages that `next` leads to."""
    page = client.get(RUNS, params={"per_page": 2})
    pages = [numbers(page)]
    while "next" in page.links and len(pages) < most:
        page = client.get(page.links["next"]["url"])
        pages.append(numbers(page))
    return pages


@pytest.mark.parametrize(
    ("fault", "pages"),
    [
        ({"kind": "link_loop"}, [[4, 3]] * 5),
        (
            {"kind": "link_loop", "page": 1, "path": "[&?]page=2"},
            [[4, 3], [2, 1], [4, 3], [2, 1], [4, 3]],
        ),
        ({"kind": "endless_pages"}, [[4, 3], [2, 1], [], [], []]),
        ({"kind": "missing_link"}, [[4, 3]]),
    ],
)
def test_links_can_lead_nowhere(
    client: httpx.Client,
    github: GitHubServer,
    fault: dict[str, Any],
    pages: list[list[int]],
) -> None:
    github.faults.add(**fault, count=None)

    assert next_pages(client, 5) == pages


@pytest.mark.parametrize(
    ("options", "per_page", "expected"),
    [({}, 2, 4), ({}, 100, 5), ({"total_count": 900}, 100, 900)],
)
def test_a_page_without_a_link_counts_more_runs(
    client: httpx.Client,
    github: GitHubServer,
    options: dict[str, int],
    per_page: int,
    expected: int,
) -> None:
    github.faults.add("missing_link", **options)
    page = client.get(RUNS, params={"per_page": per_page})

    assert "link" not in page.headers
    assert page.json()["total_count"] == expected


@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [
        ({"kind": "odd_rate_limit"}, "x-ratelimit-limit", str(2**70)),
        ({"kind": "odd_rate_limit", "reset": -1}, "x-ratelimit-reset", "-1"),
        ({"kind": "odd_rate_limit", "used": "x"}, "x-ratelimit-used", "x"),
        ({"kind": "odd_retry_after"}, "retry-after", "9" * 5000),
        ({"kind": "odd_retry_after", "value": "soon"}, "retry-after", "soon"),
        ({"kind": "far_reset"}, "x-ratelimit-reset", "253402300799"),
        (
            {"kind": "token_expiration"},
            "github-authentication-token-expiration",
            "0001-01-01 00:00:00 UTC",
        ),
        ({"kind": "header", "name": "Date", "value": "never"}, "date", "never"),
    ],
)
def test_headers_can_have_any_value(
    client: httpx.Client,
    github: GitHubServer,
    fault: dict[str, Any],
    name: str,
    value: str,
) -> None:
    github.faults.add(**fault)

    assert value in client.get(RUNS).headers.get_list(name)
    assert value not in client.get(RUNS).headers.get_list(name)


def test_headers_change_on_a_304_too(
    client: httpx.Client, github: GitHubServer
) -> None:
    etag = client.get(RUNS).headers["etag"]
    github.faults.add("odd_rate_limit", remaining=0)
    response = client.get(RUNS, headers={"if-none-match": etag})

    assert response.status_code == 304
    assert response.headers["x-ratelimit-remaining"] == "0"
