"""Checks the query string of a named screen. Pure functions.

`static/wall/view.js` reads the same parameters; a test compares both.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAX_LENGTH = 2000
ALARMS = (
    "no_access",
    "blocked",
    "stale",
    "overdue",
    "stuck",
    "disabled",
    "invalid_file",
)
ACTIVITIES = ("held", "running", "waiting", "queued", "unfinished")
RESULTS = ("failing", "unknown", "untested", "passing")
STATES = (*ALARMS, *ACTIVITIES, *RESULTS)
HIDEABLE = (*ALARMS, *RESULTS)


def _any(text: str) -> bool:
    return bool(text.strip())


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda text: text in values


def _number(least: int, most: int, form: str) -> Callable[[str], bool]:
    def is_good(text: str) -> bool:
        found = re.fullmatch(form, text)
        return found is not None and least <= int(found[1]) <= most

    return is_good


def _is_part(text: str) -> bool:
    found = re.fullmatch(r"([1-9][0-9]?)of([1-9][0-9]?)", text)
    return found is not None and int(found[1]) <= int(found[2])


def _is_tile(text: str) -> bool:
    return re.fullmatch(r"[^/]+/[^/]+/.+", text, re.S) is not None


def _is_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


_FLAG = _one_of("0", "1")
# Each parameter of the wall, whether a value of it is right, and an example.
PARAMETERS: dict[str, tuple[Callable[[str], bool], str]] = {
    "repo": (_any, "repo=acme/api"),
    "workflow": (_any, "workflow=ci.yml"),
    "branch": (_any, "branch=main"),
    "event": (_any, "event=schedule"),
    "actor": (_any, "actor=ada"),
    "team": (_any, "team=payments"),
    "state": (_one_of(*STATES), "state=failing"),
    "hide": (_one_of(*HIDEABLE), "hide=passing"),
    "q": (_any, "q=deploy"),
    "mute": (_is_tile, "mute=acme/api/nightly.yml"),
    "screen": (_is_part, "screen=1of2"),
    "sort": (_one_of("state", "name", "repo", "newest"), "sort=name"),
    "group": (_one_of("repo", "team"), "group=repo"),
    "cols": (_number(1, 20, r"([0-9]{1,2})"), "cols=6"),
    "page": (_number(5, 3600, r"([0-9]{1,4})s?"), "page=15s"),
    "theme": (_one_of("dark", "light", "auto"), "theme=light"),
    "tz": (_is_zone, "tz=Europe/Berlin"),
    "kiosk": (_FLAG, "kiosk=1"),
    "notify": (_FLAG, "notify=1"),
    "sound": (_FLAG, "sound=1"),
    "keys": (_FLAG, "keys=0"),
}


def parse_query(text: str) -> str:
    """The query string of a screen, without `?`, as browsers write it.

    Raises `ValueError` with the error and a correction.
    """
    query = text.rpartition("?")[2] if "?" in text else text
    if len(query) > MAX_LENGTH:
        raise ValueError(f"this is longer than {MAX_LENGTH} characters. Shorten it.")
    pairs = parse_qsl(query, keep_blank_values=True)
    if not pairs:
        raise ValueError(
            "this is no view. Copy what follows the ? in the address of the wall, such "
            "as repo=acme/api&hide=passing"
        )
    for name, value in pairs:
        if name not in PARAMETERS:
            near = get_close_matches(name.lower(), PARAMETERS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Write {_listed()}."
            raise ValueError(f"{name!r} is no parameter of the wall. {hint}")
        is_good, example = PARAMETERS[name]
        if not is_good(value):
            raise ValueError(
                f"{name}={value} is not understood. Write for example {example}"
            )
    return urlencode(pairs)


def _listed() -> str:
    *names, last = PARAMETERS
    return f"{', '.join(names)} or {last}"
