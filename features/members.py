"""Members: whose history each order belongs to, and from when that is known."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.background import NOT_YET, Background, first_at
from features.columns import Codes
from features.kernel import Code, Int
from features.signal import Entity
from features.stream import Stream

CASE: "tuple[str, ...]" = ("asked",)
"""The column of an entity that is the asked row itself."""


@dataclass(frozen=True)
class Members:
    """Which entity each order belongs to: `codes` (orders + 1,), -1 for nobody, and from when that is known.

    `names` are told when they are asked for: of each code one string, of a pair both in one.
    """

    codes: Code
    groups: int
    since: Int | None = None
    names: Callable[[], pa.Array] = field(default=lambda: pa.array([], pa.large_string()), compare=False)

    def at(self, order: Int, t: Int) -> Code:
        """Codes of orders as known before `t`; an order's own columns are known with it."""
        codes = self.codes[order]
        return codes if self.since is None else np.where(self.since[order] < t, codes, np.int32(-1))

    def entered(self, stream: Stream) -> tuple[Int, Int | None]:
        """When facts enter a history, which is once it is known whose they are, and their order by that if it is another."""
        if self.since is None:
            return stream.at, None
        at = np.maximum(stream.at, self.since[stream.order])
        sort = np.argsort(at, kind="stable")
        return at[sort], sort


def members(bg: Background, entity: Entity) -> Members:
    """The members of an entity; to one without columns every order belongs."""
    if entity.columns == ("shipments.carrier",):
        return _carriers(bg)
    if entity.columns == ("orders.order_id",):
        codes = np.append(np.arange(bg.orders, dtype=np.int32), np.int32(-1))
        return Members(codes, bg.orders, names=lambda: bg.facts("orders").strings("order_id"))
    if not entity.columns:
        return Members(np.append(np.zeros(bg.orders, np.int32), np.int32(-1)), 1, names=lambda: pa.array([""]))
    columns = [_codes(bg, column) for column in entity.columns]
    if len(columns) > 1:
        return _paired(*columns)
    return Members(columns[0].codes, len(columns[0].values), names=lambda: columns[0].values)


def _codes(bg: Background, column: str) -> Codes:
    """A column as codes by order: the order's own, or that of the listing or the seller it was placed with."""
    table, _, name = column.partition(".")
    found = bg.facts(table).codes(name)
    if table == "orders":
        return Codes(np.append(found.codes, np.int32(-1)), found.values)
    row = {"listings": lambda: bg.listing, "sellers": lambda: bg.seller}[table]()
    return Codes(np.append(found.codes, np.int32(-1))[row], found.values)


def pair(one: str, other: str) -> str:
    """Two names as one that no other two have.

    >>> pair("ab", "c"), pair("a", "bc")
    ('2:abc', '1:abc')
    """
    return f"{len(one)}:{one}{other}"


def _paired(one: Codes, other: Codes) -> Members:
    both = (one.codes >= 0) & (other.codes >= 0)
    pairs = one.codes.astype(np.int64) * max(1, len(other.values)) + other.codes
    codes, values = pd.factorize(pairs)
    n = max(1, len(other.values))

    def names() -> pa.Array:
        bad = np.asarray((values < 0) | (len(other.values) == 0))
        first, second = (
            found.take(pa.array(place, mask=bad))
            for found, place in ((one.values, values // n), (other.values, values % n))
        )
        none, colon = (pa.scalar(text, pa.large_string()) for text in ("", ":"))
        length = pc.cast(pc.utf8_length(first), pa.large_string())
        first, second = first.cast(pa.large_string()), second.cast(pa.large_string())
        return pc.binary_join_element_wise(length, pc.binary_join_element_wise(first, second, none), colon)

    return Members(np.where(both, codes, -1).astype(np.int32), len(values), names=names)


def _carriers(bg: Background) -> Members:
    """The carrier of each order's first shipment, known from the moment that was declared."""
    shipments = bg.facts("shipments")
    found, order = shipments.codes("carrier"), shipments.points["orders"]
    codes = np.full(bg.orders + 1, -1, np.int32)
    codes[order[::-1]] = found.codes[::-1]
    codes[-1] = -1
    since = np.append(first_at(order, shipments.at, bg.orders), NOT_YET)
    return Members(codes, len(found.values), since, lambda: found.values)
