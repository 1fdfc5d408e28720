"""The one aggregation of the project: cumulative rows, and their differences between the edges of a window.

For an entity and a stream of facts sorted by `at`, every fact carries the running totals up to and including it. A
windowed total of [t - w, t) is then (last row before t) - (last row before t - w): exact, since all of it is int64.
Facts and askings are grouped by entity with a counting sort and merged in one linear pass; nothing is searched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int = NDArray[np.int64]
Code = NDArray[np.int32]
Flag = NDArray[np.bool_]

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
NEVER: Final = np.iinfo(np.int64).min
"""Stands for "no such fact" where a first or last time is asked for."""


@njit(cache=True, nogil=True)
def group(codes: Code, groups: int) -> tuple[Code, Int]:
    """Positions by group, in their old order within each, and where each group starts; a negative code is in no group.

    >>> order, start = group(np.array([1, 0, -1, 1], dtype=np.int32), 2)
    >>> order.tolist(), start.tolist()
    ([1, 0, 3], [0, 1, 3])
    """
    start = np.zeros(groups + 1, np.int64)
    for code in codes:
        if code >= 0:
            start[code + 1] += 1
    for g in range(groups):
        start[g + 1] += start[g]
    fill = start[:-1].copy()
    order = np.empty(start[groups], np.int32)
    for i in range(codes.size):
        if codes[i] >= 0:
            order[fill[codes[i]]] = i
            fill[codes[i]] += 1
    return order, start


@njit(cache=True, nogil=True)
def _running(order: Code, measures: Int) -> Int:
    """Running totals of `measures` (m, n) in the given order, as rows (n + 1, m) that begin with zeros."""
    rows = np.zeros((order.size + 1, measures.shape[0]), np.int64)
    for i in range(order.size):
        for m in range(measures.shape[0]):
            rows[i + 1, m] = rows[i, m] + measures[m, order[i]]
    return rows


@njit(cache=True, nogil=True)
def first_meetings(codes: Code, groups: int, partners: Code, others: int) -> Int:
    """1 where a fact is its entity's first with that partner, else 0; facts in time order, a negative code is nobody.

    >>> first_meetings(np.array([0, 0, 0], np.int32), 1, np.array([2, 2, 1], np.int32), 3).tolist()
    [1, 0, 1]
    """
    by_partner, _ = group(partners, others)
    order, start = group(codes[by_partner], groups)
    new = np.zeros(codes.size, np.int64)
    for g in range(groups):
        for i in range(start[g], start[g + 1]):
            here = by_partner[order[i]]
            if i == start[g] or partners[by_partner[order[i - 1]]] != partners[here]:
                new[here] = 1
    return new


@dataclass(frozen=True)
class Rows:
    """Cumulative rows of one stream by entity: `at` (n,) and `totals` (n + 1, m) in entity order, `start` (groups + 1,)."""

    at: Int
    totals: Int
    start: Int


def cumulate(at: Int, codes: Code, groups: int, measures: Sequence[Int]) -> Rows:
    """Cumulative rows of facts in time order; each measure is an int64 array as long as `at`."""
    order, start = group(codes, groups)
    return Rows(at[order], _running(order, np.stack(measures)), start)


@njit(cache=True, nogil=True)
def _merge(
    at: Int, totals: Int, start: Int, group_at: Int, t: Int, first: Int, edges: Int, seen: Int
) -> tuple[Int, Int, Int]:
    """Totals (w, m, n) of every window for askings grouped by entity, and the first and last `at` before each.

    `group_at[g]` is the entity of the asking group that starts at `first[g]`; `edges` (w,) are window lengths, 0 meaning
    "always" and -k the last k facts with those of the same moment as the first of them; `seen` (groups, w + 1) remembers
    how far each edge has come, so that blocks of askings in time order go on where the last one stopped.
    """
    out = np.zeros((edges.size, totals.shape[1], t.size), np.int64)
    oldest = np.full(t.size, NEVER, np.int64)
    latest = np.full(t.size, NEVER, np.int64)
    for g in range(group_at.size):
        e = group_at[g]
        lo, end = start[e], start[e + 1]
        if lo == end:
            continue
        for i in range(first[g], first[g + 1]):
            hi = lo + seen[e, 0]
            while hi < end and at[hi] < t[i]:
                hi += 1
            seen[e, 0] = hi - lo
            if hi == lo:
                continue
            oldest[i], latest[i] = at[lo], at[hi - 1]
            for w in range(edges.size):
                p = lo
                if edges[w] != 0:
                    since = t[i] - edges[w] if edges[w] > 0 else at[max(lo, hi + edges[w])]
                    p += seen[e, w + 1]
                    while p < hi and at[p] < since:
                        p += 1
                    seen[e, w + 1] = p - lo
                for m in range(totals.shape[1]):
                    out[w, m, i] = totals[hi, m] - totals[p, m]
    return out, oldest, latest


@dataclass(frozen=True)
class Totals:
    """What a stream held before each asking: `windows` (w, m, n) int64, and `first` and `last` `at` (n,), NEVER if none."""

    windows: Int
    first: Int
    last: Int


class Merge:
    """One stream met by askings that come in time order, block after block."""

    def __init__(self, rows: Rows, edges: Sequence[int]) -> None:
        self.rows = rows
        self.edges = np.array(edges, np.int64)
        self._seen = np.zeros((rows.start.size - 1, len(edges) + 1), np.int64)

    def totals(self, groups: Int, first: Int, t: Int) -> Totals:
        """Totals of [t - edge, t) for askings grouped by entity: group g has entity `groups[g]` and starts at `first[g]`.

        Within a group, and from call to call, an entity's times must not decrease.
        """
        rows = self.rows
        return Totals(*_merge(rows.at, rows.totals, rows.start, groups, t, first, self.edges, self._seen))


def windowed(at: Int, codes: Code, measures: Sequence[Int], ask_codes: Code, t: Int, edges: Sequence[int]) -> Totals:
    """Totals of each window [t - edge, t) before each asking, in one call; edge 0 means always, -k the last k facts.

    Facts are in time order, and so are askings; an asking of a negative code has empty totals.

    >>> at, codes = np.array([0, 10, 20]), np.zeros(3, np.int32)
    >>> cents = [np.array([5, 7, 9])]
    >>> windowed(at, codes, cents, np.zeros(2, np.int32), np.array([20, 21]), [10, 0]).windows[:, 0].tolist()
    [[7, 9], [12, 21]]
    """
    groups = int(max(codes.max(initial=-1), ask_codes.max(initial=-1))) + 1
    order, start = group(ask_codes, groups)
    merge = Merge(cumulate(at, codes, groups, measures), edges)
    found = merge.totals(np.arange(groups), start, t[order])
    windows = np.zeros((len(edges), len(measures), t.size), np.int64)
    first, last = np.full(t.size, NEVER, np.int64), np.full(t.size, NEVER, np.int64)
    windows[:, :, order], first[order], last[order] = found.windows, found.first, found.last
    return Totals(windows, first, last)
