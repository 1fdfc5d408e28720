"""The store: facts as they come, the cumulative rows of every history, and decisions, under ordered keys."""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from features.build import HORIZON
from features.collector import held_back
from features.decisions import Decisions
from features.differing import changes
from features.entries import Emitter, layouts
from features.erasing import Erased, erase
from features.errors import RedressError
from features.evidence import OF_CASE
from features.homes import COLUMNS, ORDER, Fact, digest, ledger, ledgers, packed, unpacked, whole
from features.housing import Housing
from features.indices import OF_INSTRUMENT, OF_SELLER, REQUESTS, indexed, of_seller
from features.keys import Batch, Entry, Keys, Snapshot, end, opened
from features.ledger import Ledger
from features.meta import MARK, Meta, lacking, lacks_of, meta_of, read, without
from features.neighbours import Neighbours, neighbours
from features.persons import homes_of
from features.placing import Placed, of_decisions, placed
from features.pseudonyms import Key, judged, known_as
from features.receiving import Submitted, submitted
from features.shelves import HISTORIES, SHELVES, due, filled, put, seal

SETTLING: Final = 2
"""Microseconds after which what a history says of a moment is final: evidence is dated one back when it is filed."""
SEALED: Final = 64
"""Pages that an append seals besides as many as it has facts."""
_MESSAGE_ID: Final = COLUMNS["messages"]["message_id"]
_HOMES: Final = b"f"
TOGETHER: Final = 1 << 18
"""Entries of a first fill that are committed together."""


@dataclass(frozen=True)
class Appended:
    """How many facts were taken, how many were there already, and how many of those taken came late."""

    taken: int
    repeated: int
    late: int


class _OvertakenError(Exception):
    """Something was decided while facts were taken that should have seen them, or that they should have."""


