"""Rates of a simulated marketplace, each measured on what happened by its end, beside the range that is known of life."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.background import NOT_YET
from features.kernel import DAY, Flag, Int
from features.signal import Float
from features.tables import EVIDENCE, REASONS
from pipelines.marketplace.draws import end, turn
from pipelines.marketplace.endings import PRE_ARBITRATION, WITHDRAWN, WON
from pipelines.marketplace.events import Events
from pipelines.marketplace.officers import AUTO
from pipelines.marketplace.parcels import FAULTY
from pipelines.marketplace.people import RING
from pipelines.marketplace.platform import RISK_ADDRESS
from pipelines.marketplace.winning import FAMILIES, SETS, accepted

Measure = Callable[[Events], NDArray[Any]]
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
    unit: str = "share"

    def measured(self, it: Events) -> tuple[float, int]:
        """The mean share, or the median of times, and how many things it rests on; NaN when there are none."""
        found = np.asarray(self.of(it), np.float64)
        if not len(found):
            return float("nan"), 0
        return float(np.mean(found) if self.unit == "share" else np.median(found)), len(found)

    def holds(self, number: float) -> bool:
        """Whether a number lies in the range."""
        return self.low <= number <= self.high

    def shown(self, number: float) -> str:
        """A number as it prints."""
        if np.isnan(number):
            return "none"
        return f"{100 * number:.3g} %" if self.unit == "share" else f"{number:.3g} {self.unit}"


def _orders_with(rows: Callable[[Events], Int]) -> Measure:
    def of(it: Events) -> Flag:
        met = np.zeros(len(it.trade.bought), np.bool_)
        met[rows(it)] = True
        return met

    return of


def contested(it: Events) -> Flag:
    """Which chargebacks are contested before the ledger's end."""
    return np.asarray(it.charges.done.filed < end(it.parameters))


def ended(it: Events) -> Int:
    """How each chargeback first ended before the ledger's end, a position in ENDINGS, -1 where it has not."""
    return it.charges.ended.first(len(it.charges.charged), end(it.parameters))


def judged(it: Events) -> Flag:
    """Which chargebacks are contested, have ended, and were not withdrawn: those that win models are judged on."""
    outcome = ended(it)
    return np.asarray(contested(it) & (outcome >= 0) & (outcome != WITHDRAWN))


def compelling(it: Events) -> Flag:
    """Which defences hold Compelling Evidence or First-Party Trust that the rules of the day accept."""
    done = it.charges.done
    fraud, whole = (
        done.cases.family == FAMILIES.index("fraud"),
        next(some for some in SETS if some.name == "compelling"),
    )
    held = done.items[:, [EVIDENCE.index(item) for item in whole.items]].all(axis=1) & done.cases.eligible
    return np.asarray(fraud & held & accepted(it.mechanism, done.cases, whole))


def _won(among: Callable[[Events], Flag]) -> Measure:
    return lambda it: ended(it)[among(it)] == WON


def _known_ends(it: Events) -> Flag:
    outcome = ended(it)
    return np.asarray((outcome >= 0) & (outcome != WITHDRAWN))


def _respond_days(network: int) -> Measure:
    def of(it: Events) -> Float:
        charged = it.charges.charged
        some = (charged.network == network) & ((network != 0) | (charged.at < turn(it.parameters)))
        return np.asarray((charged.respond_by - charged.at)[some] / DAY)

    return of


def _decision_days(it: Events) -> Float:
    """Days from representments to endings, of chargebacks old enough that slow endings are known as well."""
    done, moved = it.charges.done, it.charges.ended
    rows = np.flatnonzero((moved.outcome != PRE_ARBITRATION) & (done.filed[moved.chargeback] < NOT_YET))
    first = rows[np.unique(moved.chargeback[rows], return_index=True)[1]]
    case = moved.chargeback[first]
    old = it.charges.charged.at[case] < end(it.parameters) - 130 * DAY
    return np.asarray(((moved.at[first] - done.filed[case]) / DAY)[old])


def _not_as_described(it: Events) -> Flag:
    opened = it.quarrels.opened
    return np.asarray(opened.cause[opened.reason == REASONS.index("not_as_described")] == FAULTY)


