"""Lines: packed facts of one table, read column by column without making an object of every value."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
from pyarrow import csv

from features.columns import ARROW
from features.tables import Table

ARRIVAL: Final = "arrival"
"""The column that says when facts arrived, beside those of their table."""


def parted(kept: Sequence[bytes], place: int) -> tuple[list[bytes], list[bytes]]:
    """Homes that hold one row, of the table at a place, and no character that JSON escapes, as lines; and the others.

    >>> parted([b'[[0,7,5,"o1",null]]', b'[[1,8,5,"o2",null]]', b"[]"], 0)
    ([b'0,7,5,"o1",null'], [b'[[1,8,5,"o2",null]]', b'[]'])
    """
    first, lines, others = b"[[%d," % place, list[bytes](), list[bytes]()
    for one in kept:
        if one.startswith(first) and b"],[" not in one and b"\\" not in one:
            lines.append(one[2:-2])
        else:
            others.append(one)
    return lines, others


def read(table: Table, lines: Sequence[bytes]) -> pa.Table:
    """Lines, of which there are some, as a table in their order, with when each arrived: JSON without escapes is CSV, too."""
    data = b"\n".join(lines)
    types = {c.name: pa.int64() if c.kind == "time" else ARROW[c.kind] for c in table.columns} | {ARRIVAL: pa.int64()}
    found = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(
            column_names=["", ARRIVAL, "submitted", *(c.name for c in table.columns)],
            use_threads=False,
            block_size=len(data) + 1,
        ),
        csv.ParseOptions(double_quote=False),
        csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=["null"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return found.cast(pa.schema([*((c.name, ARROW[c.kind]) for c in table.columns), (ARRIVAL, pa.int64())]))
