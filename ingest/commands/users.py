"""The users of `up`: in a container, ingest and web are two.

The container's entrypoint starts a command with the user of ingest as its effective
user and that of web as its real one. Such a process needs no capability to start
others as either user, or to send signals to both; a process of web cannot become
ingest, trace it or read its environment.
https://man7.org/linux/man-pages/man7/credentials.7.html
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Users:
    """The uids of ingest and web; both are None if this process has one user."""

    ingest: int | None = None
    web: int | None = None

    @property
    def are_two(self) -> bool:
        """Whether web runs as another user than ingest."""
        return self.ingest != self.web


def act_as_ingest() -> None:
    """Become ingest entirely, keeping only the right to start processes of web.

    Calls such as access(2) go by the real user.
    """
    if sys.platform == "linux":
        real, effective, _ = os.getresuid()
        if real != effective:
            os.setresuid(effective, effective, real)


def users() -> Users:
    """The users that `act_as_ingest` has found."""
    if sys.platform == "linux":
        _, effective, saved = os.getresuid()
        if saved != effective:
            return Users(effective, saved)
    return Users()


def make_web_real() -> None:
    """Have the next program of this process start as the entrypoint started this one.

    A change of program ends the right to be another saved user, but not a real one.
    """
    two = users()
    if sys.platform == "linux" and two.ingest is not None and two.web is not None:
        os.setresuid(two.web, two.ingest, two.ingest)


def can_read(user: int, path: Path) -> bool:
    """Whether a user of the same groups can open a file. Needs the right to be it."""
    return _as_user(user, lambda: os.close(os.open(path, os.O_RDONLY)))


def can_write(user: int, path: Path) -> bool:
    """Whether a user of the same groups can write to a file or folder."""

    def check() -> None:
        if not os.access(path, os.W_OK):
            raise PermissionError

    return _as_user(user, check)


def _as_user(user: int, check: Callable[[], None]) -> bool:
    """Whether a check raises no `OSError` in a process of another user."""
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(user, user, user)
            check()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
