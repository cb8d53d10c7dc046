"""One vocabulary of results: scripts, styles, symbols and queries agree with Python."""

import ast
import re
from pathlib import Path

import pytest

from ci_observer import ROOT
from ci_observer.web import vocabulary
from ci_observer.web.vocabulary import (
    ACTIVITIES,
    ALARMS,
    CONCLUSIONS,
    DECISIVE,
    FAILING_ALARM,
    FAILURES,
    FLAKY_FAILURES,
    STATES,
    STATUSES,
)

RESULTS = (*CONCLUSIONS.values(), *STATUSES.values())
CSS_CLASSES = {result.css_class for result in RESULTS}
# `export const NAME = ["a", ...OTHER];`
ARRAY = re.compile(r"export const ([A-Z_]+) =\s*\[(.*?)\];", re.DOTALL)
ITEM = re.compile(r'"(\w+)"|\.\.\.([A-Z_]+)')


def arrays_of(script: str) -> dict[str, tuple[str, ...]]:
    """The arrays of strings that a script exports, with spread arrays filled in."""
    arrays: dict[str, tuple[str, ...]] = {}
    for name, items in ARRAY.findall(script):
        arrays[name] = tuple(
            value
            for text, spread in ITEM.findall(items)
            for value in ([text] if text else arrays[spread])
        )
    return arrays


def conclusions_in(text: str) -> set[tuple[str, ...]]:
    """The lists of conclusions with a failure, in SQL and in links to Datasette."""
    lists = re.findall(r"conclusion in \(([^)]*)\)", text)
    lists += re.findall(r"conclusion__in=([\w,]+)", text)
    found = {tuple(re.findall(r"\w+", names)) for names in lists}
    return {names for names in found if {*names} & {*FAILURES}}


@pytest.mark.parametrize("name", ["ALARMS", "ACTIVITIES", "STATES", "FAILURES"])
def test_the_scripts_have_the_same_lists(name: str) -> None:
    script = (ROOT / "static/shared/vocabulary.js").read_text()

    assert arrays_of(script)[name] == getattr(vocabulary, name)


def test_no_other_script_lists_conclusions_or_states() -> None:
    words = "|".join({*FAILURES, *ALARMS, *ACTIVITIES} - {"stale", "disabled"})
    several = re.compile(rf'"({words})",\s*"({words})"')
    scripts = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "static").rglob("*.js"))
        if several.search(path.read_text())
    ]

    assert scripts == ["static/shared/vocabulary.js"]


def test_each_state_is_listed_once() -> None:
    assert sorted(STATES) == sorted({*STATES})
    assert {*STATES} == {
        *ALARMS,
        *ACTIVITIES,
        FAILING_ALARM,
        "failing",
        "passing",
        "unknown",
        "untested",
    }


def test_each_state_and_result_has_a_symbol() -> None:
    pages = ("_symbols.html", "_result_symbols.html")
    text = "".join((ROOT / "templates" / page).read_text() for page in pages)
    symbols = re.findall(r'id="symbol-(\w+)"', text)

    assert sorted(symbols) == sorted({*STATES, *(result.symbol for result in RESULTS)})


@pytest.mark.parametrize(
    ("sheet", "element"), [("pages.css", ".result"), ("pages.css", ".cell")]
)
def test_each_result_has_a_style(sheet: str, element: str) -> None:
    styles = (ROOT / "static/pages" / sheet).read_text()

    found = re.findall(re.escape(element) + r'\[data-look="(\w+)"\]', styles)

    assert {*found} == CSS_CLASSES


def test_failures_are_the_results_shown_as_bad() -> None:
    bad = [name for name, result in CONCLUSIONS.items() if result.css_class == "bad"]

    assert sorted(bad) == sorted(FAILURES)
    assert {*FLAKY_FAILURES} < {*FAILURES} < {*DECISIVE} < {*CONCLUSIONS}


def test_the_example_queries_list_the_same_conclusions() -> None:
    text = (ROOT / "metadata.yml").read_text()

    assert conclusions_in(text) == {
        FAILURES,
        DECISIVE,
        FLAKY_FAILURES,
        ("success", *FLAKY_FAILURES),
    }


def test_no_other_module_lists_conclusions() -> None:
    """The modules of the web side take the lists from `web/vocabulary.py`."""
    for path in [*(ROOT / "web").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        if path.name != "vocabulary.py":
            assert failures_in(path) == set(), path


def failures_in(path: Path) -> set[str]:
    strings = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return strings & {*FAILURES}
