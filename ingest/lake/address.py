"""The address of the lake, and the settings of its S3 server."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ci_observer.ingest.config.values import is_loopback
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.lake.place import Place

# A server that is down fails the pass soon; the next one tries again.
TIMES = {"connect_timeout": "5s", "timeout": "60s", "max_retries": "3"}
DEFAULT_REGION = "us-east-1"


def place_of(uri: str, aws: Mapping[str, str]) -> Place:
    """The place at a URI, with the AWS variables for one that is no folder.

    Raises `ConfigError` for an address that is neither.
    """
    if "://" not in uri:
        if not uri.strip():
            raise ConfigError(
                "The address of the lake is empty. Give a folder or s3://…"
            )
        folder = Path(uri).absolute()
        return Place(str(folder), folder=folder)
    parts = urlsplit(uri)
    if parts.scheme != "s3":
        raise ConfigError(
            f"A lake is a folder or s3://BUCKET/PREFIX, not {parts.scheme}://. Set"
            " AWS_ENDPOINT_URL for another S3 server than Amazon's."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(
            "The address of the lake may only have a bucket and a prefix. Credentials"
            " come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if not parts.netloc:
        raise ConfigError("The address of the lake has no bucket: s3://BUCKET/PREFIX.")
    path = parts.path.strip("/")
    return Place(f"s3://{parts.netloc}/{path}".rstrip("/"), options=_options(aws))


def _options(aws: Mapping[str, str]) -> dict[str, str]:
    """The options of the object store, by AWS's variables in lower case."""
    options = {name.lower(): value for name, value in aws.items()} | TIMES
    options.setdefault("aws_region", options.get("aws_default_region", DEFAULT_REGION))
    endpoint = urlsplit(options.get("aws_endpoint_url", ""))
    if endpoint.scheme == "http" and is_loopback(endpoint.hostname or ""):
        options["aws_allow_http"] = "true"
    return options
