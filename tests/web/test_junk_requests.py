"""Every request gets a response below 500, and leaves no traceback.

Every route with every method, broken headers and bodies, and all parameters that
Datasette and its plugins read, with values that they do not expect.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from datasette.utils.asgi import Request
from factories import run_payload, times
from sqlite_utils import Database
from web_client import serving

from ci_observer.web.guard import MAX_BODY, Refused, refusal_of
from ci_observer.web.settings import WebSettings

METHODS = (
    *("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"),
    *("TRACE", "CONNECT", "PROPFIND", "get"),
)
OURS = """
/ /login /logout /runs /runs/1 /runs/-1 /workflows/acme/api/ci.yml /workflows/a/b/c
/workflows/acme/api/ci.yml/jobs /workflows/a/b/c/jobs /api /api/runs
/muted /s/none /s/%ff /summary /summary.md /api/summary /cctray.xml /metrics /llms.txt
/badge/acme/api/ci.yml.svg /badge/a/b/%ff.svg /badge/a /feed.atom
/static/joined/wall-x.0.js /static/joined/none
/commits/acme/api /commits/acme/api/ /commits/a/b /commits/a/b/c /commits/acme/api/%ff
/api/openapi.json
/api/runs/1 /api/runs/-1 /api/runs/%ff /api/attempts /api/jobs /api/stats
/api/runs.csv /api/runs.ndjson /api/runs.parquet /api/jobs.csv /api/stats.ndjson
/api/wall /api/config /api/health /api/filters /api/none
/favicon.ico /static/wall/wall.css /static/none /static/ /static/%00
/static/%2e%2e/%2e%2e/etc/passwd
"""
DATASETTES = """
/ci_observer /ci_observer.json /ci_observer.csv /ci_observer.jsono /ci_observer.blob
/ci_observer.db /ci_observer.json0 /ci_observer.txt /ci_observer/runs
/ci_observer/runs.json /ci_observer/runs.csv /ci_observer/runs.jsono
/ci_observer/runs.blob /ci_observer/runs.json0 /ci_observer/runs.db
/ci_observer/wall.json /ci_observer/odd.json /ci_observer/none /ci_observer/none.json
/ci_observer/main_status /ci_observer/main_status.json /ci_observer/main_status.csv
/ci_observer/runs/1 /ci_observer/runs/1.json /ci_observer/runs/1.csv
/ci_observer/runs/1.blob /ci_observer/runs/x /ci_observer/runs/1,2 /ci_observer/runs/
/ci_observer/runs/99999999999999999999 /ci_observer/run_attempts/1
/ci_observer/run_attempts/1,1,1.json /ci_observer/wall/1 /ci_observer/odd/x~20y.blob
/none /none.json /none.db /none/none /none/none/1 /_memory /:memory: /a.b.c /-/
/-/.json /-/metadata /-/metadata.json /-/versions /-/plugins.json /-/settings
/-/config /-/config.json /-/threads /-/databases /-/actor.json /-/auth-token
/-/auth-token?token=x /-/logout /-/permissions /-/messages /-/allow-debug /-/patterns
/-/allow-debug?actor={&allow=[ /-/none /-/mcp /-/dashboards /-/dashboards/none
/-/dashboards/none/none /-/dashboards/SLUG /-/dashboards/SLUG/embed
/-/dashboards/SLUG/none /-/dashboards/SLUG/CHART /-/dashboards/SLUG/CHART/embed
/-/dashboards/SLUG/CHART.json
/-/static/app.css /-/static/none /-/static/%00
/-/static-plugins/datasette_dashboards/x /-/static-plugins/datasette-dashboards/x
/-/static-plugins/datasette-leaflet/%00 /-/static-plugins/datasette_leaflet/x
"""
# Paths that no client should send.
ODD = """
/%00 /%ff /%zz /% /~ /~zz /~00 //x /ci_observer/~00 /ci_observer/~ff /ci_observer/~E0
/ci_observer/runs/~00 /ci_observer/runs/~zz.json /ci_observer// /ci%5fobserver
/ci_observer/runs.json.csv * /%2e%2e/ /\\ /ci_observer/runs/%ED%A0%80
"""
# Those that read parameters.
READERS = """
/ /runs /commits/acme/api /muted /s/none /api/runs /api/runs.csv /api/wall
/api/attempts /api/jobs /api/stats /api/runs/1
/summary /summary.md /api/summary /cctray.xml /metrics
/badge/acme/api/ci.yml.svg /feed.atom /ci_observer.json /ci_observer/runs
/ci_observer/runs.json /ci_observer/runs.csv /ci_observer/wall.json
/ci_observer/runs/1.json /ci_observer/odd/x~20y.blob /-/dashboards/ci-observer
"""
PARAMETERS = """
_sort _sort_desc _sort_by_desc _facet _facet_date _facet_array _facet_size _size _next
_search _search_display_title _searchmode _where _col _nocol _through _shape _nl
_trace _ttl _extra _labels _label _json _json_infinity _stream _dl _header _nocount
_nofacet _nosuggest _timelimit _blob_column _blob_hash _filter_column _filter_op
_filter_value _filter_column_1 _hide_sql sql p0 repo repo__in run_id__in repo__glob
run_id__gt repo__foo repo__arraycontains repo__date repo__isnull repo__isblank
rowid__exact actor allow limit cursor since until q state branch before raw theme hide
at days team compare job default_branch formulas
"""
VALUES = (
    *("", "junk", "1", "-1", "0", "on", "off", "99999999999999999999", "1.5", "nan"),
    *("[", "{", "{}", "[]", '{"table":"jobs","column":"x","value":"y"}', '{"table":1}'),
    *('["x"]', '"x"', "a,b", "a,b,c", "$null", ",", "%00", "%ff", "%zz", "~00", "~zz"),
    *("'", '"', "\\", "*", "null", "x" * 200, "array", "object", "arrays", "max"),
    *("repo", "run_id", "select 1", "select", "é", "%F0%9F%92%A9", "%ED%A0%80"),
)
# Headers and a body, each broken in its own way.
FORM = (b"content-type", b"application/x-www-form-urlencoded")
MULTIPART = (b"content-type", b"multipart/form-data")
WITH_BOUNDARY = (b"content-type", b"multipart/form-data; boundary=x")
COOKIE = (b"cookie", b"a=b")
BROKEN_POSTS: tuple[tuple[list[tuple[bytes, bytes]], bytes], ...] = (
    ([], b"\xff=\xff"),
    ([(b"x-csrftoken", b"\xc3\xa9")], b"a=b"),
    ([COOKIE], b"a=b"),
    ([COOKIE, FORM], b"\xff=\xff"),
    ([COOKIE, MULTIPART], b"junk"),
    ([COOKIE, WITH_BOUNDARY], b"junk"),
    ([COOKIE, (b"authorization", b"Bearer x")], b"\xff=\xff"),
)
BROKEN_HEADERS = (
    *((b"cookie", b"path=x"), (b"cookie", b"a;b=c;=;\xff=\xff")),
    *((b"cookie", b"ds_actor=x;ds_messages=y;ds_csrftoken=z"), (b"host", b"[::1")),
    *((b"cookie", b'ds_actor=.; ds_messages="\\377"; max-age'), (b"host", b"\xff\xfe")),
    *((b"authorization", b"Basic \xff"), (b"if-none-match", b"\xff"), (b"accept", b"")),
)
# uvicorn refuses to send what RFC 9110 forbids in the value of a header.
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


# Datasette leaves one when it fails between making and awaiting it.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


@dataclass(frozen=True)
class Reply:
    """The response to one request, and the log of it."""

    status: int
    headers: dict[str, str]
    body: bytes
    log: str


class Client:
    """Sends requests that no HTTP library would send."""

    def __init__(
        self, datasette: Datasette, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.app = datasette.app()
        self._capsys = capsys

    async def send(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> Reply:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        incoming: list[dict[str, Any]] = [{"type": "http.request", "body": body}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not incoming:
                # Until the client leaves.
                await asyncio.Event().wait()
            return incoming.pop()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, *bodies = sent
        assert not [value for _, value in start["headers"] if CONTROL.search(value)]
        return Reply(
            start["status"],
            {
                name.decode(): value.decode("latin-1")
                for name, value in start["headers"]
            },
            b"".join(message.get("body", b"") for message in bodies),
            "".join(self._capsys.readouterr()),
        )


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, *(run_payload(n, **times(f"10:{n:02}")) for n in range(1, 6)))
    with db.atomic():
        db.execute("create table odd ([a b] text primary key, [c/d] blob)")
        db.execute("insert into odd values ('x y', x'00ff')")
    async with serving(db_path) as datasette:
        yield datasette


@pytest.fixture
def client(datasette: Datasette, capsys: pytest.CaptureFixture[str]) -> Client:
    return Client(datasette, capsys)


def routes(datasette: Datasette) -> list[str]:
    config = datasette.plugin_config("datasette-dashboards")
    slug = next(iter(config))
    chart = next(iter(config[slug]["charts"]))
    return [
        route.replace("SLUG", slug).replace("CHART", chart)
        for route in (OURS + DATASETTES).split()
    ]


async def faults(
    client: Client, requests: Iterable[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """The requests that get a 5xx or an exception, or leave a traceback."""
    found = []
    for request in requests:
        try:
            reply = await client.send(*request)
        except Exception as error:  # noqa: BLE001 (the list shows which)
            found.append((*request, repr(error)))
            continue
        if reply.status >= 500 or "Traceback" in reply.log:
            found.append((*request, reply.status, reply.log[-300:]))
    return found


def test_every_route_is_in_these_tests(datasette: Datasette) -> None:
    paths = [route.partition("?")[0] for route in routes(datasette)]
    patterns = [pattern for pattern, _ in datasette._routes()]

    missing = [
        pattern
        for pattern in patterns
        if not any(re.match(pattern, unquote(path)) for path in paths)
    ]

    assert missing == []


@pytest.mark.long
@pytest.mark.asyncio
async def test_every_route_handles_every_method(
    datasette: Datasette, client: Client
) -> None:
    requests = [
        (method, route)
        for route in (*routes(datasette), *ODD.split())
        for method in METHODS
    ]

    assert await faults(client, requests) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "route",
    [
        *("/", "/runs", "/api/runs", "/api/runs.csv", "/static/wall/wall.css"),
        *("/ci_observer", "/ci_observer/runs", "/ci_observer/runs/1", "/-/versions"),
        *(
            "/ci_observer/main_status",
            "/-/dashboards/ci-observer",
            "/-/",
            "/favicon.ico",
        ),
    ],
)
async def test_a_page_that_only_reads_says_which_methods_it_has(
    client: Client, route: str
) -> None:
    for method in METHODS[3:]:
        reply = await client.send(method, route, body=b"a=b")
        assert reply.status == 405
        assert reply.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert "content-security-policy" in reply.headers
    options = await client.send("OPTIONS", route)

    assert (options.status, options.body) == (204, b"")
    assert options.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.asyncio
@pytest.mark.parametrize("route", ["/-/logout", "/-/messages", "/-/permissions"])
async def test_datasette_s_forms_can_be_posted(client: Client, route: str) -> None:
    posted = await client.send("POST", route, body=b"message=x")
    put = await client.send("PUT", route)

    assert posted.status in (302, 403)
    assert (put.status, put.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/ci_observer/runs.json", "/api/runs"])
async def test_routes_of_json_refuse_with_json(client: Client, path: str) -> None:
    reply = await client.send("POST", path)

    error = json.loads(reply.body)
    assert (error["ok"], error["status"]) == (False, 405)


def broken_requests(*routes: str) -> list[tuple[Any, ...]]:
    return [
        *(("POST", route, *post) for route in routes for post in BROKEN_POSTS),
        *(("GET", route, [header]) for route in routes for header in BROKEN_HEADERS),
    ]


@pytest.mark.long
@pytest.mark.asyncio
async def test_broken_headers_and_bodies_are_refused(client: Client) -> None:
    requests = broken_requests(
        *("/", "/runs", "/api/runs", "/ci_observer", "/-/logout", "/none/none")
    )

    assert await faults(client, requests) == []


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_login_refuses_broken_headers_and_bodies(
    db_path: Path, db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    web = WebSettings(access_token="secret-of-16-letters")  # noqa: S106 (of this test)
    async with serving(db_path, web=web) as datasette:
        client = Client(datasette, capsys)
        requests = broken_requests(
            "/", "/login", "/logout", "/api/runs", "/ci_observer"
        )

        assert await faults(client, requests) == []


@pytest.mark.long
@pytest.mark.asyncio
async def test_every_parameter_takes_every_kind_of_value(client: Client) -> None:
    requests = [("GET", target) for target in targets()]

    assert await faults(client, requests) == []


def targets() -> Iterator[str]:
    """Each parameter at each route, with two values in turn, and two together."""
    number, names = 0, PARAMETERS.split()
    for route in READERS.split():
        for index, name in enumerate(names):
            value = VALUES[number % len(VALUES)]
            other = names[(index + 7 * number) % len(names)]
            yield f"{route}?{name}={value}&{other}={VALUES[-number % len(VALUES)]}"
            number += 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/ci_observer/runs.json?_sort=junk", "Cannot sort table by junk"),
        ("/ci_observer/runs.json?_sort=repo&_sort_desc=repo", "Cannot use _sort and"),
        ("/ci_observer/wall.json?_next=junk", "cannot be understood"),
        ("/ci_observer/run_attempts/1.json", "The query cannot be run"),
    ],
)
async def test_a_wrong_parameter_is_400_and_named(
    client: Client, target: str, message: str
) -> None:
    reply = await client.send("GET", target)

    error = json.loads(reply.body)
    assert (error["ok"], error["status"], reply.status) == (False, 400, 400)
    assert message in error["error"]


@pytest.mark.asyncio
async def test_a_large_body_is_413(client: Client) -> None:
    reply = await client.send("POST", "/-/logout", body=b"x" * (MAX_BODY + 1))

    assert reply.status == 413
    assert str(MAX_BODY) in reply.body.decode()


@pytest.mark.asyncio
async def test_a_visitor_who_leaves_in_the_middle_leaves_no_trace(
    datasette: Datasette, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b"a", "more_body": True},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop()

    async def send(_: dict[str, Any]) -> None:
        pytest.fail("the visitor has left")

    scope = Request.fake("/-/logout", method="POST").scope | {"headers": []}
    await datasette.app()(scope, receive, send)

    assert capsys.readouterr() == ("", "")


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/ci_observer", "/ci_observer/runs.json", "/-/"])
async def test_datasette_s_pages_are_503_without_a_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    async with serving(tmp_path / "none.db") as datasette:
        response = await datasette.client.get(path)

    assert response.status_code == 503
    assert "none.db" in response.text
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_a_fault_of_our_own_stays_a_fault(datasette: Datasette) -> None:
    with pytest.raises(ValueError, match="junk") as fault:
        int("junk")

    assert refusal_of(fault.value, datasette) is None


def test_a_fault_of_datasette_is_the_request_s(datasette: Datasette) -> None:
    from datasette.utils import urlsafe_components  # noqa: PLC0415

    with pytest.raises(AttributeError) as fault:
        urlsafe_components(None)

    refusal = refusal_of(fault.value, datasette)
    assert isinstance(refusal, Refused)
    assert refusal.status == 400
