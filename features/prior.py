"""The prior of buyer credit: the rate of each kind of mark among all buyers, from what was known before a moment."""

from typing import Final

import numpy as np

from features.background import Background
from features.credit import HISTORY, MARKS, Prior, Rate, estimated, strength
from features.dictionary import absent, needs
from features.kernel import Int
from features.ledger import Ledger
from features.operand import Operand, operand
from features.sharing import Shared
from features.streams import STREAMS

_EVER: Final = "ever"


def prior(ledger: Ledger, as_of: int, horizon: int) -> Prior:
    """The prior from facts learnt before `as_of`, in microseconds since 1970; kinds that a ledger lacks keep the default."""
    bg = Background(ledger, horizon, "orders")
    made, back = (_by_buyer(bg, _ever(text), as_of) for text in HISTORY)
    orders = (made - back).astype(np.float64)
    there = {kind: one for kind, text in MARKS.items() if not absent(ledger, needs(one := _ever(text), bg.asked))}
    told = {kind: _by_buyer(bg, one, as_of).astype(np.float64) for kind, one in there.items()}
    worth = strength(np.sum([np.zeros_like(orders), *told.values()], axis=0), orders)
    rates: dict[str, Rate] = {}
    for kind in MARKS:
        otherwise = getattr(Prior(), kind)
        rates[kind] = estimated(told[kind].sum(), orders.sum(), worth, otherwise) if kind in told else otherwise
    return Prior(**rates)


def _ever(text: str) -> Operand:
    """An operand over all time."""
    return operand(text.format(window=_EVER))


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
