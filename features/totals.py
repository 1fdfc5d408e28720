"""Totals: what an entity's history adds up to within windows before a moment, read from its pages by compiled code."""

from typing import Final

import numpy as np
from numba import njit

from features.kernel import NEVER, Int
from features.pages import HEAD, LATEST, ONE, SEALED, Layouts, clear, take_state
from features.varints import GROUP, ZEROS, Bytes, taken, unfolded, word

_FAR: Final = np.iinfo(np.int64).max


@njit(cache=True, nogil=True)
def began(buffer: Bytes, offset: int) -> np.int64:
    """The `at` of the first row of the page at an offset."""
    return np.int64(word(buffer, np.uint64(offset) + np.uint64(2)))


@njit(cache=True, nogil=True)
def _copy(totals: Int, count: int, out: Int, o: int) -> None:
    """Copies the first totals to a place; a loop, for slices as short as these cost more than what is in them."""
    for c in range(count):
        out[o + c] = totals[c]


@njit(cache=True, nogil=True)
def _run(
    start: Int,
    rings: Int,
    buffer: Bytes,
    offsets: Int,
    lo: int,
    hi: int,
    moments: Int,
    slots: Int,
    state: Int,
    spare: Int,
    out: Int,
) -> None:
    """Runs through the pages lo:hi of a history up to the last of the moments, in time order, and leaves the state before it.

    Totals before each of the others go where `slots` says. Of a page, rows after the last moment that is asked are passed
    over if the next page has a state; rings are kept from the last page that has one. A row is taken in here, though `_meet`
    and `add_list` would do the same: arrays handed on to them would be counted for each row, which takes five times as long.
    """
    clear(start, state)
    columns, streams, m, end, t, full = start[-1], start.size - 1, 0, moments.size - 1, moments[-1], lo
    for i in range(lo, hi):
        if buffer[offsets[i]] == SEALED and began(buffer, offsets[i]) < t:
            full = i
    for i in range(lo, hi):
        page = np.uint64(offsets[i])
        at = np.int64(word(buffer, page + np.uint64(2)))
        while m < end and moments[m] <= at:
            _copy(state, columns, out, slots[m])
            m += 1
        if t <= at:
            break
        ahead = np.int64(_FAR)
        if i + 1 < hi and buffer[offsets[i + 1]] == SEALED:
            ahead = began(buffer, offsets[i + 1])
        if moments[m] > ahead:
            continue
        p, kept = page + HEAD, i >= full
        if buffer[page] == SEALED:
            p = take_state(buffer, p, start, rings, state, at, spare, kept)
        for _ in range(buffer[page + ONE]):
            passed, p = taken(buffer, p)
            at += np.int64(passed)
            if moments[m] <= at:
                while m < end and moments[m] <= at:
                    _copy(state, columns, out, slots[m])
                    m += 1
                if moments[m] <= at or moments[m] > ahead:
                    break
            s = np.uint64(buffer[p])
            p += ONE
            begin, stop, first, last = start[s], start[s + ONE], columns + np.int64(s), columns + streams + np.int64(s)
            if kept and rings[s] >= 0:
                size, old = stop - begin, state[rings[s]]
                new = old + 1 if old < LATEST - 1 else 0
                was, to = rings[s] + 1 + old * size if state[last] == at else begin, rings[s] + 1 + new * size
                state[rings[s]] = new
                for k in range(size):
                    state[to + k] = state[was + k]
            if state[first] == NEVER:
                state[first] = at
            state[last] = at
            # What `add_list` of varints does, told in place: a call for each row is slower.
            c, behind = np.uint64(begin), np.uint64(stop)
            while c < behind:
                some = np.uint64(buffer[p])
                p += ONE
                if some:
                    more = np.uint64(buffer[p])
                    p += ONE
                    some ^= more
                    while some:
                        state[c + ZEROS[some]] += 1
                        some &= some - ONE
                    while more:
                        value, p = taken(buffer, p)
                        state[c + ZEROS[more]] += unfolded(value)
                        more &= more - ONE
                c += np.uint64(GROUP)
    for j in range(m, end):
        _copy(state, columns, out, slots[j])


