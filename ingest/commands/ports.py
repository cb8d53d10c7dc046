"""The TCP ports of the wall and of the simulated GitHub."""

import errno
import secrets
import socket
from contextlib import suppress

from ci_observer.ingest.errors import ConfigError


def refuse_busy_port(host: str, port: int) -> None:
    """Raise `ConfigError` if the port cannot be served on, such as one in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        reason = getattr(error, "strerror", None) or "it is no host name"
        if number == errno.EADDRINUSE:
            advice = "Stop the process that uses it, or set CI_OBSERVER_PORT to a free"
        elif number in (errno.EACCES, errno.EPERM):
            advice = "Ports below 1024 need privileges: set CI_OBSERVER_PORT to another"
        else:
            raise ConfigError(
                f"CI_OBSERVER_HOST: cannot serve on {host} ({reason}). Write an "
                "address of this machine, such as 127.0.0.1, or 0.0.0.0 for all."
            ) from None
        raise ConfigError(
            f"CI_OBSERVER_PORT: cannot serve on {host}:{port} ({reason}). "
            f"{advice} port."
        ) from None


def free_port() -> int:
    """A port of this machine that nothing listens on.

    It is below the ports that the system gives to clients: a client that waits for a
    server on one of those may connect to itself.
    """
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
