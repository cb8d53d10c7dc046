"""The table of the benchmarks checks its goals."""

import pytest

from bench.harness.table import Row, markdown, replace_marked


def row(**given: object) -> Row:
    return Row(**{"title": "a figure", "ours": 2, "unit": "ms"} | given)  # type: ignore[arg-type]


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
def test_a_goal_limits_the_ratio_or_our_figure(ours, baseline, goal, is_met):
    assert row(ours=ours, baseline=baseline, goal=goal).is_met is is_met


@pytest.mark.parametrize("goal", ["fast", "1.3x", "<= ", "<= 1.3 x"])
def test_a_malformed_goal_is_refused(goal):
    with pytest.raises(ValueError, match="is not a goal"):
        row(goal=goal)


def test_a_ratio_needs_a_baseline():
    with pytest.raises(ValueError, match="needs a baseline"):
        assert row(goal="<= 2x").is_met


def test_the_table_shows_which_goals_are_met():
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


def test_the_table_replaces_the_last_one():
    text = "Before.\n<!-- measured -->\nold\n<!-- end of measured -->\nAfter.\n"

    written = replace_marked(text, ["new", "lines"])

    assert written == (
        "Before.\n<!-- measured -->\n\nnew\nlines\n\n<!-- end of measured -->\nAfter.\n"
    )
    assert replace_marked(written, ["new", "lines"]) == written


def test_a_document_without_marks_is_refused():
    with pytest.raises(ValueError, match="needs the marks <!-- measured"):
        replace_marked("Nothing here.", ["new"])
