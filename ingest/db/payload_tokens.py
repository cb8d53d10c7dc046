"""The tokens of packed payloads: which character stands for which text.

JSON text in ASCII holds none of these characters, so replacing them is safe. `payloads`
writes the tokens; the view `runs_full` and the trigger `runs_keep_payload` read them
with the numbers that `SQL_VALUES` puts into `sql/10_payloads.sql`.
"""

from functools import cache
from textwrap import fill

# The columns of `runs` that have a token, in the order of their tokens.
COLUMNS = (
    "run_id",
    "workflow_name",
    "head_branch",
    "head_sha",
    "display_title",
    "run_number",
    "run_attempt",
    "event",
    "status",
    "conclusion",
    "pr_number",
    "created_at",
    "started_at",
    "updated_at",
)
RUN_ID = "\x7f"
FIRST_COLUMN = 0x600
# The first 31 phrases have the control characters, which take one byte each in UTF-8.
CONTROL_CHARACTERS = 31
FIRST_LATER_PHRASE = 0x100
MAX_PHRASES = 0x500
FIRST_PART = 0x80
MAX_PARTS = 0x80


@cache
def phrase_token(index: int) -> str:
    """The character that stands for a phrase."""
    is_control = index < CONTROL_CHARACTERS
    return chr(index + (1 if is_control else FIRST_LATER_PHRASE))


@cache
def part_token(index: int) -> str:
    """The character that stands for a part."""
    return chr(FIRST_PART + index)


@cache
def column_token(column: str) -> str:
    """The character that stands for the value of a column of `runs`."""
    return RUN_ID if column == "run_id" else chr(FIRST_COLUMN + COLUMNS.index(column))


def _columns(prefix: str) -> str:
    return fill(", ".join(f"{prefix}{column}" for column in COLUMNS), 80)


SQL_VALUES = {
    "payload_columns": _columns(""),
    "run_payload_columns": _columns("runs."),
    "old_payload_columns": _columns("old."),
    "new_payload_columns": _columns("new."),
    "run_id_token": str(ord(RUN_ID)),
    "first_column_token": str(FIRST_COLUMN),
    "control_characters": str(CONTROL_CHARACTERS),
    "first_later_phrase_token": str(FIRST_LATER_PHRASE),
    "first_part_token": str(FIRST_PART),
}
