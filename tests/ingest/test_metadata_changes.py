"""What changes about a repository on GitHub is noticed within a quarter of an hour."""

from datetime import UTC, datetime, timedelta

import pytest
from archive import set_clock
from polling import FILE, REPO, poll, revision

from ci_observer.ingest.db.migrations.m120_untested import m152_metadata_of_repositories
from ci_observer.ingest.feeds.refresh_times import next_charged_refresh_at
from ci_observer.ingest.store import feeds, workflows

pytestmark = pytest.mark.usefixtures("no_waiting")

QUARTER = 15
DAY = 86_400


@pytest.fixture
def watched(world, ingest, github):
    world.add_run(REPO, FILE)
    poll(ingest, github)
    github.log.clear()
    return ingest


def tile(db, github):
    set_clock(db, github.clock())
    [row] = db.query("select * from wall")
    return row["tile_state"], row["workflow_state"]


def metadata_requests(github, repo=REPO):
    paths = (f"/repos/{repo}", f"/repos/{repo}/actions/workflows")
    return [e for e in github.log if e.path in paths]


@pytest.mark.parametrize("refresh", [5, 60, 300])
def test_a_renamed_default_branch_is_noticed(world, github, watched, db, refresh):
    watched.restart(refresh_seconds=refresh)
    world.add_run(REPO, FILE, conclusion="failure", head_branch="trunk")
    world.update_repo(REPO, default_branch="trunk")
    poll(watched, github, QUARTER * 60 // refresh, seconds=refresh)

    assert tile(db, github)[0] == "failing"


def test_a_disabled_workflow_is_noticed_and_then_enabled_again(
    world, github, watched, db
):
    world.set_workflow_state(REPO, FILE, "disabled_manually")
    poll(watched, github, QUARTER)
    assert tile(db, github) == ("disabled", "disabled_manually")

    world.set_workflow_state(REPO, FILE, "active")
    poll(watched, github, QUARTER)
    assert tile(db, github) == ("passing", "active")


def test_a_run_proves_at_once_that_a_workflow_is_enabled(world, github, watched, db):
    world.set_workflow_state(REPO, FILE, "disabled_inactivity")
    poll(watched, github, QUARTER)
    before = int(revision(db))
    world.set_workflow_state(REPO, FILE, "active")
    github.advance(30)
    world.add_run(REPO, FILE, status="in_progress")
    watched.poll()

    assert tile(db, github) == ("passing", "active")
    assert int(revision(db)) > before
    poll(watched, github, 2)
    assert tile(db, github) == ("passing", "active")


def test_a_workflow_that_is_disabled_after_its_last_run_becomes_disabled_again(
    world, github, watched, db
):
    world.set_workflow_state(REPO, FILE, "disabled_manually")
    poll(watched, github, QUARTER)
    github.advance(60)
    world.add_run(REPO, FILE)
    watched.poll()
    poll(watched, github)

    assert tile(db, github) == ("disabled", "disabled_manually")
    world.rerun(world.repos[REPO].runs[0])
    poll(watched, github)
    assert tile(db, github) == ("disabled", "disabled_manually")


def test_an_archived_repository_keeps_its_tile_and_says_so(world, github, watched, db):
    world.update_repo(REPO, archived=True)
    poll(watched, github, QUARTER)
    assert tile(db, github) == ("disabled", "archived")
    [[archived]] = db.execute("select is_archived from repos")
    assert archived == 1

    world.update_repo(REPO, archived=False)
    poll(watched, github, QUARTER)
    assert tile(db, github) == ("passing", "active")


def test_an_archived_repository_of_an_owner_leaves_the_wall(
    world, github, ingest, db, caplog
):
    caplog.set_level("INFO")
    for repo in ("acme/api", "acme/web"):
        world.add_run(repo, FILE)
    ingest.restart(repos=("acme/*",))
    poll(ingest, github, 2)
    assert len(feeds.watched(db)) == 2

    world.update_repo("acme/web", archived=True)
    poll(ingest, github, QUARTER)

    assert [feed.repo for feed in feeds.watched(db)] == ["acme/api"]
    assert "acme/web is archived: it leaves the wall" in caplog.text


def test_unchanged_metadata_cost_nothing(github, watched):
    poll(watched, github, 60)

    assert 8 <= len(metadata_requests(github)) <= 10
    assert not any(entry.charged for entry in metadata_requests(github))


def test_the_pages_of_many_workflows_cost_nothing_while_unchanged(
    world, github, ingest, db
):
    for number in range(120):
        world.add_workflow(REPO, f"w{number:03}.yml")
    world.add_run(REPO, FILE)
    poll(ingest, github)
    github.log.clear()
    poll(ingest, github, QUARTER)
    requests = [e for e in github.log if e.path.endswith("/workflows")]
    assert [(e.query.get("page"), e.status) for e in requests] == [
        (None, 304),
        ("2", 304),
    ]

    world.set_workflow_state(REPO, "w119.yml", "disabled_manually")
    world.set_workflow_state(REPO, FILE, "disabled_manually")
    poll(ingest, github, QUARTER)
    assert tile(db, github) == ("disabled", "disabled_manually")


def test_without_a_token_a_change_is_noticed_too(world, github, watched, db):
    watched.restart(token=None)
    world.add_run(REPO, FILE, conclusion="failure", head_branch="trunk")
    world.update_repo(REPO, default_branch="trunk")
    poll(watched, github, QUARTER)
    assert tile(db, github)[0] == "failing"

    world.set_workflow_state(REPO, FILE, "disabled_manually")
    poll(watched, github, QUARTER)
    assert tile(db, github) == ("disabled", "disabled_manually")


def test_without_a_token_runs_of_once_notice_a_change(world, github, watched, db):
    watched.restart(token=None)
    world.update_repo(REPO, archived=True)
    github.advance(QUARTER * 60)
    watched.restart()
    watched.poll()

    assert tile(db, github) == ("disabled", "archived")


@pytest.mark.parametrize("count", [1, 4, 12])
def test_without_a_token_all_metadata_cost_eight_requests_an_hour(
    world, github, ingest, db, count
):
    repos = tuple(f"acme/service-{n}" for n in range(count))
    for repo in repos:
        world.add_run(repo, FILE, created_at=world.now - timedelta(days=60))
    github.limits.anonymous = 10_000
    ingest.restart(repos=repos, token=None)
    ingest.poll()
    # After one cycle each repository keeps its place in it.
    poll(ingest, github, QUARTER * count)
    github.log.clear()
    most = 0
    for _ in range(QUARTER * count):
        before = len(github.log)
        poll(ingest, github)
        most = max(most, len(github.log) - before)

    requests = [len(metadata_requests(github, repo)) for repo in repos]
    assert requests == [2] * count
    # The list of each repository, and the metadata of a few.
    assert most <= 2 * count + 6


def test_without_a_token_each_of_many_repositories_is_due_once_a_day():
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for count in (97, 1000):
        due = [next_charged_refresh_at(f"a/{n}", now, count=count) for n in range(50)]
        assert now < min(due) < max(due) <= now + timedelta(days=1)


@pytest.mark.parametrize("workflows", [(FILE,), ("*",)])
def test_the_metadata_of_sixty_repositories_make_no_burst(
    world, github, ingest, db, workflows
):
    repos = tuple(f"acme/service-{n}" for n in range(60))
    for repo in repos:
        world.add_run(repo, FILE, created_at=world.now - timedelta(days=60))
    ingest.restart(repos=repos, workflows=workflows)
    ingest.poll()
    numbers = []
    github.advance(3600)
    ingest.restart()
    for _ in range(QUARTER):
        github.log.clear()
        poll(ingest, github)
        numbers.append(sum(len(metadata_requests(github, repo)) for repo in repos))

    assert max(numbers) <= 40
    oldest = min(feed.metadata_at or "" for feed in feeds.watched(db))
    quarter = timedelta(minutes=QUARTER)
    assert oldest > (github.clock() - quarter).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_after_an_upgrade_an_archived_repository_says_so(world, github, watched, db):
    world.update_repo(REPO, archived=True)
    poll(watched, github, QUARTER)
    db.execute("update repos set is_archived = 0")
    db.execute("update feeds set workflow_state = 'active'")

    m152_metadata_of_repositories(db)
    watched.restart()
    poll(watched, github, QUARTER)

    assert tile(db, github) == ("disabled", "archived")


def test_after_an_upgrade_a_file_name_that_was_cut_is_whole(world, github, ingest, db):
    file = "deploy@prod.yml"
    world.add_run(REPO, file)
    ingest.restart(workflows=("*",))
    poll(ingest, github)
    workflows.rename(db, REPO, file, "deploy")
    [[number]] = db.execute("select raw_json ->> 'workflow_id' from runs_full")
    db["workflows"].insert({"repo": REPO, "workflow": "deploy", "workflow_id": number})

    m152_metadata_of_repositories(db)
    ingest.restart()
    poll(ingest, github, QUARTER)

    assert [feed.workflow for feed in feeds.watched(db)] == [file]
    assert db.execute("select distinct workflow from runs").fetchall() == [(file,)]
