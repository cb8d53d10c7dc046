"""The alerts that would have been sent in the last week, by the recorded states."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from sqlite_utils import Database

from ci_observer.ingest.alerts.events import (
    EVENT_OF_ALARM,
    EVERY_WORKFLOW,
    STUCK,
)
from ci_observer.ingest.alerts.messages import Fact, message_of
from ci_observer.ingest.alerts.rules import Rules
from ci_observer.ingest.config import Config

DAYS = 7
# A state that concerns all workflows of a repository at once.
WHOLE_REPO = ("no_access", "blocked")
_FACTS = ", ".join(field.name for field in fields(Fact))
# Told once the branch had failed often enough; and its fix, if it was told.
_BREAKS = """
    with told as (
        select b.*, (
            select d.decided_at from decisions d
            where d.repo = b.repo and d.workflow = b.workflow and d.branch = b.branch
                and d.result = 'failing' and d.decided_at >= b.broken_at
                and d.decided_at < coalesce(b.fixed_at, '~')
            order by d.decided_at limit 1 offset :after - 1
        ) as told_at
        from breaks b where coalesce(b.fixed_at, '~') >= :since
    )
    select repo, workflow, 'broken', told_at, branch, run_id, run_attempt, null
    from told where told_at >= :since
    union all
    select repo, workflow, 'fixed', fixed_at, branch, fixed_run_id, fixed_run_attempt,
        seconds
    from told where told_at is not null and fixed_at >= :since
"""
_ALARMS = """
    select repo, workflow, reason, from_at, branch, run_id
    from state_timeline s
    where from_at >= :since and reason in ({reasons}) and reason is not (
        select p.reason from state_timeline p
        where p.repo = s.repo and p.workflow = s.workflow and p.from_at < s.from_at
        order by p.from_at desc limit 1
    )
"""


_MUTED = """
    select 1 from muted_tiles
    where repo = ? and workflow = ? and (branch is null or branch = ?)
        and from_at <= ? and until_at > ?
"""


@dataclass(frozen=True)
class _Past:
    """An alert that would have been written."""

    repo: str
    workflow: str
    event: str
    at: str
    branch: str | None
    run_id: int | None
    run_attempt: int | None = None
    red_seconds: int | None = None
    detail: str | None = None


def dry_run_lines(config: Config, db: Database) -> Iterator[str]:
    """The messages in their order, and how many there are."""
    [[since]] = db.execute(
        "select strftime('%Y-%m-%dT%H:%M:%SZ', now, ?) from clock", [f"-{DAYS} days"]
    )
    rules = Rules(config.alert_after, config.alert_events, config.alert_repos, ())
    _fill(db, [past for past in _found(db, since, rules) if _is_told(db, past, rules)])
    facts = db.execute(f"select {_FACTS} from temp.alert_facts order by at, alert_id")  # noqa: S608 (own names)
    messages = 0
    for row in facts.fetchall():
        message = message_of(Fact(*row), config.timezone)
        messages += 1
        yield message.title
        # Without the number of the alert, which none has.
        yield from (f"    {line}" for line in message.body.splitlines()[:-1])
    yield f"{messages} alerts in the last {DAYS} days. Nothing was sent."


def _found(db: Database, since: str, rules: Rules) -> Iterator[_Past]:
    values = {"since": since, "after": rules.after}
    for row in db.execute(_BREAKS, values).fetchall():
        yield _Past(*row)
    reasons = ", ".join(f"'{reason}'" for reason in EVENT_OF_ALARM)
    sql = _ALARMS.format(reasons=reasons)
    whole: set[tuple[str, str, str]] = set()
    for repo, workflow, reason, at, branch, run_id in db.execute(
        sql, values
    ).fetchall():
        event = EVENT_OF_ALARM[reason]
        if reason not in WHOLE_REPO:
            run = run_id if event == STUCK else None
            yield _Past(repo, workflow, event, at, branch, run)
        elif (repo, reason, at) not in whole:
            whole.add((repo, reason, at))
            yield _Past(repo, EVERY_WORKFLOW, event, at, None, None, detail=reason)


def _is_told(db: Database, past: _Past, rules: Rules) -> bool:
    key = [past.repo, past.workflow, past.branch, past.at, past.at]
    is_muted = db.execute(_MUTED, key).fetchone() is not None
    return rules.is_sent(past.event, past.repo) and not is_muted


def _fill(db: Database, alerts: list[_Past]) -> None:
    """Put alerts into a temporary table, and the view of their facts over it."""
    [[view]] = db.execute("select sql from sqlite_master where name = 'alert_facts'")
    db.execute("create temp table alerts as select * from main.alerts limit 0")
    db.execute(re.sub(r"(?i)^create view", "create temp view", view))
    db.conn.executemany(
        "insert into temp.alerts (alert_id, repo, workflow, event, subject, at,"
        " found_at, branch, run_id, run_attempt, red_seconds, detail)"
        " values ('', :repo, :workflow, :event, '', :at, :at, :branch, :run_id,"
        " :run_attempt, :red_seconds, :detail)",
        [asdict(alert) for alert in alerts],
    )
