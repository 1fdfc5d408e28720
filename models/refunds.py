"""After-sales treasure: what to answer a dispute, by what each answer is expected to cost, and by two keys for a refusal.

All costs are linear in the probability m of malice and in the claim. With h = 1 - m and a claim of c cents they are

    paid     = c + repeat m c                                    the money, and further claims that paid malice encourages
    denied   = h (c + wrongful + bank_honest bank_fees)          an honest buyer's claim stays owed, and he was wronged
             + m bank_malicious (bank_lost c + bank_fees)        a malicious buyer may get it from his bank
    judged   = wait days h + (1 - withheld) paid_h + withheld wrongly denied_h + (1 - caught) paid_m + caught denied_m

where paid_h is the part of `paid` that has h, and so on: a person rules on the merits, and part of what an honest buyer asks
for is owed to nobody. A score alone refuses nobody: where refusing is cheapest and the score
speaks for it but nothing confirms it, a person reviews; below that score it is no choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import isnan, nan
from typing import Final

import numpy as np
from numba import njit

from features import RedressError
from features.kernel import Flag, Int
from features.signal import Float
from features.tables import EVIDENCE, REASONS
from models.officers import Officers
from models.sections import bounded, number, words
from models.signs import CONFIRMED
from models.tiers import STANDARD, STEPS, TIERS

ACTIONS: Final = ("refund_full", "refund_partial", "return_and_refund", "request_evidence", "review", "refuse")
"""What may be answered, in the order in which equal costs are resolved: for the buyer first."""
FULL, PARTIAL, RETURN, ASK, REVIEW, REFUSE = range(len(ACTIONS))
WHY: Final[Mapping[str, str]] = {
    "cheapest": "it is expected to cost least",
    "out_of_scope": "the platform does not pay for this reason by itself",
    "unscored": "there is no score, and a decision is never guessed",
    "thin": "too little is known of this case for a score to be relied on",
    "unsure": "refusing would cost least, but the score is below what a refusal needs",
    "unconfirmed": "refusing would cost least, but nothing besides the score confirms it",
    "suspect": "paying would cost least, but the score is above what is paid without a person",
    "beyond": "more is claimed than is left of the order after what was paid back already",
    "tier": "paying would cost least, but the buyer's dispute rules are adjusted",
    "large": "paying would cost least, but the claim is above what is paid without a person",
    "unborne": "paying would cost least, but by the carrier's weight hardly anything of what is claimed lacks",
    "plain": "the model has not shown that it knows more than how common malice is, so the claim alone decides",
    "explored": "the policy now and then tries another answer that harms nobody, and drew this one",
}
"""Why an action was chosen, by code."""
CHEAPEST, OUT_OF_SCOPE, UNSCORED, THIN, UNSURE, UNCONFIRMED, SUSPECT, BEYOND, TIER, LARGE, UNBORNE, PLAIN, EXPLORED = (
    range(len(WHY))
)
_GOODS: Final = ("short_quantity", "not_as_described", "quality", "damaged", "counterfeit", "wrong_item")
_FEES: Final = (
    "Stripe, US dispute fees, $15 when a dispute comes and $15 when it is countered, and $13 of work (vendors)"
)
_OFFICERS: Final = "an assumption, for where training measured nothing"
MEASURED: Final = ("caught", "withheld")
"""What training measures of officers' rulings."""


