"""Who broke a tile, and who fixed it: in words, and as the parts of a line of links."""

from datetime import datetime, timedelta
from typing import Any

from ci_observer.web.pages.times import duration
from ci_observer.web.pages.workflow_links import Links
from ci_observer.web.vocabulary import state_of

Tile = dict[str, Any]

# For how long a wall shows that a tile was fixed.
RECOVERY = timedelta(minutes=30)


def change_text(tile: Tile, now: datetime) -> str | None:
    """The change of a failing tile, or of one that was fixed in the last 30 minutes."""
    change = latest_change(tile)
    if change == "fixed" and now - datetime.fromisoformat(tile["fixed_at"]) > RECOVERY:
        return None
    return change and ", ".join(_parts(tile, change))


def latest_change(tile: Tile) -> str | None:
    """`broken` or `fixed`; None if the tile's runs prove neither."""
    if tile["broken_run_id"]:
        return "broken"
    is_green = state_of(tile) == "passing"
    return "fixed" if tile["fixed_run_id"] and is_green else None


def change_url(tile: Tile) -> str | None:
    """The page on GitHub of the run that made this change."""
    change = latest_change(tile)
    url: str | None = tile[f"{change}_html_url"] if change else None
    return url


def starter(tile: Tile, change: str) -> str | None:
    """Who started the run that broke or fixed the tile.

    None for a scheduled run, whose actor is whoever last changed the schedule.
    """
    is_scheduled = tile[f"{change}_event"] == "schedule"
    if is_scheduled and tile[f"{change}_run_attempt"] == 1:
        return None
    name: str | None = tile[f"{change}_actor"]
    return name


def change_links(tile: Tile, links: Links) -> dict[str, Any] | None:
    """The parts of the line about the latest change, each with its link."""
    change = latest_change(tile)
    if change is None:
        return None
    name, at = starter(tile, change), tile[f"{change}_at"]
    sha = tile["broken_head_sha"] if change == "broken" else None
    return {
        "word": change.capitalize(),
        "number": tile[f"{change}_run_number"],
        "attempt": tile[f"{change}_run_attempt"],
        "url": tile[f"{change}_html_url"],
        "starter": name,
        "starter_path": name and links.runs(actor=name),
        "at": at,
        # The runs from the first failing one on, or up to the one that passed.
        "at_path": links.runs(**{"since" if change == "broken" else "until": at}),
        "sha": sha,
        "usual_fix_seconds": tile["usual_fix_seconds"] if change == "broken" else None,
        "red_seconds": tile["red_seconds"],
    }


def _parts(tile: Tile, change: str) -> list[str]:
    usual, red = tile["usual_fix_seconds"], tile["red_seconds"]
    parts = (
        f"{change} by #{tile[f'{change}_run_number']}",
        starter(tile, change),
        f"usually fixed in {duration(usual)}" if change == "broken" and usual else None,
        f"was red {duration(red)}" if change == "fixed" and red else None,
    )
    return [part for part in parts if part]
