"""The plugin with which CI fails on a skipped test."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "support"
SKIPPED = """
import pytest

@pytest.mark.skip(reason="{reason}")
def test_skipped():
    pass

def test_passed():
    pass
"""


@pytest.mark.parametrize(
    ("reason", "workers", "code"),
    [
        ("no Chromium on the PATH", 0, pytest.ExitCode.TESTS_FAILED),
        ("no Chromium on the PATH", 2, pytest.ExitCode.TESTS_FAILED),
        ("the recorded runs are not published", 0, pytest.ExitCode.OK),
    ],
)
def test_a_skip_fails_if_ci_has_the_requirements(
    tmp_path: Path, reason: str, workers: int, code: int
) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPED.format(reason=reason))

    result = subprocess.run(  # noqa: S603 (our own command)
        [
            *(sys.executable, "-m", "pytest", "-p", "no_skips"),
            *("-p", "xdist", "-p", "no:cacheprovider", "-n", str(workers)),
        ],
        cwd=tmp_path,
        # The imports of all other plugins take most of the time.
        env={"PYTHONPATH": str(FOLDER), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert result.returncode == code
    assert ("must not be" in result.stdout) == (code != 0)
    assert "1 passed, 1 skipped" in result.stdout.splitlines()[-1]
