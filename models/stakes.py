"""What is at stake in a chargeback: what each action is worth in cents, and from which win probability one contests.

Money is the seller's, and what is lost already is not counted: to accept is worth 0. The fee that a chargeback costs on
arrival is paid whatever the answer, so it counts for none.
"""

from dataclasses import dataclass
from math import nan
from typing import Final

from features.codes import CODES
from features.evidence import RULES
from features.kernel import DAY
from models.deadlines import moment
from models.loss import FEES
from models.sections import number

_WINDOWS: Final = (
    "Chargeflow, network timelines (2026), a vendor; processors leave 7 to 21 days, so a respond_by that is known wins"
)
_COUNTED: Final = (
    "Stripe, monitoring programmes (2026): counted whatever came of it; only what was resolved before it came is not"
)


@dataclass(frozen=True)
class Answering:
    """What is assumed of answering chargebacks; the section `chargebacks` of a policy."""

    handling: int = number(1_300, "cents", "work on one defence", "a vendor: about 40 minutes a case")
    offer_handling: int = number(400, "cents", "work on one offer to the buyer")
    offered: float = number(0.5, "share", "of the amount, left to the buyer in a settlement")
    agreeing: float = number(0.3, "share", "of buyers, who agree to that and have their bank withdraw")
    won_counts: float = number(1.0, "share", "of chargebacks won, that still count in a network's programme", _COUNTED)
    settled_counts: float = number(1.0, "share", "of chargebacks settled, that still count in it", _COUNTED)
    visa: float = number(30.0, "days", "from a chargeback to its deadline with Visa", _WINDOWS)
    mastercard: float = number(45.0, "days", "from a chargeback to its deadline with Mastercard", _WINDOWS)
    other: float = number(20.0, "days", "from a chargeback to its deadline with others", f"the shortest; {_WINDOWS}")
    margin: float = number(48.0, "hours", "before a deadline, by which an answer is ready")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A chargeback as it is known at `at`; the platform learnt of it at `charged_at`, cents and microseconds.

    `notice`: a shipment with a tracking_id was declared. `evidence` are the kinds that are there, `dispute` the reason of a
    dispute about the order, `obtaining` what evidence for a defence has yet to cost in cents, `contested` says that a defence
    was filed, `ended` that the bank has ruled, `compelling` that prior transactions qualify for Compelling Evidence 3.0.
    """

    chargeback_id: str
    order_id: str | None
    at: int
    charged_at: int
    amount: int | None
    network: str | None = None
    reason_code: str | None = None
    respond_by: int | None = None
    notice: bool = False
    evidence: tuple[str, ...] = ()
    dispute: str | None = None
    obtaining: int = 0
    contested: bool = False
    ended: bool = False
    compelling: bool = False

    @property
    def theft(self) -> bool:
        """Whether the bank's reason is that a card was stolen or used by another."""
        return self.reason_code in CODES["fraud"]


def worth(case: Case, p: float, answering: Answering, marginal: float = 0.0) -> dict[str, float]:
    """Expected cents of each action at a win probability `p`; NaN where `p` or the amount is not known.

    To contest is p × (amount + fee that comes back) − fee − handling − evidence. Where the platform files, waiting spares the
    handling; where it does not, no answer is a loss. An ending that takes the case off a programme's count is worth its
    marginal cost.

    >>> case = Case(chargeback_id="c", order_id="o", at=0, charged_at=0, amount=10_000, reason_code="13.1")
    >>> worth(case, 0.5, Answering(handling=1_000, offer_handling=400, offered=0.5, agreeing=0.25))
    {'wait': 0.0, 'contest': 4000.0, 'settle': 850.0, 'accept': 0.0}
    """
    cents = nan if case.amount is None else float(case.amount)
    filed = p * _won(case, cents, answering, marginal) - fee(case.at, "contested_share") - case.obtaining
    saved = (1 - answering.offered) * cents + (1 - answering.settled_counts) * marginal
    return {
        "wait": filed if case.theft and case.notice else 0.0,
        "contest": filed - answering.handling,
        "settle": answering.agreeing * saved - answering.offer_handling,
        "accept": 0.0,
    }


def break_even(case: Case, answering: Answering, marginal: float = 0.0) -> float | None:
    """The win probability at which contesting is worth nothing, (fee + handling + evidence) / (amount + fee that comes back).

    None where that is not below 1 or the amount is not known.

    >>> case = Case(chargeback_id="c", order_id="o", at=0, charged_at=0, amount=10_000)
    >>> break_even(case, Answering(handling=1_000)), break_even(case, Answering(handling=10_000))
    (0.1, None)
    """
    won = 0.0 if case.amount is None else _won(case, case.amount, answering, marginal)
    spent = fee(case.at, "contested_share") + answering.handling + case.obtaining
    return spent / won if won > spent else None


def due(answering: Answering, came: int, network: str | None, respond_by: int | None) -> tuple[int, str]:
    """The moment until which a chargeback may be answered, and the field that says so: the bank's date, else the window.

    >>> due(Answering(visa=2.0), 0, "visa", None), due(Answering(), 0, "visa", 5)
    ((172800000000, 'chargebacks.visa of the policy, 2 days'), (5, 'chargebacks.respond_by'))
    """
    if respond_by is not None:
        return respond_by, "chargebacks.respond_by"
    name = network if network in ("visa", "mastercard") else "other"
    days = float(getattr(answering, name))
    return came + round(days * DAY), f"chargebacks.{name} of the policy, {days:g} days"


def lacking(case: Case) -> dict[str, tuple[str, ...]]:
    """The items that each set of evidence lacks that the bank's reason asks for; of several, those of the dispute's reason.

    >>> shipped = ("tracking", "delivery_certificate")
    >>> lacking(Case(chargeback_id="c", order_id="o", at=0, charged_at=0, amount=1, reason_code="10.4", evidence=shipped))
    {'delivery': (), 'identity': ('identity_match',)}
    """
    asked = [rule for rule in RULES if case.reason_code in rule.codes]
    asked = [rule for rule in asked if case.dispute in rule.reasons] or asked
    return {rule.name: tuple(item for item in rule.items if item not in case.evidence) for rule in asked}


def fee(at: int, share: str) -> int:
    """The fees of a day that fall due with a `share`, in cents; what comes back is below 0.

    >>> [fee(day * 86_400_000_000, "contested_share") for day in (20_255, 20_256)]  # 2025-06-16 and the next day
    [0, 1500]
    """
    return sum(one.cents for one in FEES if one.share == share and one.since <= moment(at))


def _won(case: Case, cents: float, answering: Answering, marginal: float) -> float:
    """What a defence that wins brings: the amount, the fee that comes back, and what no longer counts in a programme.

    Fraud reports answered by Compelling Evidence 3.0 leave Visa's count (Stripe, monitoring programmes, 2026).
    """
    counts = 0.0 if case.compelling and case.reason_code == "10.4" else answering.won_counts
    return cents - fee(case.at, "win_share") + (1 - counts) * marginal
