"""Whether the files of CI Observer are all there.

A missing template, plugin or script would otherwise show only when a page needs it.
"""

import csv
import os
from importlib.metadata import distribution
from pathlib import Path

from ci_observer.web.errors import IncompleteInstallation

PARTS = ("metadata.yml", "plugins", "templates", "static")


def refuse_missing_files(root: Path) -> None:
    """Raise `IncompleteInstallation` if a file is missing. Takes 4 ms.

    The list of all files is the one that the installer wrote. A checkout has no such
    list: there only the parts are looked for.
    """
    for path in [*(str(root / part) for part in PARTS), *_installed_files(root)]:
        if not os.path.exists(path):
            raise IncompleteInstallation(
                f"{path} is missing. Reinstall CI Observer, or restore it from a "
                "checkout."
            )


def _installed_files(root: Path) -> list[str]:
    """The files in `root` that the installer has listed; empty in a checkout."""
    installed = distribution("ci-observer")
    # `installed.files` leaves out missing files from Python 3.12 on.
    record = csv.reader((installed.read_text("RECORD") or "").splitlines())
    # Text: a `Path` for each file would double the time of the whole check.
    folder = str(installed.locate_file(""))
    paths = [os.path.join(folder, row[0]) for row in record if row]
    ours = f"{root}{os.sep}"
    return [path for path in paths if path.startswith(ours) and path[-4:] != ".pyc"]
