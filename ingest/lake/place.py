"""Where the lake is: a folder, or a prefix of a bucket on an S3 server."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from ci_observer.ingest.errors import LakeError
from ci_observer.ingest.lake.arrow import schema_of
from ci_observer.ingest.lake.tables import ALL_TABLES, REVISION, LakeTable

# Commits between two checkpoints: the most files of the log that a reader reads.
CONFIGURATION = {
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 7 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}


@dataclass
class Place:
    """The address below which each table has a folder.

    `folder` is None for one on an S3 server, of which `options` are those of the object
    store; they hold credentials.
    """

    uri: str
    folder: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    _tables: dict[str, DeltaTable] = field(default_factory=dict, repr=False)

    def table_uri(self, table: LakeTable) -> str:
        """The address of a table."""
        return f"{self.uri}/{table.name}"

    def forget_tables(self) -> None:
        """Open each table again: the lake may have been deleted and filled since."""
        self._tables.clear()

    def open(self, table: LakeTable) -> DeltaTable:
        """The newest version of a table, which is created if it is missing.

        Raises `LakeError` if it is not one of ours.
        """
        if known := self._tables.get(table.name):
            known.update_incremental()
            return known
        lake = self._open_or_create(table)
        _refuse_other_columns(table, lake, self.table_uri(table))
        _add_new_columns(table, lake)
        self._tables[table.name] = lake
        return lake

    def _open_or_create(self, table: LakeTable) -> DeltaTable:
        uri, options = self.table_uri(table), dict(self.options)
        try:
            return DeltaTable(uri, storage_options=options)
        except TableNotFoundError:
            self._refuse_other_files()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            return DeltaTable.create(
                uri,
                Schema.from_arrow(schema_of(table)),
                partition_by=table.partitions,
                name=table.name,
                configuration=CONFIGURATION,
                storage_options=options,
            )
        except (DeltaError, OSError) as error:
            # Another writer may have created it in the meantime.
            with suppress(TableNotFoundError):
                return DeltaTable(uri, storage_options=options)
            raise error from None

    def _refuse_other_files(self) -> None:
        """Raise `LakeError` if the folder has anything but the tables."""
        if self.folder is None or not self.folder.exists():
            return
        ours = {table.name for table in ALL_TABLES}
        others = sorted(path.name for path in self.folder.iterdir())
        if strange := [name for name in others if name not in ours]:
            raise LakeError(
                f"The folder {self.uri} holds other files, such as {strange[0]!r}."
                " Nothing was written. Give an empty or a new folder."
            )


def _refuse_other_columns(table: LakeTable, lake: DeltaTable, uri: str) -> None:
    """Raise `LakeError` for a table of a newer version or of another program."""
    found = [field.name for field in lake.schema().fields]
    missing = [name for name in (*table.key, REVISION) if name not in found]
    if missing or lake.metadata().partition_columns != table.partitions:
        raise LakeError(
            f"{uri} is a Delta table with another schema"
            f"{f' (it has no column {missing[0]!r})' if missing else ''}: it is not"
            " from CI Observer. Nothing was written. Give another address."
        )
    if unknown := [name for name in found if name not in table.columns]:
        raise LakeError(
            f"{uri} has the column {unknown[0]!r}, which this version of CI Observer"
            " does not know: a newer one has written it. Nothing was written. Update"
            " this program, or give another address."
        )


def _add_new_columns(table: LakeTable, lake: DeltaTable) -> None:
    """Add the columns that an older version did not have; their rows come later."""
    found = {field.name for field in lake.schema().fields}
    wanted = Schema.from_arrow(schema_of(table)).fields
    if missing := [field for field in wanted if field.name not in found]:
        lake.alter.add_columns(missing)
