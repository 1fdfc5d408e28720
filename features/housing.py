"""Housing: the homes and indices of all orders of a ledger, made column by column, in the order of their keys."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.background import order_rows
from features.digests import big, digests, joined, ranked
from features.homes import NAMED, OF_THEMSELVES, ORDER, PLACES, Fact, facts_in, homed, packed
from features.indices import MEETING, OF_BUYER, judged, of_seller, told_of
from features.kernel import Int
from features.keys import Entry
from features.ledger import Facts, Ledger
from features.tables import Column
from features.varints import Bytes

_SOME: Final = 1 << 17
"""Orders whose facts are written at a time."""
_TEXT: Final = pa.large_string()
_ODD: Final = r'[\x00-\x1f"\\]'
"""What JSON does not say as it is."""


@dataclass(frozen=True)
class Housing:
    """The facts of a ledger by order; `arrivals` says which number the first of each table has."""

    ledger: Ledger
    arrivals: Mapping[str, int]

    @cached_property
    def names(self) -> Bytes:
        """The digest of each order (orders, 16)."""
        return digests(self.ledger.facts["orders"].strings("order_id"))

    @cached_property
    def ranks(self) -> Int:
        """The place of each order by its digest."""
        return ranked(self.names)[1]

    @cached_property
    def _rows(self) -> Mapping[str, Int]:
        """The order that each fact concerns, of the tables whose rows live with an order."""
        return {n: order_rows(self.ledger, n) for n in self.ledger.facts if n == "orders" or n not in OF_THEMSELVES}

    def homes(self) -> Iterator[Entry]:
        """The homes of all orders."""
        return self._written(np.argsort(self.ranks), [ORDER], self._rows, narrow=False)

    def buyers(self) -> Iterator[Entry]:
        """The orders of each buyer, with what his other orders depend on."""
        orders = self.ledger.facts["orders"]
        found = {name: rows for name, rows in self._rows.items() if name in MEETING}
        if "evidence" in self._rows:
            shown = self.ledger.facts["evidence"].codes("content_hash").codes >= 0
            found["evidence"] = np.where(shown, self._rows["evidence"], -1)
        which, whose = self._listed(orders, "buyer_id")
        return self._written(which, [OF_BUYER, whose, big(orders.at[which])], found, narrow=True)

    def listed(self, index: bytes, column: str) -> Iterator[Entry]:
        """The orders of each seller, or with each instrument."""
        orders = self.ledger.facts["orders"]
        which, whose = self._listed(orders, column)
        return ((key, b"") for key in joined(index, whose, big(orders.at[which]), self.names[which]))

    def others(self) -> Iterator[Entry]:
        """The homes of what is no order's, the indices of all but orders, and what is known of sellers, in no order."""
        alone = [one for name in self.ledger.facts if name != "orders" for one in self._alone(name)]
        homes = homed(alone)
        yield from ((where, packed(some)) for where, some in homes.items())
        lives = {one.arrival: where for where, some in homes.items() for one in some}
        sellers = self.ledger.facts["orders"].strings("seller_id")
        for name in [name for name in (*NAMED, "rulings", "report_rulings") if name in self.ledger.facts]:
            rows = self._rows[name]
            theirs = sellers.take(pa.array(rows, mask=rows < 0)).to_pylist()
            for fact, row, seller in zip(self._facts(name), rows.tolist(), theirs, strict=True):
                where = lives[fact.arrival] if row < 0 else ORDER + self.names[row].tobytes()
                yield from told_of(where, seller, fact)
        yield from ((of_seller(name), json.dumps(told).encode()) for name, told in self._guilt().items())

    def _facts(self, name: str) -> Iterator[Fact]:
        return facts_in(name, self.ledger.facts[name], self.arrivals[name])

    def _alone(self, name: str) -> Iterator[Fact]:
        """The facts of a table that live with no order."""
        if name in OF_THEMSELVES:
            return self._facts(name)
        rows = self._rows[name]
        return (
            (one for one, row in zip(self._facts(name), rows.tolist(), strict=True) if row < 0)
            if rows.size and rows.min() < 0
            else iter(())
        )

    def _guilt(self) -> dict[str, dict[str, list[int]]]:
        """When each seller was found guilty, and when faking."""
        found: dict[str, dict[str, list[int]]] = {}
        facts, sellers = self.ledger.facts, self.ledger.facts["orders"].strings("seller_id")
        about = {
            name: sellers.take(pa.array(rows, mask=rows < 0)).to_pylist()
            for name, rows in self._rows.items()
            if name in ("rulings", "blocks")
        }
        blocks = [*self._facts("blocks")] if "blocks" in facts else []
        ended = facts["releases"].points["blocks"].tolist() if "releases" in facts else []
        for fact, seller in zip(
            self._facts("rulings") if "rulings" in facts else (), about.get("rulings", ()), strict=True
        ):
            _add(found, judged(fact, None, seller))
        for fact, row in zip(self._facts("releases") if ended else (), ended, strict=True):
            _add(found, judged(fact, blocks[row], about["blocks"][row]))
        return {seller: {column: sorted(set(at)) for column, at in of.items()} for seller, of in found.items()}

    def _listed(self, orders: Facts, column: str) -> tuple[Int, Bytes]:
        """Orders that have a column, in the order of its digest, of time and of their own, and the digest of each."""
        coded = orders.codes(column)
        names = digests(coded.values)
        which = np.flatnonzero(coded.codes >= 0)
        codes = coded.codes[which]
        which = which[np.lexsort((self.ranks[which], orders.at[which], ranked(names)[1][codes]))]
        return which, names[coded.codes[which]]

    def _written(
        self, which: Int, begins: Sequence[Bytes | bytes], rows: Mapping[str, Int], *, narrow: bool
    ) -> Iterator[Entry]:
        """Entries of orders in their order, some at a time: what each key begins with before its order, and the facts."""
        place = np.full(self.ranks.size + 1, self.ranks.size, np.int64)
        place[which] = np.arange(which.size)
        of = {name: place[of_order] for name, of_order in rows.items()}
        sorts = {name: np.argsort(one, kind="stable") for name, one in of.items()}
        for lo in range(0, which.size, _SOME):
            hi = min(lo + _SOME, which.size)
            begin = [part if isinstance(part, bytes) else part[lo:hi] for part in begins]
            keys = joined(*begin, self.names[which[lo:hi]])
            yield from zip(keys, self._values(of, sorts, lo, hi, narrow), strict=True)

    def _values(
        self, of: Mapping[str, Int], sorts: Mapping[str, Int], lo: int, hi: int, narrow: bool
    ) -> Iterator[bytes]:
        """The packed facts of the orders at the places lo:hi."""
        texts, places = [], []
        for name, sort in sorts.items():
            a, b = np.searchsorted(of[name], (lo, hi), sorter=sort)
            some = np.sort(sort[a:b])
            texts.append(said(self.ledger.facts[name], some, self.arrivals[name], narrow=narrow and name == "orders"))
            places.append(of[name][some])
        whose = np.concatenate(places)
        sort = np.argsort(whose, kind="stable")
        bounds = np.searchsorted(whose[sort], np.arange(lo, hi + 1))
        told = pa.concat_arrays(texts).take(pa.array(sort))
        ends = np.frombuffer(told.buffers()[1], np.int64)[told.offset :][bounds].tolist()
        data = memoryview(told.buffers()[2] or b"")
        return (b"[" + bytes(data[i : j - 1]) + b"]" for i, j in pairwise(ends))


