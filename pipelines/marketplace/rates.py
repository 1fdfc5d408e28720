"""Rates of a simulated marketplace, each measured on what happened by its end, beside the range that is known of life."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.kernel import DAY, Flag, Int
from features.signal import Float
from features.streams import NOT_YET
from features.tables import REASONS
from pipelines.marketplace.banks import LOST, NO_RESPONSE, PART, WITHDRAWN, WON
from pipelines.marketplace.banks import PRE_ARBITRATION as MOVED
from pipelines.marketplace.draws import end, turn
from pipelines.marketplace.events import Events
from pipelines.marketplace.parcels import FAULTY
from pipelines.marketplace.people import RING
from pipelines.marketplace.platform import RISK_ADDRESS
from pipelines.marketplace.winning import FAMILIES

Measure = Callable[[Events], Float | Flag]
"""The things that a rate is the mean, or the median, of."""


@dataclass(frozen=True)
class Rate:
    """A rate: what it is, the range that is known of life and where from, and the things measured, one each."""

    name: str
    says: str
    low: float
    high: float
    source: str
    of: Measure
    median: bool = False
    percent: bool = True

    def measured(self, it: Events) -> tuple[float, int]:
        """The rate and how many things it rests on; NaN when there are none."""
        found = np.asarray(self.of(it), np.float64)
        if not len(found):
            return float("nan"), 0
        return float(np.median(found) if self.median else np.mean(found)), len(found)


def _orders_with(rows: Callable[[Events], Int]) -> Measure:
    def of(it: Events) -> Flag:
        met = np.zeros(len(it.trade.bought), np.bool_)
        met[rows(it)] = True
        return met

    return of


def _filed(it: Events) -> Int:
    """Chargebacks contested before the end."""
    return np.flatnonzero(it.charges.done.filed < end(it.parameters))


def final(it: Events) -> Int:
    """How each chargeback first ended before the ledger's end, a position in ENDINGS, -1 where it has not."""
    ended = it.charges.ended
    rows = np.flatnonzero((ended.outcome != MOVED) & (ended.at < end(it.parameters)))[::-1]
    outcome = np.full(len(it.charges.charged), -1)
    outcome[ended.chargeback[rows]] = ended.outcome[rows]
    return outcome


def _won(it: Events, which: Flag | None = None) -> Flag:
    """Of contested chargebacks that ended and weren't withdrawn, which are won."""
    outcome, filed = final(it), it.charges.done.filed < NOT_YET
    some = filed & (outcome >= 0) & (outcome != WITHDRAWN)
    return np.asarray(outcome[some if which is None else some & which] == WON)


def compelling(it: Events) -> Flag:
    """Which defences hold Compelling Evidence or First-Party Trust that the rules of the day accept."""
    done = it.charges.done
    fraud = done.cases.family == FAMILIES.index("fraud")
    ruled = (done.cases.network == 0) | (done.cases.at >= it.charges.mechanism.turn)
    from features.tables import EVIDENCE

    return fraud & ruled & done.cases.eligible & done.items[:, EVIDENCE.index("identity_match")]


def _ended(it: Events) -> Int:
    outcome = final(it)
    return outcome[(outcome >= 0) & (outcome != WITHDRAWN)]


def _respond_days(network: int) -> Measure:
    def of(it: Events) -> Float:
        charged = it.charges.charged
        some = (charged.network == network) & ((network != 0) | (charged.at < turn(it.parameters)))
        return (charged.respond_by - charged.at)[some] / DAY

    return of


def _decision_days(it: Events) -> Float:
    done, ended = it.charges.done, it.charges.ended
    rows = np.flatnonzero((ended.outcome != MOVED) & (done.filed[ended.chargeback] < NOT_YET))
    first = rows[np.unique(ended.chargeback[rows], return_index=True)[1]]
    case = ended.chargeback[first]
    old = it.charges.charged.at[case] < end(it.parameters) - 130 * DAY  # young ones are known only when quick
    return ((ended.at[first] - done.filed[case]) / DAY)[old]


