"""The headers of GitHub's responses, brought into bounds.

Pure functions. Numbers and times fit into SQLite and into Python's calendar, and no
header orders a wait of more than a day.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ci_observer.ingest.times import in_bounds

# GitHub's ETags have 69 characters.
MAX_ETAG_LENGTH = 256
# The longest wait that a header can order.
LONGEST_WAIT = timedelta(days=1)
SHORTEST_WAIT = timedelta(seconds=1)
# Above all of GitHub's rate limits.
MAX_REQUESTS = 10**9
NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<digits>[0-9]+)(\.[0-9]*)?")
# The usual form of a date: https://www.rfc-editor.org/rfc/rfc9110#http.date
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"


@dataclass(frozen=True)
class RateLimit:
    """The primary rate limit, in requests per hour, from a response's headers.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    limit: int
    remaining: int
    reset_at: datetime

    @property
    def share(self) -> float:
        """The share of the limit that is left, from 0 to 1."""
        return self.remaining / self.limit if self.limit else 0.0

    @classmethod
    def from_headers(
        cls, headers: Mapping[str, str], *, now: datetime
    ) -> "RateLimit | None":
        """None where the headers are absent, as on GitHub Enterprise Server.

        Also None if one of them is no number. Numbers are brought into bounds, and the
        reset is at most a day away.
        """
        latest_reset = int((now + LONGEST_WAIT).timestamp())
        limit, remaining, reset = (
            parse_number(headers.get(f"x-ratelimit-{name}"), high)
            for name, high in (
                ("limit", MAX_REQUESTS),
                ("remaining", MAX_REQUESTS),
                ("reset", latest_reset),
            )
        )
        if limit is None or remaining is None or reset is None:
            return None
        return cls(limit, remaining, datetime.fromtimestamp(reset, UTC))


def parse_number(text: str | None, high: int) -> int | None:
    """The whole part of a number in a header, from 0 to `high`.

    None if it is no number. Python refuses to parse thousands of digits.
    """
    match = NUMBER.fullmatch((text or "").strip())
    if match is None:
        return None
    digits = match["digits"].lstrip("0")
    if match["sign"] == "-":
        return 0
    return high if len(digits) > len(str(high)) else min(int(digits or "0"), high)


def parse_retry_after(text: str | None, *, now: datetime) -> datetime | None:
    """When a `retry-after` header allows the next request; None if it is invalid.

    Its value is a number of seconds, or a date:
    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    seconds = parse_number(text, int(LONGEST_WAIT.total_seconds()))
    if seconds is not None:
        is_negative = (text or "").lstrip().startswith("-")
        return None if is_negative else bounded(now + timedelta(seconds=seconds), now)
    until = parse_date(text)
    return bounded(until, now) if until else None


def parse_date(text: str | None) -> datetime | None:
    """The time in a header such as `date`, None if it is invalid."""
    return _parse_time((text or "").strip(), HTTP_DATE)


def bounded(until: datetime, now: datetime) -> datetime:
    """The end of a wait, from a second to a day after `now`."""
    return min(max(until, now + SHORTEST_WAIT), now + LONGEST_WAIT)


def parse_etag(text: str | None) -> str | None:
    """An ETag that can be sent back; None for one that a header cannot carry.

    A response whose ETag is ignored costs a full response each time, and nothing else.
    https://www.rfc-editor.org/rfc/rfc9110#field.etag
    """
    is_good = text is not None and re.fullmatch(rf"[!-~]{{1,{MAX_ETAG_LENGTH}}}", text)
    return text if is_good else None


def parse_expiration(text: str | None) -> datetime | None:
    """The time in a header `github-authentication-token-expiration`.

    `2026-12-31 12:00:00 UTC` or `2026-12-31 12:00:00 +0200`; None for anything else,
    and for a year that is nonsense.
    """
    formats = ("%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S %z")
    expires_at = _parse_time(text or "", *formats)
    return in_bounds(expires_at) if expires_at else None


def _parse_time(text: str, *date_formats: str) -> datetime | None:
    """The time in a text, in UTC if the text has no offset; None if it is invalid."""
    for date_format in date_formats:
        try:
            instant = datetime.strptime(text, date_format)  # noqa: DTZ007 (below)
        except ValueError:
            continue
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return None
