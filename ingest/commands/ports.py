"""The TCP ports of the wall and of the simulated GitHub."""

import socket

from ci_observer.ingest.errors import ConfigError


def refuse_busy_port(host: str, port: int) -> None:
    """Raise `ConfigError` if the port cannot be served on, such as one in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"CI_OBSERVER_PORT: cannot serve on {host}:{port} ({error.strerror}). "
                "Stop the process that uses it, or set CI_OBSERVER_PORT to a free port."
            ) from None


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
