"""The settings of a GitHub App: which belong together, and what a key file may hold."""

import base64
from pathlib import Path

import pytest
from app_keys import private_pem, public_pem
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ci_observer.ingest.config import Config, open_permissions_text
from ci_observer.ingest.errors import ConfigError

KEY = "GITHUB_APP_PRIVATE_KEY_FILE"
PASSPHRASE = BestAvailableEncryption(b"secret")


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    form = PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def load(key_file: Path, **changes: str) -> Config:
    settings = {"GITHUB_APP_ID": "Iv23liAbCdEfGhIjKlMn", KEY: str(key_file)}
    return Config.from_environ(settings | changes)


def error_of(key_file: Path, **changes: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(key_file, **changes)
    return str(caught.value)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "app.pem"
    path.write_text(private_pem())
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8]
)
@pytest.mark.parametrize("app_id", ["123456", "Iv1.0123456789abcdef"])
def test_an_app_has_an_id_and_a_key_in_either_format(key_file, form, app_id):
    text = private_pem(form=form).replace("\n", "\r\n")
    key_file.write_text(f"\ufeff{text}", "utf-8")

    config = load(key_file, GITHUB_APP_ID=app_id, GITHUB_APP_INSTALLATION_ID="987")

    assert (config.app_id, config.app_key_file) == (app_id, key_file)
    assert config.app_installation_id == 987
    assert "PRIVATE" not in repr(config)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty"),
        ("ghp_0123456789", "holds no PEM key"),
        ("\x00\xff\x12", "holds no PEM key"),
        (public_pem(), "holds a public key"),
        (private_pem(encryption=PASSPHRASE), "holds a key with a passphrase"),
        (
            private_pem(form=PrivateFormat.PKCS8, encryption=PASSPHRASE),
            "holds a key with a passphrase",
        ),
        (private_pem(form=PrivateFormat.OpenSSH), "holds an SSH key"),
        (pem_of(ec.generate_private_key(ec.SECP256R1())), "is no RSA key"),
        (pem_of(rsa.generate_private_key(65537, 1024)), "1024 bits"),  # noqa: S505
        (private_pem()[:900], "is damaged or incomplete"),
        (private_pem().replace("A", "B"), "is damaged or incomplete"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n", "holds a certificate"),
    ],
)
def test_a_wrong_key_file_is_refused_without_showing_it(key_file, content, fault):
    key_file.write_bytes(content.encode("latin-1"))

    error = error_of(key_file)

    assert error.startswith(f"{KEY}: ")
    assert fault in error
    assert str(key_file) in error
    lines = [line for line in content.splitlines() if len(line) > 8]
    assert not any(line[:9] in error for line in lines if "-----" not in line)


def test_a_key_file_that_cannot_be_read_is_refused(key_file, tmp_path):
    assert "No such file" in error_of(tmp_path / "missing.pem")
    assert "is not a file" in error_of(tmp_path)


@pytest.mark.parametrize(
    "key",
    [
        private_pem(),
        private_pem().replace("\n", "\\n"),
        base64.b64encode(private_pem().encode()).decode(),
    ],
)
@pytest.mark.parametrize("name", [KEY, "GITHUB_APP_ID"])
def test_a_key_in_the_place_of_its_file_or_of_the_id_is_not_shown(key_file, name, key):
    error = error_of(key_file, **{name: key})

    assert error.startswith(f"{name}: ")
    assert not any(word[:9] in error for word in key.split() if len(word) > 9)


@pytest.mark.parametrize("app_id", ["my-app", "'123'", "-1", "1.5", "Iv", "12 34"])
def test_a_wrong_app_id_is_refused(key_file, app_id):
    error = error_of(key_file, GITHUB_APP_ID=app_id)

    assert error.startswith(f"GITHUB_APP_ID: {app_id!r} is not the id of a GitHub App.")


@pytest.mark.parametrize("number", ["0", "-1", "acme", "1.0"])
def test_a_wrong_installation_id_is_refused(key_file, number):
    error = error_of(key_file, GITHUB_APP_INSTALLATION_ID=number)

    assert error.startswith(f"GITHUB_APP_INSTALLATION_ID: {number!r} is not a whole")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"GITHUB_APP_ID": "1"}, KEY),
        ({KEY: "app.pem"}, "GITHUB_APP_ID"),
        ({"GITHUB_APP_INSTALLATION_ID": "1"}, "GITHUB_APP_ID"),
        ({"GITHUB_APP_ID": "1", "GITHUB_APP_INSTALLATION_ID": "1"}, KEY),
    ],
)
def test_a_part_of_the_settings_is_refused(given, missing):
    with pytest.raises(ConfigError) as caught:
        Config.from_environ(given)

    assert f"is set, and {missing} is not" in str(caught.value)


@pytest.mark.parametrize("token", ["GITHUB_TOKEN", "GITHUB_TOKEN_FILE"])
def test_an_app_and_a_token_are_refused_together(key_file, tmp_path, token):
    (tmp_path / "token").write_text("abc")
    value = str(tmp_path / "token") if token.endswith("FILE") else "abc"

    error = error_of(key_file, **{token: value})

    assert error == (
        f"{token} and GITHUB_APP_ID are both set: keep the token or the App."
    )


@pytest.mark.parametrize(
    ("mode", "is_open"),
    [(0o600, False), (0o400, False), (0o440, False), (0o644, True), (0o660, True)],
)
def test_a_key_that_other_users_can_read_is_told(key_file, mode, is_open):
    """No error: a container's secrets are open to its only user."""
    key_file.chmod(mode)

    text = open_permissions_text(key_file)

    assert bool(text) is is_open
    assert text is None or f"its mode is {mode:04o}" in text
