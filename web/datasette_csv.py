"""Datasette's CSV of tables and queries, with neutralised formulas.

Datasette has no hook for it. Its views call `csv.writer` in one module, whose name
`csv` therefore gets a writer that follows the setting of the request.
"""

import csv
from contextvars import ContextVar
from functools import wraps
from typing import Any

from datasette.app import Datasette
from datasette.utils.asgi import Request
from datasette.views import base

from ci_observer.csv_formulas import KEEP, neutralised_row
from ci_observer.web.guard import View
from ci_observer.web.settings import settings_of

# An argument without the underscore would be a filter of the table.
ARGUMENT = "_formulas"

# False for requests that no `with_csv_formulas` has seen.
_NEUTRALISES: ContextVar[bool] = ContextVar("neutralises", default=False)


def with_csv_formulas(view: View, datasette: Datasette) -> View:
    """The view, whose CSV follows `CSV_FORMULAS` and the argument of the request."""

    @wraps(view)
    async def chosen(request: Request, send: Any) -> Any:
        default = settings_of(datasette).csv_formulas
        formulas = request.args.get(ARGUMENT) or default
        _NEUTRALISES.set(formulas != KEEP)
        return await view(request, send)

    return chosen


class _CsvModule:
    """In place of the module `csv` in Datasette's views."""

    @staticmethod
    def writer(file: Any) -> Any:
        writer = csv.writer(file)
        return _NeutralisingWriter(writer) if _NEUTRALISES.get() else writer


class _NeutralisingWriter:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def writerow(self, row: Any) -> Any:
        return self._writer.writerow(neutralised_row(row))


base.csv = _CsvModule
