"""The command `ci-observer`: options, help texts and exit codes.

Exit code 0 is success, 1 a failure, 2 a wrong setting or option. `commands` does the
work: each command imports its modules when it runs, since all of them together take
five times as long to import as a help text takes to print.
"""

import logging
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click import DateTime

from ci_observer import ROOT
from ci_observer.csv_formulas import CHOICES as CSV_FORMULAS
from ci_observer.ingest import logs
from ci_observer.ingest.commands import users
from ci_observer.ingest.commands.explained_errors import EXIT_FAILED, explaining_errors
from ci_observer.ingest.commands.export_formats import FORMATS, format_of
from ci_observer.ingest.commands.terminal import escape_unencodable

if TYPE_CHECKING:
    from ci_observer.ingest.config import Config
    from ci_observer.web.schema_check import Schema

DAY = DateTime(["%Y-%m-%d"])

log = logging.getLogger("ci_observer")


def _log_warnings(config: "Config") -> None:
    from ci_observer.ingest.config import is_database_required

    # `up` has logged them before it starts its processes.
    if not is_database_required():
        for warning in config.warnings:
            log.warning(warning)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-q", "--quiet", is_flag=True, help="Log warnings and errors only.")
@click.version_option(package_name="ci-observer")
def main(*, quiet: bool) -> None:
    """Archive GitHub Actions runs in SQLite and show them on a status wall.

    Settings come from the environment or a .env file in the current folder:
    GITHUB_TOKEN, GH_REPOS, GH_WORKFLOWS and a few more; ci-observer check prints
    them all. Nothing is ever written to GitHub.

    \b
    Try it without a token:   ci-observer demo
    Check your settings:      ci-observer check
    Run everything:           ci-observer up
    """
    escape_unencodable()
    logs.set_up(logging.WARNING if quiet else logging.INFO)
    users.act_as_ingest()
    # A line for each request, and one for each retry, would be noise.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("stamina").setLevel(logging.ERROR)


@main.command()
@click.option("--once", is_flag=True, help="Make one complete pass, then exit.")
@explaining_errors
def ingest(*, once: bool) -> None:
    """Poll GitHub into the database until stopped, or once.

    With --once: exit 0 if every feed was fetched, 1 if one failed. A feed is a watched
    workflow of a repository.
    """
    from ci_observer.ingest.commands.poll import run_ingest, run_ingest_of_up
    from ci_observer.ingest.commands.runtime import open_database
    from ci_observer.ingest.config import is_database_required, load_config

    config = load_config(with_access_token=False)
    _log_warnings(config)
    if is_database_required() and not once:
        sys.exit(run_ingest_of_up(config))
    sys.exit(run_ingest(config, open_database(config), once=once))


@main.command()
@click.option(
    "--read-only",
    is_flag=True,
    help="Read a file that others write, such as a replica: never open it for writing, "
    "wait until it is there, and refuse another version's schema.",
)
@explaining_errors
def serve(*, read_only: bool) -> None:
    """Serve the wall, the API and Datasette, read-only.

    This process never reads the GitHub token. At its start it brings the database up to
    date, if this user may write it.

    With --read-only: nothing is changed, and no -wal or -shm file is made. The file may
    be replaced, or written by Litestream, at any time. A database of another version is
    refused with exit code 1 at the start, and with status 503 later.
    """
    from ci_observer.ingest.commands.ports import refuse_busy_port
    from ci_observer.ingest.commands.runtime import (
        prepare_database,
        refuse_missing_temporary_folder,
    )
    from ci_observer.ingest.config import datasette_secret, load_config
    from ci_observer.ingest.config.values import is_loopback
    from ci_observer.web import server
    from ci_observer.web.errors import IncompleteInstallation, OtherSchema
    from ci_observer.web.hosts import LOOPBACK
    from ci_observer.web.peers.peer import Peer
    from ci_observer.web.settings import WebSettings

    config = load_config(with_token=False)
    _log_warnings(config)
    refuse_missing_temporary_folder()
    refuse_busy_port(config.host, config.port)
    prepare_database(config, read_only=read_only)
    default_hosts = LOOPBACK if is_loopback(config.host) else ()
    try:
        web = WebSettings(
            base_url=config.base_url,
            allowed_hosts=config.allowed_hosts or default_hosts,
            forwarded_allow_ips=config.forwarded_allow_ips,
            access_token=config.access_token,
            secret=datasette_secret(),
            adhoc_sql=config.adhoc_sql,
            csv_formulas=config.csv_formulas,
            peers=tuple(Peer(*peer) for peer in config.peers_with_tokens),
            github_api_url=config.api_url,
            schema=_schema() if read_only else None,
        )
        datasette = server.build_datasette(config.db_path, root=ROOT, web=web)
        server.refuse_other_schema(datasette)
    except (IncompleteInstallation, OtherSchema) as error:
        raise click.ClickException(str(error)) from error
    if config.access_token and not is_loopback(config.host):
        log.warning(
            "ACCESS_TOKEN: this server is reachable over plain http, where everybody on"
            " the way can read the token. Let a proxy with TLS stand before it."
        )
    log.info("The wall is at %s", config.wall_address)
    with logs.stderr_as_log():
        exit_code = server.serve(datasette, config.host, config.port)
    sys.exit(exit_code)


