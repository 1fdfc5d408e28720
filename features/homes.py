"""Homes: where a store keeps the facts of each order, buyer, seller and product, and the ledger that some homes make."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa

from features.columns import ARROW
from features.ledger import Facts, Ledger
from features.lines import ARRIVAL, parted, read
from features.tables import CASES, TABLES

NAMES: Final = tuple(TABLES)
"""Tables by their place, which is how stored facts name them."""
PLACES: Final = {name: place for place, name in enumerate(NAMES)}
COLUMNS: Final = {name: {c.name: i for i, c in enumerate(table.columns)} for name, table in TABLES.items()}
"""The place of each column of each table."""
AT: Final = {name: columns["at"] for name, columns in COLUMNS.items()}
"""The place of its moment in each."""
OF_THEMSELVES: Final[Mapping[str, tuple[str, str]]] = {
    "orders": ("order", "order_id"),
    "buyers": ("buyer", "buyer_id"),
    "tiers": ("buyer", "buyer_id"),
    "sellers": ("seller", "seller_id"),
    "listings": ("product", "product_id"),
}
"""The kind of home of a table's rows, and the column that names it; rows of the others live where what they point to does."""
KINDS: Final = ("order", "buyer", "seller", "product")
WIDTH: Final = 16
"""Bytes of a digest."""
NAMED: Final = ("disputes", "chargebacks", "reports", "blocks", "evidence", "messages", "decisions")
"""Tables whose rows have an id of their own, by which they are found."""
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
FEWEST: Final = 1000
"""Homes that are read as lines at least."""

Value = str | int | float | bool | None
_NAME: Final[Mapping[Value, str]] = dict(enumerate(NAMES))


@dataclass(frozen=True)
class Fact:
    """A fact as a store keeps it: its table, its place in the order of arrival, its columns, and its `at` as submitted."""

    table: str
    arrival: int
    values: tuple[Value, ...]
    submitted: int

    def __getitem__(self, column: str) -> Value:
        return self.values[COLUMNS[self.table][column]]

    @property
    def at(self) -> int:
        """When the platform learnt it."""
        at = self.values[AT[self.table]]
        assert isinstance(at, int)
        return at

    @property
    def key(self) -> tuple[Value, ...] | None:
        """Its key as submitted, None where a part of it is unknown."""
        found = tuple(self.submitted if name == "at" else self[name] for name in TABLES[self.table].key)
        return None if None in found else found

    def text(self, column: str) -> str | None:
        """An id or a word."""
        found = self[column]
        return None if found is None else str(found)


