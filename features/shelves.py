"""Shelves: the pages of every history under ordered keys, and how rows are put among them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice, pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from features.changing import Each, changed, changed_each, each
from features.differing import Change, Changes, taken
from features.digests import EPOCH, big, digests, ranked
from features.digests import joined as keyed
from features.entries import Entries, layouts
from features.homes import WIDTH, digest
from features.kernel import Int
from features.keys import Batch, Entry, Snapshot, end
from features.pages import FIRST, NO_ROWS, SEALED, UNSEALED, Layouts, Packed, Page, Rows, packed
from features.pages import Layout as Shape
from features.varints import Bytes

HISTORIES: Final = b"h"
"""What the keys of all histories begin with."""
SHELVES: Final = {name: HISTORIES + bytes([place]) for place, name in enumerate(sorted(layouts()))}
"""The first bytes of the keys of each kind of history."""
_SHELF: Final = {first: name for name, first in SHELVES.items()}
SHAPES: Final = {name: Shape(layout.start, layout.latest) for name, layout in layouts().items()}
"""How the rows of each kind of history are packed."""
ALONE: Final = {name: Layouts([shape]) for name, shape in SHAPES.items()}
"""The same of each kind by itself."""
DUE: Final = b"u"
"""Pages that are not sealed, by their first moment, from which on they can be."""


def prefix(shelf: str, name: str) -> bytes:
    """The first bytes of the keys of an entity's pages."""
    return SHELVES[shelf] + digest(name)


def moment(at: int) -> bytes:
    """A moment as bytes that are in order of time."""
    return (at + EPOCH).to_bytes(8, "big")


def instant(key: bytes) -> int:
    """The moment that bytes of `moment` tell.

    >>> instant(moment(-5))
    -5
    """
    return int.from_bytes(key, "big") - EPOCH


def _key(whose: bytes, page: Page) -> bytes:
    return whose + moment(page.start) + page.number.to_bytes(2, "big")


def _number(key: bytes) -> int:
    """The number of a page among those of its history that start at the same moment."""
    return int.from_bytes(key[-2:], "big")


def filled(entries: Entries, sealed_until: int) -> Iterator[Entry]:
    """All pages of one kind of history, in the order of their keys."""
    layout = entries.layout
    used, mine = np.unique(entries.codes, return_inverse=True)
    names = digests(entries.names.take(pa.array(used)))
    order, rank = ranked(names)
    codes = rank[mine].astype(np.int32)
    sort = np.lexsort((entries.at, codes))
    rows = taken(layout.start, Rows(entries.at, entries.stream.astype(np.uint8), entries.values), sort)
    made = packed(SHAPES[layout.name], codes[sort], rows, sealed_until)
    whose = np.empty((int(rank.max(initial=-1)) + 1, names.shape[1]), np.uint8)
    whose[rank[order]] = names[order]
    return _told(SHELVES[layout.name], whose, made)


def _told(first: bytes, whose: Bytes, made: Packed) -> Iterator[Entry]:
    """Pages as entries whose keys begin alike, and go on as each history's do."""
    keys = keyed(first, whose[made.codes], big(made.start), big(made.number, 2))
    data, bounds = made.buffer.data, pairwise(made.offsets.tolist())
    return ((key, bytes(data[lo:hi])) for key, (lo, hi) in zip(keys, bounds, strict=True))


def put(batch: Batch, shelf: str, changed_by: Changes, sealed_until: int) -> None:
    """Puts rows into histories of one kind and takes rows out; those dated until `sealed_until` are final from now on.

    Most rows go into the last page of their history, and all these are written anew in one call.
    """
    last = batch.below([(whose, end(whose)) for whose in changed_by.whose])
    first = _first(changed_by)
    quick = [_alone(page, at) for page, at in zip(last, first.tolist(), strict=True)]
    gone, made = _behind(shelf, changed_by, np.flatnonzero(quick), last, sealed_until)
    slow = [i for i, one in enumerate(quick) if not one]
    some = _among(batch, shelf, {changed_by.whose[i]: changed_by.of(i) for i in slow}, sealed_until)
    batch.delete(key for old in (*gone, *some[0]) for key in (old, _due(old)))
    pages = [*made, *some[1]]
    batch.put(sorted([*pages, *due(pages)]))


def due(pages: Iterable[Entry]) -> Iterator[Entry]:
    """What tells of those of some pages that are not sealed when they can be."""
    return ((_due(key), b"") for key, data in pages if data[0] == UNSEALED)


def _due(page: bytes) -> bytes:
    return DUE + page[-10:-2] + page


def seal(batch: Batch, sealed_until: int, most: int) -> None:
    """Seals pages all of whose earlier rows are final by now, the oldest first and not too many at a time.

    So readers go back over few that are not sealed, even in a history that nothing touches. A page that was sealed with
    new rows of its history meanwhile, or is no more, is only struck out.
    """
    told = [key for key, _ in islice(batch.span(DUE, DUE + moment(sealed_until + 1)), most)]
    keys = [key[9:] for key in told]
    open_still = (key for key, page in zip(keys, batch.many(keys), strict=True) if page and page[0] == UNSEALED)
    whose = sorted({key[:-10] for key in open_still})
    for first, some in groupby(whose, key=lambda one: one[:2]):
        gone, made = _among(batch, _SHELF[first], dict.fromkeys(some, Change(NO_ROWS, NO_ROWS)), sealed_until)
        batch.delete(gone)
        batch.put(made)
    batch.delete(told)


def _first(some: Changes) -> Int:
    """The first moment at which each history is changed."""
    found = np.full(len(some.whose), np.iinfo(np.int64).max)
    for one in (some.added, some.removed):
        np.minimum.at(found, np.repeat(np.arange(found.size), np.diff(one.bounds)), one.rows.at)
    return found