def _schema() -> "Schema":
    from ci_observer.ingest.commands.runtime import VERSION
    from ci_observer.ingest.db import schema
    from ci_observer.web.schema_check import Schema

    return Schema(VERSION, schema.migration_names(), schema.shipped_views())


@main.command()
@explaining_errors
def up() -> None:
    """Run ingest, serve and alerts together, and restart one that exits.

    The wait before a restart grows each time. SIGTERM, Ctrl-C or closing the terminal
    stops them; under nohup they keep running. The container runs this command.
    """
    from ci_observer.ingest.commands import supervise
    from ci_observer.ingest.commands.poll import damage_text
    from ci_observer.ingest.commands.ports import refuse_busy_port
    from ci_observer.ingest.commands.runtime import (
        open_database,
        refuse_missing_temporary_folder,
    )
    from ci_observer.ingest.config import load_config
    from ci_observer.ingest.db.schema import StorageError
    from ci_observer.ingest.errors import DatabaseError
    from ci_observer.ingest.lock import only_ingest

    config = load_config()
    _log_warnings(config)
    refuse_missing_temporary_folder()
    refuse_busy_port(config.host, config.port)
    try:
        open_database(config).close()
    except (DatabaseError, StorageError, UnicodeDecodeError) as error:
        # Ingest logs damage and waits, and the wall shows it.
        if damage_text(error, config.db_path) is None:
            raise
    with only_ingest(config.db_path):
        pass  # Fail now instead of restarting an ingest that cannot start.
    supervise.run(config)


@main.command()
@click.option(
    "--interval",
    default="1s",
    show_default=True,
    metavar="TIME",
    help="Between two looks for changes, as 1s or 1m.",
)
@click.option("--follow", "is_following", is_flag=True, hidden=True)
@click.argument("url")
@explaining_errors
def replica(*, interval: str, is_following: bool, url: str) -> None:
    """Serve a copy of another instance's database, kept up to date by Litestream.

    URL is where litestream replicate writes next to that instance, such as
    s3://BUCKET/PATH. Credentials are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    The copy is at CI_OBSERVER_DB, which has to be in a folder of its own.

    Nothing is polled, and no token is needed. If Litestream ends, the database is
    restored again; the former copy is shown until then, with its age. docs/scaling.md
    explains all of it. Needs ci-observer[replica].
    """
    from ci_observer.ingest.commands import supervise
    from ci_observer.ingest.commands.ports import refuse_busy_port
    from ci_observer.ingest.commands.runtime import refuse_missing_temporary_folder
    from ci_observer.ingest.config import load_config
    from ci_observer.ingest.replica import litestream
    from ci_observer.ingest.replica.follower import follow

    config = load_config(with_token=False)
    db_path = config.db_path.absolute()
    if is_following:
        sys.exit(follow(url, db_path, interval))
    _log_warnings(config)
    litestream.refuse_url(url)
    litestream.refuse_interval(interval)
    litestream.program()
    refuse_missing_temporary_folder()
    refuse_busy_port(config.host, config.port)
    supervise.run_replica(db_path, url, interval)


