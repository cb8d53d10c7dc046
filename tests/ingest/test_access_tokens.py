"""Which access tokens stop the start, and who reads the setting."""

from pathlib import Path

import pytest

from ci_observer.ingest.config import Config, load_config
from ci_observer.ingest.errors import ConfigError

GOOD = "0123456789abcdef"


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("let-me-in", "the token has 9 characters, and 16 are needed."),
        (GOOD[:-1], "the token has 15 characters"),
        ("abcabcabcabcabcabc", "too few different characters"),
        ("ghp_0123456789abcdef0123", "this is a token for GitHub"),
        ("github_pat_0123456789abcdef", "this is a token for GitHub"),
    ],
)
def test_a_weak_token_is_refused_with_a_way_to_make_one(
    tmp_path: Path, token: str, fault: str
) -> None:
    file = tmp_path / "token"
    file.write_text(token)
    for name, value in (("ACCESS_TOKEN", token), ("ACCESS_TOKEN_FILE", str(file))):
        with pytest.raises(ConfigError) as raised:
            Config.from_environ({name: value})

        message = str(raised.value)
        assert message.startswith(f"{name}: ")
        assert fault in message
        assert message.endswith("openssl rand -hex 16")
        assert token not in message


@pytest.mark.parametrize("quoted", [f'"{GOOD}"', f"'{GOOD}'"])
def test_a_quoted_token_is_refused(quoted: str) -> None:
    with pytest.raises(ConfigError, match="ACCESS_TOKEN: the token is in quotes"):
        Config.from_environ({"ACCESS_TOKEN": quoted})


def test_both_ways_to_give_it_are_refused(tmp_path: Path) -> None:
    environ = {"ACCESS_TOKEN": GOOD, "ACCESS_TOKEN_FILE": str(tmp_path)}

    with pytest.raises(ConfigError, match="ACCESS_TOKEN and ACCESS_TOKEN_FILE"):
        Config.from_environ(environ)


def test_it_is_no_part_of_the_text_of_the_settings() -> None:
    config = Config.from_environ({"ACCESS_TOKEN": GOOD})

    assert config.access_token == GOOD
    assert GOOD not in repr(config)


def test_polling_does_not_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_TOKEN_FILE", "/of/another/user")

    assert load_config(with_access_token=False).access_token is None
    with pytest.raises(ConfigError, match="ACCESS_TOKEN_FILE"):
        load_config(with_token=False)
