"""Policies beside plain ways of answering disputes: what each costs, whom it refuses, and how much of the gap is saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from features.kernel import Flag, Int
from features.signal import Float
from models.deciding import Answered, Sight, answered
from models.refunds import FULL, REFUSE, REVIEW, Refunds
from pipelines.valuing import Worth

RESAMPLES: Final = 1_000
SWEEP: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""By how much each price is varied."""
PRICES: Final[Mapping[str, str]] = {
    "review": "a review",
    "wrongful": "refusing an honest buyer",
    "repeat": "further claims that paid malice encourages",
}
"""What is varied, by the field of a policy."""
QUANTILES: Final = np.arange(0.1, 1.0, 0.1)
"""Claims beyond which the plain threshold sends disputes to review; the best of them is taken with hindsight."""
MANY: Final = (1, 2, 3)
"""How many plain rules must hold for a refusal; the best of them is taken with hindsight."""
FAIR: Final = 0.005
"""Share of the honest that may be refused without a person."""
ORACLE: Final = "oracle, who knows who is malicious"
PLAIN: Final = (
    *("refund all", "refuse all", "review all", "refuse what is confirmed", "rules alone"),
    *("evidence alone", "amount alone"),
)
"""The plain ways."""


@dataclass(frozen=True)
class Way:
    """What a way of answering costs (n,), whom it refuses without a person (n,), and what of the owed it leaves unpaid (n,).

    Costs and what is unpaid are cents.
    """

    cost: Float
    refuses: Flag
    unpaid: Float


def way(made: Answered, worth: Worth, prices: Refunds, policy: Refunds) -> Way:
    """What a policy's answers cost at one set of prices, the time that it waits itself with them."""
    waited = _waiting(worth, prices, policy.after / 24) + made.asked * (
        prices.ask + _waiting(worth, prices, policy.ask_days)
    )
    action = made.last.action
    unpaid = worth.unpaid(action, made.owed, prices)
    return Way(worth.costs(action, made.owed, prices) + waited, action == REFUSE, unpaid)


def _waiting(worth: Worth, prices: Refunds, days: float) -> Float:
    """What so many days cost those who are honest."""
    return prices.wait * days * (1 - worth.malicious)


def plain(first: Sight, second: Sight, worth: Worth, prices: Refunds) -> dict[str, Way]:
    """Plain ways, each of them one rule; where a rule has a threshold, the best of several by the costs themselves."""
    n, nan = len(worth.paid), np.full(len(worth.paid), np.nan)
    confirmed = np.any([first.claims.confirmed[key] for key in prices.keys] or [np.zeros(n, np.bool_)], axis=0)
    asks = ~first.claims.complete
    ways = {
        "refund all": [np.full(n, FULL)],
        "refuse all": [np.full(n, REFUSE)],
        "review all": [np.full(n, REVIEW)],
        "refuse what is confirmed": [np.where(confirmed, REFUSE, FULL)],
        "rules alone": [np.where(first.fired >= least, REFUSE, FULL) for least in MANY],
        "evidence alone": [np.where(second.claims.complete, REFUSE, FULL)],
        "amount alone": [np.where(worth.claimed > c, REVIEW, FULL) for c in np.quantile(worth.claimed, QUANTILES)],
    }
    at_first = _waiting(worth, prices, prices.after / 24)
    more = {"evidence alone": asks * (prices.ask + _waiting(worth, prices, prices.ask_days))}
    found = {}
    for name, some in ways.items():
        costs = [worth.costs(action, nan, prices) + at_first + more.get(name, 0.0) for action in some]
        best = int(np.argmin([cost.sum() for cost in costs]))
        found[name] = Way(costs[best], some[best] == REFUSE, worth.unpaid(some[best], nan, prices))
    return found


def oracle(worth: Worth) -> Way:
    """The way of one who knows who is malicious, and has the dearest claims of the honest reviewed if that pays."""
    paid, reviewed = worth.oracle.T
    dear = [worth.claimed > c for c in (np.inf, *np.quantile(worth.claimed, QUANTILES))]
    costs = [np.where(some, reviewed, paid) for some in dear]
    best = int(np.argmin([cost.sum() for cost in costs]))
    unpaid = (1 - worth.malicious) * worth.claimed * worth.withheld * dear[best]
    return Way(costs[best], np.zeros(len(paid), np.bool_), unpaid)