@main.command()
@click.option(
    "--seed", default=1, show_default=True, help="Another seed gives other runs."
)
@click.option(
    "--peers",
    "with_peers",
    is_flag=True,
    help="Start two instances, each with half of the repositories, that show each"
    " other's tiles.",
)
@explaining_errors
def demo(*, seed: int, with_peers: bool) -> None:
    """Show the wall with a simulated GitHub: no token, no network.

    It keeps its data in demo.db, in the folder of your database. Every start begins
    with an empty one; your own data stays untouched.
    """
    from ci_observer.ingest.commands import demo
    from ci_observer.ingest.commands.ports import refuse_busy_port
    from ci_observer.ingest.commands.runtime import refuse_missing_temporary_folder
    from ci_observer.ingest.config import load_config

    config = load_config(with_token=False)
    refuse_missing_temporary_folder()
    refuse_busy_port(config.host, config.port)
    second = demo.create_second(config) if with_peers else None
    db_path = demo.create_demo_database(config)
    click.echo("Starting a simulated GitHub, ingest and the wall. Ctrl-C stops them.")
    if second is not None:
        click.echo(second.introduction)
    demo.run_demo(db_path, seed=seed, second=second)


@main.command()
@explaining_errors
def check() -> None:
    """Test the settings, the database, every feed and every peer.

    The first line is the verdict: OK, or the number of problems, which the next lines
    name with what to do. Then come the settings, the proxy and a line for each feed. A
    feed is found if GitHub lists the workflow and its runs can be read. The database is
    opened and not changed.

    Exit 0 if all is well, 1 if a feed or the database has an error or nothing would be
    polled, 2 if a setting is wrong. Feeds that are not tried, to leave requests for
    polling, are counted. Warnings do not change the exit code.
    """
    import asyncio

    from ci_observer.ingest.commands.check import (
        disk_warnings,
        report_lines,
        run_check,
        with_peers,
    )
    from ci_observer.ingest.config import load_config
    from ci_observer.ingest.texts import escaped

    config = load_config()
    config = replace(config, warnings=(*config.warnings, *disk_warnings(config)))
    result = asyncio.run(run_check(config))
    if config.peers:
        from ci_observer.web.peers.check import try_peers
        from ci_observer.web.peers.peer import Peer

        peers = [Peer(*peer) for peer in config.peers_with_tokens]
        result = with_peers(result, asyncio.run(try_peers(peers)))
    for line in report_lines(config, result):
        click.echo(escaped(line))
    if any(not line.is_good for line in result.lines):
        sys.exit(EXIT_FAILED)


@main.command()
@click.option("--test", "is_test", is_flag=True, help="Send a message to each address.")
@click.option(
    "--dry-run",
    "is_dry_run",
    is_flag=True,
    help="Print what would have been sent in the last week. Nothing is sent.",
)
@click.option(
    "--send",
    "is_sending",
    is_flag=True,
    help="Send alerts until stopped; up does it by itself.",
)
@explaining_errors
def alerts(*, is_test: bool, is_dry_run: bool, is_sending: bool) -> None:
    """Show the addresses of alerts, and what was sent to each.

    An address is shown by its number and kind only, since it holds secrets. up and
    ingest send the alerts; docs/alerts.md explains them.

    Exit 0 if all is well, 1 if a test was not accepted, 2 if a setting is wrong.
    """
    import asyncio

    from ci_observer.ingest.alerts.past import dry_run_lines
    from ci_observer.ingest.commands.alerts import (
        addresses_of,
        run_alerts_of_up,
        send_test,
        status_lines,
    )
    from ci_observer.ingest.commands.runtime import run_until_stopped, utc_now
    from ci_observer.ingest.config import load_config
    from ci_observer.ingest.db import schema
    from ci_observer.ingest.texts import escaped

    if is_test + is_dry_run + is_sending > 1:
        raise click.UsageError("Give only one of --test, --dry-run and --send.")
    config = load_config(
        with_token=False, with_access_token=False, with_alerts=not is_dry_run
    )
    if is_sending:
        sys.exit(run_until_stopped(run_alerts_of_up(config)))
    code = 0
    if is_test:
        lines, code = asyncio.run(send_test(config, utc_now()))
    else:
        if not is_dry_run:
            addresses_of(config)
        db = schema.connect_read_only(config.db_path)
        show = dry_run_lines if is_dry_run else status_lines
        lines = list(show(config, db))
    for line in lines:
        click.echo(escaped(line))
    sys.exit(code)