def digest(name: str) -> bytes:
    """Sixteen bytes for an id of any length."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=WIDTH).digest()


def home(kind: str, name: str) -> bytes:
    """The key of a home."""
    return b"f" + bytes([KINDS.index(kind)]) + digest(name)


ORDER: Final = home("order", "")[:2]
"""What the keys of the homes of orders begin with."""


def order_among(facts: Iterable[Fact]) -> Fact | None:
    """The order among the facts of a home, None where only others have come."""
    return next((one for one in facts if one.table == "orders"), None)


def named(table: str, name: str) -> bytes:
    """The key under which is kept in which home a row with an id of its own lives."""
    return b"i" + bytes([PLACES[table]]) + digest(name)


def case_tables(kind: str | None) -> tuple[str, ...]:
    """The tables that a case of a kind, or of none that is told, may be a row of."""
    return tuple(CASES.values()) if kind is None else (CASES[kind],)


def homed(facts: Iterable[Fact]) -> dict[bytes, list[Fact]]:
    """Good facts of a ledger by home, those that others point to before these."""
    found: dict[bytes, list[Fact]] = {}
    lives: dict[tuple[str, str], bytes] = {}
    for one in facts:
        where = _living(one, lives)
        found.setdefault(where, []).append(one)
        key = one.text(TABLES[one.table].key[0])
        if one.table in NAMED and key is not None:
            lives[one.table, key] = where
    return found


def _living(one: Fact, lives: Mapping[tuple[str, str], bytes]) -> bytes:
    if one.table in OF_THEMSELVES:
        kind, column = OF_THEMSELVES[one.table]
        return home(kind, str(one[column]))
    for column, target in TABLES[one.table].references:
        name = one.text(column)
        if name is not None:
            kinds = case_tables(one.text("case_kind")) if target == "case_kind" else (target,)
            met = [lives[table, name] for table in kinds if (table, name) in lives]
            return met[0] if met else home("order", name)
    seller = one.text("seller_id") if "seller_id" in COLUMNS[one.table] else None
    return home("seller", seller or "")


def packed(facts: Iterable[Fact]) -> bytes:
    """Facts as bytes, in the order of arrival."""
    return _JSON.encode([*map(_row, facts)]).encode()


def unpacked(kept: bytes | None) -> list[Fact]:
    """What `packed` packed.

    >>> one = Fact("buyers", 0, ("b", 5, None, None), 5)
    >>> unpacked(packed([one])) == [one], unpacked(None)
    (True, [])
    """
    rows = [] if kept is None else json.loads(kept)
    return [Fact(NAMES[row[0]], row[1], tuple(row[3:]), row[2]) for row in rows]


Row = Sequence[Value]
"""A fact as it is packed: the place of its table, its arrival, its `at` as submitted, and its columns."""


def _rows(kept: Iterable[bytes]) -> list[Row]:
    """What several homes hold as rows, which costs less than facts."""
    found: list[list[Row]] = json.loads(b"[" + b",".join(kept) + b"]")
    return [*chain.from_iterable(found)]


def ledger(facts: Iterable[Fact], lacks: Collection[str] = ()) -> Ledger:
    """The ledger of some facts, whose rows of one moment are in the order of arrival, without the tables that it `lacks`."""
    return Ledger.trusted(tables(facts), lacks)


def ledgers(
    facts: Iterable[Fact], others: Sequence[bytes], begin: int, *, fewest: int = FEWEST
) -> tuple[Ledger, Ledger]:
    """The ledger of some facts and of other homes, as packed, without those that arrived from `begin` on, and with them.

    The others are read as lines if they are no less than the `fewest` for which that is faster.
    """
    lines, rest = parted(others, PLACES["orders"]) if len(others) >= fewest else ([], others)
    found = {name: _arrived(name, some) for name, some in _by_table([*map(_row, facts), *_rows(rest)]).items()}
    if lines:
        some = [found["orders"]] if "orders" in found else []
        found["orders"] = pa.concat_tables([*some, read(TABLES["orders"], lines)]).combine_chunks()
    before, after = dict[str, pa.Table](), dict[str, pa.Table]()
    for name, came in found.items():
        rows = _in_order(came)
        old = rows.column(ARRIVAL).to_numpy() < begin
        after[name] = rows.drop_columns(ARRIVAL)
        if old.any():
            before[name] = after[name] if old.all() else after[name].filter(pa.array(old))
    return Ledger.trusted(before), Ledger.trusted(after)


def tables(facts: Iterable[Fact]) -> dict[str, pa.Table]:
    """The same as tables, each in the order of time and of arrival."""
    found = _by_table(map(_row, facts))
    return {name: _in_order(_arrived(name, some)).drop_columns(ARRIVAL) for name, some in found.items()}


def whole(facts: Iterable[Fact]) -> dict[str, pa.Table]:
    """The same, with those that have no rows."""
    found = tables(facts)
    return {name: found.get(name, _columns(name, ((),) * len(TABLES[name].columns))) for name in NAMES}


def _row(one: Fact) -> Row:
    return (PLACES[one.table], one.arrival, one.submitted, *one.values)


def _by_table(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[Value, list[Row]] = {}
    for one in rows:
        found.setdefault(one[0], []).append(one)
    return {_NAME[place]: some for place, some in found.items()}


def _arrived(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as a table with when each arrived, read as they lie in memory."""
    _, arrivals, _, *values = zip(*rows, strict=True)
    return _columns(name, values).append_column(ARRIVAL, pa.array(arrivals, pa.int64()))


def _in_order(found: pa.Table) -> pa.Table:
    """A table in the order of time and of arrival."""
    keys = [found.column(name).cast(pa.int64()).to_numpy() for name in (ARRIVAL, "at")]
    return found.take(pa.array(np.lexsort(keys)))


def _columns(name: str, values: Sequence[Sequence[Value]]) -> pa.Table:
    columns = zip(TABLES[name].columns, values, strict=True)
    return pa.table({column.name: pa.array(values, ARROW[column.kind]) for column, values in columns})


def facts_of(found: Ledger, begin: int = 0) -> Iterator[Fact]:
    """The good facts of a ledger, table by table, whose arrival is counted from `begin`."""
    for name, of in found.facts.items():
        yield from facts_in(name, of, begin)
        begin += len(of)


def facts_in(name: str, of: Facts, begin: int) -> Iterator[Fact]:
    """The facts of a table, whose arrival is counted from `begin`."""
    lists = [_plain(of.column(column.name)) for column in TABLES[name].columns]
    for arrival, values in enumerate(zip(*lists, strict=True), begin):
        at = values[AT[name]]
        assert isinstance(at, int)
        yield Fact(name, arrival, values, at)


def _plain(found: pa.ChunkedArray) -> list[Value]:
    plain: list[Value] = (found.cast(pa.int64()) if pa.types.is_timestamp(found.type) else found).to_pylist()
    return plain
