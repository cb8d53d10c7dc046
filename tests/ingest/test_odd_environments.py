"""Odd environments: what can work works, and the rest is a sentence."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
from archive import save_runs, watch
from click.testing import CliRunner
from factories import run_payload
from processes import environ_with, serving
from up import environ as up_environ
from up import run_up

from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import demo
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.config import SETTINGS, load_config

ROOT = Path(__file__).parents[2]
CI_OBSERVER = [sys.executable, "-m", "ci_observer"]


@pytest.mark.parametrize(
    "odd",
    [
        {
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "TMPDIR": "/dev/null/missing",
            "SQLITE_TMPDIR": "/dev/null/missing",
            "HOME": "/dev/null/missing",
            "TZ": ":junk/x",
            "WEB_CONCURRENCY": "junk",
            "COLUMNS": "junk",
            "ODD": "a\udcffb",
            "PATH": "",
        },
        {
            "LANG": "xx_YY.junk",
            "PYTHONIOENCODING": "ascii",
            "SSL_CERT_FILE": "/dev/null/missing",
            "SSL_CERT_DIR": "/dev/null/missing",
            "HTTPS_PROXY": "http://proxy:port",
            "ALL_PROXY": "socks4://proxy",
            "NO_PROXY": "fe80::/10",
        },
    ],
    ids=["system", "network"],
)
def test_the_web_side_serves(tmp_path, odd):
    """It needs no proxy and no certificates."""
    settings = environ_with(CI_OBSERVER_DB=tmp_path / "ci.db", PYTHONPATH=ROOT)

    with serving(settings | odd, tmp_path) as web:
        wall, table = web.get("/"), web.get("/ci_observer/runs")

    assert wall.status_code == table.status_code == httpx.codes.OK
    assert "<title>CI Observer</title>" in wall.text


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"HTTPS_PROXY": "http://proxy:port"}, "HTTPS_PROXY: not the address"),
        ({"all_proxy": "socks4://proxy:1"}, "all_proxy: not the address"),
        (
            {"SSL_CERT_FILE": "/dev/null/missing"},
            "SSL_CERT_FILE: /dev/null",
        ),
        (
            {"DASHBOARD_TITLE": "M\udcfcnchen"},
            "DASHBOARD_TITLE: its value is not UTF-8",
        ),
        ({"CI_OBSERVER_HOST": "junk.invalid"}, "CI_OBSERVER_HOST: cannot serve on"),
        ({"CI_OBSERVER_HOST": "192.0.2.1"}, "CI_OBSERVER_HOST: cannot serve on"),
        ({"CI_OBSERVER_HOST": "a..b"}, "CI_OBSERVER_HOST: cannot serve on"),
    ],
    ids=lambda odd: ",".join(odd) if isinstance(odd, dict) else "",
)
def test_up_names_what_is_wrong_before_it_starts_anything(tmp_path, odd, said):
    result = run_up(up_environ(tmp_path, free_port(), **odd), tmp_path)

    assert result.returncode == 2
    assert result.stderr.startswith(f"Error: {said}")
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]


def test_up_refuses_a_dotenv_in_latin_1(tmp_path):
    (tmp_path / ".env").write_bytes(b"DASHBOARD_TITLE=M\xfcnchen\n")

    result = run_up(up_environ(tmp_path, free_port()), tmp_path)

    assert (result.returncode, result.stderr) == (
        2,
        "Error: .env: line 1 is not UTF-8. Save the file as UTF-8.\n",
    )


@pytest.mark.parametrize("command", ["check", "serve", "up", "migrate", "export"])
def test_a_current_folder_that_is_deleted_is_a_sentence(tmp_path, command):
    folder = tmp_path / "gone"
    folder.mkdir()
    script = 'rmdir "$PWD" && exec "$@"'
    result = subprocess.run(  # noqa: S603 (our own command)
        ["/bin/sh", "-c", script, "sh", *CI_OBSERVER, command],
        check=False,
        cwd=folder,
        env=environ_with(PYTHONPATH=ROOT, CI_OBSERVER_PORT=free_port()),
        capture_output=True,
        text=True,
    )

    assert result.returncode == 2
    assert result.stderr.startswith(
        "Error: CI_OBSERVER_DB: data/ci_observer.db counts from the current folder, "
        "which has been deleted."
    )


@pytest.mark.parametrize("command", ["serve", "up"])
def test_without_any_folder_for_temporary_files_nothing_starts(
    tmp_path, monkeypatch, command
):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def fail() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    result = CliRunner().invoke(main, [command])

    assert result.exit_code == 2
    assert result.output.startswith("Error: TMPDIR: no folder for temporary files")


def test_the_demo_needs_no_proxy(tmp_path, monkeypatch):
    """The proxies of the environment and of `.env` are for other hosts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("https_proxy=http://proxy:port\n")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:port")
    started = {}
    monkeypatch.setattr(
        demo,
        "become_supervisor",
        lambda programs, environ, *_: started.update(environ),
    )
    demo.run_demo(tmp_path / "demo.db", seed=1)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in started.items():
        monkeypatch.setenv(name, value)

    assert load_config().proxy is None


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_check_and_export_write_in_any_locale(tmp_path, db, db_path, encoding):
    """An export is UTF-8 everywhere."""
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1, display_title="F\u00fcr \u6f22\u5b57"))
    environ = environ_with(
        CI_OBSERVER_DB=db_path, PYTHONPATH=ROOT, PYTHONIOENCODING=encoding
    )

    checked, exported = (
        subprocess.run(  # noqa: S603 (our own command)
            [*CI_OBSERVER, command],
            check=False,
            cwd=tmp_path,
            env=environ,
            capture_output=True,
        )
        for command in ("check", "export")
    )

    assert checked.returncode == 1
    assert b"Set GH_REPOS=owner/repo," in checked.stdout
    assert exported.returncode == 0
    assert "F\u00fcr \u6f22\u5b57" in exported.stdout.decode("utf-8")
