"""Tags, branches and workflow files with unusual names."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from demo_client import FILE, REPO, RUNS, client_of, payload

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World

WORKFLOWS = f"/repos/{REPO}/actions/workflows"
STRANGE = (
    "deploy@prod.yml",
    "Julia TagBot.yml",
    "100%.yml",
    "a+b#c?.yaml",
    "größe.yml",
)


def tag_ref(client: httpx.Client, name: str) -> httpx.Response:
    return client.get(f"/repos/{REPO}/git/ref/tags/{name}")


@pytest.mark.parametrize("event", ["push", "release"])
def test_a_run_of_a_tag_has_the_tag_as_its_branch(
    client: httpx.Client, world: World, event: str
) -> None:
    run = world.add_run(REPO, FILE, tag="v1", event=event)

    body = client.get(f"{RUNS}/{run.id}").json()
    assert (body["head_branch"], body["event"]) == ("v1", event)
    ref = tag_ref(client, "v1").json()
    assert (ref["ref"], ref["object"]["sha"]) == ("refs/tags/v1", body["head_sha"])


@pytest.mark.parametrize("name", ["v1.0", "release/1.0", "cli@2.0", "@scope/pkg@1"])
def test_a_tag_is_found_by_its_exact_name(
    client: httpx.Client, world: World, name: str
) -> None:
    world.add_run(REPO, FILE)
    world.add_tag(REPO, name)

    for path in (name, quote(name), quote(name, safe="")):
        assert tag_ref(client, path).json()["ref"] == f"refs/tags/{name}"
    for other in (name[:-1], f"{name}0", f"{name}/", name.upper(), "", "main"):
        assert tag_ref(client, other).status_code == 404
    assert client.get(f"/repos/acme/nothing/git/ref/tags/{name}").status_code == 404


def test_a_deleted_tag_is_404(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, tag="v1")
    world.remove_tag(REPO, "v1")

    assert tag_ref(client, "v1").status_code == 404
    assert client.get(f"{RUNS}/{run.id}").json()["head_branch"] == "v1"


def test_runs_of_one_tag_have_one_commit(world: World) -> None:
    first = world.add_run(REPO, FILE, tag="v1", head_sha="a" * 40)
    second = world.add_run(REPO, "deploy.yml", tag="v1", event="release")

    assert first.head_sha == second.head_sha == world.repo(REPO).tags["v1"]


def test_a_repository_is_archived_and_its_default_branch_renamed(
    client: httpx.Client, world: World
) -> None:
    world.add_run(REPO, FILE)
    before = client.get(f"/repos/{REPO}")
    world.update_repo(REPO, archived=True, default_branch="trunk")
    etag = {"if-none-match": before.headers["etag"]}
    after = client.get(f"/repos/{REPO}", headers=etag)

    changed = {"archived": True, "default_branch": "trunk"}
    assert before.json() | changed == after.json()
    assert before.json() != after.json()


def test_a_workflow_is_disabled_and_enabled(client: httpx.Client, world: World) -> None:
    world.add_run(REPO, FILE)
    states = []
    for state in ("disabled_manually", "disabled_inactivity", "active"):
        body = {"repo": REPO, "workflow": FILE, "state": state}
        client.post("/_sim/workflow", json=body)
        states.append(client.get(f"{WORKFLOWS}/{FILE}").json()["state"])

    assert states == ["disabled_manually", "disabled_inactivity", "active"]


def test_the_path_of_runs_can_end_in_a_ref(client: httpx.Client, world: World) -> None:
    world.add_workflow(REPO, "deploy@prod.yml", path_ref="refs/heads/a@b")
    run = world.add_run(REPO, "deploy@prod.yml")

    path = client.get(f"{RUNS}/{run.id}").json()["path"]
    assert path == ".github/workflows/deploy@prod.yml@refs/heads/a@b"
    [listed] = client.get(WORKFLOWS).json()["workflows"]
    assert listed["path"] == ".github/workflows/deploy@prod.yml"


@pytest.mark.parametrize("path", ["deploy@prod.yml", "deploy@prod.yml@main"])
def test_a_recorded_path_is_cut_after_the_extension(path: str) -> None:
    [run] = World().load_runs([payload(1, path=f".github/workflows/{path}")])

    assert run.workflow.file == "deploy@prod.yml"


@pytest.mark.parametrize("file", STRANGE)
@pytest.mark.parametrize("prefix", ["", ".github/workflows/"])
def test_files_of_any_name_have_pages_of_runs(
    client: httpx.Client, world: World, file: str, prefix: str
) -> None:
    ids = {world.add_run(REPO, file).id for _ in range(3)}
    encoded = quote(prefix + file, safe="")

    first = client.get(f"{WORKFLOWS}/{encoded}/runs", params={"per_page": 2})
    second = client.get(first.links["next"]["url"])
    pages = [page.json()["workflow_runs"] for page in (first, second)]
    assert {run["id"] for page in pages for run in page} == ids
    [listed] = client.get(WORKFLOWS).json()["workflows"]
    assert listed["path"] == f".github/workflows/{file}"
    assert listed["badge_url"].isascii()


def test_a_percent_sign_must_be_encoded(github: GitHubServer, world: World) -> None:
    world.add_run(REPO, "100%.yml")
    with client_of(github) as client:
        url = httpx.URL(github.url, raw_path=f"{WORKFLOWS}/100%.yml/runs".encode())
        response = client.get(url)

    assert github.log[-1].path.endswith("/100%.yml/runs")
    assert response.status_code == 400
