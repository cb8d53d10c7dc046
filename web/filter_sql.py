"""Filters as conditions of a `where` clause, with named parameters for all values."""

import re

from ci_observer.web.database import Params
from ci_observer.web.filters import COLUMNS, Filters
from ci_observer.web.vocabulary import CANCELLED, TIMED_OUT

NULL = "null"
STATE_COLUMNS = ("tile_state", "activity", "alarm")


def where_sql(
    filters: Filters,
    *,
    branch: str = "head_branch",
    cancel_cause: str = "cancel_cause",
) -> tuple[str, Params]:
    """The condition on a run, or on a tile, and its parameters.

    `branch` and `cancel_cause` are columns. The state of a tile is not part of it.
    """
    where = _Where()
    for name, column in (COLUMNS | {"branch": branch}).items():
        values = getattr(filters, name)
        others = ""
        # GitHub calls a run cancelled that ran into its time limit. It is found under
        # both words.
        if name == "conclusion" and TIMED_OUT in values:
            others = f"conclusion = '{CANCELLED}' and {cancel_cause} = 'timeout'"
        where.add_any_of(name, column, values, others)
    where.add_any_of("job", "job", filters.job)
    if filters.since:
        where.add("started_at >= :since", since=filters.since)
    if filters.until:
        where.add("started_at <= :until", until=filters.until)
    # Last, because no index has the text: only runs that match so far are searched.
    columns = (branch, "actor", "repo", "workflow", "display_title")
    where.add_words(filters.q, columns)
    return " and ".join(where.conditions) or "true", where.params


def team_sql(filters: Filters) -> tuple[str, Params]:
    """The condition on a tile's team. Letter case does not matter."""
    where = _Where()
    where.add_any_of("team", "team collate nocase", filters.team)
    return " and ".join(where.conditions) or "true", where.params


def state_sql(filters: Filters) -> tuple[str, Params]:
    """The condition on a tile's state, which may change by time alone."""
    if not filters.state:
        return "true", {}
    names, params = placeholders("state", filters.state)
    conditions = [f"{column} in ({names})" for column in STATE_COLUMNS]
    return f"({' or '.join(conditions)})", params


def placeholders(name: str, values: tuple[str, ...]) -> tuple[str, Params]:
    """Named placeholders for `in (…)`, such as `:repo_0, :repo_1`, and their values."""
    params: Params = {f"{name}_{i}": value for i, value in enumerate(values)}
    return ", ".join(f":{key}" for key in params), params


class _Where:
    """Conditions that are joined by "and", and their parameters."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.params: Params = {}

    def add(self, condition: str, **params: str | int | None) -> None:
        self.conditions.append(condition)
        self.params |= params

    def add_any_of(
        self, name: str, column: str, values: tuple[str, ...], others: str = ""
    ) -> None:
        """The column has one of the values; the value `null` also matches NULL.

        `others` is a condition for further rows.
        """
        if not values:
            return
        names, params = placeholders(name, values)
        conditions = [f"{column} in ({names})"]
        if NULL in values:
            conditions.append(f"{column} is null")
        if others:
            conditions.append(others)
        text = " or ".join(conditions)
        self.add(f"({text})" if len(conditions) > 1 else text, **params)

    def add_words(self, texts: tuple[str, ...], columns: tuple[str, ...]) -> None:
        """Every word of one of the texts is in some column."""
        alternatives = []
        for i, text in enumerate(texts):
            every_word = []
            for j, word in enumerate(text.split()):
                name = f"q_{i}_{j}"
                self.params[name] = f"%{_escape_wildcards(word)}%"
                in_column = [f"{column} like :{name} escape '\\'" for column in columns]
                every_word.append(f"({' or '.join(in_column)})")
            alternatives.append(" and ".join(every_word))
        if alternatives:
            self.conditions.append(f"({' or '.join(alternatives)})")


def _escape_wildcards(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)
