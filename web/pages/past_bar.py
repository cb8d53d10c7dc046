"""The bar above the wall of a past time: which time, how to step, what is not known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ci_observer.web.pages.times import ago, exact_time

Facts = dict[str, Any]

# The step's label, its name, its length, and its key in the script.
STEPS = (
    ("1 d", "1 day", timedelta(days=1), "{"),
    ("1 h", "1 hour", timedelta(hours=1), "["),
)
KEYS_FORWARD = {"{": "}", "[": "]"}
# Seconds of the archive that pass in a second of playing.
SPEEDS = ((600, "10 min"), (3600, "1 h"), (6 * 3600, "6 h"), (86400, "1 d"))


def past_bar(
    facts: Facts, *, now: str, zone: ZoneInfo, address: Callable[[str | None], str]
) -> Facts:
    """The variables of `templates/_past_bar.html`.

    `facts` are the keys of `/api/wall?at=` beside its tiles. `address` gives the page's
    own address at another time; None means now.
    """
    at, latest = _instant(facts["at"]), _instant(now)

    def link(label: str, moment: datetime | str | None, key: str, title: str) -> Facts:
        text = _text(moment) if isinstance(moment, datetime) else moment
        is_possible = text is not None and text <= now
        href = address(text) if is_possible else None
        return {"label": label, "href": href, "key": key, "title": title}

    back = [
        link(f"\N{MINUS SIGN}{label}", at - step, key, f"{name} earlier")
        for label, name, step, key in STEPS
    ]
    forward = [
        link(f"+{label}", at + step, KEYS_FORWARD[key], f"{name} later")
        for label, name, step, key in reversed(STEPS)
    ]
    earlier = "The last change of a tile's state before"
    later = "The next change of a tile's state"
    return {
        "at": facts["at"],
        "now": now,
        "day": f"{at.astimezone(zone):%a} {at.astimezone(zone):%d %b %Y}",
        "time": f"{at.astimezone(zone):%H:%M:%S}".removesuffix(":00"),
        "zone": zone.key,
        "ago": ago((latest - at).total_seconds()),
        "field": f"{at.astimezone(zone):%Y-%m-%dT%H:%M}",
        "latest": f"{latest.astimezone(zone):%Y-%m-%dT%H:%M}",
        "back": [
            *back,
            link(
                "\N{LEFTWARDS ARROW} change", facts["previous_change_at"], "<", earlier
            ),
        ],
        "forward": [
            link("change \N{RIGHTWARDS ARROW}", facts["next_change_at"], ">", later),
            *forward,
        ],
        "now_href": address(None),
        "speeds": SPEEDS,
        "notes": _notes(facts, zone),
    }


def _notes(facts: Facts, zone: ZoneInfo) -> list[str]:
    archive, recorded = facts["archive_since"], facts["recorded_since"]
    if archive is None or facts["at"] < archive:
        begins = f"begins {exact_time(archive, zone)}" if archive else "is empty"
        return [f"The archive {begins}: nothing is known of this time."]
    if recorded is None or facts["at"] < recorded:
        since = exact_time(recorded, zone) if recorded else "no time yet"
        return [
            "Disabled workflows, default branches and errors are recorded since"
            f" {since}. Before that they are unknown: no tile is proved to have been"
            " green."
        ]
    return []


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
