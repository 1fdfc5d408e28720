"""Shelves: the pages of every history under ordered keys, and how rows are put among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.entries import Entries, layouts
from features.homes import digest
from features.kernel import Int
from features.keys import Batch, Entry, Snapshot, end
from features.pages import FIRST, NO_ROWS, UNSEALED, Layouts, Page, Rows, changed, packed
from features.pages import Layout as Shape

SHELVES: Final = {name: b"h" + bytes([place]) for place, name in enumerate(sorted(layouts()))}
"""The first bytes of the keys of each kind of history."""
_SHELF: Final = {first: name for name, first in SHELVES.items()}
SHAPES: Final = {name: Shape(layout.start, layout.latest) for name, layout in layouts().items()}
"""How the rows of each kind of history are packed."""
ALONE: Final = {name: Layouts([shape]) for name, shape in SHAPES.items()}
"""The same of each kind by itself."""
_EPOCH: Final = 1 << 63
"""What makes a moment unsigned, so that its bytes are in order."""


@dataclass(frozen=True)
class Change:
    """Rows that a history gains and loses."""

    added: Rows
    removed: Rows


def prefix(shelf: str, name: str) -> bytes:
    """The first bytes of the keys of an entity's pages."""
    return SHELVES[shelf] + digest(name)


def moment(at: int) -> bytes:
    """A moment as bytes that are in order of time."""
    return (at + _EPOCH).to_bytes(8, "big")


def _key(whose: bytes, page: Page) -> bytes:
    return whose + moment(page.start) + page.number.to_bytes(2, "big")


def _number(key: bytes) -> int:
    """The number of a page among those of its history that start at the same moment."""
    return int.from_bytes(key[-2:], "big")


def filled(entries: Entries, sealed_until: int) -> Iterator[Entry]:
    """All pages of one kind of history, in the order of their keys."""
    layout = entries.layout
    prefixes = [prefix(layout.name, name or "") for name in entries.names.to_pylist()]
    rank = {key: i for i, key in enumerate(sorted(set(prefixes)))}
    keys = list(rank)
    codes = np.array([rank[key] for key in prefixes], np.int32)[entries.codes]
    sort = np.lexsort((entries.at, codes))
    rows = _taken(layout.start, Rows(entries.at, entries.stream.astype(np.uint8), entries.values), sort)
    made = packed(SHAPES[layout.name], codes[sort], rows, sealed_until)
    whole, bounds = made.buffer.tobytes(), made.offsets.tolist()
    told = zip(made.codes.tolist(), made.start.tolist(), made.number.tolist(), strict=True)
    for i, (code, start, number) in enumerate(told):
        page = Page(start, number, whole[bounds[i] : bounds[i + 1]])
        yield _key(keys[code], page), page.data


def changes(old: Entries, new: Entries, since: int) -> dict[bytes, Change]:
    """What histories gain and lose at moments from `since` on, by the first bytes of their keys."""
    layout, both, place = new.layout, [], dict[str, int]()
    for one, sign in ((old, -1), (new, 1)):
        later = np.flatnonzero(one.at >= since)
        mine = _taken(layout.start, Rows(one.at, one.stream.astype(np.uint8), one.values), later)
        met, which = np.unique(one.codes[later], return_inverse=True)
        names = one.names.take(met).to_pylist()
        ours = np.array([place.setdefault(str(name), len(place)) for name in names], np.int64)
        both.append((ours[which] if later.size else np.zeros(0, np.int64), np.full(later.size, sign), mine))
    codes = np.concatenate([one[0] for one in both])
    signs = np.concatenate([one[1] for one in both])
    rows = Rows(*(np.concatenate(parts) for parts in zip(*(one[2] for one in both), strict=True)))
    marks = _marks(layout.start, *rows)
    sort = np.lexsort((marks, rows.stream, rows.at, codes))
    kept = sort[_unmatched(codes[sort], rows.at[sort], rows.stream[sort], marks[sort], signs[sort])]
    more, less = (_by_code(layout.start, rows, codes, np.sort(kept[signs[kept] == sign])) for sign in (1, -1))
    there = ((prefix(layout.name, name), code) for name, code in place.items() if code in more or code in less)
    return {whose: Change(more.get(code, NO_ROWS), less.get(code, NO_ROWS)) for whose, code in there}


