"""Which alerts a change of a tile makes. Pure functions.

The wall decides what a tile is; these functions only compare it with its last alerts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

BROKEN, FIXED, STUCK, OVERDUE = "broken", "fixed", "stuck", "overdue"
DISABLED, NO_ACCESS, TOKEN, STALE = "disabled", "no_access", "token", "stale"
# The values of `ALERT_EVENTS`.
EVENTS = (BROKEN, FIXED, STUCK, OVERDUE, DISABLED, NO_ACCESS, TOKEN, STALE)
# Days before the end of the token at which it is told.
TOKEN_DAYS = (1, 3, 14)

# The alarms of a tile that are told as soon as it has them. Staleness has to last.
EVENT_OF_ALARM = {
    "stuck": STUCK,
    "overdue": OVERDUE,
    "disabled": DISABLED,
    "blocked": DISABLED,
    "no_access": NO_ACCESS,
}
# Alarms with which the last result is still that of the branch.
WITH_RESULT = (None, "invalid_file", STUCK, OVERDUE)
# What `Told.broken` is: not told yet, told, or from before alerts.
COUNTING, IS_TOLD, OLD = "counting", "told", "old"
ARCHIVED = "archived"
# The detail of `fixed` if the branch is green without a run that fixed it.
NO_FIX = "no_fix"
# The value of `Told.alarm` while the feed is not watched.
UNWATCHED = "unwatched"
EVERY_WORKFLOW = "*"


@dataclass(frozen=True)
class Tile:
    """A tile of a default branch: a row of the view `told_tiles`."""

    repo: str
    workflow: str
    branch: str | None
    last_result: str
    alarm: str | None
    error: str | None
    untested_reason: str | None
    streak: int
    broken_run_id: int | None
    broken_run_attempt: int | None
    fixed_run_id: int | None
    fixed_run_attempt: int | None
    fixed_at: str | None
    red_seconds: int | None
    last_result_run_id: int | None
    last_result_run_attempt: int | None
    last_result_started_at: str | None
    workflow_state: str | None
    stuck_run_id: int | None
    stuck_at: str | None
    overdue_at: str | None
    stale_at: str | None
    blocked_at: str | None
    is_muted: int
    was_fetched: int


@dataclass(frozen=True)
class Told:
    """The state of a tile in its last alerts, from when on it is known."""

    known_at: str
    broken: str | None = None
    alarm: str | None = None

    @property
    def is_broken(self) -> bool:
        """Whether `broken` was told, and `fixed` not yet."""
        return self.broken == IS_TOLD


@dataclass(frozen=True)
class Break:
    """A break that was told: the branch of its run, and when it ended."""

    branch: str | None
    at: str


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A change to tell. `subject` is the same if the change is found again.

    `is_whole_repo` if it concerns all workflows of the repository at once.
    """

    event: str
    subject: str
    at: str
    run_id: int | None = None
    run_attempt: int | None = None
    streak: int | None = None
    red_seconds: int | None = None
    detail: str | None = None
    is_whole_repo: bool = False


def first_told(tile: Tile, before: Told | None, now: str) -> Told:
    """The state of a new tile: all that it shows counts as told.

    One that was told as broken before, and has not passed since, will be told as fixed.
    """
    broken = OLD if tile.last_result == "failing" else None
    if before and before.broken == IS_TOLD and not _has_passed(tile):
        broken = IS_TOLD
    return Told(now, broken, _lasting_alarm(tile, None))


def compare(
    tile: Tile,
    told: Told,
    *,
    now: str,
    decided_at: str | None,
    last_break: Break | None,
    after: int,
) -> tuple[Told, list[Alert]]:
    """The new state of a tile, and its alerts.

    `decided_at` is when the run ended that broke it, `last_break` the break that was
    told, and `after` the number of failures in a row that are told. A muted tile tells
    nothing, and is compared when the mute has ended.
    """
    if tile.is_muted:
        return told, []
    broken, alerts = told.broken, list(_alarm_alerts(tile, told, now))
    if tile.alarm in WITH_RESULT:
        broken = _next_broken(tile, told, decided_at, after)
        if broken == IS_TOLD and not told.is_broken:
            alerts.append(_broken_alert(tile, decided_at or now))
        elif broken is None and told.is_broken:
            alerts.append(_fixed_alert(tile, last_break, now))
    return replace(told, broken=broken, alarm=_lasting_alarm(tile, told.alarm)), alerts


