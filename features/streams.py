"""The streams that signals name: tables, some rows of tables, and what several rows make together."""

from collections.abc import Mapping
from typing import Final

from features.derived import DERIVED, Derived
from features.made import MADE
from features.operand import Operand, operand
from features.sharing import SHARED, Shared
from features.stream import Declared
from features.tables import TABLES

_PAGE: Final = {
    "orders.product_id": "product_id",
    "orders.seller_id": "seller_id",
    "listings.category": "category",
}


def _where(text: str) -> Declared:
    """Some rows of a table: `table[column=word]`."""
    found = operand(text)
    return Declared(found.source, found.where)


STREAMS: Final[Mapping[str, Declared | Derived | Shared]] = {
    "orders": Declared("orders"),
    "cancellations": Declared("cancellations"),
    "buyers": Declared("buyers", own={"orders.buyer_id": "buyer_id"}),
    "sellers": Declared("sellers", own={"orders.seller_id": "seller_id"}),
    "listings": Declared("listings", own=_PAGE),
    "shipments": Declared("shipments"),
    "scans": Declared("scans"),
    "lost": _where("scans.rows[kind=lost]"),
    "messages": Declared("messages"),
    "disputes": Declared("disputes"),
    "every_ruling": Declared("rulings"),
    "chargebacks": Declared("chargebacks"),
    "refunds": Declared("refunds"),
    "address_checks": Declared("address_checks"),
    "blocks": Declared("blocks"),
    "releases": Declared("releases"),
    "reports": Declared("reports"),
    "report_rulings": Declared("report_rulings"),
    **DERIVED,
    **SHARED,
}
"""Each stream by name."""


def needs(one: Operand, asked: str) -> tuple[str, ...]:
    """The tables and columns that an operand over a history takes its facts from."""
    stream = STREAMS[one.source]
    if isinstance(stream, Shared):
        return ("orders", *stream.needs)
    if isinstance(stream, Derived):
        of = _columns(one, "evidence") if one.source == "exhibits" else ()
        return (*stream.needs, *stream.asked.get(asked, ()), *stream.columns.get(one.measure, ()), *of)
    where = [condition.column for condition in stream.where]
    return (*stream.needs, *_columns(one, stream.table, *where))


def uses(one: Operand) -> tuple[str, ...]:
    """The tables and columns that an operand over a history looks into where a ledger has them."""
    stream = STREAMS[one.source]
    if isinstance(stream, Shared):
        return ()
    made = MADE.get(stream.table, {}).get(one.measure.removesuffix("_known")) if isinstance(stream, Declared) else None
    return stream.uses if made is None else (*stream.uses, *made.uses)


def _columns(one: Operand, table: str, *others: str) -> tuple[str, ...]:
    """The columns of a table that an operand names and a ledger may lack, and what made ones are made of."""
    found: list[str] = []
    of_order = [word for c in one.where for word in c.words if word.startswith("order.")]
    for name in (one.measure, one.measure.removesuffix("_known"), *(c.column for c in one.where), *others):
        column = TABLES[table].column(name)
        found += MADE[table][name].needs if name in MADE.get(table, {}) else ()
        found += [f"{table}.{name}"] if column is not None and not column.required else ()
    return tuple(found + [word.replace("order.", "orders.") for word in of_order])
