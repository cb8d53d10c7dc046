"""The lively world: repeatable, full of rare cases, and always changing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ci_observer.demo.scenario import lively_world
from ci_observer.demo.scenario.recorded_states import DISABLED, recorded_states
from ci_observer.demo.scenario.scripted_cases import HOSTILE_BRANCH, HOSTILE_TITLE
from ci_observer.demo.server.model import Run, RunVersion
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World
from ci_observer.demo.times import as_utc

START = "2026-03-02T09:00:00Z"
Row = tuple[Run, RunVersion]


@pytest.fixture(scope="module")
def world() -> World:
    return lively_world.build(START)


def rows(world: World, repo: str, file: str) -> list[Row]:
    """The visible runs of a workflow, oldest first."""
    runs = world.workflow(repo, file).runs
    return [(run, v) for run in runs if (v := run.version_at(world.now))]


def bodies(world: World) -> list[dict[str, Any]]:
    return [run_object(run, v, world.sites) for run, v in all_rows(world)]


def all_rows(world: World) -> list[Row]:
    seen = ((run, run.version_at(world.now)) for run in world.runs.values())
    return [(run, version) for run, version in seen if version]


def test_the_same_seed_gives_the_same_world_in_any_number_of_steps() -> None:
    end = as_utc(START) + timedelta(minutes=5)
    one, many = lively_world.build(START, seed=3), lively_world.build(START, seed=3)
    one.advance_to(end)
    for second in range(301):
        many.advance_to(as_utc(START) + timedelta(seconds=second))

    assert bodies(one) == bodies(many)


def test_another_seed_gives_another_world(world: World) -> None:
    assert bodies(world) != bodies(lively_world.build(START, seed=8))


def test_a_push_starts_several_workflows_once_each(world: World) -> None:
    """The page of a commit has several rows, and a commit is not flaky by that."""
    files: dict[str, list[str]] = {}
    for run in world.runs.values():
        if run.event == "push" and run.repo.full_name == "acme/web-store":
            files.setdefault(run.head_sha, []).append(run.workflow.path)

    assert sum(len(found) > 2 for found in files.values()) > 20
    assert all(len(found) == len({*found}) for found in files.values())


def test_its_history_has_a_realistic_size(world: World) -> None:
    created = [run.created_at for run in world.runs.values()]

    assert 1000 < len(created) < 5000
    assert len(world.repos) >= 8
    assert sum(len(repo.workflows) for repo in world.repos.values()) >= 24
    assert world.now - min(created) > timedelta(days=85)


@pytest.mark.parametrize("minute", [0, 7, 29])
def test_something_changes_every_few_seconds(minute: int) -> None:
    world = lively_world.build(START)
    begin = as_utc(START) + timedelta(minutes=minute)
    world.advance_to(begin + timedelta(minutes=1))
    changes = [
        version.at
        for run in world.runs.values()
        for version in run.versions
        if begin < version.at <= world.now
    ]

    assert len(changes) >= 12


def test_the_first_minute_shows_a_failure_and_its_fix() -> None:
    fresh = lively_world.build(START)
    assert rows(fresh, "acme/web-store", "ci.yml")[-1][1].status == "in_progress"
    fresh.advance_to(as_utc(START) + timedelta(seconds=60))

    *_, failed, fixed = rows(fresh, "acme/web-store", "ci.yml")
    assert (failed[1].conclusion, fixed[1].conclusion) == ("failure", "success")
    assert fixed[0].created_at > failed[1].updated_at


@pytest.mark.parametrize(
    ("repo", "file", "status", "conclusion"),
    [
        ("acme/mobile-app", "device-farm.yml", "in_progress", None),
        ("acme/mobile-app", "android.yml", "in_progress", None),
        ("acme/payments-api", "release.yml", "waiting", None),
        ("acme/payments-api", "contract-tests.yml", "completed", "failure"),
        ("acme/data-pipeline", "ci.yml", "in_progress", None),
    ],
)
def test_the_newest_run_is_the_scripted_case(
    world: World, repo: str, file: str, status: str, conclusion: str | None
) -> None:
    trunk = world.repo(repo).default_branch
    on_default = [row for row in rows(world, repo, file) if row[0].head_branch == trunk]
    version = on_default[-1][1]

    assert (version.status, version.conclusion) == (status, conclusion)


def test_one_workflow_was_fixed_a_few_minutes_before_the_start(world: World) -> None:
    found = rows(world, "acme/mobile-app", "translations.yml")

    assert [version.conclusion for _, version in found[-3:]] == [
        "success",
        "failure",
        "success",
    ]
    assert timedelta() < world.now - found[-1][1].updated_at < timedelta(minutes=10)


def test_runs_that_were_cancelled_do_not_look_like_a_time_limit(world: World) -> None:
    """Jobs of three runs in a row that take as long would count as timed out."""
    cancelled = [
        version.updated_at - version.run_started_at
        for _, version in rows(world, "acme/handbook", "deploy.yml")
        if version.conclusion == "cancelled"
    ]

    assert len({length // timedelta(seconds=45) for length in cancelled}) == 4


def test_three_workflows_fail_with_one_error_soon_after_the_start() -> None:
    fresh = lively_world.build(START)
    fresh.advance_to(as_utc(START) + timedelta(seconds=20))
    names = (
        ("acme/payments-api", "contract-tests.yml"),
        ("acme/open-toolkit", "docs.yml"),
        ("acme/web-store", "ci.yml"),
    )
    runs = [rows(fresh, repo, file)[-1] for repo, file in names]

    assert {version.conclusion for _, version in runs} == {"failure"}
    assert len({str(run.annotations) for run, _ in runs}) == 1


def test_a_stuck_run_has_been_running_for_days(world: World) -> None:
    run, version = rows(world, "acme/mobile-app", "device-farm.yml")[-1]

    assert version.status == "in_progress"
    assert world.now - run.created_at > timedelta(days=5)


def test_one_workflow_never_ran_and_one_is_disabled(world: World) -> None:
    handbook = world.workflow("acme/handbook", "links.yml")

    assert rows(world, "acme/data-pipeline", "backfill.yml") == []
    assert handbook.state == "disabled_inactivity"
    assert world.now - handbook.runs[-1].created_at > timedelta(days=59)


def test_an_invalid_file_fails_at_once_under_its_path(world: World) -> None:
    infra = lively_world.REPOS.split(",")[-1]
    run, version = rows(world, infra, "apply.yml")[-1]

    assert run.workflow.name == run.workflow.path
    assert version.conclusion == "failure"
    assert version.updated_at == version.run_started_at == run.created_at
    assert run.repo.default_branch == "master"


def test_every_conclusion_and_the_rare_statuses_occur(world: World) -> None:
    assert {version.conclusion for _, version in all_rows(world)} == {
        "success",
        "failure",
        "cancelled",
        "skipped",
        "timed_out",
        "neutral",
        "stale",
        "action_required",
        "startup_failure",
        "exploded",
        None,
    }
    assert {version.status for _, version in all_rows(world)} >= {
        "completed",
        "in_progress",
        "pending",
        "waiting",
    }


def test_flaky_runs_succeed_on_a_later_attempt(world: World) -> None:
    greens = [
        version.run_attempt
        for _, version in rows(world, "acme/design-system", "visual.yml")
        if version.conclusion == "success"
    ]

    assert {1, 2, 3} <= set(greens)


def test_forks_bots_merge_queues_and_deleted_accounts_occur(world: World) -> None:
    seen = all_rows(world)
    forks = [run for run, _ in seen if run.head_repository not in (run.repo, None)]
    branches = {run.head_branch for run, _ in seen if run.head_branch}
    actors = {run.actor for run, _ in seen}

    assert any(run.head_branch == run.repo.default_branch for run in forks)
    assert any(branch.startswith("gh-readonly-queue/main/pr-") for branch in branches)
    assert len(branches) > 200
    assert {"dependabot[bot]", None} < actors
    assert any(run.head_branch is None for run, _ in seen)
    assert any(run.head_repository is None for run, _ in seen)


def test_hostile_names_are_on_the_default_branch(world: World) -> None:
    titles = {run.display_title: run.head_branch for run, _ in all_rows(world)}
    branches = {run.head_branch for run, _ in all_rows(world)}

    assert titles[HOSTILE_TITLE] == "trunk"
    assert HOSTILE_BRANCH in branches
    assert max(map(len, titles)) >= 60


def test_slow_workflows_are_slow(world: World) -> None:
    lengths = [
        (version.updated_at - version.run_started_at).total_seconds()
        for _, version in rows(world, "acme/mobile-app", "ios.yml")
        if version.conclusion == "success"
    ]

    assert sorted(lengths)[len(lengths) // 2] > 25 * 60


def test_the_recorded_states_are_those_of_the_world_and_its_last_ones_are_true(world):
    """And no run was created while its workflow was disabled."""
    recorded = recorded_states(world.now)
    last = {}
    for repo, file, at, state, branch in recorded:
        workflow = world.workflow(repo, file)
        assert workflow.repo.default_branch == branch
        assert world.now - lively_world.HISTORY <= at <= world.now
        last[repo, file] = workflow, state
    for workflow, state in last.values():
        is_archived = workflow.repo.archived
        assert state == ("archived" if is_archived else workflow.state)

    for (repo, file), (_, begins, ends) in DISABLED.items():
        for run, _ in rows(world, repo, file):
            age = (world.now - run.created_at) / timedelta(days=1)
            assert not ends <= age <= begins
