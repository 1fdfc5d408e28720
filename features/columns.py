"""The columns of a table as they came, in files or in memory, read in their declared types with unknowns marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from features.errors import LedgerError
from features.kernel import Code, Flag, Int
from features.tables import WANT, Column, Kind, Table

REMEDY: Final[dict[Kind, str]] = {
    "id": "cast it to string",
    "text": "cast it to string",
    "time": "attach the zone its clock ran in, for example AT TIME ZONE 'UTC'",
    "cents": "multiply by 100 and round",
    "grams": "convert to grams and round",
    "count": "round and cast to int64",
    "flag": "cast it to bool",
    "share": "cast it to double",
}
ARROW: Final[dict[Kind, pa.DataType]] = {
    "id": pa.large_string(),
    "text": pa.large_string(),
    "time": pa.timestamp("us", "UTC"),
    "cents": pa.int64(),
    "grams": pa.int64(),
    "count": pa.int64(),
    "flag": pa.bool_(),
    "share": pa.float64(),
}


@dataclass(frozen=True)
class Codes:
    """Ids or words as small integers: `codes` (n,) with -1 for unknown, and the string that each stands for."""

    codes: Code
    values: pa.Array


FAR: Final = 2**62
"""A time further away than this many microseconds is told as this: it is out of every range all the same."""
_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}


def fits(kind: Kind, found: pa.DataType) -> bool:
    """Whether a Parquet column of type `found` can hold values of `kind`.

    >>> fits("cents", pa.int32()), fits("cents", pa.float64()), fits("time", pa.timestamp("us"))
    (True, False, False)
    """
    found = found.value_type if pa.types.is_dictionary(found) else found
    if kind == "time":
        return bool(pa.types.is_timestamp(found) and found.tz is not None)
    if kind in ("id", "text"):
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))
    if kind == "flag":
        return bool(pa.types.is_boolean(found))
    return bool(pa.types.is_floating(found) if kind == "share" else pa.types.is_integer(found))


def type_error(table: Table, column: Column, found: object) -> LedgerError:
    """The sentence for a column that cannot be used."""
    naive = column.kind == "time" and str(found).startswith("timestamp")
    what = f"{found} without one" if naive else found
    return LedgerError(f"{table.name}.{column.name}: want {WANT[column.kind]}, got {what}; {REMEDY[column.kind]}")


class Source:
    """The rows of one table, file after file, before anything is judged.

    A column that a file does not have, or knows nothing in, is null there, whatever its type. Raises LedgerError for a
    column that is missing although it is required, comes twice, has a wrong type, or cannot be read.
    """

    def __init__(self, table: Table, parts: Sequence[ds.Dataset]) -> None:
        self.table, self.parts = table, list(parts)
        self.names = list(dict.fromkeys(name for part in parts for name in part.schema.names))
        for part in self.parts:
            self._judge(part)
        self.rows = sum(part.count_rows() for part in parts)

    def _judge(self, part: ds.Dataset) -> None:
        names = part.schema.names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise LedgerError(
                f"{self.table.name}.{twice}: want one column of that name, got {names.count(twice)}; keep one"
            )
        for column in self.table.columns:
            if column.name not in names:
                if column.required:
                    raise LedgerError(f"{self.table.name}: want a column {column.name}, got {', '.join(names)}; add it")
            elif not fits(column.kind, found := part.schema.field(column.name).type):
                came = self._read(part, column.name)
                if came.null_count < len(came):
                    raise type_error(self.table, column, found)

    def _read(self, part: ds.Dataset, name: str) -> pa.ChunkedArray:
        try:
            return part.to_table(columns=[name], batch_readahead=2, fragment_readahead=1).column(0)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable(name, error) from None

    def _unreadable(self, name: str, error: Exception) -> LedgerError:
        return LedgerError(f"{self.table.name}.{name}: want readable Parquet, got {_line(error)}; write it again")

    def typed(self, name: str) -> bool:
        """Whether a file has the column with a type, which one written without any value may lack."""
        schemas = [part.schema for part in self.parts if name in part.schema.names]
        return any(not pa.types.is_null(schema.field(name).type) for schema in schemas)

    def column(self, name: str) -> pa.ChunkedArray:
        """A declared column in its declared type."""
        column = _declared(self.table, name)
        found = [
            self._typed(column, self._read(part, name) if name in part.schema.names else None, part)
            for part in self.parts
        ]
        return pa.chunked_array([chunk for part in found for chunk in part.chunks], ARROW[column.kind])

    def batches(self, names: Sequence[str], size: int) -> Iterator[dict[str, pa.ChunkedArray]]:
        """Declared columns in their declared types, `size` rows at a time and less where a file ends."""
        columns = [_declared(self.table, name) for name in names]
        for part in self.parts:
            here = [name for name in names if name in part.schema.names]
            try:
                for batch in part.to_batches(columns=here, batch_size=size, batch_readahead=1, fragment_readahead=1):
                    came = {name: pa.chunked_array([batch.column(name)]) for name in here}
                    yield {c.name: self._typed(c, came.get(c.name), batch) for c in columns}
            except (pa.ArrowInvalid, OSError) as error:
                raise self._unreadable(here[0], error) from None

    def _typed(
        self, column: Column, found: pa.ChunkedArray | None, rows: ds.Dataset | pa.RecordBatch
    ) -> pa.ChunkedArray:
        if found is None or found.null_count == len(found):
            n = rows.num_rows if isinstance(rows, pa.RecordBatch) else rows.count_rows()
            return pa.chunked_array([pa.nulls(n, ARROW[column.kind])])
        found = found.cast(found.type.value_type) if pa.types.is_dictionary(found.type) else found
        try:
            return _instants(found) if column.kind == "time" else found.cast(ARROW[column.kind])
        except pa.ArrowInvalid as error:
            raise type_error(self.table, column, f"a value that does not fit ({_line(error)})") from None

    def take(self, rows: Int) -> pa.Table:
        """All columns of the given rows, those that no ledger has too."""
        columns = {n: self.column(n) if self.table.column(n) else self._strange(n) for n in self.names}
        return pa.table({name: found.take(pa.array(rows)) for name, found in columns.items()})

    def _strange(self, name: str) -> pa.ChunkedArray:
        """A column that no ledger has, as text where files disagree about its type."""
        parts = [part.to_table(columns=[name] if name in part.schema.names else []) for part in self.parts]
        try:
            found = pa.concat_tables(parts, promote_options="permissive").column(0)
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            texts = [part.cast(pa.schema([(name, pa.large_string())])) if part.num_columns else part for part in parts]
            found = pa.concat_tables(texts, promote_options="default").column(0)
        return found.cast(pa.large_string()) if pa.types.is_string_view(found.type) else found


class Held(Source):
    """Rows of one table in memory, whose columns are of the declared types."""

    def __init__(self, table: Table, rows: pa.Table) -> None:
        self.table, self.parts, self.names, self.rows = table, [], rows.column_names, rows.num_rows
        self._held = rows

    def typed(self, name: str) -> bool:
        """Whether the column is there."""
        return name in self.names

    def column(self, name: str) -> pa.ChunkedArray:
        """A declared column in its declared type."""
        if name in self.names:
            return self._held.column(name)
        return pa.chunked_array([pa.nulls(self.rows, ARROW[_declared(self.table, name).kind])])


def _declared(table: Table, name: str) -> Column:
    column = table.column(name)
    if column is None:
        raise KeyError(f"{table.name}.{name} is not declared")
    return column


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


def _instants(found: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times of any unit as microseconds in UTC: nanoseconds are cut, times too far away are told as FAR."""
    since = np.array(found.cast(pa.int64()).fill_null(0).to_numpy(), np.int64)
    if found.type.unit == "ns":
        since //= 1000
    else:
        scale = _MICROSECONDS[found.type.unit]
        since = np.clip(since, -FAR // scale, FAR // scale) * scale
    nulls = np.array(found.is_null().to_numpy(), np.bool_) if found.null_count else None
    return pa.chunked_array([pa.array(since, pa.int64(), mask=nulls).cast(ARROW["time"])])


def encode(found: pa.ChunkedArray) -> Codes:
    """Strings as codes; null is -1."""
    coded = found.combine_chunks().dictionary_encode()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    return Codes(np.array(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int32), coded.dictionary)


def numbers(found: pa.ChunkedArray) -> tuple[Int, Flag]:
    """Numbers, times or flags as int64, 0 where unknown, and where they are known."""
    known = np.array(found.is_valid().to_numpy(), np.bool_) if found.null_count else np.ones(len(found), np.bool_)
    return np.array(found.cast(pa.int64()).fill_null(0).to_numpy(), np.int64), known
