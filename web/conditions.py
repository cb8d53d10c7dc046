"""Conditions of a `where` clause with named parameters: no value enters the SQL."""

import re

from ci_observer.web.database import Params

NULL = "null"


class Where:
    """Conditions that are joined by "and", and their parameters."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.params: Params = {}

    def add(self, part: str, **params: str | int | None) -> None:
        self.parts.append(part)
        self.params |= params

    def any_of(self, name: str, column: str, values: tuple[str, ...]) -> None:
        if not values:
            return
        names, params = marks(name, values)
        part = f"{column} in ({names})"
        if NULL in values:
            part = f"({part} or {column} is null)"
        self.add(part, **params)

    def words(self, texts: tuple[str, ...], columns: tuple[str, ...]) -> None:
        either = []
        for i, text in enumerate(texts):
            every = []
            for j, word in enumerate(text.split()):
                name = f"q_{i}_{j}"
                self.params[name] = f"%{_without_wildcards(word)}%"
                found = " or ".join(
                    f"{column} like :{name} escape '\\'" for column in columns
                )
                every.append(f"({found})")
            either.append(" and ".join(every))
        if either:
            self.parts.append(f"({' or '.join(either)})")


def marks(name: str, values: tuple[str, ...]) -> tuple[str, Params]:
    """A parameter's name for each of the values, to stand in `in (…)`."""
    params: Params = {f"{name}_{i}": value for i, value in enumerate(values)}
    return ", ".join(f":{mark}" for mark in params), params


def _without_wildcards(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)
