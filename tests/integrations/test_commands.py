"""The commands of docs/integrations.md, run as they are against a real server."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from archive import NOW, save, set_clock, watch
from factories import run_payload
from processes import environ_with, serving
from walls import save_poll

from ci_observer.ingest.db import schema

TEXT = (Path(__file__).parents[2] / "docs/integrations.md").read_text()
BLOCKS = re.findall(r"^## (.*?)$|^```sh\n(.*?)^```", TEXT, re.M | re.S)
# The address in the docs.
ADDRESS = "http://127.0.0.1:8089"


def commands() -> Iterator[tuple[str, str]]:
    """Each block of commands with the section that it is in."""
    section = ""
    for heading, block in BLOCKS:
        section = heading or section
        if block:
            yield section, block


COMMANDS = list(commands())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a failing workflow, acme/api/ci.yml."""
    folder = tmp_path_factory.mktemp("commands")
    path = folder / "ci_observer.db"
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        set_clock(db, NOW)
        watch(db, ("acme/api", "ci.yml"))
        save_poll(db)
        save(db, run_payload(1), run_payload(2, conclusion="failure"))
    with serving(environ_with(CI_OBSERVER_DB=path), folder) as web:
        yield str(web.base_url).rstrip("/")


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_a_command_of_the_docs_works(number: int, address: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt install curl")
    section, block = COMMANDS[number]
    found = subprocess.run(  # noqa: S603 (of our own docs)
        ["/bin/sh", "-e", "-c", block.replace(ADDRESS, address)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, (section, found.stderr)
    assert found.stdout or [*tmp_path.iterdir()], (section, "no output")


def test_every_section_has_a_command() -> None:
    sections = [heading for heading, _ in BLOCKS if heading]

    assert {section for section, _ in COMMANDS} == set(sections)
