"""One step of a pass: what is asked at once, in which order, and when nothing more."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from ci_observer.ingest.errors import GitHubError, NotFound, RateLimited
from ci_observer.ingest.polling.concurrency import Work

ITEMS = [f"acme/service-{n}" for n in range(12)]


class Step:
    """Asks for the items, each answered when the test says so."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.noted: list[str] = []
        self.work = Work(lambda item, error: self.noted.append(str(item)))
        self._answers: dict[str, asyncio.Future[None]] = defaultdict(asyncio.Future)
        self._task = asyncio.ensure_future(self.work.each(ITEMS, self._ask))

    async def _ask(self, item: str) -> None:
        async with self.work.request():
            self.log.append(f"asked {item}")
            await self._answers[item]
        self.log.append(f"saved {item}")

    async def answer(self, number: int, error: GitHubError | None = None) -> None:
        """Answer one item; what follows from it at once has happened by then."""
        answer = self._answers[ITEMS[number]]
        if error:
            answer.set_exception(error)
        else:
            answer.set_result(None)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(len(ITEMS)):
            await asyncio.sleep(0)

    async def end(self) -> None:
        for number in range(len(ITEMS)):
            if not self._answers[ITEMS[number]].done():
                await self.answer(number)
        await self._task


def lines(word: str, *numbers: int) -> list[str]:
    return [f"{word} {ITEMS[number]}" for number in numbers]


@pytest.mark.asyncio
async def test_four_requests_are_under_way_at_once():
    step = Step()
    await step.settle()

    assert step.log == lines("asked", 0, 1, 2, 3)
    await step.end()
    assert set(step.log) == set(lines("asked", *range(12)) + lines("saved", *range(12)))


@pytest.mark.asyncio
async def test_the_next_request_leaves_before_an_answer_is_saved():
    step = Step()
    await step.settle()

    await step.answer(2)
    await step.end()

    assert step.log[4] == f"asked {ITEMS[4]}"
    assert f"saved {ITEMS[2]}" in step.log[5:]


@pytest.mark.asyncio
async def test_after_what_concerns_all_nothing_more_is_asked():
    step = Step()
    await step.settle()
    spent = RateLimited("Spent.", datetime(2026, 3, 1, tzinfo=UTC))

    await step.answer(1, spent)
    await step.end()

    assert step.work.stopped_by is spent
    assert set(step.log) == set(lines("asked", 0, 1, 2, 3) + lines("saved", 0, 2, 3))
    assert step.noted == []


@pytest.mark.asyncio
async def test_what_concerns_one_item_stops_no_other():
    step = Step()
    await step.settle()

    await step.answer(1, NotFound("Gone."))
    await step.end()

    assert step.noted == [ITEMS[1]]
    assert set(lines("saved", 0, *range(2, 12))) <= set(step.log)
