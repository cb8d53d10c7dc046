"""Filters: parsing of URLs, and SQL that never contains a value."""

import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_observer.web.errors import BadRequest
from ci_observer.web.filter_sql import state_sql, where_sql
from ci_observer.web.filters import COLUMNS, WALL, Filters
from ci_observer.web.vocabulary import STATES

few = settings(max_examples=50)
words = st.text(min_size=1).map(str.strip).filter(bool)
word_lists = st.lists(words, max_size=3, unique=True).map(tuple)
phrases = st.lists(
    words.map(lambda w: " ".join(w.replace("\0", " ").split()[:3])).filter(bool),
    max_size=3,
    unique=True,
).map(tuple)
instants = st.none() | st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 (hypothesis adds the zone)
    timezones=st.just(UTC),
).map(lambda t: t.replace(microsecond=0, tzinfo=None).isoformat() + "Z")
states = st.lists(st.sampled_from(STATES), unique=True).map(tuple)
selections = st.builds(
    Filters,
    **dict.fromkeys(COLUMNS, word_lists),
    since=instants,
    until=instants,
    q=phrases,
    state=states,
    limit=st.integers(1, 1000),
    cursor=st.none() | words,
    raw=st.booleans(),
)


@few
@given(selections)
def test_a_query_string_parses_back_to_its_filters(filters: Filters) -> None:
    assert Filters.from_query(filters.to_query()) == filters


@few
@given(selections)
def test_pairs_and_mappings_parse_alike(filters: Filters) -> None:
    mapping: dict[str, list[str]] = {}
    for name, value in filters.to_pairs():
        mapping.setdefault(name, []).append(value)

    assert Filters.from_args(mapping) == Filters.from_args(filters.to_pairs())


@few
@given(selections)
def test_the_sql_does_not_depend_on_the_values(filters: Filters) -> None:
    where, params = where_sql(filters)
    state, state_params = state_sql(filters)
    sql = f"{where} and {state}"

    assert re.fullmatch(r"[a-z_0-9:(),<>='\\ ]*", sql)
    assert set(re.findall(r":(\w+)", sql)) == set(params | state_params)
    assert set(re.findall(r"'[^']*'", sql)) <= {r"'\'"}


@few
@given(selections)
def test_sqlite_runs_every_selection(filters: Filters) -> None:
    where, params = where_sql(filters)
    conn = sqlite3.connect(":memory:")
    columns = ", ".join([*COLUMNS.values(), "display_title", "started_at"])
    conn.execute(f"create table runs ({columns})")

    rows = conn.execute(f"select * from runs where {where}", params).fetchall()  # noqa: S608
    conn.close()

    assert rows == []


@given(st.lists(st.tuples(st.sampled_from(["since", "until", "limit"]), st.text())))
def test_any_value_is_accepted_or_a_bad_request(pairs: list[tuple[str, str]]) -> None:
    try:
        Filters.from_args(pairs)
    except BadRequest as error:
        assert "=" in str(error)  # noqa: PT017 (either outcome is right)


def test_an_empty_value_is_no_filter() -> None:
    assert Filters.from_query("branch=&q=++&limit=&since=") == Filters()


def test_repeated_values_are_kept_once() -> None:
    assert Filters.from_query("repo=a/b&repo=c/d&repo=a/b").repo == ("a/b", "c/d")


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ("since=2026-03-01", "2026-03-01T00:00:00Z", None),
        ("until=2026-03-01", None, "2026-03-01T23:59:59Z"),
        ("since=2026-03-01T12:30", "2026-03-01T12:30:00Z", None),
        ("since=2026-03-01T12:30:15Z", "2026-03-01T12:30:15Z", None),
        ("since=2026-03-01T12:00:00%2B02:00", "2026-03-01T10:00:00Z", None),
        ("since=2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z", None),
        ("until=2026-03-01T12:00:00.9Z", None, "2026-03-01T12:00:00Z"),
        ("since=2026-03-02&since=2026-03-01", "2026-03-01T00:00:00Z", None),
        ("until=2026-03-02&until=2026-03-01", None, "2026-03-02T23:59:59Z"),
    ],
)
def test_times_are_utc_and_a_bare_day_is_whole(
    query: str, since: str | None, until: str | None
) -> None:
    assert Filters.from_query(query) == Filters(since=since, until=until)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("color=red", "Unknown filter 'color'. Allowed: repo, workflow, branch"),
        ("since=yesterday", "Write since=2026-03-01 or"),
        ("until=2026-02-30", "Write until=2026-03-01 or"),
        ("since=0001-01-01T00:00:00%2B14:00", "is not a time"),
        ("limit=0", "limit=0 is not a number from 1 to 1000."),
        ("limit=1001", "from 1 to 1000"),
        ("limit=100000000", "from 1 to 1000"),
        ("limit=ten", "from 1 to 1000"),
        ("limit=%C2%B2", "from 1 to 1000"),
        ("raw=yes", "raw=yes is not 0 or 1"),
        ("state=green", "Unknown state 'green'. Allowed: no_access, blocked, stale"),
        ("q=" + "+a" * 11, "at most 10 words"),
        ("&".join(["repo=a/b"] * 101), "a URL may have 100"),
    ],
)
def test_a_bad_value_is_explained(query: str, message: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(message)):
        Filters.from_query(query)


def test_a_filter_of_another_route_is_unknown() -> None:
    with pytest.raises(BadRequest, match="Unknown filter 'limit'"):
        Filters.from_query("limit=10", WALL)


def test_a_filter_object_cannot_be_changed() -> None:
    filters: Any = Filters()

    with pytest.raises(AttributeError):
        filters.limit = 5


def test_equal_filters_have_equal_hashes_and_names():
    one, other = (Filters(repo=("o/r",), limit=5) for _ in range(2))
    assert (hash(one), one) == (hash(other), other)
    assert hash(one) != hash(replace(one, limit=6))
    assert one.names() == ["repo", "limit"]
