"""The checks of a peer's page of runs."""

import json
from typing import Any

import pytest
from peer_team import HOSTILE_RUN

from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.peers.client import PeerResponse
from ci_observer.web.peers.github_links import github_link_check
from ci_observer.web.peers.peer import PeerError
from ci_observer.web.peers.run_merge import START, Key, RunPage
from ci_observer.web.peers.run_pages import parse_run_page

RUN = HOSTILE_RUN


def page_with(*runs: Any, **keys: Any) -> bytes:
    return json.dumps({"ok": True, "runs": runs, "next": None} | keys).encode()


def parse(content: bytes, position: Key = START) -> RunPage:
    is_link = github_link_check("https://api.github.com")
    return parse_run_page(PeerResponse(content, ""), position, RUN_COLUMNS, is_link)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "not a list of runs"),
        (b"{", "not JSON"),
        (b'{"runs": 5, "next": null}', "not a list of runs"),
        (b'{"runs": [5], "next": null}', "not a list of runs"),
        (page_with(next="more"), "not a list of runs"),
        (page_with(RUN, next=5), "not a list of runs"),
        (page_with(RUN, RUN), "not in order"),
        (page_with(RUN | {"run_id": "77"}), "the run_id of"),
        (page_with(RUN | {"run_id": 2**63 - 1}), "the run_id of"),
        (page_with(RUN | {"run_id": None}), "the run_id of"),
        (page_with(RUN | {"started_at": "now"}), "the started_at of"),
        (page_with(RUN | {"started_at": "2026-02-30T12:00:00Z"}), "the started_at of"),
        (page_with(RUN | {"actor": {}}), "the actor of"),
        (page_with(RUN | {"actor": "x" * 5001}), "the actor of"),
        (page_with(RUN | {"is_tag": 1}), "the is_tag of"),
        (page_with(RUN | {"duration_seconds": float("nan")}), "the duration_s"),
    ],
)
def test_another_response_is_an_error(content: bytes, reason: str) -> None:
    with pytest.raises(PeerError, match=reason):
        parse(content)


def test_a_run_at_the_position_or_before_it_is_an_error() -> None:
    key = (RUN["started_at"], RUN["run_id"])
    for position in (key, ("2026-03-01T11:00:00Z", 1)):
        with pytest.raises(PeerError, match="not in order"):
            parse(page_with(RUN), position)

    [run] = parse(page_with(RUN), (key[0], key[1] + 1)).runs
    assert run.key == key


def test_columns_of_another_version_are_left_out_or_null() -> None:
    run = {key: value for key, value in RUN.items() if key not in ("event", "is_tag")}

    [parsed] = parse(page_with(run | {"new_column": {"a": [1]}})).runs

    assert [*parsed.values] == [*RUN_COLUMNS]
    assert parsed.values["event"] is None
    assert parsed.values["is_tag"] is False


@pytest.mark.parametrize("host", ["x" * 61, "\U0001f600", "a\nb", "\ud800"])
def test_a_host_that_does_not_fit_into_a_cursor_is_left_out(host: str) -> None:
    [run] = parse(page_with(RUN | {"html_url": f"https://{host}/acme/api"})).runs

    assert run.identity == ("", RUN["run_id"])


@pytest.mark.parametrize(
    ("api_url", "link", "is_kept"),
    [
        ("https://api.github.com", "https://github.com/a/b/actions/runs/1", True),
        ("https://api.github.com", "http://github.com/a/b/actions/runs/1", False),
        ("https://api.github.com", "https://github.com.evil.example/a", False),
        ("https://api.github.com", "https://github.com@evil.example/a", False),
        ("https://api.github.com", "https://ghe.example.com/a", False),
        ("https://ghe.example.com/api/v3", "https://ghe.example.com/a", True),
        ("https://api.acme.ghe.com", "https://acme.ghe.com/a", True),
        ("https://api.acme.example/api/v3", "https://api.acme.example/a", True),
    ],
)
def test_links_to_github_are_kept(api_url: str, link: str, is_kept: bool) -> None:
    assert github_link_check(api_url)(link) is is_kept
