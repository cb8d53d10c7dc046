"""Addresses on GitHub, made from the address of a run."""

import pytest

from ci_observer.web.urls import commit_address, pull_request_address


@pytest.mark.parametrize(
    ("html_url", "repository"),
    [
        ("https://ghe.example/a/b/actions/runs/1", "https://ghe.example/a/b"),
        ("http://ghe:8080/a/b/actions/runs/1/attempts/2", "http://ghe:8080/a/b"),
        ("javascript:alert(1)//a/b/actions/runs/1", None),
        ("https://github.com/acme/api", None),
        ("", None),
        (None, None),
    ],
)
def test_commits_and_pull_requests_are_on_the_host_of_the_run(
    html_url: str | None, repository: str | None
) -> None:
    commit = repository and f"{repository}/commit/a%2Fb"
    pull_request = repository and f"{repository}/pull/12"

    assert commit_address(html_url, "a/b") == commit
    assert pull_request_address(html_url, 12) == pull_request
    assert commit_address(html_url, None) is None
    assert pull_request_address(html_url, None) is None
