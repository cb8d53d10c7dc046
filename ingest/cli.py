"""The command `ci-observer`: what is printed, and the exit codes.

0 is success, 1 a feed or a check that failed, 2 a setting that is wrong.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from click import DateTime
from sqlite_utils import Database

from ci_observer import ROOT
from ci_observer.ingest.commands import check as checking
from ci_observer.ingest.commands import export as exporting
from ci_observer.ingest.commands import supervise
from ci_observer.ingest.commands.backfill import Backfill, parse_since
from ci_observer.ingest.config import Config, load_config
from ci_observer.ingest.db import schema
from ci_observer.ingest.errors import CIObserverError, ConfigError
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection, open_http
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.polling.loop import run_forever
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.progress import item_name, log_progress
from ci_observer.ingest.store import database, instance, payloads

VERSION = version("ci-observer")
EXIT_FAILED = 1
EXIT_CONFIG = 2
DAY = DateTime(["%Y-%m-%d"])
PRUNED_AT_ONCE = 1000
REPACKED_AT_ONCE = 500

log = logging.getLogger("ci_observer")


def _explaining_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Say an expected error in one line instead of a traceback."""

    @wraps(command)
    def explained(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except CIObserverError as error:
            click.echo(f"Error: {error}", err=True)
            is_config = isinstance(error, ConfigError)
            sys.exit(EXIT_CONFIG if is_config else EXIT_FAILED)

    return explained


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def main() -> None:
    """Archive GitHub Actions runs in SQLite and show them on a status wall.

    Settings come from the environment or a .env file in the current folder:
    GITHUB_TOKEN, GH_REPOS, GH_WORKFLOWS and a few more, all explained in
    docs/configuration.md. Nothing is ever written to GitHub.

    \b
    Try it without a token:   ci-observer demo
    Check your settings:      ci-observer check
    Run everything:           ci-observer up
    """
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        level=logging.INFO,
    )
    # A line for each request, and one for each retry, would be noise.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("stamina").setLevel(logging.ERROR)


@main.command()
@click.option("--once", is_flag=True, help="Make one complete pass, then exit.")
@_explaining_errors
def ingest(*, once: bool) -> None:
    """Poll GitHub into the database, for ever or once.

    With --once: exit 0 when every feed was fetched, 1 when one failed.
    """
    config = load_config()
    db = _open_database(config)
    with only_ingest(config.db_path):
        instance.save_settings(db, config, version=VERSION, now=_now())
        if config.why_not_polling:
            log.warning(config.why_not_polling)
        if once and config.why_not_polling:
            return
        work = _ingest_once if once else _ingest_forever
        sys.exit(_run(work(config, db)))


@main.command()
@_explaining_errors
def serve() -> None:
    """Serve the wall, the API and Datasette, read-only.

    The web process never reads the token.
    """
    # Here, since Datasette takes a second to import.
    from ci_observer.web import server  # noqa: PLC0415
    from ci_observer.web.errors import IncompleteInstallation  # noqa: PLC0415

    config = load_config(with_token=False)
    _open_database(config).close()
    try:
        datasette = server.build_datasette(config.db_path, root=ROOT)
    except IncompleteInstallation as error:
        raise click.ClickException(str(error)) from error
    log.info("The wall is at http://%s:%s", config.host, config.port)
    server.serve(datasette, config.host, config.port)


@main.command()
@_explaining_errors
def up() -> None:
    """Run ingest and serve together; a dead one is restarted with growing waits.

    SIGTERM, Ctrl-C or a closed terminal stops both; nohup keeps them. This is what the
    container runs.
    """
    config = load_config()
    _open_database(config).close()
    with only_ingest(config.db_path):
        pass  # Better refused now than restarted for ever.
    supervise.run(config)


@main.command()
@click.option("--seed", default=1, show_default=True, help="Another seed, other runs.")
@_explaining_errors
def demo(*, seed: int) -> None:
    """Show the wall with a simulated GitHub: no token, no network.

    The demo has a database of its own beside yours, made anew at every start.
    """
    supervise.run_demo(load_config(with_token=False), seed=seed)


@main.command()
@_explaining_errors
def check() -> None:
    """Print the settings and try every feed: found, not found, no access.

    Exit 0 when all are found, 1 when one is not, 2 when a setting is wrong.
    """
    config = load_config()
    click.echo(checking.settings_text(config))
    if config.why_not_polling:
        click.echo(config.why_not_polling)
        return
    if not asyncio.run(_check_feeds(config)):
        sys.exit(EXIT_FAILED)


