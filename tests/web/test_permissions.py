"""Datasette's permissions hold for every route that shows data."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from archive import save, watch
from datasette import Response, hookimpl
from datasette.app import Datasette
from datasette.plugins import pm
from factories import run_payload
from operators import cookies_of, restricted
from sqlite_utils import Database
from web_client import serving

from ci_observer import ROOT
from ci_observer.web import access
from ci_observer.web.api.table import ROUTES
from ci_observer.web.server import build_datasette

ROOT_ONLY: dict[str, Any] = {"allow": {"id": "root"}}
DATABASE_ONLY: dict[str, Any] = {"databases": {"ci_observer": ROOT_ONLY}}
PAGES = (
    "/",
    "/?repo=acme/api",
    "/runs",
    "/runs/1",
    "/workflows/acme/api/ci.yml",
    "/workflows/acme/api/ci.yml/jobs",
    "/workflows/acme/api/none.yml",
    "/muted",
    "/s/none",
    "/commits/acme/api",
    "/summary",
    "/summary.md",
    f"/commits/acme/api/{1:040x}",
    "/ci_observer",
    "/ci_observer/runs",
    "/ci_observer/runs.csv?_stream=1",
    "/ci_observer/runs/1",
    "/ci_observer.json?sql=select+1",
    "/-/dashboards",
    "/-/dashboards/ci-observer?days=30",
    "/-/dashboards/ci-observer/embed?days=30",
    "/-/dashboards/ci-observer/runs-by-day",
    "/-/dashboards/ci-observer/runs-by-day.json",
    "/-/dashboards/ci-observer/runs-by-day/embed",
)
API = (
    "/api",
    "/api/runs",
    "/api/runs?raw=1",
    "/api/runs.csv",
    "/api/runs.ndjson",
    "/api/runs.parquet",
    "/api/openapi.json",
    "/api/runs/1",
    "/api/runs/1?raw=1",
    "/api/attempts",
    "/api/attempts.csv",
    "/api/attempts.ndjson",
    "/api/jobs",
    "/api/jobs.csv",
    "/api/jobs.ndjson",
    "/api/stats",
    "/api/stats.csv",
    "/api/stats.ndjson",
    "/api/filters",
    "/api/wall",
    "/api/summary",
    "/cctray.xml",
    "/feed.atom",
    "/badge/acme/api/ci.yml.svg",
    "/metrics",
    "/llms.txt",
    "/api/config",
    "/api/nothing",
)
DEBUG = (
    *("allow-debug", "databases", "databases.json", "messages", "metadata"),
    *("metadata.json", "patterns", "permissions", "plugins", "plugins.json"),
    *("settings", "settings.json", "threads", "threads.json", "versions"),
    "versions.json",
)
# Nobody's data: static files, redirects, logins, and what the visitor has sent.
OPEN = ("static", "static-plugins", "config", "actor", "auth-token", "logout")


# Of routes that are not below /-/; Datasette's front page has a test of its own.
OPEN_PATHS = (
    *("/login", "/logout", "/favicon.ico", "/static/x.css", "/:memory:"),
    "/static/joined/wall.0.js",
)
ABSENT_PATHS = ("/ci_observer.db", "/.json")


@pytest.fixture
def _runs(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1))


pytestmark = pytest.mark.usefixtures("_runs")


@pytest.mark.asyncio
@pytest.mark.parametrize("rules", [ROOT_ONLY, DATABASE_ONLY])
async def test_a_visitor_without_permission_gets_no_data(
    db_path: Path, rules: dict[str, Any]
) -> None:
    async with restricted(db_path, rules) as datasette:
        responses = {
            path: await datasette.client.get(path, cookies=cookies)
            for path in (*PAGES, *API)
            for cookies in ({}, cookies_of(datasette, "ada"))
        }

    assert {path: r.status_code for path, r in responses.items()} == dict.fromkeys(
        responses, 403
    )
    assert [path for path, r in responses.items() if "acme" in r.text] == []


@pytest.mark.asyncio
@pytest.mark.parametrize("rules", [ROOT_ONLY, DATABASE_ONLY])
async def test_an_actor_with_permission_sees_everything(
    db_path: Path, rules: dict[str, Any]
) -> None:
    async with restricted(db_path, rules) as datasette:
        cookies = cookies_of(datasette, "root")
        statuses = {
            path: (
                await datasette.client.get(path, cookies=cookies, follow_redirects=True)
            ).status_code
            for path in (*PAGES, *API)
        }

    assert {path for path, status in statuses.items() if status != 200} == {
        "/workflows/acme/api/none.yml",
        "/s/none",
        "/api/nothing",
    }


@pytest.mark.asyncio
async def test_a_rule_of_the_database_overrides_that_of_the_instance(
    db_path: Path,
) -> None:
    rules = {"allow": False, "databases": {"ci_observer": {"allow": True}}}
    async with restricted(db_path, rules) as datasette:
        wall = await datasette.client.get("/api/wall")
        index = await datasette.client.get("/-/")

    assert (wall.status_code, index.status_code) == (200, 403)


@pytest.mark.asyncio
async def test_an_error_of_the_api_is_json(db_path: Path) -> None:
    async with restricted(db_path, ROOT_ONLY) as datasette:
        response = await datasette.client.get("/api/runs.csv")

    assert response.json() == {
        "ok": False,
        "error": "You do not have permission to view this database.",
        "status": 403,
    }


@pytest.mark.asyncio
async def test_health_without_permission_is_only_ok_or_not(db_path: Path) -> None:
    async with restricted(db_path, ROOT_ONLY) as datasette:
        fresh = await datasette.client.get("/api/health")
        seen = await datasette.client.get(
            "/api/health", cookies=cookies_of(datasette, "root")
        )
        db_path.unlink()
        gone = await datasette.client.get("/api/health")

    assert (fresh.status_code, gone.status_code) == (seen.status_code, 503)
    assert set(fresh.json()) <= {"ok", "error", "status"}
    assert set(gone.json()) == {"ok", "error", "status"}
    assert "acme" not in fresh.text
    assert db_path.name not in gone.text
    assert {"state", "feeds"} <= set(seen.json())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "table", ["runs", "RUNS", "wall", "breaks", "steps", "run_rollups"]
)
async def test_a_rule_of_a_table_holds_for_our_routes(
    db_path: Path, table: str
) -> None:
    rules = {"databases": {"ci_observer": {"tables": {table: ROOT_ONLY}}}}
    async with restricted(db_path, rules) as datasette:
        anonymous = await datasette.client.get("/api/runs.csv")
        page = await datasette.client.get("/runs")
        root = await datasette.client.get(
            "/api/runs.csv", cookies=cookies_of(datasette, "root")
        )

    assert [r.status_code for r in (anonymous, page, root)] == [403, 403, 200]


@pytest.mark.asyncio
async def test_a_rule_for_whole_objects_closes_only_raw(db_path: Path) -> None:
    rules = {"databases": {"ci_observer": {"tables": {"run_payloads": ROOT_ONLY}}}}
    async with restricted(db_path, rules) as datasette:
        runs = await datasette.client.get("/api/runs")
        raw = await datasette.client.get("/api/runs.ndjson?raw=1")

    assert (runs.status_code, raw.status_code) == (200, 403)


@pytest.mark.asyncio
async def test_a_rule_for_a_table_of_the_operator_closes_only_that(
    db_path: Path, db: Database
) -> None:
    db["salaries"].insert({"id": 1})
    rules = {"databases": {"ci_observer": {"tables": {"salaries": ROOT_ONLY}}}}
    async with restricted(db_path, rules) as datasette:
        wall = await datasette.client.get("/api/wall")
        table = await datasette.client.get("/ci_observer/salaries.json")

    assert (wall.status_code, table.status_code) == (200, 403)


@pytest.mark.asyncio
async def test_a_plugin_that_decides_permissions_is_asked(db_path: Path) -> None:
    class Curfew:
        __name__ = "curfew"

        @hookimpl
        def permission_allowed(self, action: str) -> bool | None:
            return False if action == "view-database" else None

    plugin = Curfew()
    pm.register(plugin, "curfew")
    try:
        async with serving(db_path) as datasette:
            status = (await datasette.client.get("/api/wall")).status_code
    finally:
        pm.unregister(plugin)

    assert status == 403


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("rules", "expected"),
    [({}, set()), ({"databases": {"ci_observer": {"tables": {"x": ROOT_ONLY}}}}, {1})],
)
async def test_the_rules_of_a_table_are_read_at_most_once(
    db_path: Path,
    rules: dict[str, Any],
    expected: set[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Datasette copies the metadata of all tables each time."""
    read: Counter[str] = Counter()
    original = Datasette._table_permission_allows

    def count(self: Datasette, database: str, table: str) -> Any:
        read[table] += 1
        return original(self, database, table)

    monkeypatch.setattr(Datasette, "_table_permission_allows", count)
    async with restricted(db_path, rules) as datasette:
        for _ in range(2):
            page = await datasette.client.get("/ci_observer.json")
            assert page.status_code == 200

    assert set(read.values()) == expected


