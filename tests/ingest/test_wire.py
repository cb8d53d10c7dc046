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
    TooLarge,
    Unauthorized,
)
from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.headers import (
    LONGEST_WAIT,
    RateLimit,
    parse_etag,
    parse_expiration,
)
from ci_observer.ingest.github.wire import (
    Repository,
    parse_annotations,
    parse_repositories,
    parse_repository,
    parse_response,
    parse_runs,
    parse_total_count,
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
        (400, LEFT, message("Bad"), Forbidden),
        (409, LEFT, message("Git Repository is empty."), Forbidden),
        (451, LEFT, message("Repository access blocked"), Forbidden),
        (408, LEFT, b"", GitHubUnavailable),
        (202, LEFT, b"{}", InvalidResponse),
        (204, LEFT, b"", InvalidResponse),
        (304, LEFT, b"", InvalidResponse),
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
    ("header", "permission"),
    [
        ("checks=read", "Checks: read"),
        ("pull_requests=read; issues=read", "Pull requests: read"),
        ("", "Actions: read"),
        ("=; {0}", "Actions: read"),
    ],
)
def test_a_403_names_the_permission_that_github_asks_for(header, permission):
    headers = LEFT | {"x-accepted-github-permissions": header}

    with pytest.raises(Forbidden, match=f"lacks the permission {permission} for"):
        parse(403, headers, message("Resource not accessible"))


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
        (429, {"retry-after": "-5"}, b"", timedelta(minutes=1)),
        (403, LEFT | {"retry-after": "9" * 5000}, b"", timedelta(days=1)),
        (
            429,
            {"retry-after": "Sun, 01 Mar 2026 12:03:00 GMT"},
            b"",
            timedelta(minutes=3),
        ),
        (
            429,
            {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"},
            b"",
            timedelta(days=1),
        ),
        (
            429,
            {"retry-after": "Mon, 01 Mar 2027 12:00:00 GMT"},
            b"",
            timedelta(days=1),
        ),
        # The reset lies in the year 9999.
        (429, SPENT | {"x-ratelimit-reset": "253402300799"}, b"", timedelta(days=1)),
        # The reset passed while the response was on its way.
        (403, SPENT | {"x-ratelimit-reset": "0"}, b"", timedelta(seconds=1)),
    ],
)
def test_a_rate_limit_has_the_time_to_retry(status, headers, body, wait):
    with pytest.raises(RateLimited) as caught:
        parse(status, headers, body)

    assert caught.value.retry_at == NOW + wait


SAML = "Resource protected by organization SAML enforcement."
SSO = "https://github.com/orgs/acme/sso?authorization_request=A1"


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (
            403,
            LEFT,
            {"message": "Resource not accessible by personal access token"},
            ["personal access token (403). ", "permission Actions: read"],
        ),
        (
            403,
            LEFT | {"x-github-sso": f"required; url={SSO}"},
            {"message": SAML},
            ["SAML enforcement (403). ", "Authorize the token", SSO],
        ),
        (
            403,
            # It is no rate limit, though the last request of the hour was spent.
            SPENT | {"x-github-sso": f"required; url={SSO}"},
            {"message": SAML},
            ["SAML enforcement (403). ", SSO],
        ),
        (
            403,
            LEFT,
            {"message": "The `acme` organization has an IP allow list enabled"},
            ["IP allow list enabled (403). ", "address of this machine"],
        ),
        (
            403,
            LEFT,
            {"message": "This installation has been suspended"},
            ["been suspended (403). ", "Unsuspend the GitHub App"],
        ),
        (
            403,
            LEFT,
            {"message": "Repository access blocked", "block": {"reason": "tos"}},
            ["access blocked (403). ", "reason: tos. ", "has blocked the repository"],
        ),
        (
            451,
            LEFT,
            {
                "message": "Repository access blocked",
                "block": {"reason": "dmca", "html_url": "https://github.com/x/dmca"},
            },
            ["access blocked (451). ", "reason: dmca. ", "See https://github.com/x"],
        ),
        (451, LEFT, None, ["GitHub responds with 451. ", "blocked the repository"]),
        (409, LEFT, {"message": "Conflict"}, ["GitHub says: Conflict (409). ", "hour"]),
    ],
)
def test_a_final_refusal_has_github_s_words_first_then_what_to_do(
    status, headers, body, words
):
    with pytest.raises(Forbidden) as caught:
        parse(status, headers, json.dumps(body).encode())

    text = str(caught.value)
    assert text.startswith("GitHub ")
    places = [text.find(word) for word in words]
    assert -1 not in places
    assert places == sorted(places)


def test_an_address_that_is_none_is_not_shown():
    headers = {"x-github-sso": "required; url=javascript:alert(1)"}

    with pytest.raises(Forbidden) as caught:
        parse(403, headers, message("SAML"))

    assert "javascript" not in str(caught.value)


