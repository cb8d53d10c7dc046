"""Accessibility checks of a page in the browser: https://www.deque.com/axe/"""

from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".node/node_modules/axe-core/axe.min.js"


def violations(page: Any, rules: list[str] | None = None) -> list[str]:
    """The violations that axe-core finds, one for each rule and element.

    `rules` are those to check, by default all.
    """
    if not SCRIPT.exists():
        pytest.skip("axe-core is not installed: CONTRIBUTING.md says how")
    # The debugger evaluates it: the Content-Security-Policy does not apply there.
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT.read_text())
    # Axe waits with timers, which stand still while the page's clock does.
    page.clock.resume()
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = page.evaluate("async (o) => (await axe.run(o)).violations", options)
    return [
        f"{rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
