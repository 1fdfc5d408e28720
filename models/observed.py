"""Observed costs: what was seen to be paid after a logged decision about a dispute, as far as a ledger tells.

    cost = money that went back on the order, whoever bore it
         + what the bank took back by chargebacks neither won nor withdrawn, and fees at a policy's price for each
         + work that decisions asked for, at a policy's prices

within so many days after the first decision about a dispute of the order, whose later disputes are part of what followed. No
ledger tells whether a buyer who was refused was honest, what waiting cost him, or which further claims malice that was paid
encouraged. None of these is in the cost; `unpaid`, what of the claim went back in neither way, stands beside it instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from features import Ledger
from features.background import NOT_YET, first_rows, is_word, order_rows
from features.kernel import Flag, Int
from features.tables import ACTIONS as LOGGED
from models.curves import Floats
from models.denominators import states
from models.refunds import ACTIONS, Refunds

NEEDS: Final = ("refunds", "chargebacks", "chargeback_rulings")
"""Tables without which what a decision cost is not known."""
ANSWERS: Final = (*ACTIONS, *(word for word in LOGGED if word not in ACTIONS))
"""What may be logged of a dispute, first what a policy may answer, in its order."""
WORK: Final[Mapping[str, str]] = {"request_evidence": "ask", "review": "review", "return_and_refund": "shipping"}
"""The price of what an answer asks for, by the field of a policy; a request after which nothing was decided is reviewed too."""


@dataclass(frozen=True)
class Logged:
    """Of each order the first decision about a dispute, by moment (n,): rows of tables, place in ANSWERS, propensity.

    An answer that is not known is -1, a propensity that is not known NaN.
    """

    at: Int
    dispute: Int
    order: Int
    action: Int
    propensity: Floats

    def take(self, which: Int | Flag) -> "Logged":
        """Those at the positions `which`."""
        return Logged(*(getattr(self, one.name)[which] for one in fields(self)))


@dataclass(frozen=True)
class Observed:
    """What followed each decision (n,): cents that it cost, cents of the claim left unpaid, and where that is not settled.

    What is not settled counts as the most it may be: a chargeback that has not ended as lost, an unknown amount as the claim.
    """

    cost: Floats
    unpaid: Floats
    unsettled: Flag


def logged(ledger: Ledger) -> Logged:
    """The first decision about a dispute of each order, as the ledger's table `decisions` has them."""
    facts, orders = ledger.facts["decisions"], len(ledger.facts["orders"])
    dispute = _disputes(ledger)
    order = np.append(order_rows(ledger, "disputes"), -1)[dispute]
    rows = first_rows(order, orders)
    action = facts.codes("action")
    place = np.array([*(ANSWERS.index(str(word)) for word in action.values.to_pylist()), -1], np.int64)
    propensity = facts.strings("propensity").to_numpy(zero_copy_only=False).astype(np.float64)
    return Logged(facts.at[rows], dispute[rows], order[rows], place[action.codes[rows]], propensity[rows])


@dataclass(frozen=True)
class _Following:
    """What counts as following: on which order since when (orders + 1,), for how long, and which orders are told."""

    since: Int
    followed: int
    order: Int

    def counts(self, order: Int, at: Int) -> Flag:
        """Which facts (n,) of each order count."""
        return np.asarray((at >= self.since[order]) & (at - self.followed < self.since[order]), np.bool_)

    def total(self, order: Int, at: Int, values: Floats) -> Floats:
        """The sum (n,) of facts of each order that count."""
        counts = self.counts(order, at)
        sums = np.bincount(order[counts], values[counts], len(self.since)).astype(np.float64)
        return np.asarray(sums[self.order], np.float64)


def observed(ledger: Ledger, log: Logged, prices: Refunds, followed: int) -> Observed:
    """What followed each decision within so many microseconds, by all that the ledger knows."""
    since, claim = np.full(len(ledger.facts["orders"]) + 1, NOT_YET), np.zeros(len(ledger.facts["orders"]) + 1)
    since[log.order], claim[log.order] = log.at, ledger.facts["disputes"].numbers("claimed")[0][log.dispute]
    after = _Following(since, followed, log.order)
    back, unknown = _paid_back(ledger, after, claim)
    lost, cases, open_ = _charged_back(ledger, after, claim)
    cost = back + lost + prices.bank_fees * cases + _work(ledger, after, prices)
    return Observed(cost, np.maximum(claim[log.order] - back - lost, 0), (unknown > 0) | (open_ > 0))


def _paid_back(ledger: Ledger, after: _Following, claim: Floats) -> tuple[Floats, Floats]:
    """Cents that went back but by the bank, and how many refunds are of an unknown amount."""
    facts = ledger.facts["refunds"]
    order, (cents, known) = facts.points["orders"], facts.numbers("amount")
    bank = is_word(facts.codes("funded_by"), "issuer")
    paid = after.total(order, facts.at, np.where(bank, 0.0, np.where(known, cents, claim[order])))
    return paid, after.total(order, facts.at, np.where(~bank & ~known, 1.0, 0.0))


def _charged_back(ledger: Ledger, after: _Following, claim: Floats) -> tuple[Floats, Floats, Floats]:
    """Cents that banks took back, in full where they did in part, which no ledger tells; cases; those that are not settled."""
    facts, bank = ledger.facts["chargebacks"], states(ledger, NOT_YET)
    order, amount = facts.points["orders"], bank["amount"].to_numpy(np.float64)
    known = np.isfinite(amount)
    kept = (bank["won"] | bank["withdrawn"]).to_numpy(np.bool_)
    lost = np.where(kept, 0.0, np.where(known, amount, claim[order]))
    unsettled = ~kept & ~(known & bank["ended"].to_numpy(np.bool_))
    return (
        after.total(order, facts.at, lost),
        after.total(order, facts.at, np.ones(len(facts))),
        after.total(order, facts.at, np.where(unsettled, 1.0, 0.0)),
    )


def _work(ledger: Ledger, after: _Following, prices: Refunds) -> Floats:
    """What decisions about disputes of each order asked for, and the review where evidence was asked for last."""
    facts = ledger.facts["decisions"]
    dispute, action = _disputes(ledger), facts.codes("action")
    order = np.append(order_rows(ledger, "disputes"), -1)[dispute]
    words = [str(word) for word in action.values.to_pylist()]
    price = np.array([*(float(getattr(prices, WORK[word])) if word in WORK else 0.0 for word in words), 0.0])
    last = np.full(len(after.since), -1, np.int64)
    counts = after.counts(order, facts.at)
    last[order[counts]] = np.flatnonzero(counts)  # of several NumPy keeps the last
    asked = np.append(is_word(action, "request_evidence"), False)[last[after.order]]
    return np.asarray(after.total(order, facts.at, price[action.codes]) + prices.review * asked, np.float64)


def _disputes(ledger: Ledger) -> Int:
    """The dispute that each decision is about, -1 where it is about something else."""
    facts = ledger.facts["decisions"]
    return facts.points.get("disputes", np.full(len(facts), -1, np.int64))
