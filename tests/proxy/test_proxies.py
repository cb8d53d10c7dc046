"""The example files of contrib/proxy: nginx and Caddy in front of the real server."""

import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from archive import save_poll_of_now
from click.testing import CliRunner
from crawler import Crawl
from processes import environ_with, serving
from proxies import ALL, Certificate, Proxy
from waiting import HANG_SECONDS

from ci_observer.ingest.cli import main
from ci_observer.ingest.db import schema

PREFIXED = [example for example in ALL if "prefix" in example]
TLS = [example for example in ALL if "tls" in example]
MISSING = ("nothing/here", "workflows/no/such/ci.yml", "api/nothing")
# No page links to them, or only a script does.
UNLINKED = (
    "api/config",
    "api/runs.csv",
    "api/runs.ndjson",
    "api/wall",
    "favicon.ico",
    "-/dashboards/ci-observer/embed",
)

CHECK = Path(__file__).parents[2] / "container" / "healthcheck.py"

Start = Callable[..., Proxy]


@pytest.fixture(scope="module", autouse=True)
def _poll_of_now(database: Path) -> None:
    """As `smoke` needs it."""
    with closing(schema.connect(database)) as db:
        save_poll_of_now(db, repos=("acme/api", "acme/web"), now=datetime.now(UTC))


@pytest.fixture(scope="module")
def http(certificate: Certificate) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=certificate.path)
    with httpx.Client(verify=context, timeout=HANG_SECONDS, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    "example", ["caddy/prefix-keep.Caddyfile", "nginx/tls-prefix-strip.conf"]
)
def test_every_link_leads_to_a_page_below_the_prefix(
    start: Start, http: httpx.Client, example: str
) -> None:
    home = start(example).home

    crawl = Crawl(http, home).run(*UNLINKED, *MISSING)

    assert crawl.outside == []
    statuses = {url.removeprefix(home): status for _, url, status in crawl.failed}
    assert statuses == dict.fromkeys(MISSING, 404)
    assert len(crawl.pages) > 80


@pytest.mark.parametrize("example", PREFIXED)
def test_the_prefix_without_its_slash_leads_to_the_wall(
    start: Start, http: httpx.Client, example: str
) -> None:
    home = start(example).home

    response = http.get(home.rstrip("/"))

    assert response.is_redirect
    assert urljoin(home, response.headers["location"]) == home


@pytest.mark.parametrize("example", PREFIXED)
def test_a_path_that_looks_like_the_prefix_is_not_passed_on(
    start: Start, http: httpx.Client, example: str
) -> None:
    home = start(example).home

    for path in ("/cicd/api", "/api/config", "/ci.d/"):
        assert "revision" not in http.get(urljoin(home, path)).text


@pytest.mark.parametrize("example", TLS)
def test_plain_http_is_redirected_to_https(
    start: Start, http: httpx.Client, example: str
) -> None:
    response = http.get(f"{start(example).http}/ci/runs?q=1")

    assert response.status_code == 308
    location = urlsplit(response.headers["location"])
    assert (location.scheme, location.path, location.query) == (
        *("https", "/ci/runs", "q=1"),
    )


@pytest.mark.parametrize("example", TLS)
def test_a_visitor_cannot_forge_the_scheme_or_the_host(
    start: Start, http: httpx.Client, example: str
) -> None:
    home = start(example).home
    forged = {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "proto=http;host=evil.example",
    }

    response = http.get(f"{home}ci_observer/runs.json?_size=1", headers=forged)

    assert response.json()["next_url"].startswith(f"{home}ci_observer/runs.json?")


def test_headers_from_an_untrusted_address_have_no_effect(
    start: Start, http: httpx.Client
) -> None:
    proxy = start("nginx/tls.conf", FORWARDED_ALLOW_IPS="192.0.2.0/24,::1")

    response = http.get(f"{proxy.home}ci_observer/runs.json?_size=1")

    # The true host, and the scheme of the connection with nginx.
    expected = proxy.home.replace("https://", "http://")
    assert response.json()["next_url"].startswith(f"{expected}ci_observer/runs.json?")


@pytest.mark.parametrize("example", ALL)
def test_a_proxy_changes_neither_etags_nor_compression_nor_exports(
    start: Start, http: httpx.Client, example: str
) -> None:
    home = start(example).home

    first = http.get(f"{home}api/runs")
    second = http.get(
        f"{home}api/runs", headers={"If-None-Match": first.headers["etag"]}
    )
    export = http.get(f"{home}api/runs.ndjson")

    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["etag"].startswith('W/"')
    assert first.headers["content-security-policy"].startswith("default-src 'self'")
    assert second.status_code == 304
    assert len(export.text.splitlines()) == 120


@pytest.mark.parametrize("example", ALL)
def test_smoke_checks_an_instance_through_the_proxy(
    start: Start, certificate: Certificate, example: str
) -> None:
    home = start(example).home
    command = ["smoke", "--json", "--timeout", str(HANG_SECONDS), home]

    trusted = CliRunner().invoke(
        main, command, env={"SSL_CERT_FILE": str(certificate.path)}
    )

    assert trusted.exit_code == 0, trusted.stdout
    if home.startswith("https:"):
        untrusted = CliRunner().invoke(main, command)
        assert untrusted.exit_code == 1
        assert "set SSL_CERT_FILE" in untrusted.stdout


def test_a_health_check_needs_no_prefix(database: Path) -> None:
    """The container's own check is a direct request to the port."""
    environ = environ_with(CI_OBSERVER_DB=database, CI_OBSERVER_BASE_URL="/ci/")
    with serving(environ, database.parent) as web:
        check = subprocess.run(  # noqa: S603 (our own script)
            [sys.executable, CHECK],
            env=environ | {"CI_OBSERVER_PORT": str(web.base_url.port)},
            timeout=HANG_SECONDS,
            check=False,
        )
        statuses = [web.get(path).status_code for path in ("/api/health", "/ci/")]

    assert check.returncode == 0
    assert statuses == [200, 200]
