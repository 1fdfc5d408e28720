"""An entity's history packed in pages of bytes, from which its totals before any moment are read.

A history is rows in time order of several streams; rows of one moment stay as they came. A page holds up to ROWS of them:
a byte that says whether it is sealed, the number of rows, the first `at`, the state before its first row if it is sealed,
and the rows, of each how long after the one before, its stream and its values. The first page of a history needs no state.
A page is sealed once all rows before it are final; before that, readers come to it from the last sealed page on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from features.kernel import NEVER, Code, Flag, Int
from features.varints import SPARE, Bytes, add_list, put, put_list, set_word, take_list, taken, word

ROWS: Final = 128
"""Rows in a page; fewer cost bytes for states, more cost time for rows that are run through."""
LATEST: Final = 10
"""The most rows of a stream that a window of the last k may ask for."""
UNSEALED, SEALED, FIRST = 0, 1, 2
"""What the first byte of a page says: it has no state, has one, or needs none, being the first of its history."""
ONE: Final = np.uint64(1)
HEAD: Final = np.uint64(10)
"""Bytes before the state: kind, rows, first `at`."""
_LENGTH: Final = np.uint64(8)
"""Bytes that say how long the rings of a state are, so that they can be passed over."""


@dataclass(frozen=True)
class Layout:
    """The columns of a history: measures of stream s are start[s]:start[s + 1]; of `latest` streams the last k rows are asked.

    A state is one array: the total of each column, the first and the last `at` of each stream, and of each latest stream a
    ring of its last rows: the place of the newest, and for each its totals before the first row of the same moment.
    `shape` (2, streams + 1) holds `start`, and where in a state each ring begins (-1: none) and the state ends.
    """

    start: Int
    latest: Flag

    @cached_property
    def shape(self) -> Int:
        """What the compiled code reads of it."""
        sizes = np.where(self.latest, 1 + LATEST * np.diff(self.start), 0)
        ends = self.start[-1] + 2 * sizes.size + np.cumsum(sizes)
        rings = np.where(self.latest, ends - sizes, -1)
        return np.array([self.start, [*rings, ends[-1] if sizes.size else 0]], np.int64)


@dataclass(frozen=True)
class Layouts:
    """The layouts of the histories of a case, one after the other."""

    each: Sequence[Layout]

    @cached_property
    def shape(self) -> Int:
        """Those of the layouts side by side."""
        return np.concatenate([np.zeros((2, 0), np.int64), *(one.shape for one in self.each)], axis=1)

    @cached_property
    def bounds(self) -> Int:
        """Where the shape of each begins, and the last ends."""
        return np.array([0, *accumulate(one.start.size for one in self.each)], np.int64)

    def places(self, edges: int) -> Int:
        """Where in what `totals` answers each history's part begins, and the last ends.

        >>> two = Layout(np.array([0, 1, 3]), np.array([False, True]))
        >>> Layouts([two, two]).places(4).tolist()
        [0, 16, 32]
        """
        sizes = (edges * int(one.start[-1]) + 2 * one.latest.size for one in self.each)
        return np.array([0, *accumulate(sizes)], np.int64)


class Rows(NamedTuple):
    """Rows: `at` (n,) int64, `stream` (n,) uint8, and `values` int64, of each row as many as its stream has measures."""

    at: Int
    stream: Bytes
    values: Int


NO_ROWS: Final = Rows(np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.int64))


class Page(NamedTuple):
    """A page, the `at` of its first row, and how many pages of its history before it begin with the same."""

    start: int
    number: int
    data: bytes


class Packed(NamedTuple):
    """Pages of many entities: page i is buffer[offsets[i]:offsets[i + 1]], of the entity codes[i]."""

    buffer: Bytes
    offsets: Int
    codes: Code
    start: Int
    number: Int


class Unpacked(NamedTuple):
    """What a page says: its rows, whether it is sealed, and the state before its first row, empty if it is not sealed."""

    rows: Rows
    sealed: bool
    state: Int


@njit(cache=True, nogil=True)
def clear(start: Int, state: Int) -> None:
    """Makes a state that of a history without rows."""
    columns, streams = start[-1], start.size - 1
    for c in range(state.size):
        state[c] = 0
    for c in range(columns, columns + 2 * streams):
        state[c] = NEVER


@njit(cache=True, nogil=True)
def _push(state: Int, ring: int, lo: int, hi: int, tie: bool) -> None:
    """Enters the next row of a stream in its ring, before it is added: a tie stands on what the one before it stood on."""
    size, old = hi - lo, state[ring]
    new = old + 1 if old < LATEST - 1 else 0
    state[ring] = new
    was, to = ring + 1 + old * size, ring + 1 + new * size
    for k in range(size):
        state[to + k] = state[was + k] if tie else state[lo + k]


@njit(cache=True, nogil=True)
def _meet(start: Int, rings: Int, state: Int, at: np.int64, s: int, kept: bool) -> None:
    """Takes the `at` of a row of stream s into a state, and into its ring if those are kept; the values are yet to add."""
    first = start[-1] + s
    last = first + start.size - 1
    if kept and rings[s] >= 0:
        _push(state, rings[s], start[s], start[s + 1], state[last] == at)
    if state[first] == NEVER:
        state[first] = at
    state[last] = at


@njit(cache=True, nogil=True)
def _put_state(out: Bytes, p: np.uint64, start: Int, rings: Int, state: Int, at: np.int64, spare: Int) -> np.uint64:
    """Writes a state before `at`: times as distances, rings as what each row added to the next; where it ends."""
    columns, streams, c = start[-1], start.size - 1, start[-1] + 2 * (start.size - 1)
    spare[:columns] = state[:columns]
    for s in range(columns, columns + streams):
        first, last = state[s], state[s + streams]
        spare[s] = 0 if first == NEVER else last - first
        spare[s + streams] = 0 if first == NEVER else at - last + 1
    p = put_list(out, p, spare, 0, c)
    lo, begin, spare_lo = c, p, c
    p += _LENGTH
    for s in range(streams):
        if rings[s] >= 0:
            size, place = start[s + 1] - start[s], state[rings[s]]
            newer = start[s]
            for _ in range(LATEST):
                older = rings[s] + 1 + place * size
                for k in range(size):
                    spare[lo + k] = state[newer + k] - state[older + k]
                lo, newer, place = lo + size, older, place - 1 if place else LATEST - 1
    p = put_list(out, p, spare, spare_lo, lo)
    set_word(out, begin, p - begin)
    return p


@njit(cache=True, nogil=True)
def take_state(
    buffer: Bytes, p: np.uint64, start: Int, rings: Int, state: Int, at: np.int64, spare: Int, kept: bool
) -> np.uint64:
    """Reads a state before `at`, its rings only if they are kept; where it ends."""
    columns, streams, c = start[-1], start.size - 1, start[-1] + 2 * (start.size - 1)
    p = take_list(buffer, p, state, 0, c)
    for s in range(columns, columns + streams):
        if state[s + streams] == 0:
            state[s] = state[s + streams] = NEVER
        else:
            state[s + streams] = at + 1 - state[s + streams]
            state[s] = state[s + streams] - state[s]
    if not kept:
        return p + word(buffer, p)
    size = 0
    for s in range(streams):
        if rings[s] >= 0:
            size += LATEST * (start[s + 1] - start[s])
    p = take_list(buffer, p + _LENGTH, spare, 0, size)
    lo = 0
    for s in range(streams):
        if rings[s] >= 0:
            size, place, newer = start[s + 1] - start[s], 0, start[s]
            state[rings[s]] = 0
            for _ in range(LATEST):
                older = rings[s] + 1 + place * size
                for k in range(size):
                    state[older + k] = state[newer + k] - spare[lo + k]
                lo, newer, place = lo + size, older, place - 1 if place else LATEST - 1
    return p


@njit(cache=True, nogil=True)
def _pages_of(codes: Code) -> int:
    """How many pages the rows of entities need, rows of each together."""
    found = held = 0
    for i in range(codes.size):
        if i == 0 or codes[i] != codes[i - 1] or held == ROWS:
            found, held = found + 1, 0
        held += 1
    return found


@njit(cache=True, nogil=True)
def pack(
    shape: Int,
    codes: Code,
    at: Int,
    stream: Bytes,
    values: Int,
    until: int,
    state: Int,
    kind: int,
    before: np.int64,
    number: int,
    cut: int,
) -> tuple[Bytes, Int, Code, Int, Int]:
    """Packs rows, those of each code together and in time order; the first code's go on from a state.

    The first page is of the `kind` FIRST, or goes on a history: from no state if it is UNSEALED. `before` is where the page
    before it starts, and `number` its number. Where the history of another code begins, the state is cleared. The last page
    begins with row `cut`, unless that is 0.
    """
    start, rings = shape[0], shape[1]
    need = np.uint64(128 + 11 * state.size)
    out, spare, pages = np.empty(np.uint64(20 * at.size) + np.uint64(2) * need, np.uint8), np.empty_like(state), -1
    count = _pages_of(codes)
    offsets, whose = np.empty(count + 1, np.int64), np.empty(count, codes.dtype)
    starts, numbers = np.empty(count, np.int64), np.empty(count, np.int64)
    p, page, held, v, time = np.uint64(0), np.uint64(0), 0, 0, 0
    for i in range(at.size):
        if p + need > out.size:
            grown = np.empty(np.uint64(out.size + out.size // 2) + need, np.uint8)
            grown[:p] = out[:p]
            out = grown
        other = i > 0 and codes[i] != codes[i - 1]
        if i == 0 or other or held == ROWS or i == cut:
            if other:
                clear(start, state)
                kind = FIRST
            number = number + 1 if not other and (i > 0 or kind != FIRST) and before == at[i] else 0
            pages, page, held, time, before = pages + 1, p, 0, at[i], at[i]
            offsets[pages], whose[pages], starts[pages], numbers[pages] = np.int64(p), codes[i], at[i], number
            out[p] = SEALED if kind == SEALED and at[i] <= until else kind if kind == FIRST else UNSEALED
            set_word(out, p + np.uint64(2), np.uint64(at[i]))
            p += HEAD
            if out[page] == SEALED:
                p = _put_state(out, p, start, rings, state, at[i], spare)
            kind = SEALED if kind == FIRST else kind
        s = stream[i]
        held += 1
        out[page + ONE] = held
        p = put(out, p, np.uint64(at[i] - time))
        out[p] = s
        time, size = at[i], start[s + 1] - start[s]
        p = put_list(out, p + ONE, values, v, v + size)
        _meet(start, rings, state, at[i], s, True)
        for k in range(size):
            state[start[s] + k] += values[v + k]
        v += size
    offsets[count] = np.int64(p)
    return out[: p + np.uint64(SPARE)], offsets, whose, starts, numbers


@njit(cache=True, nogil=True)
def _packed(
    shape: Int, codes: Code, at: Int, stream: Bytes, values: Int, until: int
) -> tuple[Bytes, Int, Code, Int, Int]:
    """Packs whole histories."""
    state = np.empty(shape[1, -1], np.int64)
    clear(shape[0], state)
    return pack(shape, codes, at, stream, values, until, state, FIRST, np.int64(0), 0, 0)


def packed(layout: Layout, codes: Code, rows: Rows, sealed_until: int) -> Packed:
    """The histories of entities in pages; rows are sorted by code and `at`, those until `sealed_until` are final.

    >>> layout = Layout(np.array([0, 1]), np.array([True]))
    >>> rows = Rows(np.array([10, 20, 10]), np.zeros(3, np.uint8), np.array([5, 7, 9]))
    >>> found = packed(layout, np.array([3, 3, 4], np.int32), rows, 10)
    >>> found.codes.tolist(), found.start.tolist(), found.number.tolist()
    ([3, 4], [10, 10], [0, 0])
    """
    return Packed(*_packed(layout.shape, codes, *rows, sealed_until))


@njit(cache=True, nogil=True)
def rows_of(shape: Int, buffer: Bytes, offsets: Int, state: Int, more: int) -> tuple[Int, Bytes, Int, Int, int]:
    """The rows of pages that follow each other, with room for more behind, where the values of each begin, and how many.

    The state is set to the one before the first of them, or cleared.
    """
    start, n, spare = shape[0], 0, np.empty_like(state)
    for i in range(offsets.size - 1):
        n += buffer[offsets[i] + 1]
    widest = np.max(np.diff(start)) if start.size > 1 else 0
    at, stream = np.empty(n + more, np.int64), np.empty(n + more, np.uint8)
    place, values, v, r = np.empty(n + more, np.int64), np.zeros(n * widest, np.int64), 0, 0
    clear(start, state)
    for i in range(offsets.size - 1):
        page = np.uint64(offsets[i])
        p, time = page + HEAD, np.int64(word(buffer, page + np.uint64(2)))
        if buffer[page] == SEALED:
            p = take_state(buffer, p, start, shape[1], state if i == 0 else np.empty_like(state), time, spare, i == 0)
        for _ in range(buffer[page + ONE]):
            passed, p = taken(buffer, p)
            time += np.int64(passed)
            s = buffer[p]
            at[r], stream[r], place[r] = time, s, v
            p = add_list(buffer, p + ONE, values, v, v + start[s + 1] - start[s])
            v += start[s + 1] - start[s]
            r += 1
    return at, stream, values[:v], place, r


def unpacked(layout: Layout, page: bytes) -> Unpacked:
    """What a page says."""
    state = np.empty(layout.shape[1, -1], np.int64)
    at, stream, values, _, _ = rows_of(layout.shape, *joined([page]), state, 0)
    return Unpacked(Rows(at, stream, values), page[0] != UNSEALED, state)


def joined(pages: Sequence[bytes]) -> tuple[Bytes, Int]:
    """Pages in one buffer, and where each begins and the last ends."""
    offsets = np.fromiter(accumulate(map(len, pages), initial=0), np.int64, len(pages) + 1)
    return np.frombuffer(b"".join(chain(pages, (bytes(SPARE),))), np.uint8), offsets
