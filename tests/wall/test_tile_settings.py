"""Teams, muted tiles, branches, schedules and screens from the settings file."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload, times
from sqlite_utils import Database
from tiles import FEED, scheduled, tile
from web_client import get_json, serving

from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import team_of
from ci_observer.ingest.config.watching import Mute, RepoSettings, Screen, Team
from ci_observer.ingest.store import feeds, repos, tile_settings
from ci_observer.ingest.times import utc

WEB = ("acme/web", "ci.yml")
OF_WEB = {
    "repository": {"full_name": "acme/web"},
    "head_repository": {"full_name": "acme/web"},
}


def save(db: Database, now: datetime = NOW, **settings: Any) -> None:
    """Start with these settings, as ingest does."""
    config = Config(**settings)
    tile_settings.save_views(db, config, now)
    watched = dict.fromkeys(feed.repo for feed in feeds.watched(db))
    tile_settings.save_repos(db, config, watched, now)


def mute(until: date | datetime, repo: str = "acme/api", branch: str | None = None):
    return Mute(
        repo=repo, workflow="ci.yml", branch=branch, reason="Flaky", until=until
    )


def wall(db: Database, columns: str) -> list[tuple[Any, ...]]:
    order = "order by repo, branch"
    return db.execute(f"select {columns} from wall {order}").fetchall()  # noqa: S608


@pytest.fixture
def archive(db: Database) -> Database:
    """acme/api fails on main; acme/web passes on main and has other branches."""
    watch(db, FEED, WEB)
    save_runs(db, run_payload(1, conclusion="failure", **times("14:00")))
    branches = ("main", "release/1", "release/2", "dev")
    for number, branch in enumerate(branches, 10):
        payload = run_payload(number, head_branch=branch, **OF_WEB, **times("15:00"))
        save_runs(db, payload, repo="acme/web")
    return db


# Teams.


@pytest.mark.parametrize(
    ("repo", "topics", "expected"),
    [
        ("acme/api", (), "by entry"),
        ("acme/pay-api", (), "pay"),
        ("ACME/Pay-web", (), "pay"),
        ("acme/web", ("money",), "rest"),
        ("other/x", ("money",), "by topic"),
        ("other/x", (), None),
    ],
)
def test_the_most_specific_team_counts_and_topics_last(repo, topics, expected):
    config = Config(
        repo_settings=(RepoSettings(repository="acme/api", team="by entry"),),
        teams=(
            Team(name="rest", repositories=("acme/*",)),
            Team(name="pay", repositories=("acme/pay-*",)),
            Team(name="by topic", topics=("money",)),
        ),
    )

    assert team_of(config, repo, topics) == expected


def test_tiles_have_their_team_and_an_error_without_a_feed_has_it_too(archive):
    save(archive, teams=(Team(name="Pay", repositories=("acme/a*",)),))

    assert wall(archive, "repo, team") == [("acme/api", "Pay"), ("acme/web", None)]
    rows = archive.execute("select repo, workflow, team from feed_settings").fetchall()
    assert rows == [("acme/api", "*", "Pay"), ("acme/api", "ci.yml", "Pay")]


def test_without_teams_again_nothing_is_left(archive):
    save(archive, teams=(Team(name="Pay", repositories=("acme/*",)),))
    before = archive.execute("select value from instance where key='revision'")
    [(old,)] = before.fetchall()

    save(archive)

    assert wall(archive, "team") == [(None,), (None,)]
    [(new,)] = archive.execute("select value from instance where key='revision'")
    assert int(new) > int(old)
    save(archive)
    [(same,)] = archive.execute("select value from instance where key='revision'")
    assert same == new


@pytest.mark.asyncio
async def test_the_api_filters_by_team_in_any_letter_case(archive, db_path):
    save(archive, teams=(Team(name="Pay", repositories=("acme/api",)),))

    async with serving(db_path) as datasette:
        for query, expected in (
            ("team=pay", ["acme/api"]),
            ("team=null", ["acme/web"]),
            ("team=pay&team=null", ["acme/api", "acme/web"]),
            ("team=none", []),
            ("team=pay&state=passing", []),
        ):
            found = await get_json(datasette, f"/api/wall?{query}")
            assert sorted(tile["repo"] for tile in found["tiles"]) == expected, query
        response = await datasette.client.get("/?team=pay")
        assert "team pay (1 of 2 tiles" in response.text
        response = await datasette.client.get("/api/runs?team=pay")
        assert response.status_code == 400


# Muted tiles.


def test_a_day_ends_at_midnight_in_the_time_zone():
    summer = mute(date(2026, 3, 1))

    assert utc(summer.until_at("UTC")) == "2026-03-02T00:00:00Z"
    assert utc(summer.until_at("America/New_York")) == "2026-03-02T05:00:00Z"
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert mute(at).until_at("America/New_York") == at
    assert utc(mute(at.replace(tzinfo=None)).until_at("Europe/Berlin")) == (
        "2026-03-01T11:00:00Z"
    )


def test_a_mute_ends_by_time_alone(archive):
    save(archive, muted=(mute(date(2026, 3, 1)),))

    assert wall(archive, "repo, tile_state, muted_reason, muted_until") == [
        ("acme/api", "failing", "Flaky", "2026-03-02T00:00:00Z"),
        ("acme/web", "passing", None, None),
    ]
    set_clock(archive, datetime(2026, 3, 2, tzinfo=UTC) - timedelta(seconds=1))
    api, _ = wall(archive, "muted_reason, expires_at")
    assert api == ("Flaky", "2026-03-02T00:00:00Z")
    set_clock(archive, datetime(2026, 3, 2, tzinfo=UTC))
    assert wall(archive, "muted_reason") == [(None,), (None,)]


def test_a_mute_may_be_of_one_branch_in_any_letter_case(archive):
    settings = (RepoSettings(repository="acme/web", branches=("main", "release/*")),)
    until = date(2026, 3, 9)
    save(archive, repo_settings=settings, muted=(mute(until, "ACME/Web", "Release/1"),))

    assert wall(archive, "branch, muted_reason") == [
        ("main", None),
        ("main", None),
        ("release/1", "Flaky"),
        ("release/2", None),
    ]


def test_a_removed_mute_ends_and_stays_in_the_past(archive):
    save(archive, muted=(mute(date(2026, 3, 9)),))
    later = NOW + timedelta(hours=1)

    save(archive, now=later)

    assert archive.execute("select from_at, until_at from muted_tiles").fetchall() == [
        (utc(NOW), utc(later))
    ]
    assert wall(archive, "muted_reason") == [("Flaky",), (None,)]
    for now in (later, NOW - timedelta(hours=1)):
        set_clock(archive, now)
        assert wall(archive, "muted_reason") == [(None,), (None,)]


def test_an_ended_mute_in_the_file_does_nothing(archive):
    save(archive, muted=(mute(date(2026, 2, 1)),))

    assert archive.execute("select * from muted_tiles").fetchall() == []


@pytest.mark.asyncio
async def test_a_muted_tile_is_counted_as_muted_only(archive, db_path):
    save(archive, muted=(mute(date(2026, 3, 1), "acme/web"),))

    async with serving(db_path) as datasette:
        before = await get_json(datasette, "/api/wall")
        etag = (await get_json(datasette, "/api/config"))["wall_etag"]
        page = (await datasette.client.get("/")).text
        set_clock(archive, datetime(2026, 3, 2, tzinfo=UTC))
        after = await get_json(datasette, "/api/wall")
        new_etag = (await get_json(datasette, "/api/config"))["wall_etag"]

    assert (before["counts"]["total"], before["counts"]["muted"]) == (2, 1)
    assert (before["counts"]["failing"], before["counts"]["passing"]) == (1, 0)
    assert after["counts"]["muted"] == 0
    assert etag != new_etag
    assert "(1 muted, <a href=" in page


@pytest.mark.asyncio
async def test_the_page_of_muted_tiles_lists_reasons_and_ends(archive, db_path):
    save(
        archive,
        muted=(
            mute(date(2026, 3, 9)),
            mute(date(2026, 3, 8), "acme/gone"),
            mute(date(2026, 3, 7), "acme/web", "dev"),
        ),
    )

    async with serving(db_path) as datasette:
        page = await datasette.client.get("/muted")
        assert page.status_code == 200
        ends = ["2026-03-08 00:00", "2026-03-09 00:00", "2026-03-10 00:00"]
        places = [page.text.index(text) for text in ends]
        assert places == sorted(places)
        assert page.text.count("Flaky") == 3
        assert "There is no such tile" in page.text
        assert "/workflows/acme/web/ci.yml?branch=dev" in page.text
        # An unchanged page is a 304 until a mute ends.
        headers = {"If-None-Match": page.headers["etag"]}
        again = await datasette.client.get("/muted", headers=headers)
        assert again.status_code == 304
        set_clock(archive, datetime(2026, 3, 8, tzinfo=UTC))
        later = await datasette.client.get("/muted", headers=headers)
        assert later.text.count("Flaky") == 2
        assert (await datasette.client.get("/muted?x=1")).status_code == 400


# Branches.


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ((), ["main"]),
        (("main", "release/*"), ["main", "release/1", "release/2"]),
        (("release/*", "!release/1"), ["release/2"]),
        (("*",), ["dev", "main", "release/1", "release/2"]),
        # Without a run on any of them, the default branch stays.
        (("none",), ["main"]),
        (("rel?ase/1",), ["release/1"]),
    ],
)
def test_each_chosen_branch_with_runs_has_a_tile(archive, branches, expected):
    save(
        archive,
        repo_settings=(RepoSettings(repository="acme/web", branches=branches),),
    )

    rows = wall(archive, "repo, branch, tile_state, is_default_branch")
    of_web = [row[1:] for row in rows if row[0] == "acme/web"]
    assert [row[0] for row in of_web] == expected
    assert {row[1] for row in of_web} == {"passing"}
    assert all((branch == "main") == is_default for branch, _, is_default in of_web)
    every = archive.execute(
        "select branch from wall_branches where repo = 'acme/web' order by branch"
    ).fetchall()
    assert [branch for (branch,) in every] == ["dev", "main", "release/1", "release/2"]


def test_an_alarm_of_the_feed_shows_on_each_of_its_branches(archive):
    save(
        archive,
        repo_settings=(RepoSettings(repository="acme/web", branches=("release/*",)),),
    )
    archive["feeds"].update(WEB, {"error_kind": "not_found", "error": "gone"})

    assert wall(archive, "tile_state, branch")[1:] == [
        ("no_access", "release/1"),
        ("no_access", "release/2"),
    ]


def test_a_rename_takes_the_settings_of_the_new_name(archive):
    settings = (RepoSettings(repository="acme/web", branches=("*",), team="Web"),)
    save(archive, repo_settings=settings)

    repos.rename(archive, "acme/web", "acme/site")

    assert archive.execute("select * from feed_settings").fetchall() == []
    assert archive.execute("select * from tile_branches").fetchall() == []


# Schedules.


def expect(db: Database, seconds: int, now: datetime = NOW) -> None:
    schedules = (("ci.yml", seconds),)
    save(
        db,
        now=now,
        repo_settings=(RepoSettings(repository="acme/api", schedules=schedules),),
    )


def at(db: Database, now: datetime) -> tuple[Any, ...]:
    db["feeds"].update(FEED, {"checked_at": utc(now)})
    set_clock(db, now)
    return tile(db, "tile_state", "overdue_at")


def test_a_schedule_that_never_ran_is_overdue(db):
    watch(db, FEED)
    expect(db, 86_400)
    # A restart does not begin anew.
    expect(db, 86_400, now=NOW + timedelta(hours=5))

    due = NOW + timedelta(hours=36)
    assert at(db, due - timedelta(seconds=1)) == ("unknown", utc(due))
    assert at(db, due) == ("overdue", utc(due))
    # It is never taken to be gone.
    assert at(db, due + timedelta(days=90)) == ("overdue", utc(due))


@pytest.mark.parametrize(
    ("seconds", "hours"),
    [(900, 1.25), (3600, 2), (6 * 3600, 9), (86_400, 36), (7 * 86_400, 180)],
)
def test_a_schedule_that_ran_once_is_overdue_after_its_time_and_a_half(
    db, seconds, hours
):
    watch(db, FEED)
    save_runs(db, scheduled(28))
    expect(db, seconds)

    last = datetime(2026, 2, 28, 3, tzinfo=UTC)
    assert tile(db, "overdue_at") == (utc(last + timedelta(hours=hours)),)


def test_the_expected_schedule_replaces_the_guessed_one(db):
    watch(db, FEED)
    save_runs(db, *(scheduled(day) for day in (25, 26, 27, 28)))

    assert tile(db, "overdue_at") == ("2026-03-02T15:00:00Z",)
    expect(db, 86_400)
    assert tile(db, "overdue_at", "tile_state") == (
        "2026-03-01T15:00:00Z",
        "overdue",
    )
    save_runs(db, run_payload(100, event="schedule", **times("17:00")))
    assert tile(db, "tile_state") == ("passing",)
    # Only the default branch runs by a schedule.
    save_runs(db, run_payload(101, head_branch="dev", **times("17:10")))
    set_clock(db, NOW)
    rows = db.execute("select branch, overdue_at from wall_branches").fetchall()
    assert rows == [("main", "2026-03-03T05:00:00Z"), ("dev", None)]


# Screens.


@pytest.mark.asyncio
async def test_a_screen_is_a_stored_view(archive, db_path: Path):
    screens = (
        Screen("api", "repo=acme%2Fapi&theme=light&kiosk=1"),
        Screen("web", "repo=acme%2Fweb"),
    )
    save(archive, screens=screens)

    async with serving(db_path) as datasette:
        page = await datasette.client.get("/s/api")
        assert page.status_code == 200
        assert "acme/api (1 of 2 tiles" in page.text
        assert 'data-theme="light"' in page.text
        more = await datasette.client.get("/s/web?hide=passing")
        assert "acme/web, without passing (0 of 2 tiles" in more.text
        config = await get_json(datasette, "/api/config")
        assert config["screens"] == [
            {"name": s.name, "query": s.query} for s in screens
        ]
        for name in ("none", "API", "a%2Fb", "%ff", "%00"):
            missing = await datasette.client.get(f"/s/{name}")
            assert missing.status_code == 404
        assert "/s/api, /s/web" in missing.text
        assert (await datasette.client.post("/s/api")).status_code == 405


@pytest.mark.asyncio
async def test_a_past_wall_knows_the_schedules_that_were_expected_then(
    db, db_path: Path
):
    watch(db, FEED)
    expect(db, 3600)
    later = [NOW + timedelta(hours=hours) for hours in (1, 3, 8, 10)]
    set_clock(db, later[2])
    save(db, now=later[2])
    set_clock(db, later[3])
    db["feeds"].update(FEED, {"checked_at": utc(later[3])})
    db.execute("update feed_states set is_stale = 0")

    async with serving(db_path) as datasette:
        walls = [
            await get_json(datasette, f"/api/wall?at={utc(time)}") for time in later
        ]
    states = [wall["tiles"][0]["tile_state"] for wall in walls]
    assert states == ["unknown", "overdue", "unknown", "unknown"]
    assert [wall["next_change_at"] for wall in walls] == [
        utc(NOW + timedelta(hours=2)),
        utc(later[2]),
        None,
        None,
    ]


@pytest.mark.asyncio
async def test_a_past_wall_has_the_chosen_branches_and_the_mutes_of_then(
    archive, db_path: Path
):
    settings = (RepoSettings(repository="acme/web", branches=("main", "release/*")),)
    hour = timedelta(hours=1)
    until = NOW + 2 * hour
    save(archive, repo_settings=settings, muted=(mute(until, "acme/web", "release/1"),))
    set_clock(archive, NOW + hour)

    async with serving(db_path) as datasette:
        now = await get_json(datasette, "/api/wall")
        past = await get_json(datasette, f"/api/wall?at={utc(NOW)}")
        before = await get_json(datasette, f"/api/wall?at={utc(NOW - hour / 2)}")
        early = await get_json(datasette, "/api/wall?at=2026-03-01T14:30:00Z")

    def facts(wall: dict[str, Any]) -> list[tuple[str, str, bool]]:
        return sorted(
            (tile["repo"], tile["branch"], bool(tile["muted_until"]))
            for tile in wall["tiles"]
        )

    assert facts(past) == facts(now)
    assert (("acme/web", "release/1", True)) in facts(past)
    assert (("acme/web", "release/1", False)) in facts(before)
    # No branch had a run yet, so the default one shows.
    assert facts(early) == [("acme/api", "main", False), ("acme/web", "main", False)]
