"""Faults of bodies: lagging lists, wrong shapes, values and sizes."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ci_observer.demo.server.effects import Effects, Transform
from ci_observer.demo.server.messages import Response, encoded, json_response

MEGABYTE = 2**20
# Header and end of a gzip file: RFC 1952, and an empty last block of RFC 1951.
GZIP_START, DEFLATE_END = b"\x1f\x8b\x08\0\0\0\0\0\2\xff", b"\3\0"


def stale(effects: Effects, *, seconds: float) -> None:
    """A lagging replica: the state of `seconds` ago."""
    effects.stale_seconds = seconds


def partial(effects: Effects, *, keep: float = 0.5, counts_all: bool = False) -> None:
    """A lagging search index: filtered lists lack their newest rows.

    With `counts_all` the total still counts them.
    """
    effects.keep = keep
    effects.counts_all = counts_all


def invalid_json(effects: Effects) -> None:
    """A 200 whose body ends in the middle of a string."""
    effects.transforms.append(
        lambda response: with_body(response, response.body[:-20] + b'"')
    )


def missing_field(effects: Effects, *, name: str = "workflow_runs") -> None:
    """Remove the key from the top level, or else from every run."""

    def remove(body: Any) -> Any:
        if name in body:
            return {key: value for key, value in body.items() if key != name}
        return per_run(body, lambda run: {k: v for k, v in run.items() if k != name})

    effects.transforms.append(on_json(remove))


def wrong_type(effects: Effects) -> None:
    """A list instead of an object."""
    effects.transforms.append(on_json(lambda body: [body]))


def empty_list(effects: Effects) -> None:
    """A 200 without any run."""
    body = {"total_count": 0, "workflow_runs": []}
    effects.response = json_response(body)


def oversize(effects: Effects, *, name: str = "status", length: int = 100_000) -> None:
    """A key of every run gets a very long text."""
    effects.transforms.append(
        on_json(lambda body: per_run(body, lambda run: {**run, name: "x" * length}))
    )


def replaced(effects: Effects, *, name: str, value: Any) -> None:
    """A key of every run gets this value, of any type."""
    effects.transforms.append(
        on_json(lambda body: per_run(body, lambda run: {**run, name: value}))
    )


def huge_number(effects: Effects, *, name: str = "id", digits: int = 5000) -> None:
    """A key of every run is an integer of this many digits."""
    mark = "a number"
    number = b"9" * digits

    def change(response: Response) -> Response:
        marked = on_json(lambda body: per_run(body, lambda run: {**run, name: mark}))
        body = marked(response).body.replace(encoded(mark), number)
        return with_body(response, body)

    effects.transforms.append(change)


def huge(effects: Effects, *, megabytes: int = 40) -> None:
    """The body, followed by this many megabytes of blanks: still valid JSON."""
    effects.transforms.append(
        lambda response: with_body(
            response, response.body + b" " * MEGABYTE * megabytes
        )
    )


def deep_json(effects: Effects, *, depth: int = 100_000) -> None:
    """A 200 of lists inside of lists."""
    body = b"[" * depth + b"]" * depth
    effects.transforms.append(lambda response: with_body(response, body))


def invalid_utf8(effects: Effects) -> None:
    """A 200 whose body is not UTF-8."""
    effects.transforms.append(
        lambda response: with_body(response, response.body[:-1] + b'," \xff":0}')
    )


def gzip_bomb(effects: Effects, *, megabytes: int = 1000, layers: int = 1) -> None:
    """A small body that decompresses to megabytes of zeros, in one or more layers."""
    effects.transforms.append(
        lambda response: replace(
            with_body(response, gzipped_zeros(megabytes, layers)),
            headers={
                **response.headers,
                "content-encoding": ", ".join(["gzip"] * layers),
            },
        )
    )


def broken_gzip(effects: Effects) -> None:
    """A body that claims to be compressed and is not."""
    effects.transforms.append(
        lambda response: replace(
            response, headers={**response.headers, "content-encoding": "gzip"}
        )
    )


@lru_cache(maxsize=4)
def gzipped_zeros(megabytes: int, layers: int) -> bytes:
    """Zeros as one gzip stream, built from one block that repeats itself."""
    block = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    zeros = bytes(MEGABYTE)
    repeated = block.compress(zeros) + block.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(zeros, checksum)
    size = megabytes * MEGABYTE % 2**32
    end = checksum.to_bytes(4, "little") + size.to_bytes(4, "little")
    body = GZIP_START + repeated * megabytes + DEFLATE_END + end
    for _ in range(layers - 1):
        body = gzip.compress(body, 9, mtime=0)
    return body


def per_run(body: Any, change: Callable[[Any], Any]) -> Any:
    if "workflow_runs" not in body:
        return change(body)
    return {**body, "workflow_runs": [change(run) for run in body["workflow_runs"]]}


def on_json(change: Callable[[Any], Any]) -> Transform:
    return lambda response: with_body(
        response, encoded(change(json.loads(response.body)))
    )


def with_body(response: Response, body: bytes) -> Response:
    return Response(response.status, body, response.headers, free=response.free)
