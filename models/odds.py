"""Odds: what sums over trees become, for many rows in arrays and for one in plain numbers alike, and the same to the bit."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Final, TypeVar

import numpy as np

from features.signal import Float

Number = TypeVar("Number", float, Float)

WIDE: Final = 1.645 * 2**0.5
"""Standard errors on either side of a 90 % interval: at its best, shrinkage errs as much as chance does, and adds to it."""


def calibrated(raw: Number, begun: Number, slope: float, intercept: float) -> Number:
    """Log-odds of yes from what trees add up to and what they begin at.

    >>> calibrated(2.0, 0.25, 0.5, -1.0)
    0.25
    """
    return intercept + slope * raw + begun


def probability(odds: Float) -> Float:
    """Probabilities of log-odds.

    >>> probability(np.array([0.0])).tolist()
    [0.5]
    """
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)


def spread(odds: Sequence[Number]) -> Number:
    """The standard deviation of two log-odds or more, bag by bag: NumPy's order of adding depends on how many rows there are.

    >>> float(spread([1.0, 3.0]))  # the root of 2
    1.4142135623730951
    """
    mean = reduce(add, odds) / len(odds)
    root: Number = np.sqrt(reduce(add, [(one - mean) * (one - mean) for one in odds]) / (len(odds) - 1))
    return root


def ends(odds: Number, error: Number) -> tuple[Number, Number]:
    """The log-odds between which those of the 90 % interval are.

    >>> low, high = ends(0.0, 1.0)
    >>> -low == high == WIDE
    True
    """
    return odds - WIDE * error, odds + WIDE * error


def divided(yes: Number, first: Number) -> tuple[Number, Number]:
    """How the rest of a probability divides in two, where `first` is the share of the first.

    >>> divided(0.5, 0.25)
    (0.125, 0.375)
    """
    no = 1 - yes
    return no * first, no - no * first
