"""Given: a case from a store, the facts that it is made of, and operands of the case itself, one number for each."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from typing import Final

from features import shared
from features.asking import ASKED
from features.credit import Prior
from features.entries import Layout
from features.errors import RedressError
from features.homes import COLUMNS, Fact, home, named, unpacked
from features.keys import Snapshot
from features.members import CASE, pair
from features.operand import Operand, operand
from features.requests import short
from features.tables import TABLES
from features.words import WORDS

NOWHERE: Final = Fact("orders", -1, (None,) * len(COLUMNS["orders"]), 0)
"""The order of a case of which it is not known: nothing is known of it."""
Given = Callable[[Snapshot, "Case", Prior], float]
"""Finds an operand of a case."""


@dataclass(frozen=True)
class Case:
    """A row asked about at a moment, in microseconds since 1970, with the facts of its order and of whom that names."""

    asked: str
    ask_id: str
    at: int
    row: Fact
    order: Fact
    facts: tuple[Fact, ...]
    others: Mapping[str, tuple[Fact, ...]]
    beside: tuple[bytes | None, ...] = ()
    _kept: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def once(self, name: str, find: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
        """Measures that are found together, when the first of them is asked for."""
        if name not in self._kept:
            self._kept[name] = find()
        return self._kept[name]

    def known(self, table: str) -> list[Fact]:
        """The facts of a table about the order that were learnt before, in the order of time."""
        return sorted(
            (one for one in self.facts if one.table == table and one.at < self.at),
            key=lambda one: (one.at, one.arrival),
        )

    @cached_property
    def listing(self) -> tuple[Fact, int] | None:
        """The version of the page that the order was placed on, and which it was."""
        rows = [one for one in self.others["product"] if one.table == "listings" and one.at <= self.order.at]
        rows.sort(key=lambda one: (one.at, one.arrival))
        return (rows[-1], sum(one.at <= rows[-1].at for one in rows)) if rows else None

    @cached_property
    def shipped(self) -> Fact | None:
        """The order's first shipment, if it was declared before."""
        return next(iter(self.known("shipments")), None)

    @cached_property
    def seller(self) -> Fact | None:
        """The registration of the order's seller, if it was known before the order."""
        return next((one for one in self.others["seller"] if one.table == "sellers" and one.at < self.order.at), None)


Namer = Callable[[Case], str | None]
"""Names the entity whose history of one kind a case has, None where it is not known."""


def namer(layout: Layout) -> Namer:
    """How the entity is named whose history of one kind a case has."""
    columns = layout.entity.columns
    if columns == CASE:
        return (lambda case: case.order.text("order_id")) if layout.asked == "orders" else (lambda case: case.ask_id)
    found = [_namer(*column.split(".")) for column in columns]
    if len(found) < 2:
        return found[0] if found else (lambda case: "")
    return lambda case: _pair(found[0](case), found[1](case))


def _namer(table: str, column: str) -> Namer:
    if table == "orders":
        return lambda case: case.order.text(column)
    if table == "shipments":
        return lambda case: _word(case.shipped, column)
    if table == "listings":
        return lambda case: None if case.listing is None else case.listing[0].text(column)
    return lambda case: _word(case.seller, column)


def _pair(one: str | None, other: str | None) -> str | None:
    return None if one is None or other is None else pair(one, other)


def found(snapshot: Snapshot, question: str, ask_id: str, at: int, beside: Sequence[bytes] = ()) -> Case:
    """A case of a store; RedressError where the store does not know the row asked about, or not by then.

    What stands under keys `beside` is read in the same round trip as its place.
    """
    asked = ASKED[question]
    of_order = asked == "orders"
    first, *read = snapshot.many([home("order", ask_id) if of_order else named(asked, ask_id), *beside])
    facts = unpacked(first if of_order or first is None else snapshot.many([first])[0])
    key = TABLES[asked].key[0]
    row = next((one for one in facts if one.table == asked and one[key] == ask_id), None)
    if row is None:
        raise RedressError(
            f"case.ask_id: want one of {asked}, got {short(ask_id)}, of which nothing is known; send it first"
        )
    if at < row.at:
        raise RedressError(
            f"case.at: want a time no earlier than the row asked about, got one before {short(ask_id)} was known"
        )
    order = next((one for one in facts if one.table == "orders"), NOWHERE)
    if order is NOWHERE:
        facts = [one for one in facts if _about(one, key, ask_id)]
    kinds = {kind: order.text(f"{kind}_id") for kind in ("product", "seller", "buyer")}
    told = {kind: name for kind, name in kinds.items() if name is not None}
    kept = snapshot.many([home(kind, name) for kind, name in told.items()])
    others = dict.fromkeys(kinds, ()) | {kind: tuple(unpacked(one)) for kind, one in zip(told, kept, strict=True)}
    return Case(asked, ask_id, at, row, order, tuple(facts), others, tuple(read))


def _about(fact: Fact, key: str, ask_id: str) -> bool:
    """Whether a fact names the row asked about, by its `key` or as its case."""
    names = (fact.text(column) for column in (key, "case_id") if column in COLUMNS[fact.table])
    return ask_id in names


def giver(text: str) -> Given:
    """How an operand of the case itself is found, NaN where it is unknown."""
    one = operand(text)
    if one.source == "credit":
        kind, _, of = one.measure.partition("_")
        return lambda snapshot, case, prior: float(getattr(getattr(prior, kind), of))
    if one.source == "content":
        return lambda snapshot, case, prior: case.once("content", lambda: shared.content(snapshot, case))[one.measure]
    if one.source == "priors":
        return lambda snapshot, case, prior: case.once("priors", lambda: shared.earlier(snapshot, case))[one.measure]
    find = _plain(one)
    return lambda snapshot, case, prior: find(case)


def _plain(one: Operand) -> Callable[[Case], float]:
    """How an operand is found in the rows of the case."""
    source, column = one.source, one.measure
    if source == "asking":
        return lambda case: float(case.at)
    if one.op == "":
        if (source, column) == ("listing", "version"):
            return lambda case: nan if case.listing is None else float(case.listing[1])
        return lambda case: _number(_row(case, source), column)
    if one.other == ("*",):
        return lambda case: nan if (row := _row(case, source)) is None else float(row[column] is not None)
    if one.op == "!=":
        other, _, theirs = one.other[0].partition(".")
        return lambda case: _unlike(_word(_row(case, source), column), _word(_row(case, other), theirs))
    if one.op == "~":
        looks = re.compile(WORDS[one.other[0]], re.IGNORECASE)
        return lambda case: (
            nan if (word := _word(_row(case, source), column)) is None else float(bool(looks.search(word)))
        )
    return lambda case: nan if (word := _word(_row(case, source), column)) is None else float(word in one.other)


def _row(case: Case, source: str) -> Fact | None:
    if source == "order":
        return case.order
    if source == "listing":
        return None if case.listing is None else case.listing[0]
    return case.row


def _number(row: Fact | None, column: str) -> float:
    found = None if row is None else row[column]
    return nan if found is None else float(found)


def _word(row: Fact | None, column: str) -> str | None:
    return None if row is None else row.text(column)


def _unlike(one: str | None, other: str | None) -> float:
    return nan if one is None or other is None else float(one != other)
