"""Requests through real proxies, with TLS and without, and what an error says."""

import gc
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result
from proxy_servers import http_proxy, socks_proxy, tls_server
from sqlite_utils import Database
from uids import without_root
from up import command_line, running_up
from waiting import eventually

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.ingest.cli import main
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.github.certificates import Certificates, tls_context

TOKEN = "ghp_thisMustNotShowAnywhere0123456789"  # noqa: S105 (of the simulated GitHub)
PASSWORD = "hunter2"  # noqa: S105 (made up)
HOST = "github.test"
OPENSSL = shutil.which("openssl") or ""

pytestmark = pytest.mark.usefixtures("only_own_settings")


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    world = World("2026-03-02T09:00:00Z")
    world.add_run("acme/api", "ci.yml", conclusion="success")
    with GitHubServer(world, tokens={TOKEN: Token()}) as server:
        yield server


@pytest.fixture
def address(github: GitHubServer) -> str:
    return github.origin.removeprefix("http://")


@pytest.fixture
def environ(github: GitHubServer, db_path: Path) -> dict[str, str]:
    return {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": github.url,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
        "CI_OBSERVER_DB": str(db_path),
    }


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_address(authority: trustme.CA, address: str) -> Iterator[str]:
    """The address of GitHub behind TLS, with a certificate for `HOST`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    with tls_server(address, context) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def run(*arguments: str, **environ: str) -> Result:
    result = CliRunner().invoke(main, arguments, env=environ)
    assert TOKEN not in result.output
    assert PASSWORD not in result.output
    return result


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("user", [None, f"ada:{PASSWORD}"])
def test_a_pass_goes_through_an_http_proxy(environ, address, db_path, user):
    with http_proxy(user=user) as proxy:
        url = f"http://{user}@127.0.0.1:{proxy.port}".replace("None@", "")
        result = run("ingest", "--once", **environ, HTTP_PROXY=url)

    assert result.exit_code == 0, result.output
    assert set(proxy.targets) == {address}
    assert Database(db_path)["runs"].count == 1


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
@pytest.mark.parametrize("user", [None, f"ada:{PASSWORD}"])
def test_a_pass_goes_through_a_socks_proxy(environ, address, db_path, scheme, user):
    with socks_proxy(user=user) as proxy:
        url = f"{scheme}://{user}@127.0.0.1:{proxy.port}".replace("None@", "")
        result = run("ingest", "--once", **environ, ALL_PROXY=url)

    assert result.exit_code == 0, result.output
    assert set(proxy.targets) == {address}
    assert Database(db_path)["runs"].count == 1


@pytest.mark.parametrize("no_proxy", ["fe80::/10,127.0.0.0/8", "[::1], 127.0.0.1"])
def test_an_exception_goes_to_github_directly(environ, db_path, no_proxy):
    with http_proxy() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        result = run("ingest", "--once", **environ, HTTP_PROXY=url, NO_PROXY=no_proxy)

    assert result.exit_code == 0, result.output
    assert proxy.targets == []
    assert Database(db_path)["runs"].count == 1


@pytest.mark.parametrize("kind", [http_proxy, socks_proxy])
def test_tls_through_a_tunnel_trusts_the_authority_of_ssl_cert_file(
    environ, tls_address, bundle, db_path, kind
):
    """The proxy resolves the name."""
    scheme = "http" if kind is http_proxy else "socks5"
    with kind(user=f"ada:{PASSWORD}") as proxy:
        proxy.hosts[HOST] = tls_address
        url = f"{scheme}://ada:{PASSWORD}@127.0.0.1:{proxy.port}"
        settings = environ | {"GITHUB_API_URL": f"https://{HOST}", "HTTPS_PROXY": url}
        trusted = run("ingest", "--once", **settings, SSL_CERT_FILE=bundle)
        untrusted = run("check", **settings)

    assert trusted.exit_code == 0, trusted.output
    assert set(proxy.targets) == {f"{HOST}:443"}
    assert Database(db_path)["runs"].count == 1
    assert untrusted.exit_code == 1
    assert (
        f"GitHub cannot be reached at {HOST} through the proxy {scheme}://127.0.0.1:"
        f"{proxy.port} (HTTPS_PROXY): [SSL: CERTIFICATE_VERIFY_FAILED]"
    ) in untrusted.output
    assert "set SSL_CERT_FILE to a file with the certificate" in untrusted.output


def test_tls_to_the_proxy_itself_trusts_the_same_authority(
    environ, authority, bundle, address
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with (
        http_proxy() as proxy,
        tls_server(f"127.0.0.1:{proxy.port}", context) as front,
    ):
        result = run(
            "check",
            **environ,
            HTTP_PROXY=f"https://127.0.0.1:{front.port}",
            SSL_CERT_FILE=bundle,
        )

    assert result.exit_code == 0, result.output
    assert set(proxy.targets) == {address}


def test_a_proxy_without_tls_under_https_is_named_with_the_remedy(environ):
    with http_proxy() as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        result = run("check", **environ, HTTP_PROXY=url)

    assert result.exit_code == 1
    assert f"through the proxy {url} (HTTP_PROXY)" in result.output
    assert "Try http:// instead of https:// in HTTP_PROXY" in result.output


@pytest.mark.parametrize("is_tls", [False, True])
@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("407 Proxy Authentication Required", "Write its user and password in"),
        ("403 Forbidden", "or add that to NO_PROXY"),
        ("503 Service Unavailable", "or add that to NO_PROXY"),
    ],
)
def test_a_proxy_that_refuses_is_named_with_what_to_do(
    environ, github, is_tls, refusal, advice
):
    api_url = f"https://{HOST}" if is_tls else github.url
    name = "HTTPS_PROXY" if is_tls else "HTTP_PROXY"
    with http_proxy(refusal=refusal) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        settings = environ | {"GITHUB_API_URL": api_url, name: url}
        result = run("check", **settings)

    assert result.exit_code == 1
    assert f"The proxy {url} ({name}) does not let requests through" in result.output
    assert refusal in result.output
    assert advice in result.output
    assert github.log == []


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_socks_proxy_that_refuses_the_password_is_named(environ):
    with socks_proxy(user="ada:other") as proxy:
        url = f"socks5://ada:{PASSWORD}@127.0.0.1:{proxy.port}"
        result = run("check", **environ, ALL_PROXY=url)
    # httpcore leaves the connection to the garbage collector.
    gc.collect()

    assert result.exit_code == 1
    assert f"The proxy socks5://127.0.0.1:{proxy.port} (ALL_PROXY) does not" in (
        result.output
    )


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_down_is_named_without_its_password(environ, address, scheme):
    port = closed_port()
    url = f"{scheme}://ada:{PASSWORD}@127.0.0.1:{port}"

    result = run("check", **environ, ALL_PROXY=url)

    assert result.exit_code == 1
    assert (
        f"GitHub cannot be reached at {address} through the proxy {scheme}://127.0.0.1:"
        f"{port} (ALL_PROXY): Connection refused."
    ) in result.output


def test_up_polls_through_a_proxy_and_shows_its_password_nowhere(
    environ, tmp_path, address
):
    with socks_proxy(user=f"ada:{PASSWORD}") as proxy:
        url = f"socks5://ada:{PASSWORD}@127.0.0.1:{proxy.port}"
        (tmp_path / ".env").write_text(f"ALL_PROXY={url}\n")
        settings = environ | {"CI_OBSERVER_DB": str(tmp_path / "ci.db")}
        with (
            (tmp_path / "log").open("wb") as log,
            running_up(tmp_path, log.fileno(), **settings) as up,
        ):
            eventually(lambda: up.get("/api/config").json()["polling"]["state"] == "ok")
            commands = [" ".join(command_line(pid)) for pid in up.tree()]

    (tmp_path / ".env").unlink()
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert set(proxy.targets) == {address}
    assert f"through the proxy socks5://127.0.0.1:{proxy.port}" in (
        (tmp_path / "log").read_text()
    )
    assert PASSWORD.encode() not in b"".join(texts)
    assert PASSWORD not in "".join(commands)


def test_an_address_that_is_down_is_named(environ):
    port = closed_port()

    result = run("check", **environ | {"GITHUB_API_URL": f"http://127.0.0.1:{port}"})

    assert result.exit_code == 1
    assert f"GitHub cannot be reached at 127.0.0.1:{port}: Connection refused." in (
        result.output
    )


@pytest.fixture
def wrong_certificates(tmp_path: Path) -> dict[str, str]:
    """Values of `SSL_CERT_FILE` and `SSL_CERT_DIR` that cannot work."""
    (tmp_path / "shopping").write_text("milk\n")
    (tmp_path / "broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nmilk\n-----END CERTIFICATE-----\n"
    )
    (tmp_path / "empty").mkdir()
    return {
        "missing": str(tmp_path / "missing"),
        "folder": str(tmp_path),
        "text": str(tmp_path / "shopping"),
        "broken": str(tmp_path / "broken.pem"),
        "empty": str(tmp_path / "empty"),
    }


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("SSL_CERT_FILE", "missing", "No such file or directory"),
        ("SSL_CERT_FILE", "folder", "Is a directory"),
        ("SSL_CERT_FILE", "text", "no certificate"),
        ("SSL_CERT_FILE", "broken", "a broken one"),
        ("SSL_CERT_DIR", "missing", "No such file or directory"),
        ("SSL_CERT_DIR", "text", "Not a directory"),
        ("SSL_CERT_DIR", "empty", "no file in it is named by a hash"),
    ],
)
@pytest.mark.parametrize(
    "command", [("ingest", "--once"), ("check",), ("backfill", "--since", "2026-01-01")]
)
def test_wrong_certificates_are_refused_by_name_with_exit_code_2(
    environ, wrong_certificates, command, name, kind, said
):
    path = wrong_certificates[kind]

    result = run(*command, **environ, **{name: path})

    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {name}: {path} is not a f")
    assert said in result.output


def test_an_unreadable_certificate_is_refused(bundle):
    Path(bundle).chmod(0)
    with (
        without_root(),
        pytest.raises(ConfigError, match=r"SSL_CERT_FILE: .*Permission denied"),
    ):
        tls_context(Certificates(bundle))


@pytest.mark.skipif(not OPENSSL, reason="needs openssl rehash")
def test_a_folder_of_certificates_is_trusted(
    environ, tls_address, bundle, db_path, tmp_path
):
    folder = tmp_path / "certificates"
    folder.mkdir()
    shutil.copy(bundle, folder)
    subprocess.run([OPENSSL, "rehash", folder], check=True)  # noqa: S603 (a fixed command)
    with http_proxy() as proxy:
        proxy.hosts[HOST] = tls_address
        result = run(
            "ingest",
            "--once",
            **environ
            | {
                "GITHUB_API_URL": f"https://{HOST}",
                "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}",
                "SSL_CERT_DIR": f"{tmp_path / 'missing'}:{folder}",
            },
        )

    assert result.exit_code == 0, result.output
    assert Database(db_path)["runs"].count == 1
