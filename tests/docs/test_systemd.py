"""The systemd unit: complete, valid, and the one that the documentation shows."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from ci_observer.web.open_files import MAX_CONNECTIONS, RESERVED

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "contrib/systemd/ci-observer.service"


def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_the_unit_runs_up_from_the_folder_of_the_checkout() -> None:
    unit = service()

    assert unit["ExecStart"] == f"{unit['WorkingDirectory']}/.venv/bin/ci-observer up"
    assert unit["ReadWritePaths"] == f"{unit['WorkingDirectory']}/data"


def test_the_unit_allows_all_connections() -> None:
    assert int(service()["LimitNOFILE"]) >= MAX_CONNECTIONS + RESERVED


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    command = service()["ExecStart"].split()[0]
    copy = tmp_path / UNIT.name
    # systemd also checks that the command exists.
    copy.write_text(UNIT.read_text().replace(command, "/bin/true"))
    verified = subprocess.run(  # noqa: S603 (our own unit)
        ["systemd-analyze", "verify", "--man=no", copy],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verified.returncode, verified.stderr) == (0, "")
