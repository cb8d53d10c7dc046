"""A pytest plugin for CI: a test that was skipped there is a failure.

CI installs the browser and GitHub's API description, so a skip would mean that
something has stopped being tested. Use it with `python -m pytest -p tests.no_skips`.
"""

import pytest

# Recorded answers of GitHub that are not ours to publish.
ALLOWED = ("the recorded runs are not beside the project",)


def unexpected(config: pytest.Config) -> list[str]:
    """Where tests were skipped, and why."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    skips = [report.longrepr for report in reporter.stats.get("skipped", [])]
    return [
        f"{path}:{line}: {reason}"
        for path, line, reason in skips
        if not any(words in reason for words in ALLOWED)
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if unexpected(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if lines := sorted(set(unexpected(config))):
        terminalreporter.section("skipped, and must not be", red=True)
        for line in lines:
            terminalreporter.write_line(line)
