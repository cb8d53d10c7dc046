"""The tiles of a peer: checked by a schema, since a peer is not trusted.

A value of another type refuses the whole response, so that every page can show the
others. A link that may not be on our pages is left out, and a text is cut and cleaned
as one of GitHub's.
"""

from functools import cache
from typing import Annotated, Any, Literal, Required

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)
from typing_extensions import TypedDict  # of the standard library since Python 3.12

from ci_observer import column_kinds as kinds
from ci_observer.web.columns import TILE_COLUMNS
from ci_observer.web.peers.client import PeerResponse
from ci_observer.web.peers.links import LinkCheck
from ci_observer.web.peers.peer import Peer, PeerError
from ci_observer.web.peers.real_time import is_real_time
from ci_observer.web.texts import display_text
from ci_observer.web.vocabulary import ACTIVITIES, ALARMS, FAILING_ALARM

Tile = dict[str, Any]

MAX_TILES = 2000
MAX_STRIP = 100
MAX_TEXT = 5000
MAX_INTEGER = 2**63 - 1
# Seconds, or a share of 1.
MAX_NUMBER = 10**10
FAILING, PASSING, UNKNOWN = "failing", "passing", "unknown"
# The states of a tile without an alarm, by its last result.
_STATES_OF_RESULT = {
    FAILING: (FAILING, UNKNOWN),
    PASSING: (PASSING, "untested", UNKNOWN),
    UNKNOWN: (UNKNOWN,),
}
# A tile that has the first value has the second one, too.
_TOGETHER = {
    "last_result_run_id": "last_result_run_attempt",
    "fixed_run_id": "fixed_at",
}


_Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(display_text)]
_Word = Annotated[str, Field(max_length=300)]


def _is_name(repo: str) -> str:
    # A browser would leave the path of the peer.
    if {".", ".."} & {*repo.split("/")}:
        raise ValueError("a part of a path")
    return repo


def _is_time(text: str) -> str:
    if not is_real_time(text):
        raise ValueError("no time")
    return text


_Name = Annotated[
    str,
    Field(pattern=r"\A[A-Za-z0-9_.-]{1,99}/[A-Za-z0-9_.-]{1,99}\z"),
    AfterValidator(_is_name),
]
_File = Annotated[str, Field(pattern=r"\A[^\x00-\x1f\x7f]{1,300}\z")]
_Time = Annotated[
    str,
    Field(pattern=r"\A[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]+)?Z\z"),
    AfterValidator(_is_time),
]
_Integer = Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
_Number = Annotated[float, Field(allow_inf_nan=False, ge=0, le=MAX_NUMBER)]
_OF_KIND: dict[str, Any] = {
    kinds.TIME: _Time,
    kinds.BOOLEAN: bool,
    kinds.INTEGER: _Integer,
    kinds.NUMBER: _Number,
}


class _StripRun(TypedDict, total=False):
    """A run of the strip."""

    run_id: Required[_Integer]
    run_number: _Integer | None
    run_attempt: _Integer | None
    status: _Word | None
    conclusion: _Word | None
    cancel_cause: _Word | None
    result: Required[Literal["passing", "failing"] | None]
    is_superseded: bool
    is_gone: bool
    started_at: _Time | None
    duration_seconds: _Integer | None


@cache
def _tile_schema() -> TypeAdapter[Any]:
    columns: dict[str, Any] = {
        name: (_OF_KIND.get(kinds.kind_of(name), _Text) | None, None)
        for name in TILE_COLUMNS
    }
    columns |= {
        "repo": (_Name, ...),
        "workflow": (_File, ...),
        "tile_state": (_Text, ...),
        "is_default_branch": (bool, True),
        "is_flaky": (bool, False),
        "strip": (Annotated[list[_StripRun], Field(max_length=MAX_STRIP)], []),
    }
    return TypeAdapter(
        create_model("_Tile", __config__=ConfigDict(strict=True), **columns)
    )


