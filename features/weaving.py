"""Weaving: rows put among those of a page that has room for them, whose bytes are copied without reading what they say."""

import numpy as np
from numba import njit

from features.kernel import Int
from features.pages import FIRST, HEAD, ONE, ROWS, SEALED, Rows
from features.varints import SPARE, Bytes, pass_list, put, put_list, set_word, taken, word


@njit(cache=True, nogil=True)
def fits(buffer: Bytes, lo: np.uint64, hi: np.uint64, more: int, until: int) -> bool:
    """Whether the page buffer[lo:hi], or none, has room for more rows and stays the first of its history or sealed."""
    if lo == hi or buffer[lo] == FIRST:
        return more <= ROWS if lo == hi else buffer[lo + ONE] + more <= ROWS
    sealed = buffer[lo] == SEALED and np.int64(word(buffer, lo + np.uint64(2))) <= until
    return bool(sealed and buffer[lo + ONE] + more <= ROWS)


@njit(cache=True, nogil=True)
def at_most(start: Int, lo: np.uint64, hi: np.uint64, more: int) -> int:
    """Bytes that the page needs at most with more rows, and those that are written beyond it."""
    widest = np.max(np.diff(start)) if start.size > 1 else 0
    return int(np.int64(hi - lo) + SPARE + 20 + more * (12 + 10 * widest))


@njit(cache=True, nogil=True)
def _copied(buffer: Bytes, lo: np.uint64, hi: np.uint64, out: Bytes, p: np.uint64) -> np.uint64:
    """Copies bytes to place p; where they end."""
    while lo < hi:
        out[p] = buffer[lo]
        lo, p = lo + ONE, p + ONE
    return p


@njit(cache=True, nogil=True)
def _begun(start: Int, buffer: Bytes, lo: np.uint64, hi: np.uint64) -> tuple[int, int, np.int64, np.uint64]:
    """What a page says before its rows: its kind, how many, the first moment; and where they begin."""
    if lo == hi:
        return FIRST, 0, np.int64(0), lo
    p = lo + HEAD
    if buffer[lo] == SEALED:
        p = pass_list(buffer, p, start[-1] + 2 * (start.size - 1))
        p += word(buffer, p)
    return buffer[lo], buffer[lo + ONE], np.int64(word(buffer, lo + np.uint64(2))), p


@njit(cache=True, nogil=True)
def woven(
    start: Int, buffer: Bytes, lo: np.uint64, hi: np.uint64, new: Rows, places: Int, out: Bytes, p: np.uint64
) -> np.uint64:
    """Writes the page buffer[lo:hi], or a first one, with rows more, its own of a moment before new ones; where it ends.

    `places` says where the values of each new row begin; these may be in any order.
    """
    at, stream, values = new
    order = np.argsort(at, kind="mergesort")
    kind, rows, time, q = _begun(start, buffer, lo, hi)
    first = time if rows and time <= at[order[0]] else at[order[0]]
    out[p], out[p + ONE] = kind, rows + at.size
    set_word(out, p + np.uint64(2), np.uint64(first))
    p = _copied(buffer, lo + HEAD, q, out, p + HEAD)
    before, r = first, 0
    for j in order:
        while r < rows:
            passed, begin = taken(buffer, q)
            if time + np.int64(passed) > at[j]:
                break
            time += np.int64(passed)
            s = buffer[begin]
            q = pass_list(buffer, begin + ONE, start[s + 1] - start[s])
            p = put(out, p, np.uint64(time - before))
            p = _copied(buffer, begin, q, out, p)
            before, r = time, r + 1
        p = put(out, p, np.uint64(at[j] - before))
        s = stream[j]
        out[p] = s
        p = put_list(out, p + ONE, values, places[j], places[j] + start[s + 1] - start[s])
        before = at[j]
    if r < rows:
        passed, begin = taken(buffer, q)
        p = put(out, p, np.uint64(time + np.int64(passed) - before))
        p = _copied(buffer, begin, hi, out, p)
    return p
