"""The YAML file: from its text to a `Config`, or to all errors with their places."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ci_observer.ingest.cli import main
from ci_observer.ingest.config import SETTINGS, Config, load_config
from ci_observer.ingest.config.file_model import VARIABLES, SettingsFile
from ci_observer.ingest.config.file_schema import schema_text
from ci_observer.ingest.config.settings import SECRETS, WEB_SECRETS
from ci_observer.ingest.errors import ConfigError

ROOT = Path(__file__).parents[2]
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"  # noqa: S105 (made up)

pytestmark = pytest.mark.usefixtures("only_own_settings")


@pytest.fixture(autouse=True)
def environ() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def load(text: str, **environ: str) -> Config:
    Path("ci-observer.yml").write_text(text, encoding="utf-8")
    os.environ.update(environ)
    return load_config()


def errors_of(text: str) -> list[str]:
    """The errors as "line:column text"."""
    with pytest.raises(ConfigError) as error:
        load(text)
    lines = [line.strip() for line in str(error.value).splitlines()]
    lines = lines if len(lines) == 1 else lines[1:]
    return [
        line.removeprefix("ci-observer.yml, line ").replace(", column ", ":", 1)
        for line in lines
    ]


def test_without_a_file_nothing_changes():
    assert load_config() == Config.from_environ(os.environ).with_network(os.environ)
    assert load_config().sources == ()


def test_every_setting_that_is_no_secret_has_a_key():
    # One file serves all shards.
    in_file = {*VARIABLES.values(), "CI_OBSERVER_CONFIG", "SHARD"}
    secrets = {"GITHUB_TOKEN", "ACCESS_TOKEN", "ALERT_URLS"}

    assert in_file | secrets == set(SETTINGS)
    assert not in_file & secrets
    assert secrets <= {*SECRETS, *WEB_SECRETS}


def test_the_file_gives_the_same_as_the_variables():
    environ = {
        "GH_REPOS": "acme/api,beta/*",
        "GH_WORKFLOWS": "ci.yml",
        "DASHBOARD_TITLE": "Acme",
        "REFRESH_SECONDS": "30",
        "DASHBOARD_TIMEZONE": "Europe/Berlin",
        "ADHOC_SQL": "off",
        "FETCH_JOBS": "all",
        "MINUTE_MULTIPLIERS": "linux=1.5,arc-set=0",
        "ALERT_EVENTS": "fixed,broken",
        "ALERT_AFTER": "2",
        "ALERT_REPOS": "acme/*,!acme/old",
        "CI_OBSERVER_ALLOWED_HOSTS": "ci.example.com,10.0.0.0/8",
        "FORWARDED_ALLOW_IPS": "10.0.0.1",
        "CI_OBSERVER_BASE_URL": "/ci/",
        "CI_OBSERVER_PORT": "9000",
        "CI_OBSERVER_DB": "x/y.db",
    }
    text = """
        repositories: [acme/api, beta/*]
        workflows: [ci.yml]
        title: Acme
        refresh_seconds: 30
        timezone: Europe/Berlin
        adhoc_sql: off
        fetch_jobs: all
        minute_multipliers: {linux: 1.5, arc-set: 0}
        alert_events: [broken, fixed]
        alert_after: 2
        alert_repos: [acme/*, "!acme/old"]
        allowed_hosts: [ci.example.com, 10.0.0.0/8]
        forwarded_allow_ips: [10.0.0.1]
        base_url: /ci/
        port: 9000
        db: x/y.db
    """

    found, expected = load(text), Config.from_environ(environ)

    for name in ("title", "refresh_seconds", "timezone", "adhoc_sql", "fetch_jobs"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("alert_events", "alert_after", "alert_repos"):
        assert getattr(found, name) == getattr(expected, name)
    names = ("repos", "workflows", "minute_multipliers", "allowed_hosts", "port")
    for name in (*names, "forwarded_allow_ips", "base_url", "db_path"):
        assert getattr(found, name) == getattr(expected, name)


def test_a_variable_replaces_the_whole_value_and_an_empty_one_does_not():
    text = """
        title: From the file
        repositories:
          - repository: acme/api
            workflows: [own.yml]
        topics: [payments]
        workflows: [ci.yml]
    """

    config = load(text, GH_REPOS="acme/web", DASHBOARD_TITLE="")

    assert (config.repos, config.workflows) == (("acme/web",), ("ci.yml",))
    assert (config.repo_settings, config.topics) == ((), ())
    assert config.warnings == (
        "GH_REPOS replaces repositories and topics in ci-observer.yml, with the "
        "settings of single repositories. Remove it to let the file count.",
    )
    assert config.title == "From the file"
    assert dict(config.sources)["GH_REPOS"] == "environment"
    assert dict(config.sources)["GH_WORKFLOWS"] == "ci-observer.yml, line 7"
    assert dict(config.sources)["REFRESH_SECONDS"] == "default"


def test_a_variable_in_the_env_file_replaces_a_value_too():
    Path(".env").write_text("DASHBOARD_TITLE=From .env\n")

    config = load("title: From the file\n")

    assert config.title == "From .env"
    assert dict(config.sources)["DASHBOARD_TITLE"] == ".env"


@pytest.mark.parametrize(
    ("text", "is_polling"),
    [
        ("repositories: [acme/api]\nworkflows: [ci.yml]", True),
        ("repositories: [acme/api]", False),
        ("repositories: []\nworkflows: [ci.yml]", False),
        ("repositories: ['!acme/api']\nworkflows: [ci.yml]", False),
        ("repositories: [{repository: acme/api, workflows: [ci.yml]}]", True),
        ("", False),
        ("repositories:\n#  - acme/api\n", False),
    ],
)
def test_both_lists_are_needed_for_polling(text, is_polling):
    assert (load(text).why_not_polling is None) == is_polling


def test_either_source_may_supply_the_lists():
    assert load("repositories: [acme/api]", GH_WORKFLOWS="*").why_not_polling is None


def test_a_token_in_the_environment_replaces_an_app_in_the_file():
    text = "github_app_id: 12345\ngithub_app_private_key_file: nowhere.pem\n"

    config = load(text, GITHUB_TOKEN="abc")  # noqa: S106 (made up)

    assert (config.token, config.app_id) == ("abc", None)


def test_the_web_side_does_not_read_the_files_of_ingests_secrets():
    text = "github_token_file: nowhere\naccess_token_file: also-nowhere\n"
    Path("ci-observer.yml").write_text(text)

    assert load_config(with_token=False, with_access_token=False).token_file is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The traps of YAML.
        (
            "repositories:\n  - !acme/old-*",
            "2:5: !acme/old-* is a tag in YAML, because it begins with an exclamation"
            ' mark. Write "!acme/old-*" in quotes.',
        ),
        (
            "workflows: [*]",
            "1:13: a text that begins with * or & needs quotes, because they have a"
            ' meaning in YAML. Write for example "*"',
        ),
        ("title: no", '1:8: YAML may read no as true or false. Write "no" in quotes.'),
        ("title: On", '1:8: YAML may read On as true or false. Write "On" in quotes.'),
        (
            "title: true",
            '1:8: YAML reads true as true or false. Write "true" in quotes.',
        ),
        ("title: 1.10", '1:8: YAML reads 1.10 as a number. Write "1.10" in quotes.'),
        ("title: 0x1F", '1:8: YAML reads 0x1F as a number. Write "0x1F" in quotes.'),
        (
            "title: A: B",
            '1:9: a second ": " stands in one line. Write the text in quotes, or',
        ),
        (
            "workflows:\n\t- ci.yml",
            "2:1: a tab stands before the text. Indent with spaces.",
        ),
        ("title: @x", "1:8: a text that begins with @ needs quotes."),
        ("title: 'x", "1:8: the quote that begins here is not closed. Close it."),
        (
            "topics: [a, b",
            "1:9: the bracket that begins here is not closed, or a comma is missing.",
        ),
        ("title", "1:1: this is no setting. Write key: value, one a line."),
        ("title: A\nport", "2:1: this line has no colon. Write key: value"),
        ("title: A\ntitle: B", "2:1: title is there twice, first in line 1. Keep one."),
        (
            "title: A\n---\ntitle: B",
            "2:1: a second document begins. Remove the line ---",
        ),
        ("title: A\x07", "1:9: this character cannot be seen. Delete it."),
        # Things that other programs may make of a file.
        (
            "title: !!python/object/apply:os.system [id]",
            "1:8: !!python/object/apply:os.system is a tag in YAML, which is not"
            " allowed. Remove it.",
        ),
        (
            "title: &a x",
            '1:8: &a is an anchor in YAML, which is not allowed. For a text, write "&a"'
            " in quotes; otherwise write the value itself.",
        ),
        (
            "title: *a",
            '1:8: *a is an alias in YAML, which is not allowed. For a text, write "*a"'
            " in quotes; otherwise write the value itself.",
        ),
        ("title: " + "[" * 5000, "1:19: this is nested too deeply."),
        # Keys and values.
        (
            "refresh_second: 60",
            "1:1: 'refresh_second' is no setting. Did you mean refresh_seconds?",
        ),
        (
            "dashboard_title: A",
            "1:1: 'dashboard_title' is no setting. Did you mean title?",
        ),
        ("GH_REPOS: a/b", "1:1: 'GH_REPOS' is no setting. Did you mean repositories?"),
        (
            "ACCESS_TOKEN_FILE: x",
            "1:1: 'ACCESS_TOKEN_FILE' is no setting. Did you mean access_token_file?",
        ),
        ("refresh_seconds: 4", "1:18: 4 is too small. The least is 5."),
        (
            'refresh_seconds: "60"',
            "1:18: 60 is a text. Write a number without quotes.",
        ),
        (
            "timezone: Mars",
            "1:11: 'Mars' is not a time zone. Write an IANA name such as UTC,"
            " Europe/Berlin or America/New_York.",
        ),
        (
            "fetch_jobs: some",
            "1:13: some is not known. Write failed, default-branch, all or none.",
        ),
        (
            "workflows: ci.yml",
            "1:12: this is a text, and must be a list. Write [ci.yml]",
        ),
        (
            'workflows: "*"',
            '1:12: this is a text, and must be a list. Write ["*"]',
        ),
        (
            "repositories: [acme]",
            "1:16: 'acme' is no repository. Write acme/api, acme/*, a pattern such as"
            " acme/api-*",
        ),
        ("repositories: ['*/api']", "1:16: '*/api' is no repository."),
        (
            "repositories:\n  - repositores: acme/x",
            "2:5: 'repositores' is no setting. Did you mean repository?",
        ),
        (
            "repositories: [acme/a, '!ACME/a']",
            "1:24: !ACME/a contradicts line 1: one selects what the other leaves out.",
        ),
        (
            "repositories: [acme/a, Acme/A]",
            "1:24: Acme/A is there twice, first in line 1. Keep one.",
        ),
        ("repositories:\n  -\n", "2:4: there is no value here."),
        (
            "screens: {a: kiosk=yes}",
            "1:14: kiosk=yes is not understood. Write for example kiosk=1",
        ),
        ("screens: {a b: kiosk=1}", "1:11: 'a b' is no name for an address."),
        ("teams: {a: acme/*}", "1:12: this is a text, and must be a list."),
        (
            "muted: [{tile: acme/api, reason: x, until: 2030-01-01}]",
            "1:16: 'acme/api' names no tile. Write OWNER/REPO/FILE",
        ),
        (
            "muted: [{tile: acme/api/ci.yml, until: 2030-01-01}]",
            "1:9: reason is missing.",
        ),
        (
            "muted: [{tile: acme/api/ci.yml, reason: x, until: 9999-12-31}]",
            "1:51: '9999-12-31' is no day.",
        ),
        (
            "muted: [{tile: acme/api/ci.yml, reason: x, until: soon}]",
            "1:51: 'soon' is no day. Write the last day for which it is muted",
        ),
        (
            "repositories: [{repository: acme/a, schedule: {n.yml: dayly}}]",
            "1:55: 'dayly' is no schedule. Write daily, weekly, every 6 hours",
        ),
        (
            "repositories: [{repository: acme/a, branches: [a b]}]",
            "1:48: 'a b' is no branch.",
        ),
        (
            "repositories:\n- repository: acme/a\n  workflows: [ci.yml]\n"
            "  schedule: {n.yml: daily}",
            "4:14: n.yml is not in this list of workflows. Add it.",
        ),
    ],
)
def test_an_error_has_its_place_and_says_what_to_write(text, expected):
    assert errors_of(text)[0].startswith(expected)