@pytest.mark.asyncio
async def test_a_plugin_may_change_the_rules_of_a_table(db_path: Path) -> None:
    tables: dict[str, Any] = {}

    class Rules:
        __name__ = "rules"

        @hookimpl
        def get_metadata(self) -> dict[str, Any]:
            return {"databases": {"ci_observer": {"tables": tables}}}

    plugin = Rules()
    pm.register(plugin, "rules")
    try:
        async with serving(db_path) as datasette:
            before = await datasette.client.get("/ci_observer/runs.json")
            tables["runs"] = ROOT_ONLY
            after = await datasette.client.get("/ci_observer/runs.json")
    finally:
        pm.unregister(plugin)

    assert (before.status_code, after.status_code) == (200, 403)


@pytest.mark.asyncio
async def test_names_of_tables_that_visitors_invent_fill_no_memory(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "MAX_TABLES", 2)
    rules = {"databases": {"ci_observer": {"tables": {"runs": ROOT_ONLY}}}}
    async with restricted(db_path, rules) as datasette:
        assert isinstance(datasette, access.QuickDatasette)
        for name in ("runs", "a", "b", "c", "runs"):
            allows = datasette._table_permission_allows("ci_observer", name)
            assert allows == ([{"id": "root"}] if name == "runs" else [])
            assert len(datasette._table_rules) <= 2


