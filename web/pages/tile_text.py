"""A tile's state in words, as `static/shared/tile_text.js` writes it for the wall."""

from collections.abc import Callable
from typing import Any

from ci_observer.web.pages.times import MINUTE, duration
from ci_observer.web.vocabulary import (
    FAILURES,
    STARTUP_FAILURE,
    label_of,
    state_of,
)

Tile = dict[str, Any]

BLOCKED = "GitHub runs nothing here: account or repository blocked (billing, policy)"
# GitHub's API has no text of the reason, neither in the run nor in jobs.
NOT_STARTED = "could not start, no job ran; GitHub's page may say why"
WITHOUT_RUN = {
    "pull_requests_only": "runs on pull requests only",
    "no_run": "no run yet",
}


def state_reason(tile: Tile, when: Callable[[str], str]) -> str | None:
    """Why the tile is in its state; None if the state says it all.

    `when` writes a time.
    """
    state = state_of(tile)
    reasons = {
        "blocked": BLOCKED,
        "untested": _untested(tile),
        "disabled": label_of(tile["workflow_state"]),
        "stuck": f"#{tile['stuck_run_number']} {label_of(tile['stuck_activity'])}"
        f" since {when(tile['stuck_started_at'])}",
        "unknown": WITHOUT_RUN.get(tile["unknown_reason"]),
        "failing": _failure(tile),
    }
    reason = tile["error"] or reasons.get(state) or _gone_schedule(tile)
    is_lost = tile["lost_run_id"] and not tile["alarm"]
    parts = (reason, "newest commit not tested" if is_lost else None)
    return ", ".join(filter(None, parts)) or None


def error_text(tile: Tile) -> str | None:
    """The error of the failed job; None unless it is why the tile is failing.

    A job that timed out has no other reason.
    """
    is_failing = state_of(tile) in ("failing", "invalid_file")
    timed_out = tile["last_result_cancel_cause"] == "timeout"
    text: str | None = tile["error_message"]
    return text if is_failing and not timed_out else None


def same_error(tile: Tile, when: Callable[[str], str]) -> str | None:
    """Which other tiles fail with this error, and since when."""
    others = tile["error_other_tiles"]
    if not others or not error_text(tile):
        return None
    workflows = "workflow" if others == 1 else "workflows"
    since = when(tile["error_since_at"])
    return f"same error in {others} other {workflows} since {since}"


def reason_url(tile: Tile) -> str | None:
    """The page on GitHub of the run that the reason is about."""
    if state_of(tile) not in ("blocked", "stuck", "untested"):
        lost_url: str | None = tile["lost_html_url"]
        return lost_url
    url: str | None = tile[f"{state_of(tile)}_html_url"]
    return url


def _untested(tile: Tile) -> str:
    reason, runs = tile["untested_reason"], tile["untested_runs"] or 0
    if reason == "no_runs":
        return "GitHub lists no runs any more"
    newest, ending = (f"newest {runs}", "s") if runs > 1 else ("newest", "")
    if reason == "unknown_conclusion":
        word = label_of(tile["untested_conclusion"] or "no conclusion")
        text = f"{newest} result{ending} not understood: {word}"
    else:
        words = {"phantom": "failed in 0 s, without jobs"}
        text = f"{newest} run{ending} {words.get(reason, reason)}"
    if tile["cancelled_by"]:
        text += f"{', the last' if runs > 1 else ''} by {tile['cancelled_by']}"
    return text


def _failure(tile: Tile) -> str | None:
    """How the last result failed, unless it simply did."""
    limit, conclusion = tile["timed_out_seconds"], tile["last_result_conclusion"]
    if tile["last_result_cancel_cause"] == "timeout":
        minutes = limit and limit - limit % MINUTE
        return f"timed out after {duration(minutes)}" if minutes else "timed out"
    if conclusion == STARTUP_FAILURE:
        return NOT_STARTED
    return label_of(conclusion) if conclusion in FAILURES[1:] else None


def _gone_schedule(tile: Tile) -> str | None:
    at = tile["no_scheduled_run_since"]
    return f"no scheduled run since {at[:10]}" if at else None
