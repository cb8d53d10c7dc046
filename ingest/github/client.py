"""The requests that CI Observer makes of GitHub, all of them GET.

Knows HTTP and GitHub's paths; does not sleep, retry or know the database.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from ci_observer.ingest.config import read_token_file
from ci_observer.ingest.errors import (
    ConfigError,
    GitHubUnavailable,
    GitHubUnreachable,
    InvalidResponse,
)
from ci_observer.ingest.github.wire import (
    REPO_NAME,
    RateLimit,
    Repository,
    parse_answer,
    parse_jobs,
    parse_repositories,
    parse_repository,
    parse_run,
    parse_runs,
    parse_total_count,
    parse_workflows,
)

T = TypeVar("T")

# GitHub itself gives up after 10 seconds:
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
TIMEOUT = httpx.Timeout(20, connect=10)
API_VERSION = "2022-11-28"
MAX_REDIRECTS = 3
EXPIRATION_HEADER = "github-authentication-token-expiration"


@dataclass
class Meter:
    """What the requests since the last `reset` came to."""

    requests: int = 0
    not_modified: int = 0
    rate_limit: RateLimit | None = None
    token_expires: str | None = None

    def reset(self) -> None:
        """Count from zero; the rate limit stays what GitHub last said."""
        self.requests = self.not_modified = 0

    def count(self, status: int, headers: Mapping[str, str]) -> None:
        """Note one answer."""
        self.requests += 1
        self.not_modified += status == HTTPStatus.NOT_MODIFIED
        self.rate_limit = RateLimit.from_headers(headers) or self.rate_limit
        self.token_expires = headers.get(EXPIRATION_HEADER, self.token_expires)


@dataclass(frozen=True)
class Page:
    """One page of a run list; no `runs` and `is_not_modified` for a 304.

    `total_count` is how many runs GitHub says that the whole list has.
    """

    runs: list[dict[str, Any]] = field(default_factory=list)
    etag: str | None = None
    next_url: str | None = None
    total_count: int | None = None
    is_not_modified: bool = False


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What was asked for, None when it is what it was; and its ETag."""

    value: T | None
    etag: str | None


@dataclass(frozen=True)
class OwnerPage:
    """One page of an owner's repositories; no `repos` for a 304."""

    repos: list[Repository] | None
    etag: str | None
    next_url: str | None


