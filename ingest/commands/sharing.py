"""What web may read as another user than ingest; if too little, one user for both."""

import logging
import stat
from pathlib import Path
from typing import Any

from ci_observer.ingest.commands.users import Users, can_read, can_write, users
from ci_observer.ingest.config import database_group
from ci_observer.ingest.db.permissions import (
    make_temporary_folder,
    restrict,
    share_folder,
)

# Read by the launcher as ingest: the operator's secret file need not be web's.
INLINE = {"ACCESS_TOKEN_FILE": "ACCESS_TOKEN", "PEER_TOKENS_FILE": "PEER_TOKENS"}

log = logging.getLogger("ci_observer")


def usable_users(db_path: Path) -> Users:
    """The users to run ingest and web as, once web may read the database.

    If it may not, both run as ingest, with a warning that says what to do.
    """
    two, group = users(), database_group()
    if two.ingest is None or two.web is None:
        return two
    folder = db_path.absolute().parent
    if group is not None:
        share_folder(folder, group=group)
        restrict(db_path, group=group)
    if not can_read(two.web, db_path):
        log.warning(
            "Ingest and web run as one user, so a fault in web could reach the token: "
            "uid %d of web cannot read %s (mode %03o). Run chmod o+x on that folder.",
            two.web,
            folder,
            stat.S_IMODE(folder.stat().st_mode),
        )
        return Users(two.ingest, two.ingest)
    for path in (folder, db_path):
        if can_write(two.web, path):
            log.warning(
                "%s is writable for every user, so also for web. Run chmod o-w on it.",
                path,
            )
    return two


def environment_of_web(db_path: Path) -> dict[str, Any]:
    """The part of a `Launch` that only web needs as a user of its own."""
    group = database_group()
    if group is None:
        return {"inline": INLINE}
    folder = make_temporary_folder(db_path.absolute(), group=group)
    return {"inline": INLINE, "set": {"SQLITE_TMPDIR": str(folder)}}
