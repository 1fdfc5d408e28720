"""Differing: the rows that histories gain and lose, from what they had before and what they have after."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from features.changing import Each, each, places, same
from features.columns import encode
from features.digests import digests, ranked
from features.digests import joined as keyed
from features.entries import Entries
from features.kernel import Code, Int, group
from features.pages import Rows
from features.varints import Bytes

Marks = NDArray[np.uint64]


@dataclass(frozen=True)
class Change:
    """Rows that a history gains and loses."""

    added: Rows
    removed: Rows


@dataclass(frozen=True)
class Changes:
    """What histories of one kind gain and lose, by the first bytes of their keys."""

    whose: Sequence[bytes]
    added: Each
    removed: Each

    def of(self, i: int) -> Change:
        """What one of them does."""
        return Change(self.added.of(i), self.removed.of(i))


def changes(first: bytes, old: Entries, new: Entries) -> Changes:
    """What histories of a kind gain and lose, whose keys begin with `first` and go on with the digests of their names."""
    layout, both, names, place = new.layout, [], [], 0
    for one, sign in ((old, -1), (new, 1)):
        met, rank = _met(one.codes, len(one.names))
        rows = Rows(one.at, one.stream.astype(np.uint8), one.values)
        both.append((rank[one.codes] + place, np.full(len(one), sign), rows))
        names.append(one.names.take(pa.array(met)))
        place += met.size
    named = encode(pa.chunked_array(names))
    codes = named.codes[np.concatenate([one[0] for one in both])]
    signs = np.concatenate([one[1] for one in both])
    rows = Rows(*(np.concatenate(parts) for parts in zip(*(one[2] for one in both), strict=True)))
    kept = _unmatched(_marks(layout.start, codes, *rows), layout.start, codes, *rows, signs)
    who, _ = _met(codes[kept], len(named.values))
    theirs = digests(named.values.take(pa.array(who)))
    order, _ = ranked(theirs)
    more, less = (_by_code(layout.start, rows, codes, kept[signs[kept] == sign], who[order]) for sign in (1, -1))
    return Changes(list(keyed(first, theirs[order])), more, less)


def _by_code(start: Int, rows: Rows, codes: Code, which: Int, who: Int) -> Each:
    """Some of the rows, those of each code together in their order, code by code as `who` says."""
    rank = np.empty(int(who.max(initial=-1)) + 1, np.int32)
    rank[who] = np.arange(who.size)
    order, bounds = group(rank[codes[which]], who.size)
    return each(start, taken(start, rows, which[order]), bounds)


def _met(codes: Int | Code, groups: int) -> tuple[Int, Int]:
    """The codes that there are, and the place of each code among them."""
    met = np.bincount(codes, minlength=groups) > 0
    return np.flatnonzero(met), np.cumsum(met) - 1


def taken(start: Int, rows: Rows, which: Int) -> Rows:
    """Some of the rows."""
    return Rows(rows.at[which], rows.stream[which], _values(start, rows.stream, rows.values, which))


@njit(cache=True, nogil=True)
def _values(start: Int, stream: Bytes, values: Int, which: Int) -> Int:
    """The values of some rows, row after row."""
    place, size = places(start, stream), 0
    for i in which:
        size += place[i + 1] - place[i]
    found, v = np.empty(size, np.int64), 0
    for i in which:
        for k in range(place[i], place[i + 1]):
            found[v] = values[k]
            v += 1
    return found


@njit(cache=True, nogil=True)
def _mixed(mark: np.uint64, word: np.uint64) -> np.uint64:
    mark = (mark ^ word) * np.uint64(1099511628211)
    return mark ^ (mark >> np.uint64(29))


@njit(cache=True, nogil=True)
def _marks(start: Int, codes: Code, at: Int, stream: Bytes, values: Int) -> Marks:
    """A number for each row, the same for the same, and hardly ever for others."""
    found, v = np.empty(at.size, np.uint64), 0
    for i in range(at.size):
        mark = np.uint64(14695981039346656037)
        for word in (np.uint64(codes[i]), np.uint64(at[i]), np.uint64(stream[i])):
            mark = _mixed(mark, word)
        for _ in range(start[stream[i] + 1] - start[stream[i]]):
            mark = _mixed(mark, np.uint64(values[v]))
            v += 1
        found[i] = mark
    return found


@njit(cache=True, nogil=True)
def _alike(start: Int, place: Int, codes: Code, at: Int, stream: Bytes, values: Int, i: int, j: int) -> bool:
    """Whether two rows say the same of the same."""
    of_one = codes[i] == codes[j] and at[i] == at[j] and stream[i] == stream[j]
    return bool(of_one and same(start, values, place[i], values, place[j], stream[i]))


@njit(cache=True, nogil=True)
def _unmatched(marks: Marks, start: Int, codes: Code, at: Int, stream: Bytes, values: Int, signs: Int) -> Int:
    """The rows, of each group that is alike, that are more on one side than on the other; the first of them.

    Rows are looked for by their `marks`, and alike where they are.
    """
    keep, n, size, place = np.empty(marks.size, np.int64), 0, 16, places(start, stream)
    while size < 2 * marks.size:
        size *= 2
    first, net, slot = np.full(size, -1), np.zeros(size, np.int64), np.empty(marks.size, np.int64)
    for i in range(marks.size):
        p = np.int64(marks[i] & np.uint64(size - 1))
        while first[p] >= 0 and not (
            marks[first[p]] == marks[i] and _alike(start, place, codes, at, stream, values, first[p], i)
        ):
            p = (p + 1) & (size - 1)
        first[p] = i if first[p] < 0 else first[p]
        slot[i] = p
        net[p] += signs[i]
    for i in range(marks.size):
        if net[slot[i]] * signs[i] > 0:
            keep[n] = i
            n += 1
            net[slot[i]] -= signs[i]
    return keep[:n]
