"""Names of owners, repositories and workflow files, and the patterns of the settings.

Pure functions of text. `feeds.selection` decides which of the names are watched.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

# The underscore is for accounts that a company manages: octocat_acme.
OWNER_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
# Becomes part of a URL path, so it must not be "." or "..".
REPO_NAME = rf"{OWNER_NAME}/(?!\.\.?(?:/|$))[A-Za-z0-9._-]+"

# `GH_WORKFLOWS=*` and `GH_REPOS=owner/*`.
EVERY_WORKFLOW = "*"
EVERY_REPO = "/*"

WORKFLOW_FOLDER = ".github/workflows/"
WORKFLOW_SUFFIXES = (".yml", ".yaml")
# GitHub's own workflows have a path but no file, such as
# dynamic/pages/pages-build-deployment.
DYNAMIC = "dynamic/"
# The path of the runs of a blocked account or repository, which belong to no workflow.
BLOCKED_WORKFLOW = "BuildFailed"
START_FAILURES = ("startup_failure", "failure")


def owner_of(repo: str) -> str:
    """The owner in `owner/name`; also in `owner/*`."""
    return repo.partition("/")[0]


def every_repo_of(owner: str) -> str:
    """The pattern `owner/*`, as in `GH_REPOS`."""
    return f"{owner}{EVERY_REPO}"


def is_every_repo(item: str) -> bool:
    """Whether an item of `GH_REPOS` is a pattern `owner/*`."""
    return item.endswith(EVERY_REPO)


def is_dynamic(workflow: str) -> bool:
    """Whether a workflow is GitHub's own and has no file."""
    return workflow.startswith(DYNAMIC)


def workflow_file(item: Mapping[str, Any], known: Collection[str] = ()) -> str:
    """The workflow file name in the `path` of a run object or a workflow object.

    The path of a run may end in `@ref`. File names and refs may contain `@` too, so one
    of the `known` names comes first. GitHub's own workflows keep the whole path.
    https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run
    """
    path = str(item.get("path")).removeprefix(WORKFLOW_FOLDER)
    fitting = [name for name in known if path == name or path.startswith(f"{name}@")]
    if fitting:
        return max(fitting, key=len)
    before_ref = r"dynamic/[^@]*(?=@)" if is_dynamic(path) else r".*?\.ya?ml(?=@)"
    name = re.match(before_ref, path, re.DOTALL)
    return name[0] if name else path


def is_ref_name(name: str) -> bool:
    """Whether a branch or tag can have this name, so that it is safe in a URL path.

    https://git-scm.com/docs/git-check-ref-format
    """
    parts = name.split("/")
    return not any(part in ("", ".") or ".." in part for part in parts)


def has_workflow_path(item: Mapping[str, Any]) -> bool:
    """Whether the `path` of a run or a workflow is a file's, or GitHub's own one."""
    path = str(item.get("path"))
    file = workflow_file(item)
    is_file = path.startswith(WORKFLOW_FOLDER) and file.endswith(WORKFLOW_SUFFIXES)
    return is_file or is_dynamic(path)


def is_blocked_run(run: Mapping[str, Any]) -> bool:
    """Whether a run of no known workflow says that its repository is blocked.

    GitHub documents neither the path nor other such paths. So any run that failed to
    start counts, unless its path names a file.
    """
    path, conclusion = run.get("path"), run.get("conclusion")
    if path == BLOCKED_WORKFLOW:
        return True
    if not path:
        return conclusion == "startup_failure" and not run.get("name")
    names_a_file = re.search(r"\.ya?ml(@|$)", str(path)) or is_dynamic(str(path))
    return not names_a_file and conclusion in START_FAILURES