class Store:
    """A platform's facts in a directory or in PostgreSQL, with the cumulative rows of every history kept current."""

    def __init__(self, keys: Keys, decisions: Decisions, where: str, key: Key | None = None) -> None:
        self.keys, self.decisions, self.where, self.key = keys, decisions, where, key
        self._open = True
        with keys.reading() as snapshot:
            self.meta = meta_of(snapshot, where)

    @classmethod
    def open(cls, where: str | Path, *, key: Key | None = None) -> "Store":
        """The store in a directory or at a postgresql:// address; RedressError where there is none.

        Cases are read without the `key` that ids of persons are hashed by, where they are; facts come in with it alone.
        """
        return cls._made(opened(where), where, key)

    @classmethod
    def create(cls, where: str | Path, *, name: str, horizon: int = HORIZON, key: Key | None = None) -> "Store":
        """A new store, without facts, whose ids of persons are hashed by a `key`; RedressError where one has facts."""
        meta = Meta(name, horizon, key=key.mark if key else "")
        return cls._made(opened(where, create=True), where, key, meta)

    @classmethod
    def _made(cls, keys: Keys, where: str | Path, key: Key | None, meta: Meta | None = None) -> "Store":
        """A store over open keys, with a new `meta` if it is to be new; what was opened is closed where it cannot be."""
        with ExitStack() as undo:
            undo.callback(keys.close)
            if meta is not None:
                _begin(keys, meta, keys.where)
            decisions = Decisions.open(where, keys, create=meta is not None)
            undo.callback(decisions.close)
            made = cls(keys, decisions, keys.where, key)
            undo.pop_all()
        return made

    @property
    def horizon(self) -> int:
        """How long after an order a chargeback counts, in microseconds."""
        return self.meta.horizon

    def stands(self, snapshot: Snapshot) -> Meta:
        """What the store said of itself when a snapshot was taken."""
        return self.said(snapshot.many([MARK])[0])

    def said(self, kept: bytes | None) -> Meta:
        """What the store says of itself under MARK, which it then knows; RedressError for none, and for an older one's."""
        self.meta = read(kept, self.where)
        return self.meta

    def sync(self) -> None:
        """Flushes what was decided to disk, so that it outlives a power cut too; facts are there as soon as they are taken."""
        self.decisions.sync()

    def close(self) -> None:
        """Lets go of what is open, once all that was decided is on disk; it may be called again."""
        if self._open:
            self._open = False
            self.decisions.sync()
            self.decisions.close()
            self.keys.close()

    def append(
        self, facts: Mapping[str, Sequence[Mapping[str, object]]], *, arrived: int, request: str = ""
    ) -> Appended:
        """Takes facts by table, all or none, which arrived at a moment in microseconds since 1970.

        A fact that came before, by its key as submitted, is not taken again; messages without an id came before with their
        `request`. One whose `at` is older than what the store knows is late: it was learnt when it arrived. Raises
        RedressError that names table, row and field for what no ledger would take.
        """
        with held_back():
            told = submitted(facts, arrived)
            if (key := judged(self.key, self.meta.key, self.where)) is not None:
                told = key.submitted(told)
            try:
                return self._append(told, arrived, request, calm=False)
            except _OvertakenError:
                return self._append(told, arrived, request, calm=True)

    def _append(self, told: Sequence[Submitted], arrived: int, request: str, *, calm: bool) -> Appended:
        """Takes facts, while nothing is decided if it is to be `calm`; else it may be overtaken by what is."""
        with ExitStack() as held, self.keys.writing() as batch:  # records are held until after the commit
            if calm:
                held.enter_context(self.decisions.holding())
            meta = meta_of(batch, self.where)
            known = _asked_before(batch, request, told)
            until = max(meta.watermark, self.decisions.latest())
            made = self.decisions.named(of_decisions(told))
            came = placed(
                batch, told, watermark=until, arrivals=meta.arrivals, arrived=arrived, known=known, decided=made
            )
            if came.new:
                followed = self._followed(came)
                self._take(batch, came, meta)
                if not calm:
                    held.enter_context(self.decisions.holding())
                    first = min(one.at for some in came.new.values() for one in some)
                    if self.decisions.latest() > first or self._followed(came) != followed:
                        raise _OvertakenError
        return Appended(came.taken, came.repeated, came.late)

    def _followed(self, came: Placed) -> list[tuple[bytes, Fact]]:
        """What was decided about the orders of new rulings, each of which may follow from that."""
        ruled = [where for where, new in came.new.items() if any(one.table == "rulings" for one in new)]
        return list(self.decisions.facts(ruled))

    def decision(self, decision_id: str) -> Mapping[str, object] | None:
        """The record of a decision."""
        return self.decisions.record(decision_id)

    def _take(self, batch: Batch, came: Placed, meta: Meta) -> None:
        """Writes new facts, and what they change in histories."""
        for around in neighbours(batch, came, self.decisions.facts):
            _change(batch, around, came.watermark, meta)
            batch.put(sorted((of_seller(name), json.dumps(of).encode()) for name, of in around.sellers.items()))
        seal(batch, came.watermark - SETTLING, SEALED + came.taken)
        batch.put(sorted(_told(came)))
        lacks = lacking(meta.lacks, came)
        made = replace(meta, watermark=came.watermark, arrivals=came.arrivals, lacks=lacks)
        batch.put([(MARK, made.packed())])

    def fill(self, found: Ledger, seen: Callable[[int], object] = int) -> int:
        """Takes all good facts of a ledger into a store that has none; how many. `seen` hears of each kind of history.

        It is written in order, some at a time, and is no store, to be opened by nobody, until all of it is there.
        """
        if (key := judged(self.key, self.meta.key, self.where)) is not None:
            found = key.ledger(found)
        counts = [len(of) for of in found.facts.values()]
        meta = self._emptied()
        for some in _some(self._filled(found, seen)):
            with self.keys.writing() as batch:
                batch.put(some)
        self.meta = replace(meta, watermark=found.last_at, arrivals=sum(counts), lacks=lacks_of(found))
        with self.keys.writing() as batch:
            batch.put([(MARK, self.meta.packed())])
        return sum(counts)

    def _emptied(self) -> Meta:
        """What a store says of itself, which it says no more; with what was left where one was filled in part."""
        with self.keys.writing() as batch:
            meta = meta_of(batch, self.where)
            if meta.arrivals:
                raise RedressError(
                    f"{self.where}: want a store without facts, got {meta.arrivals:,}; load into another"
                )
            batch.delete([key for key, _ in batch.span(b"\0", end(b"\xff"))])
        return meta

    def _filled(self, found: Ledger, seen: Callable[[int], object]) -> Iterator[Entry]:
        """All entries of a ledger's facts, in the order of their keys."""
        begins = accumulate((len(of) for of in found.facts.values()), initial=0)
        housing = Housing(found, dict(zip(found.facts, begins, strict=False)))
        others = sorted(housing.others())
        yield from housing.listed(OF_SELLER, "seller_id")
        yield from housing.buyers()
        yield from _between(others, b"", ORDER)
        yield from housing.homes()
        yield from _between(others, ORDER, HISTORIES)
        emitter = Emitter(found.whole(), self.horizon)
        later = list[Entry]()
        for name in sorted(layouts()):
            for page in filled(emitter.entries(layouts()[name]), found.last_at - SETTLING):
                later += due([page])
                yield page
            seen(1)
        yield from _between(others, HISTORIES, b"\xff")
        yield from housing.listed(OF_INSTRUMENT, "instrument_id")
        yield from sorted(later)

    def erase(self, buyer: str, secret: bytes) -> Erased:
        """Makes a buyer nobody; `secret` is 32 random bytes, drawn for this once and kept nowhere.

        The records of decisions about his orders are emptied, and his facts and histories change together: if that fails, he
        is still there by his name, to be erased again. Records that came meanwhile are emptied after it; one that rests on what
        was there before is not kept any more. Raises RedressError where there is nothing of him.
        """
        who, homes = self._known(buyer)
        records = self.decisions.erase(homes)
        with self.keys.writing() as batch:
            meta = meta_of(batch, self.where)
            sealed_until = meta.watermark - SETTLING
            found = erase(batch, who, secret, self.decisions.facts, horizon=meta.horizon, sealed_until=sealed_until)
            batch.put([(MARK, replace(meta, erasures=meta.erasures + 1).packed())])
        return replace(found, records=records + self.decisions.erase(homes))

    def of_buyer(self, buyer: str) -> tuple[list[Fact], list[Mapping[str, object]]]:
        """All facts about a buyer and his orders, and the records of decisions in full; RedressError where there is nothing."""
        _, homes = self._known(buyer)
        facts = [one for some in homes.values() for one in some]
        return facts + [one for _, one in self.decisions.facts(homes)], self.decisions.about(homes)

    def _known(self, buyer: str) -> tuple[str, dict[bytes, list[Fact]]]:
        """The name that a buyer has here, and his homes with their facts."""
        who = known_as(judged(self.key, self.meta.key, self.where), "buyer_id", buyer)
        with self.keys.reading() as snapshot:
            homes = homes_of(snapshot, who)
        if not homes:
            raise RedressError(f"{self.where}: want a buyer of whom something is known, got {buyer[:80]}; name another")
        return who, homes

    def facts(self) -> Iterator[Fact]:
        """All facts, home by home, and what was decided."""
        with self.keys.reading() as snapshot:
            for _, kept in snapshot.span(_HOMES, end(_HOMES)):
                yield from unpacked(kept)
        yield from (one for _, one in self.decisions.facts())

    def ledger(self) -> Ledger:
        """All facts as a ledger."""
        return ledger(self.facts())

    def export(self, folder: Path, facts: Iterable[Fact] | None = None) -> dict[str, int]:
        """Writes all facts, or some, as the tables of a ledger; how many rows each has."""
        folder.mkdir(parents=True, exist_ok=True)
        with self.keys.reading() as snapshot:
            lacks = set(meta_of(snapshot, self.where).lacks)
        made = whole(self.facts() if facts is None else facts)
        if made["decisions"].num_rows:
            lacks -= {"decisions", *(f"decisions.{column}" for column in made["decisions"].column_names)}
        found = {name: without(rows, name, lacks) for name, rows in made.items() if name not in lacks}
        for name, rows in found.items():
            pq.write_table(rows, folder / f"{name}.parquet")
        return {name: rows.num_rows for name, rows in found.items()}


