"""Datasette with one route of a fixed body, served as `ci-observer serve` serves.

That is without a line of log per request, which `datasette serve` would write, and
which seemed to cost a quarter of an answer's processor time (once, on a busy machine).
"""

from pathlib import Path

from datasette.app import Datasette

app = Datasette(plugins_dir=str(Path(__file__).with_name("bare_route"))).app()
