"""RSA keys of GitHub Apps, made once for each process that runs tests."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@cache
def key(number: int = 0) -> RSAPrivateKey:
    """A key; another number gives another one."""
    assert number >= 0
    return rsa.generate_private_key(65537, 2048)


def private_pem(
    number: int = 0,
    form: PrivateFormat = PrivateFormat.TraditionalOpenSSL,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    """The private key as GitHub offers it for download, in PKCS#1."""
    secret = encryption or NoEncryption()
    return key(number).private_bytes(Encoding.PEM, form, secret).decode()


def public_pem(number: int = 0) -> str:
    public = key(number).public_key()
    form = PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(Encoding.PEM, form).decode()
