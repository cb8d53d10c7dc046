"""`/feed.atom`: the changes of default branches, for feed readers."""

from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
import pytest_asyncio
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from every_tile import mute
from factories import run_payload, times
from job_objects import job_object, save_jobs
from sqlite_utils import Database
from web_client import get_error, serving
from xml_schemas import faults

from ci_observer.ingest.db import schema
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.states import updates
from ci_observer.ingest.store import feeds, repos
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.times import utc

SCHEMA = Path(__file__).with_name("atom.rnc")
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = '<b>bold</b> & "it" ]]>\x01\ufffe'
REPOS = ("api", "web", "nightly", "docs", "muted")
SPACE = "\N{NO-BREAK SPACE}"


def fill(db: Database) -> None:
    """The state of each repository changes in its own way on one day."""
    set_clock(db, NOW - timedelta(days=20))
    watch(db, *((f"acme/{repo}", "ci.yml") for repo in REPOS), now=NOW)
    set_clock(db, NOW)
    with transaction(db):
        mute(db, "acme/muted")
        db.execute(
            "insert into feed_settings (repo, workflow, team)"
            " values ('acme/api', 'ci.yml', 'payments')"
        )
    save(
        db,
        "acme/api",
        run_payload(1, **times("08:00")),
        run_payload(812, conclusion="failure", **times("09:00"), display_title=HOSTILE),
        run_payload(813, conclusion="failure", **times("09:30")),
        run_payload(
            815,
            **times("10:00", 10),
            run_attempt=2,
            triggering_actor={"login": "bob"},
        ),
        run_payload(816, conclusion="failure", event="schedule", **times("12:00")),
        run_payload(817, conclusion="failure", head_branch="fix", **times("13:00")),
    )
    save_jobs(db, 812, job_object(1, f"lint {HOSTILE}", "failure"))
    in_progress = {"status": "in_progress", "conclusion": None}
    save(
        db,
        "acme/web",
        run_payload(21, **times("08:00")),
        run_payload(22, conclusion="cancelled", **times("09:00")),
        run_payload(23, **times("10:00")),
        run_payload(24, **times("11:00"), **in_progress),
    )
    nights = (
        utc(NOW.replace(hour=3) - timedelta(days=day)) for day in range(14, 8, -1)
    )
    save(
        db,
        "acme/nightly",
        *(
            run_payload(
                30 + number,
                event="schedule",
                created_at=night,
                run_started_at=night,
                updated_at=night.replace("03:00", "03:10"),
            )
            for number, night in enumerate(nights)
        ),
    )
    save(db, "acme/docs", run_payload(41, **times("08:00")))
    feeds.save_metadata(
        db,
        "acme/docs",
        default_branch="main",
        workflows={"ci.yml": ("CI", "disabled_manually")},
        now=NOW,
    )
    save(db, "acme/muted", run_payload(51, conclusion="failure", **times("08:00")))


def save(db: Database, repo: str, *payloads: dict[str, Any]) -> None:
    place = {"id": len(repo), "full_name": repo}
    of_repo = {"repository": place, "head_repository": place}
    save_runs(db, *(payload | of_repo for payload in payloads), repo=repo)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("feed") / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        fill(db)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(example: Path) -> AsyncIterator[Datasette]:
    """Datasette on an example that no test writes to."""
    async with serving(example) as datasette:
        yield datasette


async def get_feed(datasette: Datasette, query: str = "", **headers: str) -> Any:
    """The feed as feedparser reads it, without any complaint."""
    response = await datasette.client.get(f"/feed.atom{query}", headers=headers)
    assert response.status_code == 200, response.text
    parsed = feedparser.parse(
        response.content, response_headers={"content-type": "application/atom+xml"}
    )
    assert not parsed.bozo, parsed.get("bozo_exception")
    return parsed


@pytest.mark.asyncio(loop_scope="module")
async def test_a_feed_reader_shows_each_change_newest_first(
    datasette: Datasette,
) -> None:
    parsed = await get_feed(datasette)

    assert [(entry.published[5:16], entry.title) for entry in parsed.entries] == [
        ("03-01T18:00", "acme/docs CI is disabled on main"),
        ("03-01T17:00", "acme/web CI is stuck on main: #24 by ada"),
        ("03-01T12:05", "acme/api CI broke on main: #816"),
        ("03-01T10:10", "acme/api CI fixed on main: #815 attempt 2 by bob, was red"
                        f" 1{SPACE}h 5{SPACE}min"),
        ("03-01T10:05", "acme/web CI passes again on main: #23 by ada"),
        ("03-01T09:05", "acme/api CI broke on main: #812 by ada,"
                        ' job lint <b>bold</b> & "it" ]]> \ufffd'),
        ("03-01T09:05", "acme/web CI is untested on main: #22 by ada"),
        ("02-22T15:00", "acme/nightly CI is overdue on main"),
    ]  # fmt: skip
    assert parsed.feed.title == "CI Observer: changes"
    assert parsed.feed.updated == "2026-03-01T18:00:00Z"
    assert parsed.version == "atom10"


