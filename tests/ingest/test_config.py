"""Settings: from a mapping to a `Config`, or to an error that names the variable."""

from pathlib import Path

import pytest
from factories import UNUSUAL_FILES

from ci_observer.ingest.config import SETTINGS, Config, load_config, read_token_file
from ci_observer.ingest.config.shard import Shard
from ci_observer.ingest.errors import ConfigError

TOKEN = "github_pat_secret123"  # noqa: S105 (made up)


def test_nothing_set_gives_the_defaults():
    """Nothing is polled: both lists are empty."""
    config = Config.from_environ({})

    assert config == Config()
    assert config.why_not_polling is not None


def test_every_setting_is_read():
    environ = {
        "GITHUB_TOKEN": TOKEN,
        "GH_REPOS": "acme/api",
        "GH_WORKFLOWS": "ci.yml",
        "REFRESH_SECONDS": "5",
        "DASHBOARD_TITLE": "Acme CI",
        "GITHUB_API_URL": "https://ghes.example/api/v3/",
        "CI_OBSERVER_DB": "/srv/ci.db",
        "CI_OBSERVER_HOST": "0.0.0.0",  # noqa: S104 (not bound)
        "CI_OBSERVER_PORT": "8090",
        "HISTORY_DAYS": "30",
        "DASHBOARD_TIMEZONE": "Europe/Berlin",
        "FETCH_JOBS": "all",
        "PAYLOAD_DAYS": "365",
        "CI_OBSERVER_BASE_URL": "/ci",
        "CI_OBSERVER_ALLOWED_HOSTS": "ci.example, wall.example",
        "FORWARDED_ALLOW_IPS": "10.0.0.1",
        "ACCESS_TOKEN": "let-me-in-please-2",
        "ADHOC_SQL": "off",
        "CSV_FORMULAS": "keep",
        "MINUTE_MULTIPLIERS": "MacOS = 8, ubuntu-latest-16-cores=1.5,",
        "ALERT_URLS": " json://127.0.0.1:9/hook\njson://127.0.0.1:9/other ",
        "ALERT_EVENTS": "fixed, Broken",
        "ALERT_AFTER": "3",
        "ALERT_REPOS": "acme/*, !acme/old",
        "SHARD": "1/1",
        "CI_OBSERVER_CONFIG": "teams.yml",
    }

    config = Config.from_environ(environ)

    # Of a file, a token or an App, only one can be set.
    others = {"GITHUB_TOKEN_FILE", "ACCESS_TOKEN_FILE", "ALERT_URLS_FILE"}
    others |= {name for name in SETTINGS if name.startswith(("GITHUB_APP_", "PEER"))}
    assert set(environ) == set(SETTINGS) - others
    assert config == Config(
        token=TOKEN,
        repos=("acme/api",),
        workflows=("ci.yml",),
        refresh_seconds=5,
        title="Acme CI",
        api_url="https://ghes.example/api/v3",
        db_path=Path("/srv/ci.db"),
        host="0.0.0.0",  # noqa: S104 (not bound)
        port=8090,
        history_days=30,
        timezone="Europe/Berlin",
        fetch_jobs="all",
        payload_days=365,
        base_url="/ci/",
        allowed_hosts=("ci.example", "wall.example"),
        forwarded_allow_ips="10.0.0.1",
        access_token="let-me-in-please-2",  # noqa: S106 (an example)
        adhoc_sql="off",
        csv_formulas="keep",
        alert_urls=("json://127.0.0.1:9/hook", "json://127.0.0.1:9/other"),
        alert_events=("broken", "fixed"),
        alert_after=3,
        alert_repos=("acme/*", "!acme/old"),
        # GitHub's own factors are kept.
        minute_multipliers=(
            ("linux", 1),
            ("windows", 2),
            ("macos", 8),
            ("self-hosted", 0),
            ("ubuntu-latest-16-cores", 1.5),
        ),
        shard=Shard(1, 1),
        config_file=Path("teams.yml"),
    )
    assert config.why_not_polling is None


def test_lists_forgive_spaces_empty_items_repetitions_and_letter_case():
    config = Config.from_environ(
        {
            "GH_REPOS": " acme/api, ,Acme/API,acme/web ,,",
            "GH_WORKFLOWS": "ci.yml , ci.yml,,CI.yml, deploy.yaml",
        }
    )

    assert config.repos == ("acme/api", "acme/web")
    # On GitHub, file names are case-sensitive, repository names are not.
    assert config.workflows == ("ci.yml", "CI.yml", "deploy.yaml")


def test_owners_and_named_repositories_can_be_mixed():
    config = Config.from_environ({"GH_REPOS": "acme/*, corp_ada/api,ACME/*,acme/api"})

    assert config.repos == ("acme/*", "corp_ada/api", "acme/api")
    assert config.owners == ("acme",)
    assert config.named_repos == ("corp_ada/api", "acme/api")


def test_github_s_own_workflows_are_named_by_their_path_also_with_a_star():
    pages = "dynamic/pages/pages-build-deployment"

    for text in (f"ci.yml,{pages}", f"*,{pages}"):
        workflows = Config.from_environ({"GH_WORKFLOWS": text}).workflows
        assert ",".join(workflows) == text


