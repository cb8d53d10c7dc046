"""The settings of alerts. No message shows a part of an address: it holds secrets."""

from pathlib import Path
from typing import Any

from ci_observer.ingest.alerts.events import EVENTS
from ci_observer.ingest.config.tokens import remedy_of
from ci_observer.ingest.config.values import is_repo_item, split_items
from ci_observer.ingest.errors import ConfigError

MAX_ADDRESSES = 20
MAX_AFTER = 1000
OF_ALERTS = ("ALERT_URLS", "ALERT_URLS_FILE")


def parse_alert_urls(text: str, name: str) -> tuple[str, ...]:
    """The addresses in a text, separated by white space; `check_alerts` tries them."""
    urls = tuple(dict.fromkeys(text.split()))
    if len(urls) > MAX_ADDRESSES:
        raise ConfigError(
            f"{name}: there are {len(urls)} addresses, and at most {MAX_ADDRESSES} are "
            "allowed. Let one of them pass the messages on."
        )
    for number, url in enumerate(urls, start=1):
        if "://" not in url:
            raise ConfigError(
                f"{name}: address {number} does not begin with a kind such as "
                "slack:// or mailto://. Separate addresses by spaces or line breaks, "
                "and write %20 for a space in one."
            )
    return urls


def read_alert_urls(path: Path) -> tuple[str, ...]:
    """The addresses in a file. Lines that begin with # are comments."""
    name = "ALERT_URLS_FILE"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file in UTF-8"
        # A value with :// may be an address itself.
        shown = "the file" if "://" in str(path) or ":/" in str(path) else path
        remedy = remedy_of(error) or "Write the path of a file with the addresses."
        raise ConfigError(f"{name}: cannot read {shown} ({reason}). {remedy}") from None
    text = " ".join(line for line in lines if not line.lstrip().startswith("#"))
    if not text.strip():
        raise ConfigError(f"{name}: {path} is empty. Put the addresses in it.")
    return parse_alert_urls(text, name)


def parse_alert_events(text: str, name: str) -> tuple[str, ...]:
    """The events to tell, in the order of `EVENTS`."""
    items = [item.lower() for item in split_items(text)]
    for item in items or [text]:
        if item not in EVENTS:
            raise ConfigError(
                f"{name}: {item!r} is no event. Write some of {', '.join(EVENTS)}, "
                "separated by commas."
            )
    return tuple(event for event in EVENTS if event in items)


def parse_alert_repos(text: str, name: str) -> tuple[str, ...]:
    """Names and patterns of repositories; with `!`, those to leave out."""
    items = split_items(text)
    for item in items or [text]:
        if not is_repo_item(item):
            raise ConfigError(
                f"{name}: {item!r} is no repository. Write names and patterns such as "
                "acme/api, acme/* or acme/api-*, and !acme/old to leave one out, "
                "separated by commas."
            )
    return tuple(items)


def add_alert_urls(values: dict[str, Any], api_url: str) -> None:
    """Add the addresses of the file, and check all; `values` are those of `Config`."""
    if path := values.get("alert_urls_file"):
        if "alert_urls" in values:
            raise ConfigError(f"{' and '.join(OF_ALERTS)} are both set: keep only one.")
        values["alert_urls"] = read_alert_urls(path)
    urls = values.get("alert_urls")
    if not urls:
        return
    # Half a second, which only those wait for who have alerts.
    from ci_observer.ingest.alerts.receivers import refuse_receivers  # noqa: PLC0415

    refuse_receivers(urls, OF_ALERTS[bool(path)], api_url=api_url)
