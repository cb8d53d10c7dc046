"""The settings of a simulated GitHub."""

from __future__ import annotations

from dataclasses import dataclass, field

from ci_observer.demo.server.apps import Apps
from ci_observer.demo.server.pagination import Caps
from ci_observer.demo.server.rate_limits import Token

DEMO_TOKEN = "demo-token"  # noqa: S105 (opens the simulator only)


@dataclass(slots=True)
class Settings:
    """The behaviour of this GitHub; may be changed while it serves.

    `enterprise`: no rate limit, and run objects of 2020. `spent_status` is the status
    for a spent primary limit (403 or 429). `link_origin` makes `Link` URLs point to
    another origin than the one requested, as behind a base-URL override. `caps` limits
    the lists of runs. `apps` are the registered GitHub Apps.
    """

    tokens: dict[str, Token] = field(default_factory=lambda: {DEMO_TOKEN: Token()})
    base_path: str = ""
    enterprise: bool = False
    spent_status: int = 403
    link_origin: str | None = None
    latency: float = 0.0
    gzip: bool = False
    caps: Caps = field(default_factory=Caps)
    apps: Apps = field(default_factory=Apps)
