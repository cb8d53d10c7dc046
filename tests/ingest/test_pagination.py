"""Lists without a `Link` header, as a proxy may send them, are read to their end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import respx
from httpx import Request, Response
from polling import FILE, REPO, add_runs, run_ids

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.feeds.owners import fetch_owner
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.pagination import next_page_url
from ci_observer.ingest.github.transport import open_http
from ci_observer.ingest.store import feeds

pytestmark = pytest.mark.usefixtures("no_waiting")

API = "https://ghes.example/api/v3"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def call(work: Callable[[GitHub], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with open_http("test") as http:
            connection = Connection(http, api_url=API, token=None, clock=lambda: NOW)
            return await work(GitHub(connection))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("query", "items", "total", "following"),
    [
        ("per_page=30", 30, 31, "per_page=30&page=2"),
        ("per_page=30", 30, 30, None),
        ("per_page=100&page=3", 100, 301, "per_page=100&page=4"),
        ("per_page=100&page=3", 99, 299, None),
        # Without GitHub's count, a page that is not full is the last one.
        ("per_page=100", 100, None, "per_page=100&page=2"),
        ("per_page=100", 99, None, None),
        ("per_page=100&page=2", 0, None, None),
        # The server allows pages of 30 only.
        ("per_page=100", 30, 250, "per_page=30&page=2"),
        ("per_page=100&page=2", 0, 250, None),
        # Other parameters stay.
        ("filter=latest&per_page=30", 30, 40, "filter=latest&per_page=30&page=2"),
        ("per_page=9&created=a%3Ab..c", 9, 10, "per_page=9&created=a%3Ab..c&page=2"),
        ("", 30, 31, "per_page=30&page=2"),
        ("per_page=x&page=99999999999999", 30, 31, "per_page=30&page=2"),
    ],
)
def test_the_next_page_is_known_by_the_counts(query, items, total, following):
    url = f"{API}/repos/acme/api/actions/runs"
    found = next_page_url(f"{url}?{query}", items=items, total=total)

    assert found == (following and f"{url}?{following}")


def test_an_empty_first_page_with_a_count_is_invalid():
    with pytest.raises(InvalidResponse, match="counts 3"):
        next_page_url(f"{API}/x?per_page=30", items=0, total=3)


def test_an_empty_page_of_a_filtered_list_is_not_invalid():
    """GitHub's search index lags behind its count."""
    url = f"{API}/x?per_page=30&created=a..b"

    assert next_page_url(url, items=0, total=3) is None


def paged(key, items, *, size=100, total=None, ignores_page=False):
    """A list without links, in pages of at most `size` items."""

    def respond(request: Request) -> Response:
        query = request.url.params
        length = min(size, int(query["per_page"]))
        page = 1 if ignores_page else int(query.get("page", 1))
        found = items[(page - 1) * length : page * length]
        body = {"total_count": len(items) if total is None else total, key: found}
        return Response(200, json=body if key else found)

    return respond


@pytest.mark.parametrize("size", [7, 100])
@respx.mock
def test_jobs_are_read_from_all_pages(size):
    jobs = [{"id": n} for n in range(1, 76)]
    respx.get(f"{API}/repos/acme/api/actions/runs/7/jobs").mock(
        side_effect=paged("jobs", jobs, size=size)
    )

    assert call(lambda github: github.fetch_jobs("acme/api", 7)) == jobs


@pytest.mark.parametrize("size", [40, 100])
@respx.mock
def test_workflows_are_read_from_all_pages(size):
    workflows = [{"id": n} for n in range(150)]
    respx.get(f"{API}/repos/acme/api/actions/workflows").mock(
        side_effect=paged("workflows", workflows, size=size)
    )

    found = call(lambda github: github.fetch_workflows("acme/api"))

    assert found.value == workflows


@pytest.mark.parametrize("ignores_page", [False, True])
@respx.mock
def test_fewer_jobs_and_workflows_than_counted_are_an_error(ignores_page):
    """Also where the server sends its first page again and again."""
    items = [{"id": n} for n in range(30)]
    for path, key in (("runs/7/jobs", "jobs"), ("workflows", "workflows")):
        respx.get(f"{API}/repos/acme/api/actions/{path}").mock(
            side_effect=paged(key, items, total=10**9, ignores_page=ignores_page)
        )

    with pytest.raises(InvalidResponse, match="counts 1000000000 items and lists 30"):
        call(lambda github: github.fetch_jobs("acme/api", 7))
    with pytest.raises(InvalidResponse, match="counts 1000000000 items and lists 30"):
        call(lambda github: github.fetch_workflows("acme/api"))


@pytest.fixture
def without_links(github):
    """A GitHub behind a proxy that drops the header `Link`."""
    respond = github.github.api.respond

    def unlinked(request, viewer):
        response = respond(request, viewer)
        response.headers.pop("link", None)
        return response

    github.github.api.respond = unlinked
    return github


def test_all_history_is_fetched(world, without_links, ingest, db):
    add_runs(world, 250)

    ingest.poll()

    assert len(run_ids(db)) == 250


def test_all_history_of_a_repository_with_a_gap_is_fetched(
    world, without_links, ingest, db
):
    files = ("ci.yml", "deploy.yml")
    for file in files:
        add_runs(world, 3, file=file)
    ingest.restart(workflows=files)
    ingest.poll()
    for n in range(300):
        without_links.advance(1)
        world.add_run(REPO, files[n % 2], duration=0)

    ingest.poll()

    assert len(run_ids(db)) == 306


def test_every_workflow_and_every_repository_is_watched(
    world, without_links, ingest, db
):
    born = world.now - timedelta(days=1)
    for n in range(101):
        world.add_workflow("acme/api", f"{n}.yml", created_at=born)
        world.add_workflow(f"acme/service-{n}", "ci.yml", created_at=born)
    ingest.restart(repos=("acme/*",), workflows=("*",))

    ingest.poll(backfill_deadline=without_links.clock())

    watched = {(feed.repo, feed.workflow) for feed in feeds.watched(db)}
    assert len(watched) == 202


def test_a_failed_job_on_the_second_page_is_found(world, without_links, ingest, db):
    run = world.add_run(REPO, FILE, conclusion="failure")
    jobs = [job(run, n, "success") for n in range(40)]
    world.set_jobs(run, [*jobs, job(run, 40, "failure")])

    ingest.poll()

    assert db.execute("select failed_job from wall").fetchall() == [("job 40",)]


def job(run, n, conclusion):
    return {
        "id": n + 1,
        "run_id": run.id,
        "run_attempt": 1,
        "name": f"job {n}",
        "status": "completed",
        "conclusion": conclusion,
        "started_at": "2026-03-02T09:00:00Z",
        "completed_at": "2026-03-02T09:00:30Z",
        "steps": [],
    }


@respx.mock
def test_an_owner_s_page_that_is_sent_again_is_an_error(world):
    items = [{"id": n, "full_name": f"acme/s{n}"} for n in range(1, 101)]
    route = respx.get(f"{API}/orgs/acme/repos").mock(
        side_effect=paged("", items, ignores_page=True)
    )

    with pytest.raises(InvalidResponse, match="same repositories"):
        call(lambda github: fetch_owner(github, "acme"))
    assert len(route.calls) == 2
    assert json.loads(route.calls.last.response.content) == items
