"""GitHub's responses: status, headers and body in, data or an error out.

Pure functions: no HTTP library and no clock; "now" is a parameter.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from math import isfinite
from typing import Any

from ci_observer.ingest.errors import InvalidResponse, TooLarge
from ci_observer.ingest.github import shared_objects
from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.error_responses import (
    TOKEN_ADVICE,
    Advice,
    error_of,
)
from ci_observer.ingest.github.names import REPO_NAME

# More digits than a 64-bit integer has. Python refuses to parse more than 4,300.
MAX_DIGITS = 30
MAX_COUNT = 10**9
# A page has some 50,000 values. In Python, each takes many times its size in JSON.
MAX_VALUES = 2_000_000


def parse_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    advice: Advice = TOKEN_ADVICE,
) -> Any:
    """The JSON value of a 200 response.

    Raises the `GitHubError` that fits any other status, and `InvalidResponse` for a
    body that is not JSON.
    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
    """
    if status == HTTPStatus.OK:
        return parse_json(body)
    raise error_of(status, headers, body, now=now, advice=advice)


def parse_runs(data: Any) -> list[dict[str, Any]]:
    """The run objects of a list response.

    https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
    """
    return _objects(data, "workflow_runs")


def parse_total_count(data: Any) -> int | None:
    """The `total_count` of a list response, None if it is missing or no count.

    https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
    """
    count = data.get("total_count") if isinstance(data, dict) else None
    match count:
        case int() if not isinstance(count, bool) and 0 <= count <= MAX_COUNT:
            return count
    return None


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


def parse_annotations(data: Any) -> list[Annotation]:
    """The annotations of a list that have a text; empty for anything but a list.

    https://docs.github.com/en/rest/checks/runs#list-check-run-annotations
    """
    items = data if isinstance(data, list) else []
    found = [_annotation(item) for item in items if isinstance(item, dict)]
    return [item for item in found if item.message or item.title]


def _annotation(item: dict[str, Any]) -> Annotation:
    keys = ("message", "annotation_level", "title")
    texts = [item.get(key) for key in keys]
    message, level, title = (text if isinstance(text, str) else "" for text in texts)
    return Annotation(message, level or None, title)


def parse_ref(data: Any) -> str | None:
    """The full name of a reference, such as `refs/tags/v1.0`.

    None for a list of references whose names begin alike, which old servers send.
    https://docs.github.com/en/rest/git/refs#get-a-reference
    """
    ref = data.get("ref") if isinstance(data, dict) else None
    return ref if isinstance(ref, str) else None


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

    `is_live` is false if it is archived, disabled or a fork. `topics` is None if the
    response has none, as from old servers.
    """

    repo_id: int
    full_name: str
    default_branch: str | None = None
    is_live: bool = True
    is_private: bool = False
    is_archived: bool = False
    topics: tuple[str, ...] | None = None


def parse_repository(data: Any) -> Repository:
    """The repository in a repository object.

    Raises `InvalidResponse` for an id or a name that cannot be one.
    https://docs.github.com/en/rest/repos/repos#get-a-repository
    """
    if repository := _repository(data):
        return repository
    raise InvalidResponse("GitHub's response is not a repository.")


def _repository(data: Any) -> Repository | None:
    match data:
        case {"id": int(repo_id), "full_name": str(full_name)} if (
            0 < repo_id < 2** 63 and re.fullmatch(REPO_NAME, full_name)
        ):
            branch = data.get("default_branch")
            return Repository(
                repo_id,
                full_name,
                # JSON may hold a lone surrogate, which UTF-8 cannot store.
                branch.encode("utf-8", "replace").decode()
                if isinstance(branch, str)
                else None,
                is_live=not any(map(data.get, ("archived", "disabled", "fork"))),
                is_private=bool(data.get("private")),
                is_archived=data.get("archived") is True,
                topics=_topics(data.get("topics")),
            )
    return None


def _topics(data: Any) -> tuple[str, ...] | None:
    if not isinstance(data, list):
        return None
    texts = (item for item in data if isinstance(item, str))
    return tuple(text.encode("utf-8", "replace").decode().lower() for text in texts)


def parse_repositories(data: Any) -> list[Repository]:
    """The repositories of a list response, or of the list of an App's installation.

    Leaves out one whose id or name cannot be one, unless there are no others.
    https://docs.github.com/en/rest/repos/repos#list-organization-repositories
    https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation
    """
    if isinstance(data, dict):
        data = data.get("repositories")
    if not isinstance(data, list):
        raise InvalidResponse("GitHub's response is not a list of repositories.")
    found = list(filter(None, map(_repository, data)))
    if data and not found:
        raise InvalidResponse("GitHub's response has no repository.")
    return found


def parse_json(body: bytes) -> Any:
    """The JSON value of a body, without the numbers that SQLite or JSON cannot hold.

    Those become null: integers of thousands of digits, which Python refuses, and
    infinite numbers and NaN, which are not JSON.
    """
    # Each value has a character of its own before it.
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise TooLarge(
            f"GitHub's response has more than {MAX_VALUES:,} values, so it is not "
            "read. The next passes request smaller pages. If the error stays, check "
            "GITHUB_API_URL and any proxy between this machine and GitHub."
        )
    try:
        return _load_json(body)
    except (ValueError, RecursionError):
        raise InvalidResponse(
            "GitHub's response is not valid JSON. The next pass requests it again. If "
            "the error stays, check GITHUB_API_URL and any proxy between this machine "
            f"and GitHub{_page_hint(body)}."
        ) from None


def _load_json(body: bytes) -> Any:
    try:
        return shared_objects.parse(body, _DECODER)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Parsing each integer in Python is slow, so only where it is needed.
        return json.loads(
            body,
            parse_float=_finite,
            parse_constant=_finite,
            parse_int=_short_integer,
        )


def _finite(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) else None


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _short_integer(text: str) -> int | None:
    return int(text) if len(text) <= MAX_DIGITS else None


def _page_hint(body: bytes) -> str:
    is_page = body.lstrip()[:1] == b"<"
    return ", which responds with a web page (perhaps a login page)" if is_page else ""


def _objects(data: Any, key: str) -> list[dict[str, Any]]:
    """The objects of a list. Another value in it becomes an empty object."""
    items = data.get(key) if isinstance(data, dict) else None
    if isinstance(items, list):
        objects = [item if isinstance(item, dict) else {} for item in items]
        if any(isinstance(item, dict) for item in items) or not items:
            return objects
    raise InvalidResponse(
        f"GitHub's response has no list of {key}. The next pass requests it again."
    )
