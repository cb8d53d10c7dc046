"""Names that look like settings: "did you mean", and no noise about other programs."""

import pytest

from ci_observer.ingest.config import SETTINGS, load_config
from ci_observer.ingest.config.names import near_misses, unknown_in_file

SLIPS = [
    ("GH_REPO", "GH_REPOS"),
    ("GH_WORKFLOW", "GH_WORKFLOWS"),
    ("gh_repos", "GH_REPOS"),
    ("REFRESH_SECOND", "REFRESH_SECONDS"),
    ("GITHUB_TOKENFILE", "GITHUB_TOKEN_FILE"),
    ("GITHUB_APIURL", "GITHUB_API_URL"),
    ("GITHUB_TOKENS", "GITHUB_TOKEN"),
    ("ACCES_TOKEN", "ACCESS_TOKEN"),
    ("CI_OBSERVER_PORTS", "CI_OBSERVER_PORT"),
    ("CI_OBSERVER_BASEURL", "CI_OBSERVER_BASE_URL"),
    ("CI_OBSERVER_DATABASE", "CI_OBSERVER_DB"),
    ("DASHBOARD_TITEL", "DASHBOARD_TITLE"),
    ("HISTORY_DAY", "HISTORY_DAYS"),
    ("PAYLOADS_DAYS", "PAYLOAD_DAYS"),
]

# From the documentation of GitHub Actions, of gh, of Kubernetes, and of other programs.
OTHERS = """
GITHUB_ACTION GITHUB_ACTION_PATH GITHUB_ACTION_REPOSITORY GITHUB_ACTIONS GITHUB_ACTOR
GITHUB_ACTOR_ID GITHUB_BASE_REF GITHUB_ENV GITHUB_EVENT_NAME GITHUB_EVENT_PATH
GITHUB_GRAPHQL_URL GITHUB_HEAD_REF GITHUB_JOB GITHUB_OUTPUT GITHUB_PATH GITHUB_REF
GITHUB_REF_NAME GITHUB_REF_PROTECTED GITHUB_REF_TYPE GITHUB_REPOSITORY
GITHUB_REPOSITORY_ID GITHUB_REPOSITORY_OWNER GITHUB_REPOSITORY_OWNER_ID
GITHUB_RETENTION_DAYS GITHUB_RUN_ATTEMPT GITHUB_RUN_ID GITHUB_RUN_NUMBER
GITHUB_SERVER_URL GITHUB_SHA GITHUB_STATE GITHUB_STEP_SUMMARY GITHUB_TRIGGERING_ACTOR
GITHUB_WORKFLOW GITHUB_WORKFLOW_REF GITHUB_WORKFLOW_SHA GITHUB_WORKSPACE GITHUB_USER
GITHUB_CODESPACE_TOKEN GITHUB_ENTERPRISE_TOKEN GH_TOKEN GH_HOST GH_ENTERPRISE_TOKEN
GH_BROWSER GH_CONFIG_DIR GH_DEBUG GH_EDITOR GH_FORCE_TTY GH_MDWIDTH
GH_NO_UPDATE_NOTIFIER GH_PAGER GH_PATH GH_PROMPT_DISABLED CI_OBSERVER_PORT_8089_TCP
CI_OBSERVER_PORT_8089_TCP_ADDR CI_OBSERVER_PORT_8089_TCP_PORT
CI_OBSERVER_PORT_8089_TCP_PROTO CI_OBSERVER_SERVICE_HOST CI_OBSERVER_SERVICE_PORT
CI_OBSERVER_SERVICE_PORT_HTTP CI_OBSERVER_WEB_SERVICE_HOST CI_OBSERVER_WEB_PORT
CI_OBSERVER_NAME CI_OBSERVER_DATA CI_OBSERVER_DB_PORT CI_OBSERVER_DB_SERVICE_HOST
ACCESS_TOKEN_SECRET AWS_ACCESS_TOKEN OAUTH_ACCESS_TOKEN HF_TOKEN WORKFLOWS REPOS TOKEN
PORT HOST HOSTNAME TITLE DB HISTSIZE HISTFILE CI CI_JOB_TOKEN DASHBOARD_URL REFRESH PATH
HOME LANG TZ PWD SHLVL USER TERM PYTHONPATH
"""