def _add(found: dict[str, dict[str, list[int]]], guilt: Iterable[tuple[str, str, int]]) -> None:
    for column, seller, at in guilt:
        found.setdefault(seller, {"guilty": [], "faking": []})[column].append(at)


def said(facts: Facts, rows: Int, begin: int, *, narrow: bool = False) -> pa.Array:
    """Rows of a table as they are packed, each with a comma; `narrow` are those without all but ids and their moment."""
    at, none = _numbers(facts.at[rows]), pa.scalar("null", _TEXT)
    parts = [pa.scalar(str(PLACES[facts.table.name]), _TEXT), _numbers(rows + begin), at]
    for column in facts.table.columns:
        kept = not narrow or column.name.endswith("_id")
        parts.append(at if column.name == "at" else _json(facts, column, rows) if kept else none)
    row = pc.binary_join_element_wise(*parts, pa.scalar(",", _TEXT))
    return pc.binary_join_element_wise(pa.scalar("[", _TEXT), row, pa.scalar("],", _TEXT), pa.scalar("", _TEXT))


def _json(facts: Facts, column: Column, rows: Int) -> pa.Array:
    """Values of a column as JSON says them."""
    if column.kind in ("id", "text"):
        coded = facts.codes(column.name)
        codes = coded.codes[rows]
        return _texts(coded.values.take(pa.array(codes, mask=codes < 0)))
    if column.kind == "share":
        return pa.array(map(json.dumps, facts.column(column.name).take(pa.array(rows)).to_pylist()), _TEXT)
    values, known = facts.numbers(column.name)
    found = values[rows] != 0 if column.kind == "flag" else values[rows]
    return pa.array(found, mask=~known[rows]).cast(_TEXT).fill_null("null")


def _texts(found: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(found, _ODD)).as_py():
        return pa.array([json.dumps(text, ensure_ascii=False) for text in found.to_pylist()], _TEXT)
    quote = pa.scalar('"', _TEXT)
    told = pc.binary_join_element_wise(quote, found.cast(_TEXT), quote, pa.scalar("", _TEXT))
    return told.fill_null("null")


def _numbers(values: Int) -> pa.Array:
    return pa.array(values).cast(_TEXT)