@pytest.mark.asyncio
async def test_a_plugins_answer_to_forbidden_is_used(db_path: Path) -> None:
    class Login:
        __name__ = "login"

        @hookimpl
        def forbidden(self, datasette: Datasette) -> Any:
            return Response.redirect("/-/login")

    plugin = Login()
    pm.register(plugin, "login")
    try:
        async with restricted(db_path, ROOT_ONLY) as datasette:
            page = await datasette.client.get("/runs")
            api = await datasette.client.get("/api/runs")
    finally:
        pm.unregister(plugin)

    assert (page.status_code, page.headers["location"]) == (302, "/-/login")
    assert api.status_code == 403


@pytest.mark.asyncio
async def test_what_only_some_may_see_is_kept_out_of_shared_caches(
    db_path: Path,
) -> None:
    async with restricted(db_path, ROOT_ONLY) as datasette:
        cookies = cookies_of(datasette, "root")
        responses = [
            await datasette.client.get(path, cookies=chosen)
            for path in (*PAGES, *API, "/api/health")
            for chosen in ({}, cookies)
        ]
        static = await datasette.client.get("/static/shared/base.css")

    for response in responses:
        assert "private" in response.headers["cache-control"], response.url
        vary = response.headers["vary"].split(", ")
        assert {"Cookie", "Authorization"} <= set(vary), response.url
    assert "private" not in static.headers.get("cache-control", "")


@pytest.mark.asyncio
async def test_a_cached_response_is_not_given_to_others(db_path: Path) -> None:
    async with restricted(db_path, ROOT_ONLY) as datasette:
        seen = await datasette.client.get(
            "/api/wall", cookies=cookies_of(datasette, "root")
        )
        unseen = await datasette.client.get(
            "/api/wall", headers={"If-None-Match": seen.headers["etag"]}
        )

    assert (seen.status_code, unseen.status_code) == (200, 403)


