"""The command `alerts`, and what other commands and the web side say of alerts."""

from datetime import timedelta
from email import message_from_bytes
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller
from alerting import NOWHERE, add, follow_clock, receiving, wait_and_poll
from click.testing import CliRunner
from polling import FILE, REPO

from ci_observer.ingest.alerts.deliver import SENT, Network, send
from ci_observer.ingest.alerts.messages import Message
from ci_observer.ingest.alerts.past import dry_run_lines
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands.check import alert_lines
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.commands.supervise import ALERTS, WEB
from ci_observer.ingest.config import Config, load_config

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_the_dry_run_prints_the_week_by_the_recorded_states(ingest, db, github, world):
    follow_clock(db, github)
    world.add_run(REPO, FILE, created_at=world.now - timedelta(days=10))
    ingest.poll()
    for conclusion in ("failure", "failure", "success", "failure"):
        github.advance(3600)
        add(world, conclusion, actor="ada")
        wait_and_poll(ingest, github, minutes=1)

    lines = list(dry_run_lines(Config(), db))
    db.execute("drop view temp.alert_facts")
    db.execute("drop table temp.alerts")
    twice = list(dry_run_lines(Config(alert_after=2), db))

    titles = [line for line in lines if not line.startswith(" ")]
    assert titles == [
        "acme/api: ci is broken",
        "acme/api: ci passes again",
        "acme/api: ci is broken",
        "3 alerts in the last 7 days. Nothing was sent.",
    ]
    assert "by ada" in lines[2]
    assert twice[-1] == "2 alerts in the last 7 days. Nothing was sent."
    assert db.execute("select count(*) from main.alerts").fetchall() == [(0,)]


@pytest.mark.usefixtures("only_own_settings")
def test_a_test_names_the_addresses_that_failed_and_no_secret(monkeypatch):
    with receiving() as receiver:
        monkeypatch.setenv("ALERT_URLS", f"json://127.0.0.1:9/s3cret {receiver.url}")
        result = CliRunner().invoke(main, ["alerts", "--test"])

    assert result.exit_code == 1
    assert result.output == "1 (JSON): failed: no connection\n2 (JSON): sent\n"
    assert receiver.titles == ["CI Observer: test"]


@pytest.mark.usefixtures("only_own_settings")
def test_without_an_address_the_command_says_what_to_set():
    result = CliRunner().invoke(main, ["alerts"])

    assert result.exit_code == 2
    assert "Set ALERT_URLS" in result.output


@pytest.mark.usefixtures("only_own_settings")
def test_the_addresses_are_for_the_processes_that_send(monkeypatch):
    monkeypatch.setenv("ALERT_URLS", NOWHERE)

    assert load_config(with_token=False).alert_urls == ()
    assert load_config(with_token=False, with_alerts=True).alert_urls == (NOWHERE,)
    assert "ALERT_URLS" in WEB.unset
    assert {"GITHUB_TOKEN", "ACCESS_TOKEN"} <= set(ALERTS.unset)
    assert "ALERT_URLS" not in ALERTS.unset


def test_check_names_the_addresses_by_number_and_kind(tmp_path):
    config = Config(alert_urls=(NOWHERE,), db_path=tmp_path / "none.db")

    assert [line.text for line in alert_lines(config)] == ["Alerts: to 1 (JSON)."]


def test_an_e_mail_has_the_text_and_the_number():
    mails = []

    async def handle_DATA(server, session, envelope):
        mails.append(message_from_bytes(envelope.content))
        return "250 OK"

    handler = SimpleNamespace(handle_DATA=handle_DATA)
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=ci@example.com&to=team@example.com"
        message = Message("m1", "acme/api: ci is broken", "One\nTwo", "failure", {})
        result = send(url, message, Network("https://api.github.com"))
    finally:
        controller.stop()

    assert result.outcome == SENT
    [mail] = mails
    assert mail["Subject"] == "acme/api: ci is broken"
    assert mail["X-CI-Observer-Id"] == "m1"
