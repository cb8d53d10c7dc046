"""Tokens with more or less than a token: refused by name, without being shown."""

import errno
import os
from pathlib import Path

import pytest

from ci_observer.ingest.config import Config, read_token_file
from ci_observer.ingest.errors import ConfigError

SECRET = "thisMustNotShowAnywhere0123456789"  # noqa: S105 (made up)
TOKEN = f"ghp_{SECRET}"

WRONG = [
    (f'"{TOKEN}"', "in quotes"),
    (f"'{TOKEN}'", "in quotes"),
    (f'{TOKEN}"', "in quotes"),
    (f"`{TOKEN}`", "in quotes"),
    (f"\u201c{TOKEN}\u201d", "in quotes"),
    (f"\u2018{TOKEN}\u2019", "in quotes"),
    (f"\u201e{TOKEN}\u201c", "in quotes"),
    (f"\u00ab{TOKEN}\u00bb", "in quotes"),
    (f'"Bearer {TOKEN}"', "in quotes"),
    (f"Bearer {TOKEN}", "the word Bearer"),
    (f"bearer  {TOKEN}", "the word bearer"),
    (f"token {TOKEN}", "the word token"),
    (f"token:{TOKEN}", "the word token"),
    (f"Authorization: Bearer {TOKEN}", "the word Bearer"),
    (f"GITHUB_TOKEN={TOKEN}", "a name stands before"),
    (f"ACCESS_TOKEN={TOKEN}", "a name stands before"),
    (f"export GITHUB_TOKEN={TOKEN}", "a name stands before"),
    (f"GITHUB_TOKEN: {TOKEN}", "a name stands before"),
    (f"\ufeff{TOKEN}", "byte order mark"),
    (f"{TOKEN} {TOKEN}", "no token has"),
    (f"{TOKEN}\n{TOKEN}", "no token has"),
    (f"{TOKEN}\u200b", "no token has"),
    (f"{TOKEN}\udcff", "UTF-8"),
]


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "ACCESS_TOKEN"])
@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_variable_with_more_than_a_token_is_refused(name, text, said):
    with pytest.raises(ConfigError) as caught:
        Config.from_environ({name: text})

    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["GITHUB_TOKEN_FILE", "ACCESS_TOKEN_FILE"])
@pytest.mark.parametrize(("text", "said"), WRONG[:-1])
def test_a_file_with_more_than_a_token_is_refused(tmp_path, name, text, said):
    path = tmp_path / "token"
    path.write_text(f"{text}\n", encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        read_token_file(path, name)

    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["GITHUB_TOKEN_FILE", "ACCESS_TOKEN_FILE"])
def test_a_token_in_the_place_of_a_path_is_not_shown(name):
    with pytest.raises(ConfigError) as caught:
        Config.from_environ({name: TOKEN})

    assert str(caught.value).startswith(f"{name}: cannot read the file (No such file")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", [f"<{TOKEN}>", f"{TOKEN},", f"${TOKEN}", f"{TOKEN};"])
def test_a_character_that_no_token_of_github_has_is_refused(text):
    with pytest.raises(ConfigError, match=r"GITHUB_TOKEN: .* no token has"):
        Config.from_environ({"GITHUB_TOKEN": text})


@pytest.mark.parametrize(
    "token",
    [
        "0123456789abcdef0123456789abcdef01234567",
        TOKEN,
        "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "ghs_1~a-b.c/d+e==",
        "github_pat_11ABCDEFG0_abc",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln-_",
    ],
)
def test_tokens_of_github_are_accepted(token):
    assert Config.from_environ({"GITHUB_TOKEN": token}).token == token


@pytest.mark.parametrize("token", ["correct-horse!battery", "a,b;c<d>", "pass'word"])
def test_an_access_token_may_have_any_sign(token):
    config = Config.from_environ({"ACCESS_TOKEN": f"{token}-staple-0123456789"})

    assert config.access_token == f"{token}-staple-0123456789"


@pytest.mark.parametrize("name", ["GITHUB_TOKEN_FILE", "ACCESS_TOKEN_FILE"])
def test_a_file_of_another_user_gets_the_uid_that_must_own_it(
    name, tmp_path, monkeypatch
):
    """Root may read every file, so the error of the system is a fake."""

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)

    with pytest.raises(ConfigError) as caught:
        read_token_file(tmp_path / "token", name)

    assert str(caught.value) == (
        f"{name}: cannot read {tmp_path}/token (Permission denied). "
        f"Make uid {os.geteuid()} the owner of the file, or run the command as its "
        "owner."
    )
