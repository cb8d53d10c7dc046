"""The endpoints of GitHub that CI Observer reads, one method each.

Builds paths and parses responses, which `reader` reads. A path is below the base
of the API, so that a stored one stays valid when `GITHUB_API_URL` changes.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from ci_observer.ingest.errors import InvalidResponse, NotFound
from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.names import every_repo_of, is_ref_name
from ci_observer.ingest.github.pages import Response, RunPage, without_refused
from ci_observer.ingest.github.pagination import Walk
from ci_observer.ingest.github.reader import Reader
from ci_observer.ingest.github.rows import has_id
from ci_observer.ingest.github.wire import (
    Repository,
    parse_annotations,
    parse_jobs,
    parse_ref,
    parse_repositories,
    parse_repository,
    parse_run,
    parse_runs,
    parse_workflows,
)

# https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation
INSTALLATION_LIST = "/installation/repositories?per_page=100"


class GitHub:
    """Requests to GitHub's REST API.

    With an `etag`, a response may be "not modified". Every method that fetches raises
    a `GitHubError` for any response but 200 and 304, or for none.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._reader = Reader(connection)

    async def fetch_runs(
        self, repo: str, workflow: str, *, per_page: int, etag: str | None = None
    ) -> RunPage:
        """The newest runs of a workflow, given by file name or id.

        Unfiltered: GitHub serves filtered lists from a search index that lags.
        https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
        """
        url = self.runs_path(repo, workflow, per_page=per_page)
        return await self.fetch_page(repo, url, etag=etag)

    def runs_path(
        self, repo: str, workflow: str, *, per_page: int, created: str | None = None
    ) -> str:
        """The path of the first page of a workflow's runs.

        `created` filters by creation time, as `FROM..TO`; only for history, because
        filtered lists lag.
        https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
        """
        path = f"/actions/workflows/{quote(workflow, safe='')}/runs"
        when = f"&created={quote(created, safe=':')}" if created else ""
        return f"{self._repo_path(repo)}{path}?per_page={per_page}{when}"

    def repo_runs_path(self, repo: str, *, per_page: int) -> str:
        """The path of the first page of a repository's runs.

        https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
        """
        return f"{self._repo_path(repo)}/actions/runs?per_page={per_page}"

    async def fetch_page(
        self, repo: str, url: str, *, etag: str | None = None
    ) -> RunPage:
        """A page of a repository's runs, such as the `next_url` of another page.

        https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
        """
        page = await self._reader.get_page(repo, url, parse_runs, etag)
        if page.value is None:
            return RunPage(is_not_modified=True, etag=etag)
        runs, refusal = without_refused(url, page.value, page.now)
        return RunPage(
            runs,
            page.etag,
            page.next_url,
            page.total_count,
            refused=len(page.value) - len(runs),
            refusal=refusal,
        )

    async def fetch_runs_by_status(
        self, repo: str, status: str, *, etag: str | None = None
    ) -> RunPage:
        """The newest runs of a repository with an unfinished status, at most 30.

        May be late or incomplete: GitHub serves filtered lists from a search index.
        https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
        """
        url = self.repo_runs_path(repo, per_page=30)
        return await self.fetch_page(repo, f"{url}&status={status}", etag=etag)

    async def fetch_run(
        self, repo: str, run_id: int, *, etag: str | None = None
    ) -> RunPage:
        """One run by its id, as a page with one run.

        https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run
        """
        url = f"{self._repo_path(repo)}/actions/runs/{run_id}"
        return await self._get_run(repo, url, run_id, etag)

    async def fetch_attempt(self, repo: str, run_id: int, run_attempt: int) -> RunPage:
        """One attempt of a run, as a page with one run.

        https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run-attempt
        """
        url = f"{self._repo_path(repo)}/actions/runs/{run_id}/attempts/{run_attempt}"
        return await self._get_run(repo, url, run_id)

    async def fetch_jobs(
        self, repo: str, run_id: int, *, run_attempt: int | None = None
    ) -> list[dict[str, Any]]:
        """GitHub's job objects of a run's latest attempt, or another, from all pages.

        30 jobs a page: GitHub has returned 502 for larger pages of runs with many jobs.
        https://docs.github.com/en/rest/actions/workflow-jobs#list-jobs-for-a-workflow-run
        """
        run_url = f"{self._repo_path(repo)}/actions/runs/{run_id}"
        url = f"{run_url}/jobs?filter=latest&per_page=30"
        if run_attempt is not None:
            url = f"{run_url}/attempts/{run_attempt}/jobs?per_page=30"
        page = await self._reader.get_page(repo, url, parse_jobs)
        jobs, _ = await self._reader.get_rest(repo, url, page, parse_jobs)
        with_id = [job for job in jobs if has_id(job)]
        if jobs and not with_id:
            raise InvalidResponse(f"None of the {len(jobs)} jobs of a run has an id.")
        return with_id

    async def fetch_annotations(
        self,
        repo: str,
        job_id: int,
        *,
        is_enough: Callable[[Sequence[Annotation]], bool] = lambda _: False,
    ) -> list[Annotation]:
        """The annotations of a job, from all pages, or from the first that are enough.

        The number of a job is that of its check run.
        https://docs.github.com/en/rest/checks/runs#list-check-run-annotations
        """
        job_url = f"{self._repo_path(repo)}/check-runs/{job_id}"
        url: str | None = f"{job_url}/annotations?per_page=100"
        walk = Walk()
        found: list[Annotation] = []
        while url and not is_enough(found):
            page = await self._reader.get_page(repo, url, parse_annotations)
            found += page.value or []
            url = walk.next_url(url, page.next_url)
        return found

    async def fetch_repo(
        self, repo: str, *, etag: str | None = None
    ) -> Response[Repository]:
        """A repository by its name, even if it was renamed.

        Its former name may belong to another repository by now, so the id is not used.
        https://docs.github.com/en/rest/repos/repos#get-a-repository
        """
        url = f"/repos/{repo}"
        try:
            return await self._reader.get(repo, url, parse_repository, etag)
        except NotFound:
            # A GitHub App may see it with the installation of another account.
            if not await self.connection.credentials.look_up(repo):
                raise
        return await self._reader.get(repo, url, parse_repository, etag)

    async def owner_paths(self, owner: str) -> list[str]:
        """The paths of the lists that may hold an owner's repositories, fullest first.

        Only the token's own user sees his private repositories, in a list of his own.
        The installation of an App has a list of its repositories.
        https://docs.github.com/en/rest/repos/repos#list-organization-repositories
        https://docs.github.com/en/rest/repos/repos#list-repositories-for-the-authenticated-user
        https://docs.github.com/en/rest/repos/repos#list-repositories-for-a-user
        """
        credentials = self.connection.credentials
        if await credentials.has_list_of(owner):
            return [INSTALLATION_LIST]
        page = "sort=full_name&per_page=100"
        own = [f"/user/repos?affiliation=owner&{page}"]
        return [
            f"/orgs/{owner}/repos?{page}",
            *(own if credentials.has_token and not credentials.is_app else []),
            f"/users/{owner}/repos?{page}",
        ]

    def is_own_list(self, url: str) -> bool:
        """Whether a path lists the repositories of the token's user."""
        return url.startswith("/user/repos?")

    async def fetch_owner_page(
        self, owner: str, url: str, *, etag: str | None = None
    ) -> Response[list[Repository]]:
        """A page of a list of repositories: one of `owner_paths`, or a `next_url`."""
        return await self._reader.get_page(
            every_repo_of(owner), url, parse_repositories, etag
        )

    async def fetch_workflows(
        self, repo: str, *, etag: str | None = None
    ) -> Response[list[dict[str, Any]]]:
        """GitHub's workflow objects of a repository, from all pages.

        The ETag of several pages is that of each page, separated by spaces, because a
        page's ETag does not change when another page does. None if one is missing.
        https://docs.github.com/en/rest/actions/workflows#list-repository-workflows
        """
        url = f"{self._repo_path(repo)}/actions/workflows?per_page=100"
        etags = etag.split() if etag else []
        if len(etags) > 1 and await self._reader.are_unchanged(
            repo, url, parse_workflows, etags
        ):
            return Response(None, etag)
        page = await self._reader.get_page(
            repo, url, parse_workflows, etag if len(etags) == 1 else None
        )
        if page.value is None:
            return page
        workflows, found = await self._reader.get_rest(repo, url, page, parse_workflows)
        return Response(
            workflows, " ".join(filter(None, found)) if all(found) else None
        )

    async def has_tag(self, repo: str, name: str) -> bool:
        """Whether a repository has a tag with exactly this name.

        https://docs.github.com/en/rest/git/refs#get-a-reference
        """
        if not is_ref_name(name):
            return False
        path = f"{self._repo_path(repo)}/git/ref/tags/{quote(name)}"
        try:
            ref = await self._reader.get(repo, path, parse_ref)
        except NotFound:
            return False
        return ref.value == f"refs/tags/{name}"

    def _repo_path(self, repo: str) -> str:
        """The path of a repository; by id if it was renamed, to save the redirect."""
        repo_id = self.connection.renamed_ids.get(repo.lower())
        return f"/repositories/{repo_id}" if repo_id else f"/repos/{repo}"

    async def _get_run(
        self, repo: str, url: str, run_id: int, etag: str | None = None
    ) -> RunPage:
        response = await self._reader.get(repo, url, parse_run, etag)
        if response.value is None:
            return RunPage(is_not_modified=True, etag=etag)
        runs, _ = without_refused(url, [response.value], response.now)
        if runs[0]["id"] != run_id:
            raise InvalidResponse(
                f"GitHub responds with run {runs[0]['id']} to a request for run "
                f"{run_id}. The next pass requests it again."
            )
        return RunPage(runs, response.etag)