@dataclass(frozen=True)
class Refunds:
    """What refunds are decided by: what the platform pays for, what each answer costs, and the two keys of a refusal."""

    reasons: tuple[str, ...] = words((*_GOODS, "not_received"), REASONS, "reasons that the platform itself pays for")
    returns: tuple[str, ...] = words(("wrong_item",), REASONS, "reasons for which goods can be sent back")
    keys: tuple[str, ...] = words(
        tuple(CONFIRMED), tuple(CONFIRMED), "confirmed signals that may be a refusal's second key"
    )
    after: float = number(
        24.0, "hours", "how long after a dispute was opened it is answered; buyers attach pictures by then"
    )
    refuse_at: float = number(0.9, "share", "probability of malice from which a refusal has its first key")
    automatic_below: float = number(0.5, "share", "probability of malice below which money is paid without a person")
    automatic_most: int = number(50_000, "cents", "largest claim that is paid without a person")
    explores: float = number(
        0.0, "share", "disputes in which another safe answer is tried, so that policies can be compared"
    )
    repeat: float = number(0.5, "factor", "further claims that a paid malicious claim encourages, as a multiple of it")
    wrongful: int = number(
        2_500, "cents", "what refusing an honest buyer costs beside his claim: trust, and orders to come"
    )
    bank_honest: float = number(0.3, "share", "honest buyers who go to their bank once refused")
    bank_malicious: float = number(0.2, "share", "malicious buyers who go to their bank once refused")
    bank_lost: float = number(0.6, "share", "of a malicious buyer's chargeback, what the bank takes back")
    bank_fees: int = number(4_300, "cents", "fees and work of a chargeback that is contested", _FEES)
    review: int = number(
        1_300, "cents", "a case that a person reviews: 40 minutes", "what vendors say of a dispute, $13"
    )
    review_days: float = number(3.0, "days", "how long a review takes")
    measured: tuple[str, ...] = words(
        MEASURED, MEASURED, "what is as training measured it of officers' rulings, rather than as told here"
    )
    measured_from: int = number(100, "cases", "officers' rulings without which nothing of them counts as measured")
    caught: float = number(0.6, "share", "of malicious claims, what a person does not grant", _OFFICERS)
    withheld: float = number(0.2, "share", "of honest claims, what a person does not grant", _OFFICERS)
    wrongly: float = number(
        0.5, "share", "of what a person withholds from the honest, what was owed nevertheless; the rest was never owed"
    )
    ask: int = number(200, "cents", "a request for evidence")
    ask_days: float = number(5.0, "days", "how long evidence is waited for", "the answer's window on such platforms")
    asked_catches: float = number(
        0.25, "share", "of what a person would grant the malicious, what he does not once evidence was asked for"
    )
    asked_spares: float = number(
        0.2, "share", "of what a person would withhold from the honest, what he grants once evidence was asked for"
    )
    wait: int = number(50, "cents", "what a day of waiting costs an honest buyer")
    shipping: int = number(1_200, "cents", "a return shipment that the platform pays for")
    salvage: float = number(0.3, "share", "of a claim, what goods that come back are worth")
    keeps: float = number(0.3, "share", "malicious buyers who do without a refund rather than send goods back")
    partial_from: float = number(
        0.2, "share", "of a claim, what the weight must bear out for a part of it to be paid without a person"
    )
    weight_error: float = number(0.05, "share", "parcels of which the weight says that more was in them than was")

    def informed(self, officers: Officers | None) -> "Refunds":
        """The same with what training measured of officers, where enough of them ruled."""
        if officers is None or officers.rulings < self.measured_from or not self.measured:
            return self
        found = {name: float(getattr(officers, name)[0]) for name in self.measured}
        caught = found.get("caught", self.caught)
        return replace(self, caught=caught, withheld=min(found.get("withheld", self.withheld), caught))

    @cached_property
    def table(self) -> tuple[Float, Float]:
        """The coefficients of all costs, and the limits of what is decided without a person."""
        return coefficients(self), np.array(
            [self.refuse_at, self.automatic_below, self.automatic_most, self.partial_from], np.float64
        )

    @cached_property
    def second(self) -> frozenset[str]:
        """The second keys."""
        return frozenset(self.keys)

    def __post_init__(self) -> None:
        """Raises RedressError where a number is out of its bounds, or numbers contradict each other."""
        bounded(self, "refunds")
        if self.refuse_at < 0.5:
            raise RedressError(
                f"refunds.refuse_at: want at least 0.5, got {self.refuse_at:g}; who is likelier honest is never refused"
            )
        for low, high in (("automatic_below", "refuse_at"), ("withheld", "caught")):
            if getattr(self, low) > getattr(self, high):
                came = f"{getattr(self, low):g} and {getattr(self, high):g}"
                raise RedressError(
                    f"refunds.{low}: want at most refunds.{high}, got {came}; lower it or raise the other"
                )
        strange = [reason for reason in self.returns if reason not in self.reasons]
        if strange:
            raise RedressError(f"refunds.returns: want some of refunds.reasons, got {strange[0]}; add it there too")


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a dispute when it is decided, beside its scores.

    `claimed` in cents; `confirmed` are those of CONFIRMED that hold; `lacking` are kinds of evidence still to be asked for;
    `owed` is the share of the claim that the parcel's weight bears out, NaN where it cannot tell; `borne_by` is who pays, and
    `tier` is the buyer's. Of the order's amount `left` cents were not paid back yet, None where that is not known.
    """

    dispute_id: str
    order_id: str
    at: int
    reason: str
    claimed: int
    confirmed: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    owed: float = nan
    borne_by: str = "platform"
    tier: str = STANDARD
    left: int | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """Probability of malice, NaN where there is none, whether the model abstains, and the parts of the log-odds.

    `plain` says that the probability is no score: it is how common malice is, as the model has shown nothing better.
    """

    malicious: float
    abstain: bool = False
    plain: bool = False
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer: the action with the cents that it pays and who bears them, why, and what each action was expected to cost.

    `costs` are cents in the order of ACTIONS, NaN for one that is not open; `parts` are the order's, the product's and the
    buyer's share of the score's log-odds, and those of the others.
    """

    action: str
    amount: int
    borne_by: str
    why: str
    costs: tuple[float, ...]
    confirmed: tuple[str, ...]
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Cases:
    """Many cases in arrays (n,): cents, shares and flags as in `Case` and `Scores`."""

    malicious: Float
    abstain: Flag
    claimed: Int
    owed: Float
    in_scope: Flag
    returnable: Flag
    confirmed: Flag
    askable: Flag
    tier: Int
    beyond: Flag
    plain: Flag


