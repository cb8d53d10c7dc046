"""The wall stays small enough for a screen with hardware of ten years ago."""

import re
from pathlib import Path

from ci_observer.web.pages.wall_files import FORMATS

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "static"
# 3,000 of them are the reasons of untested, blocked and stuck tiles; 15,000 name whose
# build is red, who broke it, why, and what the wall leaves out; 2,500 draw it faster;
# 1,300 notice that a cache repeats old responses; 700 show other instances, and that
# one is missing.
LIMIT = 89_500


def sources() -> list[Path]:
    """The files that a browser loads to show the wall: page, styles and scripts.

    Scripts loaded on demand by `import()` are not among them.
    """
    found = [ROOT / "templates/wall.html"]
    for page in found:
        includes = re.findall(r'include "(.+?)"', page.read_text())
        found += [ROOT / "templates" / name for name in includes]
    text = "".join(page.read_text() for page in found)
    linked = re.findall(r"(?:stylesheet\" href|src)=\".*static\('([\w./]+)'\)", text)
    styles = [f"{name}.css" for name in FORMATS["css"].names([])]
    # The page links its styles as one file, and its scripts as another.
    found += [STATIC / name for name in (*linked, *styles, "wall/wall.js")]
    found = list(dict.fromkeys(found))
    for path in found:
        if path.suffix == ".js":
            names = re.findall(
                r'^(?:import|  from).* "(\.\.?/.+)";$', path.read_text(), re.M
            )
            imported = dict.fromkeys((path.parent / name).resolve() for name in names)
            found += [path for path in imported if path not in found]
    return found


def code_of(path: Path) -> str:
    """A source without comments and indentation."""
    text = re.sub(r"/\*.*?\*/|\{#.*?#\}", "", path.read_text(), flags=re.S)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def test_the_wall_is_small() -> None:
    sizes = {path.name: len(code_of(path).encode()) for path in sources()}
    assert {"wall.html", "_nav.html", "tile.css", "wall.js", "theme.js"} <= set(sizes)
    assert sum(sizes.values()) < LIMIT, sizes


def test_controls_and_messages_are_loaded_on_demand() -> None:
    names = {path.name for path in sources()}
    later = {
        "cut.js",
        "controls.js",
        "settings.js",
        "keys.js",
        "messages.js",
        "settings.css",
    }
    later |= {"check_list.js", "choices.js", "elements.js", "fields.js", "presets.js"}
    later |= {"tile_menu.js"}
    later |= {"strip.js", "strip.css", "overflow.js", "overflow.css", "load_style.js"}
    assert not later & names
    for name in later:
        assert len([*STATIC.rglob(name)]) == 1, name
