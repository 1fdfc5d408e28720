"""Why a probability is what it is: its log-odds by part, and the reasons and signals that weigh most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.dictionary import dictionary
from features.kernel import Int
from features.signal import PARTS, Float, Signal
from models.reasons import REASONS, place

GROUPS: Final = (*PARTS, "base")
"""The parts of log-odds, the last being what is the same for all at a time."""
COLUMNS: Final = tuple(f"{part}_part" for part in GROUPS)
"""Names of the parts' columns, in order."""
MOST: Final = 3
"""Reasons told each way, and signals told of a reason."""
LEAST: Final = 0.05
"""Log-odds, about a twentieth of the odds, up to which a reason is not worth a word."""
NONE: Final = -1
"""Where fewer reasons or signals weigh than could be told."""
SLAB: Final = 4096
"""Rows taken at a time, which bounds memory."""
_WAYS: Final = (1, -1)


@dataclass(frozen=True)
class Weighed:
    """The reasons of rows that weigh most, k each way, those that raise first; NONE past the last.

    `reason` and `weight` are (n, 2 k), a place in REASONS and its log-odds; `signal` is (n, 2 k, k), their columns.
    """

    reason: Int
    weight: Float
    signal: Int


def summed(question: str, signals: Sequence[str], contributions: Float) -> pd.DataFrame:
    """Contributions (n, signals + 1) to a question's log-odds summed into parts, one column for each of COLUMNS."""
    group = [GROUPS.index(part) for part in (*(signal.part for signal in declared(question, signals)), "base")]
    return pd.DataFrame(dict(zip(COLUMNS, grouped(contributions, group, len(COLUMNS)).T, strict=True)))


def grouped(added: Float, group: Sequence[int], groups: int) -> Float:
    """Columns of `added` (n, m) summed by group (n, groups), one after the other: a row's sums are its own to the bit.

    >>> grouped(np.array([[1.0, 2.0, 4.0]]), [1, 0, 1], 2)
    array([[2., 5.]])
    """
    found = np.zeros((groups, len(added)))
    for lo in range(0, len(added), SLAB):
        rows = slice(lo, lo + SLAB)
        for of, column in zip(group, np.ascontiguousarray(added[rows].T), strict=True):
            found[of, rows] += column
    return found.T


def weighed(signals: Sequence[str], contributions: Float, most: int = MOST) -> Weighed:
    """The reasons that raise and that lower each row's log-odds most, and the signals that weigh most in each."""
    group = np.array([place(name) for name in signals])
    added = contributions[:, :-1]
    weights = grouped(added, group.tolist(), len(REASONS))
    reason = np.concatenate([_largest(way * weights, most, above=LEAST) for way in _WAYS], axis=1)
    weight = np.where(reason == NONE, 0.0, np.take_along_axis(weights, reason, axis=1))
    signal = np.full((*reason.shape, most), NONE, np.int64)
    for of in range(len(REASONS)):
        members = np.flatnonzero(group == of)
        row, slot = np.nonzero(reason == of)
        found = _largest(added[np.ix_(row, members)] * np.sign(weight[row, slot])[:, None], most)
        signal[row, slot] = np.where(found == NONE, NONE, members[found])
    return Weighed(reason, weight, signal)


def declared(question: str, signals: Sequence[str]) -> list[Signal]:
    """The declarations of some signals of a question, in order."""
    known = {signal.name: signal for signal in dictionary(question)}
    return [known[name] for name in signals]


def _largest(values: Float, most: int, above: float = 0) -> Int:
    """Columns of the largest values of each row, largest first, of equals the first column; NONE for those not above `above`.

    >>> _largest(np.array([[1.0, 0.0, 3.0, 3.0], [0.0, 0.0, -1.0, 0.0]]), 3)
    array([[ 2,  3,  0],
           [-1, -1, -1]])
    """
    left, rows = values.copy(), np.arange(len(values))
    top = np.full((len(values), most), NONE)
    for nth in range(min(most, values.shape[1])):
        column = left.argmax(axis=1)
        top[:, nth] = np.where(left[rows, column] > above, column, NONE)
        left[rows, column] = -np.inf
    return top
