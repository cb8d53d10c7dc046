"""Whether the text of a time in a peer's response is a time."""

from datetime import datetime

# The bounds of times in a database, which every time zone and program has.
FIRST_YEAR, LAST_YEAR = 1970, 2199


def is_real_time(text: str) -> bool:
    """Whether an ISO text has a month from 1 to 12, and so on, and a sensible year."""
    try:
        return FIRST_YEAR <= datetime.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False
