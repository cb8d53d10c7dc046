"""Real proxies and caches, started with the example files of contrib/proxy."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from waiting import HANG_SECONDS, eventually

from bench.harness.proxies import EXAMPLES, accepts, find_program, nginx_command
from ci_observer.ingest.commands.ports import free_port

ALL = sorted(
    path.relative_to(EXAMPLES).as_posix()
    for folder in ("caddy", "nginx")
    for path in (EXAMPLES / folder).iterdir()
)
NAME = "localhost"
# Programs that are in a package of another name.
PACKAGES = {"varnishd": "varnish"}


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
    path = find_program(name)
    if path is None:
        pytest.skip(f"no {name} on the PATH: apt install {PACKAGES.get(name, name)}")
    return path


@contextmanager
def running_proxy(
    example: str,
    upstream: int,
    certificate: Certificate,
    folder: Path,
    edit: Callable[[str], str] = lambda text: text,
) -> Iterator[Proxy]:
    """Run a proxy with an example file, in front of a port on loopback.

    Only names, ports and paths are replaced, and what `edit` changes.
    """
    ports = {80: free_port(), 443: free_port()}
    text = edit((EXAMPLES / example).read_text())
    file = folder / Path(example).name
    file.write_text(_for_this_machine(text, ports, upstream, certificate))
    command = _command(example.partition("/")[0], file, folder, ports[80])
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
        ('.port = "8089"', f'.port = "{upstream}"'),
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


def _command(kind: str, example: Path, folder: Path, port: int) -> list[str]:
    match kind:
        case "nginx":
            return nginx_command(program("nginx"), folder, example)
        case "varnish":
            # Without a jail: its other user may not enter the folder.
            options = ("-a", f"127.0.0.1:{port}", "-j", "none", "-n", str(folder / "v"))
            return [program("varnishd"), "-F", "-f", str(example), *options]
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(example)]


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 (one of three proxies)
            command,
            cwd=folder,
            env={
                # Caddy keeps its state there, and its socket for commands.
                "HOME": str(folder),
                "CADDY_ADMIN": f"unix/{folder}/admin",
                # Varnish compiles its rules.
                "PATH": os.environ["PATH"],
            },
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: accepts(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(HANG_SECONDS)