@pytest.mark.parametrize(("name", "setting"), SLIPS)
def test_a_slip_gets_the_name_of_the_setting(name, setting):
    said = f"{name} is not a setting. Did you mean {setting}?"

    assert list(near_misses({name: "x"}, SETTINGS, [])) == [said]
    assert list(unknown_in_file([name], SETTINGS)) == [f".env: {said}"]


def test_other_programs_variables_give_no_warning():
    environ = dict.fromkeys([*OTHERS.split(), *SETTINGS], "x")

    assert list(near_misses(environ, SETTINGS, [])) == []


def test_who_has_set_a_setting_does_not_mean_it_by_another_name():
    """`GH_REPO` is a variable of the command gh, too."""
    assert list(near_misses({"GH_REPO": "a/b"}, SETTINGS, ["GH_REPOS"])) == []


def test_an_own_prefix_gives_a_warning_although_nothing_is_alike():
    assert list(near_misses({"CI_OBSERVER_COLOUR_SCHEME": "x"}, SETTINGS, [])) == [
        "CI_OBSERVER_COLOUR_SCHEME is not a setting."
    ]


def test_in_the_file_every_other_name_gives_a_warning():
    fine = ["COMPOSE_PROJECT_NAME", "CI_OBSERVER_DATA", "https_proxy", "SSL_CERT_FILE"]

    assert list(unknown_in_file(["FOO", "GH_TOKEN", *fine, *SETTINGS], SETTINGS)) == [
        ".env: FOO is not a setting.",
        ".env: GH_TOKEN is not a setting. Did you mean GITHUB_TOKEN?",
    ]


def test_a_token_in_the_place_of_a_name_is_not_shown():
    [warning] = unknown_in_file(["ghp_0123456789abcdef"], SETTINGS)

    assert warning == ".env: a line is not a setting."


@pytest.fixture
def _no_settings(tmp_path, monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_no_settings")
@pytest.mark.parametrize("value", ["tcp://10.0.0.1:8089", "udp://[fd00::1]:53"])
def test_the_port_that_kubernetes_sets_for_a_service_does_not_count(
    tmp_path, monkeypatch, value
):
    monkeypatch.setenv("CI_OBSERVER_PORT", value)
    default = load_config()
    (tmp_path / ".env").write_text("CI_OBSERVER_PORT=9000\n")

    assert (default.port, default.warnings) == (8089, ())
    assert load_config().port == 9000


@pytest.mark.usefixtures("_no_settings")
def test_a_folder_for_temporary_files_that_is_missing_gives_a_warning(monkeypatch):
    monkeypatch.setenv("SQLITE_TMPDIR", "/dev/null/missing")

    [warning] = load_config().warnings

    assert warning.startswith("SQLITE_TMPDIR: /dev/null/missing is not a folder that")


@pytest.mark.usefixtures("_no_settings")
@pytest.mark.parametrize(
    ("api_url", "is_warned"),
    [
        ("http://ghes.example/api/v3", True),
        ("http://10.0.0.1:8080", True),
        ("http://localhost.example", True),
        ("http://0.0.0.0:8080", True),
        ("https://ghes.example/api/v3", False),
        ("http://localhost:8080", False),
        ("http://github.localhost", False),
        ("http://127.1.2.3:8080", False),
        ("http://[::1]:8080", False),
    ],
)
def test_a_token_in_clear_text_gives_a_warning(monkeypatch, api_url, is_warned):
    monkeypatch.setenv("GITHUB_API_URL", api_url)
    without_token = load_config().warnings
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_x")

    warnings = load_config().warnings

    assert without_token == ()
    assert [text[:40] for text in warnings] == (
        ["GITHUB_API_URL: the token travels to " + warnings[0][37:40]]
        if is_warned
        else []
    )
