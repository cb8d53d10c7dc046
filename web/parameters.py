"""The parameters of the API's URLs: how each is read, and how `/api` describes it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ci_observer.csv_formulas import CHOICES
from ci_observer.web.errors import BadRequest
from ci_observer.web.vocabulary import CONCLUSIONS, STATES, STATUSES

MAX_LIMIT = 1000
MAX_WORDS = 10
# SQLite refuses patterns of 50,000 bytes, and a title has fewer characters.
MAX_TEXT = 500


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter. `parse` gets its values, and raises `BadRequest` for a bad one.

    `form` says how to write it, `values` lists words for it. With `is_open` other words
    are allowed, too. `default` describes a default that `Filters` does not have.
    """

    parse: Callable[[list[str]], Any]
    meaning: str
    form: str = ""
    values: tuple[str, ...] = ()
    is_open: bool = False
    default: str = ""


def _strings(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _texts(values: list[str]) -> tuple[str, ...]:
    # SQLite's like reads no further than a NUL.
    texts = _strings([" ".join(value.replace("\0", " ").split()) for value in values])
    texts = tuple(filter(None, texts))
    if any(len(text) > MAX_TEXT for text in texts):
        raise BadRequest(f"q takes at most {MAX_TEXT} characters, in a few words.")
    if any(len(text.split()) > MAX_WORDS for text in texts):
        raise BadRequest(f"q takes at most {MAX_WORDS} words, for example q=deploy.")
    return texts


def _states(values: list[str]) -> tuple[str, ...]:
    for value in values:
        if value not in STATES:
            raise BadRequest(f"Unknown state {value!r}. Allowed: {', '.join(STATES)}.")
    return _strings(values)


def _earliest(values: list[str]) -> str:
    return min(_instant("since", value, "00:00:00") for value in values)


def _latest(values: list[str]) -> str:
    return max(_instant("until", value, "23:59:59") for value in values)


def _instant(name: str, value: str, time_of_day: str) -> str:
    """A date, or a date and time, as the database writes times."""
    # In a URL the + of "+01:00" means a space.
    text = value.replace(" ", "+") if "T" in value else value
    try:
        if len(text) == len("2026-03-01"):
            text += f"T{time_of_day}"
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        plain = instant.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{name}={value} is not a time. Write {name}=2026-03-01 or "
            f"{name}=2026-03-01T12:00:00Z."
        ) from None
    return f"{plain.isoformat()}Z"


def _limit(values: list[str]) -> int:
    value = values[-1]
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:5]) <= MAX_LIMIT):
        raise BadRequest(f"limit={value} is not a number from 1 to {MAX_LIMIT}.")
    return int(value)


def _last(values: list[str]) -> str:
    return values[-1]


def _raw(values: list[str]) -> bool:
    if values[-1] not in ("0", "1"):
        raise BadRequest(f"raw={values[-1]} is not 0 or 1. Write raw=1 for raw_json.")
    return values[-1] == "1"


def _formulas(values: list[str]) -> str:
    if values[-1] not in CHOICES:
        raise BadRequest(
            f"formulas={values[-1]} is not known. Write formulas=keep for cells as they"
            " are, or formulas=neutralise."
        )
    return values[-1]


PARAMETERS: dict[str, Parameter] = {
    "repo": Parameter(
        parse=_strings,
        meaning="The repository.",
        form="OWNER/NAME, in any letter case",
    ),
    "workflow": Parameter(
        parse=_strings,
        meaning="The file name of the workflow.",
        form="a file name, such as ci.yml",
    ),
    "branch": Parameter(
        parse=_strings,
        meaning="The branch that ran; of /api/wall and /api/config, the branch whose"
        " tiles to show.",
        form="a branch",
        default="every branch; of the wall, the default branches",
    ),
    "status": Parameter(
        parse=_strings,
        meaning="GitHub's status of the run.",
        values=(*STATUSES, "completed"),
        is_open=True,
    ),
    "conclusion": Parameter(
        parse=_strings,
        meaning="GitHub's conclusion; timed_out also finds cancelled runs that ran into"
        " their time limit. null finds runs without one.",
        values=(*CONCLUSIONS, "null"),
        is_open=True,
    ),
    "event": Parameter(
        parse=_strings,
        meaning="The event that started the run.",
        values=("push", "pull_request", "schedule", "workflow_dispatch"),
        is_open=True,
    ),
    "actor": Parameter(
        parse=_strings,
        meaning="The person or app that started the run.",
        form="a login",
    ),
    "since": Parameter(
        parse=_earliest,
        meaning="The earliest started_at, inclusive.",
        form="2026-03-01, or 2026-03-01T12:00:00Z; without a zone UTC",
    ),
    "until": Parameter(
        parse=_latest,
        meaning="The latest started_at, inclusive; a day includes all its hours.",
        form="2026-03-01, or 2026-03-01T12:00:00Z; without a zone UTC",
    ),
    "q": Parameter(
        parse=_texts,
        meaning="Words that all occur in the title, branch, actor, repository or"
        " workflow, in any letter case.",
        form=f"at most {MAX_WORDS} words and {MAX_TEXT} characters",
    ),
    "state": Parameter(
        parse=_states,
        meaning="The state, activity or alarm of a tile.",
        values=STATES,
    ),
    "limit": Parameter(
        parse=_limit,
        meaning="The number of runs on a page.",
        form=f"1 to {MAX_LIMIT}",
    ),
    "cursor": Parameter(
        parse=_last,
        meaning="Where the page starts.",
        form="next of the previous page",
        default="the newest run",
    ),
    "raw": Parameter(
        parse=_raw,
        meaning="1 adds raw_json, GitHub's whole run object.",
        values=("0", "1"),
        default="0",
    ),
    "formulas": Parameter(
        parse=_formulas,
        meaning="Whether cells that a spreadsheet would run as a formula get an"
        " apostrophe.",
        values=CHOICES,
        default="the setting CSV_FORMULAS",
    ),
}
