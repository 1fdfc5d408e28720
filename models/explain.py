"""Why a probability is what it is: its log-odds by part, and the reasons and signals that weigh most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numba import njit

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
    found = grouped(contributions, parted(question, signals), len(COLUMNS))
    return pd.DataFrame(dict(zip(COLUMNS, found.T, strict=True)))


def parted(question: str, signals: Sequence[str]) -> Int:
    """Where in GROUPS the part of each signal of a question stands (signals + 1), last the base's."""
    return np.array([GROUPS.index(part) for part in (*(one.part for one in declared(question, signals)), "base")])


def grouped(added: Float, group: Sequence[int] | Int, groups: int) -> Float:
    """Columns of `added` (n, m) summed by group (n, groups), one after the other: a row's sums are its own to the bit.

    >>> grouped(np.array([[1.0, 2.0, 4.0]]), [1, 0, 1], 2)
    array([[2., 5.]])
    """
    found = np.zeros((len(added), groups))
    _group(np.ascontiguousarray(added), np.asarray(group, np.int64), found)
    return found


def weighed(signals: Sequence[str], contributions: Float, most: int = MOST) -> Weighed:
    """The reasons that raise and that lower each row's log-odds most, and the signals that weigh most in each."""
    return heaviest(contributions, placed(signals), most)


def placed(signals: Sequence[str]) -> Int:
    """Where in REASONS the reason of each signal stands."""
    return np.array([place(name) for name in signals], np.int64)


def heaviest(contributions: Float, group: Int, most: int = MOST) -> Weighed:
    """What `weighed` tells, where `group` are the places of the signals' reasons."""
    weights = grouped(contributions[:, :-1], group, len(REASONS))
    reason = np.full((len(weights), 2 * most), NONE)
    weight, signal = np.zeros(reason.shape), np.full((*reason.shape, most), NONE)
    _weigh(np.ascontiguousarray(contributions), group, weights, reason, weight, signal)
    return Weighed(reason, weight, signal)


def declared(question: str, signals: Sequence[str]) -> list[Signal]:
    """The declarations of some signals of a question, in order."""
    known = {signal.name: signal for signal in dictionary(question)}
    return [known[name] for name in signals]


@njit(cache=True, nogil=True)
def _group(added: Float, group: Int, found: Float) -> None:
    """Adds the columns of each row to those of their groups in `found`."""
    for row in range(found.shape[0]):
        for column in range(group.size):
            found[row, group[column]] += added[row, column]


@njit(cache=True, nogil=True)
def _weigh(added: Float, group: Int, weights: Float, reason: Int, weight: Float, signal: Int) -> None:
    """Fills what Weighed holds from what reasons weigh (n, reasons); what it holds before is NONE and 0."""
    most, slots = signal.shape[2], np.empty(weights.shape[1], np.int64)
    heavy, large = np.empty(most), np.empty((2 * most, most))
    for row in range(weights.shape[0]):
        slots[:], large[:] = NONE, 0.0
        for way in range(2):
            heavy[:] = LEAST
            for of in range(weights.shape[1]):
                keep(heavy, reason[row, way * most : (way + 1) * most], weights[row, of] * (1 - 2 * way), of)
        for slot in range(2 * most):
            if reason[row, slot] != NONE:
                weight[row, slot] = weights[row, reason[row, slot]]
                slots[reason[row, slot]] = slot
        for column in range(group.size):
            slot = slots[group[column]]
            if slot != NONE:
                keep(large[slot], signal[row, slot], added[row, column] * np.sign(weight[row, slot]), column)


@njit(cache=True, nogil=True)
def keep(largest: Float, columns: Int, value: float, column: int) -> None:
    """Puts a value that is above the last of the largest in its place among them, and its column; of equals the first stays.

    >>> largest, columns = np.array([3.0, 1.0]), np.array([7, 8])
    >>> keep(largest, columns, 3.0, 9)
    >>> largest.tolist(), columns.tolist()
    ([3.0, 3.0], [7, 9])
    """
    at = largest.size - 1
    if value > largest[at]:
        while at > 0 and value > largest[at - 1]:
            largest[at], columns[at] = largest[at - 1], columns[at - 1]
            at -= 1
        largest[at], columns[at] = value, column
