"""The prior of buyer credit: the rate of each kind of mark among all buyers, from what was known before a moment."""

from typing import Final

import numpy as np

from features.background import Background
from features.credit import HISTORY, MARKS, Prior, Rate, estimated, strength
from features.dictionary import absent, needs
from features.errors import RedressError
from features.kernel import Int
from features.ledger import Ledger
from features.operand import Operand, operand
from features.sharing import Shared
from features.signal import Float
from features.streams import STREAMS

_EVER: Final = "ever"


def prior(ledger: Ledger, as_of: int, horizon: int) -> Prior:
    """The prior from facts learnt before `as_of`, in microseconds since 1970; kinds that a ledger lacks keep the default."""
    bg = Background(ledger, horizon, "orders")
    stand = {kind: _standing(bg, pair, as_of) for kind, pair in {"orders": HISTORY, **MARKS}.items()}
    orders = stand["orders"]
    if orders is None:
        raise RedressError(f"{ledger.name}: want orders to estimate credit from, got none; import them")
    told = {kind: marks for kind in MARKS if (marks := stand[kind]) is not None}
    worth = strength(np.sum([np.zeros_like(orders), *told.values()], axis=0), orders)
    rates: dict[str, Rate] = {}
    for kind in MARKS:
        otherwise = getattr(Prior(), kind)
        rates[kind] = estimated(told[kind].sum(), orders.sum(), worth, otherwise) if kind in told else otherwise
    return Prior(**rates)


def _standing(bg: Background, pair: tuple[str, str], as_of: int) -> Float | None:
    """Facts of each buyer less those taken back; None where the ledger lacks them."""
    counted, back = (operand(text.format(window=_EVER)) if text else None for text in pair)
    assert counted is not None
    if absent(bg.ledger, needs(counted, bg.asked)):
        return None
    total = _by_buyer(bg, counted, as_of)
    if back is not None and not absent(bg.ledger, needs(back, bg.asked)):
        total = total - _by_buyer(bg, back, as_of)
    return total.astype(np.float64)


def _by_buyer(bg: Background, one: Operand, as_of: int) -> Int:
    """What an operand sums to for each buyer, over all facts learnt before `as_of`."""
    declared = STREAMS[one.source]
    assert not isinstance(declared, Shared)
    stream = declared.make(bg)
    buyer, values = bg.codes("buyer_id")[stream.order], stream.measure(one, bg.facts("orders"))
    counts = (buyer >= 0) & (stream.at < as_of)
    found = np.zeros(len(bg.facts("orders").codes("buyer_id").values), np.int64)
    np.add.at(found, buyer[counts], values[counts])
    return found
