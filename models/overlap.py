"""Overlap: whether cases with and without a treatment are comparable, so that a difference may be called an effect."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from features.kernel import Flag
from models.curves import Floats
from models.sections import ASSUMED, number


@dataclass(frozen=True)
class Overlap:
    """What must hold before an adjusted difference is called an effect."""

    edge: float = number(
        0.05,
        "share",
        "a case whose propensity is below, or above one minus this, has no counterpart and is left out; under 0.5",
        "Crump, Hotz, Imbens and Mitnik 2009 leave out so and take 0.1; half of it here, for many items are filed rarely",
    )
    kept: float = number(
        0.5,
        "share",
        "of the cases with the treatment as many at least have a counterpart; of those without, many may have no use for it",
        ASSUMED,
    )
    effective: float = number(
        100.0, "cases", "the effective sample size of each side after weighting at least (Kish 1965)", ASSUMED
    )
    imbalance: float = number(
        0.1,
        "factor",
        "the largest standardised mean difference after weighting at most, beyond what chance gives so many signals",
        "Austin 2009; Stuart, Lee and Leacy 2013",
    )
    cell: int = number(
        20, "cases", "with and without the treatment, won and lost: so many at least in each of the four", ASSUMED
    )
    hidden: float = number(
        0.01,
        "share",
        "what a hidden confounder may explain of what is left of the answer and of the treatment, in the wider interval",
        ASSUMED,
    )


_NAN: Final = float("nan")


@dataclass(frozen=True)
class Diagnostics:
    """How comparable two sides are: shares that have a counterpart, effective sample sizes, and the largest imbalances.

    `chance` is the largest standardised mean difference that chance alone gives so many signals of cases so many. NaN is not
    looked at.
    """

    treated_kept: float = _NAN
    untreated_kept: float = _NAN
    treated_effective: float = _NAN
    untreated_effective: float = _NAN
    imbalance_before: float = _NAN
    imbalance: float = _NAN
    chance: float = _NAN


UNSEEN: Final = Diagnostics()
"""Of what is too rare to be looked at."""


def counterparts(propensity: Floats, overlap: Overlap) -> Flag:
    """Which cases have counterparts on the other side (Crump et al. 2009), both ends included.

    >>> counterparts(np.array([0.04, 0.05, 0.95, 0.96]), Overlap()).tolist()
    [False, True, True, False]
    """
    return np.asarray((propensity >= overlap.edge) & (propensity <= 1 - overlap.edge), np.bool_)


def weights(treated: Flag, propensity: Floats) -> Floats:
    """What each case weighs to stand for all: one over the probability of the side that it is on.

    >>> weights(np.array([True, False]), np.array([0.25, 0.2])).tolist()
    [4.0, 1.25]
    """
    return np.asarray(1 / np.where(treated, propensity, 1 - propensity))


def effective(weight: Floats) -> float:
    """How many cases of one weight say as much (Kish 1965).

    >>> effective(np.array([1.0, 1.0, 2.0]))
    2.6666666666666665
    """
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def differences(signals: Floats, treated: Flag, weight: Floats) -> Floats:
    """Standardised mean difference of each signal (n, m) between the sides, in standard deviations of the unweighted.

    >>> differences(np.array([[0.0], [2.0], [2.0], [4.0]]), np.array([0, 0, 1, 1], bool), np.ones(4)).tolist()
    [2.0]
    """
    sides = [(signals[side], weight[side]) for side in (treated, ~treated)]
    one, other = (np.average(x, axis=0, weights=w) for x, w in sides)
    spread = np.sqrt(sum(x.var(axis=0) for x, _ in sides) / 2)
    found: Floats = np.divide(one - other, spread, out=np.zeros(signals.shape[1]), where=spread > 1e-9)
    return found


def by_chance(signals: int, treated: float, untreated: float) -> float:
    """The largest of so many standardised mean differences that chance gives, were all of them normal and independent.

    >>> round(by_chance(100, 200.0, 200.0), 3)
    0.303
    """
    return float(np.sqrt(2 * np.log(max(signals, 2)) * (1 / treated + 1 / untreated)))


def shared(treated: Flag, common: Flag) -> Diagnostics:
    """The shares of either side that have a counterpart.

    >>> found = shared(np.array([True, True, False]), np.array([True, False, True]))
    >>> found.treated_kept, found.untreated_kept
    (0.5, 1.0)
    """
    return Diagnostics(*(float(common[side].mean()) for side in (treated, ~treated)))


def diagnosed(shares: Diagnostics, signals: Floats, treated: Flag, propensity: Floats) -> Diagnostics:
    """How comparable the cases with a treatment and those without are before and after weighting, all with counterparts."""
    weight = weights(treated, propensity)
    one, other = effective(weight[treated]), effective(weight[~treated])
    before, after = (float(np.abs(differences(signals, treated, w)).max()) for w in (np.ones(len(weight)), weight))
    return replace(
        shares,
        **{"treated_effective": one, "untreated_effective": other},
        **{"imbalance_before": before, "imbalance": after, "chance": by_chance(signals.shape[1], one, other)},
    )


def lacking(found: Diagnostics, overlap: Overlap) -> str:
    """What is missing for an effect, in words; nothing where overlap allows one.

    >>> lacking(Diagnostics(0.4, 0.9, 500, 800, 0.6, 0.02, 0.1), Overlap())
    '40 % of the cases with it have a counterpart'
    """
    if found.treated_kept < overlap.kept:
        return f"{100 * found.treated_kept:.0f} % of the cases with it have a counterpart"
    for side, size in (("with", found.treated_effective), ("without", found.untreated_effective)):
        if size < overlap.effective:
            return f"{size:.0f} effective cases {side} it"
    if found.imbalance > max(overlap.imbalance, found.chance):
        return f"a signal differs by {found.imbalance:.2f} standard deviations still"
    return ""