@dataclass(frozen=True)
class Decisions:
    """Answers to many cases: positions in ACTIONS and WHY, and cents paid, each (n,), and expected costs (n, actions)."""

    action: Int
    why: Int
    amount: Int
    costs: Float


def decide(case: Case, scores: Scores, policy: Refunds) -> Decision:
    """The answer to one dispute: of the open actions the cheapest, or a review where a rule wants a person.

    Raises RedressError for a case without an order, an unknown reason or signal, a negative claim, and for a probability that
    is none.

    >>> case = Case("d1", "o1", 0, "quality", 4_000)
    >>> decide(case, Scores(0.02), Refunds()).action, decide(case, Scores(0.95), Refunds()).why
    ('refund_full', 'unconfirmed')
    >>> known = Case("d1", "o1", 0, "quality", 4_000, confirmed=("upheld_report",))
    >>> decide(known, Scores(0.95), Refunds()).action, decide(known, Scores(nan), Refunds()).action
    ('refuse', 'review')
    """
    _checked(case, scores)
    costs = np.empty(len(ACTIONS))
    action, why, amount = answer_of(row_of(case, scores, policy), *policy.table, costs)
    told = tuple(costs.tolist())
    return Decision(ACTIONS[action], int(amount), case.borne_by, _WHY[why], told, case.confirmed, scores.parts)


def decide_many(cases: Cases, policy: Refunds) -> Decisions:
    """The answers to many disputes, each as `decide` gives it; RedressError for one of which it would raise it."""
    _all_checked(cases)
    rows = np.column_stack([getattr(cases, one.name).astype(np.float64) for one in fields(Cases)])
    costs, found = np.empty((len(rows), len(ACTIONS))), np.empty((len(rows), 3))
    _all_decided(rows, *policy.table, costs, found)
    action, why, amount = found.astype(np.int64).T
    return Decisions(action, why, amount, costs)


