"""/api/openapi.json: it is valid, and the responses of every route follow it."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import save_runs, watch
from browser import WallServer
from datasette.app import Datasette
from factories import run_payload
from instances import A, B, instances
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from sqlite_utils import Database
from varied_archive import fill_varied
from waiting import HANG_SECONDS
from walls import save_poll
from web_client import get_json, serving_example

from ci_observer.web.api.table import ROUTES
from ci_observer.web.peers.peer import Peer

in_loop = pytest.mark.asyncio(loop_scope="module")

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = "4"
RUNS = 60
VALUES = {"owner": "acme", "repo": "api", "file": "ci.yml", "run_id": 5}
# Requests beyond the plain one of each route.
MORE = (
    "/api/runs?raw=1&limit=3",
    f"/api/runs/{10**9}?raw=1",
    "/api/wall?branch=main",
    "/api/wall?at=2026-02-20",
    "/api/summary?days=30",
)
ERRORS = (
    ("/api/runs?limit=0", 400),
    ("/api/wall?state=red", 400),
    ("/api/runs/1000", 404),
    ("/api/stats?since=yesterday", 400),
)


def fill(db: Database) -> None:
    fill_varied(db, RUNS)
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(db, run_payload(10**9), run_payload(10**9 + 1, conclusion="failure"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """No test writes to its database."""
    async with serving_example(tmp_path_factory.mktemp("openapi"), fill) as datasette:
        yield datasette


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document(datasette: Datasette) -> dict[str, Any]:
    return await get_json(datasette, "/api/openapi.json")


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of a schema that may refer to the document's components."""
    return Draft202012Validator(
        schema | {"components": document["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def problems(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    errors = validator(document, schema).iter_errors(value)
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


@in_loop
async def test_the_document_is_valid_and_has_every_route(
    document: dict[str, Any],
) -> None:
    validate(document)

    assert list(document["paths"]) == list(ROUTES.by_path)
    operations = [item["get"] for item in document["paths"].values()]
    assert len({operation["operationId"] for operation in operations}) == len(
        ROUTES.by_path
    )
    for path, item in document["paths"].items():
        route = ROUTES.by_path[path]
        names = [parameter["name"] for parameter in item["get"]["parameters"]]
        assert tuple(names) == (*route.variables, *route.parameters)


@in_loop
async def test_every_response_follows_its_schema(
    datasette: Datasette, document: dict[str, Any]
) -> None:
    paths = [path.format_map(VALUES) for path in ROUTES.by_path]
    checked = 0
    for path in (*paths, *MORE):
        response = await datasette.client.get(path)
        assert response.status_code == 200, (path, response.text)
        [route, _] = ROUTES.find(path.partition("?")[0]) or [None, {}]
        assert route is not None
        declared = document["paths"][route.path]["get"]["responses"]["200"]
        [(media, content)] = declared["content"].items()
        assert response.headers["content-type"].partition(";")[0] == media
        if media == "application/json":
            assert problems(document, content["schema"], response.json()) == []
            assert set(declared["headers"]) <= {"ETag", "Link"}
            assert ("etag" in response.headers) is ("ETag" in declared["headers"])
            checked += 1

    assert checked > 10


# As JSON only.
WITH_PEERS = (
    *("/api/wall", "/api/wall?state=failing", "/api/wall?peers=no", "/api/config"),
    *("/api/config?peers=no", "/api/runs", "/api/runs?raw=1", "/api/runs?peers=no"),
)


def test_responses_with_peers_follow_their_schemas(
    tmp_path: Path, migrated_file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instances(tmp_path, migrated_file, monkeypatch) as new_instance:
        peer = new_instance(B)
        own = new_instance(A, peers=(Peer(peer.address),))
        own.wait_for(peer.name, "ok")
        document = own.get("/api/openapi.json").json()

        def check(path: str, status: int = 200) -> dict[str, Any]:
            response = own.get(path)
            assert response.status_code == status
            route = document["paths"][path.partition("?")[0]]["get"]
            declared = route["responses"]["200"]["content"]["application/json"]
            error = {"$ref": "#/components/schemas/Error"}
            schema = declared["schema"] if status == 200 else error
            value: dict[str, Any] = response.json()
            assert (path, problems(document, schema, value)) == (path, [])
            return value

        for path in WITH_PEERS:
            check(path)
        assert check("/api/runs")["missing_peers"] == []
        peer.stop()
        own.wait_for(peer.name, "missing")
        for path in WITH_PEERS:
            check(path)
        page = check("/api/runs")
        assert [missing["peer"] for missing in page["missing_peers"]] == [peer.address]
        stuck = check(f"/api/runs?cursor={page['next']}", status=503)
        assert stuck["missing_peers"][0]["peer"] == peer.address


@in_loop
async def test_the_rows_of_exports_follow_the_schema_of_the_list(
    datasette: Datasette, document: dict[str, Any]
) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in (
        *(("runs", "Run"), ("attempts", "Attempt"), ("jobs", "Job")),
        ("stats", "Statistics"),
    ):
        lines = (await datasette.client.get(f"/api/{name}.ndjson")).text.splitlines()
        text = (await datasette.client.get(f"/api/{name}.csv")).text
        rows = [json.loads(line) for line in lines]
        found = [
            problem
            for row in rows
            for problem in problems(document, schemas[schema], row)
        ]
        assert found == []
        assert next(csv.reader(io.StringIO(text))) == list(rows[0])
        known = set(schemas[schema]["properties"]) - {"raw_json"}
        assert {*rows[0]} == known


@in_loop
@pytest.mark.parametrize(("path", "status"), ERRORS)
async def test_errors_follow_their_schema(
    datasette: Datasette, document: dict[str, Any], path: str, status: int
) -> None:
    response = await datasette.client.get(path)

    assert response.status_code == status
    schema = {"$ref": "#/components/schemas/Error"}
    assert problems(document, schema, response.json()) == []


@in_loop
async def test_every_example_follows_its_schema(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for media in item["get"]["responses"]["200"]["content"].values():
            if "example" in media:
                found = problems(document, media["schema"], media["example"])
                assert (path, found) == (path, [])


@in_loop
async def test_every_column_has_the_description_of_the_schema_page(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    missing = [
        f"{name}.{column}"
        for name in ("Run", "Attempt", "Job", "Step", "Statistics", "Tile")
        for column, schema in schemas[name]["properties"].items()
        if "description" not in schema
    ]

    assert missing == []


@pytest.mark.long
def test_schemathesis_finds_nothing(
    db: Database, server: WallServer, tmp_path: Path
) -> None:
    """With few examples; tests/web/schemathesis.toml says how to run it longer."""
    fill(db)

    found = subprocess.run(  # noqa: S603 (fixed arguments)
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
            *("run", f"{server.url}api/openapi.json", "--no-color", "--seed", "1"),
            *("--phases", "examples,fuzzing", "--max-examples", EXAMPLES),
        ],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
        timeout=HANG_SECONDS,
    )

    assert found.returncode == 0, found.stdout[-5000:]
    # It does not test the document itself.
    assert f"Tested: {len(ROUTES.by_path) - 1}" in found.stdout
