"""The extra `ci-observer[parquet]`: whether it is installed, and its module.

pyarrow takes half a second and 40 MB to import, so only a written file imports it.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

MISSING = (
    "Parquet needs the package pyarrow, which is not installed here. Install it with"
    " pip install 'ci-observer[parquet]', or use CSV or NDJSON."
)


def is_installed() -> bool:
    """Whether Parquet can be written."""
    return find_spec("pyarrow") is not None


def parquet_module() -> Any:
    """The module `ci_observer/parquet.py`."""
    return import_module("ci_observer.parquet")
