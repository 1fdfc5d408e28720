"""Turns: the probabilities of malice at which the answer to a dispute would be another, and what a second key would change."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from features.kernel import Int
from features.signal import Float
from models.refunds import ACTIONS, Case, Refunds, Scores, answer_of, row_of


@dataclass(frozen=True, slots=True)
class Turn:
    """The probability up to which an answer stays, and the action beyond it."""

    malicious: float
    action: str


def turns(case: Case, scores: Scores, policy: Refunds) -> tuple[list[Turn], str | None]:
    """The nearest probabilities of malice, below and above, at which `decide` turns, and the action if a second key held.

    None where that is the answer anyway. Between the limits, and the places where the costs of two actions, straight lines,
    cross, an answer stays.

    >>> turns(Case("d1", "o1", 0, "quality", 4_000), Scores(0.95), Refunds())[1]
    'refuse'
    """
    row = row_of(case, scores, policy)
    near, actions = np.empty(2), np.empty(4, np.int64)
    _turned(row, *policy.table, near, actions)
    below, above, now, confirmed = actions.tolist()
    sides = zip(near.tolist(), (below, above), strict=True)
    found = [Turn(malicious, ACTIONS[action]) for malicious, action in sides if action != now]
    return found, ACTIONS[confirmed] if policy.keys and confirmed != now else None


@njit(cache=True, nogil=True)
def _turned(case: Float, of: Float, limits: Float, near: Float, actions: Int) -> None:
    """Fills in where one case turns below and above, and the actions: there, as it is, and with a second key."""
    edges, m = _edges(case, of, limits), case[0]
    costs = np.empty(len(of))
    actions[:] = answer_of(case, of, limits, costs)[0]
    for above in range(2):
        near[above] = m
        for far in edges if above else edges[::-1]:
            if far > near[above] if above else far < near[above]:
                case[0] = (near[above] + far) / 2
                actions[above] = answer_of(case, of, limits, costs)[0]
                if actions[above] != actions[2]:
                    break
                near[above] = far
    case[0], case[6] = m, 1.0  # as if a second key held
    actions[3] = answer_of(case, of, limits, costs)[0]


@njit(cache=True, nogil=True)
def _edges(case: Float, of: Float, limits: Float) -> Float:
    """Probabilities in order between which the answer to a case stays."""
    at, m, n = np.empty((2, len(of))), case[0], 4
    edges = np.empty(n + len(of) * (len(of) - 1) // 2)
    edges[:n] = 0.0, 1.0, limits[0], limits[1]
    for side in range(2):
        case[0] = side
        answer_of(case, of, limits, at[side])
    case[0] = m
    for i in range(len(of)):
        for j in range(i + 1, len(of)):
            rises, other = at[1, i] - at[0, i], at[1, j] - at[0, j]
            if not np.isnan(at[0, i]) and not np.isnan(at[0, j]) and rises != other:
                p = (at[0, i] - at[0, j]) / (other - rises)
                if 0 < p < 1:
                    edges[n] = p
                    n += 1
    return np.sort(edges[:n])
