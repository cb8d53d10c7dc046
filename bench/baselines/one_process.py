"""CI Observer in one process, whose statements run in Datasette's own threads."""

import os
from pathlib import Path

from datasette.database import Database

from ci_observer import ROOT
from ci_observer.web.database import ReadOnlyDatabase
from ci_observer.web.server import build_datasette

# Its own way: in a thread, with time limits only.
ReadOnlyDatabase.execute = Database.execute  # type: ignore[method-assign]
app = build_datasette(Path(os.environ["BENCH_DB"]), root=ROOT).app()
