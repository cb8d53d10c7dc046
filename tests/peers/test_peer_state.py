"""What makes a peer untrusted, by our clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ci_observer.web.peers import state
from ci_observer.web.peers.facts import Facts
from ci_observer.web.peers.peer import Peer
from ci_observer.web.peers.state import PeerState, Report

NOW = datetime(2026, 3, 1, 18, tzinfo=UTC)
TILE = {"repo": "acme/api", "tile_state": "passing", "alarm": None}


def facts(age: float = 20, clock: float = 0, **polling: Any) -> Facts:
    """What a peer says whose data are so old, and whose clock is ahead of ours."""
    there = NOW + timedelta(seconds=clock)
    last = (there - timedelta(seconds=age)).isoformat()
    return Facts.model_validate(
        {
            "server_time": there.isoformat(),
            "stale_seconds": 180,
            "wall_etag": '"x"',
            "polling": {"state": "ok", "last_success_at": last} | polling,
        }
    )


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> PeerState:
    """A peer that has responded at the stopwatch's 100 seconds."""
    monkeypatch.setattr(state, "time_of_day", lambda: NOW)
    found = PeerState(Peer("https://a.example"))
    found.accept(facts(), [TILE], '"x"', now=100)
    return found


def seen(report: Report) -> tuple[str, str | None, str]:
    return report.state, report.reason, report.tiles()[0]["tile_state"]


def test_one_failure_says_nothing_and_two_make_it_missing(known: PeerState) -> None:
    known.fail("it does not respond")
    assert seen(known.report(105)) == ("ok", None, "passing")
    known.fail("it does not respond")
    assert seen(known.report(108)) == ("missing", "it does not respond", "stale")
    [tile] = known.report(108).tiles()
    assert tile["error"] == "a.example: it does not respond"
    assert tile["since_at"] == "2026-03-01T18:00:00Z"
    known.accept(facts(), None, '"x"', now=120)
    assert seen(known.report(120)) == ("ok", None, "passing")


def test_silence_alone_makes_it_missing(known: PeerState) -> None:
    assert seen(known.report(160))[0] == "ok"
    assert seen(known.report(161)) == (
        "missing",
        "it has not responded lately",
        "stale",
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (facts(age=170), ("ok", None, "passing")),
        (facts(age=185), ("stale", "its data are old", "stale")),
        (facts(clock=100), ("ok", None, "passing")),
        (
            facts(clock=420),
            ("stale", "its clock is 7 min ahead of that of this instance", "stale"),
        ),
        (
            facts(clock=-420),
            ("stale", "its clock is 7 min behind that of this instance", "stale"),
        ),
        (
            facts(state="rate_limited", reason="Used up."),
            ("degraded", "its polling is rate limited: Used up", "passing"),
        ),
        (
            facts(age=900, state="stale", reason="The process has stopped."),
            ("stale", "its polling is stale: The process has stopped", "stale"),
        ),
        (
            facts(state="off", last_success_at=None),
            ("stale", "its polling is off", "stale"),
        ),
    ],
)
def test_what_a_peer_says_of_itself(
    known: PeerState, said: Facts, expected: tuple[str, str | None, str]
) -> None:
    known.accept(said, None, '"x"', now=100)

    assert seen(known.report(100)) == expected


def test_data_grow_old_while_a_peer_is_silent(known: PeerState) -> None:
    known.accept(facts(age=150), None, '"x"', now=100)

    assert known.report(129).state == "ok"
    assert known.report(131).state == "stale"


@pytest.mark.parametrize(
    ("shard", "sentence"),
    [
        ({"number": 3, "count": 12}, None),
        # Its database may be lost, and with it tiles that were shown before.
        (None, "a.example: its polling is off: No GH_REPOS."),
    ],
)
def test_only_a_shard_may_be_off_without_tiles(
    shard: dict[str, int] | None, sentence: str | None, known: PeerState
) -> None:
    said = facts(state="off", last_success_at=None, reason="No GH_REPOS.")

    known.accept(said.model_copy(update={"shard": shard}), [], '"y"', now=100)

    assert known.report(100).sentence() == sentence


def test_a_peer_that_has_not_responded_is_named() -> None:
    found = PeerState(Peer("https://a.example"))

    assert found.report(0).sentence() == "a.example has not responded yet."
