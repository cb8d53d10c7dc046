"""GitHub's responses: status, headers and body in, data or an error out.

Pure functions: no HTTP library and no clock; "now" is a parameter.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    InvalidResponse,
    NotFound,
    RateLimited,
    Unauthorized,
    Unprocessable,
)
from ci_observer.ingest.github.names import REPO_NAME

# GitHub says to "wait for at least one minute before retrying":
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
SECONDARY_LIMIT_WAIT = timedelta(minutes=1)
MESSAGE_LENGTH = 200
# Its name in http.HTTPStatus changed with Python 3.13.
UNPROCESSABLE = 422
MAX_RETRY_AFTER_SECONDS = 86_400


@dataclass(frozen=True)
class RateLimit:
    """The primary rate limit, in requests per hour, from a response's headers.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    limit: int
    remaining: int
    reset_at: datetime

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "RateLimit | None":
        """None where the headers are absent, as on GitHub Enterprise Server."""
        try:
            return cls(
                int(headers["x-ratelimit-limit"]),
                int(headers["x-ratelimit-remaining"]),
                datetime.fromtimestamp(int(headers["x-ratelimit-reset"]), UTC),
            )
        except (KeyError, ValueError, OverflowError, OSError):
            return None


def parse_response(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Any:
    """The JSON value of a 200 response.

    Raises the `GitHubError` that fits any other status, and `InvalidResponse` for a
    body that is not JSON.
    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
    """
    if status == HTTPStatus.OK:
        return _parse_json(body)
    raise _error(status, headers, _message(body), now)


def parse_runs(data: Any) -> list[dict[str, Any]]:
    """The run objects of a list response.

    https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
    """
    return _objects(data, "workflow_runs")


def parse_total_count(data: Any) -> int | None:
    """The `total_count` of a list response, None if it is missing.

    https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
    """
    count = data.get("total_count") if isinstance(data, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def parse_workflows(data: Any) -> list[dict[str, Any]]:
    """The workflow objects of a list response.

    https://docs.github.com/en/rest/actions/workflows#list-repository-workflows
    """
    return _objects(data, "workflows")


def parse_jobs(data: Any) -> list[dict[str, Any]]:
    """The job objects of a list response.

    https://docs.github.com/en/rest/actions/workflow-jobs#list-jobs-for-a-workflow-run
    """
    return _objects(data, "jobs")


def parse_annotations(data: Any) -> list[str]:
    """The messages of a list of annotations; empty for anything else.

    https://docs.github.com/en/rest/checks/runs#list-check-run-annotations
    """
    items = data if isinstance(data, list) else []
    messages = [item.get("message") for item in items if isinstance(item, dict)]
    return [message for message in messages if isinstance(message, str)]


def parse_run(data: Any) -> dict[str, Any]:
    """A single run object.

    https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run
    """
    if isinstance(data, dict):
        return data
    raise InvalidResponse("GitHub's response is not a run.")


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub. Its `repo_id` stays when it is renamed.

    `is_live` is false if it is archived, disabled or a fork.
    """

    repo_id: int
    full_name: str
    default_branch: str | None = None
    is_live: bool = True


def parse_repository(data: Any) -> Repository:
    """The repository in a repository object.

    Raises `InvalidResponse` for an id or a name that cannot be one.
    https://docs.github.com/en/rest/repos/repos#get-a-repository
    """
    match data:
        case {"id": int(repo_id), "full_name": str(full_name)} if (
            0 < repo_id < 2** 63 and re.fullmatch(REPO_NAME, full_name)
        ):
            branch = data.get("default_branch")
            return Repository(
                repo_id,
                full_name,
                branch if isinstance(branch, str) else None,
                is_live=not any(map(data.get, ("archived", "disabled", "fork"))),
            )
    raise InvalidResponse("GitHub's response is not a repository.")


def parse_repositories(data: Any) -> list[Repository]:
    """The repositories of a list response.

    https://docs.github.com/en/rest/repos/repos#list-organization-repositories
    """
    if isinstance(data, list):
        return [parse_repository(item) for item in data]
    raise InvalidResponse("GitHub's response is not a list of repositories.")


def parse_expiration(text: str | None) -> datetime | None:
    """The time in a header `github-authentication-token-expiration`.

    `2026-12-31 12:00:00 UTC` or `2026-12-31 12:00:00 +0200`; None for anything else.
    """
    for date_format in ("%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S %z"):
        try:
            expires_at = datetime.strptime(text or "", date_format)  # noqa: DTZ007 (below)
        except ValueError:
            continue
        return expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
    return None


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidResponse("GitHub's response is not valid JSON.") from None


def _objects(data: Any, key: str) -> list[dict[str, Any]]:
    items = data.get(key) if isinstance(data, dict) else None
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    raise InvalidResponse(f"GitHub's response has no list of {key}.")


def _message(body: bytes) -> str:
    """GitHub's error message as one line, "" if there is none; untrusted text."""
    try:
        match json.loads(body):
            case {"message": str(message)}:
                return " ".join(message.split())[:MESSAGE_LENGTH]
    except (ValueError, RecursionError):
        pass
    return ""


def _error(
    status: int, headers: Mapping[str, str], message: str, now: datetime
) -> GitHubError:
    quote = f" GitHub says: {message}" if message else ""
    if status == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(
            "GitHub refuses the token (401): it is wrong, revoked or has expired. "
            f"Set a new GITHUB_TOKEN and restart.{quote}"
        )
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return _limited(status, headers, message, now) or Forbidden(
            "GitHub forbids this (403): the token lacks the permission Actions: read "
            f"for the repository, or its organization has not approved it.{quote}"
        )
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotFound(
            f"Not found ({status}): check the names, or the token may not see the "
            f"repository (it needs the permission Actions: read).{quote}"
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return GitHubUnavailable(f"GitHub has a problem ({status}).{quote}")
    kind = Unprocessable if status == UNPROCESSABLE else InvalidResponse
    return kind(f"Unexpected response from GitHub ({status}).{quote}")


def _limited(
    status: int, headers: Mapping[str, str], message: str, now: datetime
) -> RateLimited | None:
    """The error of a 403 or 429 that is a rate limit, None if it is not.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    limit = RateLimit.from_headers(headers)
    retry_after = headers.get("retry-after", "")
    if retry_after.isdecimal():
        until = now + timedelta(seconds=min(int(retry_after), MAX_RETRY_AFTER_SECONDS))
        reason = "GitHub asks to wait"
    elif limit and limit.remaining == 0:
        until = max(limit.reset_at, now + timedelta(seconds=1))
        reason = f"The rate limit of {limit.limit} requests an hour is spent"
    elif (
        status == HTTPStatus.TOO_MANY_REQUESTS
        or "rate limit" in message.lower()
        or "abuse" in message.lower()
    ):
        until = now + SECONDARY_LIMIT_WAIT
        reason = "GitHub's secondary rate limit is reached"
    else:
        return None
    return RateLimited(f"{reason}; polling resumes at {until:%H:%M:%S} UTC.", until)
