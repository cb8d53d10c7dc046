"""What axe-core finds wrong with a page in the tests' browser: https://www.deque.com/axe/"""

from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".node/node_modules/axe-core/axe.min.js"


def violations(page: Any) -> list[str]:
    """Each broken rule with the elements that break it; none is what a test wants."""
    if not SCRIPT.exists():
        pytest.skip("axe-core is not installed: CONTRIBUTING.md says how")
    # Evaluated by the debugger, which the page's Content-Security-Policy does not bind.
    page.evaluate(SCRIPT.read_text())
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