def test_all_errors_are_shown_in_order():
    text = """\
title: no
refresh_second: 3
repositories:
  - acme
  - !acme/old-*
history_days: 0
timezone: Mars
"""

    places = [error.split(" ")[0] for error in errors_of(text)]

    assert places == ["1:8:", "2:1:", "4:5:", "5:5:", "6:15:", "7:11:"]


def test_check_prints_all_errors_and_exits_with_2():
    Path("ci-observer.yml").write_text("title: no\nport: 0\n")

    result = CliRunner().invoke(main, ["check"])

    assert result.exit_code == 2
    assert "Error: ci-observer.yml has 2 errors.\n" in result.output
    assert "  ci-observer.yml, line 2, column 7: 0 is too small" in result.output


@pytest.mark.parametrize(
    "text",
    [
        f"github_token: {TOKEN}",
        f"title: {TOKEN}",
        f"github_token_file: {TOKEN}",
        f"{TOKEN}: x",
        f"teams:\n  {TOKEN}: [acme/api]",
        f"title: '{TOKEN}",
        f"title: *{TOKEN}",
        f"github_token: !{TOKEN}",
        "access_token: hidden-words-of-mine",
        "access_token: '@hidden-words-of-mine",
        "access_token: @hidden-words-of-mine",
        "access_token: *hidden-words-of-mine",
        "access_token: &hidden-words-of-mine x",
        "ACCESS_TOKEN: [hidden-words-of-mine, [hidden-words-of-mine]]",
        "datasette_secret: hidden-words-of-mine",
        "https_proxy: http://ada:hidden-words-of-mine@proxy:3128",
        "github_api_url: https://ada:hidden-words-of-mine@host/api/v3",
        "api_key: hidden-words-of-mine",
        f"# was {TOKEN}",
        f"title: x # was {TOKEN}",
        f"title: [ # was {TOKEN}",
        "title: https://hooks.slack.com/services/hidden-words-of-mine",
        "title: xoxb-hidden-words-of-mine",
    ],
)
def test_a_secret_is_refused_and_not_shown(text):
    with pytest.raises(ConfigError) as error:
        load(text)

    assert "secret, which does not belong into a file under version" in str(error.value)
    assert "abcdefghijkl" not in str(error.value)
    assert "hidden-words" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("token", "Set GITHUB_TOKEN in the environment"),
        ("Access-Token", "Set ACCESS_TOKEN in the environment"),
        ("webhook_secret", "Delete it here: GITHUB_TOKEN and ACCESS_TOKEN are set in"),
    ],
)
def test_a_secret_is_sent_to_a_variable_that_exists(key, advice):
    [error] = errors_of(f"{key}: x")

    assert advice in error