@pytest.mark.asyncio(loop_scope="module")
async def test_texts_of_github_are_text_and_no_html(datasette: Datasette) -> None:
    response = await datasette.client.get(
        "/feed.atom?state=failing&until=2026-03-01T11:00"
    )
    [entry] = ET.fromstring(response.content).iter(f"{ATOM}entry")  # noqa: S314 (our own)

    for name in ("title", "content"):
        found = entry.find(f"{ATOM}{name}")
        assert found is not None
        assert found.attrib["type"] == "text"
        assert '<b>bold</b> & "it" ]]>' in (found.text or "")
    assert response.headers["content-type"] == "application/atom+xml; charset=utf-8"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_document_is_valid(datasette: Datasette, tmp_path: Path) -> None:
    documents = [
        (await datasette.client.get(f"/feed.atom{query}")).content
        for query in ("", "?repo=none", "?q=a%26b&state=stuck")
    ]

    assert faults(SCHEMA, documents, tmp_path) == ""
    for document in documents:
        feed = ET.fromstring(document)  # noqa: S314 (our own)
        # The rules of the schema that need Schematron.
        assert feed.find(f"{ATOM}author") is not None
        ids = [entry.findtext(f"{ATOM}id") for entry in feed.iter(f"{ATOM}entry")]
        assert len({*ids}) == len(ids)


@pytest.mark.asyncio(loop_scope="module")
async def test_links_are_whole_addresses(datasette: Datasette) -> None:
    host = "ci.example:8443"
    parsed = await get_feed(datasette, "?repo=acme/api&limit=1", host=host)
    [entry] = parsed.entries
    overdue = (await get_feed(datasette, "?state=overdue", host=host)).entries[0]

    links = {link.rel: link.href for link in (*parsed.feed.links, *entry.links)}
    assert links == {
        "self": f"http://{host}/feed.atom?repo=acme%2Fapi&limit=1",
        "alternate": f"http://{host}/runs/816",
        "related": "https://github.com/acme/api/actions/runs/816",
    }
    assert parsed.feed.link == f"http://{host}/?repo=acme%2Fapi"
    assert overdue.link.startswith(f"http://{host}/")


@pytest.mark.asyncio(loop_scope="module")
async def test_ids_depend_neither_on_the_host_nor_on_texts(
    datasette: Datasette,
) -> None:
    here = await get_feed(datasette, "?repo=acme/api")
    there = await get_feed(datasette, "?repo=ACME/API", host="ci.example")

    ids = [entry.id for entry in here.entries]
    assert ids == [entry.id for entry in there.entries]
    assert ids[0] == "tag:ci-observer,2026:runs/816/2026-03-01T12:05:00Z/broke"


@pytest.mark.asyncio
async def test_ids_stay_when_a_repository_is_renamed(
    db: Database, db_path: Path
) -> None:
    fill(db)
    for number, repo in enumerate(REPOS, start=1):
        repos.save(db, f"acme/{repo}", Repository(number, f"acme/{repo}"))
    async with serving(db_path) as datasette:
        before = await get_feed(datasette)
        for repo in ("api", "nightly"):
            repos.rename(db, f"acme/{repo}", f"acme/new-{repo}")
        with transaction(db):
            updates.build(db, limit=1000)
        after = await get_feed(datasette)

    assert "acme/new-api CI broke" in str(after.entries)
    assert "acme/new-nightly" in str(after.entries)
    assert {e.id for e in after.entries} == {e.id for e in before.entries}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("?repo=acme/web", ["stuck", "recovered", "untested"]),
        ("?workflow=none.yml", []),
        ("?team=payments&limit=2", ["broke", "fixed"]),
        ("?state=passing", ["fixed", "recovered"]),
        ("?state=overdue&state=disabled", ["disabled", "overdue"]),
        ("?since=2026-03-01T10:06&until=2026-03-01T12:05", ["broke", "fixed"]),
        ("?actor=ada&event=push&conclusion=failure", ["broke"]),
        ("?branch=fix", []),
        ("?q=bold", ["broke"]),
    ],
)
async def test_the_filters_are_those_of_the_wall(
    datasette: Datasette, query: str, kinds: list[str]
) -> None:
    entries = (await get_feed(datasette, query)).entries

    assert [entry.tags[0].term for entry in entries] == kinds


