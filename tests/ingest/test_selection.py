"""Patterns, exclusions, topics and own workflows of repositories in the YAML file."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from polling import add_runs
from sqlite_utils import Database

from ci_observer.ingest.cli import main
from ci_observer.ingest.config.watching import RepoSettings, fits
from ci_observer.ingest.store import feeds

pytestmark = pytest.mark.usefixtures("no_waiting")

DAY = 86_400


def watched(db: Database) -> list[str]:
    return [str(feed) for feed in feeds.watched(db)]


def watched_repos(db: Database) -> list[str]:
    return sorted({feed.repo.partition("/")[2] for feed in feeds.watched(db)})


@pytest.mark.parametrize(
    ("pattern", "repo", "does_fit"),
    [
        ("acme/*", "acme/api", True),
        ("acme/api-*", "ACME/API-x", True),
        ("acme/api-*", "acme/api", False),
        ("acme/*-api", "acme/old-api", True),
        ("acme/*", "acme2/api", False),
        ("acme/a?i", "acme/api", True),
        ("acme/a.i", "acme/api", False),
        ("acme/api", "Acme/Api", True),
    ],
)
def test_a_pattern_fits_whole_names_in_any_letter_case(pattern, repo, does_fit):
    assert fits(pattern, repo) == does_fit


@pytest.mark.parametrize(
    ("repos", "expected"),
    [
        (("acme/api-*",), ["api-one", "api-two"]),
        (("acme/*", "!acme/api-*"), ["old-web", "web"]),
        # The order does not matter.
        (("!acme/api-*", "!acme/OLD-*", "acme/*"), ["web"]),
        # A name is watched although an exclusion fits it.
        (("acme/*", "!acme/api-*", "acme/api-two"), ["api-two", "old-web", "web"]),
        (("acme/api-*", "acme/w*"), ["api-one", "api-two", "web"]),
    ],
)
def test_patterns_select_and_exclusions_leave_out(world, ingest, db, repos, expected):
    for name in ("api-one", "api-two", "web", "old-web"):
        add_runs(world, 1, repo=f"acme/{name}")

    ingest.restart(repos=repos)
    ingest.poll()

    assert watched_repos(db) == expected


def test_a_pattern_costs_no_more_requests_than_its_owner(world, github, ingest, db):
    for name in ("api-one", "api-two", "web"):
        add_runs(world, 1, repo=f"acme/{name}")
    ingest.restart(repos=("acme/api-*", "acme/w*", "!acme/old-*"))

    ingest.poll()

    lists = [entry.path for entry in github.log if entry.path.endswith("/repos")]
    assert len(lists) == 1


def test_a_repository_that_leaves_the_selection_keeps_its_history(world, ingest, db):
    add_runs(world, 2, repo="acme/api")
    add_runs(world, 2, repo="acme/old-api")
    ingest.restart(repos=("acme/*",))
    ingest.poll()

    ingest.restart(repos=("acme/*", "!acme/old-*"))

    assert watched(db) == ["acme/api ci.yml"]
    ingest.poll()
    assert watched(db) == ["acme/api ci.yml"]
    assert db.execute("select count(*) from runs").fetchall() == [(4,)]
    ingest.restart(repos=("acme/*",))
    assert watched(db) == ["acme/api ci.yml", "acme/old-api ci.yml"]


def test_topics_limit_the_lists_of_owners_and_follow_github(world, github, ingest, db):
    for name, topics in (("api", ("prod", "x")), ("web", ("x",)), ("docs", ())):
        world.add_repo(f"acme/{name}", topics=topics)
        add_runs(world, 1, repo=f"acme/{name}")
    add_runs(world, 1, repo="acme/named")
    ingest.restart(repos=("acme/*", "acme/named"), topics=("prod",))

    ingest.poll()

    assert watched_repos(db) == ["api", "named"]
    world.update_repo("acme/api", topics=())
    world.update_repo("acme/docs", topics=("prod",))
    github.advance(DAY)
    ingest.poll()
    ingest.poll()
    assert watched_repos(db) == ["docs", "named"]


def test_each_repository_may_have_its_own_workflows(world, ingest, db):
    for name in ("api", "web", "job-a"):
        for file in ("ci.yml", "deploy.yml", "nightly.yml"):
            add_runs(world, 1, repo=f"acme/{name}", file=file)
    settings = (
        RepoSettings(repository="acme/*", workflows=("ci.yml",)),
        RepoSettings(repository="acme/api", workflows=("deploy.yml", "gone.yml")),
        RepoSettings(repository="acme/job-*", workflows=("*",)),
    )

    ingest.restart(
        repos=("acme/*", "acme/api", "acme/job-*"), workflows=(), repo_settings=settings
    )
    ingest.poll()

    assert watched(db) == [
        "acme/api deploy.yml",
        "acme/api gone.yml",
        "acme/job-a ci.yml",
        "acme/job-a deploy.yml",
        "acme/job-a nightly.yml",
        "acme/web ci.yml",
    ]


def test_an_owner_of_whom_nothing_is_selected_says_so(world, ingest, db):
    add_runs(world, 1, repo="acme/api")
    ingest.restart(
        repos=("acme/x-*",), config_file=Path("ci-observer.yml"), topics=("a",)
    )

    ingest.poll()

    [(error,)] = db.execute("select error from watch_errors").fetchall()
    assert "correct repositories or topics in ci-observer.yml" in error


def test_check_says_what_is_selected_and_warns_of_what_is_not(
    world, github, tmp_path, only_own_settings, db_path
):
    for name in ("api-one", "api-two", "old-web"):
        add_runs(world, 1, repo=f"acme/{name}")
    world.update_repo("acme/api-one", topics=("prod",))
    (tmp_path / "ci-observer.yml").write_text("""
