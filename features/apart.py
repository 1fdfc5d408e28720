"""Apart: what a case that is asked about again has added to its parties' histories itself, taken out of what they say.

What it added is a history of its own, whose totals over every window are taken from those of its parties'.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from features.beside import ENTRY, HISTORY, LATEST, STREAM, beside, less, others
from features.entries import Layout, layouts
from features.given import Case, namer
from features.kernel import NEVER, Int
from features.keys import Snapshot
from features.own import OF_CASE
from features.pages import Layouts, joined, unpacked
from features.shelves import SHAPES, moment, pages, prefix
from features.signal import EDGES
from features.varints import Bytes

_MET: Final = "disputes.met_seller"
"""The only first meeting that what is asked about may be."""
_LENGTHS: Final = tuple(EDGES.values())
_COUNTED: Final = tuple(w for w, edge in enumerate(_LENGTHS) if edge >= 0)
"""The windows that what a case added is in; the last few facts hold none of it."""
_EVER: Final = _LENGTHS.index(0)
_PAIR: Final = namer(layouts()["buyer_seller"])


def own(asked: str) -> list[Layout]:
    """The histories of what cases of a table add themselves, and their orders."""
    return [layouts()[f"own_{of}"] for of in (asked, "orders")] if asked in OF_CASE else []


class Apart:
    """What cases of one table add; the parts of `histories`, the own ones last, begin in totals where `begin` says."""

    def __init__(self, asked: str, histories: Sequence[Layout], begin: Sequence[int]) -> None:
        self._asked, self._histories, self._begin = asked, histories, begin
        self._mine = len(histories) - len(own(asked))
        self._from, self._taken = self._pairs(range(self._mine))
        some = [h for h in range(self._mine) if asked in histories[h].timed]
        self._places = np.array([self._place(h, histories[h].streams.index(asked)) for h in some], np.int64).reshape(
            -1, 6
        )
        self._own = self._place(self._mine, histories[self._mine].streams.index(asked))
        named = {layout.name: h for h, layout in enumerate(histories)}
        self._carrier, self._pair, self._buyer = (named.get(name) for name in ("carrier", "buyer_seller", "buyer"))
        held = () if self._carrier is None else (self._carrier,)
        self._held = [self._pairs(held, (w,)) for w in _COUNTED]
        self._ever = self._pairs(held, (_EVER,))[1]
        self._shapes = Layouts([SHAPES[layout.name] for layout in histories])
        self._with_seller = None if self._pair is None else self._total(self._pair, _EVER, f"{asked}.count")
        self._late = self._places[:, HISTORY] == (-1 if self._carrier is None else self._carrier)

    def without(
        self, snapshot: Snapshot, case: Case, whose: Sequence[bytes | None], read: tuple[Bytes, Int, Int], out: Int
    ) -> None:
        """Takes out of totals what a case and its order added, and sets first and last moments to those of the others.

        `read` are the pages that the totals were read from, joined, where each begins, and whose it is.
        """
        at, shipped = int(out[self._own[ENTRY]]), case.shipped
        if at == NEVER:
            less(out, self._from, self._taken)
            return
        heir, late = self._heir(snapshot, case, out), None if shipped is None else shipped.at
        if late is not None and late > at:
            self._hold(late, case.at, out)
        less(out, self._from, self._taken)
        if heir is not None:
            self._inherit(heir, case.at, out)
        entered = np.where(self._late, at if late is None else max(at, late), at)
        far = others(self._shapes.shape, self._shapes.bounds, *read, self._places, entered, case.at, out)
        for i in np.flatnonzero(far).tolist():
            whole = whose[self._places[i, HISTORY]]
            assert whole is not None, "who has no name has no history"
            self._other(snapshot, whole, self._places[i], int(entered[i]), case.at, out)

    def _pairs(self, some: Iterable[int], windows: Sequence[int] = _COUNTED) -> tuple[Int, Int]:
        """Where the totals over windows are of each stream that the case adds to, in some histories and in its own."""
        found = [
            (self._total(h, w, text), self._total(o, w, text))
            for o in range(self._mine, len(self._histories))
            for h in some
            for stream, measures in zip(self._histories[h].streams, self._histories[h].measures, strict=True)
            if stream in self._histories[o].streams and not self._histories[h].name.startswith("case_")
            for text in (one.text for one in measures)
            for w in windows
        ]
        ours, theirs = np.array(found, np.int64).reshape(-1, 2).T
        return ours, theirs

    def _total(self, h: int, w: int, text: str) -> int:
        layout = self._histories[h]
        return self._begin[h] + w * int(layout.start[-1]) + layout.columns[text]

    def _place(self, h: int, s: int) -> tuple[int, ...]:
        layout, count = self._histories[h], f"{self._asked}.count"
        first = self._begin[h] + len(EDGES) * int(layout.start[-1]) + s
        return h, s, first, first + len(layout.streams), self._total(h, _EVER, count), layout.columns[count]

    def _hold(self, late: int, t: int, out: Int) -> None:
        """Has what was added before the carrier was known leave his windows as if it had been added then."""
        for w, (_, theirs) in zip(_COUNTED, self._held, strict=True):
            edge = _LENGTHS[w]
            if edge and t - edge <= late:
                ours = self._held[_COUNTED.index(w)][0]
                out[ours] += out[theirs] - out[self._ever]

    def _heir(self, snapshot: Snapshot, case: Case, out: Int) -> int | None:
        """When the buyer's next dispute with the seller came, where the case was the first: it takes that place."""
        if self._asked != "disputes" or self._buyer is None or _MET not in self._histories[self._buyer].columns:
            return None
        if not out[self._total(self._mine, _EVER, _MET)]:
            return None
        if self._with_seller is not None and out[self._with_seller] < 2:
            return None
        layout = layouts()["buyer_seller"]
        at = _moments(snapshot, prefix(layout.name, _PAIR(case) or ""), layout, self._asked, case.at)
        return int(at[1]) if at.size > 1 else None

    def _inherit(self, heir: int, t: int, out: Int) -> None:
        assert self._buyer is not None
        for w in _COUNTED:
            edge = _LENGTHS[w]
            out[self._total(self._buyer, w, _MET)] += edge == 0 or heir >= t - edge

    def _other(self, snapshot: Snapshot, whose: bytes, place: Int, at: int, t: int, out: Int) -> None:
        """The same as `others` of one history, whose pages of that time are read for it."""
        layout = self._histories[place[HISTORY]]
        _, found = pages(snapshot, [whose], at + 1, [(1,)])
        buffer, offsets = joined(found)
        start, rings = SHAPES[layout.name].shape
        count, before, _ = beside(start, rings, buffer, offsets, 0, len(found), place, at, t)
        if count < 2 and out[place[LATEST]] == at:
            out[place[LATEST]] = before
        if count < 2 and out[place[ENTRY]] == at:
            out[place[ENTRY]] = _after(snapshot, whose, layout, int(place[STREAM]), at, t)


def _moments(snapshot: Snapshot, whose: bytes, layout: Layout, name: str, t: int) -> Int:
    """When the facts of a stream of a small history came, up to a moment."""
    found = [unpacked(SHAPES[layout.name], page).rows for _, page in snapshot.span(whose, whose + moment(t))]
    at = np.concatenate(
        [np.zeros(0, np.int64), *(rows.at[rows.stream == layout.streams.index(name)] for rows in found)]
    )
    return at[at < t]


def _after(snapshot: Snapshot, whose: bytes, layout: Layout, s: int, at: int, t: int) -> int:
    """The first moment of a stream after one, NEVER if none was before `t`."""
    begin = snapshot.below([(whose, whose + moment(at + 1))])[0]
    for _, page in snapshot.span(whose if begin is None else begin[0], whose + moment(t)):
        rows = unpacked(SHAPES[layout.name], page).rows
        later = rows.at[(rows.stream == s) & (rows.at > at) & (rows.at < t)]
        if later.size:
            return int(later[0])
    return NEVER
