"""The limit of open files, and how many connections it leaves room for."""

import resource

from ci_observer.web.forwarding import MAX_FORWARDED

# More than the walls and browsers of a team.
MAX_CONNECTIONS = 1000
MIN_CONNECTIONS = 8
# The connections of the database, its temporary files, static files, pipes.
FILES = 40
RESERVED = FILES + MAX_FORWARDED


def raise_limit() -> None:
    """Raise the soft limit of open files as far as `MAX_CONNECTIONS` need it.

    Not further, because some programs close or poll all numbers below the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MAX_CONNECTIONS + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        highest = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))


def max_connections() -> int:
    """How many connections the soft limit of open files has room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, max(MIN_CONNECTIONS, soft - RESERVED))