@main.command()
@click.option(
    "--since", required=True, metavar="DATE", help="A day, for example 2026-01-31."
)
@click.option(
    "--repo",
    "repos",
    multiple=True,
    metavar="OWNER/REPO",
    help="Only this repository. Can be repeated.",
)
@explaining_errors
def backfill(*, since: str, repos: tuple[str, ...]) -> None:
    """Fetch older history of the watched workflows, back to DATE.

    The newest runs come first. If ingest or up is running on the same database, it does
    the fetching, and this command shows the progress. You can stop this command at any
    time: the next backfill or ingest continues.

    Exit 0 when complete or stopped, 1 if a feed failed, 2 if an option is wrong.
    """
    from ci_observer.ingest.commands.backfill import parse_since, run_backfill
    from ci_observer.ingest.commands.runtime import (
        open_database,
        run_until_stopped,
        utc_now,
    )
    from ci_observer.ingest.config import load_config

    day = parse_since(since, now=utc_now())
    config = load_config()
    db = open_database(config)
    sys.exit(run_until_stopped(run_backfill(config, db, since=day, repos=repos)))


@main.command()
@explaining_errors
def migrate() -> None:
    """Create the database, or bring its schema up to date.

    It also repacks payloads that an older version has stored, counts the runs for
    charts, and computes the states over time, which ingest would do in small steps. It
    can run while ci-observer up is running. If it is stopped, the next call continues.
    """
    from ci_observer.ingest.commands.indexes import make_indexes
    from ci_observer.ingest.commands.payloads import repack_payloads
    from ci_observer.ingest.commands.rollups import build_rollups
    from ci_observer.ingest.commands.states import build_states
    from ci_observer.ingest.commands.terminal import progress_of_items
    from ci_observer.ingest.config import load_config
    from ci_observer.ingest.db import schema

    config = load_config(with_token=False)
    schema.refuse_other_program(config.db_path)
    db = schema.connect(config.db_path)
    for name in schema.migrate(db, progress=progress_of_items()):
        click.echo(f"applied {name}")
    make_indexes(db)
    repack_payloads(db)
    build_rollups(db)
    build_states(db)
    db.close()
    click.echo(f"{config.db_path} is up to date.")