@pytest.mark.parametrize("name", UNUSUAL_FILES)
def test_a_workflow_s_file_name_may_have_any_letter_but_a_slash(name):
    assert Config.from_environ({"GH_WORKFLOWS": f"a.yml,{name}"}).workflows == (
        "a.yml",
        name,
    )


def test_a_star_watches_every_workflow_next_to_any_names():
    assert Config.from_environ({"GH_WORKFLOWS": "ci.yml,*"}).workflows == ("*",)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"GH_WORKFLOWS": "ci.yml"}, "GH_REPOS is empty"),
        ({"GH_REPOS": "acme/api"}, "GH_WORKFLOWS is empty"),
        ({"GH_REPOS": " , "}, "GH_REPOS and GH_WORKFLOWS are empty"),
    ],
)
def test_an_empty_list_is_why_nothing_is_polled(environ, named):
    assert named in (Config.from_environ(environ).why_not_polling or "")


@pytest.mark.parametrize(
    ("name", "value", "instead"),
    [
        ("GH_REPOS", "acme/api.git", "owner/repo"),
        ("GH_REPOS", "acme", "owner/repo"),
        ("GH_REPOS", "https://github.com/acme/api", "owner/repo"),
        ("GH_REPOS", "acme/", "owner/*"),
        ("GH_REPOS", "*", "owner/*"),
        ("GH_REPOS", "*/*", "owner/*"),
        ("GH_REPOS", "acme/web-*", "owner/*"),
        ("GH_REPOS", "acme/..", "owner/repo"),
        ("GH_WORKFLOWS", "CI", "GH_WORKFLOWS=ci.yml"),
        ("GH_WORKFLOWS", "ci.yml deploy.yml", "GH_WORKFLOWS=ci.yml,deploy.yaml"),
        ("GH_WORKFLOWS", "a\tb.yml", "file name"),
        ("GH_WORKFLOWS", ".github\\workflows\\ci.yml", "file name"),
        ("GH_WORKFLOWS", "dynamic/../x", "file name"),
        ("GH_WORKFLOWS", "*,dynamic/../x", "file name"),
        ("GH_WORKFLOWS", ".github/workflows/ci.yml", "file name"),
        ("REFRESH_SECONDS", "4", "5 to"),
        ("REFRESH_SECONDS", "1m", "whole number"),
        ("REFRESH_SECONDS", "-60", "whole number"),
        ("REFRESH_SECONDS", "\uff16\uff10", "whole number"),
        ("CI_OBSERVER_PORT", "0", "1 to 65535"),
        ("CI_OBSERVER_PORT", "65536", "1 to 65535"),
        ("HISTORY_DAYS", "0", "1 to"),
        ("GITHUB_API_URL", "api.github.com", "https://HOST/api/v3"),
        ("GITHUB_API_URL", "ftp://api.github.com", "https://HOST/api/v3"),
        ("GITHUB_API_URL", "https://user:pass@ghes.example", "https://HOST/api/v3"),
        ("GITHUB_API_URL", "https://[broken", "https://HOST/api/v3"),
        ("GITHUB_API_URL", "https://ghes.example:port", "https://HOST/api/v3"),
        ("DASHBOARD_TIMEZONE", "Mars/Olympus", "Europe/Berlin"),
        ("DASHBOARD_TIMEZONE", "../etc/passwd", "Europe/Berlin"),
        ("FETCH_JOBS", "some", "failed, default-branch, all, none"),
        ("PAYLOAD_DAYS", "0", "1 to 36500"),
        ("ALERT_URLS", "hooks.example.com/x", "address 1"),
        ("ALERT_EVENTS", "broken,crashed", "'crashed' is no event"),
        ("ALERT_AFTER", "0", "from 1 to"),
        ("ALERT_REPOS", "acme", "no repository"),
        ("MINUTE_MULTIPLIERS", "2", "linux=1,windows=2"),
        ("MINUTE_MULTIPLIERS", "linux=one", "from 0 to 1000"),
        ("MINUTE_MULTIPLIERS", "linux=-1", "from 0 to 1000"),
        ("MINUTE_MULTIPLIERS", "linux=1001", "from 0 to 1000"),
        ("MINUTE_MULTIPLIERS", "linux=nan", "from 0 to 1000"),
        ("MINUTE_MULTIPLIERS", "linux=1e3", "from 0 to 1000"),
        ("MINUTE_MULTIPLIERS", "linux=1=2", "from 0 to 1000"),
        ("MINUTE_MULTIPLIERS", "osx=10", "'osx' is not linux"),
        ("MINUTE_MULTIPLIERS", "a b-c=10", "macos-latest-xlarge"),
        ("MINUTE_MULTIPLIERS", "linux=1,Linux=2", "there twice"),
        ("CI_OBSERVER_BASE_URL", "https://ci.example/ci/", "/ci/"),
        ("CI_OBSERVER_BASE_URL", "/ci/../x/", "/ci/"),
        ("CI_OBSERVER_BASE_URL", "/ci v2/", "/ci/"),
        ("CI_OBSERVER_BASE_URL", "/ci//x/", "/ci/"),
        ("CI_OBSERVER_BASE_URL", "/ci?x", "/ci/"),
        ("CI_OBSERVER_BASE_URL", "/v1.2/", "letters, digits"),
        ("CI_OBSERVER_BASE_URL", "/runs", "another first name"),
        ("CI_OBSERVER_BASE_URL", "/ci_observer/", "/ci-observer/"),
        ("CI_OBSERVER_BASE_URL", "/ci_observer/x/", "another first name"),
        ("CI_OBSERVER_BASE_URL", "/-/ci/", "another first name"),
        ("CI_OBSERVER_BASE_URL", "/api/", "another first name"),
        ("CI_OBSERVER_BASE_URL", "/static", "another first name"),
        ("CI_OBSERVER_BASE_URL", "/workflows/", "another first name"),
        ("CI_OBSERVER_BASE_URL", "/login/", "another first name"),
        ("CI_OBSERVER_BASE_URL", "s", "another first name"),
        ("FORWARDED_ALLOW_IPS", "traefik", "172.18.0.0/16"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1, proxy.internal", "'proxy.internal'"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1/8", "host bits"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1:443", "IP address"),
        ("FORWARDED_ALLOW_IPS", "*,10.0.0.1", "* alone"),
        ("FORWARDED_ALLOW_IPS", "*.example", "* alone"),
        ("FORWARDED_ALLOW_IPS", ",", "IP address"),
        ("GITHUB_TOKEN", "two words", "no token has"),
        ("GITHUB_TOKEN_FILE", "/nonexistent/token", "cannot read"),
    ],
)
def test_a_bad_value_is_refused_by_name_with_what_to_write_instead(
    name, value, instead
):
    with pytest.raises(ConfigError) as caught:
        Config.from_environ({name: value})

    assert str(caught.value).startswith(name)
    assert instead in str(caught.value)


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("/", "/"),
        ("ci", "/ci/"),
        ("/ci-observer", "/ci-observer/"),
        ("/x/runs", "/x/runs/"),
        ("/ci", "/ci/"),
        ("/tools/ci_2/", "/tools/ci_2/"),
    ],
)
def test_a_prefix_begins_and_ends_with_a_slash(text, base_url):
    config = Config.from_environ({"CI_OBSERVER_BASE_URL": text})

    assert config.base_url == base_url