@dataclass(frozen=True)
class Compared:
    """Policies beside plain ways: all of them by name, the names of the plain, the oracle's, how honest each is,
    and the cents (n,) that the honest are owed.
    """

    ways: Mapping[str, Way]
    simple: tuple[str, ...]
    oracle: Way
    honest: Float
    due: Float
    buyer: Int

    def refused(self, name: str) -> float:
        """The share of the honest that a way refuses without a person."""
        return self._refused(self.ways[name])

    def _refused(self, one: Way) -> float:
        return float(self.honest @ one.refuses / max(float(self.honest.sum()), 1e-9))

    def best(self, most: float = 1.0) -> str:
        """The cheapest plain way among those that refuse at most so many of the honest."""
        kept = [name for name in self.simple if self.refused(name) <= most]
        return min(kept, key=lambda name: float(self.ways[name].cost.sum()))

    def rows(self, beside: str) -> pd.DataFrame:
        """A row for each way: cents a dispute, and those beyond another way's with their 95 % interval.

        `unpaid` is the share that the honest do not get of what they are owed, by whomever it is kept from them.
        """
        base, found = self.ways[beside].cost, []
        for name, one in (*self.ways.items(), (ORACLE, self.oracle)):
            low, high = self._interval(one.cost - base)
            row = {"way": name, "cost": one.cost.mean(), "beyond": (one.cost - base).mean(), "low": low, "high": high}
            shares = {"honest_refused": self._refused(one), "unpaid": one.unpaid.sum() / max(self.due.sum(), 1e-9)}
            found.append(row | shares | {"plain": name in self.simple})
        return pd.DataFrame(found)

    def saved(self, name: str, beside: str) -> tuple[float, float, float]:
        """The share of the gap between a plain way and the oracle that a policy saves, with its 95 % interval; NaN if none."""
        base = self.ways[beside].cost
        gain, gap = self._sums(base - self.ways[name].cost), self._sums(base - self.oracle.cost)
        gaps = np.array([float(w @ gap) for w in self._draws])
        if not (gap.sum() > 0 and (gaps > 0).all()):
            return float("nan"), float("nan"), float("nan")
        low, high = np.quantile(np.array([float(w @ gain) for w in self._draws]) / gaps, (0.025, 0.975)).tolist()
        return float(gain.sum() / gap.sum()), low, high

    def beyond(self, name: str, other: str) -> tuple[float, float, float]:
        """How many cents a dispute costs more by one way than by another, with the 95 % interval."""
        difference = self.ways[name].cost - self.ways[other].cost
        return float(difference.mean()), *self._interval(difference)

    def _interval(self, difference: Float) -> tuple[float, float]:
        sums = self._sums(difference)
        low, high = np.quantile([w @ sums for w in self._draws], (0.025, 0.975)).tolist()
        return low / len(difference), high / len(difference)

    def _sums(self, values: Float) -> Float:
        return np.bincount(self.buyer, values).astype(np.float64)

    @cached_property
    def _draws(self) -> list[Int]:
        """How often each buyer is drawn by each resample, the same for all comparisons."""
        rng, n = np.random.default_rng(0), int(self.buyer.max(initial=0)) + 1
        return [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(RESAMPLES)]


def compared(
    first: Sight,
    second: Sight,
    worth: Worth,
    made: Mapping[str, tuple[Refunds, Answered]],
    prices: Refunds,
    buyer: Int,
) -> Compared:
    """What policies answered beside plain ways at one set of prices."""
    simple = plain(first, second, worth, prices)
    ways = {name: way(one, worth, prices, policy) for name, (policy, one) in made.items()}
    return Compared(ways | simple, tuple(simple), oracle(worth), 1 - worth.malicious, worth.due, buyer)


def swept(
    first: Sight, second: Sight, policy: Refunds, buyer: Int, worth: Callable[[Refunds, str, float], Worth]
) -> pd.DataFrame:
    """A policy beside the best plain way, and the best that is fair, each price varied by itself and known to both.

    Differences are cents a dispute. `worth` gives what answering costs at a policy's prices, one of which is so many times
    what it is.
    """
    rows = []
    for name, says in PRICES.items():
        for factor in SWEEP:
            came = getattr(policy, name) * factor
            priced = replace(policy, **{name: round(came) if isinstance(getattr(policy, name), int) else came})
            found = worth(priced, name, factor)
            told = compared(first, second, found, {says: (priced, answered(first, second, priced))}, priced, buyer)
            row: dict[str, object] = {"price": says, "times": factor, "honest_refused": told.refused(says)}
            for kind, other in (("", told.best()), ("fair_", told.best(FAIR))):
                numbers = zip(("beyond", "low", "high"), told.beyond(says, other), strict=True)
                row |= {f"{kind}beside": other} | {f"{kind}{name}": number for name, number in numbers}
            rows.append(row)
    return pd.DataFrame(rows)
