"""Buyer credit: one number from 0 to 100 for how far a buyer's own history speaks for good faith, with its parts and its doubt.

For each kind of mark against a buyer (a dispute found malicious, a dispute refused, a chargeback that the bank did not
uphold, a report upheld) his rate of marks per order is estimated as gamma-Poisson empirical Bayes does it: (a + y) / (b + n),
with y marks among n orders, both weighted by age in disjoint windows, and a prior of a marks in b orders that comes
from all buyers (Robbins 1956; Clayton and Kaldor 1987; the moments of Marshall 1991). With r the rate over the prior
mean, and s the gravity of each kind,

    credit = 100 / (1 + sum of s r),    points lost by a kind = credit × s r,    so that credit and points sum to 100.

Who is new stands at 100 / (1 + sum of s), which is 80. Every order without a mark lowers each r, so credit recovers. Age takes
weight from marks and from orders, down to a quarter, so that credit moves with the calendar, too, both ways.

What does not count: refunds and decisions of the platform, whatever they are. What is given back: refusals that another
ruling overturned; refusals of disputes with a seller who was later found guilty, and reports that he had brought. What is
taken back as good history: orders cancelled, charged back, or with a seller found to fake transactions.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaincinv

from features.signal import ONCE, Pattern

Float = NDArray[np.float64]

AGES: Final = {"30d": 1.0, "90d": 0.8, "365d": 0.5, "ever": 0.25}
"""What a fact weighs that is no older than this and older than the one before: 0-30, 30-90, 90-365 days, and older."""
GRAVITY: Final = {"malicious": 0.10, "refused": 0.05, "refuted": 0.05, "reported": 0.05}
"""How much each kind of mark weighs at the prior rate; together 0.25."""
_AGES: Final = np.array([*AGES.values()])
_GRAVITY: Final = np.array([*GRAVITY.values()])
DOUBT: Final = (0.05, 0.95)
"""The range of credit holds nine tenths of what the rates may be."""
SURE: Final = 1e-9
"""Rounding within which a credit counts as restored."""
MOST: Final = 1 << 20
"""Orders beyond which nobody waits for his credit."""
_STRENGTH: Final = (5.0, 50.0)
"""Bounds of the orders that a prior is worth: few marks leave its strength nearly open."""
LEAST: Final = 0.0005
"""Marks per order below which no prior goes, so that a single mark is not beyond recovery."""


@dataclass(frozen=True)
class Rate:
    """A gamma prior of a rate per order: `marks` among `orders`."""

    marks: float
    orders: float

    @property
    def mean(self) -> float:
        """Marks per order."""
        return self.marks / self.orders


@dataclass(frozen=True)
class Prior:
    """The prior rate of each kind of mark.

    The defaults are the middle of what the field reports (1-5 % of orders disputed, 5-25 % of disputes malicious), worth
    ten orders; a model brings those of its own ledger, estimated from what was known before it was trained.
    """

    malicious: Rate = Rate(0.03, 10.0)
    refused: Rate = Rate(0.05, 10.0)
    refuted: Rate = Rate(0.02, 10.0)
    reported: Rate = Rate(0.02, 10.0)

    def to_json(self) -> dict[str, dict[str, float]]:
        """As plain numbers, for a model's card."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Mapping[str, float]]) -> "Prior":
        """What `to_json` gave."""
        return cls(**{f.name: Rate(told[f.name]["marks"], told[f.name]["orders"]) for f in fields(cls)})


def strength(marks: Float, orders: Float) -> float:
    """How many orders the prior of a rate is worth, from `marks` (n,) among `orders` (n,) of many buyers (Marshall 1991).

    >>> round(strength(np.array([0.0, 0.0, 20.0]), np.array([50.0, 50.0, 50.0])), 3)
    5.0
    >>> strength(np.array([1.0, 1.0]), np.array([9.0, 9.0]))  # no more spread than chance makes
    50.0
    """
    kept = orders > 0
    y, n = marks[kept], orders[kept]
    low, high = _STRENGTH
    if y.sum() <= 0:
        return 10.0
    mean = y.sum() / n.sum()
    spread = (n * (y / n - mean) ** 2).sum() / n.sum() - mean / n.mean()
    return float(np.clip(mean / spread, low, high)) if spread > 0 else high


