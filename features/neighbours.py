"""Neighbours: the facts beside which new ones must be seen, so that the rows they make are those of the whole ledger.

What facts add to histories is found by the code of the batch, over a ledger of few facts: all of the orders that are
touched, and of others as much as these depend on: whom their buyers had met, who else had shown their evidence, which of
their seller's reports had been judged, when he registered. When a seller's guilt became known is told beside the ledger.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from features.elsewhere import Elsewhere
from features.homes import ORDER, Fact, home, order_among, unpacked
from features.indices import (
    JUDGED,
    OF_BUYER,
    OF_SELLER,
    REPORTED,
    guilt,
    listed,
    meets,
    of_seller,
    order_in,
    orders_under,
    shown,
)
from features.keys import Snapshot, end
from features.placing import Placed

_BESIDE: Final = ("orders", "disputes", "chargebacks")
"""Of an order that others depend on: what its evidence and reports point to."""


@dataclass
class Neighbours:
    """New facts and those around them, other orders they depend on, packed, and what is known of sellers, before and after."""

    facts: list[Fact] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    before: Elsewhere = field(default_factory=Elsewhere)
    after: Elsewhere = field(default_factory=Elsewhere)
    sellers: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)


TOGETHER: Final = 4096
"""Orders about which something is taken back at a time."""
Decided = Callable[[Iterable[bytes]], Iterable[tuple[bytes, Fact]]]
"""The decisions about the orders of homes."""


def neighbours(snapshot: Snapshot, came: Placed, decided: Decided) -> Iterator[Neighbours]:
    """What is beside new facts in a store; then, some at a time, the other orders about which a seller's guilt takes back."""
    guilty = [one for where, new in came.new.items() for one in guilt(came.facts(where), new)]
    known = _sellers(snapshot, {seller for _, seller, _ in guilty})
    homes = dict(came.old)
    beside, wanted = _beside(snapshot, came, homes), _wanted(snapshot, homes, came)
    excused = _excused(snapshot, guilty, known) - homes.keys()
    here = excused & (beside.keys() | wanted)
    _read(snapshot, here, homes)
    sellers = _names({*homes, *came.new}, homes, came, "seller_id")
    known |= _sellers(snapshot, sellers - known.keys())
    facts = [*_whole(homes, came, decided), *_others(snapshot, homes, came, sellers, wanted, beside)]
    told = {seller: {column: list(at) for column, at in of.items()} for seller, of in known.items()}
    for column, seller, at in guilty:
        told[seller][column] = sorted({*told[seller][column], at})
    before, after = _elsewhere(known), _elsewhere(told)
    left = [kept for where, kept in beside.items() if where not in homes]
    yield Neighbours(facts, left, before, after, {seller: told[seller] for _, seller, _ in guilty})
    rest = iter(sorted(excused - here))
    while some := list(islice(rest, TOGETHER)):
        theirs = dict(zip(some, map(unpacked, snapshot.many(some)), strict=True))
        yield Neighbours(_whole(theirs, Placed(), decided), [], before, after)


def _whole(homes: Mapping[bytes, Sequence[Fact]], came: Placed, decided: Decided) -> list[Fact]:
    """All facts of orders with what was decided about them, and the new ones with those that live with them."""
    orders = [where for where in homes if _is_order(where)]
    kept = [*orders, *(where for where in came.new if not _is_order(where))]
    old = [one for where in kept for one in homes.get(where, ())]
    return [*old, *(one for _, one in decided(orders)), *(one for some in came.new.values() for one in some)]


def _is_order(where: bytes) -> bool:
    return where.startswith(ORDER)


def _read(snapshot: Snapshot, wanted: Iterable[bytes], homes: dict[bytes, list[Fact]]) -> None:
    """Reads the homes that were not read before."""
    asked = sorted(set(wanted) - homes.keys())
    homes |= {where: unpacked(kept) for where, kept in zip(asked, snapshot.many(asked), strict=True)}


def _name(where: bytes, homes: Mapping[bytes, Sequence[Fact]], came: Placed, column: str) -> str | None:
    """What the order of a home says in a column."""
    order = order_among((*homes.get(where, ()), *came.new.get(where, ())))
    return None if order is None else order.text(column)


def _names(some: Iterable[bytes], homes: Mapping[bytes, Sequence[Fact]], came: Placed, column: str) -> set[str]:
    return {name for where in some if (name := _name(where, homes, came, column)) is not None}


