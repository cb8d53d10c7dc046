"""JSON schemas of rows, by their columns, with examples."""

from collections.abc import Mapping
from typing import Any

from ci_observer import column_kinds as kinds
from ci_observer.web.api.list_columns import STATS_COLUMNS
from ci_observer.web.vocabulary import STATES

Schema = dict[str, Any]

_OF_KIND: dict[str, Schema] = {
    kinds.TIME: {"type": "string", "format": "date-time"},
    kinds.DAY: {"type": "string", "format": "date"},
    kinds.BOOLEAN: {"type": "boolean"},
    kinds.INTEGER: {"type": "integer"},
    kinds.NUMBER: {"type": "number"},
    kinds.WORD: {"type": "string"},
    kinds.TEXT: {"type": "string"},
    kinds.TEXTS: {"type": "array", "items": {"type": "string"}},
    kinds.OBJECT: {"type": "object"},
}
_OF_RUN = (
    *("run_id", "run_attempt", "repo", "workflow"),
    *("created_at", "started_at", "updated_at"),
)
# The columns of a row that are never null.
_NEVER_NULL = {
    "Run": (*_OF_RUN, "is_tag"),
    "Attempt": (*_OF_RUN, "is_latest_attempt"),
    "Job": ("job_id", "run_id", "run_attempt", "last_attempt", "repo", "workflow"),
    "Step": ("number",),
    "Statistics": tuple(
        name
        for name in STATS_COLUMNS
        if not name.endswith("_seconds") and name != "billed_minutes"
    ),
    "Tile": ("repo", "workflow", "is_default_branch", "tile_state", "strip"),
}
_EXAMPLES: Mapping[str, Any] = {
    "run_id": 5,
    "job_id": 51,
    "run_number": 5,
    "run_attempt": 1,
    "last_attempt": 1,
    "number": 1,
    "repo": "acme/api",
    "workflow": "ci.yml",
    "workflow_name": "CI",
    "event": "push",
    "display_title": "Fix the build",
    "status": "completed",
    "conclusion": "success",
    "effective_conclusion": "success",
    "head_branch": "main",
    "head_repo": "acme/api",
    "branch": "main",
    "actor": "ada",
    "triggering_actor": "ada",
    "name": "test",
    "labels": ["ubuntu-latest"],
    "failed_step": "Run tests",
    "tile_state": "failing",
    "html_url": "https://github.com/acme/api/actions/runs/5",
    "day": "2026-03-01",
    "strip": [],
}
_OF_STRIP: Schema = {
    "type": "object",
    "description": "A run, oldest first.",
    "properties": {
        "run_id": {"type": "integer"},
        "result": {"type": ["string", "null"], "enum": ["passing", "failing", None]},
        "is_superseded": {"type": "boolean"},
        "is_gone": {"type": "boolean"},
        "cancel_cause": {"type": "string"},
    },
    "required": ["run_id", "result"],
}


def object_of(properties: Mapping[str, Schema], *optional: str) -> Schema:
    """An object with these keys; some of them are optional."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": {**properties}, "required": required}


def list_of(items: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items}


def reference(name: str) -> Schema:
    """A reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def row_schema(
    name: str, columns: tuple[str, ...], descriptions: Mapping[str, str]
) -> Schema:
    """An object with a key for each column, and the descriptions of the columns."""
    properties = {
        column: column_schema(
            column,
            descriptions.get(column),
            is_nullable=column not in _NEVER_NULL[name],
        )
        for column in columns
    }
    return object_of(properties, "raw_json")


def column_schema(column: str, description: str | None, *, is_nullable: bool) -> Schema:
    """The schema of a value by its column, with an example."""
    schema = {**_OF_KIND[kinds.kind_of(column)]}
    if column == "strip":
        schema = list_of(_OF_STRIP)
    if column == "tile_state":
        schema |= {"enum": [*STATES]}
    example = _EXAMPLES.get(column, _example_of(schema, is_nullable=is_nullable))
    if is_nullable:
        schema |= {"type": [schema["type"], "null"]}
    if description:
        schema |= {"description": description}
    return schema | {"examples": [example]}


def _example_of(schema: Schema, *, is_nullable: bool) -> Any:
    if is_nullable:
        return None
    by_format = {"date-time": "2026-03-01T12:00:02Z", "date": "2026-03-01"}
    if schema.get("format") in by_format:
        return by_format[schema["format"]]
    by_type = {"integer": 0, "number": 0.0, "boolean": False, "array": []}
    return by_type.get(schema["type"], "…")


def example_of(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """A value of a schema, made of the examples in it."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if schema.get("type") == "object":
        return {
            name: example_of(value, components)
            for name, value in schema.get("properties", {}).items()
            if name != "raw_json"
        }
    if schema.get("type") == "array":
        return [example_of(schema["items"], components)]
    is_nullable = "null" in schema.get("type", ())
    return _example_of(schema, is_nullable=is_nullable)
