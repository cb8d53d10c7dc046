"""Which values of GitHub's run object repeat, and how: by their paths in the object.

A wrong entry costs space and nothing else.
"""

import re

# Objects and lists that are cut into pieces; any other value is one piece.
CONTAINERS = {
    "",
    ".head_commit",
    ".pull_requests",
    ".pull_requests.base",
    ".pull_requests.base.repo",
    ".pull_requests.head",
    ".pull_requests.head.repo",
}

# Values that many runs share, each stored once if it has at least this many characters:
# a reference takes about as much space as a shorter text.
COMMIT_MESSAGE = ".head_commit.message"
MIN_SHARED_LENGTH = {
    ".actor": 40,
    ".head_commit.author": 40,
    ".head_commit.committer": 40,
    COMMIT_MESSAGE: 100,
    ".head_repository": 40,
    ".referenced_workflows": 40,
    ".repository": 40,
    ".triggering_actor": 40,
}

# Values that belong to the phrases, as all keys do: the same for all runs of a workflow
# apart from the run's id, or one of a few words.
PER_WORKFLOW = {
    ".artifacts_url",
    ".cancel_url",
    ".html_url",
    ".id",
    ".jobs_url",
    ".logs_url",
    ".path",
    ".pull_requests.base.repo.id",
    ".pull_requests.base.repo.name",
    ".pull_requests.base.repo.url",
    ".pull_requests.head.repo.id",
    ".pull_requests.head.repo.name",
    ".pull_requests.head.repo.url",
    ".rerun_url",
    ".url",
    ".workflow_id",
    ".workflow_url",
}
LITERALS = {"null", "true", "false", "[]", "{}", '""'}

# Values that equal a column of `runs`: their tokens belong to the phrases.
COLUMN_OF_PATH = {
    ".conclusion": "conclusion",
    ".created_at": "created_at",
    ".event": "event",
    ".head_branch": "head_branch",
    ".head_commit.id": "head_sha",
    ".head_sha": "head_sha",
    ".name": "workflow_name",
    ".run_attempt": "run_attempt",
    ".run_number": "run_number",
    ".run_started_at": "started_at",
    ".status": "status",
    ".updated_at": "updated_at",
}
# Values that often equal a column. Their tokens belong to the body: in the phrases,
# each combination of equal and different values would need phrases of its own.
USUAL_COLUMN_OF_PATH = {
    ".display_title": "display_title",
    ".pull_requests.head.ref": "head_branch",
    ".pull_requests.head.sha": "head_sha",
    ".pull_requests.number": "pr_number",
}

# Values that are the same for all runs of a workflow except for their end: a number,
# the text after an @, or the part of a node id with the last 38 bits of its number.
# Such an id is base64 of a MessagePack list: the repository's number in 4 bytes, its
# own number in 8.
_NUMBER = re.compile(r'"(.*/)([0-9]+)"')
_NODE_ID = re.compile(r'"([A-Z]+_kw.O.{6}8A.{3})(.{7})"')
VARIABLE_ENDINGS = {
    ".check_suite_node_id": _NODE_ID,
    ".check_suite_url": _NUMBER,
    ".node_id": _NODE_ID,
    ".path": re.compile(r'"([^@]*@)(.+)"'),
    ".previous_attempt_url": _NUMBER,
    ".pull_requests.url": _NUMBER,
}
