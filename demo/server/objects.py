"""GitHub's JSON objects other than runs and jobs: users, repositories, workflows.

Shapes are those of GitHub's OpenAPI description (`simple-user`,
`minimal-repository`, `full-repository`, `workflow`, `simple-commit`,
`pull-request-minimal`); `tests/demo/test_demo_schema.py` validates them.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from ci_observer.demo.seeded_random import stable_int, stable_sha
from ci_observer.demo.server.model import Json, Repo, Run, Sites, Workflow
from ci_observer.demo.times import iso

USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}

REPO_URLS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}


BOT = "[bot]"  # the end of an App's login


@lru_cache(maxsize=1024)
def user_object(login: str, sites: Sites, kind: str | None = None) -> Json:
    """A `simple-user`, shared between bodies: do not change it.

    A bot's API addresses have its login percent-encoded, and its page is its App's.
    """
    number = stable_int(f"user {login.lower()}", 100_000, 200_000_000)
    is_bot = login.endswith(BOT)
    url = f"{sites.api}/users/{quote(login, safe='')}"
    page = f"apps/{login.removesuffix(BOT)}" if is_bot else login
    head = {
        "login": login,
        "id": number,
        "node_id": f"{'BOT' if is_bot else 'U'}_kgDO{number:x}",
        "avatar_url": "https://avatars.githubusercontent.com/"
        f"{'in' if is_bot else 'u'}/{number}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{sites.html}/{page}",
    }
    urls = {key: url + end for key, end in USER_URLS.items()}
    tail = {
        "type": kind or ("Bot" if is_bot else "User"),
        "user_view_type": "public",
        "site_admin": False,
    }
    return head | urls | tail


def minimal_repository(repo: Repo, sites: Sites) -> Json:
    """The `minimal-repository` in runs, shared between bodies: do not change it.

    It has no counters, so a star or a fork never changes the ETag of a list.
    """
    if repo.minimal is None:
        repo.minimal = repo.payload or built_repository(repo, sites)
    return repo.minimal


def built_repository(repo: Repo, sites: Sites) -> Json:
    url = f"{sites.api}/repos/{repo.full_name}"
    head = {
        "id": repo.id,
        "node_id": f"R_kgDO{repo.id:x}",
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user_object(repo.owner, sites, repo.owner_type),
        "html_url": f"{sites.html}/{repo.full_name}",
        "description": repo.description,
        "fork": repo.fork,
        "url": url,
    }
    return head | {key: url + end for key, end in REPO_URLS.items()}


def full_repository(repo: Repo, sites: Sites) -> Json:
    """The `full-repository` of `GET /repos/{owner}/{repo}`."""
    html = f"{sites.html}/{repo.full_name}"
    ssh = f"github.com:{repo.full_name}.git"
    created = iso(repo.created_at)
    return minimal_repository(repo, sites) | {
        "created_at": created,
        "updated_at": created,
        "pushed_at": created,
        "git_url": f"git://{ssh.replace(':', '/')}",
        "ssh_url": f"git@{ssh}",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "homepage": None,
        "size": stable_int(f"size {repo.full_name}", 100, 90_000),
        "language": "Python",
        "mirror_url": None,
        "license": None,
        "default_branch": repo.default_branch,
        "visibility": "private" if repo.private else "public",
        "topics": list(repo.topics),
        "permissions": {"admin": False, "push": False, "pull": True},
        **repository_flags(),
        "archived": repo.archived,
        "disabled": repo.disabled,
        **dict.fromkeys(COUNTERS, 0),
    }


def listed_repository(repo: Repo, sites: Sites) -> Json:
    """The `minimal-repository` of a list of repositories, which has more keys."""
    return minimal_repository(repo, sites) | {
        "archived": repo.archived,
        "disabled": repo.disabled,
        "default_branch": repo.default_branch,
        "visibility": "private" if repo.private else "public",
        "topics": list(repo.topics),
    }


COUNTERS = (
    "stargazers_count",
    "watchers_count",
    "watchers",
    "forks_count",
    "forks",
    "open_issues_count",
    "open_issues",
    "network_count",
    "subscribers_count",
)


def repository_flags() -> dict[str, bool]:
    """The settings of a repository with their defaults."""
    on = ("has_issues", "has_projects", "has_wiki", "has_downloads", "allow_forking")
    off = ("has_pages", "has_discussions", "archived", "disabled", "is_template")
    return dict.fromkeys(on, True) | dict.fromkeys(off, False)


def workflow_object(workflow: Workflow, sites: Sites) -> Json:
    """The `workflow` of `GET …/actions/workflows`."""
    repo, created = workflow.repo, iso(workflow.created_at)
    html = f"{sites.html}/{repo.full_name}"
    path, file = (quote(text, safe="/@") for text in (workflow.path, workflow.file))
    return {
        "id": workflow.id,
        "node_id": f"W_kwDO{workflow.id:x}",
        "name": workflow.name,
        "path": workflow.path,
        "state": workflow.state,
        "created_at": created,
        "updated_at": created,
        "url": f"{sites.api}/repos/{repo.full_name}/actions/workflows/{workflow.id}",
        "html_url": f"{html}/blob/{repo.default_branch}/{path}",
        "badge_url": f"{html}/actions/workflows/{file}/badge.svg",
    }


def tag_ref_object(repo: Repo, tag: str, sites: Sites) -> Json:
    """The `git-ref` of a tag; its object is the commit, as for a lightweight tag."""
    git = f"{sites.api}/repos/{repo.full_name}/git"
    number = stable_int(f"ref {repo.id} {tag}", 10**8, 10**9)
    return {
        "ref": f"refs/tags/{tag}",
        "node_id": f"REF_kwDO{number:x}",
        "url": f"{git}/refs/tags/{quote(tag, safe='/@')}",
        "object": {
            "sha": repo.tags[tag],
            "type": "commit",
            "url": f"{git}/commits/{repo.tags[tag]}",
        },
    }


def pull_request_object(run: Run, number: int, sites: Sites) -> Json:
    """The `pull-request-minimal` in a run while the pull request is open."""
    base, head = run.repo, run.head_repository or run.repo
    return {
        "url": f"{sites.api}/repos/{base.full_name}/pulls/{number}",
        "id": stable_int(f"pull {base.full_name} {number}", 10**9, 3 * 10**9),
        "number": number,
        "head": branch_object(head, run.head_branch or "gone", run.head_sha, sites),
        "base": branch_object(
            base, base.default_branch, stable_sha(f"base {number}"), sites
        ),
    }


def branch_object(repo: Repo, ref: str, sha: str, sites: Sites) -> Json:
    """One side of a pull request."""
    url = f"{sites.api}/repos/{repo.full_name}"
    return {
        "ref": ref,
        "sha": sha,
        "repo": {"id": repo.id, "url": url, "name": repo.name},
    }


def commit_object(run: Run) -> Json:
    """The `simple-commit` of a run's `head_sha`."""
    name = run.actor or "ghost"
    author = {"name": name, "email": f"{name.replace('[bot]', '')}@users.example.com"}
    return {
        "id": run.head_sha,
        "tree_id": stable_sha(f"tree {run.head_sha}"),
        "message": run.message or run.display_title,
        "timestamp": iso(run.created_at),
        "author": author,
        "committer": {"name": "GitHub", "email": "noreply@github.com"},
    }
