"""The parts of `make scale`: a module of this package for each name.

A part is a module with

- `MINUTES`: the time that it may take on two cores, as a number,
- `measure(scratch, say)`: a generator of figures. `scratch` is a folder that all parts
  share and that is deleted at the end; a part writes below `scratch / NAME`, and may
  read what an earlier part has left there. `say` prints a line of progress. It ends all
  processes that it has started, also if it fails, and raises an exception if something
  is wrong, such as a lost row.
"""

import importlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Protocol, cast

from bench.scale.figures import Figure

# In the order in which they run. Together they take at most `MAX_MINUTES`.
NAMES = ("file", "lake", "spark", "replicas", "cache", "shards", "peer_runs", "peers")
MAX_MINUTES = 15


class Part(Protocol):
    """A module that measures."""

    MINUTES: float

    def measure(
        self, scratch: Path, say: Callable[[str], None]
    ) -> Generator[Figure, None, None]:
        """Yield each figure as soon as it is measured."""


def load(name: str) -> Part:
    """The module of a part."""
    return cast(Part, importlib.import_module(f"bench.scale.{name}"))