def _by_code(start: Int, rows: Rows, codes: Int, which: Int) -> dict[int, Rows]:
    """Some of the rows, those of each code by themselves in their order."""
    which = which[np.argsort(codes[which], kind="stable")]
    some, of = _taken(start, rows, which), codes[which]
    ends = np.append(0, np.cumsum(np.diff(start)[some.stream]))
    bounds = np.flatnonzero(np.diff(of, prepend=-1, append=-1)).tolist()
    return {
        int(of[lo]): Rows(some.at[lo:hi], some.stream[lo:hi], some.values[ends[lo] : ends[hi]])
        for lo, hi in pairwise(bounds)
    }


def _taken(start: Int, rows: Rows, which: Int) -> Rows:
    """Some of the rows."""
    return Rows(rows.at[which], rows.stream[which], _values(start, rows.stream, rows.values, which))


@njit(cache=True, nogil=True)
def _values(start: Int, stream: NDArray[np.uint8], values: Int, which: Int) -> Int:
    """The values of some rows, row after row."""
    place, size = np.zeros(stream.size + 1, np.int64), 0
    for i in range(stream.size):
        place[i + 1] = place[i] + start[stream[i] + 1] - start[stream[i]]
    for i in which:
        size += place[i + 1] - place[i]
    found, v = np.empty(size, np.int64), 0
    for i in which:
        for k in range(place[i], place[i + 1]):
            found[v] = values[k]
            v += 1
    return found


@njit(cache=True, nogil=True)
def _marks(start: Int, at: Int, stream: NDArray[np.uint8], values: Int) -> NDArray[np.uint64]:
    """A number for the values of each row, the same for the same; two others share one once in 2**64 times."""
    found, v = np.empty(at.size, np.uint64), 0
    for i in range(at.size):
        mark = np.uint64(14695981039346656037)
        for _ in range(start[stream[i] + 1] - start[stream[i]]):
            mark = (mark ^ np.uint64(values[v])) * np.uint64(1099511628211)
            mark ^= mark >> np.uint64(29)
            v += 1
        found[i] = mark
    return found


@njit(cache=True, nogil=True)
def _unmatched(codes: Int, at: Int, stream: NDArray[np.uint8], marks: NDArray[np.uint64], signs: Int) -> Int:
    """Of sorted rows those, of each group that is alike, that are more on one side than on the other."""
    keep, n, lo = np.empty(codes.size, np.int64), 0, 0
    while lo < codes.size:
        hi, net = lo, 0
        while (
            hi < codes.size
            and codes[hi] == codes[lo]
            and at[hi] == at[lo]
            and stream[hi] == stream[lo]
            and marks[hi] == marks[lo]
        ):
            net += signs[hi]
            hi += 1
        for i in range(lo, hi):
            if net * signs[i] > 0:
                keep[n] = i
                n += 1
                net -= signs[i]
        lo = hi
    return keep[:n]


def put(batch: Batch, shelf: str, changed_by: Mapping[bytes, Change], sealed_until: int) -> None:
    """Puts rows into histories of one kind and takes rows out; those dated until `sealed_until` are final from now on."""
    shape, gone, made = SHAPES[shelf], list[bytes](), list[Entry]()
    for whose, regions in _regions(batch, changed_by, sealed_until):
        for region, change in regions:
            pages = _pages(batch, region)
            number = _number(pages[0][0]) if pages else 0
            found = changed(
                shape, [page for _, page in pages], change.added, change.removed, sealed_until, number=number
            )
            new = {_key(whose, page): page.data for page in found}
            gone += [key for key, _ in pages if key not in new]
            made += new.items()
    batch.delete(gone)
    batch.put(sorted(made))


@dataclass(frozen=True)
class _Region:
    """Pages that follow each other, from one to another, and between which moments their rows are put."""

    lo: Entry | None
    hi: Entry | None
    first: int
    last: int


