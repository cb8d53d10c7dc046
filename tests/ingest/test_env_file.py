"""The file `.env`: what it may hold, and how a wrong one is refused."""

from pathlib import Path

import pytest
from app_keys import private_pem

from ci_observer.ingest.config import load_config
from ci_observer.ingest.config.env_file import read_env_file
from ci_observer.ingest.config.settings import SETTINGS
from ci_observer.ingest.errors import ConfigError

TOKEN = "ghp_thisMustNotShowAnywhere0123456789"  # noqa: S105 (made up)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of `.env` in the current folder, with no settings elsewhere."""
    for name in (*SETTINGS, "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfDASHBOARD_TITLE=Wall\n",
        b"DASHBOARD_TITLE=Wall\r\nHISTORY_DAYS=7\r\n",
        b"export DASHBOARD_TITLE=Wall",
        b"\n\n# A comment\nDASHBOARD_TITLE = 'Wall' # another\n",
        b'DASHBOARD_TITLE="Wall"\n',
    ],
)
def test_common_ways_to_write_a_setting_are_read(path, text):
    path.write_bytes(text)

    assert load_config().title == "Wall"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"A=1\nDASHBOARD_TITLE=M\xfcnchen\n", "line 2 is not UTF-8"),
        ("GH_REPOS=a/b\n".encode("utf-16"), "it is UTF-16"),
        (b"A=1\nB=\0\n", "line 2 has a NUL character"),
        (f'A=1\n\n\nGITHUB_TOKEN="{TOKEN}\nA=2\n'.encode(), "line 4 is not NAME=value"),
        (f"GITHUB_TOKEN='{TOKEN}\nGH_REPOS='a/b'\n".encode(), "line 1 is not"),
        (f"GITHUB_TOKEN='{TOKEN}\nA=1\nB='\n".encode(), "line 1 is not NAME=value"),
        (f"A=1\n{TOKEN}\n".encode(), "line 2 is not NAME=value"),
        (f"GITHUB_TOKEN:{TOKEN}\n".encode(), "line 1 is not NAME=value"),
        (f"GITHUB_TOKEN: {TOKEN}\n".encode(), "line 1 is not NAME=value"),
        (f"GITHUB_TOKEN {TOKEN}\n".encode(), "line 1 is not NAME=value"),
        (f"github-token={TOKEN}\n".encode(), "line 1 is not NAME=value"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_without_its_text(path, data, said):
    path.write_bytes(data)

    with pytest.raises(ConfigError) as caught:
        load_config(with_token=False)

    assert str(caught.value).startswith(f".env: {said}")
    assert TOKEN not in str(caught.value)


def test_a_folder_in_its_place_is_refused(path):
    """Docker creates one for a volume of a file that is missing."""
    path.mkdir()

    with pytest.raises(ConfigError, match=r"^\.env: cannot be read \(Is a directory\)"):
        load_config()


def test_a_link_to_nothing_is_refused(path):
    path.symlink_to("missing")

    with pytest.raises(ConfigError, match=r"^\.env: cannot be read \(No such file"):
        load_config()


def test_without_the_file_or_its_folder_there_are_no_values(path):
    assert read_env_file().values == {}
    path.parent.rmdir()
    assert read_env_file().values == {}


def test_a_name_that_is_there_twice_gives_a_warning(path):
    path.write_text("DASHBOARD_TITLE=One\nHISTORY_DAYS=7\n\nDASHBOARD_TITLE=Two\n")

    config = load_config()

    assert config.title == "Two"
    assert config.warnings == (
        ".env: DASHBOARD_TITLE is set more than once (lines 1 and 4); the last one "
        "counts.",
    )


def test_a_spelling_of_a_proxy_in_the_environment_hides_both_in_the_file(
    path, monkeypatch
):
    path.write_text("https_proxy=http://from-file:1\n")
    from_file = load_config().proxy
    monkeypatch.setenv("HTTPS_PROXY", "http://from-environment:2")
    from_environment = load_config().proxy

    assert str(from_file) == "http://from-file:1 (https_proxy)"
    assert str(from_environment) == "http://from-environment:2 (HTTPS_PROXY)"


def test_a_token_in_the_environment_hides_an_app_in_the_file(path, monkeypatch):
    path.write_text("GITHUB_APP_ID=1\nGITHUB_APP_PRIVATE_KEY_FILE=missing.pem\n")
    monkeypatch.setenv("GITHUB_TOKEN", "abc")

    config = load_config()

    assert (config.token, config.app_id, config.app_key_file) == ("abc", None, None)


def test_one_setting_of_an_app_leaves_the_others_in_the_file(
    path, tmp_path, monkeypatch
):
    key_file = tmp_path / "app.pem"
    key_file.write_text(private_pem())
    path.write_text(
        f"GITHUB_APP_ID=1\nGITHUB_APP_PRIVATE_KEY_FILE={key_file}\nGITHUB_TOKEN=abc\n"
    )
    monkeypatch.setenv("GITHUB_APP_INSTALLATION_ID", "7")

    config = load_config()

    assert (config.app_id, config.app_installation_id, config.token) == ("1", 7, None)


def test_an_access_token_in_the_environment_hides_its_file(path, monkeypatch):
    path.write_text("ACCESS_TOKEN_FILE=/nonexistent\n")
    monkeypatch.setenv("ACCESS_TOKEN", "0123456789abcdef")

    assert load_config().access_token == "0123456789abcdef"  # noqa: S105 (made up)
