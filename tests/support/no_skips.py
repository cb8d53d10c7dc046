"""A pytest plugin for CI: a skipped test fails the test run.

CI installs the browser and GitHub's API description, so a skip there means that
something is no longer tested. Use it with `python -m pytest -p tests.support.no_skips`.
"""

import pytest

# Recorded responses of GitHub that may not be published, and users that only root has.
ALLOWED = ("the recorded runs are not published", "needs root on Linux")


def unexpected(config: pytest.Config) -> list[str]:
    """Where tests were skipped, and why."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        # A worker of pytest-xdist: the main process collects the reports.
        return []
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