@main.command()
@click.option("--since", required=True, metavar="DATE", help="A day, as 2026-01-31.")
@click.option(
    "--repo",
    "repos",
    multiple=True,
    metavar="OWNER/REPO",
    help="Only this one; repeatable.",
)
@_explaining_errors
def backfill(*, since: str, repos: tuple[str, ...]) -> None:
    """Fetch older history of what is watched, back to DATE, newest runs first.

    While ingest or up runs on the same database, that one fetches and this shows how
    far it has come. Whatever ends it, it goes on later where it was.

    Exit 0 when done or stopped, 1 when a feed failed, 2 when an option is wrong.
    """
    day = parse_since(since, now=_now())
    config = load_config()
    db = _open_database(config)
    sys.exit(_run(_backfill(config, db, since=day, repos=repos)))


@main.command()
@_explaining_errors
def migrate() -> None:
    """Make the database, or bring its schema up to date.

    Payloads that an older version has stored are repacked, which ingest would do little
    by little. It may run while ci-observer up does; whatever ends it, it goes on later
    where it was.
    """
    config = load_config(with_token=False)
    db = schema.connect(config.db_path)
    progress = _progress_bars if sys.stderr.isatty() else log_progress
    for name in schema.migrate(db, progress=progress):
        click.echo(f"applied {name}")
    if total := payloads.count_to_repack(db):
        _repack_payloads(db, total)
    db.close()
    click.echo(f"{config.db_path} is up to date.")


