"""What a peer says of itself in `/api/config`, checked: the peer is not trusted."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic.types import AwareDatetime

from ci_observer.web.peers.client import PeerClient, PeerResponse, Query
from ci_observer.web.peers.peer import Peer, PeerError
from ci_observer.web.texts import display_text

ROUTE = "/api/config"
# Beyond that, the ages that the peer computes are wrong.
MAX_CLOCK_SECONDS = 120
MAX_TEXT = 2000


def _shown(value: Any) -> Any:
    """A text without line breaks and controls, cut for display."""
    if not isinstance(value, str):
        return value
    return display_text(value[:MAX_TEXT].encode("utf-8", "replace").decode())


Text = Annotated[str | None, BeforeValidator(_shown)]


class Polling(BaseModel):
    """The state of the peer's polling."""

    state: Annotated[str, Field(pattern=r"\A[a-z_]{1,30}\z")]
    reason: Text = None
    last_success_at: AwareDatetime | None = None


class Facts(BaseModel):
    """The part of the configuration that this instance needs."""

    title: Text = None
    version: Text = None
    server_time: AwareDatetime
    stale_seconds: Annotated[int, Field(ge=1, le=10**7)]
    wall_etag: Annotated[str, Field(max_length=200)]
    shard: dict[str, Any] | None = None
    polling: Polling

    @property
    def age(self) -> float | None:
        """The seconds since the peer's last good response, by the peer's clock."""
        last = self.polling.last_success_at
        if last is None:
            return None
        return max(0.0, (self.server_time - last).total_seconds())

    def clock_error(self, now: datetime) -> float:
        """The seconds by which the peer's clock is ahead of ours."""
        return (self.server_time - now).total_seconds()


def parse_facts(response: PeerResponse) -> Facts:
    """The facts in a response. Raises `PeerError` if it has another shape."""
    try:
        return Facts.model_validate(response.json())
    except ValidationError:
        raise PeerError(
            "its response is not that of a CI Observer of this version"
        ) from None


async def fetch_facts(client: PeerClient, peer: Peer, query: Query = ()) -> Facts:
    """What a peer says of itself now. Raises `PeerError` without a usable response."""
    return parse_facts(await client.get(peer, ROUTE, query))


def clock_problem(facts: Facts, now: datetime) -> str | None:
    """Why the times of a peer cannot be right; None if they can."""
    error = facts.clock_error(now)
    if abs(error) <= MAX_CLOCK_SECONDS:
        return None
    minutes = round(abs(error) / 60)
    way = "ahead of" if error > 0 else "behind"
    return f"its clock is {minutes} min {way} that of this instance"
