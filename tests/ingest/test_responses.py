"""Cached responses: their keys, and what renames and upgrades do to them."""

from typing import get_args

import pytest

from ci_observer.ingest.db import schema
from ci_observer.ingest.store import repos, responses
from ci_observer.ingest.store.responses import CachedResponse, Kind, ResponseKey

API = "https://api.github.com"
RUNS_PATH = "/repos/acme/api/actions/runs?per_page=50"
LIST_PATH = "/orgs/acme/repos?per_page=100"


def kinds(db, repo):
    rows = db.execute("select kind from responses where repo = ?", [repo])
    return {kind for (kind,) in rows}


def test_a_response_comes_back_as_it_was_saved(db):
    page = CachedResponse(
        ResponseKey("runs", "acme/api", RUNS_PATH),
        'W/"1"',
        f"{RUNS_PATH}&page=2",
        "2026-03-01T00:00:00Z",
        "2026-03-02T00:00:00Z",
        is_last=True,
    )

    responses.save(db, page)

    assert responses.get_cached(db, page.key) == page


def test_a_later_response_replaces_the_earlier_one(db):
    key = ResponseKey("workflows", "acme/api")
    responses.save(db, CachedResponse(key, 'W/"1"'))

    responses.save(db, CachedResponse(key, 'W/"2"'))

    assert responses.get_cached(db, ResponseKey("workflows", "Acme/API")) == (
        CachedResponse(ResponseKey("workflows", "Acme/API"), 'W/"2"')
    )


def test_responses_of_other_kinds_and_urls_are_apart(db):
    responses.save(db, CachedResponse(ResponseKey("runs", "acme/api", RUNS_PATH), "1"))

    for key in (
        ResponseKey("runs_in_progress", "acme/api", RUNS_PATH),
        ResponseKey("runs", "acme/web", RUNS_PATH),
        ResponseKey("runs", "acme/api", f"{RUNS_PATH}&page=2"),
    ):
        assert responses.get_cached(db, key) is None


def test_a_rename_deletes_every_kind_of_response_of_the_former_name(db):
    for repo in ("acme/api", "acme/web"):
        for kind in get_args(Kind):
            responses.save(db, CachedResponse(ResponseKey(kind, repo, RUNS_PATH), "1"))

    repos.rename(db, "acme/api", "acme/core")

    assert kinds(db, "acme/api") == kinds(db, "acme/core") == set()
    assert kinds(db, "acme/web") == set(get_args(Kind))


def test_an_upgrade_keeps_the_responses_whose_repository_is_known(db_path):
    db = schema.connect(db_path)
    schema.migrations.apply(db, stop_before="m090_responses")
    by_id = f"{API}/repositories/7/actions/runs?per_page=100&page=2"
    former = {
        "acme/api repository": None,
        "acme/api workflows": None,
        "acme/api in progress": None,
        "acme/api newest run of ci.yml": "2026-03-01T00:00:00Z",
        f"acme/* {API}{LIST_PATH}": None,
        f"{API}{RUNS_PATH}": "2026-03-02T00:00:00Z",
        by_id: "2026-03-03T00:00:00Z",
    }
    db["etags"].insert_all(
        {"url": url, "etag": f'"{number}"', "newest_at": at}
        for number, (url, at) in enumerate(former.items())
    )
    db["repos"].insert({"repo": "acme/api", "listed_on": f"acme/* {API}{LIST_PATH}"})

    # Later migrations drop some of these responses for another reason.
    schema.migrations.apply(db, stop_before="m150_pages_of_repositories")

    columns = "kind, repo, url, etag, newest_at"
    stored = db.execute(f"select {columns} from responses order by kind").fetchall()  # noqa: S608
    listed = db["repos"].get("acme/api")["listed_in"]
    db.close()
    assert stored == [
        ("repositories", "acme/*", LIST_PATH, '"4"', None),
        ("repository", "acme/api", "", '"0"', None),
        ("runs", "acme/api", RUNS_PATH, '"5"', "2026-03-02T00:00:00Z"),
        ("workflows", "acme/api", "", '"1"', None),
    ]
    assert listed == LIST_PATH


@pytest.mark.parametrize(
    "base",
    ["https://api.github.com", "https://ghes.example:8443/api/v3", "http://10.0.0.7/x"],
)
def test_an_upgrade_stores_paths_instead_of_addresses(db_path, base):
    db = schema.connect(db_path)
    schema.migrations.apply(db, stop_before="m136_paths")
    runs = "/repos/acme/api/actions/runs?per_page=50"
    more = "/repositories/7/actions/runs?per_page=50&page=2"
    orgs = "/organizations/3/repos?page=2"
    elsewhere = "https://elsewhere.example/page/2"
    db["responses"].insert_all(
        [
            page("runs", f"{base}{runs}", f"{base}{more}"),
            page("runs", f"{base}{more}", None),
            page("runs", elsewhere, None),
            page("runs", f"{base}{more}&x", elsewhere),
            page("repositories", f"{base}/user/repos?page=1", f"{base}{orgs}"),
            page("workflows", "", None),
        ]
    )
    key = {"repo": "acme/api", "windows_given_up": 0, "incomplete_responses": 0}
    db["feed_backfills"].insert_all(
        [
            key | {"workflow": "ci.yml", "next_url": f"{base}{more}"},
            key | {"workflow": "odd.yml", "next_url": elsewhere},
        ]
    )
    db["repos"].insert({"repo": "acme/api", "listed_in": f"{base}/users/acme/repos?x"})

    # Later migrations drop some of these responses for another reason.
    schema.migrations.apply(db, stop_before="m150_pages_of_repositories")

    stored = db.execute("select url, next_url from responses order by url").fetchall()
    next_urls = db.execute("select next_url from feed_backfills order by workflow")
    listed = db["repos"].get("acme/api")["listed_in"]
    assert stored == [
        ("", None),
        (runs, more),
        (more, None),
        ("/user/repos?page=1", orgs),
    ]
    assert next_urls.fetchall() == [(more,), (None,)]
    assert listed == "/users/acme/repos?x"
    db.close()


def page(kind: str, url: str, next_url: str | None) -> dict[str, str | None]:
    row = {"kind": kind, "repo": "acme/api", "url": url, "etag": '"1"'}
    return row | {"next_url": next_url}