def _change(batch: Batch, around: Neighbours, watermark: int, meta: Meta) -> None:
    """Changes histories by what facts make of them that did not before."""
    found = ledgers(around.facts, around.others, meta.arrivals)
    before, after = (
        Emitter(one, meta.horizon, of) for one, of in zip(found, (around.before, around.after), strict=True)
    )
    for name, layout in layouts().items():
        since = 0 if layout.entity == OF_CASE else meta.watermark - 1
        old, new = (one.entries(layout, since) for one in (before, after))
        if len(old) or len(new):
            put(batch, name, changes(SHELVES[name], old, new), watermark - SETTLING)


def _begin(keys: Keys, meta: Meta, where: str) -> None:
    """Makes a store of keys; RedressError where there is one with facts."""
    with keys.writing() as batch:
        if batch.many([MARK])[0] is not None and (arrivals := meta_of(batch, where).arrivals):
            raise RedressError(f"{where}: want no store there yet, got one of {arrivals:,} facts; name another place")
        batch.put([(MARK, meta.packed())])


def _asked_before(batch: Batch, request: str, told: Sequence[Submitted]) -> bool:
    """Whether a request with messages that have no id came before; RedressError where it said something else then."""
    nameless = [one.values for one in told if one.table == "messages" and one.values[_MESSAGE_ID] is None]
    if not request or not nameless:
        return False
    key, says = REQUESTS + digest(request), digest(json.dumps(nameless))
    before = batch.many([key])[0]
    if before is None:
        batch.put([(key, says)])
    elif before != says:
        raise RedressError("messages: want what this request said before, got other messages; give it another key")
    return before is not None


def _told(came: Placed) -> Iterator[Entry]:
    """The homes of new facts, and their indices."""
    for where, new in came.new.items():
        facts = came.facts(where)
        yield where, packed(facts)
        yield from indexed(where, facts, new)


def _between(entries: Sequence[Entry], lo: bytes, hi: bytes) -> Sequence[Entry]:
    """Of entries in order those from a key on and before another."""
    return entries[bisect_left(entries, (lo, b"")) : bisect_left(entries, (hi, b""))]


def _some(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Entries as many at a time as are committed together."""
    while some := list(islice(entries, TOGETHER)):
        yield some
