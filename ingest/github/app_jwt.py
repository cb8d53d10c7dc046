"""The JSON web tokens with which a GitHub App identifies itself.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ci_observer.ingest.config import Config, read_app_key
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.headers import parse_date
from ci_observer.ingest.times import Clock, in_bounds

log = logging.getLogger("ci_observer.ingest")

# GitHub recommends the first, against clocks that differ, and allows ten minutes.
ISSUED_BEFORE = timedelta(seconds=60)
VALID_FOR = timedelta(minutes=9)
# Clocks that differ by less than this are not the reason of a refusal.
MIN_DIFFERENCE = timedelta(seconds=10)


@dataclass(frozen=True)
class AppSettings:
    """A GitHub App: its id or client id, and the file with its private key.

    With `installation_id`, no other installation is used.
    """

    app_id: str
    key_file: Path
    installation_id: int | None = None

    @classmethod
    def of(cls, config: Config) -> "AppSettings | None":
        """The App of the settings; None without one."""
        if config.app_id is None or config.app_key_file is None:
            return None
        return cls(config.app_id, config.app_key_file, config.app_installation_id)


class AppJwt:
    """Signs JSON web tokens, with GitHub's time if the clock here is wrong."""

    def __init__(self, settings: AppSettings, clock: Clock) -> None:
        self._app_id = settings.app_id
        self._key = read_app_key(settings.key_file)
        self._clock = clock
        self._clock_is_late_by = timedelta(0)

    def sign(self) -> str:
        """A token that is valid for some minutes."""
        # Takes 0.1 seconds to import, and most instances have no App.
        import jwt  # noqa: PLC0415

        now = self._clock() + self._clock_is_late_by
        claims = {
            "iat": int((now - ISSUED_BEFORE).timestamp()),
            "exp": int((now + VALID_FOR).timestamp()),
            "iss": self._app_id,
        }
        return jwt.encode(claims, self._key, algorithm="RS256")

    def correct_clock(self, date: str | None) -> bool:
        """Use the time in the `date` header of a refusal; return whether it differs."""
        sent_at = parse_date(date)
        # Without a nonsense year, which would leave Python's calendar.
        theirs = in_bounds(sent_at) if sent_at else None
        if theirs is None:
            return False
        late_by = theirs - self._clock()
        if abs(late_by - self._clock_is_late_by) < MIN_DIFFERENCE:
            return False
        self._clock_is_late_by = late_by
        log.warning(
            "The clock of this machine differs from GitHub's by %d seconds. The App "
            "uses GitHub's time; set the clock, for example with NTP.",
            late_by.total_seconds(),
        )
        return True

    def reload(self, path: Path) -> bool:
        """Read the key again; return whether it has changed.

        A file that is no key leaves it unchanged.
        """
        try:
            key = read_app_key(path, known=self._key)
        except ConfigError:
            return False
        is_new = key != self._key
        self._key = key
        return is_new
