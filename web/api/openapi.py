"""The API as an OpenAPI document, out of the tables of its routes and parameters.

https://spec.openapis.org/oas/v3.1.1.html
"""

from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import version
from typing import Any

from datasette.app import Datasette

from ci_observer.web.access_token import login_of
from ci_observer.web.api.json_schemas import Schema, example_of, reference
from ci_observer.web.api.response_schemas import components
from ci_observer.web.api.routes import Route
from ci_observer.web.database import DATABASE
from ci_observer.web.filters import MAX_ARGUMENTS, Filters
from ci_observer.web.metadata import tables_of
from ci_observer.web.parameters import DAY, PARAMETERS, PATH_PARAMETERS, Parameter
from ci_observer.web.responses import JSON

VERSION = "3.1.0"
DESCRIPTION = (
    "All data of the wall and the archive, read-only. Times are UTC, durations are"
    " seconds. An empty value of a parameter is ignored; an unknown parameter is an"
    f" error. A URL may have {MAX_ARGUMENTS} arguments."
    " New keys may be added to any response."
)
_DEFAULTS = {field.name: field.default for field in fields(Filters)}
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The ACCESS_TOKEN of this instance.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Any user name, and the ACCESS_TOKEN as the password.",
    },
}
_ERRORS = {
    "400": "An unknown parameter or a bad value.",
    "401": "The access token is missing or wrong.",
    "403": "This visitor may not read.",
    "404": "There is no such item.",
    "421": "The Host header has no name of this server.",
    "429": "Too many wrong access tokens.",
    "501": "This server has no package for this format.",
    "503": "The database cannot be read now, or /api/health reports a problem.",
}
# An empty value of a parameter.
_IGNORED: Schema = {"type": "string", "pattern": r"^\s*$"}
_OF_EVERY_ROUTE = ("400", "401", "403", "421", "429", "503")
_HEADERS = {
    "ETag": {
        "description": "A hash of the content, for If-None-Match.",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": 'Where the next page is, rel="next", as in RFC 8288.',
        "schema": {"type": "string"},
    },
}


def openapi_document(datasette: Datasette, routes: Iterable[Route]) -> dict[str, Any]:
    """The document of an instance."""
    has_token = login_of(datasette) is not None
    tables = tables_of(datasette, DATABASE)
    schemas = components(tables)
    return {
        "openapi": VERSION,
        "info": {
            "title": "CI Observer",
            "version": version("ci-observer"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": datasette.urls.path("/").rstrip("/") or "/"}],
        "security": [{name: []} for name in _SECURITY] if has_token else [],
        "paths": {route.path: {"get": _operation(route, schemas)} for route in routes},
        "components": {
            "schemas": schemas,
            "securitySchemes": _SECURITY,
            "headers": _HEADERS,
            "responses": {code: _error(text) for code, text in _ERRORS.items()},
        },
    }


def _operation(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    errors = (
        *_OF_EVERY_ROUTE,
        *(("404",) if route.variables else ()),
        *(("501",) if route.problem else ()),
    )
    responses = {"200": _success(route, schemas)}
    if "ETag" in responses["200"]["headers"]:
        responses["304"] = {"description": "Unchanged since the ETag."}
    for code in sorted(errors):
        responses[code] = {"$ref": f"#/components/responses/{code}"}
    return {
        "operationId": _operation_id(route.path),
        "summary": route.purpose,
        "parameters": [
            *(_variable(name) for name in route.variables),
            *(_parameter(name, route) for name in route.parameters),
        ],
        "responses": responses,
    }


def _operation_id(path: str) -> str:
    words = path.replace("{", "").replace("}", "").replace(".", "/").split("/")
    return "_".join(filter(None, words))


def _success(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    schema = route.shape.schema
    media = {"schema": schema}
    is_json = route.media_type == JSON
    if is_json:
        media |= {"example": example_of(schema, schemas)}
    names = [*(("ETag",) if is_json else ()), *(("Link",) if _is_list(schema) else ())]
    return {
        "description": "Success.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {route.media_type.partition(";")[0]: media},
    }


def _is_list(schema: Schema) -> bool:
    return "next" in schema.get("properties", {})


def _error(text: str) -> dict[str, Any]:
    content = {"application/json": {"schema": reference("Error")}}
    return {"description": text, "content": content}


def _variable(name: str) -> dict[str, Any]:
    parameter = PATH_PARAMETERS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"{parameter.meaning[0].upper()}{parameter.meaning[1:]}.",
        "schema": {"type": "string"} | {**parameter.schema},
    }


def _parameter(name: str, route: Route) -> dict[str, Any]:
    parameter = PARAMETERS[name]
    schema = _value_schema(parameter)
    if route.has_days and name in ("since", "until"):
        schema = {"anyOf": [{"type": "string", **DAY}, _IGNORED]}
    default = _DEFAULTS.get(name)
    if parameter.repeats and name not in route.single:
        schema = {"type": "array", "items": schema}
    elif isinstance(default, int) and not isinstance(default, bool):
        schema |= {"default": default}
    described = {
        "name": name,
        "in": "query",
        "description": _description(parameter),
    }
    return described | {"schema": schema}


def _value_schema(parameter: Parameter) -> Schema:
    schema: Schema = {"type": "string"} | {**parameter.schema}
    if parameter.values and not parameter.is_open:
        schema |= {"enum": [*parameter.values]}
    elif parameter.values:
        return schema | {"examples": [*parameter.values]}
    return schema if schema == {"type": "string"} else {"anyOf": [schema, _IGNORED]}


def _description(parameter: Parameter) -> str:
    form = parameter.form and f" {parameter.form[0].upper()}{parameter.form[1:]}."
    default = f" Default: {parameter.default}." if parameter.default else ""
    return f"{parameter.meaning}{form}{default}"
