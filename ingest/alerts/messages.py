"""The texts of alerts. Pure functions.

Only `neutral` texts of GitHub go into them, and their length is limited.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ci_observer.ingest.alerts.events import (
    BROKEN,
    DISABLED,
    EVENTS,
    FIXED,
    NO_ACCESS,
    NO_FIX,
    OVERDUE,
    STALE,
    STUCK,
    TOKEN,
)
from ci_observer.ingest.alerts.neutral import link, neutral
from ci_observer.ingest.times import parse_instant

MAX_TITLE, MAX_BODY, MAX_LISTED = 120, 2500, 15
# Of names in plain JSON, which a receiver may pass on as text.
MAX_NAME = 255
# What GitHub says of a workflow, in words.
STATES = {
    "no_access": "GitHub no longer shows it to this token.",
    "archived": "The repository is archived.",
    "blocked": "GitHub refuses to run anything: the account or repository is blocked.",
    "deleted": "The workflow file was deleted.",
    "disabled_manually": "Somebody has disabled the workflow.",
    "disabled_inactivity": "GitHub has disabled it: nothing happened for 60 days.",
    "disabled_fork": "GitHub has disabled it: the repository is a fork.",
}
WORDS = {
    BROKEN: "is broken",
    FIXED: "passes again",
    STUCK: "has a stuck run",
    OVERDUE: "is overdue",
    DISABLED: "is disabled",
    NO_ACCESS: "is no longer accessible",
    STALE: "has stale data",
}


@dataclass(frozen=True)
class Fact:
    """An alert with its run: a row of the view `alert_facts`."""

    alert_id: str
    repo: str
    workflow: str
    workflow_name: str | None
    event: str
    at: str
    found_at: str
    branch: str | None
    streak: int | None
    red_seconds: int | None
    detail: str | None
    run_id: int | None
    run_attempt: int | None
    run_number: int | None
    run_event: str | None
    display_title: str | None
    head_sha: str | None
    actor: str | None
    html_url: str | None
    failed_job: str | None
    failed_step: str | None


@dataclass(frozen=True)
class Message:
    """A message to an address. `kind` is apprise's: success, failure, warning, info.

    `data` goes with plain JSON only, for programs.
    """

    message_id: str
    title: str
    body: str
    kind: str
    data: dict[str, str | int | None]


def message_of(fact: Fact, timezone: str) -> Message:
    """The message about one alert; its number is that of the alert."""
    lines = [*_lines(fact, timezone), link(fact.html_url), f"Alert {fact.alert_id}"]
    return Message(
        fact.alert_id,
        _cut(_title(fact), MAX_TITLE),
        _cut("\n".join(filter(None, lines)), MAX_BODY),
        _kind(fact.event),
        {
            "id": fact.alert_id,
            "event": fact.event,
            "repo": fact.repo,
            "workflow": neutral(fact.workflow, MAX_NAME),
            "branch": neutral(fact.branch, MAX_NAME) or None,
            "run_id": fact.run_id,
            "run_attempt": fact.run_attempt,
            "at": fact.at,
            "url": link(fact.html_url) or None,
        },
    )


def digest_of(facts: Sequence[Fact], message_id: str) -> Message:
    """One message about several alerts."""
    counts = Counter(fact.event for fact in facts)
    parts = [f"{counts[event]} {event}" for event in EVENTS if counts[event]]
    lines = [f"{_title(f)} {link(f.html_url)}".strip() for f in facts[:MAX_LISTED]]
    if (left := len(facts) - MAX_LISTED) > 0:
        lines.append(f"And {left} more: see the wall.")
    lines.append(f"Alert {message_id}")
    is_good = set(counts) == {FIXED}
    return Message(
        message_id,
        _cut(f"CI Observer: {len(facts)} changes ({', '.join(parts)})", MAX_TITLE),
        _cut("\n".join(lines), MAX_BODY),
        "success" if is_good else "warning",
        {"id": message_id, "event": "digest", "alerts": len(facts)},
    )


def duration(seconds: int) -> str:
    """A length of time, such as 2 h 5 min."""
    days, rest = divmod(max(0, seconds), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s"))
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"


def _title(fact: Fact) -> str:
    if fact.event == TOKEN:
        return "The GitHub token expires soon"
    if fact.event == STALE and fact.repo == "*":
        return "CI Observer has stale data"
    is_whole = fact.workflow == "*"
    name = "" if is_whole else f": {_workflow(fact)}"
    word = "is blocked" if fact.detail == "blocked" else WORDS[fact.event]
    return f"{neutral(fact.repo)}{name} {word}"


def _workflow(fact: Fact) -> str:
    return neutral(fact.workflow_name, 60) or neutral(fact.workflow, 60)


def _lines(fact: Fact, timezone: str) -> Iterator[str]:
    at = _time(fact.at, timezone)
    where = f" on {neutral(fact.branch)}" if fact.branch else ""
    name = f"{neutral(fact.workflow)}{where}"
    if fact.event == BROKEN:
        yield f"{name} fails since {at}."
        yield _run("First failing run", fact)
        if fact.failed_job:
            step = f", step: {neutral(fact.failed_step)}" if fact.failed_step else ""
            yield f"Failed job: {neutral(fact.failed_job)}{step}"
        if (fact.streak or 0) > 1:
            yield f"{fact.streak} runs in a row failed."
    elif fact.event == FIXED:
        if fact.detail == NO_FIX:
            yield f"{name} passes."
            yield "No run fixed it: its runs or the default branch have changed."
            yield _run("Last run", fact)
            return
        length = "" if fact.red_seconds is None else f" It was red for {_red(fact)}."
        yield f"{name} passes since {at}.{length}"
        yield _run("Fixed by run", fact)
    elif fact.event == STUCK:
        yield f"A run of {name} does not end. It is stuck since {at}."
        yield _run("Run", fact)
    elif fact.event == OVERDUE:
        yield f"A scheduled run of {name} is missing since {at}."
    else:
        yield from _lines_about_access(fact, at)


def _lines_about_access(fact: Fact, at: str) -> Iterator[str]:
    detail = fact.detail or ""
    if fact.event == TOKEN:
        yield f"The token expires on {at}. Make a new one before: polling ends then."
    elif fact.event == STALE:
        yield f"The last good data are from {at}."
        yield neutral(detail, 300)
    elif fact.event == DISABLED:
        yield STATES.get(detail) or f"Its state on GitHub: {neutral(detail)}."
    else:
        yield STATES.get(detail) or neutral(detail, 300)


def _red(fact: Fact) -> str:
    return duration(fact.red_seconds or 0)


def _run(label: str, fact: Fact) -> str:
    if fact.run_number is None:
        return ""
    attempt = f", attempt {fact.run_attempt}" if (fact.run_attempt or 1) > 1 else ""
    parts = (
        f"{label}: #{fact.run_number}{attempt} {neutral(fact.display_title)}".strip(),
        f"by {neutral(fact.actor)}" if fact.actor and not _is_scheduled(fact) else "",
        f"commit {neutral(fact.head_sha, 7).rstrip('…')}" if fact.head_sha else "",
        neutral(fact.run_event),
    )
    return ", ".join(filter(None, parts))


def _is_scheduled(fact: Fact) -> bool:
    """Whether nobody started it: GitHub's actor is who last edited the schedule."""
    return fact.run_event == "schedule" and fact.run_attempt == 1


def _time(text: str, timezone: str) -> str:
    instant = parse_instant(text)
    if instant is None:
        return neutral(text)
    local: datetime = instant.astimezone(ZoneInfo(timezone))
    return f"{local:%Y-%m-%d %H:%M %Z}"


def _kind(event: str) -> str:
    if event == FIXED:
        return "success"
    return "failure" if event == BROKEN else "warning"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
