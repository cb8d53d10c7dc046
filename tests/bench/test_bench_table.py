"""The table of the benchmarks: goals are checked, not told."""

import pytest

from bench.table import Row, markdown, put_between_marks


def row(**given: object) -> Row:
    return Row(**{"figure": "a figure", "ours": 2, "unit": "ms"} | given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ours", "baseline", "goal", "is_met"),
    [
        (13, 10, "<= 1.3x", True),
        (13.1, 10, "<= 1.3x", False),
        (30, 10, ">= 3x", True),
        (29, 10, ">= 3x", False),
        (10, 10, "< 1x", False),
        (24.9, None, "< 25", True),
        (25, 100, "< 25", False),
        (2, 1, None, None),
    ],
)
def test_a_goal_is_of_the_ratio_or_of_our_own_figure(ours, baseline, goal, is_met):
    assert row(ours=ours, baseline=baseline, goal=goal).is_met is is_met


@pytest.mark.parametrize("goal", ["fast", "1.3x", "<= ", "<= 1.3 x"])
def test_a_goal_that_nothing_checks_is_none(goal):
    with pytest.raises(ValueError, match="is not a goal"):
        row(goal=goal)


def test_a_ratio_needs_a_baseline():
    with pytest.raises(ValueError, match="needs a baseline"):
        assert row(goal="<= 2x").is_met


def test_the_table_says_what_is_met_and_what_is_not():
    lines = markdown(
        [
            row(ours=1234.5, baseline=1000, goal="<= 1.3x"),
            row(ours=0.0123, baseline=0.01, goal="<= 1.2x"),
            row(ours=23.45),
        ]
    )

    assert list(lines) == [
        "| figure | unit | ours | baseline | ratio | goal | met |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
        "| a figure | ms | 1,234 | 1,000 | 1.23 | <= 1.3x | yes |",
        "| a figure | ms | 0.012 | 0.010 | 1.23 | <= 1.2x | **no** |",
        "| a figure | ms | 23.4 | - | - | - | - |",
    ]


def test_the_table_takes_the_place_of_the_last_one():
    text = "Before.\n<!-- measured -->\nold\n<!-- end of measured -->\nAfter.\n"

    written = put_between_marks(text, ["new", "lines"])

    assert written == (
        "Before.\n<!-- measured -->\n\nnew\nlines\n\n<!-- end of measured -->\nAfter.\n"
    )
    assert put_between_marks(written, ["new", "lines"]) == written


def test_a_document_without_marks_is_left_alone():
    with pytest.raises(ValueError, match="There are no <!-- measured"):
        put_between_marks("Nothing here.", ["new"])