@main.command()
@click.option(
    "--repo",
    "repos",
    multiple=True,
    metavar="OWNER/REPO",
    help="Only runs of this repository. Can be repeated.",
)
@click.option(
    "--since", type=DAY, metavar="DAY", help="Only runs started on this day or later."
)
@click.option(
    "--until", type=DAY, metavar="DAY", help="Only runs started on this day or earlier."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(FORMATS),
    help="Default: by the end of FILE (.ndjson, .jsonl, .parquet), otherwise csv."
    " Parquet needs ci-observer[parquet].",
)
@click.option(
    "--formulas",
    type=click.Choice(CSV_FORMULAS),
    help="CSV cells that a spreadsheet would run. Default: CSV_FORMULAS.",
)
@click.option("--raw", is_flag=True, help="Add GitHub's whole run object as raw_json.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="-")
@explaining_errors
def export(
    *,
    repos: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    output_format: str | None,
    formulas: str | None,
    raw: bool,
    file: Path,
) -> None:
    """Write the archive to FILE, one row per attempt, oldest first.

    Without FILE, or with -, it goes to standard output. The file appears under its name
    when it is complete. Days are in UTC. The database is only read, and polling can
    continue.
    """
    from ci_observer.ingest.commands.export import Output, export_file
    from ci_observer.ingest.commands.export_rows import Selection
    from ci_observer.ingest.config import load_config
    from ci_observer.ingest.db import schema

    config = load_config(with_token=False)
    db = schema.connect_read_only(config.db_path)
    selection = Selection(
        repos,
        since=f"{since:%Y-%m-%d}T00:00:00Z" if since else None,
        until=f"{until:%Y-%m-%d}T23:59:59Z" if until else None,
    )
    output = Output(
        output_format or format_of(file),
        formulas=formulas or config.csv_formulas,
        has_objects=raw,
    )
    export_file(db, selection, file, output)


@main.command()
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Delete all but the N newest of the dated backups in the folder FILE.",
)
@click.argument("file")
@explaining_errors
def backup(*, force: bool, keep: int | None, file: str) -> None:
    """Write a verified copy of the database to FILE.

    FILE may be a folder: the name of the copy is then the time, in UTC. A missing
    folder is created, also FILE itself with a slash at its end.

    Polling continues meanwhile. The copy is checked by SQLite and by its numbers of
    rows, and gets its name when it is complete. It holds no token.
    """
    from ci_observer.ingest.commands.backup import back_up, create_folder, delete_older
    from ci_observer.ingest.commands.runtime import interrupted_by_sigterm, utc_now
    from ci_observer.ingest.config import load_config

    db_path, now = load_config(with_token=False).db_path, utc_now()
    create_folder(Path(file) if file.endswith("/") else Path(file).parent)
    if keep and not Path(file).is_dir():
        raise click.UsageError("--keep needs a folder as FILE.")
    with interrupted_by_sigterm():
        newest = back_up(db_path, Path(file), force=force, now=now)
        if keep:
            delete_older(db_path, newest, keep)


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.argument("file", type=click.Path(path_type=Path))
@explaining_errors
def restore(*, yes: bool, file: Path) -> None:
    """Put a verified copy of the backup FILE in the place of the database.

    Stop ci-observer up or ingest first. The web server may be running. The former
    database is kept under a name with the time.

    A backup of an older version is brought up to date at the next start; one of a newer
    version is refused.
    """
    from ci_observer.ingest.commands.restore import restore as restore_backup
    from ci_observer.ingest.commands.runtime import interrupted_by_sigterm, utc_now
    from ci_observer.ingest.config import load_config

    with interrupted_by_sigterm():
        restore_backup(
            file,
            load_config(with_token=False).db_path,
            is_confirmed=yes,
            now=utc_now(),
        )


@main.command()
@click.option(
    "--shards",
    type=click.IntRange(1, 1000),
    required=True,
    metavar="N",
    help="The number of databases to write: one for each value of SHARD.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder for them; a missing one is created.",
)
@click.option(
    "--incomplete",
    is_flag=True,
    help="Go on without the file of a former shard, whose history is then left out.",
)
@click.argument(
    "files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE..."
)
@explaining_errors
def reshard(
    *, shards: int, output: Path, incomplete: bool, files: tuple[Path, ...]
) -> None:
    """Split and join databases for another number of shards.

    Reads the databases of all former shards, or the only one, and writes
    DIR/shard-1-of-N.db and so on: complete databases, each with the repositories of its
    shard and their whole history. Each run is there once, also if several files have
    it: its newest state counts, with the attempts of all.

    \b
    From one to four:     ci-observer reshard --shards 4 --output new ci_observer.db
    From four to twelve:  ci-observer reshard --shards 12 --output new shard-*.db
    Back to one:          ci-observer reshard --shards 1 --output new shard-*.db

    Stop CI Observer first. The files are only read; the new ones get their names when
    all are complete and checked, so each file that is there is complete. Then start
    each instance with its file, SHARD=1/N and so on, and the same GH_REPOS as before.
    """
    from ci_observer.ingest.commands.reshard import reshard as write_shards
    from ci_observer.ingest.commands.runtime import interrupted_by_sigterm

    with interrupted_by_sigterm():
        write_shards(files, output, shards=shards, is_incomplete=incomplete)