def estimated(marks: float, orders: float, worth: float, otherwise: Rate) -> Rate:
    """The prior of one kind of mark, worth so many orders; `otherwise` where none was ever made."""
    mean = max(marks / orders, LEAST) if marks > 0 and orders > 0 else otherwise.mean
    return Rate(mean * worth, worth)


MARKS: Final[Mapping[str, str]] = {
    "malicious": "?findings.malicious_{window}@ever",
    "refused": "?refusals.refused_{window}@ever",
    "refuted": "?endings.won@{window}",
    "reported": "?upheld_reports.upheld_{window}@ever",
}
"""Of each kind what stands within a window; a table that is missing leaves the prior."""
HISTORY: Final = ("orders.count@{window}", "spoilt.orders_{window}@ever")
"""The orders that marks are counted against, and those taken back."""


def _operands() -> tuple[str, ...]:
    """What each formula takes: orders, those taken back, and marks by kind, each in windows, and priors by kind."""
    windowed = [one.format(window=w) for one in (*HISTORY, *MARKS.values()) for w in AGES]
    return (*windowed, *(f"credit.{kind}_{of}" for kind in MARKS for of in ("marks", "orders")))


@dataclass(frozen=True)
class _Posterior:
    """Rates by kind (kinds, n): `marks` among `orders`, the prior's with them, the gravity `each` unit has, and if `known`.

    Of the s r of all kinds the `mean` and `variance` (n,) of their sum; `points` (kinds + 1, n) lost by each, and left.
    """

    marks: Float
    orders: Float
    each: Float
    known: NDArray[np.bool_]
    points: Float
    mean: Float
    variance: Float


def posterior(*operands: Float) -> _Posterior:
    """The rates of all kinds from OPERANDS."""
    given = np.array(operands, np.float64)
    kinds, n = len(MARKS), given.shape[1]
    marks, orders, each = np.empty((3, kinds, n))
    known, told = np.empty((kinds, n), np.bool_), np.empty((kinds + 3, n))
    _rates(given, _AGES, _GRAVITY, marks, orders, each, known, told)
    return _Posterior(marks, orders, each, known, told[: kinds + 1], told[kinds + 1], told[kinds + 2])


@njit(cache=True, nogil=True, error_model="numpy")
def _rates(
    given: Float,
    ages: Float,
    gravity: Float,
    marks: Float,
    orders: Float,
    each: Float,
    known: NDArray[np.bool_],
    told: Float,
) -> None:
    """Fills in rates by kind (kinds, n): facts in nested windows, the shortest first, weigh by the ring of age they are in.

    And what is `told` of them (kinds + 3, n): points lost by kind and left, and the mean and variance of what they weigh.
    """
    w, kinds = ages.size, gravity.size
    for i in range(given.shape[1]):
        total = inside = 0.0
        for j in range(w):
            facts = given[j, i] - given[w + j, i]
            total, inside = total + ages[j] * (facts - inside), facts
        mean = variance = 0.0
        for k in range(kinds):
            a, b = given[(2 + kinds) * w + 2 * k, i], given[(2 + kinds) * w + 2 * k + 1, i]
            found = inside = 0.0
            for j in range(w):
                facts = given[(2 + k) * w + j, i]
                found, inside = found + ages[j] * (facts - inside), facts
            known[k, i] = not np.isnan(found)
            marks[k, i] = a + (found if known[k, i] else 0.0)
            orders[k, i] = b + (total if known[k, i] else 0.0)
            each[k, i] = gravity[k] * b / a
            weight = each[k, i] * marks[k, i] / orders[k, i]
            told[k, i], mean, variance = 100 * weight, mean + weight, variance + weight * weight / marks[k, i]
        for k in range(kinds):
            told[k, i] /= 1 + mean
        told[kinds, i], told[kinds + 1, i], told[kinds + 2, i] = 100 / (1 + mean), mean, variance


