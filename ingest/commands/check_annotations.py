"""A part of `check`: whether the token can read why runs failed or were cancelled."""

from ci_observer.ingest.errors import Forbidden, GitHubError, NotFound
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.job_rows import job_row

BETTER_TOKENS = (
    "A classic token with the scope repo, or a GitHub App with the permission Checks:"
    " read, can read them; a fine-grained token cannot"
)


async def annotations_text(github: GitHub, repo: str) -> str:
    """Try the annotations of a job of a private repository, and say what follows.

    Of a public repository, every token can read them.
    """
    try:
        job_id = await _newest_job_id(github, repo)
        if job_id is None:
            return "annotations: not tried, the newest run has no job"
        await github.fetch_annotations(repo, job_id)
    except (Forbidden, NotFound) as error:
        return (
            "annotations: cannot be read, so a run that hits its time limit, which"
            " GitHub calls cancelled, is red only after three alike, or six hours, and"
            f" failing tiles do not say the error. {BETTER_TOKENS}. {error}"
        )
    except GitHubError as error:
        return f"annotations: not tried. {error}"
    return (
        "annotations: found, so a run that hits its time limit is red, and failing"
        " tiles say the error"
    )


async def _newest_job_id(github: GitHub, repo: str) -> int | None:
    page = await github.fetch_page(repo, github.repo_runs_path(repo, per_page=1))
    for run in page.runs:
        for job in await github.fetch_jobs(repo, run["id"]):
            return int(job_row(job, run_id=run["id"], run_attempt=1)["job_id"])
    return None
