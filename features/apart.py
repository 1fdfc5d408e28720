"""Apart: what a case that is asked about again has added to its parties' histories itself, taken out of what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.entries import Layout, layouts
from features.given import Case
from features.kernel import NEVER, Int
from features.keys import Entry, Snapshot, end
from features.own import OF_CASE
from features.pages import Layouts, Rows, joined, totals, unpacked
from features.shelves import SHAPES, moment, pages, prefix
from features.signal import EDGES

_MET: Final = "disputes.met_seller"
"""The only first meeting that what is asked about may be."""
_NO_EDGES: Final = np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Shared:
    """A stream of a history that a case adds to: the places of its columns in both, and where its moments are told."""

    history: int
    name: str
    columns: Int
    own: Int
    moments: tuple[int, int] | None


class Apart:
    """What cases of one table add to histories, prepared once; `begin` says where the part of each history in totals is."""

    def __init__(self, asked: str, histories: Sequence[Layout], begin: Sequence[int]) -> None:
        self._histories, self._begin = histories, begin
        self._own = [layouts()[f"own_{of}"] for of in (asked, "orders")] if asked in OF_CASE else []
        self._shared = [
            _shared(h, layout, own, stream, begin[h], moments=stream == asked)
            for own in self._own
            for h, layout in enumerate(histories)
            for stream in own.streams
            if stream in layout.streams and not layout.name.startswith("case_")
        ]

    def without(self, snapshot: Snapshot, case: Case, whose: Sequence[bytes | None], out: Int) -> None:
        """Takes out of totals what a case has added, and sets the first and the last moment to those of the others."""
        added = {name: rows for own in self._own for name, rows in _added(snapshot, own, case).items()}
        for one in self._shared:
            history = whose[one.history]
            if history is not None and one.name in added:
                at, values = added[one.name]
                at = self._entered(one, case, at)
                self._subtract(one, at, values[:, one.own], case.at, out)
                self._heir(snapshot, one, case, values, out)
                if one.moments is not None:
                    _others(snapshot, history, self._histories[one.history], one, int(at[0]), case.at, out)

    def _entered(self, one: _Shared, case: Case, at: Int) -> Int:
        """When facts entered a history: a carrier's once he was known."""
        of_carrier = self._histories[one.history].entity.columns == ("shipments.carrier",)
        return np.maximum(at, case.shipped.at) if of_carrier and case.shipped is not None else at

    def _subtract(self, one: _Shared, at: Int, values: Int, t: int, out: Int) -> None:
        columns = int(self._histories[one.history].start[-1])
        for w, edge in enumerate(EDGES.values()):
            if edge >= 0:
                inside = (at < t) & ((at >= t - edge) | (edge == 0))
                out[self._begin[one.history] + w * columns + one.columns] -= values[inside].sum(axis=0)

    def _heir(self, snapshot: Snapshot, one: _Shared, case: Case, values: Int, out: Int) -> None:
        """Where the case was the buyer's first dispute with its seller, the next one takes its place."""
        layout, own = self._histories[one.history], layouts()["own_disputes"]
        if one.name != "disputes" or _MET not in layout.columns or not values[0, _within(own, _MET)]:
            return
        both = layouts()["buyer_seller"]
        name = case.name(both)
        at = _moments(snapshot, prefix(both.name, name or ""), both, one.name, case.at)
        place = np.array([layout.columns[_MET]])
        heir = _Shared(one.history, one.name, place, np.zeros(1, np.int64), None)
        self._subtract(heir, at[1:2], -np.ones((at[1:2].size, 1), np.int64), case.at, out)


def _shared(h: int, layout: Layout, own: Layout, name: str, begin: int, *, moments: bool) -> _Shared:
    s = layout.streams.index(name)
    texts = [one.text for one in layout.measures[s]]
    first = begin + len(EDGES) * int(layout.start[-1]) + s
    places = (first, first + len(layout.streams)) if moments and name in layout.timed else None
    return _Shared(
        h,
        name,
        np.array([layout.columns[text] for text in texts], np.int64),
        np.array([_within(own, text) for text in texts], np.int64),
        places,
    )