def credit(rates: _Posterior) -> Float:
    """The credit (n,), from 0 to 100."""
    found: Float = rates.points[-1]
    return found


def lost(kind: str) -> Callable[[_Posterior], Float]:
    """The points that one kind of mark costs."""
    k = list(MARKS).index(kind)
    return lambda rates: rates.points[k]


def bound(probability: float) -> Callable[[_Posterior], Float]:
    """The credit that holds if the rates are as high as this quantile of what they may be, a gamma of the same moments."""

    def edge(rates: _Posterior) -> Float:
        mean, variance = rates.mean, rates.variance
        found: Float = 100 / (1 + gammaincinv(mean**2 / variance, probability) * variance / mean)
        return found

    return edge


def orders_to_restore(rates: _Posterior) -> Float:
    """Orders of today without a mark that would bring the credit to where it began; MOST if more, 0 if it is there."""
    goal = sum(GRAVITY.values()) * (1 + SURE)
    found: Float = _restored(rates.each * rates.marks, rates.orders, rates.known, goal)
    return found


@njit(cache=True, nogil=True)
def _restored(heavy: Float, orders: Float, known: NDArray[np.bool_], goal: float) -> Float:
    """The fewest more orders (n,) with which all kinds of marks (kinds, n) together weigh no more than the goal."""
    found = np.empty(orders.shape[1])
    for i in range(found.size):
        low, high = 0.0, float(MOST)
        while low < high:
            middle, weight = np.floor((low + high) / 2), 0.0
            for k in range(orders.shape[0]):
                weight += heavy[k, i] / (orders[k, i] + middle * known[k, i])
            low, high = (low, middle) if weight <= goal else (min(middle + 1, high), high)
        found[i] = high
    return found


OF_RATES: Final[Mapping[str, Callable[[_Posterior], Float]]] = {
    "credit": credit,
    "credit_low": bound(DOUBT[1]),
    "credit_high": bound(DOUBT[0]),
    "credit_orders": orders_to_restore,
    **{f"credit_lost_{kind}": lost(kind) for kind in MARKS},
}
"""What is told of the rates."""


def _of_operands(told: Callable[[_Posterior], Float]) -> Callable[..., Float]:
    return lambda *operands: told(posterior(*operands))


FORMULAS: Final[Mapping[str, Callable[..., Float]]] = {name: _of_operands(told) for name, told in OF_RATES.items()}
"""The formulas of the signals below."""
OPERANDS: Final = _operands()
_SAYS: Final[Mapping[str, str]] = {
    "malicious": "disputes found malicious",
    "refused": "disputes refused, but for those with sellers found guilty since",
    "refuted": "chargebacks that the bank did not uphold",
    "reported": "reports upheld",
}
PATTERNS: Final = (
    Pattern("credit", "credit", OPERANDS, "points", "credit of this {entity}, from 0 to 100", ONCE),
    Pattern("credit_low", "credit_low", OPERANDS, "points", "lower end of the credit's 90 % range", ONCE),
    Pattern("credit_high", "credit_high", OPERANDS, "points", "upper end of the credit's 90 % range", ONCE),
    *(
        Pattern(f"credit_lost_{kind}", f"credit_lost_{kind}", OPERANDS, "points", f"credit lost by {says}", ONCE)
        for kind, says in _SAYS.items()
    ),
    Pattern(
        "credit_orders_to_restore",
        "credit_orders",
        OPERANDS,
        "orders",
        "orders without a mark that would bring the credit to where it began",
        ONCE,
    ),
)
"""Credit with its parts, its doubt and its way back."""
