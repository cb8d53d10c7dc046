"""Merged lists of runs: no run is lost or doubled, whoever is away."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci_observer.web.api.cursors import decode_json, encode_cursor
from ci_observer.web.errors import BadRequest
from ci_observer.web.peers.run_cursors import MAX_LENGTH, RunCursors
from ci_observer.web.peers.run_merge import (
    MAX_RERUNS,
    START,
    Key,
    ListedRun,
    Progress,
    RunPage,
    start_of,
)
from ci_observer.web.peers.run_reader import MergedPage, Missing, read_merged_page

NAMES = ("own", "https://a.example", "https://b.example", "https://c.example")
GITHUB = "https://github.com/acme/api/actions/runs"
# After these pages every instance responds.
OUTAGES = 12
EXAMPLES = settings(max_examples=40)
AWAY = Missing("It does not respond.", "2026-03-01T12:00:00Z")


def listed_run(
    run_id: int, minute: int, *, attempt: int = 1, created: int | None = None
) -> ListedRun:
    return ListedRun.from_values(
        {
            "run_id": run_id,
            "run_attempt": attempt,
            "created_at": at(minute if created is None else created),
            "started_at": at(minute),
            "updated_at": at(minute + attempt),
            "html_url": f"{GITHUB}/{run_id}",
        }
    )


def at(minute: int) -> str:
    return f"2026-03-01T{minute // 60:02}:{minute % 60:02}:00Z"


class Instances:
    """Lists of runs by instance, and who is away on which page."""

    def __init__(
        self,
        lists: dict[str, list[ListedRun]],
        away: set[tuple[int, str]] = frozenset(),  # type: ignore[assignment]
        most: int = 1000,
    ) -> None:
        self.lists = lists
        self.away = away
        self.most = most
        self.page = 0

    async def fetch(self, name: str, position: Key, limit: int) -> RunPage | Missing:
        if (self.page, name) in self.away:
            return AWAY
        runs = sorted(self.lists[name], key=lambda run: run.key, reverse=True)
        runs = [run for run in runs if run.key < position]
        size = min(limit, self.most)
        return RunPage(runs[:size], has_more=len(runs) > size)

    def read(
        self, limit: int, between: Callable[[int], None] = lambda page: None
    ) -> list[MergedPage]:
        """Every page, as a client reads them that follows `next`."""
        return asyncio.run(self._read(limit, between))

    async def _read(
        self, limit: int, between: Callable[[int], None]
    ) -> list[MergedPage]:
        cursors = RunCursors([*self.lists], "")
        progress = start_of(self.lists)
        pages = []
        while not progress.is_at_end:
            page = await read_merged_page(
                progress, self.fetch, limit=limit, replay_limit=1000
            )
            pages.append(page)
            progress = cursors.decode(cursors.encode(page.progress))
            assert progress == page.progress
            self.page += 1
            between(self.page)
            assert self.page < 1000
        return pages


def runs_of(pages: list[MergedPage]) -> list[ListedRun]:
    return [run for page in pages for _, run in page.runs]


def sorted_runs(*lists: list[ListedRun]) -> list[ListedRun]:
    """The list of one instance that has all these runs."""
    unique = {run.identity: run for runs in lists for run in runs}
    return sorted(unique.values(), key=lambda run: run.key, reverse=True)


# The minute of each run, and which instances have it.
placed_runs = st.lists(
    st.tuples(st.integers(0, 8), st.sets(st.sampled_from(NAMES), min_size=1)),
    max_size=30,
)
alone = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(NAMES).map(lambda name: {name})),
    max_size=30,
)
outages = st.sets(st.tuples(st.integers(0, OUTAGES), st.sampled_from(NAMES[1:])))
sizes = st.integers(1, 7)


def lists_of(placed: list[tuple[int, set[str]]]) -> dict[str, list[ListedRun]]:
    placed = [*enumerate(placed, 1)]
    runs = [(listed_run(i, minute), names) for i, (minute, names) in placed]
    return {name: [run for run, names in runs if name in names] for name in NAMES}


@EXAMPLES
@given(placed=placed_runs, limit=sizes, most=sizes)
def test_all_pages_are_the_list_of_one_instance(placed, limit, most):
    """Ties, copies, and instances that return fewer runs than asked for."""
    lists = lists_of(placed)

    pages = Instances(lists, most=most).read(limit)

    assert runs_of(pages) == sorted_runs(*lists.values())
    assert all(len(page.runs) <= limit for page in pages)
    assert not any(page.missing for page in pages)


@EXAMPLES
@given(placed=alone, limit=sizes, away=outages)
def test_runs_of_an_instance_that_was_away_come_later(placed, limit, away):
    lists = lists_of(placed)

    pages = Instances(lists, away).read(limit)

    shown = runs_of(pages)
    assert sorted(shown, key=lambda run: run.key, reverse=True) == sorted_runs(
        *lists.values()
    )
    for page in pages:
        assert [run.key for _, run in page.runs] == sorted(
            (run.key for _, run in page.runs), reverse=True
        )
        assert not {name for name, _ in page.runs} & page.missing.keys()


@EXAMPLES
@given(placed=placed_runs, limit=sizes, away=st.sets(st.integers(0, OUTAGES)))
@example(
    # The first run is shown while the peer is away, which has it as well.
    placed=[(5, {*NAMES}), (4, {"own"}), (3, {NAMES[1]})],
    limit=1,
    away={0},
)
def test_a_copy_of_an_instance_that_was_away_is_not_shown_again(placed, limit, away):
    lists = lists_of(placed)

    pages = Instances(lists, {(page, NAMES[1]) for page in away}).read(limit)

    shown = runs_of(pages)
    assert sorted(shown, key=lambda run: run.key, reverse=True) == sorted_runs(
        *lists.values()
    )


@EXAMPLES
@given(placed=alone, limit=sizes, away=outages, news=st.lists(st.sampled_from(NAMES)))
def test_new_runs_move_no_others(placed, limit, away, news):
    """A new run may be shown, but the former ones are, each once."""
    lists = lists_of(placed)
    former = sorted_runs(*lists.values())

    def arrive(page: int) -> None:
        if page <= len(news):
            lists[news[page - 1]].append(listed_run(1000 + page, 20 + page))

    pages = Instances(lists, away).read(limit, arrive)

    shown = [run for run in runs_of(pages) if run.identity[1] < 1000]
    assert sorted(shown, key=lambda run: run.key, reverse=True) == former
    if not away:
        assert shown == former


@EXAMPLES
@given(
    reruns=st.lists(
        st.tuples(
            st.integers(0, 8), st.integers(1, 8), st.sets(st.sampled_from(NAMES[1:]))
        ),
        max_size=20,
    ),
    limit=sizes,
)
def test_an_older_attempt_on_a_later_page_is_left_out(reruns, limit):
    """Own runs have two attempts; some peers have the first one only."""
    lists: dict[str, list[ListedRun]] = {name: [] for name in NAMES}
    for run_id, (minute, delay, names) in enumerate(reruns, 1):
        lists["own"].append(
            listed_run(run_id, minute + delay, attempt=2, created=minute)
        )
        for name in names:
            lists[name].append(listed_run(run_id, minute))

    pages = Instances(lists).read(limit)

    assert runs_of(pages) == sorted_runs(lists["own"])


def test_the_newer_of_two_copies_is_shown_and_the_own_one_of_equal_copies():
    old = listed_run(1, 5)
    new = replace(old, version=(1, at(50)))
    same = listed_run(2, 4)
    lists = {"own": [old, same], "peer": [new, replace(same, values={})]}

    [page] = Instances(lists).read(10)

    assert page.runs == [("peer", new), ("own", same)]
    assert page.runs[1][1].values


def test_runs_of_two_github_hosts_with_one_number_are_two():
    here = listed_run(1, 5)
    there = replace(here, identity=("ghe.example", 1))

    [page] = Instances({"own": [here], "peer": [there]}).read(10)

    assert page.runs == [("own", here), ("peer", there)]


def test_a_page_is_stuck_when_only_missing_instances_have_more():
    lists = {"own": [listed_run(1, 5)], "peer": [listed_run(2, 4)]}
    away = {(0, "peer"), (1, "peer")}

    first, second, third = Instances(lists, away).read(10)

    assert first.runs == [("own", lists["own"][0])]
    assert not first.is_stuck
    assert second.is_stuck
    assert second.missing == {"peer": AWAY}
    assert third.runs == [("peer", lists["peer"][0])]


def test_the_attempts_in_a_cursor_are_limited():
    runs = [
        listed_run(i, 100 + i, attempt=2, created=1) for i in range(1, 2 * MAX_RERUNS)
    ]
    cursors = RunCursors(NAMES, "")

    first, *_ = Instances(dict.fromkeys(NAMES, runs)).read(2 * MAX_RERUNS - 2)

    assert len(first.progress.reruns) == MAX_RERUNS
    assert len(cursors.encode(first.progress)) < MAX_LENGTH / 2


def test_a_cursor_of_other_instances_or_filters_is_refused():
    cursor = RunCursors(NAMES, "repo=a/b").encode(start_of(NAMES))

    for other in (NAMES[:-1], NAMES[::-1], ("own", *NAMES[2:], NAMES[1])):
        with pytest.raises(BadRequest, match="other PEERS"):
            RunCursors(other, "repo=a/b").decode(cursor)
    with pytest.raises(BadRequest, match="other filters"):
        RunCursors(NAMES, "repo=a/c").decode(cursor)


@pytest.mark.parametrize(
    "changed",
    [
        [],
        [None, None],
        [{}, {}],
        [[1], []],
        [[["2026", 1]], []],
        [[["2026", 1, 0, 1, 2]], []],
        [[["2026", 1, 0, 1, 2, 3, 3]], []],
        [[["2026", 1, 0, 1, 2, 3, 4]], []],
        [[["2026", 1, [], 1, 2, 3]], []],
        [[["2026", 2**63, 0, 1, 2, 3]], []],
        [[["2026", True, 0, 1, 2, 3]], []],
        [[["2026", 1.0, 0, 1, 2, 3]], []],
        [[[2026, 1, 0, 1, 2, 3]], []],
        [[["\ud800", 1, 0, 1, 2, 3]], []],
        [[["x" * 200, 1, 0, 1, 2, 3]], []],
        [[["2026", 1, 0, 1, 2, 3]], [["host", [[1, 2]]]]],
        [[["2026", 1, 0, 1, 2, 3]], [["h", [[i, "x"] for i in range(99)]]]],
        [[["2026", 1, 0, 1, 2, 3]], [], []],
    ],
)
def test_a_changed_cursor_is_refused(changed):
    cursors = RunCursors(NAMES, "")
    hashes = decode_json(cursors.encode(start_of(NAMES)))[:2]

    with pytest.raises(BadRequest, match="Use the value of next"):
        cursors.decode(encode_cursor(json.dumps([*hashes, *changed])))


@pytest.mark.parametrize("cursor", ["", "x!", "bnVsbA", "W10", "WzEsMl0", "W" * 20_000])
def test_other_texts_are_no_cursor(cursor):
    with pytest.raises(BadRequest, match="Use the value of next"):
        RunCursors(NAMES, "").decode(cursor)


def test_the_usual_cursor_is_short():
    """All instances at one position, whatever their number."""
    progress = Progress(dict.fromkeys(NAMES, ("2026-03-01T12:00:02Z", 9_000_000_000)))

    assert len(RunCursors(NAMES, "").encode(progress)) < 120
    assert START > ("2026-03-01T12:00:02Z", 9_000_000_000)
