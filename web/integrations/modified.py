"""When the content of a response has changed, for `Last-Modified`.

The times of the data do not tell: a change may be found after a newer one. What counts
is when this process first had the content, so a client requests at most too much.
"""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from datasette.app import Datasette

MAX_KEYS = 500

# The ETag of each response, and since when it has it.
_Times = OrderedDict[Hashable, tuple[str, str]]
_times: WeakKeyDictionary[Datasette, _Times] = WeakKeyDictionary()


def modified_at(datasette: Datasette, key: Hashable, etag: str, now: str) -> str:
    """Since when the response of a key has this ETag; times of a key never repeat."""
    times = _times.setdefault(datasette, OrderedDict())
    known_etag, at = times.pop(key, ("", ""))
    if known_etag != etag:
        at = max(now, _second_after(at)) if at else now
    times[key] = (etag, at)
    if len(times) > MAX_KEYS:
        times.popitem(last=False)
    return at


def _second_after(at: str) -> str:
    later = datetime.fromisoformat(at) + timedelta(seconds=1)
    return later.strftime("%Y-%m-%dT%H:%M:%SZ")