def parse_tiles(response: PeerResponse, peer: Peer, check: LinkCheck) -> list[Tile]:
    """The tiles in a response of `/api/wall`, with the keys `merged.PEER_COLUMNS`.

    Raises `PeerError` if it has another shape. Takes some milliseconds for 100 tiles.
    """
    wall = response.json()
    tiles = wall.get("tiles") if isinstance(wall, dict) else None
    if not isinstance(tiles, list) or wall.get("ok") is not True:
        raise PeerError("its response is not a list of tiles")
    if len(tiles) > MAX_TILES:
        raise PeerError(f"it has {len(tiles):,} tiles, and at most {MAX_TILES:,} fit")
    return [_parse_tile(index, tile, peer, check) for index, tile in enumerate(tiles)]


def _parse_tile(index: int, content: Any, peer: Peer, check: LinkCheck) -> Tile:
    try:
        tile = _tile_schema().validate_python(content).model_dump()
    except ValidationError as error:
        raise PeerError(
            f"its tiles are not valid (tiles {index}{_place_of(error)})"
        ) from None
    for first, second in _TOGETHER.items():
        if tile[first] is not None and tile[second] is None:
            raise PeerError(f"its tiles are not valid (tiles {index} {second})")
    return _tile_of(tile, peer, check)


def _place_of(error: ValidationError) -> str:
    """Where the first error is, without any text of the peer but a known name."""
    place = error.errors(include_url=False, include_input=False)[0]["loc"]
    known = [str(p) for p in place if isinstance(p, int) or p in TILE_COLUMNS]
    return "".join(f" {name}" for name in known)


def _tile_of(tile: Tile, peer: Peer, check: LinkCheck) -> Tile:
    for name, value in tile.items():
        if name.endswith("html_url") and value is not None:
            tile[name] = check(value)
    if tile["alarm"] is None and tile["tile_state"] in ALARMS:
        tile["alarm"] = tile["tile_state"]
    # The words of a newer version are not understood, and never green.
    if not _is_understood(tile):
        tile |= {"alarm": None, "tile_state": UNKNOWN, "last_result": UNKNOWN}
    if tile["activity"] not in (None, *ACTIVITIES):
        tile["activity"] = "unfinished"
    tile["streak"] = tile["streak"] or 0
    return tile | {"peer": peer.name, "peer_url": f"{peer.address}/"}


def _is_understood(tile: Tile) -> bool:
    """Whether the state of a tile is that of its alarm, or else of its last result."""
    alarm, state = tile["alarm"], tile["tile_state"]
    if tile["last_result"] not in _STATES_OF_RESULT:
        return False
    if alarm is None:
        return state in _STATES_OF_RESULT[tile["last_result"]]
    if alarm == FAILING_ALARM:
        return bool(state == FAILING)
    return alarm in ALARMS and bool(state == alarm)


def stale_tile(tile: Tile, reason: str, since_at: str) -> Tile:
    """The tile of a peer that proves nothing any more, since the time `since_at`."""
    return tile | {
        "alarm": "stale",
        "tile_state": "stale",
        "activity": None,
        "error": reason,
        "since_at": since_at,
    }


def sort_key(tile: Tile) -> tuple[Any, ...]:
    """Most urgent first, as `rank` of the view `wall` has it, then by name."""
    names = (tile["repo"].lower(), tile["workflow"], tile["branch"] or "")
    return (rank_of(tile), tile["since_at"] or "", *names, tile.get("peer") or "")


def rank_of(tile: Tile) -> int:
    """The column `rank` of the view `wall`, of a tile in a response."""
    alarm, activity, state = tile["alarm"], tile["activity"], tile["tile_state"]
    if alarm is not None:
        return 1 if alarm == FAILING_ALARM else 0
    if tile["last_result"] == FAILING:
        return 2 if activity else 1
    if activity is not None:
        return 3 if activity == "held" else 4
    return {UNKNOWN: 5, "untested": 6}.get(state, 7)
