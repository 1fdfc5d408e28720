"""Streams that are no table: facts that several rows make together, each at the moment when the last of them was learnt.

A fact that can be taken back is one row that adds when it was learnt and one that subtracts when it was taken back. Where
it must be counted within windows, every window has a column of its own, from which the fact also leaves by age; such columns
are summed over all time, so a sum is what stands within the window, and is never negative.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numba import njit

from features.background import NOT_YET, Background, first_at, first_rulings, is_true, is_word, order_rows
from features.kernel import Flag, Int, positions
from features.signal import EDGES, SLOW
from features.stream import NAMES, Stream, made_of

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


@dataclass(frozen=True)
class Derived:
    """A derived stream: the tables and columns it needs, how it is made, and what it `uses` besides where a ledger has it.

    `asked` are needs by the asked table, `columns` those of single measures.
    """

    needs: tuple[str, ...]
    make: Callable[[Background], Stream]
    uses: tuple[str, ...] = ()
    asked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _in_order(at: Int, order: Int, sums: Mapping[str, Int], case: Int | None = None) -> Stream:
    """A stream of facts that happened by some moment, sorted by it."""
    rows = np.flatnonzero(at < NOT_YET)
    rows = rows[np.argsort(at[rows], kind="stable")]
    case = None if case is None else case[rows]
    return Stream(at[rows], order[rows], case, sums={name: values[rows] for name, values in sums.items()})


def _ones(n: int) -> Int:
    return np.ones(n, np.int64)


def _matured(bg: Background) -> Stream:
    """Orders as they mature: at `orders.at + horizon` it is known of each whether a chargeback came in time."""
    at = bg.facts("orders").at
    charges = bg.facts("chargebacks")
    charged = first_at(charges.points["orders"], charges.at, at.size) <= at + bg.horizon
    return _in_order(
        at + bg.horizon, np.arange(at.size), {"count": _ones(at.size), "charged": charged.astype(np.int64)}
    )


def _rulings(bg: Background) -> Stream:
    """The first ruling of each dispute."""
    rows, granted, refused = first_rulings(bg.ledger)
    flags = {"decided": granted | refused, "granted": granted, "refused": refused}
    sums = {name: flag.astype(np.int64) for name, flag in flags.items()}
    return _in_order(bg.facts("rulings").at[rows], order_rows(bg.ledger, "rulings")[rows], sums)


def _endings(bg: Background) -> Stream:
    """The first ending of each chargeback, which pre-arbitration is not."""
    facts = bg.facts("chargeback_rulings")
    outcome = facts.codes("outcome")
    ended = np.flatnonzero((outcome.codes >= 0) & ~is_word(outcome, "pre_arbitration"))
    _, first = np.unique(facts.points["chargebacks"][ended], return_index=True)
    rows = np.sort(ended[first])
    sums = {"count": _ones(rows.size)}
    against = is_word(outcome, "lost", "partial", "accepted", "no_response")
    sums |= {"won": is_word(outcome, "won")[rows].astype(np.int64), "lost": against[rows].astype(np.int64)}
    return _in_order(facts.at[rows], order_rows(bg.ledger, "chargeback_rulings")[rows], sums)


def _deliveries(bg: Background) -> Stream:
    """The first delivery known of each order: when it happened, and how long after payment and after the promised date."""
    moment = bg.delivered[:-1]
    promised, told = bg.facts("orders").numbers("promised_at")
    past = np.where(told, moment - promised, 0)
    sums = {"count": _ones(moment.size), "moment": moment, "transit": moment - bg.facts("orders").at}
    sums |= {"late": (past > 0).astype(np.int64), "lateness": np.maximum(past, 0), "past_promised": past}
    sums |= {"promised": told.astype(np.int64)}
    return _in_order(bg.delivered_at[:-1], np.arange(moment.size), sums)


def _threads(answered: bool) -> Callable[[Background], Stream]:
    """Inquiries: the buyer's first message that the seller has not answered; or answers, each with how long it took."""

    def make(bg: Background) -> Stream:
        facts = bg.facts("messages")
        order, sender = order_rows(bg.ledger, "messages"), facts.codes("sender")
        buyer, seller = is_word(sender, "buyer"), is_word(sender, "seller")
        rows = np.flatnonzero((order >= 0) & (buyer | seller))
        rows = rows[np.lexsort((seller[rows], facts.at[rows]))]
        opens, took = _answered(order[rows], facts.at[rows], seller[rows], bg.orders)
        which = rows[took >= 0] if answered else rows[opens]
        sums = {"count": _ones(which.size)} | ({"latency": took[took >= 0]} if answered else {})
        return _in_order(facts.at[which], order[which], sums)

    return make


