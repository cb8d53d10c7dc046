"""Faults of the connection: broken, slow and endless responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ci_observer.demo.server.effects import Effects
from ci_observer.demo.server.messages import Response


def drop(effects: Effects) -> None:
    """Close the connection before any byte."""
    effects.drop = True


def truncate(effects: Effects) -> None:
    """Send half of the promised Content-Length."""
    effects.truncate = True


def delay(effects: Effects, *, seconds: float) -> None:
    """Delay the response by `seconds` of real time."""
    effects.delay += seconds


def slow_headers(effects: Effects, *, seconds: float = 1.0) -> None:
    """A header that never ends, one byte every `seconds`."""
    effects.slow_headers = seconds


def drip(effects: Effects, *, seconds: float = 1.0) -> None:
    """The whole body, one byte every `seconds` of real time."""

    async def stream(response: Response) -> AsyncIterator[bytes]:
        for byte in response.body:
            yield bytes([byte])
            await asyncio.sleep(seconds)

    effects.stream = stream


def endless(effects: Effects, *, size: int = 65_536, seconds: float = 0.0) -> None:
    """The start of the body, then blanks without an end: `size` every `seconds`."""

    async def stream(response: Response) -> AsyncIterator[bytes]:
        yield response.body[:-1]
        while True:
            yield b" " * size
            await asyncio.sleep(seconds)

    effects.stream, effects.has_length = stream, False
