"""Entries: what every stream adds to the history of every entity, as rows that a store keeps one by one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
import pyarrow as pa

from features.background import NOT_YET, Background, order_rows
from features.columns import Codes, encode
from features.content import shown
from features.dictionary import dictionary
from features.elsewhere import Elsewhere
from features.evidence import OF_CASE
from features.history import bare, measured
from features.kernel import Code, Flag, Int
from features.ledger import Ledger
from features.members import Members, members
from features.operand import Operand, operand
from features.sharing import Meetings, Shared
from features.signal import QUESTIONS, Entity
from features.stream import Declared, Stream
from features.streams import STREAMS
from features.transaction import BUYER

CONTENT: Final = Entity("content", ("evidence.content_hash",), "evidence")
"""A picture or paper by its hash, with the buyers who had shown it."""
LOGIN: Final = Entity("login", ("orders.login_id",), "buyer", ("buyer",), link=True)
"""A login, of which only is asked how many buyers it links."""
OWN: Final = Entity("own", ("asked",), "")
"""What is asked about, with what it adds to its parties' histories itself."""
ADDED: Final[Mapping[str, tuple[str, ...]]] = {
    "disputes": ("disputes", "every_ruling", "excused_disputes", "findings", "refusals", "rulings"),
    "chargebacks": ("chargebacks", "endings"),
    "orders": ("agreements", "spoilt"),
}
"""The streams to which what is asked about adds facts itself, or its order does."""
_SHARING: Final = ("sharers.count", "sharers.last", "malicious_sharers.count", "charged_sharers.count")
_MOMENTS: Final = ("first", "last")
_LATEST: Final = "matured_orders"


@dataclass(frozen=True)
class Layout:
    """What the rows of one kind of history hold: its streams, and of each the operands that are summed.

    `asked` is the table whose rows are asked about where that matters; of `timed` streams the first or last moment is asked.
    """

    name: str
    entity: Entity
    streams: tuple[str, ...]
    measures: tuple[tuple[Operand, ...], ...]
    asked: str = "orders"
    timed: frozenset[str] = frozenset()

    @cached_property
    def start(self) -> Int:
        """Where the columns of each stream start (streams + 1,)."""
        return np.cumsum([0, *(len(some) for some in self.measures)])

    @cached_property
    def latest(self) -> Flag:
        """Of which streams the last few facts are asked for (streams,)."""
        return np.array([name == _LATEST for name in self.streams], np.bool_)

    @cached_property
    def columns(self) -> dict[str, int]:
        """The place of each operand, by its text."""
        return {one.text: i for i, one in enumerate(one for some in self.measures for one in some)}


@dataclass(frozen=True)
class Entries:
    """Rows of histories of one kind: whose each is as a code (n,) of `names`, when, of which stream, and what it adds.

    `values` is flat, of each row as many as its stream has. A name may have several codes.
    """

    layout: Layout
    names: pa.Array
    codes: Int
    at: Int
    stream: Int
    values: Int

    def __len__(self) -> int:
        return int(self.at.size)


def _gathered(operands: Mapping[str, set[str]], entity: Entity, *, name: str = "", asked: str = "orders") -> Layout:
    """The layout of operands by stream, those of a first or last moment among them."""
    streams = tuple(sorted(operands))
    found = [[operand(text) for text in sorted(operands[stream])] for stream in streams]
    measures = tuple(tuple(one for one in some if one.measure not in _MOMENTS) for some in found)
    timed = {one.source for some in found for one in some if one.measure in _MOMENTS}
    return Layout(name or entity.name, entity, streams, measures, asked, frozenset(timed))


