"""Armed faults: which requests they match and when they apply."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_observer.demo.seeded_random import seeded_random
from ci_observer.demo.server.effects import Effects
from ci_observer.demo.server.fault_kinds import FAULT_KINDS


@dataclass(slots=True)
class Fault:
    """An armed fault: applies from the `nth` matching request on, `count` times.

    `seen` counts the matching requests and `hits` those that got the fault.
    """

    kind: str
    path: re.Pattern[str]
    nth: int
    count: int | None
    probability: float
    options: Mapping[str, Any]
    seen: int = 0
    hits: int = 0

    def apply(self, effects: Effects, draw: float) -> None:
        """Count a matching request and add this fault's effects if it is hit.

        `draw` is a random number below 1 that is compared with the probability.
        """
        if not self.path.search(effects.request.target):
            return
        self.seen += 1
        is_spent = self.count is not None and self.hits >= self.count
        if self.seen < self.nth or is_spent or draw >= self.probability:
            return
        self.hits += 1
        effects.kinds.append(self.kind)
        FAULT_KINDS[self.kind](effects, **self.options)


class Faults:
    """The armed faults of one server, with a seeded random generator."""

    def __init__(self, seed: int = 0) -> None:
        self.armed: list[Fault] = []
        self._random = seeded_random("faults", seed)

    def add(
        self,
        kind: str,
        *,
        path: str = "",
        nth: int = 1,
        count: int | None = 1,
        probability: float = 1.0,
        **options: Any,
    ) -> Fault:
        """Arm a fault of `FAULT_KINDS` for requests whose path and query match.

        `path` is a regular expression to search for; `count=None` means no limit.
        Raises ValueError for an unknown kind, TypeError for an unknown option.
        """
        if kind not in FAULT_KINDS:
            raise ValueError(f"no fault {kind!r}: there are {', '.join(FAULT_KINDS)}")
        inspect.signature(FAULT_KINDS[kind]).bind(None, **options)
        pattern = re.compile(path)
        fault = Fault(kind, pattern, nth, count, probability, options)
        self.armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm every fault."""
        self.armed.clear()

    def apply(self, effects: Effects) -> None:
        """Apply every armed fault that matches the request."""
        for fault in self.armed:
            fault.apply(effects, self._random.random())
