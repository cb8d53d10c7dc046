"""GitHub's responses: pure functions of status, headers and body."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ci_observer.ingest.errors import (
    Forbidden,
    GitHubUnavailable,
    InvalidResponse,
    NotFound,
    RateLimited,
    Unauthorized,
)
from ci_observer.ingest.github.wire import (
    RateLimit,
    Repository,
    parse_annotations,
    parse_repositories,
    parse_repository,
    parse_response,
    parse_runs,
    parse_workflows,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RESET = NOW + timedelta(minutes=20)
SPENT = {
    "x-ratelimit-limit": "5000",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": str(int(RESET.timestamp())),
}
LEFT = SPENT | {"x-ratelimit-remaining": "4999"}


def parse(status, headers=LEFT, body=b"{}"):
    return parse_response(status, headers, body, now=NOW)


def message(text):
    return json.dumps({"message": text}).encode()


def test_a_200_gives_its_json():
    assert parse(200, body=b'{"total_count": 0}') == {"total_count": 0}


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff", b"[" * 100_000])
def test_a_200_without_json_is_an_invalid_response(body):
    with pytest.raises(InvalidResponse, match="not valid JSON"):
        parse(200, body=body)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (401, LEFT, message("Bad credentials"), Unauthorized),
        (403, LEFT, message("Resource not accessible"), Forbidden),
        (403, {}, b"<html>no</html>", Forbidden),
        (404, LEFT, message("Not Found"), NotFound),
        (410, LEFT, message("This version is gone"), NotFound),
        (422, LEFT, message("Invalid"), InvalidResponse),
        (302, LEFT, b"", InvalidResponse),
        (500, LEFT, b"", GitHubUnavailable),
        (502, LEFT, message("Server Error"), GitHubUnavailable),
        (503, {}, b"<html>Unicorn!</html>", GitHubUnavailable),
    ],
)
def test_each_error_status_has_its_error(status, headers, body, error):
    with pytest.raises(error):
        parse(status, headers, body)


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait"),
    [
        (403, SPENT, message("API rate limit exceeded"), timedelta(minutes=20)),
        (429, SPENT, b"", timedelta(minutes=20)),
        (403, LEFT | {"retry-after": "90"}, b"", timedelta(seconds=90)),
        (429, {"retry-after": "30"}, b"", timedelta(seconds=30)),
        (
            403,
            LEFT,
            message("You have exceeded a secondary rate limit."),
            timedelta(minutes=1),
        ),
        (429, LEFT, b"", timedelta(minutes=1)),
        (429, {"retry-after": "soon"}, b"", timedelta(minutes=1)),
        # The reset passed while the response was on its way.
        (403, SPENT | {"x-ratelimit-reset": "0"}, b"", timedelta(seconds=1)),
    ],
)
def test_a_rate_limit_has_the_time_to_retry(status, headers, body, wait):
    with pytest.raises(RateLimited) as caught:
        parse(status, headers, body)

    assert caught.value.retry_at == NOW + wait


def test_an_error_quotes_github_on_one_short_line():
    with pytest.raises(NotFound) as caught:
        parse(404, body=message("Not\nFound " + "x" * 1000))

    assert "GitHub says: Not Found xxx" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_the_rate_limit_is_read_from_the_headers():
    assert RateLimit.from_headers(SPENT) == RateLimit(5000, 0, RESET)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        SPENT | {"x-ratelimit-limit": "many"},
        SPENT | {"x-ratelimit-reset": "9" * 30},
    ],
)
def test_missing_or_broken_rate_limit_headers_are_no_rate_limit(headers):
    assert RateLimit.from_headers(headers) is None


@pytest.mark.parametrize(
    "data", [None, [], {}, {"workflow_runs": None}, {"workflow_runs": [1]}]
)
def test_a_list_response_without_its_list_is_invalid(data):
    with pytest.raises(InvalidResponse, match="workflow_runs"):
        parse_runs(data)


def test_lists_are_read_from_their_keys():
    assert parse_runs({"workflow_runs": [{"id": 1}]}) == [{"id": 1}]
    assert parse_workflows({"workflows": []}) == []


@pytest.mark.parametrize("data", [None, {}, "text", 7, {"message": "Not Found"}])
def test_anything_but_a_list_has_no_annotations(data):
    assert parse_annotations(data) == []


def test_annotations_without_a_text_are_left_out():
    items = [None, "text", {}, {"message": 7}, {"message": "canceled", "path": None}]

    assert parse_annotations(items) == ["canceled"]


def test_a_repository_has_an_id_a_name_and_a_default_branch():
    item = {"id": 7, "full_name": "acme/api", "default_branch": "trunk"}

    assert parse_repository(item) == Repository(7, "acme/api", "trunk")
    assert parse_repositories([item | {"fork": True, "archived": None}]) == [
        Repository(7, "acme/api", "trunk", is_live=False)
    ]


@pytest.mark.parametrize("number", [None, "7", 0, 2**63])
def test_a_repository_without_a_valid_id_is_refused(number):
    with pytest.raises(InvalidResponse):
        parse_repository({"id": number, "full_name": "acme/api"})


@pytest.mark.parametrize(
    "name", ["acme", "acme/../x", "acme/..", "acme/a?b", "a b/c", "/c"]
)
def test_a_name_that_could_change_a_url_path_is_refused(name):
    with pytest.raises(InvalidResponse):
        parse_repositories([{"id": 7, "full_name": name}])
    with pytest.raises(InvalidResponse):
        parse_repositories({"message": "not a list"})
