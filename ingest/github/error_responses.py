"""The errors that stand for GitHub's responses other than 200.

A text has GitHub's own words first, then advice. Pure functions: no HTTP library
and no clock; "now" is a parameter.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    InvalidResponse,
    NotFound,
    RateLimited,
    Suspended,
    Unauthorized,
    Unprocessable,
)
from ci_observer.ingest.github.headers import (
    RateLimit,
    bounded,
    parse_retry_after,
)
from ci_observer.ingest.texts import one_line

# GitHub says to "wait for at least one minute before retrying":
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
SECONDARY_LIMIT_WAIT = timedelta(minutes=1)
MAX_ADDRESS_LENGTH = 300
# Its name in http.HTTPStatus changed with Python 3.13.
UNPROCESSABLE = 422


@dataclass(frozen=True)
class Advice:
    """What to do about a refused request, by the kind of credential that it had.

    `scope` ends the words "the rate limit"; `permission` names a `{permission}`.
    """

    unauthorized: str
    not_found: str
    permission: str
    scope: str = ""


TOKEN_ADVICE = Advice(
    unauthorized=(
        "GitHub refuses the token (401): it is wrong, revoked or has expired. "
        "Set a new GITHUB_TOKEN and restart; in the file of GITHUB_TOKEN_FILE, a new "
        "one needs no restart."
    ),
    not_found=(
        "check the names, or the token may not see the repository (it needs the "
        "permission Actions: read)."
    ),
    permission=(
        "The token lacks the permission {permission} for the repository, or its "
        "organization has not approved it."
    ),
)
# The permission that all requests need but those for annotations.
USUAL_PERMISSION = "Actions: read"
SUSPENDED_INSTALLATION = r"installation.*suspended"
# The advice for a 403, by a part of GitHub's message.
REFUSALS = (
    (
        r"ip allow list|ip address is not permitted",
        "Add the address of this machine to the organization's IP allow list.",
    ),
    (
        SUSPENDED_INSTALLATION,
        "Unsuspend the GitHub App in the settings of its organization.",
    ),
    (
        r"account.*suspended",
        "The account of the token is suspended: ask GitHub's support, or set the token "
        "of another account.",
    ),
    (r"saml|single sign.?on", "Authorize the token for the organization."),
    (
        r"terms of service|access blocked|disabled by|unavailable",
        "GitHub has blocked the repository: ask its owner, or take it out of GH_REPOS"
        " or the settings file.",
    ),
)


@dataclass(frozen=True)
class Refusal:
    """The texts of an error response, each on one line, "" if missing.

    `address` is a page on GitHub with the reason, or on which to end the refusal;
    `permission` is the one that the request needs.
    """

    message: str
    reason: str
    address: str
    permission: str


def error_of(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    advice: Advice = TOKEN_ADVICE,
) -> GitHubError:
    """The error that fits a status other than 200."""
    refusal = _refusal(headers, body)
    says = f"GitHub responds with {status}."
    if refusal.message:
        says = f"GitHub says: {refusal.message.rstrip('.')} ({status})."
    if status == HTTPStatus.UNAUTHORIZED:
        return _unauthorized(refusal, advice)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return _not_found(status, refusal, advice)
    is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_server_error or status == HTTPStatus.REQUEST_TIMEOUT:
        return GitHubUnavailable(f"{says} The next pass requests it again.")
    if status == UNPROCESSABLE:
        return Unprocessable(f"{says} The next pass requests it again.")
    if status < HTTPStatus.BAD_REQUEST:
        return InvalidResponse(
            f"{says} That is no data. The next pass requests it again. If the error "
            "stays, check GITHUB_API_URL and any proxy between this machine and GitHub."
        )
    is_suspended = re.search(SUSPENDED_INSTALLATION, refusal.message, re.IGNORECASE)
    kind = Suspended if is_suspended else Forbidden
    limited = _limited(status, headers, refusal, now, advice)
    return limited or kind(f"{says} {_what_to_do(status, refusal, advice)}")


def _unauthorized(refusal: Refusal, advice: Advice) -> GitHubError:
    quote = f" GitHub says: {refusal.message}" if refusal.message else ""
    return Unauthorized(f"{advice.unauthorized}{quote}")


def _not_found(status: int, refusal: Refusal, advice: Advice) -> GitHubError:
    is_plain = refusal.message.lower() in ("", "not found")
    says = "Not found" if is_plain else f"GitHub says: {refusal.message.rstrip('.')}"
    return NotFound(f"{says} ({status}): {advice.not_found}")


def _what_to_do(status: int, refusal: Refusal, advice: Advice) -> str:
    """The advice for a status that the same request would get again."""
    reason = f"Its reason: {refusal.reason}. " if refusal.reason else ""
    see = f" See {refusal.address}" if refusal.address else ""
    for pattern, text in REFUSALS:
        if re.search(pattern, refusal.message, re.IGNORECASE):
            return f"{reason}{text}{see}"
    if status == HTTPStatus.FORBIDDEN and not refusal.reason:
        return f"{advice.permission.format(permission=refusal.permission)}{see}"
    if status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS or refusal.reason:
        return f"{reason}{REFUSALS[-1][1]}{see}"
    return (
        f"{reason}Check the repository on GitHub, and GITHUB_API_URL. The next request "
        f"is sent in an hour.{see}"
    )


def _refusal(headers: Mapping[str, str], body: bytes) -> Refusal:
    """The texts of an error response, which are not to be trusted."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    found = data if isinstance(data, dict) else {}
    block = found.get("block")
    blocked = block if isinstance(block, dict) else {}
    # https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
    sso = re.search(r"\burl=(\S+)", headers.get("x-github-sso", ""))
    return Refusal(
        _text(found.get("message")),
        _text(blocked.get("reason")),
        _address(sso[1]) if sso else _address(blocked.get("html_url")),
        _permission(headers.get("x-accepted-github-permissions", "")),
    )


def _permission(text: str) -> str:
    """The first permission of a header such as `checks=read`, in words.

    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions
    """
    match = re.match(r"([a-z_]{1,40})=([a-z]{1,10})\b", text)
    if match is None:
        return USUAL_PERMISSION
    return f"{match[1].replace('_', ' ').capitalize()}: {match[2]}"


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _address(value: object) -> str:
    """A web address; "" for anything else, and for one that is too long."""
    is_address = isinstance(value, str) and re.fullmatch(
        rf"https?://[!-~]{{1,{MAX_ADDRESS_LENGTH}}}", value
    )
    return str(value) if is_address else ""


def _limited(
    status: int,
    headers: Mapping[str, str],
    refusal: Refusal,
    now: datetime,
    advice: Advice,
) -> RateLimited | None:
    """The error of a 403 or 429 that is a rate limit, None if it is not.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    is_429 = status == HTTPStatus.TOO_MANY_REQUESTS
    if not is_429 and (status != HTTPStatus.FORBIDDEN or refusal.address):
        return None
    limit = RateLimit.from_headers(headers, now=now)
    message = refusal.message.lower()
    if until := parse_retry_after(headers.get("retry-after"), now=now):
        reason = f"GitHub asks to wait{advice.scope}"
    elif limit and limit.remaining == 0:
        until = bounded(limit.reset_at, now)
        reason = (
            f"The rate limit of {limit.limit} requests an hour{advice.scope} is spent"
        )
    elif is_429 or "rate limit" in message or "abuse" in message:
        until = now + SECONDARY_LIMIT_WAIT
        reason = f"GitHub's secondary rate limit{advice.scope} is reached"
    else:
        return None
    return RateLimited(f"{reason}; polling resumes at {until:%H:%M:%S} UTC.", until)
