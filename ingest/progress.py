"""How far long work on many things has come: the log's way of telling it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

log = logging.getLogger("ci_observer")

TOLD_TIMES = 10


class Each(Protocol):
    """Gives the items one after the other, and tells how many of them are done."""

    def __call__(self, items: Sequence[Any], label: str) -> Iterable[Any]: ...


def log_each(items: Sequence[Any], label: str) -> Iterator[Any]:
    """Log the items' number and name as they begin: ten of them, when there are more.

    `label` says what is done to them, such as "making indexes".
    """
    step = -(-len(items) // TOLD_TIMES)
    for number, item in enumerate(items):
        if number % step == 0:
            log.info("%s: %d of %d, %s", label, number + 1, len(items), name_of(item))
        yield item


def quietly(items: Sequence[Any], label: str) -> Sequence[Any]:
    """Tell nothing."""
    return items


def name_of(item: Any) -> str:
    """What is shown of an item: its name, or the parts of its key."""
    return item if isinstance(item, str) else " ".join(map(str, item))
