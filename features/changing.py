"""Changing: pages of histories written anew with rows added and rows taken out, by compiled code."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit

from features.kernel import Int
from features.pages import FIRST, ROWS, Layout, Packed, Page, Rows, joined, pack, rows_of
from features.varints import Bytes, word
from features.weaving import at_most, fits, woven


@njit(cache=True, nogil=True)
def same(start: Int, one: Int, a: int, other: Int, b: int, s: int) -> bool:
    """Whether two rows of a stream have the same values."""
    size = start[s + 1] - start[s]
    return bool(np.all(one[a : a + size] == other[b : b + size]))


@njit(cache=True, nogil=True)
def places(start: Int, stream: Bytes) -> Int:
    """Where the values of each row begin, and those of the last end."""
    place = np.zeros(stream.size + 1, np.int64)
    for i in range(stream.size):
        place[i + 1] = place[i] + start[stream[i] + 1] - start[stream[i]]
    return place


@njit(cache=True, nogil=True)
def _merged(start: Int, old: tuple[Int, Bytes, Int], place: Int, new: tuple[Int, Bytes, Int]) -> tuple[Int, Bytes, Int]:
    """Rows with others among them, in time order, old ones of a moment first; of the others only `at` need not be in order."""
    n, begin = place.size, places(start, new[1])
    order = np.argsort(new[0], kind="mergesort")
    at, stream = np.empty(n + order.size, np.int64), np.empty(n + order.size, np.uint8)
    values, v, i, j = np.empty(old[2].size + new[2].size, np.int64), 0, 0, 0
    for r in range(at.size):
        if j == order.size or (i < n and old[0][i] <= new[0][order[j]]):
            at[r], stream[r] = old[0][i], old[1][i]
            lo, whose, i = place[i], old[2], i + 1
        else:
            at[r], stream[r] = new[0][order[j]], new[1][order[j]]
            lo, whose, j = begin[order[j]], new[2], j + 1
        for k in range(start[stream[r] + 1] - start[stream[r]]):
            values[v] = whose[lo + k]
            v += 1
    return at, stream, values


@njit(cache=True, nogil=True)
def _without(start: Int, rows: tuple[Int, Bytes, Int], gone: tuple[Int, Bytes, Int]) -> tuple[Int, Bytes, Int, int]:
    """Rows without others, one for each, and how many of those there were."""
    at, stream, values = rows
    keep, place, theirs, met = np.ones(at.size, np.bool_), places(start, stream), places(start, gone[1]), 0
    for j in range(gone[0].size):
        i = np.searchsorted(at, gone[0][j])
        while i < at.size and at[i] == gone[0][j]:
            s = stream[i]
            if keep[i] and s == gone[1][j] and same(start, values, place[i], gone[2], theirs[j], s):
                keep[i] = False
                met += 1
                break
            i += 1
    v = 0
    for i in range(at.size):
        if keep[i]:
            for k in range(place[i], place[i + 1]):
                values[v] = values[k]
                v += 1
    return at[keep], stream[keep], values[:v], met


@njit(cache=True, nogil=True)
def _cut(at: Int) -> int:
    """Where the last page of rows has to begin so that it begins before the last moment; 0 if it does so anyway, or cannot.

    A page that follows and is left as it is may begin with that moment, and its place among those that do must stay.
    """
    ties = at.size - np.searchsorted(at, at[-1]) if at.size else 0
    return at.size - ties - 1 if ties < ROWS and (at.size - 1) % ROWS < ties and at.size > ROWS else 0


@njit(cache=True, nogil=True)
def _changed(
    shape: Int,
    buffer: Bytes,
    offsets: Int,
    added: tuple[Int, Bytes, Int],
    removed: tuple[Int, Bytes, Int],
    until: int,
    number: int,
) -> tuple[Bytes, Int, Int, Int, int]:
    """Packs pages anew; also how many of the rows to remove there were."""
    state = np.empty(shape[1, -1], np.int64)
    at, stream, values, place, _ = rows_of(shape, buffer, offsets, state, 0)
    met = 0
    if added[0].size:
        at, stream, values = _merged(shape[0], (at, stream, values), place, added)
    if removed[0].size:
        at, stream, values, met = _without(shape[0], (at, stream, values), removed)
    kind, before = FIRST, np.int64(0)
    if offsets.size > 1:
        kind, before = buffer[offsets[0]], np.int64(word(buffer, np.uint64(offsets[0]) + np.uint64(2)))
    codes = np.zeros(at.size, np.int32)
    out, ends, _, starts, numbers = pack(
        shape, codes, at, stream, values, until, state, kind, before, number - 1, _cut(at)
    )
    return out, ends, starts, numbers, met


def changed(
    layout: Layout, pages: Sequence[bytes], added: Rows, removed: Rows, sealed_until: int, *, number: int = 0
) -> list[Page]:
    """Pages of a history that follow each other, written anew with rows added, and one equal row removed for each removed.

    Of pages from a sealed one on, those that start until `sealed_until` are sealed: all rows before are final. Pages from
    an unsealed one on, all of whose rows are yet to come, stay so. Without pages a history begins, so rows before the first
    page want that page too, and so does the page behind it if no row of the first is left. All pages that start at or before
    a row added or removed belong to it; pages behind stay as they are. Added rows come after those of their moment, and may
    be in any order. `number` is that of the first page. AssertionError if a row to remove is not there.

    >>> from features.pages import NO_ROWS, unpacked
    >>> layout = Layout(np.array([0, 1]), np.array([False]))
    >>> rows = Rows(np.array([20, 10]), np.zeros(2, np.uint8), np.array([7, 5]))
    >>> [page] = changed(layout, [], rows, NO_ROWS, 0)
    >>> unpacked(layout, page.data).rows.values.tolist(), page.start, len(page.data)
    ([5, 7], 10, 20)
    """
    out, ends, starts, numbers, met = _changed(layout.shape, *joined(pages), added, removed, sealed_until, number)
    assert met == removed.at.size, f"{removed.at.size - met} of {removed.at.size} rows to remove are not in these pages"
    whole, bounds = out.tobytes(), ends.tolist()
    parts = [whole[lo:hi] for lo, hi in pairwise(bounds)]
    return [Page(*one) for one in zip(starts.tolist(), numbers.tolist(), parts, strict=True)]


class Each(NamedTuple):
    """Rows of many histories, those of each together: of history i the rows bounds[i]:bounds[i + 1], values[places[...]]."""

    rows: Rows
    bounds: Int
    places: Int

    def of(self, i: int) -> Rows:
        """The rows of one history."""
        lo, hi = int(self.bounds[i]), int(self.bounds[i + 1])
        values = self.rows.values[self.places[lo] : self.places[hi]]
        return Rows(self.rows.at[lo:hi], self.rows.stream[lo:hi], values)


def each(start: Int, rows: Rows, bounds: Int) -> Each:
    """Rows of many histories by what the columns of their layout start with."""
    return Each(rows, bounds, places(start, rows.stream))


@njit(cache=True, nogil=True)
def _changed_each(
    shape: Int,
    buffer: Bytes,
    offsets: Int,
    added: tuple[Int, Bytes, Int],
    more: Int,
    more_places: Int,
    removed: tuple[Int, Bytes, Int],
    less: Int,
    less_places: Int,
    until: int,
    numbers: Int,
) -> tuple[Bytes, Int, Int, Int, Int, int]:
    """Packs the one page of each of many histories anew; whose each new page is, and how many rows there were to remove."""
    out, p, met = np.empty(2 * buffer.size + 64 * added[0].size + 4096, np.uint8), 0, 0
    room = numbers.size + added[0].size // ROWS + 16
    ends, whose = np.zeros(room + 1, np.int64), np.empty(room, np.int64)
    starts, marks, n = np.empty(room, np.int64), np.empty(room, np.int64), 0
    for e in range(numbers.size):
        a, b, c, d = more[e], more[e + 1], less[e], less[e + 1]
        lo, hi = np.uint64(offsets[e]), np.uint64(offsets[e + 1])
        new = Rows(added[0][a:b], added[1][a:b], added[2][more_places[a] : more_places[b]])
        if b > a and c == d and fits(buffer, lo, hi, b - a, until):
            need = at_most(shape[0], lo, hi, b - a)
            if p + need > out.size:
                out = np.append(out, np.empty(out.size + need, np.uint8))
            begins = more_places[a:b] - more_places[a]
            ends[n + 1] = woven(shape[0], buffer, lo, hi, new, begins, out, np.uint64(p))
            whose[n], starts[n], marks[n] = e, np.int64(word(out, np.uint64(p + 2))), numbers[e]
            n, p = n + 1, ends[n + 1]
            continue
        some = offsets[e : e + 2] if hi > lo else offsets[e : e + 1]
        gone = (removed[0][c:d], removed[1][c:d], removed[2][less_places[c] : less_places[d]])
        made, bounds, begin, count, found = _changed(shape, buffer, some, new, gone, until, numbers[e])
        met += found
        size = bounds[-1]
        if p + size > out.size:
            out = np.append(out, np.empty(out.size + size, np.uint8))
        if n + begin.size + numbers.size - e > whose.size:
            ends, whose = np.append(ends, np.zeros_like(ends)), np.append(whose, whose)
            starts, marks = np.append(starts, starts), np.append(marks, marks)
        out[p : p + size] = made[:size]
        for k in range(begin.size):
            ends[n + 1], whose[n], starts[n], marks[n] = p + bounds[k + 1], e, begin[k], count[k]
            n += 1
        p += size
    return out[:p], ends[: n + 1], whose[:n], starts[:n], marks[:n], met


def changed_each(
    layout: Layout, pages: Sequence[bytes], added: Each, removed: Each, sealed_until: int, numbers: Int
) -> Packed:
    """What `changed` makes of many histories at once, of each of which one page is enough, or none (b"") as it begins."""
    out, ends, whose, starts, marks, met = _changed_each(
        layout.shape,
        *joined(pages),
        added.rows,
        added.bounds,
        added.places,
        removed.rows,
        removed.bounds,
        removed.places,
        sealed_until,
        numbers,
    )
    gone = removed.rows.at.size
    assert met == gone, f"{gone - met} of {gone} rows to remove are not in these pages"
    return Packed(out, ends, whose.astype(np.int32), starts, marks)