@cache
def layouts() -> Mapping[str, Layout]:
    """Every kind of history by name: of all questions' entities, of contents and logins, and of what is asked about."""
    used: dict[Entity, dict[str, set[str]]] = {}
    for signal in (one for question in QUESTIONS for one in dictionary(question)):
        for one in signal.operands:
            if not one.of_case and signal.entity is not None:
                of = used.setdefault(signal.entity, {}).setdefault(one.source, set())
                of.add(bare(one).text.removeprefix("?"))
    exhibits = used.pop(OF_CASE)
    shares: dict[str, set[str]] = {}
    for text in _SHARING:
        shares.setdefault(text.partition(".")[0], set()).add(text)
    found = [_gathered(some, entity) for entity, some in used.items()]
    found += [_gathered(shares, CONTENT), _gathered({"orders": {"orders.met_buyer"}}, LOGIN)]
    for asked, streams in ADDED.items():
        own = {name: set[str]().union(*(some.get(name, ()) for some in used.values())) for name in streams}
        found += [_gathered(own, OWN, name=f"own_{asked}", asked=asked)]
        if asked != "orders":
            found += [_gathered(exhibits, OF_CASE, name=f"case_{asked}", asked=asked)]
    return {layout.name: layout for layout in found}


_NOBODY: Final = pa.array([], pa.large_string())


@dataclass(frozen=True)
class _Piece:
    """The rows of one stream."""

    stream: int
    names: pa.Array
    codes: Int
    at: Int
    sums: Int


class Emitter:
    """The entries of a ledger that has all tables, be they empty; each stream is made once for each table asked about."""

    def __init__(self, ledger: Ledger, horizon: int, elsewhere: Elsewhere | None = None) -> None:
        self._bgs = {asked: Background(ledger, horizon, asked, elsewhere=elsewhere) for asked in ADDED}
        self._made = dict[tuple[str, str], Stream]()

    def entries(self, layout: Layout, since: int = 0) -> Entries:
        """The rows of one kind of history from a moment on, in no order of time."""
        who = _Whose(self._bgs[layout.asked], layout)
        pieces = [self._piece(layout, s, who, since) for s in range(len(layout.streams))]
        return _joined(layout, [one for one in pieces if one is not None])

    def _stream(self, asked: str, name: str) -> Stream:
        if (asked, name) not in self._made:
            declared = STREAMS[name]
            assert not isinstance(declared, Shared)
            self._made[asked, name] = declared.make(self._bgs[asked])
        return self._made[asked, name]

    def _piece(self, layout: Layout, s: int, who: "_Whose", since: int) -> _Piece | None:
        declared, measures = STREAMS[layout.streams[s]], layout.measures[s]
        if any(not len(who.bg.facts(table)) for table in _made_of(declared)):
            return None
        if isinstance(declared, Shared):
            at, codes, step = declared.make(who.bg, who.met)
            return _kept(layout, s, Codes(codes, who.names), at, since, lambda: [step] * len(measures))
        stream = self._stream(layout.asked, layout.streams[s])
        if not stream.at.size:
            return None
        named, at = who.of(stream, declared)

        def sums() -> list[Int]:
            meeting, groups = who.meeting(stream, named.codes)
            return [measured(who.bg, stream, meeting, groups, one) for one in measures]

        return _kept(layout, s, named, at, since, sums)


def _made_of(declared: object) -> tuple[str, ...]:
    """Tables without whose rows a stream has none; of one that is derived they are not told."""
    if isinstance(declared, Declared):
        return (declared.table,)
    return declared.needs if isinstance(declared, Shared) else ()


