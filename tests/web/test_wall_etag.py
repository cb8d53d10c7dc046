"""The ETag of the wall, which is known without computing the tiles."""

from datetime import timedelta
from pathlib import Path

import pytest
from archive import NOW, set_clock
from sqlite_utils import Database
from walls import LOUD, QUIET, UNTESTED, save_wall
from web_client import get_json, serving

from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import parse_instant

QUERIES = ("", "?state=failing", "?branch=main&repo=acme/service-003")
# When time alone may change a tile.
INSTANTS = """
select overdue_at from tiles union select overdue_until_at from tiles
union select stuck_at from tiles union select stuck_given_up_at from tiles
union select given_up_at from tiles
union select stale_at from wall_branches
"""


@pytest.mark.asyncio
async def test_the_etag_changes_exactly_when_the_content_does(
    db: Database, db_path: Path
) -> None:
    save_wall(db, 60, kinds=(*LOUD, *QUIET, *UNTESTED))
    found = [
        at for (text,) in db.execute(INSTANTS) if (at := parse_instant(text or ""))
    ]
    steps = sorted(
        {
            max(NOW, at + timedelta(seconds=seconds))
            for at in found
            for seconds in (-1, 0)
        }
    )
    assert len(steps) > 10
    seen: dict[str, dict[str, bytes]] = {query: {} for query in QUERIES}
    async with serving(db_path) as datasette:
        for is_fresh in (False, True):
            for now in steps:
                set_clock(db, now)
                if is_fresh:
                    for feed in feeds.watched(db):
                        feeds.save_checked(db, feed, now)
                for query, contents in seen.items():
                    wall = await datasette.client.get(f"/api/wall{query}")
                    etag = wall.headers["etag"].removeprefix("W/")
                    config = await get_json(datasette, f"/api/config{query}")

                    assert config["wall_etag"] == etag
                    assert contents.setdefault(etag, wall.content) == wall.content
    for contents in seen.values():
        assert len(set(contents.values())) == len(contents)
    assert len(seen[""]) > 5