@njit(cache=True, nogil=True)
def _answered(order: Int, at: Int, seller: Flag, orders: int) -> tuple[Flag, Int]:
    """Where a message opens a thread, and how long after that one answers it (-1 where it answers none)."""
    since = np.full(orders, -1)
    opens, took = np.zeros(order.size, np.bool_), np.full(order.size, -1)
    for i in range(order.size):
        o = order[i]
        if seller[i] and since[o] >= 0:
            took[i], since[o] = at[i] - since[o], -1
        elif not seller[i] and since[o] < 0:
            opens[i], since[o] = True, at[i]
    return opens, took


def _agreements(bg: Background) -> Stream:
    """Agreements kept, by a settled or withdrawn dispute after them, or broken, by a new dispute or a chargeback after them."""
    messages = bg.facts("messages")
    agreed = is_word(messages.codes("kind"), "agreement")
    made = np.append(first_at(order_rows(bg.ledger, "messages"), messages.at, bg.orders, agreed), NOT_YET)
    ends = {name: (bg.facts(name).at, order_rows(bg.ledger, name)) for name in ("disputes", "chargebacks", "rulings")}
    quiet = is_word(bg.facts("rulings").codes("outcome"), "settled", "withdrawn")
    kept = _first_after(made, *ends["rulings"], quiet)
    broken = np.minimum(*(_first_after(made, *ends[name]) for name in ("disputes", "chargebacks")))
    kept = np.where(broken <= kept, NOT_YET, kept)
    order, ones, none = np.arange(bg.orders), _ones(bg.orders), np.zeros(bg.orders, np.int64)
    return _in_order(
        np.append(kept, broken),
        np.append(order, order),
        {"kept": np.append(ones, none), "broken": np.append(none, ones)},
    )


def _first_after(since: Int, at: Int, order: Int, marked: Flag | None = None) -> Int:
    """The first of the facts about each order after a moment of that order."""
    later = at > since[order]
    return first_at(order, at, since.size - 1, later if marked is None else later & marked)


def _standing(known: Int, undone: Int, order: Int, columns: Mapping[str, Int]) -> Stream:
    """Facts as they stand within each window: they enter when known, and leave when undone or by age.

    `columns` say how much each fact is worth; sums have a window's word at their end.
    """
    leaves = {w: np.minimum(undone, known + EDGES[w]) if EDGES[w] else undone for w in SLOW}
    return _entered(known, leaves, order, {name: dict.fromkeys(SLOW, worth) for name, worth in columns.items()})


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
    return _in_order(np.concatenate([known, *leaves.values()]), np.tile(order, times), sums, case)


def _inside(at: Int, known: Int, edge: int) -> Int:
    """1 where a fact is within the window still when it is taken back."""
    return _ones(at.size) if edge == 0 else (at + edge > known).astype(np.int64)


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
    return _standing(at[turns], until, order, {"malicious": malicious, "honest": 1 - malicious})


def _faked(bg: Background) -> Stream:
    """Orders with a seller found to fake transactions: they count no more as good history."""
    order = np.arange(bg.orders)
    return _undone(bg.facts("orders").at, bg.faked_at[bg.codes("seller_id")[:-1]], order, "orders")


def _spoilt(bg: Background) -> Stream:
    """Orders that are no good history any more: cancelled but by the platform, charged back, or with a faker of orders."""
    spoilt = bg.faked_at[bg.codes("seller_id")[:-1]]
    for table in ("cancellations", "chargebacks"):
        if table in bg.ledger.facts:
            facts = bg.facts(table)
            marked = ~is_word(facts.codes("party"), "platform") if table == "cancellations" else None
            spoilt = np.minimum(spoilt, first_at(facts.points["orders"], facts.at, bg.orders, marked))
    return _undone(bg.facts("orders").at, spoilt, np.arange(bg.orders), "orders")


def _excused(bg: Background) -> Stream:
    """Disputes whose seller was found guilty since."""
    at, order = bg.facts("disputes").at, order_rows(bg.ledger, "disputes")
    case = np.arange(at.size) if bg.asked == "disputes" else None
    return _undone(at, bg.guilty_after(order, at), order, "disputes", case)


