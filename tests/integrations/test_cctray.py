"""`/cctray.xml`: every tile as a project that build monitors read."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import datasette as datasette_package
import pytest
import pytest_asyncio
from archive import NOW, save, set_clock, watch
from datasette.app import Datasette
from every_tile import FAILING, GREEN, KINDS, save_every_tile
from factories import UNUSUAL_FILES, run_payload
from sqlite_utils import Database
from web_client import get_error, get_json, serving, serving_example
from xml_schemas import faults

from ci_observer.ingest.store.database import transaction

SCHEMA = Path(__file__).with_name("cctray.rnc")
# `make setup` installs it here, without the desktop libraries that it needs otherwise.
FOLDER = Path(datasette_package.__file__).parents[2] / "auth-plugins"
EXCEPTIONS = ("no_access", "disabled", "stuck", "overdue", "blocked", "archived")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    folder = tmp_path_factory.mktemp("cctray")
    async with serving_example(folder, save_every_tile) as datasette:
        yield datasette


@pytest.fixture(scope="module")
def buildnotify() -> ModuleType:
    """BuildNotify's parser of feeds, without its desktop part."""
    sys.path.append(str(FOLDER))
    try:
        return pytest.importorskip(
            "buildnotifylib.core.cctray", reason="BuildNotify is missing: make setup"
        )
    finally:
        sys.path.remove(str(FOLDER))


async def get_projects(
    datasette: Datasette, query: str = "", **headers: str
) -> dict[str, dict[str, str]]:
    """The attributes of the projects by their names."""
    response = await datasette.client.get(f"/cctray.xml{query}", headers=headers)
    assert response.status_code == 200, response.text
    projects = ET.fromstring(response.content)  # noqa: S314 (our own)
    return {project.attrib["name"]: project.attrib for project in projects}


def expected_status(kind: str) -> str:
    if kind in FAILING:
        return "Failure"
    if kind in EXCEPTIONS:
        return "Exception"
    return "Success" if kind in (*GREEN, "tag") else "Unknown"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_status_is_that_of_the_tile(datasette: Datasette) -> None:
    projects = await get_projects(datasette)
    wall = await get_json(datasette, "/api/wall")

    statuses = {name: project["lastBuildStatus"] for name, project in projects.items()}
    assert statuses == {f"acme/{kind}/ci.yml": expected_status(kind) for kind in KINDS}
    held = wall["counts"]["held"]
    assert [*statuses.values()].count("Success") == wall["counts"]["passing"] - held


@pytest.mark.asyncio(loop_scope="module")
async def test_a_run_in_progress_is_an_activity(datasette: Datasette) -> None:
    projects = await get_projects(datasette)
    activities = {
        kind: projects[f"acme/{kind}/ci.yml"]["activity"]
        for kind in ("passing", "running", "failing_running", "queued", "held", "stuck")
    }

    assert activities == {
        "passing": "Sleeping",
        "running": "Building",
        "failing_running": "Building",
        "queued": "CheckingModifications",
        "held": "Sleeping",
        "stuck": "Building",
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_buildnotify_reads_every_project(
    datasette: Datasette, buildnotify: Any
) -> None:
    from buildnotifylib.core.aggregate import OverallIntegrationStatus  # noqa: PLC0415
    from buildnotifylib.core.model import ServerSnapshot  # noqa: PLC0415
    from buildnotifylib.core.settings import ServerSettings  # noqa: PLC0415

    response = await datasette.client.get("/cctray.xml")
    server = ServerSettings("http://localhost/cctray.xml")
    projects = buildnotify.parse(response.content, server)

    by_name = {project.name: project for project in projects}
    assert len(by_name) == len(projects) == len(KINDS)
    assert {
        kind for kind in KINDS if by_name[f"acme/{kind}/ci.yml"].status == "Success"
    } == {*GREEN, "tag"}
    failing = by_name["acme/failing/ci.yml"]
    assert failing.build_time.isoformat() == "2026-03-01T15:00:00+00:00"
    assert failing.url == "http://localhost/workflows/acme/failing/ci.yml"
    overall = OverallIntegrationStatus([ServerSnapshot(server.url, tuple(projects))])
    red = {p.name.split("/")[1] for p in overall.get_failing_builds()}
    assert red == {*FAILING, *EXCEPTIONS}


@pytest.mark.asyncio(loop_scope="module")
async def test_the_document_is_valid(datasette: Datasette, tmp_path: Path) -> None:
    documents = [
        (await datasette.client.get(f"/cctray.xml{query}")).content
        for query in ("", "?repo=acme/nothing", "?branch=main", "?state=failing")
    ]

    assert faults(SCHEMA, documents, tmp_path) == ""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("?repo=ACME/failing&repo=acme/held", {"failing", "held"}),
        ("?state=untested", {"cancelled", "misunderstood", "no_conclusion",
                             "stale_run", "phantom", "no_runs"}),
        ("?workflow=none.yml", set()),
        ("?team=null&state=overdue", {"overdue"}),
        ("?q=stuck", {"stuck"}),
    ],
)  # fmt: skip
async def test_the_filters_are_those_of_the_wall(
    datasette: Datasette, query: str, kinds: set[str]
) -> None:
    projects = await get_projects(datasette, query)

    assert set(projects) == {f"acme/{kind}/ci.yml" for kind in kinds}