def _next_broken(
    tile: Tile, told: Told, decided_at: str | None, after: int
) -> str | None:
    if _has_passed(tile):
        return None
    if tile.last_result != "failing" or told.broken in (IS_TOLD, OLD):
        return told.broken
    if (decided_at or "~") <= told.known_at:
        # It broke before it was watched, or before there were alerts.
        return OLD
    return IS_TOLD if tile.streak >= after else COUNTING


def _broken_alert(tile: Tile, decided_at: str) -> Alert:
    return Alert(
        event=BROKEN,
        subject=f"{tile.broken_run_id}/{tile.broken_run_attempt}",
        at=decided_at,
        run_id=tile.broken_run_id,
        run_attempt=tile.broken_run_attempt,
        streak=tile.streak,
    )


def _fixed_alert(tile: Tile, last_break: Break | None, now: str) -> Alert:
    """The fix of the break that was told; the last fix of the tile may be older.

    Then the last result has fixed it, unless it is older, too: the repository has
    another default branch, or the run that broke it is deleted.
    """
    since = last_break.at if last_break else ""
    if tile.fixed_at and tile.fixed_at >= since:
        return Alert(
            event=FIXED,
            subject=f"{tile.fixed_run_id}/{tile.fixed_run_attempt}",
            at=tile.fixed_at,
            run_id=tile.fixed_run_id,
            run_attempt=tile.fixed_run_attempt,
            red_seconds=tile.red_seconds,
        )
    is_other_branch = last_break is not None and last_break.branch != tile.branch
    is_older = (tile.last_result_started_at or "") < since
    run_id, attempt = tile.last_result_run_id, tile.last_result_run_attempt
    return Alert(
        event=FIXED,
        subject=f"{run_id}/{attempt} {now}",
        at=now,
        run_id=run_id,
        run_attempt=attempt,
        detail=NO_FIX if is_other_branch or is_older else None,
    )


def _alarm_alerts(tile: Tile, told: Told, now: str) -> Iterator[Alert]:
    alarm = tile.alarm
    if alarm not in EVENT_OF_ALARM or not tile.was_fetched:
        return
    # Another run may be stuck now; one that was told is not told again.
    if alarm == told.alarm and alarm != STUCK:
        return
    event = EVENT_OF_ALARM[alarm]
    # One that began before is of the past, if it was hidden by another until now.
    begins_at = {
        STUCK: tile.stuck_at,
        OVERDUE: tile.overdue_at,
        "blocked": tile.blocked_at,
    }.get(alarm)
    if begins_at and begins_at <= told.known_at:
        return
    if alarm == STUCK:
        yield Alert(
            event=event,
            subject=str(tile.stuck_run_id),
            at=tile.stuck_at or now,
            run_id=tile.stuck_run_id,
        )
    elif alarm == OVERDUE:
        at = tile.overdue_at or now
        yield Alert(event=event, subject=at, at=at)
    else:
        details = {"blocked": alarm, DISABLED: tile.workflow_state}
        yield Alert(
            event=event,
            subject=now,
            at=now,
            detail=details.get(alarm) or tile.error or tile.workflow_state,
            is_whole_repo=alarm != DISABLED or tile.workflow_state == ARCHIVED,
        )


def _has_passed(tile: Tile) -> bool:
    return tile.last_result == "passing" and tile.untested_reason is None


def _lasting_alarm(tile: Tile, before: str | None) -> str | None:
    """The alarm that is told. While data are stale, the one before may still hold."""
    return before if tile.alarm == STALE else tile.alarm


def token_alert(expires_at: str, seconds: float) -> Alert | None:
    """The alert about a token that expires in some seconds, if that is soon."""
    for days in TOKEN_DAYS:
        if 0 < seconds <= days * 86_400:
            subject = f"{expires_at} {days}"
            return Alert(event=TOKEN, subject=subject, at=expires_at)
    return None