def _regions(
    batch: Batch, changed_by: Mapping[bytes, Change], sealed_until: int
) -> Iterator[tuple[bytes, list[tuple[_Region, Change]]]]:
    """Of each history the pages that its rows go among, and the rows of each; pages between them stay as they are."""
    moments = {whose: _moments(change, sealed_until) for whose, change in changed_by.items()}
    edges = [(whose, whose + moment(at + later)) for whose, some in moments.items() for at in some for later in (0, 1)]
    found = iter(batch.below(edges))
    for whose, change in changed_by.items():
        some = [_Region(next(found), next(found), at, at) for at in moments[whose]]
        near = sum(one.first <= sealed_until for one in some)
        final = _Region(some[0].lo, some[near - 1].hi, some[0].first, some[near - 1].last)
        whole = [_begun(batch, whose, final), *some[near:]]
        if change.removed.at.size:
            whole = [_ahead(batch, whose, one) for one in whole]
        shape = SHAPES[_SHELF[whose[:2]]]
        yield whose, [(one, _within(shape, change, one)) for one in _merged(whole)]


def _moments(change: Change, sealed_until: int) -> list[int]:
    """The moments of a change, and that until which pages are sealed."""
    return sorted({sealed_until, *change.added.at.tolist(), *change.removed.at.tolist()})


def _begun(batch: Batch, whose: bytes, one: _Region) -> _Region:
    """The region from a page on that needs no other to be read."""
    if one.lo is None:
        first = next(batch.span(whose, end(whose)), None)
        return replace(one, lo=first, hi=one.hi or first)
    lo = one.lo
    while lo[1][0] == UNSEALED:
        before = batch.below([(whose, lo[0])])[0]
        assert before is not None, "the first page of a history needs no other"
        lo = before
    return replace(one, lo=lo)


def _ahead(batch: Batch, whose: bytes, one: _Region) -> _Region:
    """The region with the page behind it, which is the first of its history if no row of those before is left."""
    behind = None if one.hi is None else next(batch.span(one.hi[0] + b"\0", end(whose)), None)
    return one if behind is None else replace(one, hi=behind)


def _merged(regions: Sequence[_Region]) -> list[_Region]:
    """Regions in order of time, those that share a page as one."""
    found = [regions[0]]
    for one in regions[1:]:
        before = found[-1]
        if one.lo is None or before.hi is None or one.lo[0] <= before.hi[0]:
            hi = max((hi for hi in (before.hi, one.hi) if hi is not None), default=None)
            found[-1] = _Region(before.lo, hi, before.first, one.last)
        else:
            found.append(one)
    return found


def _pages(batch: Batch, one: _Region) -> list[Entry]:
    if one.lo is None or one.hi is None:
        return []
    return [one.lo] if one.lo[0] == one.hi[0] else list(batch.span(one.lo[0], one.hi[0] + b"\0"))


def _within(shape: Shape, change: Change, one: _Region) -> Change:
    """The rows of a change that are put into a region."""

    def some(rows: Rows) -> Rows:
        which = np.flatnonzero((rows.at >= one.first) & (rows.at <= one.last))
        return rows if which.size == rows.at.size else _taken(shape.start, rows, which)

    return Change(some(change.added), some(change.removed))


def pages(
    snapshot: Snapshot, whose: Sequence[bytes | None], t: int, lengths: Sequence[Sequence[int]] = ()
) -> tuple[Int, list[bytes]]:
    """The pages that windows [t - length, t) of histories are read from, and whose each is as a position in `whose`.

    Each history has `lengths` of its own, or none has any; one without a name has no pages. Two round trips find them, and
    more where a history was not touched for long.
    """
    there = [(h, one) for h, one in enumerate(whose) if one is not None]
    edge, before = moment(t), {length: moment(t - length) for some in lengths for length in some}
    last = snapshot.below([(one, one + edge) for _, one in there])
    found = [dict([page]) if page is not None else {} for page in last]
    on = [(i, h, one) for i, (h, one) in enumerate(there) if lengths and _goes_on(last[i])]
    more = [(i, (one, one + before[length])) for i, h, one in on for length in lengths[h]]
    more += [(i, (there[i][1], page[0])) for i, page in enumerate(last) if page is not None and page[1][0] == UNSEALED]
    while more:
        met = zip(more, snapshot.below([asked for _, asked in more]), strict=True)
        more = []
        for (i, (one, _)), page in met:
            if page is not None and page[0] not in found[i]:
                found[i][page[0]] = page[1]
                more += [(i, (one, page[0]))] if page[1][0] == UNSEALED else []
    history = np.repeat([h for h, _ in there], [len(some) for some in found]).astype(np.int64)
    return history, [some[key] for some in found for key in sorted(some)]


def _goes_on(page: Entry | None) -> bool:
    """Whether there are pages before one."""
    return page is not None and page[1][0] != FIRST
