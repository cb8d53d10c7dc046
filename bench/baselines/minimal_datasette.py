"""Datasette with one route, served like `ci-observer serve`.

Unlike `datasette serve` it writes no access log, which seemed to take a quarter of the
CPU time of a response (measured once, on a busy machine).
"""

from pathlib import Path

from datasette.app import Datasette

app = Datasette(plugins_dir=str(Path(__file__).with_name("minimal_route"))).app()
