"""The parameters of the API's URLs: how each is read, and how `/api` describes it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from ci_observer.csv_formulas import CHOICES
from ci_observer.web.errors import BadRequest
from ci_observer.web.vocabulary import CONCLUSIONS, STATES, STATUSES

MAX_LIMIT = 1000
# Five years: the calendar has ten, and a summary compares with as many days before.
MAX_DAYS = 1826
MAX_WORDS = 10
MAX_LABEL = 60
# SQLite refuses patterns of 50,000 bytes, and a title has fewer characters.
MAX_TEXT = 500
# SQLite's greatest integer.
MAX_ID = 2**63 - 1
# Python splits texts at more characters than a pattern of JavaScript knows as blanks.
_WORD = r"[^\s\u0000\u001c-\u001f\u0085]+"
ONE_TO_MAX_WORDS = rf"^\s*{_WORD}(\s+{_WORD}){{0,{MAX_WORDS - 1}}}\s*$"
DAY: Mapping[str, Any] = {"format": "date"}
DAY_OR_TIME: Mapping[str, Any] = {"anyOf": [DAY, {"format": "date-time"}]}
# Before that there was no GitHub.
FIRST_YEAR = 2000


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
    # What a JSON schema says about a value, besides that it is a text.
    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def repeats(self) -> bool:
        """Whether several values mean "or"; otherwise the last one counts."""
        return self.parse in (_strings, _texts, _states, _earliest, _latest)


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


def day(name: str, text: str) -> str:
    """A day of the instance's time zone; raises `BadRequest` for any other text."""
    try:
        # `fromisoformat` also reads other forms, such as 20260301.
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise BadRequest(
        f"{name}={text} is not a day. Write {name}=2026-03-01; a day is one of"
        " DASHBOARD_TIMEZONE."
    )


def _past_time(values: list[str]) -> str:
    """A time in UTC, as the database writes it; without a zone also without the Z."""
    value = values[-1]
    # In a URL the + of "+01:00" means a space.
    text = re.sub(r"^(\S+[T ]\S+) (?=\d\d(:?\d\d)?$)", r"\1+", value.upper())
    try:
        instant = _end_of_day(text) or datetime.fromisoformat(text)
        zone = "" if instant.tzinfo is None else "Z"
        if instant.tzinfo is not None:
            instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"at={value} is not a time. Write at=2026-03-01T12:00Z, or at=2026-03-01"
            " for the end of that day; leave it out for now."
        ) from None
    if instant.year < FIRST_YEAR:
        raise BadRequest(f"at={value} lies before {FIRST_YEAR}: write a later time.")
    return f"{instant.replace(microsecond=0, tzinfo=None).isoformat()}{zone}"


def _end_of_day(text: str) -> datetime | None:
    """The last second of a date, None if the text is no date alone."""
    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59, 59))
    except ValueError:
        return None


def _limit(values: list[str]) -> int:
    value = values[-1]
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:5]) <= MAX_LIMIT):
        raise BadRequest(f"limit={value} is not a number from 1 to {MAX_LIMIT}.")
    return int(value)


def _days(values: list[str]) -> int:
    value = values[-1]
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:5]) <= MAX_DAYS):
        raise BadRequest(f"days={value} is not a number from 1 to {MAX_DAYS}.")
    return int(value)


def _last(values: list[str]) -> str:
    return values[-1]


def _label(values: list[str]) -> str:
    if len(values[-1]) > MAX_LABEL:
        raise BadRequest(f"label takes at most {MAX_LABEL} characters.")
    return values[-1]


def _raw(values: list[str]) -> bool:
    if values[-1] not in ("0", "1"):
        raise BadRequest(f"raw={values[-1]} is not 0 or 1. Write raw=1 for raw_json.")
    return values[-1] == "1"


def _default_branch(values: list[str]) -> bool:
    if values[-1] not in ("0", "1"):
        raise BadRequest(
            f"default_branch={values[-1]} is not 0 or 1. Write default_branch=1 for the"
            " default branch of each repository only."
        )
    return values[-1] == "1"


def _peers(values: list[str]) -> str:
    if values[-1] != "no":
        raise BadRequest(
            f"peers={values[-1]} is not known. Write peers=no for what this instance "
            "has itself, or leave it out."
        )
    return values[-1]


