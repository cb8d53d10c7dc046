"""Flaky commits: they both failed and succeeded."""

import pytest
from archive import save_runs, watch
from tiles import FEED, RUNNING, rerun, row_of, rows_of, run


def test_flaky_runs_are_commits_with_both_results_by_rerun_or_by_a_second_run(db):
    watch(db, FEED)
    twice = {"head_sha": "a" * 40}
    save_runs(
        db,
        run(1, "09:00", "timed_out", **twice),
        run(2, "10:00", **twice),
        run(3, "11:00", "failure"),
        run(4, "12:00"),
        run(5, "13:00", "cancelled", head_sha=f"{4:040x}"),
    )
    save_runs(db, rerun(3, "11:00", "14:00", "success"))

    assert rows_of(db, "select * from flaky_runs order by run_id") == [
        {
            "repo": "acme/api",
            "workflow": "ci.yml",
            "head_branch": "main",
            "head_sha": sha,
            "successes": 1,
            "failures": 1,
            "last_started_at": last,
            "run_id": run_id,
            "html_url": f"https://github.com/acme/api/actions/runs/{run_id}",
            "tile_branch": "main",
        }
        for run_id, sha, last in [
            (2, "a" * 40, "2026-03-01T10:00:00Z"),
            (3, f"{3:040x}", "2026-03-01T14:00:00Z"),
        ]
    ]


@pytest.mark.parametrize(
    "second",
    [
        {"event": "workflow_run"},
        {"conclusion": "cancelled"},
        {"head_branch": "other"},
        RUNNING,
    ],
    ids=str,
)
def test_other_pairs_of_runs_are_not_flaky(db, second):
    watch(db, FEED)
    same = {"head_sha": "a" * 40}
    save_runs(db, run(1, "09:00", "failure", **same), run(2, "10:00", **same | second))

    assert rows_of(db, "select * from flaky_runs") == []


def test_a_flaky_commits_link_is_that_of_its_newest_run(db):
    watch(db, FEED)
    same = {"head_sha": "a" * 40}
    save_runs(db, run(9, "12:00", "failure", **same), run(10, "13:00", **same))

    assert row_of(db, "flaky_runs", "run_id", "html_url") == (
        10,
        "https://github.com/acme/api/actions/runs/10",
    )
