"""nginx with one of the examples of contrib/proxy, for figures and for tests."""

import os
import shutil
import socket
from pathlib import Path

from bench.harness.servers import HOST, ROOT

EXAMPLES = ROOT / "contrib/proxy"
ACCESS_LOG = "access.log"
# A request's status, bytes received from CI Observer, and bytes sent to the client. The
# status is `-` for a response from the cache.
_LOG = "'$upstream_status $upstream_bytes_received $bytes_sent'"
_MAIN = """
{user}
pid {folder}/nginx.pid;
error_log stderr;
daemon off;
worker_rlimit_nofile 20000;
events {{ worker_connections 8000; }}
http {{
    log_format sizes {log};
    access_log {folder}/{access_log} sizes;
    # Also the requests in the background.
    log_subrequest on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {example};
}}
"""


def find_program(name: str) -> str | None:
    """The path of an installed program, None without it."""
    # Debian has them in folders that are not on every user's PATH.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def nginx_command(program: str, folder: Path, example: Path) -> list[str]:
    """The command that runs nginx in the foreground; writes its main configuration.

    All its files are in `folder`; the errors go to stderr.
    """
    # Otherwise its workers would be another user, who may not enter the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    main = folder / "nginx.conf"
    main.write_text(
        _MAIN.format(
            user=user, folder=folder, log=_LOG, access_log=ACCESS_LOG, example=example
        )
    )
    return [program, "-p", str(folder), "-c", str(main)]


def accepts(port: int) -> bool:
    """Whether a server on loopback accepts connections."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
