"""Ingest and web do not import each other, but must use the same words alike."""

import re

import pytest
from archive import save_runs, watch
from factories import run_payload
from tiles import FEED, row_of, state

from ci_observer.ingest.db import objects
from ci_observer.ingest.db import vocabulary as of_ingest
from ci_observer.web import vocabulary as of_web

CONCLUSIONS = (
    "success",
    "failure",
    "timed_out",
    "startup_failure",
    "action_required",
    "cancelled",
    "skipped",
    "neutral",
    "stale",
)


def test_both_sides_name_the_same_conclusions():
    assert of_web.FAILURES == of_ingest.FAILURES
    assert of_web.DECISIVE == of_ingest.DECISIVE


@pytest.mark.parametrize("conclusion", CONCLUSIONS)
def test_the_conclusions_that_the_web_side_calls_decisive_give_a_tile_its_result(
    db, conclusion
):
    watch(db, FEED)
    save_runs(db, run_payload(1, conclusion=conclusion))

    _, result, _, _ = state(db)

    is_failure = conclusion in of_web.FAILURES
    is_decisive = conclusion in of_web.DECISIVE
    assert (result == "failing") == is_failure
    assert (result in of_ingest.RESULTS) == is_decisive


@pytest.mark.parametrize("status", of_web.UNFINISHED)
def test_an_unfinished_run_has_the_same_symbol_on_a_page_and_on_its_tile(db, status):
    watch(db, FEED)
    run = {"status": status, "conclusion": None}
    save_runs(db, run_payload(1, **run))

    assert row_of(db, "run_activities", "activity") == (of_web.result_of(run).symbol,)


def test_every_value_of_the_sql_files_is_used():
    folder = objects.sql_files()
    used = {name for file in folder for name in re.findall(r"\{\{(\w+)\}\}", file)}

    assert used == objects.SQL_VALUES.keys()
