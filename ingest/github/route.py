"""Why a request did not reach GitHub, in words: no connection, or a proxy in between.

Pure functions. The texts name the address and the proxy, without user and password.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from ci_observer.ingest.github.proxies import Proxy
from ci_observer.ingest.texts import one_line

# In every response of GitHub's API.
REQUEST_ID = "x-github-request-id"
UNKNOWN_AUTHORITY = ("self-signed", "self signed", "unable to get")
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL")


@dataclass(frozen=True)
class Route:
    """The API at an address, and the proxy through which requests go, if any."""

    api_url: str
    proxy: Proxy | None = None

    def unreachable_text(self, error: Exception) -> str:
        """Why there is no connection."""
        through = f" through the proxy {self.proxy}" if self.proxy else ""
        reason = _reason(error)
        return (
            f"GitHub cannot be reached at {self._address}{through}: {reason}."
            f"{self._advice(reason)}"
        )

    def refused_text(self, response: str) -> str:
        """The response of a proxy that does not let the request through.

        `response` begins with the status, for a proxy that speaks HTTP.
        """
        proxy = f"The proxy {self.proxy}" if self.proxy else "A proxy"
        variable = self.proxy.variable if self.proxy else "HTTPS_PROXY"
        advice = f"Let it allow {self._address}, or add that to NO_PROXY."
        if response.startswith(str(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED.value)):
            advice = (
                f"Write its user and password in {variable}, as "
                "http://USER:PASSWORD@HOST:PORT"
            )
        return (
            f"{proxy} does not let requests through to GitHub at {self._address}: "
            f"{one_line(response).rstrip('.')}. {advice}"
        )

    def is_from_proxy(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether an error response is that of a proxy, not of GitHub.

        Behind TLS, an error of a server is that of GitHub's own load balancer.
        """
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return True
        is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if is_server_error and self.api_url.startswith("https:"):
            return False
        is_json = "json" in headers.get("content-type", "")
        is_error = status >= HTTPStatus.BAD_REQUEST
        is_ours = REQUEST_ID in headers or is_json
        return self.proxy is not None and is_error and not is_ours

    @property
    def _address(self) -> str:
        return urlsplit(self.api_url).netloc

    def _advice(self, reason: str) -> str:
        if any(text in reason for text in UNKNOWN_AUTHORITY):
            return (
                " If it has a certificate of your own authority, set SSL_CERT_FILE to a"
                " file with the certificate of that authority."
            )
        is_no_tls = any(text in reason for text in NO_TLS)
        if is_no_tls and self.proxy and self.proxy.scheme == "https":
            return f" Try http:// instead of https:// in {self.proxy.variable}."
        return ""


def _reason(error: Exception) -> str:
    """The text of the innermost error that has one."""
    texts = [text for e in _causes(error) if (text := _text_of(e))]
    return texts[-1].rstrip(".") if texts else type(error).__name__


def _text_of(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not error.errno:
        return "no response in time"
    if not isinstance(error, OSError) or not error.strerror:
        return one_line(str(error))
    if error.errno and error.strerror.startswith("Connect call failed"):
        return os.strerror(error.errno)
    return one_line(re.sub(r" \(_ssl\.c:\d+\)", "", error.strerror))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it comes from, down to the first one."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        if isinstance(seen, TimeoutError):
            return  # Below it is the call that was cancelled.
        if isinstance(seen, BaseExceptionGroup):
            seen = seen.exceptions[0]
        else:
            seen = seen.__cause__ or seen.__context__