@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_parameter_is_400(datasette: Datasette) -> None:
    status, error = await get_error(datasette, "/feed.atom?at=2026-02-01")

    assert (status, error[:20]) == (400, "Unknown filter 'at'.")


@pytest.mark.asyncio(loop_scope="module")
async def test_an_unchanged_feed_is_304_by_its_time_too(datasette: Datasette) -> None:
    first = await datasette.client.get("/feed.atom")
    at, etag = first.headers["last-modified"], first.headers["etag"]
    statuses = {}
    for name, headers in {
        "etag": {"if-none-match": etag},
        "time": {"if-modified-since": at},
        "earlier": {"if-modified-since": "Sun, 01 Mar 2026 17:59:59 GMT"},
        "other etag": {"if-none-match": '"x"', "if-modified-since": at},
        "junk": {"if-modified-since": "yesterday"},
    }.items():
        response = await datasette.client.get("/feed.atom", headers=headers)
        statuses[name] = response.status_code
        assert response.headers["last-modified"] == at

    assert at == "Sun, 01 Mar 2026 18:00:00 GMT"
    assert statuses == {
        "etag": 304, "time": 304, "earlier": 200, "other etag": 200, "junk": 200
    }  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
async def test_the_wall_names_the_feed_with_its_filters(datasette: Datasette) -> None:
    page = await datasette.client.get("/?repo=acme/api&team=payments&kiosk=1")

    assert (
        '<link rel="alternate" type="application/atom+xml" title="Changes"'
        ' href="/feed.atom?repo=acme%2Fapi&amp;team=payments">'
    ) in page.text


@pytest.mark.asyncio
async def test_a_change_that_is_found_late_is_not_missed(
    db: Database, db_path: Path
) -> None:
    """Its time is before that of the newest one, so the newest time does not tell."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save(db, "acme/api", run_payload(1, conclusion="failure", **times("12:00")))
    async with serving(db_path) as datasette:
        first = await datasette.client.get("/feed.atom")
        known = {"if-modified-since": first.headers["last-modified"]}
        save(db, "acme/web", run_payload(2, conclusion="failure", **times("11:00")))
        late = await datasette.client.get("/feed.atom", headers=known)
        same = await datasette.client.get(
            "/feed.atom", headers={"if-modified-since": late.headers["last-modified"]}
        )
        before, after = (feedparser.parse(r.content) for r in (first, late))

    assert (late.status_code, same.status_code) == (200, 304)
    assert len(after.entries) == len(before.entries) + 1
    assert before.entries[0].id in {entry.id for entry in after.entries}
    assert before.feed.updated == after.feed.updated


@pytest.mark.asyncio
async def test_time_alone_adds_a_change(db: Database, db_path: Path) -> None:
    watch(db, ("acme/api", "ci.yml"))
    active = {"status": "in_progress", "conclusion": None}
    save(
        db,
        "acme/api",
        run_payload(1, **times("15:00")),
        run_payload(2, **times("16:00"), **active),
    )
    async with serving(db_path) as datasette:
        before = await get_feed(datasette)
        set_clock(db, NOW.replace(hour=22, minute=30))
        after = await get_feed(datasette)

    assert before.entries == []
    [entry] = after.entries
    assert (entry.tags[0].term, entry.updated) == ("stuck", "2026-03-01T22:00:00Z")


@pytest.mark.asyncio
async def test_links_stay_below_the_prefix_of_a_proxy(example: Path) -> None:
    async with serving(example, base_url="/ci/") as datasette:
        parsed = await get_feed(datasette, "?repo=acme/api&limit=1")
        page = await datasette.client.get("/?repo=acme/api")
        monitors = await datasette.client.get("/cctray.xml?repo=acme/api")

    [entry] = parsed.entries
    assert entry.link == "http://localhost/ci/runs/816"
    assert parsed.feed.link == "http://localhost/ci/?repo=acme%2Fapi"
    assert 'href="/ci/feed.atom?repo=acme%2Fapi"' in page.text
    assert 'webUrl="http://localhost/ci/workflows/acme/api/ci.yml"' in monitors.text