@njit(cache=True, nogil=True)
def _last(start: Int, rings: Int, state: Int, k: int, out: Int, o: int) -> None:
    """What the last k rows of each stream that keeps a ring add up to, with those of the same moment as their first."""
    for s in range(start.size - 1):
        lo, size, ring = start[s], start[s + 1] - start[s], rings[s]
        place = (state[ring] + 1 - k) % LATEST if ring >= 0 else 0
        for c in range(size):
            out[o + lo + c] = state[lo + c] - state[ring + 1 + place * size + c] if ring >= 0 else 0


@njit(cache=True, nogil=True)
def _finish(start: Int, rings: Int, state: Int, edges: Int, out: Int) -> None:
    """Makes windows of the state at the end and of totals at their edges, and puts the first and last times behind."""
    columns, streams = start[-1], start.size - 1
    for w in range(edges.size):
        o = w * columns
        if edges[w] > 0:
            for c in range(columns):
                out[o + c] = state[c] - out[o + c]
        elif edges[w] == 0:
            _copy(state, columns, out, o)
        else:
            _last(start, rings, state, -edges[w], out, o)
    o = edges.size * columns
    for c in range(2 * streams):
        out[o + c] = state[columns + c]


@njit(cache=True, nogil=True)
def _totals(shape: Int, bounds: Int, buffer: Bytes, offsets: Int, history: Int, t: int, edges: Int, out: Int) -> None:
    """Reads the pages of histories, one history after the other."""
    lengths = edges[edges > 0]
    lengths.sort()
    moments, order, slots = np.empty(lengths.size + 1, np.int64), np.argsort(-edges), np.empty(lengths.size, np.int64)
    moments[-1] = t
    moments[:-1] = t - lengths[::-1]
    state, lo, o = np.empty(np.max(shape[1]), np.int64), 0, 0
    spare = np.empty_like(state)
    for h in range(bounds.size - 1):
        start, rings = shape[0, bounds[h] : bounds[h + 1]], shape[1, bounds[h] : bounds[h + 1]]
        columns, here = start[-1], state[: rings[-1]]
        hi, end = lo, o + edges.size * columns + 2 * (start.size - 1)
        while hi < history.size and history[hi] == h:
            hi += 1
        for w in range(slots.size):
            slots[w] = order[w] * columns
        _run(start, rings, buffer, offsets, lo, hi, moments, slots, here, spare, out[o:end])
        _finish(start, rings, here, edges, out[o:end])
        lo, o = hi, end


def totals(layouts: Layouts, buffer: Bytes, offsets: Int, history: Int, t: int, edges: Int, out: Int) -> None:
    """Windows [t - edge, t) of every column of every history of a case, as `features.kernel.windowed` has them, into `out`.

    Pages, joined in time order one history after the other, are of the history'th layout each. Of each history there must be
    the last page that starts before t, that which starts last before t - edge for each edge above 0, and before each of
    them that is not sealed the pages from the last sealed one on; others may be left out. Edge 0 means always, and -k the
    last k rows, at most LATEST, of streams that are `latest` (0 for others).

    The part of history h in `out` is from `layouts.places(edges.size)[h]` on: window w of column c at w * columns + c, and
    behind the windows the first `at` of each stream before t, and then the last ones; NEVER if none.

    >>> from features.pages import Layout, Rows, packed
    >>> layout = Layout(np.array([0, 1]), np.array([True]))
    >>> page = packed(layout, np.zeros(3, np.int32), Rows(np.array([0, 10, 20]), np.zeros(3, np.uint8), np.array([5, 7, 9])), 0)
    >>> out = np.empty(5, np.int64)
    >>> totals(Layouts([layout]), page.buffer, page.offsets, np.zeros(1, np.int64), 20, np.array([10, 0, -1]), out)
    >>> out.tolist()
    [7, 12, 7, 0, 10]
    """
    _totals(layouts.shape, layouts.bounds, buffer, offsets, history, t, edges, out)
