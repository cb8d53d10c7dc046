"""Links for the paths that queries return in a column `runs_path`.

Datasette itself only makes a link of a value with a scheme.
"""

from datasette import hookimpl
from datasette.app import Datasette
from markupsafe import Markup

from ci_observer.web.database import DATABASE


@hookimpl
def render_cell(value: object, column: str, datasette: Datasette) -> Markup | None:
    """A link "rows" to the counted rows; None leaves the cell to Datasette."""
    if column != "runs_path" or not isinstance(value, str):
        return None
    if not value.startswith(f"/{DATABASE}/"):
        return None
    return Markup('<a href="{}">rows</a>').format(datasette.urls.path(value))
