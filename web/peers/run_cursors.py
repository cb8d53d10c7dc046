"""Cursors of merged lists of runs: a position for each instance, as opaque text."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ci_observer.web.api.cursors import bad_cursor, decode_json, encode_cursor
from ci_observer.web.errors import BadRequest
from ci_observer.web.peers.run_merge import MAX_RERUNS, Identity, Key, Progress

# Of 50 instances at different positions, and of all attempts that are kept.
MAX_LENGTH = 12_000
MAX_TEXT = 100
# SQLite's integers.
MAX_INTEGER = 2**63 - 1


class RunCursors:
    """The cursors of one selection over these instances, in this order.

    A cursor of other instances or of another selection is refused, since its positions
    would leave runs out.
    """

    def __init__(self, instances: Sequence[str], selection: str) -> None:
        self._instances = tuple(instances)
        self._instances_hash = _short_hash(json.dumps(self._instances))
        self._selection_hash = _short_hash(selection)

    def encode(self, progress: Progress) -> str:
        """The cursor for the page after this progress."""
        indexes = defaultdict(list)
        for index, name in enumerate(self._instances):
            indexes[progress.positions[name]].append(index)
        reruns = defaultdict(list)
        for (host, run_id), created_at in progress.reruns.items():
            reruns[host].append((run_id, created_at))
        content = [
            self._instances_hash,
            self._selection_hash,
            [[*key, *numbers] for key, numbers in indexes.items()],
            [*reruns.items()],
        ]
        return encode_cursor(json.dumps(content, separators=(",", ":")))

    def decode(self, cursor: str) -> Progress:
        """The progress in a cursor; raises `BadRequest`."""
        if len(cursor) > MAX_LENGTH:
            raise bad_cursor(cursor)
        try:
            instances_hash, selection_hash, positions, reruns = decode_json(cursor)
        except (ValueError, TypeError, RecursionError):
            raise bad_cursor(cursor) from None
        if instances_hash != self._instances_hash:
            raise BadRequest(
                "This cursor was made with other PEERS, or by another instance. Leave"
                " cursor out to begin with the first page."
            )
        if selection_hash != self._selection_hash:
            raise BadRequest(
                "This cursor belongs to other filters. Repeat the filters of the first"
                " page, or leave cursor out to begin again."
            )
        try:
            return Progress(self._positions(positions), _reruns(reruns))
        except (ValueError, TypeError):
            raise bad_cursor(cursor) from None

    def _positions(self, groups: Any) -> dict[str, Key]:
        found: dict[int, Key] = {}
        for started_at, run_id, *indexes in groups:
            for index in indexes:
                if index in found or type(index) is not int:
                    raise ValueError(index)
                found[index] = (_text(started_at), _integer(run_id))
        if sorted(found) != [*range(len(self._instances))]:
            raise ValueError(groups)
        return {name: found[index] for index, name in enumerate(self._instances)}


def _reruns(hosts: Any) -> dict[Identity, str]:
    found = {
        (_text(host), _integer(run_id)): _text(created_at)
        for host, runs in hosts
        for run_id, created_at in runs
    }
    if len(found) > MAX_RERUNS:
        raise ValueError(len(found))
    return found


def _text(value: Any) -> str:
    """A text that SQLite and other instances accept; raises `ValueError`."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(value)
    value.encode()
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise ValueError(value)
    return value


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