class _Whose:
    """Whose history each fact of a stream belongs to."""

    def __init__(self, bg: Background, layout: Layout) -> None:
        self.bg, self.layout = bg, layout
        self._of_case = layout.entity in (OF_CASE, OWN)

    @cached_property
    def members(self) -> Members:
        """The members of the entity, by order; of contents, by item of evidence."""
        if self.layout.entity != CONTENT:
            return members(self.bg, self.layout.entity)
        found = self.bg.facts("evidence").codes("content_hash")
        return Members(found.codes, len(found.values), names=lambda: found.values)

    @cached_property
    def names(self) -> pa.Array:
        """The name of each member."""
        return self.members.names()

    @cached_property
    def _cases(self) -> pa.Array:
        asked = self.bg.facts(self.layout.asked)
        return asked.strings(asked.table.key[0])

    @cached_property
    def met(self) -> Meetings:
        """Each buyer's first meeting with each member."""
        if self.layout.entity == CONTENT:
            return shown(self.bg)[1].first()
        orders = self.bg.facts("orders")
        return Meetings(orders.at, self.members.codes[:-1], orders.codes("buyer_id").codes).first()

    def of(self, stream: Stream, declared: object) -> tuple[Codes, Int]:
        """Whose each fact of a stream is, and when it enters the history."""
        if self._of_case:
            rows = stream.order if self.layout.asked == "orders" else stream.case
            assert rows is not None
            return Codes(rows.astype(np.int32), self._cases), stream.at
        own = _named(self.bg, declared, self.layout.entity) if isinstance(declared, Declared) else None
        if own is not None:
            return own, stream.at
        since = self.members.since
        at = stream.at if since is None else np.maximum(stream.at, since[stream.order])
        return Codes(self.members.codes[stream.order], self.names), at

    def meeting(self, stream: Stream, codes: Code) -> tuple[Code, int]:
        """Who meets partners at each fact: the entity, or where that is a case, its buyer."""
        if not self._of_case:
            return codes, int(codes.max(initial=-1)) + 1
        buyers = members(self.bg, BUYER)
        return buyers.codes[stream.order], buyers.groups


def _named(bg: Background, declared: Declared, entity: Entity) -> Codes | None:
    """The entity that each row of a table names itself, if its rows do."""
    if declared.table in ("blocks", "releases") and entity.columns == ("orders.seller_id",):
        return _blocked(bg, declared.table)
    column = declared.own.get(entity.columns[0]) if len(entity.columns) == 1 else None
    return None if column is None else bg.facts(declared.table).codes(column)


def _blocked(bg: Background, table: str) -> Codes:
    """The seller that each block, or the block that each release ends, is about: named, or where none is, the order's."""
    facts, blocks = bg.facts(table), bg.facts("blocks")
    sellers = (
        bg.facts("orders").strings("seller_id").take(pa.array(rows := order_rows(bg.ledger, "blocks"), mask=rows < 0))
    )
    found = encode(pa.chunked_array([blocks.strings("seller_id").fill_null(sellers)]))
    of = slice(None) if table == "blocks" else facts.points["blocks"]
    return Codes(found.codes[of], found.values)


def _kept(
    layout: Layout, s: int, named: Codes, at: Int, since: int, sums: Callable[[], Sequence[Int]]
) -> _Piece | None:
    """The rows of a stream from a moment on, without those of nobody, those that never enter, and those that add nothing."""
    rows = np.flatnonzero((named.codes >= 0) & (at >= since) & (at < NOT_YET))
    if not rows.size:
        return None
    found = np.zeros((rows.size, len(layout.measures[s])), np.int64)
    for m, values in enumerate(sums()):
        found[:, m] = values[rows]
    if layout.streams[s] not in layout.timed | {_LATEST}:
        some = found.any(axis=1)
        rows, found = rows[some], found[some]
    return _Piece(s, named.values, named.codes[rows].astype(np.int64), at[rows], found)


def _joined(layout: Layout, pieces: Sequence[_Piece]) -> Entries:
    """The rows of all streams together."""
    if not pieces:
        return Entries(layout, _NOBODY, *[np.zeros(0, np.int64)] * 4)
    names = {id(piece.names): piece.names for piece in pieces}
    begin = dict(zip(names, np.cumsum([0, *map(len, names.values())]).tolist(), strict=False))
    return Entries(
        layout,
        pa.concat_arrays([one.cast(pa.large_string()) for one in names.values()]),
        np.concatenate([piece.codes + begin[id(piece.names)] for piece in pieces]),
        np.concatenate([piece.at for piece in pieces]),
        np.concatenate([np.full(piece.at.size, piece.stream) for piece in pieces]),
        np.concatenate([piece.sums.ravel() for piece in pieces]),
    )