def test_the_address_of_the_wall_has_the_prefix():
    config = Config(host="::1", port=8090, base_url="/ci/")

    assert config.wall_address == "http://[::1]:8090/ci/"
    assert Config().wall_address == "http://127.0.0.1:8089"


@pytest.mark.parametrize(
    "text", ["*", "10.0.0.1", "::1, 10.0.0.0/8", "fd00::/8", "10.0.0.0/255.0.0.0"]
)
def test_proxies_are_addresses_networks_or_everything(text):
    config = Config.from_environ({"FORWARDED_ALLOW_IPS": text})

    assert config.forwarded_allow_ips == text.replace(" ", "")


def test_an_api_address_with_a_password_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        Config.from_environ({"GITHUB_API_URL": "https://u:hunter2@ghes.example"})

    assert "hunter2" not in str(caught.value)


def test_the_token_can_stand_in_a_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")

    assert Config.from_environ({"GITHUB_TOKEN_FILE": str(path)}).token == TOKEN


@pytest.mark.parametrize("content", [b"", b" \n", b"a b", b"\xff\xfe"])
def test_a_token_file_without_one_token_is_refused(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="GITHUB_TOKEN_FILE"):
        read_token_file(path)


def test_token_and_token_file_together_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="keep only one"):
        Config.from_environ({"GITHUB_TOKEN": TOKEN, "GITHUB_TOKEN_FILE": str(tmp_path)})


def test_the_token_is_in_no_repr_and_in_no_error():
    config = Config.from_environ({"GITHUB_TOKEN": TOKEN})

    assert TOKEN not in repr(config)
    with pytest.raises(ConfigError) as caught:
        Config.from_environ({"GITHUB_TOKEN": f"{TOKEN} x"})
    assert TOKEN not in str(caught.value)


def test_a_dotenv_file_is_read_and_the_environment_goes_first(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("DASHBOARD_TITLE=From file\nHISTORY_DAYS=7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DASHBOARD_TITLE", "From environment")

    config = load_config()

    assert (config.title, config.history_days) == ("From environment", 7)


def test_the_web_side_reads_no_token(tmp_path, monkeypatch):
    """Not even a missing token file stops it."""
    (tmp_path / ".env").write_text("GITHUB_TOKEN_FILE=/nonexistent\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)

    assert load_config(with_token=False).token is None


def test_a_token_of_the_environment_replaces_a_token_file_of_dotenv(
    tmp_path, monkeypatch
):
    (tmp_path / ".env").write_text("GITHUB_TOKEN_FILE=/nonexistent\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)

    assert load_config().token == TOKEN
