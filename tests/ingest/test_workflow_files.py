"""Workflow files that are renamed, deleted or disabled, and GitHub's own ones."""

from datetime import timedelta

import pytest
from polling import FILE, REPO, Ingest, add_runs, run_ids, the_feed
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.feeds.workflows import workflow_rows
from ci_observer.ingest.store import feeds, workflows
from ci_observer.ingest.store.workflows import Workflow

pytestmark = pytest.mark.usefixtures("no_waiting", "wall_clock")

DAY = 86_400
PAGES = "dynamic/pages/pages-build-deployment"


def watched(db: Database) -> list[str]:
    return [feed.workflow for feed in feeds.watched(db)]


def files_of_runs(db: Database) -> list[tuple[str, int]]:
    return db.execute("select workflow, count(*) from runs group by 1").fetchall()


def states(db: Database) -> dict[str, str]:
    return dict(db.execute("select workflow, workflow_state from workflows"))


def rename_file(world: World, new: str, *, is_still_listed: bool) -> None:
    """GitHub gives the new path a new id, and may list the old one for long."""
    world.add_workflow(REPO, new, name="ci", created_at=world.now)
    if not is_still_listed:
        world.remove_workflow(REPO, FILE)
    world.add_run(REPO, new, duration=0)


@pytest.fixture
def star(world, ingest) -> Ingest:
    """`*` on a repository with two runs of one workflow, polled."""
    add_runs(world, 2)
    ingest.restart(workflows=("*",))
    ingest.poll()
    return ingest


def test_with_a_star_a_renamed_file_replaces_the_tile_of_the_old_one(
    world, github, star, db, caplog
):
    caplog.set_level("INFO")
    github.advance(DAY)
    rename_file(world, "build.yml", is_still_listed=False)
    for _ in range(2):
        star.poll()
        github.advance(DAY)

    assert watched(db) == ["build.yml"]
    assert files_of_runs(db) == [("build.yml", 1), (FILE, 2)]
    said = [text for text in caplog.messages if "deleted" in text]
    assert said == [f"{REPO}: {FILE} is deleted on GitHub: its runs stay"]


def test_an_old_file_that_github_still_lists_keeps_its_tile_and_is_logged(
    world, github, star, db, caplog
):
    """Its name alone does not prove that it was renamed."""
    caplog.set_level("INFO")
    github.advance(DAY)
    rename_file(world, "build.yml", is_still_listed=True)
    for _ in range(3):
        star.poll()
        github.advance(DAY)

    assert watched(db) == ["build.yml", FILE]
    assert files_of_runs(db) == [("build.yml", 1), (FILE, 2)]
    [line] = [text for text in caplog.messages if "proves no rename" in text]
    assert line.startswith(f"{REPO}: build.yml, ci.yml are all called 'ci'.")
    assert line.endswith(": ci.yml")


def test_live_workflows_of_one_name_are_not_logged(world, github, star, caplog):
    caplog.set_level("INFO")
    github.advance(DAY)
    rename_file(world, "build.yml", is_still_listed=True)
    world.add_run(REPO, FILE, duration=0)
    for _ in range(2):
        star.poll()
        github.advance(DAY)

    assert "proves no rename" not in caplog.text


def test_two_active_workflows_of_one_name_are_both_watched(world, ingest, db):
    for days, file in ((300, "linux.yml"), (200, "mac.yml")):
        born = world.now - timedelta(days=days)
        world.add_workflow(REPO, file, name="CI", created_at=born)
        add_runs(world, 1, file=file)
    ingest.restart(workflows=("*",))

    ingest.poll()

    assert watched(db) == ["linux.yml", "mac.yml"]


def test_an_id_that_is_listed_with_another_path_keeps_one_history(
    world, github, star, db, caplog
):
    caplog.set_level("INFO")
    number = world.workflow(REPO, FILE).id
    runs = world.workflow(REPO, FILE).runs
    world.remove_workflow(REPO, FILE)
    world.add_workflow(REPO, "build.yml", id=number, runs=runs)
    github.advance(DAY)

    star.poll()

    assert watched(db) == ["build.yml"]
    assert files_of_runs(db) == [("build.yml", 2)]
    assert db.execute("select workflow, streak from wall").fetchall() == [
        ("build.yml", 2)
    ]
    assert db.execute("select workflow from feeds").fetchall() == [("build.yml",)]
    assert f"{REPO}: {FILE} is called build.yml now: one history" in caplog.messages


def test_a_named_file_that_is_deleted_is_shown(world, github, ingest, db):
    add_runs(world, 2)
    ingest.poll()
    world.remove_workflow(REPO, FILE)
    github.advance(DAY)
    for _ in range(2):
        ingest.poll()

    assert (the_feed(db).workflow_state, the_feed(db).error_kind) == (
        "deleted",
        "not_found",
    )
    assert db.execute("select tile_state from wall").fetchall() == [("disabled",)]
    assert len(run_ids(db)) == 2


def test_a_deleted_file_that_comes_back_is_watched_again(world, github, star, db):
    workflow = world.workflow(REPO, FILE)
    world.remove_workflow(REPO, FILE)
    github.advance(DAY)
    star.poll()
    assert (watched(db), states(db)) == ([], {FILE: "deleted"})

    world.add_workflow(REPO, FILE, id=workflow.id, runs=workflow.runs)
    github.advance(DAY)
    star.poll()

    assert watched(db) == [FILE]
    assert files_of_runs(db) == [(FILE, 2)]