def test_a_hash_and_a_commit_are_no_secrets():
    text = "title: 'build #12 of 0123456789abcdef'  # since 4f3a9c1\n"

    assert load(text).title == "build #12 of 0123456789abcdef"


def test_a_file_that_cannot_be_read_is_an_error():
    with pytest.raises(ConfigError, match=r"cannot read nowhere\.yml"):
        load("", CI_OBSERVER_CONFIG="nowhere.yml")
    os.environ.pop("CI_OBSERVER_CONFIG")
    Path("ci-observer.yml").unlink()
    Path("ci-observer.yml").mkdir()
    with pytest.raises(ConfigError, match="Docker creates one"):
        load_config()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"title: \xff", "line 1 is not UTF-8"),
        ("title: A".encode("utf-16"), "it is UTF-16"),
        (b"# " + b"x" * 300_000, "larger than 256 kB"),
    ],
)
def test_a_file_of_another_kind_is_refused(data, expected):
    Path("ci-observer.yml").write_bytes(data)

    with pytest.raises(ConfigError, match=expected):
        load_config()


def test_the_file_may_have_another_name_and_a_byte_order_mark():
    Path("other.yml").write_text("title: Ä\n", encoding="utf-8-sig")
    os.environ["CI_OBSERVER_CONFIG"] = "other.yml"

    assert load_config().title == "Ä"
    assert load_config().config_file == Path("other.yml")


