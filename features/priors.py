"""Prior transactions: what a card holder had bought before with the same instrument, and what of it matches.

Visa's Compelling Evidence 3.0 answers a fraud chargeback (10.4) with two or more earlier transactions on the same
instrument that nobody disputed or cancelled, 120 to 365 days old, each sharing two or more of login, IP, device and
address with the disputed one, an IP or a device among them. Sources differ on the day that age is counted from; here it is
the disputed order's. Mastercard's First-Party Trust looks at earlier undisputed transactions with 4837.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit

from features.asking import Askings
from features.background import NOT_YET, Background, first_at, order_rows
from features.kernel import DAY, Code, Int, group
from features.sharing import Meetings
from features.signal import Float

MATCHES: Final = ("ip", "device", "address", "login")
"""What may match; the first two are those of which one must."""
_OBJECTED: Final = ("disputes", "chargebacks")
_UNDONE: Final = ("cancellations",)
"""Tables that say of an order that it is no transaction that nobody disputed, the last where a ledger has it."""
OBJECTIONS: Final = (*_OBJECTED, *_UNDONE)
"""All of them."""
MEASURES: Final = ("earlier", "transactions", "qualifying", *MATCHES)
"""Undisputed earlier transactions of the instrument, those of the right age, those that match enough; and by what match."""


@dataclass(frozen=True)
class Programme:
    """How many prior transactions, of what age in microseconds, both ends included, and with how many matches each."""

    transactions: int
    youngest: int
    oldest: int
    matches: int


COMPELLING: Final = Programme(transactions=2, youngest=120 * DAY, oldest=365 * DAY, matches=2)
"""Compelling Evidence 3.0, in force since 2023-04-15 (Visa Core Rules, dispute condition 10.4)."""
FIRST_PARTY: Final = Programme(transactions=1, youngest=0, oldest=10_000 * DAY, matches=0)
"""First-Party Trust, of which a vendor says that prior transactions are wanted, and not how many."""


USES: Final = _UNDONE
"""Tables that a measure looks into where a ledger has them."""


def needs(measure: str) -> tuple[str, ...]:
    """The tables and columns that a measure needs."""
    matched = MATCHES if measure == "qualifying" else (measure,) if measure in MATCHES else ()
    return (*_OBJECTED, "orders.instrument_id", *(f"orders.{name}_id" for name in matched))


def found(bg: Background, asks: Askings, order: Int, measures: Sequence[str]) -> dict[str, Float]:
    """How many prior transactions of each asked order there were; NaN where the instrument is not known."""
    instrument = bg.facts("orders").codes("instrument_id")
    by_instrument, start = group(instrument.codes, len(instrument.values))
    codes = np.stack([bg.facts("orders").codes(f"{name}_id").codes for name in MATCHES])
    crowded = np.stack([crowded_at(bg, f"{name}_id") for name in MATCHES])
    of = bg.codes("instrument_id")
    counts = _counted(
        by_instrument.astype(np.int64),
        *(start, of, bg.facts("orders").at, objected_at(bg), codes, crowded, order, asks.at),
        *(COMPELLING.youngest, COMPELLING.oldest, COMPELLING.matches),
    )
    somebody_s = (of[order] >= 0) & (np.append(crowded_at(bg, "instrument_id"), 0)[order] >= asks.at)
    return {name: np.where(somebody_s, counts[MEASURES.index(name)], np.nan) for name in measures}


def crowded_at(bg: Background, column: str) -> Int:
    """When the id that each order names came to be a placeholder, which links nobody; NOT_YET where it never did."""
    codes = bg.facts("orders").codes(column).codes
    met = Meetings(bg.facts("orders").at, codes, bg.facts("orders").codes("buyer_id").codes)
    return np.append(met.crowded_at(), NOT_YET)[codes]


def objected_at(bg: Background) -> Int:
    """When each order was first disputed, charged back or cancelled."""
    there = [name for name in OBJECTIONS if name in bg.ledger.facts]
    first = [first_at(order_rows(bg.ledger, name), bg.facts(name).at, bg.orders) for name in there]
    return np.append(np.minimum.reduce(first), NOT_YET)


@njit(cache=True, nogil=True)
def _counted(
    by: Int,
    start: Int,
    of: Code,
    at: Int,
    objected: Int,
    codes: Code,
    crowded: Int,
    order: Int,
    t: Int,
    least: int,
    most: int,
    need: int,
) -> Float:
    """Counts (measures, n) of earlier orders of each asked order's instrument, as known before `t`."""
    out = np.zeros((3 + codes.shape[0], order.size))
    for i in range(order.size):
        o = order[i]
        if o < 0 or of[o] < 0:
            continue
        for k in range(start[of[o]], start[of[o] + 1]):
            p = by[k]
            age = at[o] - at[p]
            if age <= 0 or at[p] >= t[i] or objected[p] < t[i]:
                continue
            out[0, i] += 1
            if age < least or age > most:
                continue
            out[1, i] += 1
            same = 0
            strong = False
            for m in range(codes.shape[0]):
                if codes[m, o] >= 0 and codes[m, o] == codes[m, p] and crowded[m, o] >= t[i]:
                    out[3 + m, i] += 1
                    same += 1
                    strong = strong or m < 2
            out[2, i] += same >= need and strong
    return out
