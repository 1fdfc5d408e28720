"""Retention: what of a ledger is young enough to be kept, and what goes with the orders that are not."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.background import order_rows
from features.errors import LedgerError
from features.homes import OF_THEMSELVES
from features.kernel import Flag
from features.ledger import Ledger

_STANDING: Final = {name: column for name, (_, column) in OF_THEMSELVES.items() if name != "orders"}
"""Tables that say how someone or something is, until another row says otherwise, and of whom or what."""


def kept(found: Ledger, since: int) -> tuple[Ledger, dict[str, int]]:
    """A ledger without what is older than a moment, in microseconds since 1970, and how many rows of each table went.

    An order goes with all that was ever learnt about it. Registrations, versions of pages and tiers say what still holds, so
    they stay, however old, while an order that stays is of that buyer, seller or product. LedgerError if no order stays.
    """
    stays: dict[str, Flag] = {}
    for name in found.facts:
        stays[name] = _stays(found, name, stays, since)
    if not stays["orders"].any():
        raise LedgerError(f"{found.name}: want an order that is young enough to be kept, got none; keep more")
    tables = {
        name: pa.table({c.name: of.column(c.name) for c in of.table.columns if of.has(c.name)}).filter(
            pa.array(stays[name])
        )
        for name, of in found.facts.items()
    }
    gone = {name: int((~some).sum()) for name, some in stays.items() if not some.all()}
    return Ledger.good(tables, found.name), gone


def _stays(found: Ledger, name: str, stays: dict[str, Flag], since: int) -> Flag:
    """Which rows of a table stay, where those that it points to were judged before."""
    facts = found.facts[name]
    young = np.asarray(facts.at >= since)
    if name == "orders":
        return young
    if name in _STANDING:
        column = _STANDING[name]
        alive = found.facts["orders"].strings(column).filter(pa.array(stays["orders"]))
        return young | np.array(
            pc.is_in(facts.strings(column), alive.drop_null()).to_numpy(zero_copy_only=False), np.bool_
        )
    for parent, row in facts.points.items():
        if parent in stays:
            young &= np.append(stays[parent], True)[row]
    with_order: Flag = young & np.append(stays["orders"], True)[order_rows(found, name)]
    return with_order