def test_texts_may_have_several_lines():
    config = load("""
muted:
  - tile: acme/api/ci.yml@feature/x
    reason: >
      Flaky since
      the move
    until: 2026-12-24 18:00
screens:
  x: |
    team=pay
""")

    [mute] = config.muted
    assert (mute.branch, mute.reason) == ("feature/x", "Flaky since the move")
    assert str(mute.until) == "2026-12-24 18:00:00"
    assert config.screens[0].query == "team=pay"


def test_the_example_loads():
    config = load((ROOT / "ci-observer.example.yml").read_text())

    assert config.why_not_polling is None
    assert [team.name for team in config.teams] == ["web", "platform"]
    assert [screen.name for screen in config.screens] == ["tv", "red"]
    assert config.title == "Acme CI"


def test_the_example_without_its_comments_loads():
    lines = (ROOT / "ci-observer.example.yml").read_text().splitlines()
    given = [line.removeprefix("# ") if ": [" in line else line for line in lines]

    config = load("\n".join(given))
    assert config.topics == ("production",)
    assert [mute.repo for mute in config.muted] == ["acme/web"]


def test_the_schema_for_editors_is_that_of_the_program():
    """`make docs` writes it."""
    path = ROOT / "contrib" / "ci-observer.schema.json"

    assert path.read_text(encoding="utf-8") == schema_text()
    assert set(json.loads(path.read_text())["properties"]) == set(
        SettingsFile.model_fields
    )


def test_without_a_file_the_library_is_not_imported():
    code = (
        "import sys; from ci_observer.ingest.config import load_config; load_config();"
        "print('pydantic' in sys.modules)"
    )

    result = subprocess.run(  # noqa: S603 (our own interpreter)
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert result.stdout == "False\n"
