"""One declared column of a Parquet table as arrays: its type checked, its units kept, its unknowns marked."""

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


def fits(kind: Kind, found: pa.DataType) -> bool:
    """Whether a Parquet column of type `found` can hold values of `kind`; one without a type, wholly null, always can.

    >>> fits("cents", pa.int32()), fits("cents", pa.float64()), fits("time", pa.timestamp("us"))
    (True, False, False)
    """
    found = found.value_type if pa.types.is_dictionary(found) else found
    if pa.types.is_null(found):
        return True
    if kind == "time":
        return bool(pa.types.is_timestamp(found) and found.tz is not None)
    if kind in ("id", "text"):
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))
    if kind == "flag":
        return bool(pa.types.is_boolean(found))
    return bool(pa.types.is_floating(found) if kind == "share" else pa.types.is_integer(found))


def type_error(table: Table, column: Column, found: object) -> LedgerError:
    """The sentence for a column that cannot be used."""
    what = f"{found} without one" if str(found).startswith("timestamp") and "tz=" not in str(found) else found
    return LedgerError(f"{table.name}.{column.name}: want {WANT[column.kind]}, got {what}; {REMEDY[column.kind]}")


def read(table: Table, data: ds.Dataset, name: str) -> pa.ChunkedArray:
    """A declared column in its declared type, all null where the data do not have it."""
    column = table.column(name)
    if column is None:
        raise KeyError(f"{table.name}.{name} is not declared")
    if name not in data.schema.names:
        return pa.chunked_array([pa.nulls(data.count_rows(), ARROW[column.kind])])
    found = data.to_table(columns=[name], batch_readahead=2, fragment_readahead=1).column(0)
    try:
        return found.cast(ARROW[column.kind])
    except pa.ArrowInvalid as error:
        raise type_error(table, column, f"a value that does not fit ({str(error).splitlines()[0]})") from None


def encode(found: pa.ChunkedArray) -> Codes:
    """Strings as codes; null is -1."""
    coded = found.combine_chunks().dictionary_encode()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    return Codes(np.array(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int32), coded.dictionary)


def numbers(found: pa.ChunkedArray) -> tuple[Int, Flag]:
    """Numbers, times or flags as int64, 0 where unknown, and where they are known."""
    known = np.array(found.is_valid().to_numpy(), np.bool_) if found.null_count else np.ones(len(found), np.bool_)
    return np.array(found.cast(pa.int64()).fill_null(0).to_numpy(), np.int64), known
