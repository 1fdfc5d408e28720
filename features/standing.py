"""Facts as they stand, within windows: from when each is known until it is taken back, or is too old.

A fact that can be taken back is one row that adds when it was learnt and one that subtracts when it was taken back. Every
window has a column of its own, from which the fact also leaves by age; such columns are summed over all time, so a sum is
what stands within the window, and is never negative.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from features.background import NOT_YET, Background, automatic_rulings, first_at, is_true, is_word, order_rows
from features.kernel import Int
from features.signal import EDGES, SLOW
from features.stream import NAMES, Stream, case_of, in_order
from features.tables import PARTIES

OTHERS: Final = tuple(party for party in PARTIES if party != "platform")
"""Who may cancel an order so that this says something of it."""
GUILT: Final = ("blocks", "blocks.seller_id", "blocks.order_id", "releases", "disputes", "rulings", "rulings.fault")
"""What a seller's guilt is known from, where a ledger has it."""


SPOILT: Final = (
    "cancellations",
    "cancellations.party",
    "chargebacks",
    "blocks",
    "blocks.cause",
    "releases",
    *NAMES["blocks"],
)
"""What an order may cease to be good history by."""


def _standing(known: Int, undone: Int, order: Int, columns: Mapping[str, Int], case: Int | None = None) -> Stream:
    """Facts as they stand within each window: they enter when known, and leave when undone or by age.

    `columns` say how much each fact is worth; sums have a window's word at their end.
    """
    leaves = {w: np.minimum(undone, known + EDGES[w]) if EDGES[w] else undone for w in SLOW}
    worth = {name: dict.fromkeys(SLOW, each) for name, each in columns.items()}
    return _entered(known, leaves, order, worth, case)


def _undone(at: Int, undone: Int, order: Int, column: str, case: Int | None = None) -> Stream:
    """Facts that were taken back, within each window: in when that is known, if still young enough, and out by age."""
    rows = np.flatnonzero((undone < NOT_YET) & (order >= 0))
    at, known, order, case = at[rows], np.maximum(at, undone)[rows], order[rows], None if case is None else case[rows]
    leaves = {w: at + EDGES[w] if EDGES[w] else np.full(at.size, NOT_YET) for w in SLOW}
    return _entered(known, leaves, order, {column: {w: _inside(at, known, EDGES[w]) for w in SLOW}}, case)


def _entered(
    known: Int,
    leaves: Mapping[str, Int],
    order: Int,
    worth: Mapping[str, Mapping[str, Int]],
    case: Int | None = None,
) -> Stream:
    """Facts that enter at one moment with what each is worth by column and window, and leave each window at its own."""
    sums = {
        f"{name}_{w}": np.concatenate([each[w], *(-each[w] if w == out else np.zeros_like(each[w]) for out in leaves)])
        for name, each in worth.items()
        for w in SLOW
    }
    times = 1 + len(leaves)
    case = None if case is None else np.tile(case, times)
    return in_order(np.concatenate([known, *leaves.values()]), np.tile(order, times), sums, case)


def _inside(at: Int, known: Int, edge: int) -> Int:
    """1 where a fact is within the window still when it is taken back."""
    return np.ones(at.size, np.int64) if edge == 0 else (at + edge > known).astype(np.int64)


def findings(bg: Background) -> Stream:
    """Disputes as they stand found malicious or honest: the latest finding holds, of one moment the gravest."""
    facts = bg.facts("findings")
    value, known = facts.numbers("malicious")
    dispute, at = facts.points["disputes"], facts.at
    rows = np.flatnonzero(known & (dispute >= 0))
    rows = rows[np.lexsort((-value[rows], at[rows], dispute[rows]))]
    new = np.diff(dispute[rows], prepend=-1) != 0
    rows = rows[new | (np.diff(at[rows], prepend=-1) != 0)]  # one state for each dispute and moment
    new = np.diff(dispute[rows], prepend=-1) != 0
    turns, until = _until(dispute, at, rows[new | (np.diff(value[rows], prepend=-1) != 0)])
    order = np.append(order_rows(bg.ledger, "disputes"), -1)[dispute[turns]]
    malicious = value[turns]
    case = case_of(bg, "findings", turns)
    return _standing(at[turns], until, order, {"malicious": malicious, "honest": 1 - malicious}, case)


def faked(bg: Background) -> Stream:
    """Orders with a seller found to fake transactions: they count no more as good history."""
    order = np.arange(bg.orders)
    return _undone(bg.facts("orders").at, bg.faked_at[bg.codes("seller_id")[:-1]], order, "orders")


def spoilt(bg: Background) -> Stream:
    """Orders that are no good history any more: cancelled, charged back, or with a faker of orders.

    Who cancelled must be known, and must not be the platform.
    """
    spoilt = bg.faked_at[bg.codes("seller_id")[:-1]]
    for table in ("cancellations", "chargebacks"):
        if table in bg.ledger.facts:
            facts = bg.facts(table)
            marked = is_word(facts.codes("party"), *OTHERS) if table == "cancellations" else None
            spoilt = np.minimum(spoilt, first_at(facts.points["orders"], facts.at, bg.orders, marked))
    return replace(_undone(bg.facts("orders").at, spoilt, np.arange(bg.orders), "orders"), of_order=True)


def excused(bg: Background) -> Stream:
    """Disputes whose seller was found guilty since."""
    at, order = bg.facts("disputes").at, order_rows(bg.ledger, "disputes")
    case = case_of(bg, "disputes", np.arange(at.size))
    return _undone(at, bg.guilty_after(order, at), order, "disputes", case)


def refusals(bg: Background) -> Stream:
    """Disputes as they stand refused by an officer: until another ruling, or until their seller is found guilty."""
    facts = bg.facts("rulings")
    dispute, at = facts.points["disputes"], facts.at
    refused = (is_word(facts.codes("outcome"), "refused") & ~automatic_rulings(bg.ledger)).astype(np.int64)
    rows = np.lexsort((at, dispute))
    new = np.diff(dispute[rows], prepend=-1) != 0
    turns, until = _until(dispute, at, rows[new | (np.diff(refused[rows], prepend=-1) != 0)])
    marks = refused[turns] == 1
    order = order_rows(bg.ledger, "rulings")[turns[marks]]
    known = at[turns[marks]]
    undone = np.minimum(until[marks], bg.guilty_after(order, known))
    case = case_of(bg, "rulings", turns[marks])
    return _standing(known, undone, order, {"refused": np.ones(known.size, np.int64)}, case)


def _until(whose: Int, at: Int, turns: Int) -> tuple[Int, Int]:
    """Turns, sorted by whose they are and by moment, with the moment at which the next of the same takes over."""
    last = np.append(np.diff(whose[turns]) != 0, True)[: turns.size]
    return turns, np.where(last, NOT_YET, np.append(at[turns][1:], NOT_YET)[: turns.size])


def upheld_reports(bg: Background) -> Stream:
    """Reports as they stand upheld, until the seller who reported is found guilty."""
    facts = bg.facts("report_rulings")
    rows = np.flatnonzero(is_true(facts, "upheld"))
    order, at = order_rows(bg.ledger, "report_rulings")[rows], facts.at[rows]
    return _standing(at, bg.guilty_after(order, at), order, {"upheld": np.ones(rows.size, np.int64)})
