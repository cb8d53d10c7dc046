"""Exit with an error if the port that CI Observer will serve on is taken.

`make demo` runs this before it installs anything, so it needs only the standard library
and reads `.env` in the simplest way.
"""

import os
import socket
import sys
from pathlib import Path


def setting(name: str, default: str) -> str:
    """A setting from the environment, else from `.env`, else the default."""
    if os.environ.get(name):
        return os.environ[name]
    env_file = Path(".env")
    for line in env_file.read_text().splitlines() if env_file.exists() else []:
        key, _, value = line.removeprefix("export ").partition("=")
        if key.strip() == name and value.strip():
            return value.split(" #")[0].strip().strip("\"'")
    return default


def main() -> None:
    """Try to bind the port. A bad value is left to the command, which explains it."""
    host = setting("CI_OBSERVER_HOST", "127.0.0.1")
    port = setting("CI_OBSERVER_PORT", "8089")
    if not port.isdecimal():
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            sys.exit(
                f"Cannot serve on {host}:{port}: {error.strerror}. Stop the program "
                "that uses it, or choose another: make demo CI_OBSERVER_PORT=8090"
            )


if __name__ == "__main__":
    main()
