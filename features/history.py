"""Histories: the cumulative rows of one entity over every stream, and its signals for a block of askings."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import sharing
from features.asking import Askings
from features.background import Background
from features.columns import Codes
from features.formulas import FORMULAS
from features.kernel import Code, Int, Sweep, first_meetings
from features.members import CASE, members
from features.operand import Operand, operand
from features.own import OF_CASE, Own, heirs
from features.sharing import Meetings, Shared
from features.signal import EDGES, Float, Signal
from features.stream import Stream
from features.streams import STREAMS

_CROWD: Final = ("orders.met_buyer", "ever")

Found = Mapping[tuple[str, str], Int | Float]
"""Operands of a block of askings, by their text and the window they are summed over."""


class Histories:
    """All histories of one entity, met by askings block after block."""

    def __init__(
        self,
        bg: Background,
        asks: Askings,
        signals: Sequence[Signal],
        streams: Mapping[str, Stream],
        unknown: Collection[str] = (),
    ) -> None:
        entity = signals[0].entity
        assert entity is not None
        self.signals, self.link = signals, entity.link
        self.members = None if entity.columns == CASE else members(bg, entity)
        self._columns, self._bg, self._unknown, self._streams = entity.columns, bg, unknown, streams
        self._asked, self._rows = self._who(asks), asks.row
        self._again = bool(np.any(asks.at > bg.facts(bg.asked).at[asks.row]))
        used = self._used()
        self._same = {one: same for one in used if (same := _counted(one, streams.get(one.source)))}
        self._sweeps = [
            (name, windows, measures, self._sweep(bg, streams.get(name), name, windows, measures))
            for name, windows, measures in self._wanted(used)
        ]

    def _used(self) -> dict[Operand, set[str]]:
        """The operands that the signals sum, and over which windows; none for the first and the last moment."""
        found: dict[Operand, set[str]] = {operand(_CROWD[0]): {_CROWD[1]}} if self.link else {}
        for signal in self.signals:
            for one in signal.operands:
                if not one.of_case and one.text not in self._unknown:
                    edge = set() if one.measure in ("first", "last") else {signal.at(one)}
                    found.setdefault(bare(one), set()).update(edge)
        return found

    def _wanted(self, used: Mapping[Operand, set[str]]) -> list[tuple[str, tuple[str, ...], list[Operand]]]:
        """What is summed: for each stream and set of windows, the operands that are summed over just these."""
        windows: dict[Operand, set[str]] = {}
        for one, words in used.items():
            windows.setdefault(self._same.get(one, one), set()).update(words)
        grouped: dict[tuple[str, tuple[str, ...]], list[Operand]] = {}
        for one, words in windows.items():
            grouped.setdefault((one.source, tuple(w for w in EDGES if w in words)), []).append(one)
        summed = {name for name, edges in grouped if edges}
        some = {key: measures for key, measures in grouped.items() if key[1] or key[0] not in summed}
        return [(name, edges, piece) for (name, edges), measures in some.items() for piece in _pieces(measures)]

    def _sweep(
        self, bg: Background, stream: Stream | None, name: str, windows: tuple[str, ...], wanted: Sequence[Operand]
    ) -> tuple[Sweep, Own | None]:
        """The sweep of some measures of a stream, and what askings add to it themselves."""
        declared = STREAMS[name]
        edges = [EDGES[window] for window in windows]
        if isinstance(declared, Shared):
            assert self.members is not None
            at, codes, step = declared.make(bg, self._met)
            summed = [step] * len(wanted) if windows else []
            return Sweep(at, codes, self.members.groups, summed, edges, asked=self._asked), None
        assert stream is not None
        codes = self._whose(stream)
        at, sort = (stream.at, None) if self.members is None else self.members.entered(stream)
        groups = len(bg.facts(bg.asked)) if self.members is None else self.members.groups
        wanted = wanted if windows else []
        summed = [measured(bg, stream, codes, groups, one) for one in wanted]
        order, of = stream.order, self._cases(stream)
        if sort is not None:
            codes, order, summed = codes[sort], order[sort], [values[sort] for values in summed]
        sweep = Sweep(at, codes, groups, summed, edges, asked=self._asked)
        if of is None:
            return sweep, None
        case, cases = (of[0] if sort is None else of[0][sort]), of[1]
        heirs = [self._heirs(one, codes, order) for one in wanted]
        return sweep, Own(at, codes, case, summed, heirs, edges, cases, self._case(stream, self._rows))

    def _cases(self, stream: Stream) -> tuple[Int, int] | None:
        """The case that each fact belongs to, and how many there are; None where all that is known counts.

        What its order made is never of the case's history; what it made itself comes after its own moment.
        """
        if self.members is None or self._bg.asked not in OF_CASE:
            return None
        if stream.of_order:
            return stream.order, self._bg.orders
        return None if stream.case is None or not self._again else (stream.case, len(self._bg.facts(self._bg.asked)))

    def _case(self, stream: Stream | None, rows: Int) -> Int:
        """The case of each row of the asked table: itself, or its order."""
        return self._bg.asked_orders[rows] if stream is not None and stream.of_order else rows

    def _who(self, asks: Askings) -> Code:
        """The entity of each asking, -1 where it is not known."""
        if self.members is None:
            return asks.row.astype(np.int32)
        return self.members.at(self._bg.asked_orders[asks.row], asks.at)

    @cached_property
    def _met(self) -> Meetings:
        """Each buyer's first order that names the entity."""
        assert self.members is not None
        orders = self._bg.facts("orders")
        return Meetings(orders.at, self.members.codes[:-1], orders.codes("buyer_id").codes).first()

    def _whose(self, stream: Stream) -> Code:
        """The entity of each fact: the case's, as it says itself, or that of the order it concerns."""
        if self.members is None:
            assert stream.case is not None
            return stream.case.astype(np.int32)
        own = stream.own.get(self._columns[0]) if len(self._columns) == 1 else None
        return self.members.codes[stream.order] if own is None else own

    def _heirs(self, one: Operand, codes: Code, order: Int) -> Int | None:
        """For a measure of first meetings, the fact that would be the first in each one's stead."""
        partners = _partners(self._bg, one)
        return None if partners is None else heirs(codes, np.append(partners.codes, np.int32(-1))[order])

    def block(self, asks: Askings, given: Mapping[str, Float]) -> dict[str, NDArray[np.float32]]:
        """Signals by name of the next askings, from their histories and from operands of the case."""
        asked = self._who(asks)
        found = self._totals(asked, asks)
        nobody = asked < 0
        if self.link:
            nobody |= found[_CROWD] > sharing.PLACEHOLDER
        made = {signal.name: computed(signal, given, found) for signal in self.signals}
        for values in made.values():
            values[nobody] = np.nan
        return made

    def _totals(self, asked: Code, asks: Askings) -> Found:
        found: dict[tuple[str, str], Int | Float] = {}
        for name, windows, measures, (sweep, own) in self._sweeps:
            totals = sweep.totals(asked, asks.at)
            if own is not None:
                totals = own.without(totals, self._case(self._streams.get(name), asks.row), asks.at)
            for w, word in enumerate(windows):
                found |= {(one.text, word): totals.windows[w, m] for m, one in enumerate(measures)}
            found |= {(f"{name}.first", "ever"): totals.first, (f"{name}.last", "ever"): totals.last}
        same = [(one.text, self._same[one].text) for one in self._same]
        return found | {(text, w): found[other, w] for text, other in same for w in EDGES if (other, w) in found}