@pytest.mark.asyncio(loop_scope="module")
async def test_links_have_the_host_of_the_request(datasette: Datasette) -> None:
    [project] = (
        await get_projects(datasette, "?repo=acme/failing", host="ci.example:8443")
    ).values()

    url = "http://ci.example:8443/workflows/acme/failing/ci.yml"
    assert project["webUrl"] == url


@pytest.mark.asyncio
async def test_a_name_is_of_one_tile_only_and_stays(
    db: Database, db_path: Path
) -> None:
    """Names of files and branches that could be mistaken for another project's."""
    watch(db, *(("acme/api", file) for file in (*UNUSUAL_FILES, "ci.yml", "(x).yml")))
    branches = ("main", "(x).yml", "release/1.0", 'a&b<c>"\x01\ufffe')
    for number, branch in enumerate(branches, start=1):
        save(db, run_payload(number, head_branch=branch))
    with transaction(db):
        chosen = {"repo": "acme/api", "pattern": "*", "is_excluded": 0}
        db["tile_branches"].insert(chosen)
    async with serving(db_path) as datasette:
        wall = await get_json(datasette, "/api/wall")
        response = await datasette.client.get("/cctray.xml")

    names = [p.attrib["name"] for p in ET.fromstring(response.content)]  # noqa: S314
    assert len(set(names)) == len(names) == len(wall["tiles"])
    assert "acme/api/ci.yml" in names
    assert "acme/api/ci.yml/(x).yml" in names
    assert 'acme/api/ci.yml/a&b<c>"\ufffd\ufffd' in names


@pytest.mark.asyncio
async def test_time_alone_makes_a_project_unknown(db: Database, db_path: Path) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(812, run_attempt=2))
    async with serving(db_path) as datasette:
        fresh = await datasette.client.get("/cctray.xml")
        same = await datasette.client.get(
            "/cctray.xml", headers={"if-none-match": fresh.headers["etag"]}
        )
        set_clock(db, NOW.replace(hour=19))
        [stale] = (await get_projects(datasette)).values()

    assert b'lastBuildStatus="Success" lastBuildLabel="812.2"' in fresh.content
    assert fresh.headers["content-type"] == "application/xml; charset=utf-8"
    assert same.status_code == 304
    assert stale["lastBuildStatus"] == "Unknown"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_wall_of_a_past_time_is_refused(datasette: Datasette) -> None:
    status, error = await get_error(datasette, "/cctray.xml?at=2026-02-01")

    assert (status, error[:20]) == (400, "Unknown filter 'at'.")