def _not_as_described(it: Events) -> Flag:
    opened = it.quarrels.opened
    return opened.cause[opened.reason == REASONS.index("not_as_described")] == FAULTY


def _money_charged(it: Events) -> Float:
    """Share of the money of all orders that is charged back, as one number."""
    charged, bought = it.charges.charged, it.trade.bought
    return np.array([charged.amount.sum() / max(1, bought.amount.sum())]) if len(charged) else np.zeros(0)


def _closing_hours(it: Events) -> Float:
    held = it.blocks
    some = held.kind == RISK_ADDRESS
    return (held.released - held.at)[some] / DAY * 24


INDUSTRY: Final = "industry reports, uncertain"
FED: Final = "Kansas City Fed 2016"
RATES: Final = (
    Rate("disputes", "orders disputed", 0.01, 0.05, INDUSTRY, _orders_with(lambda it: it.quarrels.opened.order)),
    Rate(
        "chargebacks", "orders charged back", 0.0002, 0.006, INDUSTRY, _orders_with(lambda it: it.charges.charged.order)
    ),
    Rate("chargebacks_money", "money of orders charged back", 0.0002, 0.01, FED + ": 6.5 in 10,000", _money_charged),
    Rate("malicious_disputes", "disputes in bad faith", 0.05, 0.25, INDUSTRY, lambda it: it.quarrels.opened.malicious),
    Rate(
        "malicious_chargebacks",
        "chargebacks in bad faith",
        0.25,
        0.6,
        INDUSTRY,
        lambda it: np.isin(it.charges.charged.cause, (12, 13, 14)),
    ),
    Rate("fraud_coded", "chargebacks that say it was not me", 0.35, 0.65, FED + ": half", lambda it: it.charges.done.cases.family == 0),
    Rate("contested", "chargebacks contested", 0.4, 0.6, INDUSTRY + ": about a half", lambda it: it.charges.done.filed < NOT_YET),
    Rate("won", "contested chargebacks won", 0.2, 0.45, INDUSTRY, _won),
    Rate("won_compelling", "of these with Compelling Evidence, won", 0.7, 0.9, INDUSTRY, lambda it: _won(it, compelling(it))),
    Rate(
        "merchant_loses",
        "chargebacks that end as the merchant's loss",
        0.7,
        0.85,
        FED + ": 0.7 to 0.8",
        lambda it: np.isin(_ended(it), (LOST, PART, 3, NO_RESPONSE)),
    ),
    Rate(
        "dispute_days",
        "days from order to dispute",
        20,
        30,
        INDUSTRY,
        lambda it: (it.quarrels.opened.at - it.trade.bought.at[it.quarrels.opened.order]) / DAY,
        median=True,
        percent=False,
    ),
    Rate("decision_days", "days from representment to the issuer's ending", 55, 75, "networks", _decision_days, median=True, percent=False),
    Rate(
        "answer_days",
        "days from chargeback to representment",
        7,
        21,
        "networks",
        lambda it: (it.charges.done.filed - it.charges.charged.at)[_filed(it)] / DAY,
        median=True,
        percent=False,
    ),
    Rate("visa_days", "days Visa gives for a response, before the change", 30, 30, "secondary sources", _respond_days(0), True, False),
    Rate("mastercard_days", "days Mastercard gives for a response", 45, 45, "secondary sources", _respond_days(1), True, False),
    Rate("risk_address_hours", "hours until a risky address's block is closed", 0, 24, "platform rules", _closing_hours, True, False),
    Rate("faulty_products", "products that are faulty", 0.01, 0.03, INDUSTRY, lambda it: it.trade.what.faulty),
    Rate("faulty_of_not_as_described", "of disputes not as described, those about faulty products", 0.3, 0.5, INDUSTRY, _not_as_described),
    Rate("ring_buyers", "accounts in rings", 0.005, 0.01, INDUSTRY, lambda it: it.trade.folk.spirit == RING),
)
"""What is known of life, and how it is measured here."""