@main.command()
@click.option(
    "--repo", "repos", multiple=True, metavar="OWNER/REPO", help="Only its runs."
)
@click.option("--since", type=DAY, metavar="DAY", help="Started then (UTC) or later.")
@click.option("--until", type=DAY, metavar="DAY", help="Started then or before.")
@click.option(
    "--format",
    "form",
    type=click.Choice(exporting.FORMATS),
    help="Unless given, the file's name decides; csv for any other name.",
)
@click.option("--raw", is_flag=True, help="With GitHub's whole object, as raw_json.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="-")
@_explaining_errors
def export(
    *,
    repos: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    form: str | None,
    raw: bool,
    file: Path,
) -> None:
    """Write the archive to FILE, one row per attempt, oldest first; - is the output.

    The file appears under its name when it is complete. Nothing is changed in the
    database, and polling may go on meanwhile.
    """
    db = schema.connect_read_only(load_config(with_token=False).db_path)
    selection = exporting.Selection(
        repos,
        since=f"{since:%Y-%m-%d}T00:00:00Z" if since else None,
        until=f"{until:%Y-%m-%d}T23:59:59Z" if until else None,
    )
    rows = exporting.export_rows(db, selection, raw=raw)
    form = form or ("ndjson" if file.suffix in (".ndjson", ".jsonl") else "csv")
    if file == Path("-"):
        exporting.write_rows(sys.stdout, rows, form)
        return
    total = exporting.count_attempts(db, selection)
    with (
        exporting.whole_file(file) as output,
        _progress_bar(rows.values, total, "exporting") as values,
    ):
        number = exporting.write_rows(output, replace(rows, values=values), form)
    click.echo(f"{number} attempts written to {file}", err=True)


@main.command()
@click.option(
    "--payloads-before",
    type=DAY,
    metavar="DAY",
    help="Delete GitHub's whole objects of runs created before this day (UTC).",
)
@click.option("--vacuum", is_flag=True, help="Give free space back to the disk.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_explaining_errors
def prune(*, payloads_before: datetime | None, vacuum: bool, yes: bool) -> None:
    """Delete what the database can do without; runs and attempts stay.

    It may run while ci-observer up does. Deleted space is used for new runs; --vacuum
    makes the file smaller instead, for which the disk needs free space of twice what
    will be left of it, and polling waits meanwhile.
    """
    if payloads_before is None and not vacuum:
        raise click.UsageError("Say what: --payloads-before DAY, --vacuum, or both.")
    config = load_config(with_token=False)
    db = _open_database(config)
    if payloads_before:
        _prune_payloads(db, payloads_before.date(), is_sure=yes)
    if vacuum:
        click.echo(f"The file is {_mb(database.vacuum(db, config.db_path))} smaller.")
    db.close()


def _prune_payloads(db: Database, before: date, *, is_sure: bool) -> None:
    total = payloads.count(db, before)
    question = f"Delete the payloads of {total} runs created before {before}?"
    if total and _is_terminal() and not is_sure:
        click.confirm(question, abort=True)
    free = database.free_bytes(db)
    batches = iter(lambda: payloads.prune(db, before, PRUNED_AT_ONCE), 0)
    with _progress_bar(None, total, "deleting") as bar:
        for deleted in batches:
            bar.update(deleted)
    click.echo(
        f"{total} payloads deleted; {_mb(database.free_bytes(db) - free)} more are "
        "free for new runs."
    )


def _repack_payloads(db: Database, total: int) -> None:
    free = database.free_bytes(db)
    batches = iter(lambda: payloads.repack(db, REPACKED_AT_ONCE), 0)
    with _progress_bar(None, total, "repacking") as bar:
        for repacked in batches:
            bar.update(repacked)
    click.echo(
        f"{total} payloads repacked; {_mb(database.free_bytes(db) - free)} more are "
        "free for new runs."
    )


def _progress_bar(
    items: Iterable[Any] | None,
    total: int,
    label: str,
    show: Callable[[Any], str | None] | None = None,
) -> Any:
    """A bar on a terminal, and nothing elsewhere; `show` names the item at work."""
    return click.progressbar(
        items,
        length=total,
        label=label,
        item_show_func=show,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    )


def _progress_bars(items: Sequence[Any], label: str) -> Iterator[Any]:
    """Yield the items, with a progress bar that names the current one."""
    total = len(items)
    with _progress_bar(
        items, total, label, lambda item: item and item_name(item)
    ) as bar:
        yield from bar


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _now() -> datetime:
    return datetime.now(UTC)


def _open_database(config: Config) -> Database:
    db = schema.connect(config.db_path)
    schema.migrate(db)
    return db


def _github(config: Config, http: Any) -> GitHub:
    return GitHub(
        Connection(http, api_url=config.api_url, token=config.token, clock=_now)
    )


def _run(work: Coroutine[Any, Any, int]) -> int:
    """The work's exit code; SIGTERM or Ctrl-C ends it in good order, with 0."""

    async def run() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            log.info("Stopped.")
            return 0

    return asyncio.run(run())


async def _ingest_forever(config: Config, db: Database) -> int:
    if config.why_not_polling:
        await asyncio.Event().wait()
    async with open_http(VERSION) as http:
        poller = Poller(config, db, _github(config, http), _now)
        log.info(
            "Polling %s every %d s into %s",
            ",".join(config.repos),
            config.refresh_seconds,
            config.db_path,
        )
        await run_forever(
            poller, db, refresh=timedelta(seconds=config.refresh_seconds), clock=_now
        )
    return 0


async def _ingest_once(config: Config, db: Database) -> int:
    async with open_http(VERSION) as http:
        result = await Poller(config, db, _github(config, http), _now).poll(
            on_progress=_progress_line()
        )
    click.echo(
        f"{result.feeds} feeds polled, {result.feeds_failed} failed; "
        f"{result.runs_written} runs written; {result.requests} requests, "
        f"{result.not_modified} of them 304."
    )
    return EXIT_FAILED if result.error or result.feeds_failed else 0


def _progress_line() -> Callable[[int, int], None]:
    """On a terminal, a line that says how many feeds have their whole history."""
    if not sys.stderr.isatty():
        return lambda done, total: None

    def show(done: int, total: int) -> None:
        click.echo(f"\rhistory: {done} of {total} feeds complete", err=True, nl=False)
        if done == total:
            click.echo(err=True)

    return show


async def _backfill(
    config: Config, db: Database, *, since: datetime, repos: tuple[str, ...]
) -> int:
    async with open_http(VERSION) as http:
        work = Backfill(config, db, _now, since=since, repos=repos)
        is_good = await work.run(_github(config, http), version=VERSION)
    return 0 if is_good else EXIT_FAILED


async def _check_feeds(config: Config) -> bool:
    async with open_http(VERSION) as http:
        github = _github(config, http)
        is_good = True
        async for line in checking.check_feeds(config, github):
            click.echo(line.text)
            is_good &= line.is_good
        click.echo(checking.budget_text(config, github.connection.stats, now=_now()))
    return is_good
