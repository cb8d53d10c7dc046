"""Progress of long work over many items: the protocol, and progress in the log.

`commands.terminal` has the progress bar.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

log = logging.getLogger("ci_observer")

MAX_LINES = 10


class Progress(Protocol):
    """Yields the items one after the other and shows how many are done.

    `label` names the work, such as "creating indexes".
    """

    def __call__(self, items: Sequence[Any], label: str) -> Iterable[Any]: ...


def log_progress(items: Sequence[Any], label: str) -> Iterator[Any]:
    """Log the index and the name of at most ten of the items, as they begin."""
    step = -(-len(items) // MAX_LINES)
    for index, item in enumerate(items):
        if index % step == 0:
            log.info("%s: %d of %d, %s", label, index + 1, len(items), item_name(item))
        yield item


def no_progress(items: Sequence[Any], label: str) -> Sequence[Any]:
    """Show nothing."""
    return items


def item_name(item: Any) -> str:
    """The text shown for an item: a name, or the parts of a key."""
    return item if isinstance(item, str) else " ".join(map(str, item))
