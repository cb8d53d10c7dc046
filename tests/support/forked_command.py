"""`ci-observer` commands in forked processes, for tests that start very many.

A fork of a process that has imported the command starts in milliseconds, a new Python
in half a second. Both are processes of their own, with one thread.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from ci_observer.ingest import cli

_CONTEXT = multiprocessing.get_context("forkserver")
# A command imports these modules when it runs.
_COMMANDS = ("backfill", "backup", "check", "poll", "restore")
_CONTEXT.set_forkserver_preload(
    [
        *(f"ci_observer.ingest.commands.{name}" for name in _COMMANDS),
        *(cli.__name__, "httpcore", "anyio._backends._asyncio"),
    ]
)


def start_command(
    environ: Mapping[str, str],
    *arguments: str,
    constants: Mapping[str, object] | None = None,
) -> ForkServerProcess:
    """Start a command in this folder; its process sets module constants first."""
    process = _CONTEXT.Process(
        target=_run, args=(Path.cwd(), os.environ | environ, arguments, constants or {})
    )
    process.start()
    return process


def _run(
    folder: Path,
    environ: Mapping[str, str],
    arguments: tuple[str, ...],
    constants: Mapping[str, object],
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    for name, value in constants.items():
        module, _, constant = name.rpartition(".")
        setattr(import_module(module), constant, value)
    with Path(os.devnull).open("w") as sys.stdout, sys.stdout as sys.stderr:
        cli.main(arguments)
