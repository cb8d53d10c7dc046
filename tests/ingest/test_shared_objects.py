"""JSON bodies whose objects repeat: parsed once, with the same value as all at once."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.wire import parse_json

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([1.0, -0.0, 10**40])
    | st.text(max_size=5)
    | st.sampled_from(['{"', '"repository":{"', '\\"actor":', "\0shared", "é\ud800"])
)
KEYS = st.sampled_from(["id", "repository", "head_repository", "actor", "\0shared", ""])
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)
CUTS = st.none() | st.tuples(
    st.floats(0, 1), st.sampled_from([b"", b'"', b"{", b'{"', b"}", b",", b"\xff"])
)


@settings(deadline=None, max_examples=150)
@given(OBJECTS, st.lists(OBJECTS, max_size=3), st.booleans(), CUTS)
def test_a_body_has_the_value_that_the_parser_alone_gives(
    repository, others, is_ascii, cut
):
    runs = [
        {"repository": repository, "head_repository": other, "actor": repository}
        for other in [repository, *others]
    ]
    text = json.dumps(runs, ensure_ascii=is_ascii, separators=(",", ":"))
    body = text.encode("utf-8", "surrogatepass")
    if cut:
        at = int(cut[0] * len(body))
        body = body[:at] + cut[1] + body[at + 1 :]
    assert result(parse_json, body) == result(json.loads, body)


def result(parse, body):
    """The value as a text, in which 1, 1.0 and true differ."""
    try:
        return json.dumps(parse(body))
    except (ValueError, RecursionError, InvalidResponse):
        return "invalid"


def test_equal_repositories_of_a_page_are_one_object():
    repository = {"id": 1, "full_name": "o/r", "topics": ["é"]}
    runs = [{"repository": repository, "head_repository": repository}] * 2
    body = json.dumps(runs, ensure_ascii=False, separators=(",", ":")).encode()
    parsed = parse_json(body)
    assert parsed == runs
    assert len({id(value) for run in parsed for value in run.values()}) == 1
