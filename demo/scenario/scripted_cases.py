"""The rare cases of the lively world, each at a fixed time before its start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ci_observer.demo.scenario.people import FIXES
from ci_observer.demo.scenario.unproved_cases import UNPROVED_CASES
from ci_observer.demo.scenario.workflow_profiles import INFRA
from ci_observer.demo.server.annotations import FAILED, NODE, PULL_LIMIT
from ci_observer.demo.server.model import Json, Run, RunVersion
from ci_observer.demo.server.world import World

Case = Callable[[World, datetime], object]
TOOLKIT, SYSTEM = "acme/open-toolkit", "acme/design-system"
HOSTILE_BRANCH = "<img src=x onerror=alert(1)>"
HOSTILE_TITLE = (
    "🚀 שלום \u202eevil\u202c <script>alert('x')</script> & \"quotes\" ' ; --"
)
LONG_TITLE = "A long title has sixty characters, or some more of them, too"


def stuck(world: World, _: datetime) -> None:
    """In progress for days, because its runner is gone."""
    world.add_run(
        "acme/mobile-app",
        "device-farm.yml",
        status="in_progress",
        event="schedule",
        display_title="Nightly device farm",
    )


def waiting_for_approval(world: World, _: datetime) -> None:
    world.add_run(
        "acme/payments-api",
        "release.yml",
        status="waiting",
        display_title="Release 4.18.0",
        actor="priya-raman",
    )


def overtime(world: World, at: datetime) -> None:
    """Takes hours instead of the usual minutes, and then times out."""
    run = world.add_run("acme/data-pipeline", "ci.yml", status="in_progress")
    end = at + timedelta(hours=5)
    run.versions.append(
        RunVersion(end, "completed", "timed_out", 1, at, end, run.actor)
    )


def held_back(world: World, _: datetime) -> None:
    """First in the queue of a full concurrency group."""
    world.add_run(
        "acme/data-pipeline",
        "ci.yml",
        status="pending",
        event="pull_request",
        head_branch="feature/late-events",
        pull_requests=[88],
    )


def long_in_queue(world: World, at: datetime) -> None:
    """All runners of a group are busy: queued for minutes instead of seconds."""
    run = world.add_run(
        "acme/data-pipeline",
        "nightly-etl.yml",
        status="queued",
        event="workflow_dispatch",
        actor="priya-raman",
        display_title="Nightly ETL",
    )
    started, end = at + timedelta(minutes=11), at + timedelta(minutes=58)
    run.versions += [
        RunVersion(started, "in_progress", None, 1, at, started, run.actor),
        RunVersion(end, "completed", "success", 1, at, end, run.actor),
    ]


def fork_needs_approval(world: World, at: datetime) -> None:
    """A first contribution: completed, action_required, with three equal times."""
    world.add_run(
        TOOLKIT,
        "ci.yml",
        conclusion="action_required",
        created_at=at,
        duration=0,
        event="pull_request",
        actor="kwame-mensah",
        head_repository="kwame-mensah/open-toolkit",
        head_branch="main",
        display_title="Add a Twi translation",
    )


def invalid_file(world: World, at: datetime) -> None:
    """A YAML error: the name is the path, a failure after 0 seconds, no job."""
    world.add_run(
        INFRA,
        "apply.yml",
        conclusion="failure",
        created_at=at,
        duration=0,
        display_title=".github/workflows/apply.yml",
    )


def startup_failure(world: World, at: datetime) -> None:
    world.add_run(
        INFRA,
        "drift.yml",
        conclusion="startup_failure",
        created_at=at,
        duration=4,
        event="schedule",
        display_title="Drift",
    )


def deleted_accounts(world: World, at: datetime) -> None:
    """A deleted account, a deleted branch and a deleted fork."""
    event, title = "pull_request", "A contribution whose author is gone"
    common: Json = {"event": event, "display_title": title, "created_at": at}
    world.add_run(TOOLKIT, "docs.yml", actor=None, **common)
    world.add_run(TOOLKIT, "docs.yml", head_branch=None, **common)
    world.add_run(
        TOOLKIT, "docs.yml", head_repository=None, head_branch="patch-1", **common
    )


def hostile_names(world: World, at: datetime) -> None:
    """Markup, right-to-left text and emoji in branches and titles."""
    world.add_run(
        SYSTEM,
        "ci.yml",
        event="pull_request",
        head_branch=HOSTILE_BRANCH,
        display_title=HOSTILE_TITLE,
        created_at=at,
        pull_requests=[314],
    )
    world.add_run(SYSTEM, "storybook.yml", display_title=HOSTILE_TITLE, created_at=at)
    world.add_run(INFRA, "plan.yml", display_title=LONG_TITLE, created_at=at)


def rare_conclusions(world: World, at: datetime) -> None:
    for conclusion in ("neutral", "stale", "skipped", "cancelled", "timed_out"):
        world.add_run(
            TOOLKIT, "docs.yml", conclusion=conclusion, duration=400, created_at=at
        )


def failing_main(world: World, at: datetime) -> None:
    """Three failing pushes in a row, not fixed yet."""
    for minutes, title in (
        (0, "Rename the ledger columns"),
        (50, "Rename them in the fixtures too"),
        (95, "Try without the cache"),
    ):
        world.add_run(
            "acme/payments-api",
            "contract-tests.yml",
            conclusion="failure",
            duration=95,
            created_at=at + timedelta(minutes=minutes),
            display_title=title,
            actor="tomasz-zielinski",
        )


def registry_outage(world: World, at: datetime) -> None:
    """Two workflows fail because a registry refuses images, and a third one will."""
    for minutes, repo, file, title in (
        (0, "acme/payments-api", "contract-tests.yml", "Try an older image"),
        (19, TOOLKIT, "docs.yml", "Explain the retries"),
    ):
        created_at = at + timedelta(minutes=minutes)
        run = world.add_run(
            repo,
            file,
            conclusion="failure",
            duration=40,
            created_at=created_at,
            display_title=title,
            actor="tomasz-zielinski",
        )
        world.set_annotations(run, [NODE, PULL_LIMIT, FAILED])


def recovery(world: World, at: datetime) -> None:
    """Broken three times in two weeks, the last time for two hours, and just fixed."""
    repo, file = "acme/mobile-app", "translations.yml"
    for days, hours in ((11, 1), (4, 3), (0, 2)):
        broken_at = at - timedelta(days=days)
        fixed_at = broken_at + timedelta(hours=hours, minutes=4)
        for before, created_at, conclusion, title, actor in (
            (8, broken_at, "success", "Translate the new checkout", "chloe-martin"),
            (0, broken_at, "failure", "Add Norwegian", "tomasz-zielinski"),
            (0, fixed_at, "success", "Add the missing plural", "sofia-marques"),
        ):
            world.add_run(
                repo,
                file,
                conclusion=conclusion,
                duration=110,
                created_at=created_at - timedelta(hours=before),
                display_title=title,
                actor=actor,
            )


def flaky(world: World, at: datetime) -> None:
    """Success on attempt 3."""
    run = world.add_run(
        SYSTEM, "visual.yml", conclusion="failure", created_at=at, duration=60
    )
    for number, conclusion in ((2, "failure"), (3, "success")):
        start = at + timedelta(minutes=7 * number)
        end = start + timedelta(seconds=74)
        run.versions += [
            RunVersion(start, "queued", None, number, start, start, "jordan-lee"),
            RunVersion(end, "completed", conclusion, number, start, end, "jordan-lee"),
        ]


def late_update(world: World, at: datetime) -> None:
    """`updated_at` changes 45 days after the end, as when checks are archived."""
    run = world.add_run("acme/payments-api", "ci.yml", created_at=at, duration=47)
    late = at + timedelta(days=45)
    last = run.versions[-1]
    run.versions.append(
        RunVersion(
            late, "completed", "success", 1, last.run_started_at, late, run.actor
        )
    )


def opening_failure(world: World, at: datetime) -> None:
    """In progress when the demo starts, and about to fail."""
    title = "Cache the price list for a minute"
    run = opening_run(world, at, (4, 32), "failure", title)
    world.set_annotations(run, [NODE, PULL_LIMIT, FAILED])


def opening_fix(world: World, at: datetime) -> None:
    opening_run(world, at, (4, 30), "success", FIXES[1])


def opening_run(
    world: World, at: datetime, times: tuple[float, float], conclusion: str, title: str
) -> Run:
    run = world.add_run(
        "acme/web-store", "ci.yml", status="queued", display_title=title
    )
    actor = run.actor
    started, done = (at + timedelta(seconds=seconds) for seconds in times)
    run.versions += [
        RunVersion(started, "in_progress", None, 1, at, started, actor),
        RunVersion(done, "completed", conclusion, 1, at, done, actor),
    ]
    return run


# Each case with its time before the start.
CASES: tuple[tuple[timedelta, Case], ...] = (
    (timedelta(days=84), late_update),
    (timedelta(days=9), rare_conclusions),
    (timedelta(days=8), deleted_accounts),
    (timedelta(days=6), stuck),
    (timedelta(days=3), invalid_file),
    (timedelta(days=1), startup_failure),
    (timedelta(hours=7), invalid_file),
    (timedelta(hours=5), waiting_for_approval),
    (timedelta(hours=4), failing_main),
    (timedelta(hours=2, minutes=10), overtime),
    (timedelta(hours=2, minutes=10), recovery),
    (timedelta(hours=1), flaky),
    (timedelta(minutes=55), held_back),
    (timedelta(minutes=48), fork_needs_approval),
    (timedelta(minutes=46), registry_outage),
    (timedelta(minutes=33), hostile_names),
    (timedelta(minutes=6), long_in_queue),
    (timedelta(seconds=18), opening_failure),
    (timedelta(seconds=-22), opening_fix),
)


def schedule_cases(world: World, start: datetime) -> None:
    """Schedule every case at its time before `start`."""
    for before, case in (*CASES, *UNPROVED_CASES):
        world.schedule(start - before, case)
