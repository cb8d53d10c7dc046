"""The background requests to peers."""

import asyncio
from collections.abc import Iterator
from threading import Event

import pytest
from raw_server import head, raw_server
from waiting import HANG_SECONDS

from ci_observer.web.peers import watch as watch_module
from ci_observer.web.peers.client import PeerClient
from ci_observer.web.peers.peer import Peer
from ci_observer.web.peers.watch import PeerWatch, pause_after


def test_only_the_first_failure_is_followed_by_a_short_pause() -> None:
    # A wrong token would else be taken for guesses of it, and refused for a minute.
    assert [pause_after(failures) for failures in range(4)] == [10, 3, 10, 10]


@pytest.mark.asyncio
async def test_all_first_visitors_wait_for_the_first_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_module, "FIRST_SECONDS", HANG_SECONDS)
    may_respond = Event()

    def respond(_: str) -> Iterator[bytes]:
        may_respond.wait()
        yield head(status="404 Not Found")

    with raw_server(respond) as server:
        watch = PeerWatch(PeerClient(), (Peer(server.url),), "https://api.github.com")
        visits = [asyncio.create_task(watch.reports()) for _ in range(3)]
        await asyncio.wait(visits, timeout=0.05)
        assert not any(visit.done() for visit in visits)
        may_respond.set()
        reports = [report for [report] in await asyncio.gather(*visits)]
        await watch.close()

    assert [report.state for report in reports] == ["missing"] * 3
