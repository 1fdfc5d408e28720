"""Streams that are no table: facts that several rows make together, each at the moment when the last of them was learnt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from numba import njit

from features.background import NOT_YET, Background, first_at, first_rows, first_rulings, is_ending, is_word, order_rows
from features.kernel import Flag, Int, positions
from features.standing import GUILT, SPOILT, excused, faked, findings, refusals, spoilt, upheld_reports
from features.stream import NAMES, Stream, case_of, in_order, made_of


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


def _matured(bg: Background) -> Stream:
    """Orders as they mature: at `orders.at + horizon` it is known of each whether a chargeback came in time."""
    at = bg.facts("orders").at
    charges = bg.facts("chargebacks")
    charged = first_at(charges.points["orders"], charges.at, at.size) <= at + bg.horizon
    return in_order(
        at + bg.horizon,
        np.arange(at.size),
        {"count": np.ones(at.size, np.int64)}
        | {name: flag.astype(np.int64) for name, flag in {"charged": charged, "uncharged": ~charged}.items()},
    )


def _rulings(bg: Background) -> Stream:
    """The first ruling of each dispute."""
    rows, granted, refused = first_rulings(bg.ledger)
    flags = {"decided": granted | refused, "granted": granted, "refused": refused}
    sums = {name: flag.astype(np.int64) for name, flag in flags.items()}
    order, case = order_rows(bg.ledger, "rulings")[rows], case_of(bg, "rulings", rows)
    return in_order(bg.facts("rulings").at[rows], order, sums, case)


def _endings(bg: Background) -> Stream:
    """The first ending of each chargeback, which pre-arbitration is not."""
    facts = bg.facts("chargeback_rulings")
    outcome = facts.codes("outcome")
    ended = np.flatnonzero(is_ending(outcome))
    rows = ended[first_rows(facts.points["chargebacks"][ended], len(bg.facts("chargebacks")))]
    sums = {"count": np.ones(rows.size, np.int64)}
    against = is_word(outcome, "lost", "partial", "accepted", "no_response")
    sums |= {"won": is_word(outcome, "won")[rows].astype(np.int64), "lost": against[rows].astype(np.int64)}
    order, case = order_rows(bg.ledger, "chargeback_rulings")[rows], case_of(bg, "chargeback_rulings", rows)
    return in_order(facts.at[rows], order, sums, case)


def _deliveries(bg: Background) -> Stream:
    """The first delivery known of each order: when it happened, and how long after payment and after the promised date."""
    moment = bg.delivered[:-1]
    promised, told = bg.facts("orders").numbers("promised_at")
    past = np.where(told, moment - promised, 0)
    sums = {"count": np.ones(moment.size, np.int64), "moment": moment, "transit": moment - bg.facts("orders").at}
    sums |= {"late": (past > 0).astype(np.int64), "lateness": np.maximum(past, 0), "past_promised": past}
    sums |= {"promised": told.astype(np.int64)}
    return in_order(bg.delivered_at[:-1], np.arange(moment.size), sums)


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
        sums = {"count": np.ones(which.size, np.int64)} | ({"latency": took[took >= 0]} if answered else {})
        return in_order(facts.at[which], order[which], sums)

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
    order, ones, none = np.arange(bg.orders), np.ones(bg.orders, np.int64), np.zeros(bg.orders, np.int64)
    both = in_order(
        np.append(kept, broken),
        np.append(order, order),
        {"kept": np.append(ones, none), "broken": np.append(none, ones)},
    )
    return replace(both, of_order=True)


def _first_after(since: Int, at: Int, order: Int, marked: Flag | None = None) -> Int:
    """The first of the facts about each order after a moment of that order."""
    later = at > since[order]
    return first_at(order, at, since.size - 1, later if marked is None else later & marked)


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
    "refusals": Derived(("disputes", "rulings"), refusals, (*GUILT, "decisions")),
    "upheld_reports": Derived(("reports", "report_rulings"), upheld_reports, GUILT),
    "faked": Derived(("blocks", "blocks.cause", "releases"), faked, NAMES["blocks"]),
    "spoilt": Derived(("orders",), spoilt, SPOILT),
    "excused_disputes": Derived(("disputes",), excused, GUILT),
    "exhibits": Derived(
        ("evidence",),
        _exhibits,
        ("representments", "disputes", "chargebacks"),
        {"disputes": ("disputes",), "chargebacks": ("chargebacks",)},
    ),
}
"""Derived streams by name."""
