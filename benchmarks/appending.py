"""What it costs to take facts one after the other, each batch on disk before the next, and to take much back at once."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

import numpy as np

from benchmarks.market import market
from benchmarks.workbench import Workbench, markdown
from features import Ledger
from features.homes import COLUMNS, NAMES, Fact, facts_of, tables
from features.keys import end
from features.pages import unpacked
from features.shelves import SHAPES, SHELVES
from features.store import Store

ORDERS: Final = 100_000
FILLED: Final = 0.6
"""How much of the ledger is there before."""
BATCHES: Final = {1: 50, 100: 20, 1_000: 5, 5_000: 3, 20_000: 1}
"""How many batches of each size are taken."""
WARM: Final = 10
"""Facts that are taken before, so that no code is compiled in what is measured."""
TARGET: Final = 10_000
TOLD_OF: Final = 1_000_000
"""Orders of a market whose first seller has one in fifty."""
Batch = Mapping[str, Sequence[Mapping[str, object]]]


@dataclass(frozen=True)
class Split:
    """A ledger's facts until a moment, and those after it in the order of time."""

    ledger: Ledger
    later: Sequence[Fact]


def split(ledger: Ledger) -> Split:
    """The first facts of a ledger as one, and the others."""
    facts = sorted(facts_of(ledger), key=lambda one: (one.at, NAMES.index(one.table)))
    cut = round(FILLED * len(facts))
    return Split(Ledger.trusted(tables(facts[:cut])), facts[cut:])


def appending(bench: Workbench) -> str:
    """Facts a second, each batch on disk, in batches of 1 to 20,000; 10,000 a second. SQLite only inserts the rows."""
    made = split(market(bench.rows or ORDERS))
    store = Store.create(bench.folder / "appending", name="appending")
    store.fill(made.ledger)
    rows, later = [], iter(made.later)
    _timed(store, _next(later, WARM))
    with sqlite3.connect(bench.folder / "appending.sqlite") as peer:
        _tables(peer)
        for size, times in BATCHES.items():
            batches = [some for _ in range(times) if len(some := _next(later, size)) == size]
            if not batches:
                continue
            ours, cores = np.sum([_timed(store, some) for some in batches], axis=0).tolist()
            theirs = sum(_inserted(peer, some) for some in batches)
            taken = size * len(batches)
            row: dict[str, object] = {"batch": size, "redress facts/s": taken / ours, "a core second": taken / cores}
            rows.append(row | {"SQLite rows/s": taken / theirs, "target": TARGET if size == max(BATCHES) else ""})
    _held(store, bench.folder)
    store.close()
    return markdown(rows)


def retraction(bench: Workbench) -> str:
    """Seconds until all is taken back that a seller's orders said for their buyers, once he is found to fake them."""
    ledger = market(bench.rows or TOLD_OF)
    store = Store.create(bench.folder / "retraction", name="retraction")
    store.fill(ledger)
    at = ledger.last_at + 1
    begin = perf_counter()
    block = {"block_id": "b", "at": at, "kind": "seller_integrity", "seller_id": "s0", "cause": "false_transactions"}
    store.append({"blocks": [block]}, arrived=at)
    blocked = perf_counter() - begin
    store.append({"releases": [{"block_id": "b", "at": at + 1, "result": "upheld"}]}, arrived=at + 1)
    taken = perf_counter() - begin - blocked
    sellers = ledger.facts["orders"].codes("seller_id")
    orders = int((sellers.codes == sellers.values.index("s0").as_py()).sum())
    store.close()
    return markdown([{"orders": len(ledger.facts["orders"]), "of the seller": orders, "seconds": taken}])


def _next(later: Iterator[Fact], size: int) -> list[Fact]:
    return [one for _, one in zip(range(size), later, strict=False)]


def _timed(store: Store, some: Sequence[Fact]) -> tuple[float, float]:
    """Seconds on the wall and of the cores."""
    facts: dict[str, list[Mapping[str, object]]] = {}
    for one in some:
        told = dict(zip(COLUMNS[one.table], one.values, strict=True))
        facts.setdefault(one.table, []).append(told)
    begin, core = perf_counter(), process_time()
    found = store.append(facts, arrived=some[-1].at + 1)
    seconds = perf_counter() - begin, process_time() - core
    assert found.taken == len(some), f"want {len(some)} facts taken, got {found}"
    return seconds


def _tables(peer: sqlite3.Connection) -> None:
    peer.execute("PRAGMA journal_mode=WAL")
    peer.execute("PRAGMA synchronous=FULL")
    for name, columns in COLUMNS.items():
        peer.execute(f'CREATE TABLE "{name}" ({", ".join(columns)})')


def _inserted(peer: sqlite3.Connection, some: Sequence[Fact]) -> float:
    begin = perf_counter()
    for name in {one.table for one in some}:
        marks = ", ".join("?" * len(COLUMNS[name]))
        peer.executemany(f'INSERT INTO "{name}" VALUES ({marks})', [one.values for one in some if one.table == name])
    peer.commit()
    return perf_counter() - begin


def _held(store: Store, folder: Path) -> None:
    """AssertionError where histories are other than those of a store that is filled with the same facts at once."""
    again = Store.create(folder / "again", name="again")
    again.fill(store.ledger())
    ours, theirs = (histories(one) for one in (store, again))
    again.close()
    assert ours == theirs, "a store that facts came into one by one is another than one that was filled with them"


def histories(store: Store) -> dict[bytes, list[tuple[int, int, tuple[int, ...]]]]:
    """The rows of every history by the first bytes of its keys, those of one moment in an order of their own."""
    found: dict[bytes, list[tuple[int, int, tuple[int, ...]]]] = {}
    with store.keys.reading() as snapshot:
        for shelf, first in SHELVES.items():
            layout = SHAPES[shelf]
            for key, data in snapshot.span(first, end(first)):
                rows = unpacked(layout, data).rows
                ends = np.append(0, np.cumsum(np.diff(layout.start)[rows.stream])).tolist()
                values = [tuple(rows.values[lo:hi].tolist()) for lo, hi in pairwise(ends)]
                found.setdefault(key[:-10], []).extend(zip(rows.at.tolist(), rows.stream.tolist(), values, strict=True))
    return {whose: sorted(some) for whose, some in found.items()}
