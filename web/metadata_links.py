"""Links in the metadata, below the path prefix of `CI_OBSERVER_BASE_URL`."""

import re
from typing import Any

ADDRESSES = ("about_url", "license_url", "source_url")
STATEMENTS = ("sql", "query")
# The slash that begins a path, in a link of Markdown or an attribute of HTML.
LINK = re.compile(
    r"""(\]\(\s*<?|^\s*\[[^\]]+\]:\s*<?|\b(?:href|src|action)\s*=\s*["']?)/(?![/\\])""",
    re.MULTILINE,
)


def with_base_url(metadata: dict[str, Any], base_url: str) -> dict[str, Any]:
    """A copy of the metadata in which paths of this server begin with `base_url`.

    They stand in `about_url` and its like, and in links in Markdown or HTML texts.
    """
    if base_url == "/":
        return metadata
    prefixed: dict[str, Any] = _prefixed(metadata, base_url)
    return prefixed


def _prefixed(value: Any, base_url: str, key: str = "") -> Any:
    match value:
        case dict():
            return {k: _prefixed(v, base_url, k) for k, v in value.items()}
        case list():
            return [_prefixed(item, base_url, key) for item in value]
        case str() if key in ADDRESSES:
            return re.sub(r"^/(?![/\\])", base_url, value)
        case str() if key not in STATEMENTS:
            return LINK.sub(rf"\g<1>{base_url}", value)
    return value
