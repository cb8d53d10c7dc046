"""The formats of `export`; apart, for the help text."""

from pathlib import Path

FORMATS = ("csv", "ndjson", "parquet")
_BY_SUFFIX = {".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}


def format_of(path: Path) -> str:
    """The format that a file's extension stands for; csv for unknown ones."""
    return _BY_SUFFIX.get(path.suffix, "csv")