def _within(own: Layout, text: str) -> int:
    """The place of an operand among those of its stream."""
    return own.columns[text] - int(own.start[own.streams.index(text.partition(".")[0])])


def _added(snapshot: Snapshot, own: Layout, case: Case) -> Mapping[str, tuple[Int, Int]]:
    """What a case adds to each stream: when, and how much by operand (n, operands)."""
    whose = prefix(own.name, case.name(own) or "")
    found: dict[str, list[tuple[int, Int]]] = {}
    for _, page in snapshot.span(whose, end(whose)):
        for at, s, values in _each(own, unpacked(SHAPES[own.name], page).rows):
            found.setdefault(own.streams[s], []).append((at, values))
    return {
        name: (np.array([at for at, _ in some], np.int64), np.stack([values for _, values in some]))
        for name, some in found.items()
    }


def _each(layout: Layout, rows: Rows) -> list[tuple[int, int, Int]]:
    ends = np.append(0, np.cumsum(np.diff(layout.start)[rows.stream])).tolist()
    told = zip(rows.at.tolist(), rows.stream.tolist(), strict=True)
    return [(at, s, rows.values[ends[i] : ends[i + 1]]) for i, (at, s) in enumerate(told)]


def _moments(snapshot: Snapshot, whose: bytes, layout: Layout, name: str, t: int) -> Int:
    """When the facts of a stream of a small history came, up to a moment."""
    found = [unpacked(SHAPES[layout.name], page).rows for _, page in snapshot.span(whose, whose + moment(t))]
    at = np.concatenate([rows.at[rows.stream == layout.streams.index(name)] for rows in found] or [_NO_EDGES])
    return at[at < t]


def _others(snapshot: Snapshot, whose: bytes, layout: Layout, one: _Shared, at: int, t: int, out: Int) -> None:
    """Sets the first and the last moment of a stream to those that it has without the fact of the case at `at`."""
    assert one.moments is not None
    first, last = one.moments
    s = layout.streams.index(one.name)
    if at >= t or (out[first] != at and out[last] != at) or _ties(snapshot, whose, layout, s, at) > 1:
        return
    if out[last] == at:
        out[last] = _before(snapshot, whose, layout, s, at)
    if out[first] == at:
        out[first] = _after(snapshot, whose, layout, s, at, t)


def _stretch(snapshot: Snapshot, whose: bytes, lo: int, hi: int) -> list[Entry]:
    """The pages in which rows of moments from lo on and before hi may be."""
    begin = snapshot.below([(whose, whose + moment(lo))])[0]
    return list(snapshot.span(whose + moment(lo) if begin is None else begin[0], whose + moment(hi)))


def _ties(snapshot: Snapshot, whose: bytes, layout: Layout, s: int, at: int) -> int:
    rows = [unpacked(SHAPES[layout.name], page).rows for _, page in _stretch(snapshot, whose, at, at + 1)]
    return sum(int(((one.at == at) & (one.stream == s)).sum()) for one in rows)


def _before(snapshot: Snapshot, whose: bytes, layout: Layout, s: int, at: int) -> int:
    history, found = pages(snapshot, [whose], at, ())
    out = np.empty(2 * len(layout.streams), np.int64)
    totals(Layouts([SHAPES[layout.name]]), *joined(found), history, at, _NO_EDGES, out)
    return int(out[len(layout.streams) + s])


def _after(snapshot: Snapshot, whose: bytes, layout: Layout, s: int, at: int, t: int) -> int:
    for _, page in _stretch(snapshot, whose, at + 1, t):
        rows = unpacked(SHAPES[layout.name], page).rows
        later = rows.at[(rows.stream == s) & (rows.at > at) & (rows.at < t)]
        if later.size:
            return int(later[0])
    return NEVER
