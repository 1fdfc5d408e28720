"""Instant: the signals of one case from a store, prepared once for a question and computed in one go.

What a history says is read from its pages by compiled code; formulas are those of the batch, called once for all the
signals that share one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import apart, credit, given
from features.apart import Apart
from features.asking import asked_table
from features.compiled import CODES, MOST, computed
from features.credit import Prior
from features.dictionary import dictionary, needs
from features.entries import OWN, Layout, layouts
from features.formulas import FORMULAS
from features.given import Case
from features.history import bare, window
from features.kernel import Int
from features.keys import Snapshot
from features.operand import Operand
from features.pages import Layouts, joined
from features.sharing import PLACEHOLDER
from features.shelves import SHAPES, pages, prefix
from features.signal import EDGES, Signal
from features.totals import totals
from features.weight import CLAIMED_SHORT

Row = NDArray[np.float32]
_WINDOWS: Final = np.array(list(EDGES.values()), np.int64)
"""Every window, as the reading code takes it."""
_PLACES: Final = {word: place for place, word in enumerate(EDGES)}
_LENGTHS: Final = tuple(edge for edge in EDGES.values() if edge > 0)
_CROWD: Final = "orders.met_buyer"


@dataclass(frozen=True)
class _Formula:
    """A formula, where its operands are (operands, 1), the signal that it gives, and an operand without which it is unknown."""

    name: str
    operands: Int
    signal: int
    only: int | None


class Instant:
    """The signals `names` of a question, as a store that `lacks` some tables and columns gives them for one case at a time."""

    def __init__(
        self, question: str, names: Sequence[str], *, lacks: Iterable[str] = (), prior: Prior | None = None
    ) -> None:
        self.question, self.names = question, tuple(names)
        self._asked, self._lacks, self._prior = asked_table(question), frozenset(lacks), prior or Prior()
        known = {one.name: one for one in dictionary(question)}
        there = {i: known[name] for i, name in enumerate(names) if name in known}
        signals = {i: one for i, one in there.items() if not self._lacks.intersection(one.needs)}
        own = apart.own(self._asked)
        self._layouts = [*_layouts(signals.values(), self._asked), *own]
        self._shapes = Layouts([SHAPES[one.name] for one in self._layouts])
        self._begin: list[int] = self._shapes.places(len(EDGES)).tolist()
        self._given: dict[str, int] = {}
        places = {i: [self._place(one, operand) for operand in one.operands] for i, one in signals.items()}
        self._many = _compiled(signals, places)
        self._rest = _others(signals, places)
        self._find = [given.giver(text) for text in self._given]
        self._of = [
            np.array([i for i, one in signals.items() if one.entity == layout.entity], np.int64)
            for layout in self._layouts
        ]
        self._crowd = {
            h: self._begin[h] + _PLACES["ever"] * int(layout.start[-1]) + layout.columns[_CROWD]
            for h, layout in enumerate(self._layouts)
            if layout.entity.link
        }
        self._namers = [given.namer(layout) for layout in self._layouts]
        self._lengths = [_lengths(layout, signals.values()) for layout in self._layouts]
        self._apart = Apart(self._asked, self._layouts, self._begin) if own else None
        self._parties = len(self._layouts) - len(own)

    def signals(self, snapshot: Snapshot, case: Case) -> Row:
        """The signals (names,) of a case, NaN where they are unknown."""
        names = [name(case) for name in self._namers]
        whose = [
            None if name is None else prefix(one.name, name) for one, name in zip(self._layouts, names, strict=True)
        ]
        history, found = pages(snapshot, whose, case.at, self._lengths)
        read, out = (*joined(found), history), np.empty(self._begin[-1], np.int64)
        if self._layouts:
            totals(self._shapes, *read, case.at, _WINDOWS, out)
        if self._apart is not None:
            self._apart.without(snapshot, case, whose, read, out)
        crowded = {h for h, place in self._crowd.items() if out[place] > PLACEHOLDER}
        values = self._values(snapshot, case, out)
        row = np.full(len(self.names), np.nan, np.float32)
        computed(*self._many, values, row)
        self._compute(values, row)
        for h, name in enumerate(names[: self._parties]):
            if name is None or h in crowded:
                row[self._of[h]] = np.nan
        return row

    def _values(self, snapshot: Snapshot, case: Case, out: Int) -> NDArray[np.float64]:
        """Every operand: what histories say, what is unknown, and what the case itself says."""
        values = np.empty(out.size + 1 + len(self._find))
        values[: out.size], values[out.size] = out, nan
        values[out.size + 1 :] = [find(snapshot, case, self._prior) for find in self._find]
        return values

    def _compute(self, values: NDArray[np.float64], row: Row) -> None:
        """Puts the signals of the other formulas into a row; what credit rests on is found once."""
        rates = None
        for one in self._rest:
            if one.only is not None and not values[one.only] > 0:
                continue
            if one.name in credit.OF_RATES:
                rates = credit.posterior(*values[one.operands]) if rates is None else rates
                row[one.signal] = credit.OF_RATES[one.name](rates)[0]
            else:
                row[one.signal] = FORMULAS[one.name](*values[one.operands])[0]

    def _place(self, signal: Signal, one: Operand) -> int:
        """Where among the values an operand of a signal is."""
        if one.optional and self._lacks.intersection(needs(one, self._asked)):
            return self._begin[-1]
        if one.of_case:
            return self._begin[-1] + 1 + self._given.setdefault(one.text, len(self._given))
        h = next(h for h, layout in enumerate(self._layouts) if layout.entity == signal.entity)
        layout, columns = self._layouts[h], int(self._layouts[h].start[-1])
        if one.measure in ("first", "last"):
            streams = len(layout.streams) if one.measure == "last" else 0
            return self._begin[h] + len(EDGES) * columns + streams + layout.streams.index(one.source)
        column = layout.columns[bare(one).text.removeprefix("?")]
        return self._begin[h] + _PLACES[window(signal, one)] * columns + column


def _compiled(signals: Mapping[int, Signal], places: Mapping[int, Sequence[int]]) -> tuple[Int, Int, Int, Int]:
    """What the compiled formulas take: which each signal has, where its operands are, how many, and which signal it is."""
    some = [i for i, one in signals.items() if one.pattern.formula in CODES]
    operands = np.zeros((len(some), MOST), np.int64)
    for k, i in enumerate(some):
        operands[k, : len(places[i])] = places[i]
    codes = [CODES[signals[i].pattern.formula] for i in some]
    counts = [len(places[i]) for i in some]
    return np.array(codes, np.int64), operands, np.array(counts, np.int64), np.array(some, np.int64)


def _others(signals: Mapping[int, Signal], places: Mapping[int, Sequence[int]]) -> list[_Formula]:
    """The formulas that are called by themselves."""
    found = []
    for i, one in signals.items():
        name = one.pattern.formula
        if name not in CODES:
            only = places[i][CLAIMED_SHORT[name]] if name in CLAIMED_SHORT else None
            found.append(_Formula(name, np.array(places[i], np.int64)[:, None], i, only))
    return found


def _lengths(layout: Layout, signals: Iterable[Signal]) -> list[int]:
    """The windows that signals sum a history over; of what cases add every one."""
    if layout.entity == OWN:
        return list(_LENGTHS)
    mine = (one for one in signals if one.entity == layout.entity)
    words = {window(one, operand) for one in mine for operand in one.operands if not operand.of_case}
    return [EDGES[word] for word in EDGES if word in words and EDGES[word] > 0]


def _layouts(signals: Iterable[Signal], asked: str) -> list[Layout]:
    """The kinds of histories that signals are of."""
    entities = {one.entity for one in signals if one.entity is not None}
    return [
        one
        for one in layouts().values()
        if one.entity in entities and (one.asked == asked or not one.name.startswith("case_"))
    ]
