"""What a table of the lake has of a database.

It is part of the table, as application transactions of Delta: the commit that writes
rows also says that they are there, and both survive the clean-up of the table's log.
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#transaction-identifiers
"""

from dataclasses import asdict, dataclass, fields

from deltalake import CommitProperties, DeltaTable, Transaction

from ci_observer.ingest.lake.tables import LakeTable

# Above every run id: the table has been filled.
ALL_RUNS = 2**63 - 1


@dataclass(frozen=True)
class Watermark:
    """The log of changes is merged up to `change_id`, whose entry has this `nonce`.

    If the table is not filled yet, it has the runs up to `filled_to`, and `change_id`
    is of the start of the filling. `revision` is that of the database.
    """

    change_id: int
    nonce: int
    revision: int
    filled_to: int = ALL_RUNS

    @property
    def is_filled(self) -> bool:
        """Whether all runs have been written once."""
        return self.filled_to == ALL_RUNS

    def transactions(self, table: LakeTable, database_id: str) -> list[Transaction]:
        """The application transactions of a commit that gets to this mark."""
        return [
            Transaction(_app_id(table, database_id, name), value)
            for name, value in asdict(self).items()
        ]


def read_watermark(
    table: LakeTable, lake: DeltaTable, database_id: str
) -> Watermark | None:
    """The mark of a database in a table; None if it has nothing of it yet."""
    found = {
        field.name: lake.transaction_version(_app_id(table, database_id, field.name))
        for field in fields(Watermark)
    }
    values = {name: value for name, value in found.items() if value is not None}
    return Watermark(**values) if len(values) == len(found) else None


def commit_alone(lake: DeltaTable, transactions: list[Transaction]) -> None:
    """Commit application transactions without a change of a row."""
    lake.create_write_transaction(
        [],
        mode="append",
        schema=lake.schema(),
        partition_by=list(lake.metadata().partition_columns),
        commit_properties=CommitProperties(app_transactions=transactions),
    )


def _app_id(table: LakeTable, database_id: str, name: str) -> str:
    """Differs if the columns do: a table with new columns is filled again."""
    return f"ci-observer {database_id} {table.columns_id} {name}"
