"""The JSON schema of the YAML file, for editors. `python -m` writes it."""

import json
import sys
from typing import Any

from ci_observer.ingest.config.file_model import SettingsFile


def json_schema() -> dict[str, Any]:
    """The schema, with the variable that each key replaces."""
    schema = SettingsFile.model_json_schema()
    for prop in schema["properties"].values():
        if variable := prop.pop("x-env", None):
            prop["description"] += f" Replaced by {variable}."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "ci-observer.yml",
    }


def schema_text() -> str:
    """The schema as the file in the repository has it."""
    return f"{json.dumps(json_schema(), indent=2, ensure_ascii=False)}\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
