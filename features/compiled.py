"""Compiled: the formulas that most signals have, one signal after the other in one call; the rest are called by themselves.

Each gives what its namesake in `features.formulas` gives, to the bit.
"""

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel import DAY, HOUR, NEVER, Int
from features.made import SATURATED

Float = NDArray[np.float64]

MOST: Final = 5
"""Operands that a compiled formula may have."""
CODES: Final = {
    name: code
    for code, name in enumerate(
        (
            *("value", "ratio", "share", "known_sum", "known_share", "to_mean", "deviation", "days", "days_after"),
            *("mean_days", "mean_hours", "millionths", "less", "less_share", "any", "without", "known_difference"),
            *("to_usual", "missing", "hour", "weekday", "weight_to_goods", "disputed_value"),
        )
    )
}
"""The compiled formulas, each by the number that stands for it."""
_VALUE, _RATIO, _SHARE, _KNOWN_SUM, _KNOWN_SHARE, _TO_MEAN, _DEVIATION, _DAYS, _DAYS_AFTER = range(9)
_MEAN_DAYS, _MEAN_HOURS, _MILLIONTHS, _LESS, _LESS_SHARE, _ANY, _WITHOUT, _KNOWN_DIFFERENCE = range(9, 17)
_TO_USUAL, _MISSING, _HOUR, _WEEKDAY, _WEIGHT_TO_GOODS, _DISPUTED_VALUE = range(17, 23)
_NEVER: Final = float(NEVER)
_DAY, _HOUR_LONG, _SATURATED = float(DAY), float(HOUR), float(SATURATED)


@njit(cache=True, nogil=True)
def _ratio(over: float, under: float) -> float:
    return over / under if under > 0 else np.nan


@njit(cache=True, nogil=True)
def _moment(at: float) -> float:
    return np.nan if at == _NEVER else at


@njit(cache=True, nogil=True)
def _known_sum(cents: float, known: float, count: float) -> float:
    return np.nan if known == 0 and count > 0 else cents


@njit(cache=True, nogil=True)
def _most(one: float, other: float) -> float:
    """The larger of two, NaN if one is."""
    if np.isnan(one) or np.isnan(other):
        return np.nan
    return one if one > other else other


@njit(cache=True, nogil=True)
def _least(one: float, other: float) -> float:
    if np.isnan(one) or np.isnan(other):
        return np.nan
    return one if one < other else other


@njit(cache=True, nogil=True)
def _deviation(here: float, major: float, squares: float, known: float) -> float:
    if known < 2:
        return np.nan
    mean = _ratio(major, known)
    spread = math.sqrt(_most(_ratio(squares, known) - mean * mean, 1.0))
    return (_least(here / 100, _SATURATED) - mean) / spread


@njit(cache=True, nogil=True)
def _one(code: int, v: Float, o: Int, operands: int) -> float:
    """The value of a formula whose operands are v[o]."""
    a: float = v[o[0]]
    if code == _VALUE:
        return a
    if code == _MILLIONTHS:
        return a / 1e6
    if code == _ANY:
        return np.nan if np.isnan(a) else (1.0 if a > 0 else 0.0)
    if code == _HOUR:
        return a % _DAY / _HOUR_LONG
    if code == _WEEKDAY:
        return (a // _DAY + 3) % 7
    b: float = v[o[1]]
    if code == _RATIO:
        return _ratio(a, b)
    if code == _SHARE:
        return _least(_ratio(a, b), 1.0)
    if code == _DAYS:
        return (_moment(a) - _moment(b)) / _DAY
    if code == _MEAN_DAYS:
        return _ratio(a, b) / _DAY
    if code == _MEAN_HOURS:
        return _ratio(a, b) / _HOUR_LONG
    if code == _LESS:
        return _most(a - b, 0.0)
    if code == _LESS_SHARE:
        return _ratio(_most(a - b, 0.0), a)
    if code == _WITHOUT:
        return 1.0 - b if a > 0 else np.nan
    if code == _MISSING:
        lacks = 0.0
        for k in range(1, operands):
            lacks += 1.0 if v[o[k]] <= 0 else 0.0
        return lacks if a > 0 else np.nan
    c: float = v[o[2]]
    if code == _KNOWN_SUM:
        return _known_sum(a, b, c)
    if code == _TO_MEAN:
        return _ratio(a, _ratio(b, c))
    if code == _DAYS_AFTER:
        return (a - b if c > 0 else np.nan) / _DAY
    if code == _KNOWN_DIFFERENCE:
        return (a if b > 0 else np.nan) - c
    d: float = v[o[3]]
    if code == _KNOWN_SHARE:
        return _ratio(_known_sum(a, b, c), d)
    if code == _TO_USUAL:
        return _ratio(a - b, _ratio(c, d))
    if code == _DISPUTED_VALUE:
        return _ratio(_ratio(a, b), _ratio(c - a, d - b))
    if code == _WEIGHT_TO_GOODS:
        return _ratio(a * c / b if c > 0 and b >= c else np.nan, d * v[o[4]])
    return _deviation(a, b, c, d)


@njit(cache=True, nogil=True)
def _computed(codes: Int, operands: Int, counts: Int, signals: Int, values: Float, row: NDArray[np.float32]) -> None:
    for i in range(codes.size):
        row[signals[i]] = _one(codes[i], values, operands[i], counts[i])


def computed(codes: Int, operands: Int, counts: Int, signals: Int, values: Float, row: NDArray[np.float32]) -> None:
    """Puts signals into a row: the i-th is the formula codes[i] of values[operands[i, : counts[i]]], at signals[i]."""
    _computed(codes, operands, counts, signals, values, row)
