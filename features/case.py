"""Signals of the case itself: what the order and the dispute say of themselves, given at their own moment."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.asking import Askings
from features.kernel import DAY, HOUR, Int
from features.ledger import Facts, Ledger
from features.signal import Float, Signal, ratio
from features.streams import order_rows
from features.tables import REASONS

Compute = Callable[[Ledger, Askings, Int], Float]
"""Values from a ledger, askings and the row of `orders` that each asking is about."""


def known(facts: Facts, column: str, rows: Int) -> Float:
    """A number, time or flag column at the given rows, NaN where it or the row is unknown."""
    found, known_ = facts.numbers(column)
    return np.append(np.where(known_, found, np.nan), np.nan)[rows]


def _order(column: str) -> Compute:
    return lambda ledger, asks, order: known(ledger.facts["orders"], column, order)


def _order_at(ledger: Ledger, order: Int) -> Float:
    return np.append(ledger.facts["orders"].at.astype(np.float64), np.nan)[order]


def _hour(ledger: Ledger, asks: Askings, order: Int) -> Float:
    return _order_at(ledger, order) % DAY / HOUR


def _weekday(ledger: Ledger, asks: Askings, order: Int) -> Float:
    return (_order_at(ledger, order) // DAY + 3) % 7


def _promised(ledger: Ledger, asks: Askings, order: Int) -> Float:
    return (known(ledger.facts["orders"], "promised_at", order) - _order_at(ledger, order)) / DAY


def _words(facts: Facts, column: str, rows: Int) -> NDArray[np.object_]:
    """A word column at the given rows, empty where it or the row is unknown."""
    found = facts.codes(column)
    words: NDArray[np.object_] = np.array([*found.values.to_pylist(), ""], dtype=object)
    return np.asarray(words[np.append(found.codes, -1)[rows]])


def _abroad(ledger: Ledger, asks: Askings, order: Int) -> Float:
    ship, bill = (_words(ledger.facts["orders"], column, order) for column in ("ship_country", "bill_country"))
    return np.where((ship == "") | (bill == ""), np.nan, (ship != bill).astype(np.float64))


def _claimed(ledger: Ledger, asks: Askings, order: Int) -> Float:
    return known(ledger.facts["disputes"], "claimed", asks.row)


def _claimed_share(ledger: Ledger, asks: Askings, order: Int) -> Float:
    amount = known(ledger.facts["orders"], "amount", order)
    return ratio(_claimed(ledger, asks, order), amount)


def _since_order(ledger: Ledger, asks: Askings, order: Int) -> Float:
    return (asks.at - _order_at(ledger, order)) / DAY


def _since_happened(ledger: Ledger, asks: Askings, order: Int) -> Float:
    return (asks.at - known(ledger.facts["disputes"], "happened_at", asks.row)) / DAY


def _reason(reason: str) -> Compute:
    def is_reason(ledger: Ledger, asks: Askings, order: Int) -> Float:
        words = _words(ledger.facts["disputes"], "reason", asks.row)
        return np.where(words == "", np.nan, (words == reason).astype(np.float64))

    return is_reason


ORDER: Final[tuple[tuple[Signal, Compute], ...]] = (
    (Signal("order_amount", "order", "cents", "amount of the order", ("orders.amount",)), _order("amount")),
    (Signal("order_quantity", "order", "units", "units ordered", ("orders.quantity",)), _order("quantity")),
    (Signal("order_hour", "order", "hours", "hour of the day it was paid, UTC", ("orders.at",)), _hour),
    (Signal("order_weekday", "order", "days", "day of the week it was paid, Monday is 0", ("orders.at",)), _weekday),
    (
        Signal(
            "order_promised_days", "order", "days", "days from payment to the promised date", ("orders.promised_at",)
        ),
        _promised,
    ),
    (
        Signal(
            "order_ships_abroad",
            "order",
            "0 or 1",
            "it ships to another country than it is billed to",
            ("orders.ship_country", "orders.bill_country"),
        ),
        _abroad,
    ),
)
"""Signals of the order."""

DISPUTE: Final[tuple[tuple[Signal, Compute], ...]] = (
    (Signal("dispute_claimed", "order", "cents", "amount claimed", ("disputes.claimed",)), _claimed),
    (
        Signal(
            "dispute_claimed_share",
            "order",
            "share",
            "amount claimed over the order's",
            ("disputes.claimed", "orders.amount"),
        ),
        _claimed_share,
    ),
    (
        Signal("dispute_days_since_order", "order", "days", "days from payment to the asking", ("disputes.at",)),
        _since_order,
    ),
    (
        Signal(
            "dispute_days_since_event",
            "order",
            "days",
            "days from what happened to the asking",
            ("disputes.happened_at",),
        ),
        _since_happened,
    ),
    *(
        (
            Signal(f"dispute_is_{reason}", "order", "0 or 1", f"the reason given is {reason}", ("disputes.reason",)),
            _reason(reason),
        )
        for reason in REASONS
    ),
)
"""Signals of the dispute."""


def asked_orders(ledger: Ledger, asks: Askings, table: str) -> Int:
    """The row of `orders` that each asking is about, -1 where unknown."""
    return order_rows(ledger, table)[asks.row]
