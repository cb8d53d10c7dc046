"""Lists that respond with 304 are written together, soon, and each for itself."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload
from polling import add_runs
from sqlite_utils import Database

from ci_observer.ingest.polling.run_lists import RepoList
from ci_observer.ingest.polling.unchanged_lists import UnchangedLists
from ci_observer.ingest.store import feeds, following
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import utc

REPOS = ("acme/api", "acme/app", "acme/web")
LATER = NOW + timedelta(seconds=30)


@pytest.fixture
def watched(db: Database) -> list[Feed]:
    watch(db, *((repo, "ci.yml") for repo in REPOS))
    return feeds.watched(db)


def fresh_since(db: Database, when=LATER) -> set[str]:
    """The repositories whose feed was proved fresh at a time."""
    return {feed.repo for feed in feeds.watched(db) if feed.checked_at == utc(when)}


def saving(db: Database, add: Callable[[UnchangedLists], None]) -> UnchangedLists:
    """Add lists while they are saved, without a pause in which they could be."""

    async def run() -> UnchangedLists:
        lists = UnchangedLists(db)
        async with lists.saving():
            add(lists)
        return lists

    return asyncio.run(run())


def test_a_feed_is_fresh_before_a_long_pass_ends(db, watched):
    async def run() -> list[set[str]]:
        ticks: asyncio.Queue[None] = asyncio.Queue()
        seen = []

        async def wait(seconds: float) -> None:
            assert seconds <= 1
            await ticks.get()
            ticks.task_done()

        lists = UnchangedLists(db, wait=wait)
        async with lists.saving():
            lists.add(watched[0], LATER)
            seen.append(fresh_since(db))
            ticks.put_nowait(None)
            await ticks.join()
            await asyncio.sleep(0)
            seen.append(fresh_since(db))
            lists.add(watched[1], LATER)
        return [*seen, fresh_since(db)]

    assert asyncio.run(run()) == [set(), {"acme/api"}, {"acme/api", "acme/app"}]


def test_each_feed_keeps_the_time_of_its_own_response(db, watched):
    def add(lists: UnchangedLists) -> None:
        for seconds, feed in enumerate(watched):
            lists.add(feed, NOW + timedelta(seconds=seconds))

    saving(db, add)

    assert [feed.checked_at for feed in feeds.watched(db)] == [
        utc(NOW + timedelta(seconds=seconds)) for seconds in range(3)
    ]


def test_a_pass_that_fails_leaves_nothing_for_the_next_one(db, watched):
    """A later error of the feed would disappear with the older response."""

    async def run() -> None:
        async with lists.saving():
            lists.add(watched[0], LATER)
            raise RuntimeError

    async def run_again() -> None:
        async with lists.saving():
            pass

    lists = UnchangedLists(db)
    with pytest.raises(ExceptionGroup):
        asyncio.run(run())
    asyncio.run(run_again())

    assert fresh_since(db) == set()


def test_a_list_that_cannot_be_written_is_the_error_of_its_feed_alone(
    world, github, ingest, db, caplog
):
    for repo in REPOS:
        add_runs(world, 1, repo=repo)
    ingest.restart(repos=REPOS)
    ingest.poll()
    db.execute("update newest_pages set run_ids = '[' where repo = 'acme/app'")
    github.advance(60)

    ingest.poll(backfill_deadline=github.clock() + timedelta(seconds=60))

    assert fresh_since(db, github.clock()) == {"acme/api", "acme/web"}
    assert {f.repo for f in feeds.watched(db) if f.error} == {"acme/app"}


def test_runs_are_followed_again_after_another_list_of_the_feed_has_changed(
    db, watched
):
    """Only the workflow's own list has the run, and only the repository's is polled."""
    feed = watched[0]
    open_run = run_payload(1, status="in_progress", conclusion=None)
    with db.atomic():
        following.save_page(db, feed.repo, "", [])
    save_runs(db, open_run)
    repo_list = RepoList(feed.repo, (feed,))

    lists = saving(db, lambda lists: lists.add(repo_list, LATER))
    assert followed(db) == [("run", 1)]
    save_runs(db, open_run)
    lists.record_changed([feed])
    assert followed(db) == []

    async def run() -> None:
        async with lists.saving():
            lists.add(repo_list, LATER)

    asyncio.run(run())
    assert followed(db) == [("run", 1)]


@pytest.mark.parametrize(
    "change",
    [
        "delete from pending",
        "update instance set value = value + 1 where key = 'revision'",
    ],
)
def test_runs_are_followed_again_after_a_change(db, watched, change):
    feed = watched[0]
    save_runs(db, run_payload(1, status="in_progress", conclusion=None))
    with db.atomic():
        following.save_page(db, feed.repo, feed.workflow, [])
    lists = saving(db, lambda lists: lists.add(feed, LATER))
    assert followed(db) == [("run", 1)]
    with db.atomic():
        db.execute(change)
        db.execute("delete from pending")

    async def run() -> None:
        async with lists.saving():
            lists.add(feed, LATER)

    asyncio.run(run())
    assert followed(db) == [("run", 1)]


def followed(db: Database) -> list[tuple[str, int]]:
    return list(
        db.execute("select kind, run_id from pending where kind in ('run', 'watch')")
    )