def _formulas(values: list[str]) -> str:
    if values[-1] not in CHOICES:
        raise BadRequest(
            f"formulas={values[-1]} is not known. Write formulas=keep for cells as they"
            " are, or formulas=neutralise."
        )
    return values[-1]


# The variables of a path. A handler reads them itself.
PATH_PARAMETERS: dict[str, Parameter] = {
    "run_id": Parameter(
        parse=_last,
        meaning="GitHub's number of the run",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_ID},
    ),
    "owner": Parameter(parse=_last, meaning="the owner of the repository"),
    "repo": Parameter(parse=_last, meaning="the name of the repository"),
    "file": Parameter(parse=_last, meaning="the file name of the workflow"),
}
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
        meaning="The branch that ran; of /api/wall, /api/config and badges, the"
        " branch whose tiles to show.",
        form="a branch",
        default="every branch; of the wall, the default branches",
    ),
    "status": Parameter(
        parse=_strings,
        meaning="GitHub's status of the run; of /api/attempts and /api/jobs, of the"
        " attempt or job.",
        values=(*STATUSES, "completed"),
        is_open=True,
    ),
    "conclusion": Parameter(
        parse=_strings,
        meaning="GitHub's conclusion of the run; of /api/attempts and /api/jobs, of the"
        " attempt or job. timed_out also finds cancelled runs that ran into"
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
        meaning="The earliest started_at of the run, inclusive; of /api/summary and"
        " /api/stats, the first day.",
        form="2026-03-01, or 2026-03-01T12:00:00Z; without a zone UTC. Days of"
        " /api/summary and /api/stats are those of DASHBOARD_TIMEZONE",
        schema=DAY_OR_TIME,
    ),
    "until": Parameter(
        parse=_latest,
        meaning="The latest started_at, inclusive; a day includes all its hours. Of"
        " /api/summary and /api/stats, the last day.",
        form="as since",
        schema=DAY_OR_TIME,
    ),
    "days": Parameter(
        parse=_days,
        meaning="The number of days of the summary, up to until or today.",
        form=f"1 to {MAX_DAYS}, not together with since",
        default="7",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_DAYS},
    ),
    "q": Parameter(
        parse=_texts,
        meaning="Words that all occur in the title, branch, actor, repository or"
        " workflow, in any letter case.",
        form=f"at most {MAX_WORDS} words and {MAX_TEXT} characters",
        schema={"maxLength": MAX_TEXT, "pattern": ONE_TO_MAX_WORDS},
    ),
    "job": Parameter(
        parse=_strings,
        meaning="The name of a job.",
        form="a name, as GitHub shows it",
    ),
    "default_branch": Parameter(
        parse=_default_branch,
        meaning="1 counts only runs on the default branch of the repository itself.",
        values=("0", "1"),
        default="0",
    ),
    "state": Parameter(
        parse=_states,
        meaning="The state, activity or alarm of a tile.",
        values=STATES,
    ),
    "team": Parameter(
        parse=_strings,
        meaning="The team of a tile, from the settings; null finds tiles of no team.",
        form="a team, in any letter case",
    ),
    "at": Parameter(
        parse=_past_time,
        meaning="A time of the past: the wall as it was then. A date means its end.",
        form="2026-03-01T12:00Z, or 2026-03-01; without a zone DASHBOARD_TIMEZONE",
        default="now",
        schema=DAY_OR_TIME,
    ),
    "limit": Parameter(
        parse=_limit,
        meaning="The number of items on a page, or of changes in the feed.",
        form=f"1 to {MAX_LIMIT}",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    ),
    "label": Parameter(
        parse=_label,
        meaning="The text on the left of the badge.",
        form=f"at most {MAX_LABEL} characters",
        schema={"maxLength": MAX_LABEL},
        default="the name of the workflow",
    ),
    "cursor": Parameter(
        parse=_last,
        meaning="Where the page starts.",
        form="next of the previous page",
        default="the newest items",
    ),
    "raw": Parameter(
        parse=_raw,
        meaning="1 adds raw_json, GitHub's whole run object.",
        values=("0", "1"),
        default="0",
    ),
    "peers": Parameter(
        parse=_peers,
        meaning="no leaves out what the instances in PEERS have.",
        values=("no",),
        default="with peers, if the setting PEERS names some",
    ),
    "formulas": Parameter(
        parse=_formulas,
        meaning="Whether cells that a spreadsheet would run as a formula get an"
        " apostrophe.",
        values=CHOICES,
        default="the setting CSV_FORMULAS",
    ),
}