def measured(bg: Background, stream: Stream, codes: Code, groups: int, one: Operand) -> Int:
    """What an operand sums of a stream whose facts are of the entities `codes` (n,): a column, or who was met first."""
    partners = _partners(bg, one)
    if partners is None:
        return stream.measure(one, bg.facts("orders"))
    return first_meetings(codes, groups, np.append(partners.codes, np.int32(-1))[stream.order], len(partners.values))


def _partners(bg: Background, one: Operand) -> Codes | None:
    """The column of orders whose first meetings an operand counts, if it does."""
    kind, _, partner = one.measure.partition("_")
    return bg.facts("orders").codes(f"{partner}_id") if kind == "met" else None


PIECES: Final = (4, 2, 1)
"""How many measures are summed in one sweep: for each number the sweep is compiled anew, so that there are few."""


def _pieces(measures: list[Operand]) -> Iterator[list[Operand]]:
    """The measures in pieces of as many as a sweep is compiled for."""
    while measures:
        size = next(size for size in PIECES if size <= len(measures))
        yield measures[:size]
        measures = measures[size:]


def _counted(one: Operand, stream: Stream | None) -> Operand | None:
    """The count that is the same as how many of a column are known, where all are."""
    if stream is None or not one.measure.endswith("_known"):
        return None
    name = one.measure.removesuffix("_known")
    whole = bool(stream.numbers(name)[1].all())
    return operand(one.text.replace(one.measure, "count", 1)) if whole and "count" not in stream.sums else None


def bare(one: Operand) -> Operand:
    """An operand without the window it names."""
    return operand(one.text.partition("@")[0])


def computed(signal: Signal, given: Mapping[str, Float], found: Found) -> NDArray[np.float32]:
    """A signal's values from the operands of the case by text, and those of a history by text and window."""
    values = [given[one.text] if one.of_case else _summed(signal, one, found) for one in signal.operands]
    return np.array(FORMULAS[signal.pattern.formula](*values), np.float32)


def _summed(signal: Signal, one: Operand, found: Found) -> Float:
    """An operand over a history as float64, NaN where the ledger lacks what it may be without."""
    key = (bare(one).text, window(signal, one))
    if one.optional and key not in found:
        return np.full(next(iter(found.values())).shape, np.nan)
    return found[key].astype(np.float64)


def window(signal: Signal, one: Operand) -> str:
    """The window that an operand of a signal is summed over."""
    return "ever" if one.measure in ("first", "last") else signal.at(one)
