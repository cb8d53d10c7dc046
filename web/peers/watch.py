"""Watches the peers in the background, so that no visitor waits for one.

It begins with the first visit and goes on until the process ends. Each peer has a task
of its own: one that hangs delays neither the others nor the own tiles.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from datasette.app import Datasette

from ci_observer.web.peers.client import PeerClient, PeerResponse, Query, client_of
from ci_observer.web.peers.facts import fetch_facts
from ci_observer.web.peers.links import link_check
from ci_observer.web.peers.peer import Peer, PeerError
from ci_observer.web.peers.state import PeerState, Report
from ci_observer.web.peers.tiles import Tile, parse_tiles
from ci_observer.web.settings import settings_of

ROUTE = "/api/wall"
EVERY_SECONDS = 10.0
# After the first failure: the peer may just restart.
RETRY_SECONDS = 3.0
# Visitors wait that long for the first responses.
FIRST_SECONDS = 1.0
# Branches that visitors want to see, at once, and how long each is watched.
MAX_SELECTIONS = 10
SELECTION_SECONDS = 300.0

Branches = tuple[str, ...]


class PeerWatch:
    """The states of all peers, for each selection of branches that visitors want."""

    def __init__(
        self,
        client: PeerClient,
        peers: tuple[Peer, ...],
        github_api_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._peers = peers
        self._checks = {peer: link_check(peer, github_api_url) for peer in peers}
        self._clock = clock
        self._selections: dict[Branches, _Selection] = {}

    async def reports(self, branches: Branches = ()) -> list[Report]:
        """The state of each peer, in the order of the settings.

        Returns at once, but in the first `FIRST_SECONDS`: then when each was tried.
        """
        selection = self._select(branches)
        remaining = selection.began + FIRST_SECONDS - self._clock()
        if remaining > 0:
            tries = (each.tried.wait() for each in selection.all)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*tries), remaining)
        return [each.state.report(self._clock()) for each in selection.all]

    async def close(self) -> None:
        """End all tasks and their requests."""
        for selection in self._selections.values():
            selection.stop()
        await self._client.close()

    def _select(self, branches: Branches) -> "_Selection":
        selection = self._selections.get(branches)
        if selection is None:
            self._drop_oldest()
            watched = [_Watched(PeerState(peer)) for peer in self._peers]
            selection = _Selection(watched, began=self._clock())
            self._selections[branches] = selection
        selection.visited = self._clock()
        for each in selection.all:
            # A task also ends by an error of ours, which asyncio logs.
            if each.task is None or each.task.done():
                each.task = asyncio.create_task(self._watch(each, branches))
        return selection

    def _drop_oldest(self) -> None:
        """Make room for another selection. That of the default branches stays."""
        others = [branches for branches in self._selections if branches]
        if len(others) >= MAX_SELECTIONS:
            oldest = min(others, key=lambda b: self._selections[b].visited)
            self._selections.pop(oldest).stop()

    async def _watch(self, each: "_Watched", branches: Branches) -> None:
        """Send requests to a peer at intervals, while visitors want these branches."""
        while self._is_wanted(branches):
            await self._refresh(each.state, branches)
            each.tried.set()
            await asyncio.sleep(pause_after(each.state.failures))

    def _is_wanted(self, branches: Branches) -> bool:
        selection = self._selections[branches]
        return not branches or self._clock() - selection.visited < SELECTION_SECONDS

    async def _refresh(self, state: PeerState, branches: Branches) -> None:
        query: Query = tuple(("branch", branch) for branch in branches)
        peer = state.peer
        try:
            facts = await fetch_facts(self._client, peer, query)
            if state.etag and facts.wall_etag == state.etag:
                state.accept(facts, None, state.etag, now=self._clock())
                return
            response = await self._client.get(peer, ROUTE, query)
            tiles = await asyncio.to_thread(self._parse, response, peer)
            state.accept(facts, tiles, response.etag, now=self._clock())
        except PeerError as error:
            state.fail(str(error))

    def _parse(self, response: PeerResponse, peer: Peer) -> list[Tile]:
        return parse_tiles(response, peer, self._checks[peer])


def pause_after(failures: int) -> float:
    """The seconds until the next request, after a number of failures in a row."""
    return RETRY_SECONDS if failures == 1 else EVERY_SECONDS


@dataclass
class _Watched:
    """A state, the task that keeps it up to date, and whether it has tried once."""

    state: PeerState
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


@dataclass
class _Selection:
    """The states of all peers for some branches; `visited` is the last time."""

    all: list[_Watched]
    began: float
    visited: float = 0.0

    def stop(self) -> None:
        """End the tasks."""
        for each in self.all:
            if each.task is not None:
                each.task.cancel()


_WATCHES: WeakKeyDictionary[Datasette, PeerWatch] = WeakKeyDictionary()


def watch_of(datasette: Datasette) -> PeerWatch:
    """The watch of a server, for its event loop."""
    if datasette not in _WATCHES:
        settings = settings_of(datasette)
        _WATCHES[datasette] = PeerWatch(
            client_of(datasette), settings.peers, settings.github_api_url
        )
    return _WATCHES[datasette]