def test_with_a_star_a_deleted_file_leaves_the_wall_with_the_next_polls(
    world, github, star, db
):
    world.remove_workflow(REPO, FILE)
    github.advance(3600)
    star.poll()
    github.advance(60)
    star.poll()

    assert watched(db) == []
    assert len(run_ids(db)) == 2


@pytest.mark.parametrize(
    "state", ["disabled_inactivity", "disabled_manually", "disabled_fork", "deleted"]
)
def test_a_named_workflow_s_state_is_shown_within_a_day(
    world, github, ingest, db, state
):
    add_runs(world, 2)
    ingest.poll()
    world.workflow(REPO, FILE).state = state
    github.advance(DAY)
    ingest.poll()

    wall = "select workflow_state, tile_state from wall"
    assert db.execute(wall).fetchall() == [(state, "disabled")]

    world.workflow(REPO, FILE).state = "active"
    github.advance(DAY)
    ingest.poll()

    assert db.execute(wall).fetchall()[0][0] == "active"


def test_with_a_star_a_workflow_with_the_state_deleted_leaves_the_wall(
    world, github, star, db
):
    world.workflow(REPO, FILE).state = "deleted"
    github.advance(DAY)
    star.poll()

    assert watched(db) == []


def test_a_renamed_default_branch_is_the_tile_s_branch_within_a_day(
    world, github, ingest, db
):
    """Otherwise the tile would show the old branch's last failure forever."""
    world.add_run(REPO, FILE, conclusion="failure", head_branch="master")
    world.repo(REPO).default_branch = "master"
    ingest.poll()
    world.repo(REPO).default_branch = "trunk"
    world.repo(REPO).minimal = None
    world.add_run(REPO, FILE, head_branch="trunk")
    github.advance(DAY)

    ingest.poll()

    assert db.execute("select branch, last_result from wall").fetchall() == [
        ("trunk", "passing")
    ]


@pytest.mark.parametrize("state", ["disabled_manually", "disabled_inactivity", "new"])
def test_a_workflow_that_is_disabled_on_the_first_day_has_a_tile(
    world, ingest, db, state
):
    add_runs(world, 1)
    world.add_workflow(REPO, "old.yml", state=state)
    ingest.restart(workflows=("*",))

    ingest.poll()

    assert db.execute("select workflow, tile_state from wall").fetchall() == [
        (FILE, "passing"),
        ("old.yml", "disabled"),
    ]


@pytest.mark.parametrize(
    ("setting", "found"), [("*", [FILE]), ("old.yml", ["old.yml"])]
)
def test_the_disabled_workflows_of_a_fork_are_shown_only_if_named(
    world, ingest, db, setting, found
):
    """Only for a repository that an owner has: a named pair is always shown."""
    add_runs(world, 1)
    world.add_workflow(REPO, "old.yml", state="disabled_fork")
    ingest.restart(repos=("acme/*",), workflows=(setting,))

    ingest.poll()

    assert watched(db) == found


def test_a_star_leaves_out_github_s_own_workflows(world, ingest, db):
    add_runs(world, 1)
    world.add_workflow(REPO, "pages", path=PAGES)
    world.add_run(REPO, "pages")
    ingest.restart(workflows=("*",))

    ingest.poll()

    assert watched(db) == [FILE]
    assert len(run_ids(db)) == 1


@pytest.mark.parametrize("others", [(FILE,), ("*",)])
def test_github_s_own_workflow_is_watched_by_its_path(
    world, github, ingest, db, others
):
    add_runs(world, 1)
    number = world.add_workflow(REPO, "pages", path=PAGES).id
    for _ in range(150):
        world.add_run(REPO, "pages", duration=0)
    ingest.restart(workflows=(*others, PAGES))

    result = ingest.poll()
    github.advance(60)
    world.add_run(REPO, "pages", conclusion="failure")
    ingest.poll()

    assert result.feeds_failed == 0
    assert watched(db) == [FILE, PAGES]
    assert files_of_runs(db) == [(FILE, 1), (PAGES, 151)]
    assert f"/repos/{REPO}/actions/workflows/{number}/runs" in [
        entry.path for entry in github.log
    ]


def test_a_ruleset_s_runs_are_apart_from_a_file_of_the_same_name(
    world, github: GitHubServer, ingest, db
):
    """The repository's list has such runs, with the path in another repository."""
    for file in (FILE, "deploy.yml"):
        add_runs(world, 2, file=file)
    ingest.restart(workflows=(FILE, "deploy.yml"))
    ingest.poll()
    github.advance(60)
    world.add_run(
        REPO, "ruleset.yml", workflow_id=4548, path=f".github/workflows/{FILE}"
    )
    world.add_run(REPO, FILE, conclusion="failure", duration=0)

    ingest.poll()

    assert files_of_runs(db) == [(FILE, 3), ("deploy.yml", 2)]


def test_invalid_values_in_a_list_of_workflows_are_replaced_or_left_out(db):
    """SQLite cannot store half a surrogate pair or integers of more than 64 bits."""
    rows = workflow_rows(
        [
            {"path": ".github/workflows/\ud800.yml", "id": 2**70, "created_at": "soon"},
            {"path": None},
            {"path": ".github/workflows/ci.yml@main", "name": 3, "id": 7},
        ]
    )
    workflows.save(db, REPO, rows)

    assert workflows.known(db, REPO) == [
        Workflow("?.yml", None, None, None, None),
        Workflow("ci.yml", 7, None, None, None),
    ]
