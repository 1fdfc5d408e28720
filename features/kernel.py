"""The one aggregation of the project: running totals, and their differences between the edges of a window.

For an entity and a stream of facts, a windowed total of [t - w, t) is (all before t) - (all before t - w): exact, since
all of it is int64. Facts and askings are both in time order, so one sweep finds every window of every entity: a pointer
for each edge goes through the facts, and each fact it passes is added to its entity's row of state. Nothing is sorted
and nothing is searched.
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
Row = NDArray[np.uint32]
Place = NDArray[np.uint64]

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
NEVER: Final = np.iinfo(np.int64).min
"""Stands for "no such fact" where a first or last time is asked for."""
NOBODY: Final = 0
"""The row of state of those who have no facts."""
UNASKED: Final = 1
"""The row of state that takes the facts of nobody's entity, and of those who are not asked about."""
ONE: Final = np.uint64(1)
"""Places in arrays are unsigned: whether they count from the end need not be asked, which would cost a third more."""
LINE: Final = 8
"""Integers in a line of the cache."""
TILE: Final = 64
"""Askings whose rows of state are read ahead together."""
MANY: Final = np.uint64(512)
"""Facts between the askings of a tile that are not read ahead: they would push each other out of the cache."""


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


@njit(cache=True, nogil=True)
def _settle(codes: Code, asked: Flag) -> tuple[Row, Row, int]:
    """The row of state of each entity, by code + 1, and of each fact; how many rows there are.

    An entity without facts has the row of nobody. Hardly anything branches: who is asked about cannot be guessed.
    """
    home, row, taken = np.full(asked.size + 1, NOBODY, np.uint32), np.empty(codes.size, np.uint32), UNASKED + 1
    for code in codes:
        home[code + 1] = UNASKED
    for g in range(asked.size):
        if asked[g] and home[g + 1] != NOBODY:
            home[g + 1] = taken
            taken += 1
    home[0] = UNASKED
    for i in range(codes.size):
        row[i] = home[codes[i] + 1]
    home[0] = NOBODY
    return home, row, taken


@njit(cache=True, nogil=True)
def _push(at: Int, sums: Int, after: Place, i: np.uint64, state: Int, edges: Int) -> None:
    """Takes from the last-k windows of an entity, whose row of state is given, what its new fact i pushes out.

    `after` links each fact of an entity with the next. The row goes on behind the sums with how many facts there are,
    the newest, and for each such window its k-th last fact and the first that has not left.
    """
    c = 2 + (edges.size + 1) * len(sums)
    count = state[c]
    if count > 0:
        after[state[c + 1]] = i
    state[c], state[c + 1] = count + 1, i
    for w in range(edges.size):
        if edges[w] < 0:
            c += 2
            if count == 0:
                state[c] = state[c + 1] = i
            elif count >= -edges[w]:
                state[c] = after[state[c]]
            while at[state[c + 1]] < at[state[c]]:
                for k in range(len(sums)):
                    state[2 + (w + 1) * len(sums) + k] += sums[k, state[c + 1]]
                state[c + 1] = after[state[c + 1]]


@njit(cache=True, nogil=True)
def _touch(at: Int, row: Row, p: np.uint64, until: np.int64, state: Int, column: int) -> int:
    """Reads the state that facts from p on and before `until` will change; its sum."""
    read = 0
    while p < at.size and at[p] < until:
        read += state[row[p], column]
        p += ONE
    return read


@njit(cache=True, nogil=True)
def _ahead(at: Int, row: Row, measures: int, heads: Place, t: np.int64, state: Int, edges: Int, here: Row) -> int:
    """Reads ahead what askings of the rows `here`, the last of them at `t`, will need: all reads wait at once for memory.

    The sum of it is of no use, but keeps the compiler from leaving the reads out.
    """
    read = _touch(at, row, heads[0], t, state, 0)
    for r in here:
        read += state[r, 0] + state[r, -1]
    for w in range(edges.size):
        if edges[w] > 0:
            read += _touch(at, row, heads[w + 1], t - edges[w], state, 2 + (w + 1) * measures)
    return read


@njit(cache=True, nogil=True)
def _sweep(
    at: Int,
    row: Row,
    sums: Int,
    like: tuple[int, ...],
    after: Place | None,
    heads: Place,
    state: Int,
    edges: Int,
    here: Row,
    t: Int,
    windows: Int,
    first: Int,
    last: Int,
) -> int:
    """Answers askings in time order of the rows `here`; `heads` (w + 1,) says how far totals and windows have come.

    A row of `state` holds the first and the last `at`, the total of each measure, and for each window what has left it
    of each measure. `like` is as long as the measures are many, which the compiler then knows. All of it is one function:
    arrays that the innermost loops hand on to others would be counted each time.
    """
    read, begun, m, step = 0, heads[0], len(like), np.uint64(t.size)
    for lo in range(0, t.size, TILE):
        hi = min(lo + TILE, t.size)
        few, begun = heads[0] - begun < MANY, heads[0]
        if few:
            read += _ahead(at, row, m, heads, t[hi - 1], state, edges, here[lo:hi])
        for i in range(lo, hi):
            p = heads[0]
            while p < at.size and at[p] < t[i]:
                r = row[p]
                if state[r, 0] == NEVER:
                    state[r, 0] = at[p]
                state[r, 1] = at[p]
                for k in range(m):
                    state[r, 2 + k] += sums[k, p]
                if after is not None:
                    _push(at, sums, after, p, state[r], edges)
                p += ONE
            heads[0] = p
            for w in range(edges.size):
                p = heads[w + 1]
                if edges[w] > 0 and p < heads[0] and at[p] < t[i] - edges[w]:
                    since = t[i] - edges[w]
                    while p < heads[0] and at[p] < since:
                        for k in range(m):
                            state[row[p], 2 + (w + 1) * m + k] += sums[k, p]
                        p += ONE
                    heads[w + 1] = p
            r, left, j = here[i], 2 + m, np.uint64(i)
            first[i], last[i] = state[r, 0], state[r, 1]
            for _ in range(edges.size):
                for k in range(m):
                    windows[j] = state[r, 2 + k] - state[r, left]
                    left += 1
                    j += step
    return read


