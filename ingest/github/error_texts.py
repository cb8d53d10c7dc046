"""The error of a failed job, from the annotations of its check run. Pure functions.

Each error of a step and each problem that a tool reports is an annotation. The runner
adds others, most of which say only that something failed.
https://docs.github.com/en/rest/checks/runs#list-check-run-annotations
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ci_observer.ingest.github.annotations import Annotation
from ci_observer.ingest.github.normal_text import cut_bytes, normal_text
from ci_observer.ingest.texts import one_line

# The limits of a stored message and of its normalised text, in bytes.
MAX_BYTES = 500
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
# Messages may have thousands of lines.
_SEARCHED = 4_000

_ESCAPES = re.compile(
    r"(?:\x1b|\u241b|\ufffd|\x9b)\[[0-9;:?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?"
    r"|\x1b[@-Z\\-_]"
)
_PREFIX = re.compile(r"(?:##\[error\]|::error[^:]{0,200}::)\s*", re.IGNORECASE)
# Texts of the runner that stand for any failure, without its reason.
_GENERIC = re.compile(
    r"(?:error: *)?(?:"
    r"(?:(?:the )?(?:process|command|script|task|job|step|action|docker \w+)"
    r"(?: '[^']*'| \"[^\"]*\"| `[^`]*`)? )?"
    r"(?:was |has |have )?(?:completed|failed|exited|terminated|finished|returned)"
    r"(?: with(?: an?)?| code| status)? ?(?:error|non-zero)? ?"
    r"(?:exit )?(?:code|status)?:? ?\(?-?\d+\)?"
    r"|(?:the|this) (?:operation|job|run|workflow run) (?:was|has been) cancel{1,2}ed"
    r"|(?:the|this) (?:job|run|workflow run|step) (?:has )?failed"
    r"|(?:unknown|unhandled) error"
    r")[.!]?(?: see .{0,80} (?:logs?|output).{0,40})?",
    re.IGNORECASE,
)
# Each job has its own limit, so this text says nothing of other jobs.
_TIMEOUT = re.compile(
    r"(?:error: *)?the (?:job|run|workflow run)\b.{0,200}?"
    r"\bexceeded the maximum execution time\b",
    re.IGNORECASE,
)
# The one warning that says why the steps after it fail.
_DISK_FULL = re.compile(r"you are running out of disk space", re.IGNORECASE)


@dataclass(frozen=True)
class JobError:
    """A job's error on one line, and its normalised text, by which errors are equal.

    `is_generic`: it says that the job failed and not why, so equal texts prove nothing.
    """

    message: str
    text: str
    is_generic: bool


def job_error(annotations: Iterable[Annotation], *, repo: str = "") -> JobError | None:
    """The first error among a job's annotations; a generic one only without another.

    An exceeded time limit comes before all others. Warnings, such as those about old
    versions of Node.js, are no errors. None if there is no error. `repo` is the
    repository of the job.
    """
    errors = [error for item in annotations if (error := _error_of(item, repo))]
    return min(errors, key=_rank, default=None)


def _rank(error: JobError) -> int:
    """The lowest rank is the best: an exceeded time limit is what ended the job."""
    is_timeout = _TIMEOUT.match(error.message)
    return 0 if is_timeout else 1 + error.is_generic


def _error_of(item: Annotation, repo: str) -> JobError | None:
    message = _clean(item.message) or _clean(item.title)
    is_error = item.level == "failure" or bool(_DISK_FULL.match(message))
    if not is_error or not message:
        return None
    text = normal_text(message, MAX_BYTES, repo=repo)
    is_generic = bool(_GENERIC.fullmatch(message) or _TIMEOUT.match(message))
    return JobError(_shortened(message), text, is_generic)


def _shortened(message: str) -> str:
    if len(message.encode()) <= MAX_BYTES:
        return message
    return cut_bytes(message, MAX_BYTES - len(ELLIPSIS.encode())) + ELLIPSIS


def _clean(text: str) -> str:
    """A text on one line, without the codes of a terminal."""
    shown = one_line(_ESCAPES.sub("", text[:_SEARCHED]), _SEARCHED)
    return _PREFIX.sub("", shown, count=1) if shown.startswith(("#", ":")) else shown
