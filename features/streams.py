"""Streams: the ledger's facts as seen from the orders they concern, each with what can be summed over it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.kernel import Flag, Int
from features.ledger import Facts, Ledger

NOT_YET: Final = np.iinfo(np.int64).max
"""Stands for "has not happened" where the moment of a first fact is asked for."""
_SATURATED: Final = 1_000_000
"""Whole major units above which an amount counts no more in a sum of squares."""


@dataclass(frozen=True)
class Stream:
    """Facts in time order: `at` (n,), the `order` (n,) row each concerns (-1 unknown), and int64 `measures` by name."""

    at: Int
    order: Int
    measures: Mapping[str, Int]


def order_rows(ledger: Ledger, table: str) -> Int:
    """The row of `orders` that each row of a table concerns, -1 where it is not known."""
    facts = ledger.facts[table]
    if table == "orders":
        return np.arange(len(facts))
    if "orders" in facts.points:
        return facts.points["orders"]
    parent, row = next(iter(facts.points.items()))
    return np.append(order_rows(ledger, parent), -1)[row]


def first_at(facts: Facts, parent: str, parents: int, which: Flag | None = None) -> Int:
    """The moment of the first fact (of those marked) that points to each row of `parent`, NOT_YET if there is none."""
    found = np.full(parents + 1, NOT_YET, np.int64)
    rows = facts.points[parent] if which is None else np.where(which, facts.points[parent], -1)
    found[rows[::-1]] = facts.at[::-1]
    return found[:parents]


def money(facts: Facts, column: str) -> dict[str, Int]:
    """Measures of an amount column: a count of facts, their known cents, and how many were known."""
    cents, known = facts.numbers(column)
    return {"count": np.ones(len(facts), np.int64), "amount": cents, "amount_known": known.astype(np.int64)}


def _orders(ledger: Ledger, horizon: int) -> Stream:
    facts = ledger.facts["orders"]
    measures = money(facts, "amount")
    major = np.minimum(measures["amount"] // 100, _SATURATED)
    measures |= {"major": major, "major_squared": major * major}
    return Stream(facts.at, order_rows(ledger, "orders"), measures)


def _matured(ledger: Ledger, horizon: int) -> Stream:
    """Orders as they mature: at `orders.at + horizon` it is known of each whether a chargeback came in time."""
    facts = ledger.facts["orders"]
    charged = first_at(ledger.facts["chargebacks"], "orders", len(facts)) <= facts.at + horizon
    measures = {"count": np.ones(len(facts), np.int64), "charged": charged.astype(np.int64)}
    return Stream(facts.at + horizon, order_rows(ledger, "orders"), measures)


def _paid(table: str, column: str) -> "Callable[[Ledger, int], Stream]":
    def stream(ledger: Ledger, horizon: int) -> Stream:
        facts = ledger.facts[table]
        return Stream(facts.at, order_rows(ledger, table), money(facts, column))

    return stream


def first_rulings(ledger: Ledger) -> tuple[Int, Flag, Flag]:
    """Rows of each dispute's first ruling, and whether it was for the buyer or refused; settled and withdrawn are neither."""
    facts = ledger.facts["rulings"]
    dispute = facts.points["disputes"]
    first = np.full(len(ledger.facts["disputes"]) + 1, -1, np.int64)
    first[dispute[::-1]] = np.arange(len(facts))[::-1]
    rows = np.sort(first[:-1][first[:-1] >= 0])
    outcomes = facts.codes("outcome")
    words = np.array([*outcomes.values.to_pylist(), ""], dtype=object)[outcomes.codes[rows]]
    return rows, np.isin(words, FOR_THE_BUYER), words == "refused"


FOR_THE_BUYER: Final = ("refund_full", "refund_partial", "return_and_refund")


def _rulings(ledger: Ledger, horizon: int) -> Stream:
    rows, granted, refused = first_rulings(ledger)
    flags = {"decided": granted | refused, "granted": granted, "refused": refused}
    measures = {name: flag.astype(np.int64) for name, flag in flags.items()}
    return Stream(ledger.facts["rulings"].at[rows], order_rows(ledger, "rulings")[rows], measures)


STREAMS: Final[dict[str, tuple[tuple[str, ...], Callable[[Ledger, int], Stream]]]] = {
    "orders": (("orders",), _orders),
    "matured_orders": (("orders", "chargebacks"), _matured),
    "chargebacks": (("chargebacks",), _paid("chargebacks", "amount")),
    "disputes": (("disputes",), _paid("disputes", "claimed")),
    "refunds": (("refunds",), _paid("refunds", "amount")),
    "rulings": (("disputes", "rulings"), _rulings),
}
"""Each stream by name: the tables it needs, and how it is made from a ledger and a horizon in microseconds."""
