"""Links from a run's values on `/runs`: to the runs that share one, and to GitHub."""

from functools import cache
from typing import Any

from ci_observer.web.filters import COLUMNS
from ci_observer.web.pages.page import Pairs
from ci_observer.web.texts import MAX_CHARACTERS
from ci_observer.web.urls import pull_request_address, with_query
from ci_observer.web.vocabulary import CANCELLED, TIMED_OUT

COMPLETED = "completed"
# A result is a conclusion or, of an unfinished run, a status.
RESULT = ("status", "conclusion")


class FilterLinks:
    """Paths of the list that show the present selection, narrowed by one more value."""

    def __init__(self, selection: Pairs, display_options: Pairs) -> None:
        self._selection = selection
        self._display_options = display_options
        # A page of a thousand runs has few values.
        self._narrowed = cache(self._narrow)

    def of(self, run: dict[str, Any]) -> dict[str, str | None]:
        """The paths by filter, and one for the `result`.

        None for a value that is missing or too long to be shown, or that alone is
        selected already.
        """
        paths = {
            name: self._narrowed(name, run[column])
            for name, column in COLUMNS.items()
            if name not in RESULT
        }
        return paths | {"result": self._narrowed(*_result(run))}

    def _narrow(self, name: str, value: str | None) -> str | None:
        if not value or len(value) > MAX_CHARACTERS:
            return None
        replaced = RESULT if name in RESULT else (name,)
        others = [pair for pair in self._selection if pair[0] not in replaced]
        if {*others, (name, value)} == {*self._selection}:
            return None
        return with_query("/runs", [*others, (name, value), *self._display_options])


def _result(run: dict[str, Any]) -> tuple[str, str | None]:
    if run["status"] != COMPLETED:
        return "status", run["status"]
    has_timed_out = run["cancel_cause"] == "timeout"
    is_cancelled = run["conclusion"] == CANCELLED
    word = TIMED_OUT if is_cancelled and has_timed_out else run["conclusion"]
    return "conclusion", word


def github_links(run: dict[str, Any]) -> dict[str, str | None]:
    """The addresses of a run's commit and pull request, on the host of the run."""
    return {
        "pull_request_url": pull_request_address(run["html_url"], run["pr_number"]),
    }