def payable(case: Case, scores: Scores, policy: Refunds) -> bool:
    """Whether a claim may be paid in full without a person: what `decide` answers where paying costs nothing, all else does.

    >>> case = Case("d1", "o1", 0, "quality", 50_000)
    >>> [payable(case, Scores(p), Refunds()) for p in (0.49, 0.5)], payable(case, Scores(0.1), Refunds(automatic_most=1))
    ([True, False], False)
    """
    return answer_of(row_of(case, scores, policy), _FREE, policy.table[1], np.empty(len(ACTIONS)))[0] == FULL


def coefficients(policy: Refunds) -> Float:
    """What each action costs (actions, 4) by 1, the probability m of malice, the claim c, and m c.

    The row of a partial refund is of what is not paid, which is owed nevertheless where the weight errs.

    >>> coefficients(Refunds(repeat=0.5))[FULL].tolist()
    [0.0, 0.0, 1.0, 0.5]
    """
    one, m, c, mc = np.eye(4)
    h, hc, p = one - m, c - mc, policy
    paid_h, paid_m = hc, (1 + p.repeat) * mc
    denied_h = hc + (p.wrongful + p.bank_honest * p.bank_fees) * h
    denied_m = p.bank_malicious * (p.bank_lost * mc + p.bank_fees * m)

    def judged(caught: float, withheld: float, days: float) -> Float:
        honest = p.wait * days * h + (1 - withheld) * paid_h + withheld * p.wrongly * denied_h
        return np.asarray(honest + (1 - caught) * paid_m + caught * denied_m)

    returned = p.shipping * one + (1 - p.salvage) * hc + (1 - p.keeps) * (1 - p.salvage + p.repeat) * mc
    caught, withheld = p.caught + (1 - p.caught) * p.asked_catches, p.withheld * (1 - p.asked_spares)
    asked = (p.ask + p.review) * one + judged(caught, withheld, p.ask_days + p.review_days)
    reviewed = p.review * one + judged(p.caught, p.withheld, p.review_days)
    return np.stack([paid_h + paid_m, p.weight_error * denied_h, returned, asked, reviewed, denied_h + denied_m])


_WHY: Final = tuple(WHY)
_KINDS: Final = frozenset(EVIDENCE)
_FREE: Final = np.outer(np.arange(len(ACTIONS)) != FULL, [1.0, 0.0, 0.0, 0.0])
"""Coefficients by which to pay in full costs nothing, and any other answer something."""


def _checked(case: Case, scores: Scores) -> None:
    """Raises RedressError for what cannot be decided about."""
    if not case.dispute_id.strip():
        raise RedressError("case.dispute_id: want the dispute that is decided about, got none; name it")
    if not case.order_id.strip():
        raise RedressError(f"case.order_id: want the order of dispute {case.dispute_id}, got none; name it")
    if case.reason not in REASONS:
        raise RedressError(f"case.reason: want one of {', '.join(REASONS)}, got {case.reason}; name one of them")
    if not isinstance(case.claimed, int | np.integer) or case.claimed < 0:
        raise RedressError(f"case.claimed: want whole cents of at least 0, got {case.claimed}; give what is asked for")
    if case.tier not in TIERS:
        raise RedressError(f"case.tier: want one of {', '.join(TIERS)}, got {case.tier}; name one of them")
    if not CONFIRMED.keys() >= set(case.confirmed):
        strange = next(name for name in case.confirmed if name not in CONFIRMED)
        raise RedressError(f"case.confirmed: want any of {', '.join(CONFIRMED)}, got {strange}; leave it out")
    if not set(case.lacking) <= _KINDS:
        strange = next(kind for kind in case.lacking if kind not in _KINDS)
        raise RedressError(f"case.lacking: want any of {', '.join(EVIDENCE)}, got {strange}; leave it out")
    for name, came in (("case.owed", case.owed), ("scores.malicious", scores.malicious)):
        if not isinstance(came, float | int | np.floating) or (not 0 <= came <= 1 and not isnan(came)):
            raise RedressError(f"{name}: want a share from 0 to 1, or NaN where it is not known, got {came}; mend it")