def _beside(snapshot: Snapshot, came: Placed, homes: Mapping[bytes, Sequence[Fact]]) -> dict[bytes, bytes]:
    """What new facts depend on of other orders of their buyers, by the homes of these."""
    wide = {where for where, new in came.new.items() if _is_order(where) and any(map(meets, new))}
    spans = [listed(OF_BUYER, buyer) for buyer in sorted(_names(wide, homes, came, "buyer_id"))]
    found = {order_in(key): kept for first in spans for key, kept in snapshot.span(first, end(first))}
    for where in homes:
        found.pop(where, None)
    return found


def _excused(
    snapshot: Snapshot, guilty: Iterable[tuple[str, str, int]], known: Mapping[str, Mapping[str, Sequence[int]]]
) -> set[bytes]:
    """The homes of orders about which something changes because their seller was found guilty, or faking for the first time."""
    found = set[bytes]()
    for column, seller, at in guilty:
        before = [t for t in known[seller][column] if t <= at]
        if column == "guilty":
            first = listed(JUDGED, seller, max(before) + 1 if before else 0)
            found |= {order_in(key) for key, _ in snapshot.span(first, end(listed(JUDGED, seller)))}
        elif not before:
            found.update(orders_under(snapshot, listed(OF_SELLER, seller)))
    return found


def _sellers(snapshot: Snapshot, names: Iterable[str]) -> dict[str, dict[str, list[int]]]:
    """When each seller was found guilty, and when faking, by all that the store knows."""
    asked = sorted(names)
    kept = snapshot.many([of_seller(name) for name in asked])
    return {
        name: {"guilty": [], "faking": []} if one is None else json.loads(one)
        for name, one in zip(asked, kept, strict=True)
    }


def _elsewhere(known: Mapping[str, Mapping[str, Sequence[int]]]) -> Elsewhere:
    columns = (
        {seller: tuple(of[column]) for seller, of in known.items() if of[column]} for column in ("guilty", "faking")
    )
    return Elsewhere(*columns)


def _wanted(snapshot: Snapshot, homes: Mapping[bytes, Sequence[Fact]], came: Placed) -> set[bytes]:
    """The homes of others on whose facts those of the touched orders depend."""
    found = set[bytes]()
    for one in (one for some in (*homes.values(), *came.new.values()) for one in some):
        if one.table == "evidence" and (content := one.text("content_hash")) is not None:
            found |= set(_two(snapshot, shown(content, str(one["party"]))))
    for seller in _reporters(homes, came):
        found.update(orders_under(snapshot, listed(REPORTED, seller)))
    return found - homes.keys()


def _others(
    snapshot: Snapshot,
    homes: Mapping[bytes, Sequence[Fact]],
    came: Placed,
    sellers: Iterable[str],
    wanted: Iterable[bytes],
    beside: dict[bytes, bytes],
) -> list[Fact]:
    """The facts of wanted homes, whole if they were `beside`, where they are no more, and when sellers registered."""
    others = dict[bytes, list[Fact]]()
    _read(snapshot, set(wanted) - homes.keys(), others)
    found = [one for where, some in others.items() for one in some if where in beside or _needed(one)]
    for where in others:
        beside.pop(where, None)
    registered = [home("seller", seller) for seller in sorted(sellers)]
    theirs = [
        unpacked(kept)
        for where, kept in zip(registered, snapshot.many(registered), strict=True)
        if where not in came.new
    ]
    return [*found, *(one for some in theirs for one in some if one.table == "sellers")]


def _needed(one: Fact) -> bool:
    return one.table in (*_BESIDE, "evidence", "reports", "report_rulings")


def _two(snapshot: Snapshot, first: bytes) -> list[bytes]:
    """The homes of the first two orders about which something was shown."""
    found: list[bytes] = []
    for where in orders_under(snapshot, first):
        if where not in found:
            found.append(where)
        if len(found) == 2:
            break
    return found


def _reporters(homes: Mapping[bytes, Sequence[Fact]], came: Placed) -> set[str]:
    """The sellers who reported about the orders of homes."""
    told = [
        where
        for where in {*homes, *came.new}
        if any(one.table == "reports" for one in (*homes.get(where, ()), *came.new.get(where, ())))
    ]
    return _names(told, homes, came, "seller_id")