@main.command()
@click.option(
    "--token",
    envvar="ACCESS_TOKEN",
    metavar="TOKEN",
    help="The access token of the instance; better in the variable ACCESS_TOKEN.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    envvar="ACCESS_TOKEN_FILE",
    metavar="FILE",
    help="A file with the access token, instead of --token.",
)
@click.option(
    "--expect-version", metavar="VERSION", help="Fail if it is another version."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=10,
    show_default=True,
    help="Seconds for each response.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Seconds to wait until it responds with fresh data.",
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.argument("url")
@explaining_errors
def smoke(
    *,
    token: str | None,
    token_file: Path | None,
    expect_version: str | None,
    timeout: float,
    wait: float,
    is_json: bool,
    url: str,
) -> None:
    """Check a running instance from outside: pages, API, freshness, security.

    URL is its address with the prefix, such as https://ci.example.com/ci/. The checks
    only read. The first line is the verdict.

    Exit 0 if all checks passed, 1 if one failed, 2 if an option is wrong.
    """
    from ci_observer.ingest.commands.smoke import smoke as run_smoke
    from ci_observer.ingest.config import read_token_file

    if not token and token_file:
        token = read_token_file(token_file, "ACCESS_TOKEN_FILE")
    code = run_smoke(
        url,
        token=token,
        expected_version=expect_version,
        timeout=timeout,
        wait=wait,
        is_json=is_json,
    )
    sys.exit(code)


@main.command()
@click.option(
    "--payloads-before",
    type=DAY,
    metavar="DAY",
    help="Delete GitHub's whole objects of runs created before this day (UTC).",
)
@click.option("--vacuum", is_flag=True, help="Make the file smaller.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@explaining_errors
def prune(*, payloads_before: datetime | None, vacuum: bool, yes: bool) -> None:
    """Delete GitHub's whole run objects; runs and attempts stay.

    It can run while ci-observer up is running. New runs use the space of deleted
    objects. --vacuum makes the file smaller instead: it needs free disk space of twice
    the final size, and polling waits for it.
    """
    from ci_observer.ingest.commands.payloads import prune_payloads
    from ci_observer.ingest.commands.runtime import open_database
    from ci_observer.ingest.commands.terminal import megabytes
    from ci_observer.ingest.config import load_config
    from ci_observer.ingest.store import database

    if payloads_before is None and not vacuum:
        raise click.UsageError(
            "Nothing to do. Give --payloads-before DAY, --vacuum, or both."
        )
    config = load_config(with_token=False)
    db = open_database(config)
    if payloads_before:
        prune_payloads(db, payloads_before.date(), is_confirmed=yes)
    if vacuum:
        freed = database.vacuum(db, config.db_path)
        click.echo(f"The file is {megabytes(freed)} smaller.")
    db.close()


@main.command()
@click.option(
    "--every",
    metavar="TIME",
    help="Merge again and again, such as 10m; at least 1m. Units: s, m, h, d.",
)
@click.option(
    "--optimize",
    is_flag=True,
    help="Also compact small files and delete old ones now; --every does it daily.",
)
@click.option(
    "--retention",
    metavar="TIME",
    default="7d",
    show_default=True,
    help="How long files that are no longer part of a table are kept for readers.",
)
@click.argument("uri")
@explaining_errors
def lake(*, every: str | None, optimize: bool, retention: str, uri: str) -> None:
    """Write runs, attempts, jobs and tiles as Delta tables to URI.

    URI is a folder or s3://BUCKET/PREFIX; credentials and the server come from the
    variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL. Only what
    has changed is written, however often it is stopped. The database is only read: it
    may be a replica. Several instances may write to one lake.

    It needs ci-observer[lake]. Exit 0 when done or stopped, 1 if the lake cannot be
    written, 2 if an option is wrong.
    """
    from ci_observer.ingest.commands.lake_options import Options, ensure_installed
    from ci_observer.ingest.config import aws_variables, load_config

    options = Options.of(every=every, retention=retention, is_optimized=optimize)
    ensure_installed()
    from ci_observer.ingest.commands.lake import run_lake

    config = load_config(with_token=False, with_access_token=False)
    sys.exit(run_lake(config.db_path, uri, aws_variables(), options))
