"""The command `smoke`: check a running instance from outside, and print a verdict."""

import json
import time
from urllib.parse import urlsplit, urlunsplit

import click

from ci_observer.ingest.commands.explained_errors import EXIT_FAILED
from ci_observer.ingest.smoke import report
from ci_observer.ingest.smoke.checks import (
    Visit,
    check_freshness,
    check_response,
    run_checks,
)
from ci_observer.ingest.smoke.client import Instance, Unreachable, open_instance

SECONDS_BETWEEN_TRIES = 0.5


def smoke(
    url: str,
    *,
    token: str | None,
    expected_version: str | None,
    timeout: float,
    wait: float,
    is_json: bool,
) -> int:
    """Run all checks, print the results, and return the exit code."""
    with open_instance(url, token=token, timeout=timeout) as instance:
        _wait_until_fresh(instance, wait)
        visit = Visit(instance, expected_version)
        results = list(run_checks(visit))
    shown = _without_password(url)
    if is_json:
        click.echo(json.dumps(report.as_json(shown, visit.version, results), indent=2))
    else:
        for line in report.lines(shown, visit.version, results):
            click.echo(line)
    is_failed = any(result.outcome == "failed" for result in results)
    return EXIT_FAILED if is_failed else 0


def _wait_until_fresh(instance: Instance, seconds: float) -> None:
    """Wait until the instance responds with fresh data; at most some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not _is_fresh(instance):
        time.sleep(SECONDS_BETWEEN_TRIES)


def _is_fresh(instance: Instance) -> bool:
    visit = Visit(instance)
    try:
        if check_response(visit).outcome == "failed":
            return False
        return check_freshness(visit).outcome != "failed"
    except Unreachable:
        return False


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
