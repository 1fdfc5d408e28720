"""Decisions: the records of a store, each found by its id and by its order, chained one to the one before by each writer."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from features.homes import COLUMNS, Fact, Value, home
from features.keys import Batch, Entry, Keys, Snapshot, end, opened
from features.shelves import instant, moment

Record = Mapping[str, object]
FIRST: Final = "0" * 32
"""The hash that the first record of a chain names as the one before."""
_RECORDS, _CHAINS, _TIPS, _ORDERS, _LATEST = b"d", b"e", b"t", b"o", b"w"
_FOLDER: Final = "decisions"
LEFT: Final = (
    *("format", "decision_id", "at", "case_kind", "case", "ledger", "models"),
    *("policy", "action", "propensity", "previous", "hash"),
)
"""What is left of a record that was erased: that a case was decided, when, how and by what, and its place in the chain."""
LEFT_OF_CASE: Final = ("dispute_id", "order_id", "at")


class Decisions:
    """The records of decisions beside a store, which outlive a killed process as soon as they are kept."""

    def __init__(self, keys: Keys, facts: Keys) -> None:
        self.keys, self._facts = keys, facts
        self._tips = dict[str, str]()

    @classmethod
    def open(cls, where: str | Path, facts: Keys, *, create: bool = False) -> "Decisions":
        """Those beside the facts of the store at a place: in a directory of their own, or among the facts of a server."""
        if "://" in str(where):
            return cls(facts, facts)
        return cls(opened(Path(where) / _FOLDER, create=create, durable=False), facts)

    def tip(self, writer: str) -> str:
        """The hash of the last record of a writer, as far as this process knows, which it need not."""
        return self._tips.get(writer, FIRST)

    def holding(self) -> AbstractContextManager[object]:
        """While no record is kept; where records lie among the facts, whoever writes those holds them anyway."""
        return nullcontext() if self.keys is self._facts else self.keys.writing()

    @contextmanager
    def calm(self) -> Iterator[tuple[Batch, Snapshot]]:
        """While no facts are committed and no other record is kept: where to keep one, and the facts as they stand."""
        with ExitStack() as held:
            batch = held.enter_context(self.keys.writing())
            apart = self.keys is not self._facts
            yield batch, held.enter_context(self._facts.reading()) if apart else batch

    def keep(
        self,
        writer: str,
        record: Record,
        order: str,
        following: Callable[[Record, str], Record],
        seen: tuple[bytes, bytes | None] | None = None,
        *,
        known: int = 0,
        within: Batch | None = None,
    ) -> Record | None:
        """A record about an order as it was first kept; a new one is made `following` the writer's last, if it does not.

        As a fact it is learnt at its own moment, or if that is past at the one from which on nothing is `known`. None, and
        nothing is kept, where among the facts the entry that was `seen` stands no more once nobody else may write. It is
        written `within` a batch, or one of its own.
        """
        decision_id = str(record["decision_id"])
        key = _RECORDS + decision_id.encode()
        with self.keys.writing() if within is None else nullcontext(within) as batch:
            mine = [] if seen is None or self.keys is not self._facts else [seen[0]]
            kept, tip, latest, *stands = batch.many([key, _tip(writer), _LATEST, *mine])
            if kept is not None:
                return _record(kept)
            if seen is not None and seen[1] != (stands[0] if mine else self._fact(seen[0])):
                return None
            before, number = (FIRST, 0) if tip is None else json.loads(tip)
            made = record if record["previous"] == before else following(record, before)
            at = _at(entry(made))
            written = [
                (key, json.dumps(made).encode()),
                (_chain(writer) + number.to_bytes(8, "big"), decision_id.encode()),
                (_tip(writer), json.dumps([made["hash"], number + 1]).encode()),
                (_ORDERS + home("order", order) + moment(max(at, known)) + decision_id.encode(), b""),
            ]
            if latest is None or latest < moment(at):
                written.append((_LATEST, moment(at)))
            batch.put(written)
        self._tips[writer] = str(made["hash"])
        return made

    def _fact(self, key: bytes) -> bytes | None:
        with self._facts.reading() as snapshot:
            return snapshot.many([key])[0]

    def record(self, decision_id: str) -> Record | None:
        """A record by its id."""
        with self.keys.reading() as snapshot:
            kept = snapshot.many([_RECORDS + decision_id.encode()])[0]
        return None if kept is None else _record(kept)

    def latest(self) -> int:
        """The latest moment of any decision, in microseconds since 1970; 0 if there is none."""
        with self.keys.reading() as snapshot:
            kept = snapshot.many([_LATEST])[0]
        return 0 if kept is None else instant(kept)

    def chain(self, writer: str) -> Iterator[Record]:
        """The records of a writer, in their order."""
        first = _chain(writer)
        with self.keys.reading() as snapshot:
            for _, name in list(snapshot.span(first, end(first))):
                kept = snapshot.many([_RECORDS + name])[0]
                assert kept is not None, "a chain names only records that were kept with it"
                yield _record(kept)

    def writers(self) -> list[str]:
        """Those who have kept records."""
        with self.keys.reading() as snapshot:
            return [key[1:].decode() for key, _ in snapshot.span(_TIPS, end(_TIPS))]

    def facts(self, homes: Iterable[bytes] | None = None) -> Iterator[tuple[bytes, Fact]]:
        """Decisions as facts of a ledger with their homes, of all orders or of some."""
        prefixes = [_ORDERS] if homes is None else [_ORDERS + where for where in homes]
        with self.keys.reading() as snapshot:
            for prefix in prefixes:
                for key, _ in snapshot.span(prefix, end(prefix)):
                    where = key[1 : 1 + len(home("order", ""))]
                    at = key[len(_ORDERS) + len(where) :][:8]
                    kept = snapshot.many([_RECORDS + key[len(_ORDERS) + len(where) + 8 :]])[0]
                    assert kept is not None, "an order names only records that were kept with it"
                    yield where, _fact(_record(kept), instant(at))

    def about(self, homes: Iterable[bytes]) -> list[Record]:
        """The records about some orders, by their homes."""
        with self.keys.reading() as snapshot:
            return [_record(kept) for _, kept in _kept(snapshot, homes)]

    def erase(self, homes: Iterable[bytes]) -> int:
        """Empties the records about some orders; how many. They keep their hash, which is of what they said, so chains hold."""
        with self.keys.writing() as batch:
            found = {key: record for key, kept in _kept(batch, homes) if "erased" not in (record := _record(kept))}
            batch.put((key, json.dumps(emptied(record)).encode()) for key, record in found.items())
        return len(found)

    def named(self, ids: Iterable[str]) -> dict[str, tuple[bytes, Fact]]:
        """Decisions of a few ids as facts, by id, each with the home of its order; those that are not here are left out."""
        kept = {name: record for name in ids if (record := self.record(name)) is not None}
        return {name: (home("order", _order(record)), _fact(record)) for name, record in kept.items()}

    def sync(self) -> None:
        """Flushes records to disk, so that they outlive a power cut too; among facts they are there at once."""
        if self.keys is not self._facts:
            self.keys.sync()

    def close(self) -> None:
        """Lets go of what is open, but for the facts."""
        if self.keys is not self._facts:
            self.keys.close()


def _tip(writer: str) -> bytes:
    return _TIPS + writer.encode()


def _chain(writer: str) -> bytes:
    return _CHAINS + writer.encode() + b"\0"


def _kept(snapshot: Snapshot, homes: Iterable[bytes]) -> list[Entry]:
    """The records about some orders under their keys."""
    prefixes = [_ORDERS + where for where in homes]
    named = [_RECORDS + key[len(prefix) + 8 :] for prefix in prefixes for key, _ in snapshot.span(prefix, end(prefix))]
    return [(key, kept) for key, kept in zip(named, snapshot.many(named), strict=True) if kept is not None]


def emptied(record: Record) -> Record:
    """A record without what it said of a person."""
    case = record["case"]
    assert isinstance(case, dict)
    left = {name: record[name] for name in LEFT}
    return left | {"case": {name: case[name] for name in LEFT_OF_CASE}, "erased": True}


def _record(kept: bytes) -> Record:
    found: Record = json.loads(kept)
    return found


def entry(record: Record) -> dict[str, object]:
    """A decision's record as a row of a ledger's table `decisions`, which tells policies of one name by their version."""
    case, policy = record["case"], record["policy"]
    assert isinstance(case, dict)
    assert isinstance(policy, dict)
    return {
        "decision_id": str(record["decision_id"]),
        "at": int(case["at"]),
        "case_id": str(case["dispute_id"]),
        "case_kind": str(record["case_kind"]),
        "action": str(record["action"]),
        "policy": f"{policy['name']} {policy['version']}",
        "propensity": float(str(record["propensity"])),
    }


def _order(record: Record) -> str:
    case = record["case"]
    assert isinstance(case, dict)
    return str(case["order_id"])


def _fact(record: Record, learnt: int | None = None) -> Fact:
    """A decision as a fact that came before all others of its moment, which is when it was learnt if that was later."""
    told = entry(record)
    at = _at(told)
    if learnt is not None and learnt > at:
        told |= {"at": learnt, "happened_at": at}
    return Fact("decisions", -1, tuple(_value(told.get(name)) for name in COLUMNS["decisions"]), at)


def _value(told: object) -> Value:
    assert told is None or isinstance(told, str | int | float)
    return told


def _at(told: Mapping[str, object]) -> int:
    at = told["at"]
    assert isinstance(at, int)
    return at
