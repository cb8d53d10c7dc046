"""The selects of the pages of commits, from the view `commit_runs`.

Its runs are found by the index `runs_commit`, and a branch's newest commits by walking
down `runs_branch`, so both take as long among ten million runs as among few.
"""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.web.api.queries import REVISION_SQL
from ci_observer.web.api.run_queries import TAGS

# The newest runs of each kind that a workflow's row lists.
LISTED_RUNS = 8
MAX_BRANCHES = 500
MAX_SIMILAR = 50
SHORTEST_SHA = 7

_IS_COMMIT = """
substr({0}.head_sha, 1, 7) = substr({1}, 1, 7) and +{0}.head_sha = {1}
and +{0}.repo = :repo"""

# The stored name of a repository: also by its name on GitHub, and by an alias.
REPO_SQL = """
select coalesce(
  (
    select coalesce(alias_of, repo) from repos
    where repo = :repo or full_name = :repo collate nocase
    order by repo = :repo desc, alias_of is not null limit 1
  ),
  (select repo from feeds where repo = :repo limit 1),
  (select repo from runs where repo = :repo limit 1)
) as repo
"""
HAS_RUNS_SQL = "select exists (select 1 from runs where repo = :repo) as has_runs"

# The commits of a repository that begin with some characters, the newest first.
SIMILAR_SQL = f"""
select head_sha, max(created_at) as last_at, count(*) as runs
from runs
where substr(head_sha, 1, 7) = substr(:sha, 1, 7)
  and substr(head_sha, 1, length(:sha)) = :sha and +repo = :repo
group by head_sha order by last_at desc limit {MAX_SIMILAR + 1}
"""


def _runs_sql(listed: int, condition: str) -> str:
    """The runs of the commits in `:shas`, a JSON array.

    Of each workflow, branch and kind of run (for a pull request or not): the newest
    `listed` ones, and the newest of each result.
    """
    place = "head_sha, workflow, head_repo, tile_branch, is_pull_request"
    newest = "order by created_at desc, run_id desc"
    return f"""
with found as materialized (
  select
    c.*, iif(a.given_up_at > now, a.activity, null) as activity,
    iif(a.activity is null, null, a.given_up_at) as given_up_at
  from json_each(:shas) s
  cross join clock
  cross join commit_runs c
  left join run_activities a on a.run_id = c.run_id
  where {_IS_COMMIT.format("c", "s.value")} {condition}
),
ranked as (
  select
    *,
    row_number() over (partition by {place} {newest}) as number,
    row_number() over (
      partition by {place}, ignored_reason, result, activity, is_undecided {newest}
    ) as number_alike,
    row_number() over (
      partition by head_sha
      order by
        event is 'push' desc, event in ('pull_request', 'merge_group') desc,
        created_at, run_id
    ) as title_number,
    min(created_at) over (partition by head_sha) as first_at,
    count(*) over (partition by head_sha, workflow) as all_runs,
    sum(run_attempt) over (partition by head_sha, workflow) as all_attempts,
    sum(successes) over (partition by head_sha, workflow, head_branch) > 0
      and sum(failures) over (partition by head_sha, workflow, head_branch) > 0
      as is_flaky
  from found
)
select * from ranked
where number <= {listed} or number_alike = 1 or title_number = 1
order by created_at desc, run_id desc
"""


# The tiles of the repository. The workflow `*` is an error of the repository.
_WALL_SQL = """
select
  w.repo, w.workflow, w.workflow_name, w.workflow_state, w.alarm, w.error,
  f.default_branch, f.checked_at, w.expires_at,
  -- Of a workflow that runs after others, GitHub does not name the commit.
  (
    select r.event from runs r
    where r.repo = w.repo and r.workflow = w.workflow
    order by r.started_at desc limit 1
  ) is 'workflow_run' as is_triggered
from wall_branches w left join feeds f using (repo, workflow)
where w.repo = :repo and w.is_default_branch
"""
# Of a commit, how many runs of other workflows are not counted.
_TRIGGERED_SQL = f"""
select count(*) as runs from runs r
where {_IS_COMMIT.format("r", ":sha")} and r.event = 'workflow_run'
"""

COMMIT_SNAPSHOT_SQL = {
    "revision": REVISION_SQL,
    "runs": _runs_sql(LISTED_RUNS, ""),
    "wall": _WALL_SQL,
    "triggered": _TRIGGERED_SQL,
}

# The runs of a branch count with those of its pull requests, and not those of forks.
GRID_RUNS_SQL = _runs_sql(1, "and +c.tile_branch = :branch and +c.head_repo is +c.repo")
GRID_SNAPSHOT_SQL = {
    "revision": REVISION_SQL,
    "runs": GRID_RUNS_SQL,
    "wall": _WALL_SQL,
    "branches": f"""
select branch from tiles where repo = :repo
group by branch order by max(newest_run_id) desc limit {MAX_BRANCHES}
""",
}

WORKFLOWS_SQL = """
select workflow from feeds where repo = :repo
union
select workflow from tiles where repo = :repo
"""
# The branch to show, and whether the name is that of a tag.
BRANCH_SQL = f"""
select
  (
    select default_branch from feeds
    where repo = :repo and default_branch is not null
    order by is_watched desc limit 1
  ) as default_branch,
  not exists (
    select 1 from feeds f
    cross join runs r indexed by runs_branch
      on r.repo = f.repo and r.workflow = f.workflow and r.tile_branch = :branch
    where f.repo = :repo
  ) and exists (
    select 1 from feeds f
    cross join runs r indexed by runs_branch
      on r.repo = f.repo and r.workflow = f.workflow and r.tile_branch = '{TAGS}'
    where f.repo = :repo and +r.head_branch = :branch
  ) as is_tag
"""
# One workflow's runs on a branch, the newest first.
WALK_SQL = """
select created_at, run_id, head_sha from runs indexed by runs_branch
where repo = :repo and workflow = :workflow and tile_branch = :branch
  and (created_at, run_id) < (:created_at, :before)
  and event is not 'workflow_run' and head_repo = repo and head_sha is not null
order by created_at desc, run_id desc
"""
CREATED_SQL = "select created_at from runs where run_id = :before and repo = :repo"
# Whether a page before this one has the commit: a newer run of it.
IS_NEWER_SQL = f"""
select exists (
  select 1 from runs r
  where {_IS_COMMIT.format("r", ":sha")} and +r.tile_branch = :branch
    and +r.head_repo is +r.repo and r.event is not 'workflow_run'
    and (r.created_at, r.run_id) >= (:created_at, :before)
)
"""

# For the page of an unknown commit or repository.
KNOWN_REPOS_SQL = """
select repo from feeds f
where exists (select 1 from runs r where r.repo = f.repo and r.workflow = f.workflow)
group by repo order by max(is_watched) desc, repo limit 50
"""
KNOWN_COMMITS_SQL = """
select head_sha, max(started_at) as last_at from (
  select r.head_sha, r.started_at
  from feeds f join runs r on r.run_id in (
    select n.run_id from runs n
    where n.repo = f.repo and n.workflow = f.workflow
    order by n.started_at desc limit 10
  )
  where f.repo = :repo and r.head_sha is not null
)
group by head_sha order by last_at desc limit 10
"""
