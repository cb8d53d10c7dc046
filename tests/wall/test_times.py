"""Scripts and server write times, durations and shares alike."""

from typing import TYPE_CHECKING, Any

import pytest

from ci_observer.web.pages import times

if TYPE_CHECKING:
    from browser import Visit

FORMAT = """
  async ([name, values]) => {
    const format = await import("/static/shared/format.js");
    const call = name === "ago" ? (age) => format.ago(0, age) : format[name];
    return values.map(call);
  }
"""
SECONDS = {
    0: ("0 s", "0 s ago"),
    3: ("3 s", "3 s ago"),
    59: ("59 s", "59 s ago"),
    59.6: ("1 min", "59 s ago"),
    60: ("1 min", "1 min ago"),
    89: ("1 min", "1 min ago"),
    240: ("4 min", "4 min ago"),
    3569: ("59 min", "59 min ago"),
    3599: ("1 h", "59 min ago"),
    3600: ("1 h", "1 h ago"),
    3659: ("1 h", "1 h ago"),
    5220: ("1 h 27 min", "1 h ago"),
    86399: ("23 h 59 min", "23 h ago"),
    172799: ("47 h 59 min", "47 h ago"),
    172800: ("2 d", "2 d ago"),
    560000: ("6 d", "6 d ago"),
    -5: ("0 s", "0 s ago"),
}
SHARES = {
    0: "0 %",
    0.004: "0.4 %",
    0.0667: "6.7 %",
    0.05: "5 %",
    0.0996: "10 %",
    0.125: "13 %",
    0.95: "95 %",
    0.9999: "99 %",
    1: "100 %",
}


def spaced(texts: list[str]) -> list[str]:
    """With a no-break space between each number and its unit only."""
    for text in texts:
        assert "\N{NO-BREAK SPACE}" in text
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in texts]


def test_the_server_writes_times_with_one_set_of_units() -> None:
    durations, ages = map(list, zip(*SECONDS.values(), strict=True))
    assert spaced([times.duration(s) for s in SECONDS]) == durations
    assert spaced([times.ago(s) for s in SECONDS]) == ages
    assert spaced([times.percent(share) for share in SHARES]) == [*SHARES.values()]


@pytest.mark.browser
def test_scripts_write_times_as_the_server_does(visit: "Visit") -> None:
    page = visit.open("static/shared/favicon-passing.svg")

    def written(name: str, values: Any) -> list[str]:
        texts: list[str] = page.evaluate(FORMAT, [name, list(values)])
        return texts

    assert written("duration", SECONDS) == [times.duration(s) for s in SECONDS]
    assert written("ago", SECONDS) == [times.ago(s) for s in SECONDS]
    assert written("percent", SHARES) == [times.percent(share) for share in SHARES]
