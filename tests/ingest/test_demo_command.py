"""The command `demo --peers`: two instances that show each other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ci_observer.ingest.commands import demo, launch, supervise
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.commands.supervise import Program
from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import ConfigError

Started = tuple[list[Program], dict[str, str]]


@pytest.fixture
def port() -> int:
    return free_port()


def programs_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> Started:
    """The programs that the demo would start, by name, and their environment."""
    started: list[Any] = []
    monkeypatch.setattr(demo, "become_supervisor", lambda *args: started.extend(args))
    config = Config(db_path=tmp_path / "own.db", host="0.0.0.0", port=port)  # noqa: S104
    second = demo.create_second(config)
    demo.run_demo(tmp_path / "demo.db", seed=1, second=second)
    programs, environ, _ = started
    return programs, environ | {"CI_OBSERVER_PORT": str(port)}


def test_each_instance_has_half_of_the_repositories_and_shows_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    programs, environ = programs_of(tmp_path, monkeypatch, port)

    named = {program.name: program for program in programs}
    found = {
        name: Config.from_environ(environ | named[name].variables)
        for name in ("web", "web-2", "ingest", "ingest-2")
    }
    for name, number in (("web", 1), ("ingest", 1), ("web-2", 2), ("ingest-2", 2)):
        shard = found[name].shard
        assert shard is not None
        assert (shard.number, shard.count) == (number, 2)
    assert found["web"].peers == (f"http://127.0.0.1:{port + 1}",)
    assert found["web-2"].peers == (f"http://127.0.0.1:{port}",)
    assert found["web-2"].port == port + 1
    assert found["web"].db_path == tmp_path / "demo.db"
    assert found["web-2"].db_path == named["web-2"].db_path == tmp_path / "demo-2.db"
    assert (tmp_path / "demo-2.db").exists()


def test_only_the_second_wall_stays_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    programs, _ = programs_of(tmp_path, monkeypatch, port)

    parsed = supervise._configuration(programs, tmp_path, tmp_path / "demo.db")

    restarts = {
        section.removeprefix("program:"): parsed[section]["autorestart"]
        for section in parsed.sections()
        if section.startswith("program:")
    }
    assert restarts.pop("web-2") == "unexpected"
    assert set(restarts.values()) == {"true"}
    assert str(tmp_path / "demo-2.pid") in parsed["program:web-2"]["command"]


def test_a_started_program_writes_its_process_id(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    spec = {
        "parent": os.getpid(),
        "outputs": [1, 2],
        "unset": [],
        "user": None,
        "pid_file": str(path),
    }
    command = [sys.executable, launch.__file__, json.dumps(spec), "this"]

    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 (our own)
    process.communicate()

    assert path.read_text() == f"{process.pid}\n"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"access_token": "7d0c0123456789abcdef"}, "ACCESS_TOKEN"),
        ({"host": "192.0.2.1"}, "CI_OBSERVER_HOST"),
    ],
)
def test_settings_that_peers_cannot_have_are_refused(
    tmp_path: Path, values: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        demo.create_second(Config(db_path=tmp_path / "own.db", **values))
