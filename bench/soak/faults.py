"""Faults of the simulated GitHub, one after the other, each of them temporary."""

import asyncio
from itertools import cycle
from typing import Any

from bench.soak.instance import SimulatedGitHub

# All of them occur within the first three minutes, before memory is compared.
SECONDS_BETWEEN = 8
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "server_error"},
    {"kind": "html_error", "count": 3},
    {"kind": "login_page"},
    {"kind": "secondary_limit", "retry_after": 3},
    {"kind": "accepted"},
    {"kind": "no_content"},
    {"kind": "drop", "count": 3},
    {"kind": "truncate"},
    {"kind": "delay", "seconds": 3, "count": 2},
    {"kind": "stale", "seconds": 60, "count": 2},
    {"kind": "invalid_json"},
    {"kind": "invalid_utf8"},
    {"kind": "missing_field"},
    {"kind": "wrong_type"},
    {"kind": "oversize"},
    {"kind": "huge", "megabytes": 40},
    {"kind": "deep_json"},
    {"kind": "gzip_bomb"},
    {"kind": "broken_gzip"},
    {"kind": "odd_etag", "value": "\u00e9"},
    {"kind": "missing_link"},
)


async def cause_faults(github: SimulatedGitHub) -> None:
    """Arm a fault every few seconds until cancelled; then disarm all."""
    try:
        for fault in cycle(FAULTS):
            body = {"path": "/runs", **fault}
            await asyncio.to_thread(github.control, "POST", "fault", body)
            await asyncio.sleep(SECONDS_BETWEEN)
    finally:
        github.control("DELETE", "fault")
