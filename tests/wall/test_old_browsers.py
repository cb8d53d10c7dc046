"""Screens are old, so the pages must work in Chromium 86, of 2020."""

import re
from pathlib import Path
from typing import Any

import pytest

from ci_observer.web.joined_files import joined_script
from ci_observer.web.pages.wall_files import FORMATS

ROOT = Path(__file__).parents[2]
ACORN = ROOT / ".node/node_modules/acorn/dist/acorn.js"
SCRIPTS = sorted((ROOT / "static").rglob("*.js"))
STYLES = sorted((ROOT / "static").rglob("*.css"))

# The syntax is ECMAScript 2020. Names that came later, with their version of Chromium:
# https://caniuse.com/.
LATER_METHODS = {
    "at": 92,
    "checkVisibility": 105,
    "findLast": 97,
    "findLastIndex": 97,
    "groupBy": 117,
    "hasOwn": 93,
    "isWellFormed": 111,
    "randomUUID": 92,
    "showPopover": 114,
    "throwIfAborted": 100,
    "timeout": 103,
    "toReversed": 110,
    "toSorted": 110,
    "toSpliced": 110,
    "togglePopover": 114,
    "withResolvers": 119,
}
LATER_GLOBALS = {"reportError": 95, "structuredClone": 98}
LATER_CSS = {
    r":has\(": 105,
    r":is\(": 88,
    r":where\(": 88,
    r":user-valid": 119,
    r"@container": 105,
    r"@layer": 99,
    r"@scope": 118,
    r"@starting-style": 117,
    r"(?:^|[\s;{])&": 112,
    r"\binset(?:-\w+)*\s*:": 87,
    r"\baspect-ratio\s*:": 88,
    r"\baccent-color\s*:": 93,
    r"\bcontainer(?:-\w+)?\s*:": 105,
    r"\bcontent\s*:\s*[^;]*\s/\s": 77,
    r"\bcolor-mix\(": 111,
    r"\blight-dark\(": 123,
    r"\b(?:oklch|oklab|lch|lab)\(": 111,
    r"\d[sdl]v[hw]\b": 108,
    r"\b(?:translate|rotate|scale)\s*:": 104,
    r"\btext-wrap\s*:": 114,
    r"\boverflow\s*:\s*clip": 90,
    r"\bsubgrid\b": 117,
}
PARSE = """
([code, methods, globals]) => {
  const found = [];
  (function walk(node) {
    if (!node || typeof node !== "object") return;
    const { callee } = node;
    if (callee && globals.includes(callee.name)) found.push(callee.name);
    const method = callee && !callee.computed && callee.property;
    if (method && methods.includes(method.name)) found.push(method.name);
    Object.values(node).forEach(walk);
  })(acorn.parse(code, { ecmaVersion: 2020, sourceType: "module" }));
  return found;
}
"""


def later_names(page: Any, code: str) -> list[str]:
    """The names that a script calls and Chromium 86 lacks. Newer syntax is an error."""
    found: list[str] = page.evaluate(PARSE, [code, [*LATER_METHODS], [*LATER_GLOBALS]])
    return found


def later_css(text: str) -> list[str]:
    """The patterns of CSS that a stylesheet uses and Chromium 86 lacks."""
    rules = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return [pattern for pattern in LATER_CSS if re.search(pattern, rules, re.M)]


@pytest.fixture
def parser(chromium: Any) -> Any:
    """A page with acorn, which parses JavaScript of any year."""
    if not ACORN.exists():
        pytest.skip("acorn is not installed: CONTRIBUTING.md says how")
    page = chromium.new_page()
    page.add_script_tag(content=ACORN.read_text())
    return page


@pytest.mark.browser
def test_scripts_are_understood(parser: Any) -> None:
    scripts = {str(path.relative_to(ROOT)): path.read_text() for path in SCRIPTS}
    for kinds in ([], ["many", "filtered"]):
        joined = joined_script(ROOT / "static", FORMATS["js"].names(kinds))
        scripts[f"joined {kinds}"] = joined.content.decode()
    for name, code in scripts.items():
        assert (name, later_names(parser, code)) == (name, [])


@pytest.mark.browser
@pytest.mark.parametrize(
    "code",
    [
        "a ??= 1",
        "class A { static b = 1 }",
        "await a",
        "1_000",
    ],
)
def test_newer_syntax_is_noticed(parser: Any, code: str) -> None:
    with pytest.raises(Exception, match="SyntaxError"):
        later_names(parser, code)


@pytest.mark.browser
def test_newer_names_are_noticed(parser: Any) -> None:
    code = "[1].at(-1); structuredClone({}); a?.b ?? c; at(a.at); import('./b.js')"
    assert later_names(parser, code) == ["at", "structuredClone"]


@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.name)
def test_styles_are_understood(style: Path) -> None:
    assert later_css(style.read_text()) == []


def test_newer_css_is_noticed() -> None:
    assert later_css("a:has(b) { inset: 0 }") == [r":has\(", r"\binset(?:-\w+)*\s*:"]
    assert later_css("/* inset: 0 */ a { inset-inline: 0; & b { top: 0 } }") == [
        r"(?:^|[\s;{])&",
        r"\binset(?:-\w+)*\s*:",
    ]
