"""What a pass without changes costs: only requests and writes that prove freshness."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from polling import add_runs, poll
from sqlite_utils import Database


@contextmanager
def searched_modules() -> Iterator[list[str]]:
    """The modules that Python searches for within the block, found or not."""
    names: list[str] = []

    class Recorder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            names.append(name)

    sys.meta_path.insert(0, Recorder)  # type: ignore[arg-type]
    try:
        yield names
    finally:
        sys.meta_path.remove(Recorder)  # type: ignore[arg-type]


def test_a_pass_searches_for_no_module(world, github, ingest):
    """Python remembers no failed import: each try searches the disk again."""
    add_runs(world, 3)
    poll(ingest, github, 2)

    with searched_modules() as names:
        poll(ingest, github, 2)

    assert names == []


@pytest.mark.parametrize("files", [("ci.yml",), ("ci.yml", "docs.yml")])
def test_an_idle_pass_has_as_many_transactions_for_many_feeds_as_for_one(
    world, github, ingest, db, files
):
    """Of workflows' own lists, and of repositories' lists."""
    repos = [f"acme/service-{number}" for number in range(9)]
    counts = []
    for watched in (repos[:1], repos):
        for repo in watched:
            for file in files:
                add_runs(world, 1, repo=repo, file=file)
        ingest.restart(repos=tuple(watched), workflows=files)
        poll(ingest, github, 3, seconds=1)
        github.log.clear()
        with traced(db) as statements:
            poll(ingest, github, seconds=1)
        counts.append((statements.count("begin immediate"), len(github.log)))

    [(for_one, _), (for_nine, requests)] = counts
    assert requests == len(repos)
    assert for_nine == for_one


@contextmanager
def traced(db: Database) -> Iterator[list[str]]:
    """The statements that run within the block."""
    statements: list[str] = []
    db.conn.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        db.conn.set_trace_callback(None)
