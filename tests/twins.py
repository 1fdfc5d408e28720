"""Twins: the online store and the naive one, given the same facts, each compared with the other and with the batch."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from naive_store import NaiveStore

from benchmarks.parity import Facts, asked, histories, told, unequal
from features import Ledger, RedressError
from features.asking import ASKED
from features.homes import PLACES, Fact, Value, facts_of
from features.store import Appended, Store
from features.tables import CASES, TABLES

Named = tuple[str, Value]
"""A table and an id in it."""


@dataclass
class Twins:
    """A store in a directory and its naive twin, what both have taken, and how many requests both refused."""

    folder: Path
    store: Store
    naive: NaiveStore = field(default_factory=NaiveStore)
    refused: int = 0
    late: int = 0

    @classmethod
    def made(cls, folder: Path, where: str = "") -> "Twins":
        """Both without facts; the store in the folder unless it is somewhere else."""
        return cls(folder, Store.create(where or folder / "store", name="ab" * 16))

    def send(self, facts: Facts, arrived: int, request: str = "") -> bool:
        """Gives facts to both; whether both took them, for neither may take what the other refuses."""
        ours, theirs = (_answer(one, facts, arrived, request) for one in (self.store, self.naive))
        if isinstance(ours, str) or isinstance(theirs, str):
            assert _where(ours) == _where(theirs), (ours, theirs)
            self.refused += 1
            return False
        assert vars(ours) == vars(theirs)
        self.late += ours.late
        return True

    def pour(self, facts: list[Fact], random: Random, *, most: int = 20, jitter: int = 0) -> None:
        """Sends facts in batches of random size and in disorder, some of them again; what points to nothing yet, later."""
        held = [i + jitter * (random.random() < 0.1) * random.random() for i in range(len(facts))]
        left = [facts[i] for i in sorted(range(len(facts)), key=held.__getitem__)]
        there, sent, clock = set[Named](), list[Fact](), 0
        while left:
            some, left = left[: (n := random.randint(1, most))], left[n:]
            if random.random() < 0.8:  # what is late by itself, for what follows it in its request is late with it
                some, left = _apart(some, left, self.naive.watermark)
            clock = max(clock, *(one.at for one in some)) + random.randint(0, 1)
            batch, waiting = _ready(some, there)
            if waiting and random.random() < 0.2:
                assert not self.send(told(some), clock)
            left = waiting + left if batch else left + waiting
            if not batch:
                continue
            request = f"r{len(sent)}" * random.randint(0, 1)
            assert self.send(told(batch), clock, request)
            sent += [one for one in batch if one.table != "messages"]
            if request:
                assert self.send(told(batch), clock + 5, request)
            elif sent:
                assert self.send(told(random.sample(sent, min(5, len(sent)))), clock)

    def same(self) -> None:
        """Asserts that both stores know the same until the same moment."""
        with self.store.keys.reading() as snapshot:
            assert self.store.stands(snapshot).watermark == self.naive.watermark
        ours, theirs = self.store.ledger(), self.naive.ledger()
        assert {name: len(bad) for name, bad in theirs.bad.items() if len(bad)} == {}
        assert plain(ours) == plain(theirs)

    def exported(self) -> Ledger:
        """All facts of the store, written and read as a ledger."""
        self.store.export(self.folder / "exported")
        found = Ledger.open(self.folder / "exported")
        assert {name: len(bad) for name, bad in found.bad.items() if len(bad)} == {}
        return found

    def as_filled(self, ledger: Ledger, where: str = "") -> None:
        """Asserts that every history is that of a store filled with the same facts at once."""
        filled = Store.create(where or self.folder / "filled", name="ab" * 16, horizon=self.store.horizon)
        filled.fill(ledger)
        ours, theirs = histories(self.store), histories(filled)
        filled.close()
        assert {key[0] for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)} == set()

    def as_batch(self, ledger: Ledger, random: Random, most: int) -> int:
        """Asserts that all signals of random askings are those of the batch to the bit; how many askings."""
        asks = {question: asked(ledger, question, random, most) for question in ASKED}
        assert [one for question, some in asks.items() for one in unequal(self.store, ledger, question, some)] == []
        return sum(map(len, asks.values()))


def _apart(some: list[Fact], left: list[Fact], watermark: int) -> tuple[list[Fact], list[Fact]]:
    """Those of some facts that are older than a watermark, if any are, and what is left then."""
    late = [one for one in some if one.at < watermark]
    return (late, [one for one in some if one.at >= watermark] + left) if late else (some, left)


def _ready(some: list[Fact], there: set[Named]) -> tuple[list[Fact], list[Fact]]:
    """Those of some facts that point to nothing that is not there, which are there from now on, and the others."""
    ready, waiting = list[Fact](), list[Fact]()
    for one in sorted(some, key=lambda one: (one.at, PLACES[one.table])):
        for_it = [
            any((table, one[column]) in there for table in (CASES.values() if target == "case_kind" else (target,)))
            for column, target in TABLES[one.table].references
            if one[column] is not None
        ]
        (ready if all(for_it) else waiting).append(one)
        if all(for_it):
            there.add((one.table, one[TABLES[one.table].key[0]]))
    return ready, waiting


def plain(ledger: Ledger) -> dict[str, list[str]]:
    """The rows of each table that has some, in an order that does not depend on where they come from."""
    rows: dict[str, list[str]] = {}
    for one in facts_of(ledger):
        rows.setdefault(one.table, []).append(repr(one.values))
    return {name: sorted(some) for name, some in rows.items()}


def _answer(store: Store | NaiveStore, facts: Facts, arrived: int, request: str) -> Appended | str:
    try:
        found = store.append(facts, arrived=arrived, request=request)
    except RedressError as error:
        return str(error)
    return Appended(found.taken, found.repeated, found.late)


def _where(answer: Appended | str) -> str:
    """The field that a refusal names."""
    return answer.partition(":")[0] if isinstance(answer, str) else "taken"