def _all_checked(cases: Cases) -> None:
    """Raises RedressError for the first of many cases that cannot be decided about."""
    for name, one in (("malicious", cases.malicious), ("owed", cases.owed)):
        bad = np.flatnonzero(~(((one >= 0) & (one <= 1)) | np.isnan(one)))
        if len(bad):
            came = f"{one[bad[0]]} in case {bad[0]}"
            raise RedressError(f"{name}: want shares from 0 to 1, or NaN where not known, got {came}; mend it")
    bad = np.flatnonzero(~(cases.claimed >= 0))
    if len(bad) or not np.issubdtype(cases.claimed.dtype, np.integer):
        came = f"{cases.claimed[bad[0]]} in case {bad[0]}" if len(bad) else str(cases.claimed.dtype)
        raise RedressError(f"claimed: want whole cents of at least 0, got {came}; give what is asked for")


def row_of(case: Case, scores: Scores, policy: Refunds) -> Float:
    """A case as a row of the columns of `Cases`."""
    row = (
        *(scores.malicious, scores.abstain, case.claimed, case.owed, case.reason in policy.reasons),
        *(case.reason in policy.returns, not policy.second.isdisjoint(case.confirmed), len(case.lacking) > 0),
        *(STEPS.index(case.tier), case.left is not None and case.claimed > case.left, scores.plain),
    )
    return np.array(row, np.float64)


@njit(cache=True, nogil=True)
def answer_of(case: Float, of: Float, limits: Float, costs: Float) -> tuple[int, int, float]:
    """Action, why and cents paid of one case; fills `costs`, NaN where an action is not open."""
    m, c, owed = case[0], case[2], case[3]
    for j in range(costs.size):
        costs[j] = of[j, 0] + of[j, 1] * m + of[j, 2] * c + of[j, 3] * m * c
    costs[PARTIAL] = owed * costs[FULL] + (1 - owed) * costs[PARTIAL] if limits[3] <= owed < 1 else np.nan
    if np.rint(owed * c) < 1:
        costs[PARTIAL] = np.nan
    costs[RETURN] = costs[RETURN] if case[5] else np.nan
    costs[ASK] = costs[ASK] if case[7] else np.nan
    if np.isnan(m):
        return REVIEW, UNSCORED, 0.0
    if not case[4]:
        return REVIEW, OUT_OF_SCOPE, 0.0
    if case[1]:
        return REVIEW, THIN, 0.0
    if case[9]:
        return REVIEW, BEYOND, 0.0
    best, cheapest = FULL, PLAIN if case[10] else CHEAPEST
    for j in range(REFUSE):
        if costs[j] < costs[best]:
            best = j
    if costs[REFUSE] < costs[best]:
        if m >= limits[0] and not case[10]:
            return (REFUSE, cheapest, 0.0) if case[6] else (REVIEW, UNCONFIRMED, 0.0)
        if best == REVIEW:
            return REVIEW, PLAIN if case[10] else UNSURE, 0.0
    if case[8] > 1 and best != REVIEW:
        return REVIEW, TIER, 0.0
    if best > RETURN:
        return best, cheapest, 0.0
    if case[8] == 1 and case[7]:
        return ASK, TIER, 0.0
    if m >= limits[1]:
        return REVIEW, SUSPECT, 0.0
    if c > limits[2]:
        return REVIEW, LARGE, 0.0
    if owed < limits[3]:
        return REVIEW, UNBORNE, 0.0
    return best, cheapest, np.rint(owed * c) if best == PARTIAL else c


@njit(cache=True, nogil=True)
def _all_decided(cases: Float, of: Float, limits: Float, costs: Float, found: Float) -> None:
    """The same of many cases, into `costs` and `found` (n, 3)."""
    for i in range(len(cases)):
        found[i, 0], found[i, 1], found[i, 2] = answer_of(cases[i], of, limits, costs[i])
