"""Beside: when facts of a stream came before and after one of a moment, which the first and last moments are set to."""

import numpy as np
from numba import njit

from features.kernel import NEVER, Flag, Int
from features.pages import FIRST, HEAD, ONE, SEALED, UNSEALED, take_state
from features.totals import began
from features.varints import Bytes, add_list, taken

HISTORY, STREAM, ENTRY, LATEST, COUNT, COLUMN = range(6)
"""What is told of a place: its history and stream, where in totals its first and last moment and its count are, and the
column of the latter."""


@njit(cache=True, nogil=True)
def beside(
    start: Int, rings: Int, buffer: Bytes, offsets: Int, lo: int, hi: int, place: Int, at: int, t: int
) -> tuple[np.int64, np.int64, np.int64]:
    """What pages lo:hi of a history say of a stream beside a moment; the first begins before it, unless none does.

    How many facts it counts at the moment, the last moment before, and the first after it and before `t`; NEVER if none.
    """
    state, s, column = np.zeros(rings[-1], np.int64), place[STREAM], place[COLUMN]
    begun, before, never = np.int64(0), np.int64(NEVER), np.int64(NEVER)
    for i in range(lo, hi):
        page, time = np.uint64(offsets[i]), began(buffer, offsets[i])
        p = page + HEAD
        if buffer[page] == SEALED:
            p = take_state(buffer, p, start, rings, state, time, state, False)
            if i == lo and time < at:
                begun, before = state[column], state[start[-1] + start.size - 1 + s]
        for _ in range(buffer[page + ONE]):
            passed, p = taken(buffer, p)
            time += np.int64(passed)
            of = np.int64(buffer[p])
            if of == s and time > at:
                return state[column] - begun, before, time if time < t else never
            p = add_list(buffer, p + ONE, state, start[of], start[of + 1])
            if of == s and time < at:
                begun, before = state[column], time
    return state[column] - begun, before, never


@njit(cache=True, nogil=True)
def others(
    shape: Int, bounds: Int, buffer: Bytes, offsets: Int, history: Int, places: Int, entered: Int, t: int, out: Int
) -> Flag:
    """Sets the first and the last moment of streams to those that they have without the fact `entered`, if that is alone.

    True of those places whose pages do not say, as they begin after it.
    """
    far = np.zeros(len(places), np.bool_)
    for i in range(len(places)):
        place, at = places[i], entered[i]
        h, first, last = place[HISTORY], place[ENTRY], place[LATEST]
        if at not in (out[first], out[last]):
            continue
        if not out[place[COUNT]]:
            out[first] = out[last] = NEVER
            continue
        hi = np.searchsorted(history, h + 1)
        lo = hi - 1
        if buffer[offsets[lo]] != FIRST and began(buffer, offsets[lo]) >= at:
            far[i] = True
            continue
        while buffer[offsets[lo]] == UNSEALED:
            lo -= 1
        start, rings = shape[0, bounds[h] : bounds[h + 1]], shape[1, bounds[h] : bounds[h + 1]]
        count, before, after = beside(start, rings, buffer, offsets, lo, hi, place, at, t)
        if count < 2 and out[last] == at:
            out[last] = before
        if count < 2 and out[first] == at:
            out[first] = after
    return far


@njit(cache=True, nogil=True)
def less(out: Int, ours: Int, theirs: Int) -> None:
    """Takes from totals at some places those at others, which are none of them."""
    for i in range(ours.size):
        out[ours[i]] -= out[theirs[i]]
