"""The settings of peers: which addresses and tokens stop the start."""

from pathlib import Path

import pytest

from ci_observer.ingest.config import Config, load_config
from ci_observer.ingest.errors import ConfigError

TOKEN = "7d0c0123456789abcdef"  # noqa: S105 (an example)
A, B = "https://a.example", "https://b.example/team"


def peers_of(text: str, **others: str) -> tuple[str, ...]:
    return Config.from_environ({"PEERS": text, **others}).peers


def tokens_file(folder: Path, text: str) -> str:
    path = folder / "tokens"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_addresses_are_written_in_one_way() -> None:
    text = "https://A.example:443/, https://b.example/team/,http://127.0.0.1:8090,"

    assert peers_of(text) == (A, B, "http://127.0.0.1:8090")
    assert peers_of("http://[::1]:8090/x") == ("http://[::1]:8090/x",)
    assert peers_of("") == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a.example", "address 1 is not the address of an instance"),
        ("ftp://a.example", "address 1 is not the address of an instance"),
        ("https://", "address 1 is not the address of an instance"),
        ("https://a.example:0x", "address 1 is not valid"),
        ("http://a.example", "address 1 begins with http://"),
        ("http://a.localhost:8090", "address 1 begins with http://"),
        ("https://a.example,https://ada:hunter2@b.example", "address 2 has a user"),
        ("https://a.example/?x=1", "address 1 has a query or a fragment"),
        ("https://a.example#x", "address 1 has a query or a fragment"),
        ("https://a.example/runs", "begins like a page of CI Observer"),
        ("https://a.example/../x", "is not a path prefix"),
        (f"{A},{A}/", "address 2 is the same as address 1"),
        (",".join(f"https://{n}.example" for n in range(21)), "at most 20"),
        ("http://127.0.0.1:8089", "is this instance itself"),
        ("http://localhost:8089/", "is this instance itself"),
    ],
)
def test_a_bad_address_stops_the_start(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        peers_of(text)

    assert str(raised.value).startswith("PEERS: ")
    assert fault in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_an_instance_behind_a_proxy_is_no_peer_of_itself() -> None:
    own = {"CI_OBSERVER_ALLOWED_HOSTS": "b.example", "CI_OBSERVER_BASE_URL": "/team/"}

    with pytest.raises(ConfigError, match="itself"):
        peers_of(B, **own)
    assert peers_of("https://b.example/other", **own)


def test_each_peer_has_its_token(tmp_path: Path) -> None:
    path = tokens_file(tmp_path, f"# of ours\n\n{B}/ {TOKEN}\n")

    config = Config.from_environ({"PEERS": f"{A},{B}", "PEER_TOKENS_FILE": path})

    assert config.peers_with_tokens == ((A, None), (B, TOKEN))
    assert TOKEN not in repr(config)
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{A}\n", "line 1 is not an address of PEERS, a space and its token"),
        (f"\n{A}={TOKEN}\n", "line 2 is not an address of PEERS"),
        (f"https://c.example {TOKEN}", "line 1: its address is not in PEERS"),
        (f"{A} {TOKEN}\n{A}/ {TOKEN}", "line 2: there are two tokens for https://a"),
        (f"{A} short", "line 1: the token has 5 characters"),
        (f"{A} ghp_0123456789abcdef0123", "line 1: this is a token for GitHub"),
        ("# nothing\n", "the file has no token"),
        ("", "the file has no token"),
    ],
)
def test_a_bad_file_stops_the_start(tmp_path: Path, text: str, fault: str) -> None:
    environ = {"PEERS": A, "PEER_TOKENS_FILE": tokens_file(tmp_path, text)}
    with pytest.raises(ConfigError) as raised:
        Config.from_environ(environ)

    assert str(raised.value).startswith("PEER_TOKENS_FILE: ")
    assert fault in str(raised.value)
    assert TOKEN not in str(raised.value)


def test_a_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    path = tokens_file(tmp_path, f"{A} {TOKEN}")
    Path(path).chmod(0o644)

    config = Config.from_environ({"PEERS": A, "PEER_TOKENS_FILE": path})

    assert "PEER_TOKENS_FILE: other users" in config.warnings[0]


def test_a_missing_file_stops_the_start_of_the_web_side_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PEERS", A)
    monkeypatch.setenv("PEER_TOKENS_FILE", "/of/another/user")

    assert load_config(with_access_token=False).peer_tokens == ()
    with pytest.raises(ConfigError, match="PEER_TOKENS_FILE: cannot read /of/another"):
        load_config(with_token=False)


def test_up_hands_the_content_of_the_file_to_web() -> None:
    config = Config.from_environ({"PEERS": A, "PEER_TOKENS": f"{A} {TOKEN}"})

    assert config.peer_tokens == ((A, TOKEN),)


def test_the_yaml_file_names_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tokens_file(tmp_path, f"{A} {TOKEN}")
    file = tmp_path / "ci-observer.yml"
    file.write_text(f"peers: [{A}]\npeer_tokens_file: {path}\n")
    monkeypatch.setenv("CI_OBSERVER_CONFIG", str(file))

    assert load_config(with_token=False).peers_with_tokens == ((A, TOKEN),)
