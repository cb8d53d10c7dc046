"""Walls of any size, with tiles of every state, for the tests in a browser."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count, cycle
from typing import Any

from archive import NOW, save_runs, watch
from factories import run_payload
from sqlite_utils import Database

from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.error_texts import job_error
from ci_observer.ingest.store import feeds, instance
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.errors import save_job as save_error
from ci_observer.ingest.store.feeds import save_checked, watched
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.ingest.times import utc

PHONE = {"width": 390, "height": 844}
NAMES = (
    "CI",
    "Build and test",
    "Deploy to production",
    "release-please-and-publish-to-npm",
    "Nightly end-to-end tests of the whole shop in all our regions",
    ".github/workflows/terraform_plan_for_every_environment.yml",
    "IntegrationTestsWithPostgresAndRedis",
    "Aufräumarbeiten 🚀 wöchentlich",
    "اختبارات التكامل الليلية",
    "継続的インテグレーションと夜間ビルドのテスト",
)
TITLE = "Keep the basket when a customer signs in on a second device (#1234)"
# The errors of failing tiles: one that many have, a long one, and one without a reason.
ERRORS = (
    "toomanyrequests: You have reached your pull rate limit. You may increase the limit"
    " by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
    "خطأ: AssertionError: expected <b>3</b> to equal 4 \u202e" + "tests/" * 40,
    "Process completed with exit code 1.",
)
LOUD = (
    "failing", "failing_running", "invalid_file", "failing_once",
    "no_access", "stale", "disabled", "stuck", "overdue", "timed_out", "blocked",
)  # fmt: skip
QUIET = (
    "passing", "running", "passing", "flaky", "queued", "waiting", "passing", "held",
    "over", "unknown", "cancelled", "misunderstood",
)  # fmt: skip
# The conclusions of the newest runs by kind of tile that they leave untested.
UNDECIDED: dict[str, tuple[str | None, ...]] = {
    "cancelled": ("cancelled",),
    "cancelled_often": ("cancelled",) * 4,
    "cancelled_by_ada": ("cancelled",),
    "misunderstood": ("exploded",),
    "no_conclusion": (None,),
    "stale_run": ("stale", "stale"),
}
UNTESTED = (*UNDECIDED, "phantom", "no_runs")
# Unfinished runs by kind of tile: hours since the start, status, conclusion.
ACTIVE = {
    "running": (0.06, "in_progress", None),
    "failing_running": (0.05, "in_progress", None),
    "over": (0.6, "in_progress", None),
    "queued": (0.1, "queued", None),
    "waiting": (2, "waiting", None),
    "held": (1, "completed", "action_required"),
    "stuck": (50, "in_progress", None),
}


def save_wall(
    db: Database,
    feeds: int,
    *,
    kinds: Sequence[str] | None = None,
    loud: float = 0.25,
    names: Sequence[str] = NAMES,
    repos: Sequence[str] = (),
    errors: Sequence[str] = ERRORS,
) -> None:
    """Store feeds: of these kinds, or `loud` of them failing or with an alarm.

    The first feeds are in `repos`, each of the others in one of its own. Failing tiles
    have the errors in turn.
    """
    repos = [
        *repos,
        *(f"acme/service-{number:03}" for number in range(len(repos), feeds)),
    ]
    watch(db, *((repo, "ci.yml") for repo in repos))
    save_poll(db, feeds)
    given, louds, quiets = cycle(kinds or [""]), cycle(LOUD), cycle(QUIET)
    texts = cycle(errors or [""])
    tiles = []
    for number, repo in enumerate(repos):
        is_loud = int((number + 1) * loud) > int(number * loud)
        kind = next(given) or next(louds if is_loud else quiets)
        name = names[number % len(names)]
        tiles.append((repo, kind, name))
        _describe(db, repo, name, "active")
        _save_runs(db, number, repo, kind, texts)
    save_responses(db)
    for tile in tiles:
        _set_alarm(db, *tile)


def save_poll(db: Database, feeds: int = 2, **changes: Any) -> None:
    """Store a poll pass that has just succeeded."""
    poll = {
        "started_at": utc(NOW - timedelta(seconds=21)),
        "finished_at": utc(NOW - timedelta(seconds=20)),
        "feeds": feeds,
        "feeds_failed": 0,
        "requests": 2,
        "not_modified": 2,
        "runs_written": 0,
        "rate_limit": 5000,
        "rate_limit_remaining": 4000,
        "rate_limit_reset_at": utc(NOW),
        "error": None,
        "error_kind": None,
    }
    instance.save_poll(db, poll | changes)


def save_responses(db: Database) -> None:
    """Store that each watched feed had a good response 20 seconds ago."""
    for feed in watched(db):
        save_checked(db, feed, NOW - timedelta(seconds=20))


def overflow(page: Any) -> tuple[int, int]:
    """The pixels by which the page is wider and higher than the window."""
    width, height = page.evaluate(
        "() => [document.documentElement.scrollWidth - innerWidth,"
        " document.documentElement.scrollHeight - innerHeight]"
    )
    return width, height


def _save_runs(
    db: Database, number: int, repo: str, kind: str, texts: Iterator[str]
) -> None:
    if kind == "unknown":
        return
    ids = count(1000 * number + 1)
    runs = [
        run_payload(
            run_id := next(ids),
            run_number=run_id % 1000 + 100,
            display_title=TITLE,
            html_url=f"https://github.com/{repo}/actions/runs/{run_id}",
            repository={"full_name": repo},
            head_repository={"full_name": repo},
            **run,
        )
        for run in (*_history(number, kind), *_newest(kind))
    ]
    save_runs(db, *runs, repo=repo)
    if kind.startswith("failing"):
        save_failed_job(db, runs[-2 if kind in ACTIVE else -1]["id"], next(texts))
    _save_cause(db, repo, kind, runs[-1]["id"])


def _history(number: int, kind: str) -> list[dict[str, Any]]:
    """A run a day. For an overdue tile: by a schedule that ended ten days ago."""
    is_overdue = kind in ("overdue", "unscheduled")
    late = {"overdue": 24 * 10, "unscheduled": 24 * 60}.get(kind, 0)
    event = _EVENTS.get(kind, {})
    runs = []
    for age in range(16, 3, -1):
        failed = kind.startswith("failing") and age < 7
        conclusion = "failure" if failed or (age + number) % 9 == 0 else "success"
        minutes = 3 + (age * 7 + number) % 6
        start = late + 24 * age + number % 5
        runs.append(_run(start, minutes, conclusion=conclusion, **event))
    return [
        *runs,
        _run(late + 26, 0, conclusion="skipped", **event),
        _run(late + 25, 2, conclusion="cancelled", **event),
        *([_run(late + 4, **event)] if is_overdue else []),
    ]


def _newest(kind: str) -> list[dict[str, Any]]:
    if kind == "overdue":
        return []
    if kind.startswith("failing"):
        runs = [_run(30, conclusion="timed_out"), _run(3, 7, conclusion="failure")]
        runs = runs[kind == "failing_once" :]
    elif kind == "invalid_file":
        path = ".github/workflows/ci.yml"
        runs = [_run(3, 0, conclusion="failure", name=path)]
    else:
        hours = 52 if kind == "stuck" else 4
        event = {} if kind == "unscheduled" else _EVENTS.get(kind, {})
        runs = [_run(hours, run_attempt=3 if kind == "flaky" else 1, **event)]
    for number, conclusion in enumerate(UNDECIDED.get(kind, ())):
        runs.append(_run(3 - number / 2, 1, conclusion=conclusion))
    if kind == "phantom":
        at_once = {"conclusion": "failure", "event": "workflow_dispatch"}
        runs.append(_run(3, 0, **at_once))
    if kind == "timed_out":
        runs.append(_run(3, 30.2, conclusion="cancelled"))
    if kind in ACTIVE:
        hours, status, conclusion = ACTIVE[kind]
        runs.append(_run(hours, 0, status=status, conclusion=conclusion))
    return runs


def _run(hours_ago: float, minutes: float = 6, **changes: Any) -> dict[str, Any]:
    start = NOW - timedelta(hours=hours_ago)
    end = start + timedelta(minutes=minutes)
    return {
        "created_at": utc(start),
        "run_started_at": utc(start),
        "updated_at": utc(end),
        **changes,
    }


# The event of a workflow's runs, by kind of tile.
_EVENTS: dict[str, dict[str, Any]] = {
    "overdue": {"event": "schedule"},
    "unscheduled": {"event": "schedule"},
    "tag": {"event": "release", "head_branch": "v2.14.0"},
    "pull_requests_only": {"event": "pull_request", "head_branch": "fix-basket"},
}


def _save_cause(db: Database, repo: str, kind: str, run_id: int) -> None:
    """Store what ingest learns from other responses than lists of runs."""
    if kind == "timed_out":
        save_failed_job(db, run_id, "", conclusion="cancelled", duration_seconds=1812)
    causes = {"timed_out": ("timeout", None), "cancelled_by_ada": ("person", "ada")}
    cause, person = causes.get(kind, (None, None))
    of_run = {"cancel_cause": cause, "cancelled_by": person}
    with transaction(db):
        if cause:
            db["runs"].update(run_id, of_run)
            db["run_attempts"].update((run_id, 1), of_run)
            update_tiles(db, [run_id])
        if kind == "no_runs":
            db.execute(
                "update feeds set no_runs_at = ? where repo = ?", [utc(NOW), repo]
            )
        if kind == "blocked":
            blocked = {"repo": repo, "blocked_run_id": run_id}
            db["repos"].upsert(blocked, pk="repo")


def save_failed_job(db: Database, run_id: int, error: str, **changes: Any) -> None:
    db["jobs"].insert(
        {
            "job_id": run_id,
            "run_id": run_id,
            "run_attempt": 1,
            "name": "integration (ubuntu-24.04, 3.13)",
            "conclusion": "failure",
            "failed_step": "Run the tests against PostgreSQL 17",
            **changes,
        }
    )
    with transaction(db):
        if error:
            save_error(db, run_id, job_error([Annotation(error, "failure")]))
        update_tiles(db, [run_id])


def _set_alarm(db: Database, repo: str, kind: str, name: str) -> None:
    [feed] = feeds.watched(db, repo)
    if kind == "no_access":
        error = f"{repo} was not found, or the token has no access to it."
        feeds.save_error(
            db, feed, error=error, kind="not_found", now=NOW, retry_at=None
        )
    elif kind == "stale":
        feeds.save_checked(db, feed, NOW - timedelta(hours=1))
    elif kind == "disabled":
        _describe(db, repo, name, "disabled_inactivity")
    elif kind == "archived":
        _describe(db, repo, name, "active", is_archived=True)


def _describe(
    db: Database, repo: str, name: str, state: str, *, is_archived: bool = False
) -> None:
    feeds.save_metadata(
        db,
        repo,
        default_branch="main",
        workflows={"ci.yml": (name, state)},
        now=NOW,
        is_archived=is_archived,
    )