class GitHub:
    """GitHub's REST API below one base address.

    `moved` are the numbers of renamed repositories by their former names in lower case:
    asked by its number, a repository answers without a redirect. `request` is the
    context in which each request is made, and may wait for it to be its turn.

    Every method raises a `GitHubError` when it cannot give what its name says.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_url: str,
        token: str | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.meter = Meter()
        self.moved: dict[str, int] = {}
        self.request: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        self._http = http
        self._api_url = api_url
        self._token = token
        self._clock = clock

    @property
    def has_token(self) -> bool:
        """Whether requests are authorised, and 304s free."""
        return self._token is not None

    def renew_token(self, path: Path) -> bool:
        """Read the token's file again; whether it holds another token than before.

        A file that cannot be read at the moment leaves the token as it is.
        """
        try:
            token = read_token_file(path)
        except ConfigError:
            return False
        is_new = token != self._token
        self._token = token
        return is_new

    async def fetch_runs(
        self, repo: str, workflow: str, *, per_page: int, etag: str | None = None
    ) -> Page:
        """The newest runs of a workflow, or "not modified" since `etag`.

        Unfiltered, since GitHub answers filtered lists from a search index that lags.
        https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
        """
        url = self.runs_url(repo, workflow, per_page=per_page)
        return await self.fetch_page(url, etag=etag)

    def runs_url(
        self, repo: str, workflow: str, *, per_page: int, created: str | None = None
    ) -> str:
        """The address of the first page of a workflow's runs.

        With `created`, such as `FROM..TO`, of those that were created then: a filter,
        so only for history.
        """
        path = f"/actions/workflows/{quote(workflow, safe='')}/runs"
        when = f"&created={quote(created, safe=':')}" if created else ""
        return f"{self._of(repo)}{path}?per_page={per_page}{when}"

    async def fetch_page(self, url: str, *, etag: str | None = None) -> Page:
        """A page of runs by its address, such as the `next_url` of another."""
        answer = await self._get(url, etag=etag)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            return Page(is_not_modified=True, etag=etag)
        data = self._parse(answer)
        return Page(
            runs=parse_runs(data),
            etag=answer.headers.get("etag"),
            next_url=answer.links.get("next", {}).get("url"),
            total_count=parse_total_count(data),
        )

    def repo_runs_url(self, repo: str, *, per_page: int) -> str:
        """The address of the first page of a repository's runs.

        https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
        """
        return f"{self._of(repo)}/actions/runs?per_page={per_page}"

    async def fetch_runs_in_progress(
        self, repo: str, *, etag: str | None = None
    ) -> Page:
        """The newest runs of a repository that are in progress.

        A hint only: GitHub answers filtered lists from a search index that lags.
        """
        url = self.repo_runs_url(repo, per_page=30)
        return await self.fetch_page(f"{url}&status=in_progress", etag=etag)

    async def fetch_run(
        self, repo: str, run_id: int, *, etag: str | None = None
    ) -> Page:
        """One run by its id, as a page of one, or "not modified" since `etag`."""
        return await self._fetch_one(f"{self._of(repo)}/actions/runs/{run_id}", etag)

    async def fetch_attempt(self, repo: str, run_id: int, run_attempt: int) -> Page:
        """One attempt of a run, as a page of one.

        https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run-attempt
        """
        return await self._fetch_one(
            f"{self._of(repo)}/actions/runs/{run_id}/attempts/{run_attempt}", None
        )

    async def fetch_jobs(self, repo: str, run_id: int) -> list[dict[str, Any]]:
        """The jobs of a run's latest attempt, as GitHub's objects.

        Pages of 30: larger ones have answered 502 for runs with many jobs.
        """
        url: str | None = (
            f"{self._of(repo)}/actions/runs/{run_id}/jobs?filter=latest&per_page=30"
        )
        jobs: list[dict[str, Any]] = []
        while url:
            answer = await self._get(url)
            jobs += parse_jobs(self._parse(answer))
            url = answer.links.get("next", {}).get("url")
        return jobs

    async def fetch_repo(
        self, repo: str, *, etag: str | None = None
    ) -> Answer[Repository]:
        """What GitHub says of a repository now.

        By its name, also after a rename: another repository may have got the name.
        """
        answer = await self._get(f"{self._api_url}/repos/{repo}", etag=etag)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            return Answer(None, etag)
        repository = parse_repository(self._parse(answer))
        return Answer(repository, answer.headers.get("etag"))

    def owner_urls(self, owner: str) -> list[str]:
        """The lists that an owner's repositories may be in, the fullest first.

        An organization has one. A user's own shows the private ones, too, and only to
        himself: https://docs.github.com/en/rest/repos/repos#list-repositories-for-a-user
        """
        page = "sort=full_name&per_page=100"
        own = [f"{self._api_url}/user/repos?affiliation=owner&{page}"]
        return [
            f"{self._api_url}/orgs/{owner}/repos?{page}",
            *(own if self._token else []),
            f"{self._api_url}/users/{owner}/repos?{page}",
        ]

    def is_own_list(self, url: str) -> bool:
        """Whether an address is that of the token's user's own repositories."""
        return url.startswith(f"{self._api_url}/user/repos?")

    async def fetch_owner_page(self, url: str, *, etag: str | None = None) -> OwnerPage:
        """A page of a list of repositories, or "not modified" since `etag`."""
        answer = await self._get(url, etag=etag)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            return OwnerPage(None, etag, None)
        return OwnerPage(
            parse_repositories(self._parse(answer)),
            answer.headers.get("etag"),
            answer.links.get("next", {}).get("url"),
        )

    async def fetch_workflows(
        self, repo: str, *, etag: str | None = None
    ) -> Answer[list[dict[str, Any]]]:
        """Every workflow of a repository, as GitHub's objects.

        Of several pages the first one's ETag would not tell of the others: none then.
        """
        url = f"{self._of(repo)}/actions/workflows?per_page=100"
        answer = await self._get(url, etag=etag)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            return Answer(None, etag)
        workflows = parse_workflows(self._parse(answer))
        new_etag = None if "next" in answer.links else answer.headers.get("etag")
        while "next" in answer.links:
            answer = await self._get(answer.links["next"]["url"])
            workflows += parse_workflows(self._parse(answer))
        return Answer(workflows, new_etag)

    def _of(self, repo: str) -> str:
        """The address that everything of a repository begins with."""
        number = self.moved.get(repo.lower())
        place = f"repositories/{number}" if number else f"repos/{repo}"
        return f"{self._api_url}/{place}"

    async def _fetch_one(self, url: str, etag: str | None) -> Page:
        answer = await self._get(url, etag=etag)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            return Page(is_not_modified=True, etag=etag)
        run = parse_run(self._parse(answer))
        return Page(runs=[run], etag=answer.headers.get("etag"))

    def _parse(self, answer: httpx.Response) -> Any:
        return parse_answer(
            answer.status_code, answer.headers, answer.content, now=self._clock()
        )

    async def _get(self, url: str, *, etag: str | None = None) -> httpx.Response:
        """GET within GitHub's origin, following its redirects of renamed repositories.

        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
        """
        for _ in range(MAX_REDIRECTS + 1):
            url = self._within_origin(url)
            answer = await self._send(url, etag)
            if not answer.has_redirect_location:
                return answer
            self._note_move(answer)
            url = answer.headers["location"]
        raise InvalidResponse("GitHub redirects in circles.")

    def _note_move(self, answer: httpx.Response) -> None:
        """Remember the number that a renamed repository's redirect points to."""
        if answer.status_code != HTTPStatus.MOVED_PERMANENTLY:
            return
        base = re.escape(httpx.URL(self._api_url).path.rstrip("/"))
        old = re.match(rf"{base}/repos/({REPO_NAME})(?=/|$)", answer.request.url.path)
        new = re.search(
            r"/repositories/(\d{1,18})(?=[/?]|$)", answer.headers["location"]
        )
        if old and new:
            self.moved[old[1].lower()] = int(new[1])

    async def _send(self, url: str, etag: str | None) -> httpx.Response:
        async with self.request():
            answer = await self._http_get(url, etag)
            self.meter.count(answer.status_code, answer.headers)
            if answer.is_error:
                # Before the next request: there may be none after this.
                self._parse(answer)
        return answer

    async def _http_get(self, url: str, etag: str | None) -> httpx.Response:
        try:
            return await self._http.get(url, headers=self._headers(etag))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise GitHubUnreachable(
                f"GitHub cannot be reached: {_reason(error)}."
            ) from error
        except httpx.HTTPError as error:
            raise GitHubUnavailable(
                f"GitHub did not answer: {_reason(error)}."
            ) from error

    def _headers(self, etag: str | None) -> dict[str, str]:
        headers = {}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if etag:
            headers["if-none-match"] = etag
        return headers

    def _within_origin(self, url: str) -> str:
        """The whole address that a link or redirect points to, if it is GitHub's.

        Elsewhere must not be asked: the request would carry the token there.
        """
        ours = httpx.URL(self._api_url)
        try:
            theirs = ours.join(url)
        except (httpx.InvalidURL, ValueError):
            raise InvalidResponse("GitHub points to an invalid address.") from None
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise InvalidResponse(
                f"GitHub points to another address ({theirs.scheme}://{theirs.host}), "
                "which is not asked. If your API lives there, set GITHUB_API_URL to it."
            )
        return str(theirs)


def open_http(version: str) -> httpx.AsyncClient:
    """The HTTP client, with the headers and timeouts that every request needs.

    https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#headers
    """
    return httpx.AsyncClient(
        timeout=TIMEOUT,
        headers={
            "accept": "application/vnd.github+json",
            "user-agent": f"ci-observer/{version}",
            "x-github-api-version": API_VERSION,
        },
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
