"""Workflow files with unusual names, from GitHub to a page."""

from urllib.parse import quote, urlencode

import pytest
from archive import save_runs, watch
from factories import UNUSUAL_FILES, run_payload
from page_reader import get_page
from polling import REPO, add_runs
from web_client import get_json, serving

from ci_observer.ingest.feeds.workflows import assign_runs
from ci_observer.ingest.github.names import has_workflow_path, workflow_file
from ci_observer.ingest.store import feeds, workflows
from ci_observer.ingest.store.workflows import Workflow

pytestmark = pytest.mark.usefixtures("no_waiting")

FOLDER = ".github/workflows/"
REF = "refs/heads/a@b.yml"


def counts(db):
    return dict(db.execute("select workflow, count(*) from runs group by 1"))


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("ci.yml", "ci.yml"),
        ("ci.yml@main", "ci.yml"),
        ("ci.yaml@refs/tags/v@1.yml", "ci.yaml"),
        ("deploy@prod.yml", "deploy@prod.yml"),
        ("deploy@prod.yml@main", "deploy@prod.yml"),
        ("x.yml.yaml@main", "x.yml.yaml"),
        ("two\nlines.yml@main", "two\nlines.yml"),
    ],
)
def test_a_path_ends_at_the_first_at_sign_after_its_suffix(path, file):
    assert workflow_file({"path": FOLDER + path}) == file


def test_a_known_file_name_with_a_suffix_inside_is_not_cut():
    known = ["a.yml", "a.yml@b.yml"]

    assert workflow_file({"path": f"{FOLDER}a.yml@b.yml@main"}, known) == "a.yml@b.yml"
    assert workflow_file({"path": f"{FOLDER}a.yml@main"}, known) == "a.yml"


def test_github_s_own_workflows_keep_their_path():
    path = "dynamic/pages/pages-build-deployment"

    assert workflow_file({"path": f"{path}@refs/heads/x.yml@y"}) == path


@pytest.mark.parametrize(
    ("path", "is_workflow_s"),
    [
        (f"{FOLDER}ci.yml@main", True),
        ("dynamic/github-code-scanning/codeql", True),
        ("BuildFailed", False),
        ("ci.yml", False),
        (f"{FOLDER}BuildFailed", False),
        ("", False),
        (None, False),
    ],
)
def test_a_path_is_that_of_a_file_or_of_github_s_own_workflow(path, is_workflow_s):
    assert has_workflow_path({"path": path}) is is_workflow_s


@pytest.mark.parametrize("setting", [UNUSUAL_FILES, ("*",)])
def test_files_with_unusual_names_are_polled(world, github, ingest, db, setting):
    """By their own lists, then by the repository's."""
    for file in UNUSUAL_FILES:
        add_runs(world, 2, file=file)
    ingest.restart(workflows=setting)

    result = ingest.poll()
    for file in UNUSUAL_FILES:
        path = f"{FOLDER}{file}@{REF}"
        world.add_run(REPO, file, path=path, duration=0)
    github.advance(60)
    ingest.poll()

    assert result.feeds_failed == 0
    assert {feed.workflow for feed in feeds.watched(db)} == set(UNUSUAL_FILES)
    assert counts(db) == dict.fromkeys(UNUSUAL_FILES, 3)


@pytest.mark.parametrize("path", [None, "", "BuildFailed", f"{FOLDER}other.yml@main"])
def test_github_s_number_of_the_workflow_decides_before_the_path(
    world, github, ingest, db, path
):
    for file in ("ci.yml", "deploy.yml"):
        add_runs(world, 1, file=file)
    ingest.restart(workflows=("ci.yml", "deploy.yml"))
    ingest.poll()
    world.add_run(REPO, "ci.yml", path=path, duration=0)
    github.advance(60)

    ingest.poll()

    assert counts(db) == {"ci.yml": 2, "deploy.yml": 1}


def test_a_run_without_a_number_is_known_by_its_path(db):
    run = run_payload(path=f"{FOLDER}deploy@prod.yml@main", workflow_id=None)

    assert assign_runs(db, REPO, [run]).by_file == {"deploy@prod.yml": [run]}


def test_a_listed_file_name_is_not_cut(db):
    workflows.save(db, REPO, [Workflow("a.yml@b.yml", None, None, "active", None)])
    run = run_payload(path=f"{FOLDER}a.yml@b.yml")

    assert assign_runs(db, REPO, [run]).by_file == {"a.yml@b.yml": [run]}


@pytest.mark.asyncio
@pytest.mark.parametrize("file", UNUSUAL_FILES)
async def test_a_file_with_an_unusual_name_has_a_page_and_a_filter(db, db_path, file):
    watch(db, (REPO, file))
    save_runs(db, run_payload(), workflow=file)
    address = f"/workflows/{REPO}/{quote(file, safe='')}"

    async with serving(db_path) as datasette:
        page = await get_page(datasette, address)
        runs = await get_json(datasette, f"/api/runs?{urlencode({'workflow': file})}")
        wall = await get_page(datasette, "/")
        [link] = _links(wall, "&workflow=")
        rows = await get_page(datasette, link)

    assert file in page.text
    assert [run["workflow"] for run in runs["runs"]] == [file]
    assert "1 row" in rows.text


def _links(page, part):
    hrefs = [a.attributes.get("href", "") for a in page.all("a")]
    return [href for href in hrefs if part in href]