def _refusals(bg: Background) -> Stream:
    """Disputes as they stand refused: until another ruling, or until their seller is found guilty."""
    facts = bg.facts("rulings")
    dispute, at = facts.points["disputes"], facts.at
    refused = is_word(facts.codes("outcome"), "refused").astype(np.int64)
    rows = np.lexsort((at, dispute))
    new = np.diff(dispute[rows], prepend=-1) != 0
    turns, until = _until(dispute, at, rows[new | (np.diff(refused[rows], prepend=-1) != 0)])
    marks = refused[turns] == 1
    order = order_rows(bg.ledger, "rulings")[turns[marks]]
    known = at[turns[marks]]
    undone = np.minimum(until[marks], bg.guilty_after(order, known))
    return _standing(known, undone, order, {"refused": _ones(known.size)})


def _until(whose: Int, at: Int, turns: Int) -> tuple[Int, Int]:
    """Turns, sorted by whose they are and by moment, with the moment at which the next of the same takes over."""
    last = np.append(np.diff(whose[turns]) != 0, True)[: turns.size]
    return turns, np.where(last, NOT_YET, np.append(at[turns][1:], NOT_YET)[: turns.size])


def _upheld_reports(bg: Background) -> Stream:
    """Reports as they stand upheld, until the seller who reported is found guilty."""
    facts = bg.facts("report_rulings")
    rows = np.flatnonzero(is_true(facts, "upheld"))
    order, at = order_rows(bg.ledger, "report_rulings")[rows], facts.at[rows]
    return _standing(at, bg.guilty_after(order, at), order, {"upheld": _ones(rows.size)})


def _exhibits(bg: Background) -> Stream:
    """Evidence about the asked row or its order, as each case has it; what is filed with a defence is known with it."""
    evidence, asked = bg.facts("evidence"), bg.asked
    rows, case = _each(bg, evidence.points["orders"])
    at = evidence.at[rows]
    if asked != "orders":
        own = evidence.points[asked]
        mine = np.flatnonzero(own >= 0)
        rows, case = np.append(rows, mine), np.append(case, own[mine])
        at = np.append(at, evidence.at[mine] - (_filed(bg, mine, own[mine]) if asked == "chargebacks" else 0))
    sort = np.argsort(at, kind="stable")
    return Stream(at[sort], bg.asked_orders[case[sort]], case[sort], evidence, rows[sort], made_of(bg, "evidence"))


def _filed(bg: Background, rows: Int, chargeback: Int) -> Int:
    """1 where evidence came with a representment of its chargeback, for it counts as filed with it."""
    if "representments" not in bg.ledger.facts:
        return np.zeros(rows.size, np.int64)
    defences = bg.facts("representments")
    filed = pd.MultiIndex.from_arrays([defences.points["chargebacks"], defences.at])
    return pd.MultiIndex.from_arrays([chargeback, bg.facts("evidence").at[rows]]).isin(filed).astype(np.int64)


def _each(bg: Background, of_order: Int) -> tuple[Int, Int]:
    """Evidence rows about orders, once for every asked row about the order: positions and rows of the asked table."""
    asked = np.argsort(bg.asked_orders, kind="stable")
    orders = bg.asked_orders[asked]
    rows = np.flatnonzero(of_order >= 0)
    lo, hi = (np.searchsorted(orders, of_order[rows], side) for side in ("left", "right"))
    pair, where = positions(lo, hi)
    return rows[pair], asked[where]


DERIVED: Final[Mapping[str, Derived]] = {
    "matured_orders": Derived(("orders", "chargebacks"), _matured),
    "rulings": Derived(("disputes", "rulings"), _rulings),
    "endings": Derived(("chargebacks", "chargeback_rulings"), _endings),
    "deliveries": Derived(
        ("orders", "scans"),
        _deliveries,
        ("scans.happened_at",),
        columns=dict.fromkeys(("late", "lateness", "past_promised", "promised"), ("orders.promised_at",)),
    ),
    "inquiries": Derived(("messages",), _threads(answered=False)),
    "answers": Derived(("messages",), _threads(answered=True)),
    "agreements": Derived(("messages", "disputes", "rulings", "chargebacks"), _agreements),
    "findings": Derived(("disputes", "findings"), findings),
    "refusals": Derived(("disputes", "rulings"), _refusals, GUILT),
    "upheld_reports": Derived(("reports", "report_rulings"), _upheld_reports, GUILT),
    "faked": Derived(("blocks", "blocks.cause", "releases"), _faked, NAMES["blocks"]),
    "spoilt": Derived(("orders",), _spoilt, SPOILT),
    "excused_disputes": Derived(("disputes",), _excused, GUILT),
    "exhibits": Derived(
        ("evidence",),
        _exhibits,
        ("representments", "disputes", "chargebacks"),
        {"disputes": ("disputes",), "chargebacks": ("chargebacks",)},
    ),
}
"""Derived streams by name."""
