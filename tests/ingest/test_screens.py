"""Screens and schedules of the settings file, checked as the wall reads them."""

import re
from pathlib import Path

import pytest

from ci_observer.ingest.config import screens
from ci_observer.ingest.config.schedules import longest_gap
from ci_observer.ingest.config.screens import PARAMETERS, parse_query
from ci_observer.web import vocabulary

ROOT = Path(__file__).parents[2]
HOUR = 3600


def test_the_parameters_are_those_of_the_wall():
    script = (ROOT / "static/wall/view.js").read_text()
    [block] = re.findall(r"^const PARAMETERS = \{\n(.*?)^\};", script, re.M | re.S)

    names = re.findall(r"^  (\w+): ", block, re.M)
    # A stored view is of now.
    assert [name for name in names if name != "at"] == list(PARAMETERS)
    assert set(screens.STATES) == set(vocabulary.STATES)
    assert set(screens.HIDEABLE) == set(vocabulary.STATES) - set(vocabulary.ACTIVITIES)


def test_the_examples_of_errors_are_right():
    for _, example in PARAMETERS.values():
        assert parse_query(example)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("team=pay&kiosk=1", "team=pay&kiosk=1"),
        ("?team=pay", "team=pay"),
        ("https://ci.example.com/?team=a b&q=x", "team=a+b&q=x"),
        ("repo=acme/api&repo=acme%2Fweb", "repo=acme%2Fapi&repo=acme%2Fweb"),
    ],
)
def test_a_view_is_the_query_string_of_an_address(text, query):
    assert parse_query(text) == query


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no view"),
        ("payments", "is no parameter of the wall"),
        ("groups=repo", "Did you mean group?"),
        ("state=green", "state=green is not understood"),
        ("hide=running", "hide=running is not understood"),
        ("cols=21", "cols=21 is not understood"),
        ("page=1s", "page=1s is not understood"),
        ("screen=3of2", "screen=3of2 is not understood"),
        ("tz=Mars", "tz=Mars is not understood"),
        ("kiosk=yes", "Write for example kiosk=1"),
        ("mute=acme/api", "mute=acme/api is not understood"),
        ("q=" + "x" * 3000, "longer than 2000 characters"),
    ],
)
def test_a_wrong_view_says_what_to_write(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_query(text)


@pytest.mark.parametrize(
    ("texts", "hours"),
    [
        (("hourly",), 1),
        (("daily",), 24),
        (("weekly",), 168),
        (("every 6 hours",), 6),
        (("12h",), 12),
        (("0 3 * * *",), 24),
        (("*/15 * * * *",), 0.25),
        (("0 3 * * 1-5",), 72),
        (("0 3 * * MON-FRI",), 72),
        (("0 0 1 * *",), 31 * 24),
        (("0 0 * * 7",), 168),
        # One of two days is enough.
        (("0 0 13 * 5",), 168),
        (("0 3 * * *", "0 15 * * *"), 12),
    ],
)
def test_a_schedule_has_a_longest_time_between_two_runs(texts, hours):
    assert longest_gap(texts) == hours * HOUR


@pytest.mark.parametrize(
    "text",
    ["", "dayly", "60 * * * *", "* * * *", "0 0 31 2 *", "0 0 29 2 *", "every 0 hours"],
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ValueError, match="no schedule"):
        longest_gap((text,))