def _alone(page: Entry | None, first: int) -> bool:
    """Whether of a history its last page is enough to put rows from a moment on into it."""
    return page is None or page[1][0] == FIRST or (page[1][0] == SEALED and page[0][-10:-2] < moment(first))


def _behind(
    shelf: str, changed_by: Changes, which: Int, last: Sequence[Entry | None], sealed_until: int
) -> tuple[list[bytes], list[Entry]]:
    """The keys that go and the pages that come where histories are changed in their last pages."""
    shape, pages = SHAPES[shelf], [last[i] for i in which.tolist()]
    numbers = np.array([0 if page is None else _number(page[0]) for page in pages], np.int64)
    more, less = (_those(shape.start, one, which) for one in (changed_by.added, changed_by.removed))
    found = changed_each(shape, [b"" if p is None else p[1] for p in pages], more, less, sealed_until, numbers)
    whose = np.frombuffer(b"".join(map(changed_by.whose.__getitem__, which)), np.uint8).reshape(-1, 2 + WIDTH)
    made = list(_told(b"", whose, found))
    new = {key for key, _ in made}
    return [page[0] for page in pages if page is not None and page[0] not in new], made


def _those(start: Int, one: Each, which: Int) -> Each:
    """The rows of some of the histories."""
    if which.size == one.bounds.size - 1:
        return one
    sizes = np.diff(one.bounds)[which]
    rows = np.repeat(one.bounds[which] - np.append(0, np.cumsum(sizes))[:-1], sizes) + np.arange(sizes.sum())
    return each(start, taken(start, one.rows, rows), np.append(0, np.cumsum(sizes)))


def _among(
    batch: Batch, shelf: str, changed_by: Mapping[bytes, Change], sealed_until: int
) -> tuple[list[bytes], list[Entry]]:
    """The keys that go and the pages that come where rows go among those of several pages."""
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
    return gone, made


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
    around = _around(batch, {whose: _moments(change, sealed_until) for whose, change in changed_by.items()})
    for whose, change in changed_by.items():
        final, *later = around[whose]
        whole = [_begun(batch, whose, final), *later]
        if change.removed.at.size:
            whole = [_ahead(batch, whose, one) for one in whole]
        shape = SHAPES[_SHELF[whose[:2]]]
        yield whose, [(one, _within(shape, change, one)) for one in _merged(whole)]


def _moments(change: Change, sealed_until: int) -> tuple[list[int], list[int]]:
    """The moments of a change until that until which pages are sealed, with that, and those after it."""
    found = sorted({sealed_until, *change.added.at.tolist(), *change.removed.at.tolist()})
    near = bisect_right(found, sealed_until)
    return found[:near], found[near:]


def _around(snapshot: Snapshot, moments: Mapping[bytes, tuple[list[int], list[int]]]) -> dict[bytes, list[_Region]]:
    """The pages around the first moments of each history together, and around others, those in one page together.

    Others are halved until they are, so that as many pages are sought as are met, not as there are moments.
    """
    found = {whose: list[_Region]() for whose in moments}
    asked = [(whose, some, k == 0) for whose, both in moments.items() for k, some in enumerate(both) if some]
    while asked:
        edges = [(whose, whose + moment(at)) for whose, some, _ in asked for at in (some[0], some[-1] + 1)]
        met, left = iter(snapshot.below(edges)), list[tuple[bytes, list[int], bool]]()
        for whose, some, whole in asked:
            one = _Region(next(met), next(met), some[0], some[-1])
            if whole or len(some) == 1 or one.lo == one.hi:
                found[whose].append(one)
            else:
                half = len(some) // 2
                left += [(whose, some[:half], False), (whose, some[half:], False)]
        asked = left
    return {whose: sorted(some, key=lambda one: one.first) for whose, some in found.items()}


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
        return rows if which.size == rows.at.size else taken(shape.start, rows, which)

    return Change(some(change.added), some(change.removed))


def pages(
    snapshot: Snapshot, whose: Sequence[bytes | None], t: int, lengths: Sequence[Sequence[int]] = ()
) -> tuple[Int, list[bytes]]:
    """The pages that windows [t - length, t) of histories are read from, and whose each is as a position in `whose`.

    Each history has `lengths` of its own, or none has any; one without a name has no pages. Two round trips find them, and
    more where a history was not touched for long.
    """
    there = [(h, one) for h, one in enumerate(whose) if one is not None]
    edge, before = moment(t), {length: moment(t - length) for length in set().union(*lengths)}
    last = snapshot.below([(one, one + edge) for _, one in there])
    found = [dict([page]) if page is not None else {} for page in last]
    met = [(i, *there[i], *page) for i, page in enumerate(last) if page is not None]
    on = [(i, one, key, lengths[h]) for i, h, one, key, page in met if lengths and page[0] != FIRST]
    edges = [(i, one, key, one + before[length]) for i, one, key, some in on for length in some]
    more = [(i, (one, edge)) for i, one, key, edge in edges if edge <= key]  # it starts before those that are later
    more += [(i, (one, key)) for i, _, one, key, page in met if page[0] == UNSEALED]
    while more:
        behind = zip(more, snapshot.below([asked for _, asked in more]), strict=True)
        more = []
        for (i, (one, _)), page in behind:
            if page is not None and page[0] not in found[i]:
                found[i][page[0]] = page[1]
                more += [(i, (one, page[0]))] if page[1][0] == UNSEALED else []
    history = np.array([h for (h, _), some in zip(there, found, strict=True) for _ in some], np.int64)
    return history, [some[key] for some in found for key in sorted(some)]
