"""Names of jobs: GitHub calls the jobs of a matrix `test (3.11, ubuntu-latest)`."""

from collections import defaultdict
from collections.abc import Iterable

# The jobs of a reusable workflow are `caller / job`.
SEPARATOR = " / "
# Up to this number of jobs each has its own row, also those of a matrix.
MAX_SINGLE = 12


def matrix_name(name: str) -> str:
    """A job's name without the values of its matrix, of its caller's neither."""
    whole = _without_values(name)
    return SEPARATOR.join(map(_without_values, whole.split(SEPARATOR)))


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """Names with the jobs of each: several for a matrix, else only the name itself.

    Few names are not grouped.
    """
    names = list(dict.fromkeys(names))
    if len(names) <= MAX_SINGLE:
        return {name: [name] for name in names}
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[matrix_name(name)].append(name)
    return {
        group if len(found) > 1 else found[0]: found for group, found in members.items()
    }


def _without_values(name: str) -> str:
    """The name before the last parentheses, if they end it."""
    if not name.endswith(")"):
        return name
    depth = 0
    for place in range(len(name) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(name[place], 0)
        if depth == 0:
            before = name[:place].rstrip()
            return before if before and name[place - 1] == " " else name
    return name
