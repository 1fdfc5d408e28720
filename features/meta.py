"""Meta: what a store says of itself, and the tables and columns that it lacks, as nothing was ever said of them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import pyarrow as pa

from features.errors import RedressError
from features.homes import COLUMNS, Fact
from features.keys import Snapshot
from features.ledger import Ledger
from features.placing import Placed
from features.tables import TABLES

FORMAT: Final = 2
MARK: Final = b"m"
"""The key of what a store says of itself, which is another once facts have come or a buyer was erased."""


@dataclass(frozen=True)
class Meta:
    """What a store says of itself: its name, the horizon in microseconds, what it knows until when, and how many facts came.

    It `lacks` tables, and columns as `table.column`, of which nothing was ever said; what they would tell is unknown. `key` is
    the mark of the key that ids of persons are hashed by, and empty where they are as they came;
    `erasures` is how many buyers were erased.
    """

    name: str
    horizon: int
    watermark: int = 0
    arrivals: int = 0
    lacks: tuple[str, ...] = ()
    format: int = FORMAT
    key: str = ""
    erasures: int = 0

    def packed(self) -> bytes:
        """As bytes."""
        return json.dumps(vars(self)).encode()


def meta_of(snapshot: Snapshot, where: str) -> Meta:
    """What the store of a snapshot says of itself; raises what `read` raises."""
    return read(snapshot.many([MARK])[0], where)


@lru_cache(maxsize=8)
def read(kept: bytes | None, where: str) -> Meta:
    """What a store says of itself under MARK; RedressError for none, and for an older one's."""
    if kept is None:
        raise RedressError(f"{where}: want a store, got something else; load a ledger into it")
    told = json.loads(kept)
    if told.get("format") != FORMAT:
        raise RedressError(
            f"{where}: want a store of format {FORMAT}, got {told.get('format')}; export it with the version that wrote it"
        )
    return Meta(**told | {"lacks": tuple(told["lacks"])})


def lacks_of(found: Ledger) -> tuple[str, ...]:
    """The tables that a ledger lacks, and the columns that its tables may have and do not."""
    tables = (name for name in TABLES if name not in found.facts)
    columns = (
        f"{name}.{column.name}"
        for name, table in TABLES.items()
        for column in table.columns
        if name not in found.facts or not found.facts[name].has(column.name)
    )
    return tuple(sorted({*tables, *columns}))


def lacking(names: Iterable[str], came: Placed) -> tuple[str, ...]:
    """Those of tables, and columns as `table.column`, of which new facts say nothing either."""
    new: dict[str, list[Fact]] = {}
    for one in (one for some in came.new.values() for one in some):
        new.setdefault(one.table, []).append(one)
    return tuple(name for name in names if not _said(name, new))


def _said(name: str, facts: Mapping[str, Sequence[Fact]]) -> bool:
    table, _, column = name.partition(".")
    place = COLUMNS[table].get(column)
    return any(place is None or one.values[place] is not None for one in facts.get(table, ()))


def without(rows: pa.Table, name: str, lacks: Collection[str]) -> pa.Table:
    """The columns of a table that it does not lack, and those that it may not lack, as of no type."""
    for i, column in enumerate(TABLES[name].columns):
        if column.required and f"{name}.{column.name}" in lacks:
            rows = rows.set_column(i, column.name, pa.nulls(rows.num_rows))
    kept = {one.name for one in TABLES[name].columns if one.required or f"{name}.{one.name}" not in lacks}
    return rows.select([column for column in rows.column_names if column in kept])
