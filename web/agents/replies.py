"""The replies of tools: short, with links, and with GitHub's texts kept apart."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ci_observer.web.errors import BadRequest
from ci_observer.web.texts import cut

Reply = dict[str, Any]

# About 5,000 tokens, so that a reply leaves an agent room to think.
MAX_BYTES = 20_000
MAX_TEXT = 300
TOO_LARGE = f"The names alone have more than {MAX_BYTES} bytes. Select fewer columns."


def untrusted(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The free texts among some values, cut; without those that are null."""
    return {
        name: cut(str(values[name]), MAX_TEXT)
        for name in names
        if values.get(name) is not None
    }


def chosen(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Some of the values, without those that are null."""
    return {name: values[name] for name in names if values.get(name) is not None}


def limited(reply: Reply, key: str) -> Reply:
    """The reply with as many items of its list `key` as `MAX_BYTES` hold.

    `omitted` is the number of those that are left out. Raises `BadRequest` if all else
    is too long.
    """
    items: list[Any] = reply[key]
    empty: Reply = {key: []}
    size = _size(reply | empty | {"omitted": reply.get("omitted", 0) + len(items)})
    if size > MAX_BYTES:
        raise BadRequest(TOO_LARGE)
    kept = []
    for item in items:
        # In its place, since each level is indented by two spaces more.
        size += _size({key: [item]}) - _size(empty)
        if size > MAX_BYTES:
            break
        kept.append(item)
    omitted = reply.get("omitted", 0) + len(items) - len(kept)
    return reply | {key: kept, "omitted": omitted}


def limited_text(reply: Reply, key: str) -> Reply:
    """The reply with as many lines of its text `key` as `MAX_BYTES` hold.

    `omitted` is the number of characters that are left out.
    """
    lines = reply[key].splitlines(keepends=True)
    short = limited(reply | {key: lines}, key)
    kept = "".join(short[key])
    return short | {key: kept, "omitted": len(reply[key]) - len(kept)}


def _size(value: Any) -> int:
    """The bytes of a value as the MCP library writes it."""
    return len(json.dumps(value, indent=2, ensure_ascii=False).encode())