def _lined(rows: int, width: int) -> Int:
    """Zeros (rows, width or more), each row from the start of a cache line: one that straddles two costs two reads."""
    width = -(-width // LINE) * LINE
    room = np.zeros(rows * width + LINE, np.int64)
    lo = -(room.ctypes.data // room.itemsize) % LINE
    return room[lo : lo + rows * width].reshape(rows, width)


def positions(lo: Int, hi: Int) -> tuple[Int, Int]:
    """Every position in the ranges [lo, hi), range after range: which range it is in, and the position.

    >>> positions(np.array([5, 9, 2]), np.array([7, 9, 3]))
    (array([0, 0, 2]), array([5, 6, 2]))
    """
    count = hi - lo
    which = np.repeat(np.arange(lo.size), count)
    return which, np.arange(which.size) - np.repeat(np.cumsum(count) - count, count) + lo[which]


@dataclass(frozen=True)
class Totals:
    """What a stream held before each asking: `windows` (w, m, n) int64, and `first` and `last` `at` (n,), NEVER if none."""

    windows: Int
    first: Int
    last: Int


class Sweep:
    """One stream met by askings that come in time order, block after block.

    Facts are in time order; `codes` (n,) say whose each is, -1 for nobody's. `edges` are lengths of windows: 0 means
    always, and -k the last k facts with those of the same moment as the first of them. `measures` in one array (m, n)
    are not copied. Where `asked` holds all codes that will ever be asked about, the facts of others are left out.

    >>> sweep = Sweep(np.array([0, 10, 20]), np.zeros(3, np.int32), 1, [np.array([5, 7, 9])], [10, 0])
    >>> [sweep.totals(np.zeros(1, np.int32), np.array([t])).windows[:, 0, 0].tolist() for t in (20, 21)]
    [[7, 12], [9, 21]]
    """

    def __init__(
        self,
        at: Int,
        codes: Code,
        groups: int,
        measures: Sequence[Int] | Int,
        edges: Sequence[int],
        *,
        asked: Code | None = None,
    ) -> None:
        which = np.full(groups, asked is None)
        if asked is not None:
            which[asked[asked >= 0]] = True
        self._home, row, rows = _settle(codes, which)
        self._shape = len(edges), len(measures)
        if not len(measures):
            edges, measures = (), (at,)
        if 2 * np.count_nonzero(kept := row != UNASKED) < at.size:
            keep = np.flatnonzero(kept)
            at, row, measures = at[keep], row[keep], [measure[keep] for measure in measures]
        links = 2 * sum(edge < 0 for edge in edges)
        after = np.zeros(at.size, np.uint64) if links else None
        self._facts = at, row, np.ascontiguousarray(measures, np.int64), (0,) * len(measures), after
        self._heads, self._edges = np.zeros(len(edges) + 1, np.uint64), np.array(edges, np.int64)
        self._state = _lined(rows, 2 + (len(edges) + 1) * len(measures) + (links and 2 + links))
        self._state[:, :2] = NEVER

    def totals(self, codes: Code, t: Int) -> Totals:
        """What the entities `codes` (n,) had before each `t` (n,); times must not decrease, nor from call to call."""
        first, last = np.empty((2, t.size), np.int64)
        windows = np.empty((len(self._edges), len(self._facts[2]), t.size), np.int64)
        here = self._home[codes + np.int32(1)]
        _sweep(*self._facts, self._heads, self._state, self._edges, here, t, windows.reshape(-1), first, last)
        return Totals(windows.reshape(*self._shape, t.size), first, last)


def windowed(at: Int, codes: Code, measures: Sequence[Int], ask_codes: Code, t: Int, edges: Sequence[int]) -> Totals:
    """Totals of each window [t - edge, t) before each asking, in one call; edge 0 means always, -k the last k facts.

    Facts are in time order, and so are askings; an asking of a negative code has empty totals.

    >>> at, codes = np.array([0, 10, 20]), np.zeros(3, np.int32)
    >>> cents = [np.array([5, 7, 9])]
    >>> windowed(at, codes, cents, np.zeros(2, np.int32), np.array([20, 21]), [10, 0]).windows[:, 0].tolist()
    [[7, 9], [12, 21]]
    """
    groups = int(max(codes.max(initial=-1), ask_codes.max(initial=-1))) + 1
    return Sweep(at, codes, groups, measures, edges, asked=ask_codes).totals(ask_codes, t)
