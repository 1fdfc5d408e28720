"""Columns that a table does not have, made for each of its rows from that row, what it points to, and what was known before.

A made column looks at nothing that was learnt after its row, so whoever may see the row may see the column.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numba import njit

from features.background import NOT_YET, Background, first_at, first_rows, is_true, is_word, moments, order_rows
from features.kernel import Code, Flag, Int, group, windowed
from features.tables import PARTIES

Numbers = tuple[Int, Flag]
"""Values (n,) and where they are known."""

SATURATED: Final = 1_000_000
"""Whole major units above which an amount counts no more in a sum of squares."""
STAGES: Final = {"accepted": 0, "in_transit": 1, "customs": 1, "out_for_delivery": 2, "delivered": 3}
"""How far a parcel has come at each kind of scan; the other kinds say nothing of that."""
RECORD: Final = 1_000_000
"""A reporter's record is in millionths."""


@dataclass(frozen=True)
class Made:
    """A made column: what it needs besides its own table, how it is made, and what it `uses` where a ledger has it."""

    needs: tuple[str, ...]
    make: Callable[[Background], Numbers]
    uses: tuple[str, ...] = ()


def _all_known(values: Int | Flag) -> Numbers:
    return values.astype(np.int64), np.ones(values.size, np.bool_)


def _major(bg: Background) -> Int:
    return np.minimum(bg.facts("orders").numbers("amount")[0] // 100, SATURATED)


def _first_of_pair(bg: Background) -> Flag:
    """Where an order is its buyer's first with its seller, or of the moment of the first."""
    buyer, seller = bg.codes("buyer_id"), bg.codes("seller_id")
    at, pairs = bg.facts("orders").at, buyer.astype(np.int64) * (int(seller.max(initial=0)) + 1) + seller
    codes, found = np.unique(np.where((buyer < 0) | (seller < 0), -1, pairs)[:-1], return_inverse=True)
    first = np.full(codes.size, NOT_YET)
    np.minimum.at(first, found, at)
    return np.asarray((codes[found] >= 0) & (at == first[found]), np.bool_)


def _first_of_order(bg: Background) -> Flag:
    """Where a dispute is the first of its order."""
    order = order_rows(bg.ledger, "disputes")
    first = np.zeros(order.size, np.bool_)
    first[first_rows(order, bg.orders)] = True
    return first


def _first_orders(bg: Background) -> Numbers:
    pair = np.append(_first_of_pair(bg), False)[order_rows(bg.ledger, "disputes")]
    return _all_known(_first_of_order(bg) & pair)


def _order_amount(bg: Background) -> Numbers:
    """The order's amount, at its first dispute alone."""
    cents, known = bg.facts("orders").numbers("amount")
    order = order_rows(bg.ledger, "disputes")
    counts = _first_of_order(bg) & np.append(known, False)[order]
    return np.where(counts, np.append(cents, 0)[order], 0), counts


def _since_delivery(bg: Background) -> Numbers:
    """Time from the first delivery, if it was known by then, to the dispute."""
    facts, order = bg.facts("disputes"), order_rows(bg.ledger, "disputes")
    known = bg.delivered_at[order] < facts.at
    return np.where(known, facts.at - np.where(known, bg.delivered[order], 0), 0), np.asarray(known, np.bool_)


def _after_refund(bg: Background, *initiators: str) -> Numbers:
    refunds = bg.facts("refunds")
    marked = is_word(refunds.codes("initiator"), *initiators) if initiators else None
    paid = np.append(first_at(refunds.points["orders"], refunds.at, bg.orders, marked), NOT_YET)
    charged = bg.facts("chargebacks")
    return _all_known(paid[charged.points["orders"]] < charged.at)


def _record(bg: Background) -> Numbers:
    """The share of the reporter's judged reports that were upheld, one of two added, as known when he reported again."""
    reports, judged = bg.facts("reports"), bg.facts("report_rulings")
    seller = bg.codes("seller_id")
    of_judged = seller[order_rows(bg.ledger, "report_rulings")]
    upheld = is_true(judged, "upheld").astype(np.int64)
    known = judged.numbers("upheld")[1].astype(np.int64)
    asked = seller[reports.points["orders"]]
    found = windowed(judged.at, of_judged, [upheld, known], asked, reports.at, [0]).windows[0]
    return _all_known((found[0] + 1) * RECORD // (found[1] + 2))


def _new_parcel(bg: Background) -> Numbers:
    """1 for the first row of each parcel of an order, told apart by its tracking number."""
    facts = bg.facts("shipments")
    parcels = pd.DataFrame(
        {"order": facts.points["orders"], "tracking": facts.codes("tracking_id").codes, "at": facts.at}
    )
    return _all_known(~parcels.duplicated(["order", "tracking"]).to_numpy())


def _since_order(bg: Background) -> Numbers:
    """Time from payment to the shipment."""
    facts = bg.facts("shipments")
    return _all_known(facts.at - bg.order_at[facts.points["orders"]])


def _backwards(bg: Background) -> Numbers:
    """1 where a scan says the parcel is not as far as one said that was known before and is of an earlier moment."""
    scans = bg.facts("scans")
    kinds = scans.codes("kind")
    stages = np.array([*(STAGES.get(str(kind), -1) for kind in kinds.values.to_pylist()), -1])[kinds.codes]
    by, start = group(scans.points["orders"].astype(np.int32), bg.orders)
    return _all_known(_fallen(by, start, scans.at, moments(scans), stages))


@njit(cache=True, nogil=True)
def _fallen(by: Code, start: Int, at: Int, moment: Int, stage: Int) -> Int:
    """1 where a stage is below that of another fact of its group that was known before and is of an earlier moment."""
    found = np.zeros(at.size, np.int64)
    for g in range(start.size - 1):
        for i in by[start[g] : start[g + 1]]:
            for j in by[start[g] : start[g + 1]]:
                if at[j] < at[i] and moment[j] < moment[i] and 0 <= stage[i] < stage[j]:
                    found[i] = 1
    return found


def _reused(bg: Background) -> Numbers:
    """1 where the same party had brought the same content about another order before."""
    evidence = bg.facts("evidence")
    content, party = evidence.codes("content_hash"), evidence.codes("party")
    theirs = content.codes.astype(np.int64) * len(PARTIES) + party.codes
    codes = np.where((content.codes < 0) | (party.codes < 0), -1, theirs).astype(np.int32)
    order = order_rows(bg.ledger, "evidence")
    return _all_known(_shown_before(codes, order, evidence.at, len(content.values) * len(PARTIES)))


@njit(cache=True, nogil=True)
def _shown_before(content: Code, order: Int, at: Int, contents: int) -> Int:
    """1 where another order had the content at a strictly earlier moment; facts in time order."""
    first, other = np.full(contents, -1), np.full(contents, -1)
    found = np.zeros(content.size, np.int64)
    for i in range(content.size):
        c = content[i]
        if c < 0 or order[i] < 0:
            continue
        if first[c] < 0:
            first[c] = i
        elif other[c] < 0 and order[first[c]] != order[i]:
            other[c] = i
        before = first[c] if order[first[c]] != order[i] else other[c]
        found[i] = before >= 0 and at[before] < at[i]
    return found


def _before_order(bg: Background) -> Numbers:
    """1 where evidence was made before the order was paid; unknown when it was made, 0."""
    happened, known = bg.facts("evidence").numbers("happened_at")
    return _all_known(known & (happened < bg.order_at[order_rows(bg.ledger, "evidence")]))


def _from_the_future(table: str) -> Made:
    """1 where a row says it happened after the platform had learnt it."""

    def make(bg: Background) -> Numbers:
        happened, known = bg.facts(table).numbers("happened_at")
        return _all_known(known & (happened > bg.facts(table).at))

    return Made((f"{table}.happened_at",), make)


def _version(bg: Background) -> Numbers:
    """1 for the first version of a product's page, 2 for the next."""
    codes, at = bg.facts("listings").codes("product_id").codes, bg.facts("listings").at
    found = windowed(at, codes, [np.ones(at.size, np.int64)], codes, at + 1, [0])
    return _all_known(found.windows[0, 0])


def _of_block(column: str, *words: str) -> Made:
    """1 where the block that a release ends says one of `words`."""

    def make(bg: Background) -> Numbers:
        marked = np.append(is_word(bg.facts("blocks").codes(column), *words), False)
        return _all_known(marked[bg.facts("releases").points["blocks"]])

    return Made(("blocks",) + ((f"blocks.{column}",) if column == "cause" else ()), make)


MADE: Final[Mapping[str, Mapping[str, Made]]] = {
    "orders": {
        "major": Made((), lambda bg: _all_known(_major(bg))),
        "major_squared": Made((), lambda bg: _all_known(_major(bg) ** 2)),
    },
    "disputes": {
        "first_orders": Made((), _first_orders),
        "order_amount": Made((), _order_amount),
        "since_delivery": Made(("scans",), _since_delivery, ("scans.happened_at",)),
    },
    "chargebacks": {
        "after_refund": Made(("refunds",), _after_refund),
        "after_sellers_refund": Made(("refunds", "refunds.initiator"), lambda bg: _after_refund(bg, "seller")),
    },
    "reports": {"record": Made(("report_rulings",), _record)},
    "shipments": {
        "since_order": Made((), _since_order),
        "new_parcel": Made(("shipments.tracking_id",), _new_parcel),
    },
    "scans": {"backwards": Made((), _backwards, ("scans.happened_at",)), "from_future": _from_the_future("scans")},
    "evidence": {
        "reused": Made(("evidence.content_hash",), _reused),
        "before_order": Made(("evidence.happened_at",), _before_order),
        "from_future": _from_the_future("evidence"),
    },
    "listings": {"version": Made((), _version)},
    "releases": {
        "of_integrity": _of_block("kind", "seller_integrity"),
        "of_faking": _of_block("cause", "false_transactions"),
    },
}
"""Made columns by table and name."""