repositories: [acme/api-*, acme/x-*, "!acme/old-*", "!acme/y*"]
workflows: [ci.yml]
topics: [prod, other]
""")
    environ = {
        "GITHUB_TOKEN": github.token,
        "GITHUB_API_URL": github.url,
        "CI_OBSERVER_DB": str(db_path),
    }

    result = CliRunner().invoke(main, ["check"], env=environ)

    head, _, rest = result.output.partition("\n\n")
    nothing = "nothing. Correct it, or remove it."
    assert head.splitlines() == [
        "OK: 1 workflow can be polled. There are 3 warnings.",
        f"  Warning: acme/x-*: selects {nothing}",
        f"  Warning: !acme/y*: leaves out {nothing}",
        f"  Warning: topic other: selects {nothing}",
    ]
    assert "\nacme/api-*: selects acme/api-one\n" in rest
    assert "\n!acme/old-*: leaves out acme/old-web\n" in rest
    assert "GH_WORKFLOWS                ci.yml   (ci-observer.yml, line 3)\n" in rest
    assert "GITHUB_API_URL" in rest
    assert "(environment)" in rest
    assert result.exit_code == 0


def test_the_jobs_of_chosen_branches_are_fetched(world, ingest, db):
    for branch in ("release/1", "dev"):
        world.add_run("acme/api", "ci.yml", head_branch=branch, conclusion="failure")
    jobs = "select distinct r.head_branch from jobs join runs r using (run_id)"
    ingest.poll()
    assert db.execute(jobs).fetchall() == []

    settings = (RepoSettings(repository="acme/*", branches=("main", "release/*")),)
    ingest.restart(repo_settings=settings)
    ingest.poll()

    # Also of the runs that were stored before.
    assert db.execute(jobs).fetchall() == [("release/1",)]
    world.add_run("acme/api", "ci.yml", head_branch="release/2", conclusion="failure")
    ingest.poll()
    assert db.execute(jobs).fetchall() == [("release/1",), ("release/2",)]
    tiles = "select branch, failed_job is not null from wall order by branch"
    assert db.execute(tiles).fetchall() == [("release/1", 1), ("release/2", 1)]


def test_settings_follow_the_watched_feeds(world, github, ingest, db):
    add_runs(world, 1, repo="acme/api")
    settings = (
        RepoSettings(repository="acme/*", team="Pay", schedules=(("ci.yml", 3600),)),
    )
    ingest.restart(repos=("acme/*",), repo_settings=settings)
    ingest.poll()
    add_runs(world, 1, repo="acme/new")
    github.advance(DAY)
    ingest.poll()

    rows = "select repo, workflow, team, schedule_seconds from feed_settings"
    assert db.execute(rows).fetchall() == [
        ("acme/api", "*", "Pay", None),
        ("acme/api", "ci.yml", "Pay", 3600),
        ("acme/new", "*", "Pay", None),
        ("acme/new", "ci.yml", "Pay", 3600),
    ]
    ingest.restart(repo_settings=())
    assert db.execute(rows).fetchall() == []


def test_check_shows_teams_screens_and_mutes(
    world, github, tmp_path, only_own_settings, db_path
):
    for name in ("api", "web"):
        add_runs(world, 1, repo=f"acme/{name}")
    (tmp_path / "ci-observer.yml").write_text("""
repositories: [acme/*]
workflows: [ci.yml]
teams: {Pay: [acme/a*], none: [acme/x]}
screens: {pay: team=pay, other: team=x&kiosk=1}
muted:
  - {tile: acme/api/ci.yml, reason: Flaky, until: 2999-12-31}
  - {tile: acme/api/deploy.yml, reason: Flaky, until: 2999-12-31}
  - {tile: acme/gone/ci.yml, reason: Flaky, until: 2999-12-31}
  - {tile: acme/web/ci.yml, reason: Flaky, until: 2020-01-01}
""")
    environ = {
        "GITHUB_TOKEN": github.token,
        "GITHUB_API_URL": github.url,
        "CI_OBSERVER_DB": str(db_path),
    }

    result = CliRunner().invoke(main, ["check"], env=environ)

    head, _, rest = result.output.partition("\n\n")
    assert [line.strip() for line in head.splitlines()[1:]] == [
        f"Warning: {text}. Correct it, or remove it."
        for text in (
            "Team none: no repository is watched",
            "Screen /s/other: there is no team x",
            "Muted acme/api/deploy.yml: there is no such tile",
            "Muted acme/gone/ci.yml: there is no such tile",
            "Muted acme/web/ci.yml: ended at 2020-01-02 00:00 UTC",
        )
    ]
    assert "\nTeam Pay: acme/api\n" in rest
    assert "\nScreen /s/pay: team=pay\n" in rest
    assert "\nMuted acme/api/ci.yml: until 3000-01-01 00:00 UTC, Flaky\n" in rest
    assert result.exit_code == 0
