"""The request pool: concurrency, order, and the errors that stop it."""

import asyncio
import sqlite3
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from ci_observer.ingest.errors import (
    DatabaseError,
    GitHubError,
    NotFound,
    RateLimited,
)
from ci_observer.ingest.polling.concurrency import RequestPool

ITEMS = [f"acme/service-{n}" for n in range(12)]


class Pass:
    """A pool that runs all items; the test decides when each response arrives."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.failed: list[str] = []
        self.pool = RequestPool()
        self._responses: dict[str, asyncio.Future[None]] = defaultdict(asyncio.Future)
        self._task = asyncio.ensure_future(
            self.pool.run(ITEMS, self._fetch, lambda item, _: self.failed.append(item))
        )

    async def _fetch(self, item: str) -> None:
        async with self.pool.slot():
            self.log.append(f"sent {item}")
            await self._responses[item]
        self.log.append(f"saved {item}")

    async def respond(self, index: int, error: GitHubError | None = None) -> None:
        """Let a response arrive, and run everything that follows at once."""
        response = self._responses[ITEMS[index]]
        if error:
            response.set_exception(error)
        else:
            response.set_result(None)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(len(ITEMS)):
            await asyncio.sleep(0)

    async def end(self) -> None:
        for index in range(len(ITEMS)):
            if not self._responses[ITEMS[index]].done():
                await self.respond(index)
        await self._task


def lines(verb: str, *indexes: int) -> list[str]:
    return [f"{verb} {ITEMS[index]}" for index in indexes]


@pytest.mark.asyncio
async def test_four_requests_run_at_once():
    one_pass = Pass()
    await one_pass.settle()

    assert one_pass.log == lines("sent", 0, 1, 2, 3)
    await one_pass.end()
    assert set(one_pass.log) == set(
        lines("sent", *range(12)) + lines("saved", *range(12))
    )


@pytest.mark.asyncio
async def test_the_next_request_is_sent_before_a_response_is_saved():
    one_pass = Pass()
    await one_pass.settle()

    await one_pass.respond(2)
    await one_pass.end()

    assert one_pass.log[4] == f"sent {ITEMS[4]}"
    assert f"saved {ITEMS[2]}" in one_pass.log[5:]


@pytest.mark.asyncio
async def test_after_an_error_that_concerns_all_nothing_more_is_sent():
    one_pass = Pass()
    await one_pass.settle()
    spent = RateLimited("Spent.", datetime(2026, 3, 1, tzinfo=UTC))

    await one_pass.respond(1, spent)
    await one_pass.end()

    assert one_pass.pool.stopped_by is spent
    assert set(one_pass.log) == set(lines("sent", 0, 1, 2, 3) + lines("saved", 0, 2, 3))
    assert one_pass.failed == []


@pytest.mark.asyncio
async def test_an_error_of_one_item_stops_no_other():
    one_pass = Pass()
    await one_pass.settle()

    await one_pass.respond(1, NotFound("Gone."))
    await one_pass.end()

    assert one_pass.failed == [ITEMS[1]]
    assert set(lines("saved", 0, *range(2, 12))) <= set(one_pass.log)


@pytest.mark.asyncio
async def test_a_stopped_pool_sends_requests_again_after_a_reset():
    one_pass = Pass()
    await one_pass.settle()
    await one_pass.respond(0, RateLimited("Spent.", datetime(2026, 3, 1, tzinfo=UTC)))
    await one_pass.end()

    one_pass.pool.reset()
    async with one_pass.pool.slot():
        one_pass.log.append("sent again")

    assert one_pass.log[-1] == "sent again"
    assert one_pass.pool.stopped_by is None


class Broken(Exception):
    """An unexpected exception."""


def run_failing(error: Exception) -> list[tuple[str, str]]:
    """Run all items; the first one fails. Return the recorded errors."""
    failed: list[tuple[str, str]] = []

    async def fetch(item: str) -> None:
        if item == ITEMS[0]:
            raise error

    pool = RequestPool()
    for _ in range(2):
        asyncio.run(
            pool.run(ITEMS, fetch, lambda item, e: failed.append((item, e.kind)))
        )
        pool.reset()
    return failed


@pytest.mark.parametrize(
    "error",
    [
        Broken("no such thing"),
        OverflowError("Python int too large to convert to SQLite INTEGER"),
        UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"),
        RecursionError(),
        sqlite3.IntegrityError("NOT NULL constraint failed"),
        sqlite3.InterfaceError("Error binding parameter"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_unexpected_exception_is_the_error_of_its_item(error, caplog):
    """Its traceback is logged once, however often it occurs."""
    assert run_failing(error) == [(ITEMS[0], "unexpected")] * 2
    [record] = caplog.records
    assert record.exc_info[1] is error


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.DatabaseError("database disk image is malformed"),
        DatabaseError("The database file was replaced."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_database_ends_the_pass(error):
    with pytest.raises(ExceptionGroup) as caught:
        run_failing(error)

    assert caught.value.exceptions == (error,)
