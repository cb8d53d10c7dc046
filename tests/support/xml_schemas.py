"""Checks of XML documents with jing, the reference validator of RELAX NG."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest


def faults(schema: Path, documents: Iterable[bytes], folder: Path) -> str:
    """What jing reports about the documents; skips the test if it is not installed."""
    command = shutil.which("jing")
    if command is None:
        pytest.skip("jing is not installed: apt install jing")
    files = []
    for number, content in enumerate(documents):
        files.append(folder / f"{number}.xml")
        files[-1].write_bytes(content)
    found = subprocess.run(  # noqa: S603 (our own arguments)
        [command, "-c", schema, *files], capture_output=True, text=True, check=False
    )
    # The errors are on stdout; stderr has warnings of the command's shell script.
    return found.stdout or (found.stderr if found.returncode else "")
