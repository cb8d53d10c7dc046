"""Real proxies, started with the example files of contrib/proxy."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "contrib" / "proxy"
ALL = sorted(
    path.relative_to(EXAMPLES).as_posix()
    for folder in ("caddy", "nginx")
    for path in (EXAMPLES / folder).iterdir()
)
NAME = "localhost"
NGINX = """
{user}
pid {folder}/nginx.pid;
error_log stderr;
daemon off;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {example};
}}
"""


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for `NAME`, and its key."""

    path: Path
    key: Path


@dataclass(frozen=True)
class Proxy:
    """A running proxy: the address of the wall, and the one without TLS and path."""

    home: str
    http: str


def settings_in(example: str) -> dict[str, str]:
    """The settings of CI Observer that the first lines of an example name."""
    head = (EXAMPLES / example).read_text().partition("\n\n")[0]
    found = re.findall(r"\b([A-Z_]+)=([\w./-]*[\w/])", head)
    return {name: value.replace("ci.example.com", NAME) for name, value in found}


def make_certificate(folder: Path) -> Certificate:
    certificate = Certificate(folder / "ci.pem", folder / "ci.key")
    subprocess.run(  # noqa: S603 (a fixed command)
        [
            *(program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-days", "2", "-subj", f"/CN={NAME}", "-out", certificate.path),
            *("-addext", f"subjectAltName=DNS:{NAME}", "-keyout", certificate.key),
        ],
        check=True,
        capture_output=True,
    )
    return certificate


def program(name: str) -> str:
    """The path of a program. Skips the test if it is not installed."""
    # Debian has nginx in a folder that is not on every user's PATH.
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"no {name} on the PATH: apt install {name}")
    return path


@contextmanager
def running_proxy(
    example: str,
    upstream: int,
    certificate: Certificate,
    folder: Path,
    edit: Callable[[str], str] = lambda text: text,
) -> Iterator[Proxy]:
    """Run nginx or Caddy with an example file, in front of a port on loopback.

    Only names, ports and paths are replaced, and what `edit` changes.
    """
    ports = {80: free_port(), 443: free_port()}
    text = edit((EXAMPLES / example).read_text())
    file = folder / Path(example).name
    file.write_text(_for_this_machine(text, ports, upstream, certificate))
    kind = example.partition("/")[0]
    command = _nginx(file, folder) if kind == "nginx" else _caddy(file)
    scheme, port = ("https", ports[443]) if "tls" in example else ("http", ports[80])
    path = "ci/" if "prefix" in example else ""
    with _running(command, folder, port):
        yield Proxy(f"{scheme}://{NAME}:{port}/{path}", f"http://{NAME}:{ports[80]}")


def _for_this_machine(
    text: str, ports: dict[int, int], upstream: int, certificate: Certificate
) -> str:
    for old, new in (
        ("127.0.0.1:8089", f"127.0.0.1:{upstream}"),
        ("/etc/ssl/certs/ci.example.com.pem", str(certificate.path)),
        ("/etc/ssl/private/ci.example.com.key", str(certificate.key)),
        # nginx.
        (
            "/var/cache/nginx/ci_observer",
            str(certificate.path.parent / f"cache-{ports[80]}"),
        ),
        ("listen 80;", f"listen {ports[80]};"),
        ("listen 443 ", f"listen {ports[443]} "),
        # Caddy.
        ("http_port 80", f"http_port {ports[80]}"),
        ("https_port 443", f"https_port {ports[443]}"),
        ("http://ci.example.com", f"http://ci.example.com:{ports[80]}"),
        ("https://ci.example.com", f"https://ci.example.com:{ports[443]}"),
        ("ci.example.com", NAME),
    ):
        text = text.replace(old, new)
    return text


def _nginx(example: Path, folder: Path) -> list[str]:
    main = folder / "nginx.conf"
    # Else its workers would be another user, who may not enter the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    main.write_text(NGINX.format(user=user, folder=folder, example=example))
    return [program("nginx"), "-p", str(folder), "-c", str(main)]


def _caddy(example: Path) -> list[str]:
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(example)]


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 (one of two proxies)
            command,
            cwd=folder,
            # Caddy keeps its state there, and its socket for commands.
            env={"HOME": str(folder), "CADDY_ADMIN": f"unix/{folder}/admin"},
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: _accepts(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(HANG_SECONDS)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
