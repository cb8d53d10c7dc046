"""The command `alerts`: sends a test, shows what would be sent, and what waits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from functools import partial

from sqlite_utils import Database

from ci_observer.ingest.alerts import deliveries
from ci_observer.ingest.alerts.deliver import SENT, Network, Result
from ci_observer.ingest.alerts.messages import Message
from ci_observer.ingest.alerts.receivers import names_of
from ci_observer.ingest.alerts.sender import (
    SECONDS_BETWEEN_LOOKS,
    Sender,
    deliver_by_process,
)
from ci_observer.ingest.alerts.watch import AlertWatch
from ci_observer.ingest.commands.explained_errors import EXIT_FAILED
from ci_observer.ingest.commands.runtime import open_database, utc_now
from ci_observer.ingest.config import Config, load_network, proxy_variables
from ci_observer.ingest.db.schema import StorageError
from ci_observer.ingest.errors import ConfigError, DatabaseError

# How often all tiles are looked at, in which time alone may have changed something.
LOOK_SECONDS = 30
# After an error of the database, which ingest logs.
RETRY_SECONDS = 60

log = logging.getLogger("ci_observer")


def addresses_of(config: Config) -> dict[str, str]:
    """The addresses by their names. Raises `ConfigError` if there is none."""
    if not config.alert_urls:
        raise ConfigError(
            "There is no address for alerts. Set ALERT_URLS or ALERT_URLS_FILE in the "
            "environment or in .env; docs/alerts.md has examples."
        )
    return dict(zip(names_of(config.alert_urls), config.alert_urls, strict=True))


def network_of(config: Config) -> Network:
    """How messages leave this machine: by the proxies and certificates of ingest."""
    _, certificates = load_network(config.api_url)
    return Network(config.api_url, proxy_variables(), certificates)


def open_sender(config: Config, db: Database) -> Sender:
    """A sender for the addresses of the settings."""
    return Sender(
        db,
        addresses_of(config),
        partial(deliver_by_process, network=network_of(config)),
        clock=utc_now,
        timezone=config.timezone,
    )


async def run_alerts(
    config: Config,
    db: Database,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Notice what time changes, and send what is due; never returns."""
    sender, watch = open_sender(config, db), AlertWatch(db)
    looks = 0
    while True:
        try:
            if looks % (LOOK_SECONDS // SECONDS_BETWEEN_LOOKS) == 0:
                watch.look()
            sender.start_due()
        except StorageError as error:
            # Ingest logs it, too, and why.
            log.debug("Alerts: %s", error)
            await wait(RETRY_SECONDS)
        looks += 1
        await wait(SECONDS_BETWEEN_LOOKS)


async def send_once(config: Config, db: Database) -> None:
    """Notice what time has changed, and send what is due."""
    AlertWatch(db).look()
    await open_sender(config, db).send_due()


async def run_alerts_of_up(config: Config) -> int:
    """Send alerts until stopped, also while ingest is dead or the file is damaged."""
    while True:
        try:
            db = open_database(config)
        except (DatabaseError, StorageError):
            await asyncio.sleep(RETRY_SECONDS)
            continue
        await run_alerts(config, db)


async def send_test(config: Config, now: datetime) -> tuple[list[str], int]:
    """Send a message to each address. Returns lines about them, and the exit code."""
    network = network_of(config)
    addresses = addresses_of(config)
    message = Message(
        f"test-{now:%Y%m%dT%H%M%SZ}",
        "CI Observer: test",
        f"This is a test of {config.title}. Alerts arrive here.",
        "info",
        {"id": f"test-{now:%Y%m%dT%H%M%SZ}", "event": "test"},
    )
    results: list[Result] = await asyncio.gather(
        *(deliver_by_process(url, message, network) for url in addresses.values())
    )
    lines = [
        f"{name}: {'sent' if r.outcome == SENT else f'failed: {r.reason}'}"
        for name, r in zip(addresses, results, strict=True)
    ]
    is_good = all(result.outcome == SENT for result in results)
    return lines, 0 if is_good else EXIT_FAILED


def status_lines(config: Config, db: Database) -> Iterator[str]:
    """The addresses, and how many messages are sent, waiting and given up."""
    for name in addresses_of(config):
        counts = deliveries.counts(db, name)
        waiting = sum(counts.get(state, 0) for state in deliveries.OPEN_STATES)
        yield (
            f"{name}: {counts.get(SENT, 0)} sent, {waiting} waiting, "
            f"{counts.get('given_up', 0)} given up"
        )
        if error := deliveries.last_error(db, name):
            yield f"  last error: {error}"