@pytest.mark.asyncio
async def test_an_open_instance_stays_cacheable(db_path: Path) -> None:
    async with serving(db_path) as datasette:
        response = await datasette.client.get("/api/wall")

    assert response.headers["cache-control"].startswith("max-age=1, ")


@pytest.mark.asyncio
@pytest.mark.parametrize("page", DEBUG)
async def test_pages_about_datasette_need_debug_menu(db_path: Path, page: str) -> None:
    async with serving(db_path) as datasette:
        path = f"/-/{page}"
        anonymous = await datasette.client.get(path)
        actor = await datasette.client.get(path, cookies=cookies_of(datasette, "ada"))
        root = await datasette.client.get(path, cookies=cookies_of(datasette, "root"))

    assert [r.status_code for r in (anonymous, actor, root)] == [403, 403, 200]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "source",
    [
        "pragma_database_list",
        "pragma_database_list()",
        "main.pragma_database_list",
        "PRAGMA_DATABASE_LIST",
        "(select file from pragma_database_list)",
    ],
)
async def test_no_statement_tells_the_path_of_the_file(
    db_path: Path, source: str
) -> None:
    async with serving(db_path) as datasette:
        response = await datasette.client.get(
            "/ci_observer.json",
            params={"sql": f"select * from {source}"},  # noqa: S608 (an example)
        )
        page = await datasette.client.get("/ci_observer")

    assert response.status_code == 400
    assert str(db_path.parent) not in response.text
    assert page.status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "sql",
    [
        # The statements that a connection has prepared.
        "select sql from sqlite_stmt",
        "select 1 from main.SQLITE_STMT",
        "explain select (select max(sql) from sqlite_stmt)",
        # An address in memory.
        "select FTS3_tokenizer('simple')",
    ],
)
async def test_no_statement_tells_of_other_visitors_or_the_process(
    db_path: Path, db: Database, sql: str
) -> None:
    async with serving(db_path) as datasette:
        path = "/ci_observer.json"
        await datasette.client.get(path, params={"sql": "select 'private'"})
        response = await datasette.client.get(path, params={"sql": sql})

    assert response.status_code == 400
    assert "private'" not in response.text


@pytest.mark.asyncio
async def test_a_message_of_a_visitor_is_not_set_for_debugging(db_path: Path) -> None:
    async with serving(db_path) as datasette:
        response = await datasette.client.post("/-/messages", data={"message": "x"})

    assert response.status_code == 403


def test_every_page_of_datasette_is_known(db_path: Path) -> None:
    """A new version may add one that shows paths."""
    datasette = build_datasette(db_path, root=ROOT)
    datasette.executor.shutdown()
    patterns = [route.pattern.removeprefix("^") for route, _ in datasette._routes()]
    names = {
        re.split(r"\\|\.|\(|/|\$", pattern.removeprefix("/-/"))[0]
        for pattern in patterns
        if pattern.startswith("/-/")
    }
    known = {name.partition(".")[0] for name in (*DEBUG, *OPEN)}

    assert names - {"", "dashboards", "mcp"} == known


def test_every_route_is_known(db_path: Path) -> None:
    """A new route has to be in the lists above, as closed or as open."""
    datasette = build_datasette(db_path, root=ROOT)
    datasette.executor.shutdown()
    known = [
        *(path.partition("?")[0] for path in (*PAGES, *API)),
        *OPEN_PATHS,
        *ABSENT_PATHS,
    ]
    unknown = [
        route.pattern
        for route, _ in datasette._routes()
        if not route.pattern.removeprefix("^").startswith("/-/")
        and not any(route.match(path) for path in known)
    ]
    dashboards = [
        route.pattern
        for route, _ in datasette._routes()
        if "dashboards" in route.pattern
        and "static" not in route.pattern
        and not any(route.match(path) for path in known)
    ]

    assert unknown + dashboards == []
    found = [ROUTES.find(path.partition("?")[0]) for path in API]
    assert {match[0].path for match in found if match} == {*ROUTES.by_path} - {
        "/api/health"
    }
