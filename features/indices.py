"""Indices: small keys by which a store finds the orders of a buyer or a seller, and whom a piece of evidence was shown by."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from features.homes import COLUMNS, NAMED, ORDER, WIDTH, Fact, digest, named, order_among, packed
from features.keys import Entry, Snapshot, end
from features.shelves import moment
from features.tables import TABLES

OF_BUYER, OF_SELLER, OF_INSTRUMENT = b"b", b"a", b"n"
"""Orders of a buyer, of a seller, with an instrument, in the order of time; a buyer's with what his other orders depend on."""
JUDGED: Final = b"k"
"""Orders of a seller about which there is something that his guilt may excuse, by when that was learnt."""
REPORTED: Final = b"j"
"""Orders of a seller about which a report was judged."""
SHOWN: Final = b"c"
"""Orders about which a party showed a piece of content, by when it was shown."""
SELLERS: Final = b"g"
"""When a seller was found guilty, and when faking."""
REQUESTS: Final = b"q"
"""Requests that were answered."""
MEETING: Final = ("orders", "disputes", "findings", "chargebacks")
"""Tables of which a buyer's other orders depend on every fact."""

_KEPT: Final = [name == "at" or name.endswith("_id") for name in COLUMNS["orders"]]
"""Which columns of an order a buyer's other orders depend on."""


def of_seller(name: str) -> bytes:
    """The key of what is known of a seller from all of his orders."""
    return SELLERS + digest(name)


def shown(content: str, party: str) -> bytes:
    """What the keys of the showings of a content by a party begin with."""
    return SHOWN + digest(f"{party}:{content}")


def listed(index: bytes, name: str, at: int | None = None) -> bytes:
    """What the keys of an index begin with: of a name, or of a name from a moment on."""
    return index + digest(name) + (b"" if at is None else moment(at))


def order_in(key: bytes) -> bytes:
    """The home of the order that a key of an index ends with."""
    return ORDER + key[-WIDTH:]


def orders_under(snapshot: Snapshot, first: bytes) -> Iterator[bytes]:
    """The homes of the orders of all keys of an index that begin so, in the order of the keys."""
    for key, _ in snapshot.span(first, end(first)):
        yield order_in(key)


def indexed(where: bytes, facts: Sequence[Fact], new: Sequence[Fact]) -> Iterator[Entry]:
    """The entries of the new ones among the facts of one home."""
    order = order_among(facts)
    if order is not None and any(map(meets, new)):
        yield from beside(where, order, facts)
    for fact in new:
        if fact.table == "orders":
            yield from ((prefix + where[2:], b"") for prefix in _placed_with(fact))
        else:
            yield from told_of(where, None if order is None else order.text("seller_id"), fact)


def _placed_with(order: Fact) -> Iterator[bytes]:
    for index, column in ((OF_SELLER, "seller_id"), (OF_INSTRUMENT, "instrument_id")):
        if (name := order.text(column)) is not None:
            yield listed(index, name, order.at)


def told_of(where: bytes, seller: str | None, fact: Fact) -> Iterator[Entry]:
    """The entries of a fact that is no order, of the home of one with a seller, or of another."""
    key = TABLES[fact.table].key[0]
    if fact.table in NAMED and (own := fact.text(key)) is not None:
        yield named(fact.table, own), where
    if where.startswith(ORDER):
        yield from ((prefix + where[2:], b"") for prefix in _listings(seller, fact))


def _listings(seller: str | None, fact: Fact) -> Iterator[bytes]:
    if seller is not None and (fact.table == "disputes" or excusable(fact)):
        yield listed(JUDGED, seller, fact.at)
    if seller is not None and fact.table == "report_rulings":
        yield listed(REPORTED, seller, fact.at)
    if fact.table == "evidence" and (content := fact.text("content_hash")) is not None:
        yield shown(content, str(fact["party"])) + moment(fact.at)


def meets(fact: Fact) -> bool:
    """Whether it depends on a fact what other orders of its buyer say: whom he met, disputed, or shared something with."""
    return fact.table in MEETING or (fact.table == "evidence" and fact["content_hash"] is not None)


def beside(where: bytes, order: Fact, facts: Iterable[Fact]) -> Iterator[Entry]:
    """The entry of an order of a buyer, with what his other orders depend on, if that has one."""
    buyer = order.text("buyer_id")
    if buyer is not None:
        some = [_met(one) if one is order else one for one in facts if meets(one)]
        yield listed(OF_BUYER, buyer, order.at) + where[2:], packed(some)


def _met(order: Fact) -> Fact:
    """An order without all that its buyer's other orders do not depend on."""
    values = tuple(value if kept else None for value, kept in zip(order.values, _KEPT, strict=True))
    return Fact(order.table, order.arrival, values, order.submitted)


def excusable(fact: Fact) -> bool:
    """Whether a seller's guilt may take back what a fact says: a refusal, or a report upheld."""
    return (fact.table, fact["outcome"] if fact.table == "rulings" else None) == ("rulings", "refused") or (
        fact.table == "report_rulings" and fact["upheld"] is True
    )


def guilt(facts: Sequence[Fact], new: Iterable[Fact]) -> Iterator[tuple[str, str, int]]:
    """Of the new facts among those of a home the sellers found `guilty` or `faking`, and when."""
    order = order_among(facts)
    theirs = None if order is None else order.text("seller_id")
    for fact in new:
        block = None
        if fact.table == "releases":
            block = next(one for one in facts if one.table == "blocks" and one["block_id"] == fact["block_id"])
        yield from judged(fact, block, theirs)


def judged(fact: Fact, block: Fact | None, theirs: str | None) -> Iterator[tuple[str, str, int]]:
    """The seller whom a ruling, or the release of a block, found guilty or faking: the order's, if the block names none."""
    if fact.table == "rulings" and fact["fault"] == "seller" and theirs is not None:
        yield "guilty", theirs, fact.at
    seller = theirs if block is None else block.text("seller_id") or theirs
    if block is None or seller is None or fact["result"] != "upheld":
        return
    if block["kind"] == "seller_integrity":
        yield "guilty", seller, fact.at
    if block["cause"] == "false_transactions":
        yield "faking", seller, fact.at