def _money_charged(it: Events) -> Float:
    """Of each order, its money charged back against the mean order's money."""
    charged, bought = it.charges.charged, it.trade.bought
    lost = np.zeros(len(bought))
    lost[charged.order] = charged.amount
    return np.asarray(lost / bought.amount.mean())


def _closing_hours(it: Events) -> Float:
    held = it.blocks
    some = held.kind == RISK_ADDRESS
    return np.asarray((held.released - held.at)[some] / DAY * 24)


def _dispute_days(it: Events) -> Float:
    opened = it.quarrels.opened
    return np.asarray((opened.at - it.trade.bought.at[opened.order]) / DAY)


def _answer_days(it: Events) -> Float:
    return np.asarray((it.charges.done.filed - it.charges.charged.at)[contested(it)] / DAY)


def _ruling_days(it: Events) -> Float:
    ruled, had = it.quarrels.ruled, it.quarrels
    some = ruled.first & (had.decided.action[ruled.dispute] != AUTO)
    return np.asarray((ruled.at - had.opened.at[ruled.dispute])[some] / DAY)


INDUSTRY: Final = "industry reports, uncertain"
FED: Final = "Kansas City Fed 2016"
RATES: Final = (
    Rate("disputes", "orders disputed", 0.01, 0.05, INDUSTRY, _orders_with(lambda it: it.quarrels.opened.order)),
    Rate(
        "chargebacks", "orders charged back", 0.0002, 0.006, INDUSTRY, _orders_with(lambda it: it.charges.charged.order)
    ),
    Rate(
        "chargebacks_money",
        "money of orders charged back",
        0.0002,
        0.01,
        f"as by count; {FED}: 0.065 %",
        _money_charged,
    ),
    Rate("malicious_disputes", "disputes in bad faith", 0.05, 0.25, INDUSTRY, lambda it: it.quarrels.opened.malicious),
    Rate(
        "malicious_chargebacks",
        "chargebacks in bad faith",
        0.25,
        0.6,
        INDUSTRY,
        lambda it: it.charges.charged.malicious,
    ),
    Rate(
        "fraud_coded",
        'chargebacks coded "it was not me"',
        0.35,
        0.65,
        f"{FED}: half",
        lambda it: it.charges.done.cases.family == FAMILIES.index("fraud"),
    ),
    Rate("contested", "chargebacks contested", 0.4, 0.6, INDUSTRY, contested),
    Rate("won", "contested chargebacks won", 0.2, 0.45, INDUSTRY, _won(judged)),
    Rate(
        "won_compelling",
        "with Compelling Evidence, won",
        0.7,
        0.9,
        INDUSTRY,
        _won(lambda it: judged(it) & compelling(it)),
    ),
    Rate(
        "merchant_loses",
        "chargebacks not won in the end",
        0.7,
        0.8,
        FED,
        lambda it: ended(it)[_known_ends(it)] != WON,
    ),
    Rate("faulty_products", "products that are faulty", 0.01, 0.03, INDUSTRY, lambda it: it.trade.what.faulty),
    Rate(
        "faulty_of_not_as_described",
        "disputes not as described that are about them",
        0.3,
        0.5,
        INDUSTRY,
        _not_as_described,
    ),
    Rate("ring_buyers", "accounts in rings", 0.005, 0.01, INDUSTRY, lambda it: it.trade.folk.spirit == RING),
    Rate("dispute_days", "order to dispute", 20, 30, INDUSTRY, _dispute_days, "days"),
    Rate("answer_days", "chargeback to representment", 7, 21, "networks, in practice", _answer_days, "days"),
    Rate("decision_days", "representment to the issuer's ending", 55, 75, "networks", _decision_days, "days"),
    Rate("ruling_days", "dispute to ruling, by officers", 5, 19, "windows of 5, 7 and 7 days", _ruling_days, "days"),
    Rate(
        "visa_days",
        "Visa's window for a response, before it changes",
        30,
        30,
        "secondary sources",
        _respond_days(0),
        "days",
    ),
    Rate("mastercard_days", "Mastercard's window", 45, 45, "secondary sources", _respond_days(1), "days"),
    Rate("risk_address_hours", "until a risky address's block is closed", 0, 24, "the rule", _closing_hours, "hours"),
)
"""What is known of life, and how it is measured here."""
