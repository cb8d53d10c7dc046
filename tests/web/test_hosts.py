"""`CI_OBSERVER_ALLOWED_HOSTS`: the names that a request may use for this server."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlite_utils import Database
from web_client import serving

from ci_observer.ingest.cli import main
from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import ConfigError
from ci_observer.web import server
from ci_observer.web.hosts import LOOPBACK, AllowedHosts
from ci_observer.web.settings import WebSettings

LISTED = (
    *("ci.example.com", "*.Teams.example.com.", "10.0.0.5", "192.168.0.0/16"),
    *("[2001:db8::1]", "bücher.example"),
)


def status_of(patterns: tuple[str, ...], *hosts: bytes) -> int:
    problem = AllowedHosts(patterns).problem(hosts)
    return problem[0] if problem else 200


@pytest.mark.parametrize(
    "host",
    [
        *("ci.example.com", "CI.Example.COM", "ci.example.com.", "ci.example.com:8089"),
        *("ci.example.com.:443", "ci.example.com:", "a.teams.example.com"),
        *("a.b.teams.example.com:80", "10.0.0.5", "10.0.0.5:8089", "192.168.7.7"),
        *("[2001:db8::1]", "[2001:DB8:0:0::1]:8089", "[2001:db8::1%25eth0]"),
        "xn--bcher-kva.example",
    ],
)
def test_a_listed_host_is_accepted(host: str) -> None:
    assert status_of(LISTED, host.encode()) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "ci.example.com.evil.example", "xci.example.com"),
        *("teams.example.com", "evilteams.example.com", "localhost", "127.0.0.1"),
        *("10.0.0.50", "10.0.0.5.nip.io", "[2001:db8::2]", "ci.example.com..", "*"),
    ],
)
def test_another_host_is_refused(host: str) -> None:
    assert status_of(LISTED, host.encode()) == 421


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [b""],
        [b"ci.example.com", b"ci.example.com"],
        [b"ci.example.com, evil.example"],
        [b"user@ci.example.com"],
        [b"ci.example.com/path"],
        [b"ci.example.com:80:80"],
        [b"ci.example.com:port"],
        [b"[::1"],
        [b"2001:db8::1"],
        [b"[ci.example.com]"],
        [b"ci.example.com\n"],
    ],
)
def test_a_header_without_one_host_is_400(hosts: list[bytes]) -> None:
    assert status_of(LISTED, *hosts) == 400


def test_long_names_are_refused_and_not_remembered() -> None:
    allowed = AllowedHosts(LISTED)
    problem = allowed.problem((b"a" * 60_000,))

    assert problem is not None
    assert problem[0] == 400
    assert allowed._known_problem.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((name, 200) for name in ("localhost", "LOCALHOST:8089", "ci.localhost")),
        *((name, 200) for name in ("127.0.0.1", "127.0.0.2:80", "[::1]:8089")),
        *((name, 421) for name in ("evil.example", "localhost.evil.example", "[::2]")),
        *((name, 421) for name in ("10.0.0.1", "128.0.0.1", "2130706433")),
    ],
)
def test_a_server_for_its_own_machine_has_loopback_names(
    host: str, status: int
) -> None:
    assert status_of(LOOPBACK, host.encode()) == status


@pytest.mark.asyncio
async def test_only_health_is_open_under_any_name(db_path: Path, db: Database) -> None:
    web = WebSettings(allowed_hosts=("ci.example.com",))
    async with serving(db_path, web=web) as datasette:
        get = datasette.client.get
        rebound = {
            path: (await get(path, headers={"Host": "evil.example"})).status_code
            for path in (
                "/",
                "/api/wall",
                "/api/health",
                "/login",
                "/-/",
                "/ci_observer",
            )
        }
        api = await get("/api/wall", headers={"Host": "evil.example:8089"})
        page = await get("/", headers={"Host": "evil.example"})
        own = await get("/", headers={"Host": "ci.example.com:8089"})

    assert set(rebound.values()) - {rebound["/api/health"]} == {421}
    assert rebound["/api/health"] in (200, 503)
    assert own.status_code == 200
    assert api.json()["status"] == 421
    for text in (api.json()["error"], page.text):
        assert "does not serve evil.example." in text
        assert "CI_OBSERVER_ALLOWED_HOSTS" in text
    assert page.headers["content-type"].startswith("text/plain")


@pytest.mark.asyncio
@pytest.mark.parametrize("patterns", [(), ("*",), ("ci.example.com", "*")])
async def test_any_name_is_accepted_by_default(
    db_path: Path, db: Database, patterns: tuple[str, ...]
) -> None:
    async with serving(db_path, web=WebSettings(allowed_hosts=patterns)) as datasette:
        response = await datasette.client.get("/", headers={"Host": "any.example"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, LOOPBACK),
        ({"CI_OBSERVER_HOST": "localhost"}, LOOPBACK),
        ({"CI_OBSERVER_HOST": "::1"}, LOOPBACK),
        ({"CI_OBSERVER_HOST": "0.0.0.0"}, ()),  # noqa: S104 (not bound)
        ({"CI_OBSERVER_HOST": "::"}, ()),
        ({"CI_OBSERVER_HOST": "10.0.0.5"}, ()),
        ({"CI_OBSERVER_ALLOWED_HOSTS": "ci.example.com"}, ("ci.example.com",)),
        ({"CI_OBSERVER_ALLOWED_HOSTS": "*"}, ("*",)),
    ],
)
def test_the_default_depends_on_the_address_of_the_server(
    db_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    expected: tuple[str, ...],
) -> None:
    built: list[WebSettings] = []

    def build(_path: Path, *, root: Path, web: WebSettings) -> None:
        built.append(web)

    monkeypatch.setattr(server, "build_datasette", build)
    monkeypatch.setattr(server, "serve", lambda *_: 0)
    monkeypatch.setattr(
        "ci_observer.ingest.commands.ports.refuse_busy_port", lambda *_: None
    )
    CliRunner().invoke(main, ["serve"], env={"CI_OBSERVER_DB": str(db_path)} | environ)

    assert [web.allowed_hosts for web in built] == [expected]


@pytest.mark.parametrize("host", [*LISTED, "*", "localhost", "my_host", "::1"])
def test_names_and_addresses_are_valid_settings(host: str) -> None:
    hosts = Config.from_environ({"CI_OBSERVER_ALLOWED_HOSTS": host}).allowed_hosts

    assert hosts == (host,)


@pytest.mark.parametrize(
    "host",
    [
        *("https://ci.example.com", "ci.example.com:8089", "ci.example.com/ci"),
        *("*example.com", "a.*.example.com", "a b", "user@host", "[::1]:80", "a..b"),
        "10.0.0.5/8",
    ],
)
def test_anything_else_stops_the_start(host: str) -> None:
    with pytest.raises(ConfigError, match=r"CI_OBSERVER_ALLOWED_HOSTS: .*without"):
        Config.from_environ({"CI_OBSERVER_ALLOWED_HOSTS": f"ci.example.com,{host}"})