def test_numbers_that_cannot_be_stored_become_null():
    body = b'{"a": [NaN, Infinity, 1e999, 1.5, ' + b"9" * 5000 + b", 7]}"

    assert parse(200, body=body) == {"a": [None, None, None, 1.5, None, 7]}


def test_a_lone_surrogate_in_a_message_can_be_stored():
    with pytest.raises(NotFound) as caught:
        parse(404, body=b'{"message": "\\ud83d gone\\u202e\\u2028"}')

    assert str(caught.value).startswith("GitHub says: gone (404)")


def test_an_error_quotes_github_on_one_short_line():
    with pytest.raises(NotFound) as caught:
        parse(404, body=message("Not\nFound " + "x" * 1000))

    assert "GitHub says: Not Found xxx" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_the_rate_limit_is_read_from_the_headers():
    assert RateLimit.from_headers(SPENT, now=NOW) == RateLimit(5000, 0, RESET)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        SPENT | {"x-ratelimit-limit": "many"},
        SPENT | {"x-ratelimit-remaining": ""},
        SPENT | {"x-ratelimit-reset": "٣"},
        SPENT | {"x-ratelimit-reset": "nan"},
    ],
)
def test_missing_or_broken_rate_limit_headers_are_no_rate_limit(headers):
    assert RateLimit.from_headers(headers, now=NOW) is None


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("limit", str(2**70), RateLimit(10**9, 0, RESET)),
        ("limit", "9" * 5000, RateLimit(10**9, 0, RESET)),
        ("limit", "-1", RateLimit(0, 0, RESET)),
        ("limit", "5000.0", RateLimit(5000, 0, RESET)),
        ("remaining", "-7", RateLimit(5000, 0, RESET)),
        ("reset", "253402300799", RateLimit(5000, 0, NOW + LONGEST_WAIT)),
        ("reset", "9" * 5000, RateLimit(5000, 0, NOW + LONGEST_WAIT)),
        ("reset", "-9", RateLimit(5000, 0, datetime(1970, 1, 1, tzinfo=UTC))),
    ],
)
def test_numbers_of_the_rate_limit_are_brought_into_bounds(name, text, expected):
    headers = SPENT | {f"x-ratelimit-{name}": text}

    assert RateLimit.from_headers(headers, now=NOW) == expected


@pytest.mark.parametrize("etag", ['W/"1"', '"x!~"', "no-quotes"])
def test_an_etag_is_kept_as_it_is(etag):
    assert parse_etag(etag) == etag


@pytest.mark.parametrize("etag", [None, "", '"é"', '"a\nb"', '"\x1b"', '"' + "x" * 999])
def test_an_etag_that_no_header_can_carry_is_ignored(etag):
    assert parse_etag(etag) is None


@pytest.mark.parametrize(
    ("text", "expires_at"),
    [
        ("2026-12-31 12:00:00 UTC", datetime(2026, 12, 31, 12, tzinfo=UTC)),
        ("2026-12-31 12:00:00 +0200", datetime(2026, 12, 31, 10, tzinfo=UTC)),
        ("0001-01-01 00:00:00 +1400", None),
        ("0001-01-01 00:00:00 UTC", None),
        ("9999-12-31 23:59:59 -1200", None),
        ("soon", None),
        (None, None),
    ],
)
def test_the_expiration_of_a_token_is_a_time_that_can_be(text, expires_at):
    assert parse_expiration(text) == expires_at


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

    assert parse_annotations(items) == [Annotation("canceled")]


def test_an_annotation_has_a_level_and_a_title():
    item = {"message": "bad", "annotation_level": "failure", "title": "lint"}

    assert parse_annotations([item, {"title": "only", "annotation_level": 3}]) == [
        Annotation("bad", "failure", "lint"),
        Annotation("", None, "only"),
    ]


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


def test_an_odd_repository_does_not_hide_the_others_of_its_list():
    good = {"id": 7, "full_name": "acme/api", "default_branch": "\ud83d"}

    assert parse_repositories([{"id": 2**70}, None, good]) == [
        Repository(7, "acme/api", "?")
    ]


def test_a_body_of_too_many_values_is_not_parsed():
    """Eleven million empty lists fit into 32 MB, and take 700 MB of memory."""
    with pytest.raises(TooLarge, match="2,000,000 values"):
        parse(200, body=b"[" + b"[]," * 1_000_001 + b"[]]")


@pytest.mark.parametrize("count", [None, True, -1, 2**70, 1.5, "7", [7]])
def test_a_count_that_is_none_is_ignored(count):
    assert parse_total_count({"total_count": count}) is None


@pytest.mark.parametrize(
    "name", ["acme", "acme/../x", "acme/..", "acme/a?b", "a b/c", "/c"]
)
def test_a_name_that_could_change_a_url_path_is_refused(name):
    with pytest.raises(InvalidResponse):
        parse_repositories([{"id": 7, "full_name": name}])
    with pytest.raises(InvalidResponse):
        parse_repositories({"message": "not a list"})
