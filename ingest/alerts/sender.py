"""Sends the messages of the outbox while polling goes on.

Each address has its own task, and each message its own process: a dead receiver delays
neither polling nor another one.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict

from sqlite_utils import Database

from ci_observer.ingest.alerts import deliveries
from ci_observer.ingest.alerts.deliver import FAILED, SENT, Network, Result
from ci_observer.ingest.alerts.deliveries import Batch
from ci_observer.ingest.alerts.messages import Message, digest_of, message_of
from ci_observer.ingest.times import Clock

log = logging.getLogger("ci_observer.ingest")

# For a message, with the start of its process.
SECONDS_PER_MESSAGE = 45
MAX_PROCESSES = 4
# How often the outbox is looked at.
SECONDS_BETWEEN_LOOKS = 5

Deliver = Callable[[str, Message], Awaitable[Result]]


class Sender:
    """Sends what is due. `addresses` has the address of each name."""

    def __init__(
        self,
        db: Database,
        addresses: Mapping[str, str],
        deliver: Deliver,
        *,
        clock: Clock,
        timezone: str,
    ) -> None:
        self._db = db
        self._addresses = addresses
        self._deliver = deliver
        self._clock = clock
        self._timezone = timezone
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing: set[str] = set()
        # A process takes 70 MB.
        self._places = asyncio.Semaphore(MAX_PROCESSES)

    def start_due(self) -> None:
        """Start to send to every address for which something is due."""
        self._tasks = {k: task for k, task in self._tasks.items() if not task.done()}
        for receiver in deliveries.due_receivers(self._db, self._clock()):
            if receiver in self._addresses and receiver not in self._tasks:
                work = self._send_logged(receiver)
                self._tasks[receiver] = asyncio.ensure_future(work)

    async def send_due(self) -> None:
        """Send everything that is due, and wait until it is done."""
        self.start_due()
        await asyncio.gather(*self._tasks.values())

    async def send_to(self, receiver: str) -> None:
        """Send all that is due to an address, until it fails."""
        while batch := deliveries.next_batch(self._db, receiver, self._clock()):
            deliveries.save_sending(self._db, batch)
            message = self._message(batch)
            async with self._places:
                result = await self._deliver(self._addresses[receiver], message)
            is_given_up = deliveries.save_result(self._db, batch, result, self._clock())
            self._log(batch, result, is_given_up=is_given_up)
            if result.outcome == FAILED:
                return

    async def _send_logged(self, receiver: str) -> None:
        # Polling goes on after any failure here.
        try:
            await self.send_to(receiver)
        except Exception as error:
            log.error("Alerts to %s cannot be sent", receiver, exc_info=error)

    def _message(self, batch: Batch) -> Message:
        if len(batch.facts) == 1:
            return message_of(batch.facts[0], self._timezone)
        return digest_of(batch.facts, batch.message_id)

    def _log(self, batch: Batch, result: Result, *, is_given_up: bool) -> None:
        receiver = batch.receiver
        if result.outcome == SENT:
            log.info("Alert sent to %s: %s", receiver, self._message(batch).title)
            self._failing.discard(receiver)
        elif is_given_up:
            log.error(
                "An alert to %s is given up after a day: %s", receiver, result.reason
            )
        elif receiver not in self._failing:
            self._failing.add(receiver)
            log.warning(
                "An alert to %s was not accepted: %s. It is tried again for a day.",
                receiver,
                result.reason,
            )


async def deliver_by_process(url: str, message: Message, network: Network) -> Result:
    """Send a message in a process of its own, which is killed if it hangs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "ci_observer.ingest.alerts.deliver"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # A traceback may have a part of the address.
        stderr=asyncio.subprocess.DEVNULL,
    )
    given = {"url": url, "message": asdict(message), "network": asdict(network)}
    try:
        async with asyncio.timeout(SECONDS_PER_MESSAGE):
            output, _ = await process.communicate(json.dumps(given).encode())
        return Result(**json.loads(output))
    except TimeoutError:
        return Result(FAILED, f"no response in {SECONDS_PER_MESSAGE} seconds")
    except ValueError:
        return Result(FAILED, "the process that sends has ended unexpectedly")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
