"""What main is now: the tiles of the wall, as green, red or unknown."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ci_observer.web.summary.counts import Numbers

GREEN, RED, UNKNOWN = "green", "red", "unknown"
STATES = {"passing": GREEN, "failing": RED}
# The alarms that concern the schedule or the file of a workflow, most urgent first.
ALARMS = ("stuck", "overdue", "disabled")

Tile = dict[str, Any]


def state_of_tile(tile: Tile) -> str:
    """`green` if the tile passes, `red` if it fails, else `unknown`."""
    return STATES.get(tile["tile_state"], UNKNOWN)


def present(
    tiles: list[Tile], since: Mapping[tuple[str, str], tuple[str, str]]
) -> Numbers:
    """What main is now, of all workflows together: red if any of them is red.

    A muted tile is neither red nor green, as on the wall, and counted apart.
    `since` has the state of each feed and since when. `since_at` is when the last of
    them turned green, or the first of those that are red now turned red; None if the
    state is unknown.
    """
    found = [tile for tile in tiles if has_result(tile)]
    judged = [tile for tile in found if not is_muted(tile)]
    counts = Counter(map(state_of_tile, judged))
    repos: dict[str, set[str]] = {}
    for tile in judged:
        repos.setdefault(tile["repo"], set()).add(state_of_tile(tile))
    of_repos = Counter(_worst(states) for states in repos.values())
    state = _worst(counts)
    return {
        "state": state,
        "since_at": _since(state, judged, since),
        "workflows": len(judged),
        **{f"{name}_workflows": counts[name] for name in (GREEN, RED, UNKNOWN)},
        "repositories": len(repos),
        **{f"{name}_repositories": of_repos[name] for name in (GREEN, RED, UNKNOWN)},
        "without_result": len(tiles) - len(found),
        "muted_workflows": len(found) - len(judged),
    }


def has_result(tile: Tile) -> bool:
    """Whether the tile counts: a workflow that has never run on main has no state."""
    return bool(tile["tile_state"] != "unknown" or tile["last_result"] != "unknown")


def is_muted(tile: Tile) -> bool:
    return bool(tile["muted_until"])


def _worst(states: Collection[str]) -> str:
    return next((name for name in (RED, UNKNOWN, GREEN) if name in states), UNKNOWN)


def _since(
    state: str,
    tiles: Iterable[Tile],
    since: Mapping[tuple[str, str], tuple[str, str]],
) -> str | None:
    times = []
    for tile in tiles:
        if state_of_tile(tile) == state:
            found, from_at = since.get((tile["repo"], tile["workflow"]), ("", ""))
            if found == state:
                times.append(from_at)
    if not times or state == UNKNOWN:
        return None
    return max(times) if state == GREEN else min(times)


def alarms(tiles: Iterable[Tile]) -> list[Numbers]:
    """The workflows that are stuck, overdue or disabled, or whose schedule is gone."""
    rows = [_alarm(tile) for tile in tiles if _alarm_of(tile) and not is_muted(tile)]
    order = {name: number for number, name in enumerate((*ALARMS, "no_schedule"))}
    return sorted(
        rows, key=lambda row: (order[row["alarm"]], row["since_at"] or "", row["repo"])
    )


def _alarm_of(tile: Tile) -> str | None:
    if tile["alarm"] in ALARMS:
        return str(tile["alarm"])
    is_gone = tile["no_scheduled_run_since"] and not tile["alarm"]
    return "no_schedule" if is_gone else None


def _alarm(tile: Tile) -> Numbers:
    alarm = _alarm_of(tile)
    since = {
        "stuck": tile["stuck_started_at"],
        "overdue": tile["overdue_at"],
        "no_schedule": tile["no_scheduled_run_since"],
    }
    return {
        "repo": tile["repo"],
        "workflow": tile["workflow"],
        "workflow_name": tile["workflow_name"],
        "branch": tile["branch"],
        "alarm": alarm,
        "since_at": since.get(alarm or ""),
        "workflow_state": tile["workflow_state"],
        "html_url": tile["stuck_html_url"] if alarm == "stuck" else None,
    }
