"""What the signals of one case cost as the store they are read from grows, and what it takes to fill and to keep it."""

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.market import market
from benchmarks.workbench import Workbench, markdown
from features import Ledger
from features.asking import ASKED, named_askings
from features.build import gathered
from features.given import found
from features.instant import Instant
from features.store import Store

ORDERS: Final = 10_000_000
PARTS: Final = (100, 10, 1)
"""The smaller stores are these parts of the largest."""
CASES: Final = 500
CHECKED: Final = 1_000_000
"""The most orders of a ledger whose signals are also made in batch, to be compared."""
QUESTIONS: Final = {"malicious_dispute": "dispute", "chargeback_risk": "order"}
SLOWEST: Final = 1.5
Case = tuple[str, int]
"""The id of what is asked about, and when it is asked, in microseconds."""


@dataclass(frozen=True)
class Grown:
    """A store that was filled, how many facts it took and in how many seconds, and the cases that are asked of it."""

    store: Store
    facts: int
    seconds: float
    cases: Mapping[str, Sequence[Case]]


def growing(bench: Workbench) -> str:
    """The p50 and p99 of one dispute and one order in stores of 100 k, 1 M and 10 M orders; at most 1.5 times the smallest."""
    largest = bench.rows or ORDERS
    names: dict[str, list[str]] = {}
    grown = {size: _grown(bench.folder / f"grown-{size}", size, names) for size in (largest // p for p in PARTS)}
    readers = {question: Instant(question, of) for question, of in names.items()}
    paces = {size: {question: list[float]() for question in QUESTIONS} for size in grown}
    for _ in range(bench.runs):
        for size, one in grown.items():
            for question, taken in paces[size].items():
                taken += _taken(one, readers[question], question)
    rows = [_row(size, one, paces[size], paces[largest // PARTS[0]]) for size, one in grown.items()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return f"{markdown(rows)}\n\nThe target is a ratio of {SLOWEST} at most. The whole run had a peak of {peak:.1f} GB."


def _row(size: int, one: Grown, pace: Mapping[str, list[float]], least: Mapping[str, list[float]]) -> dict[str, object]:
    told: dict[str, object] = {"orders": size, "facts": one.facts, "fill seconds": one.seconds}
    told["GB on disk"] = sum(path.stat().st_blocks * 512 for path in Path(one.store.where).rglob("*")) / 1e9
    for question, word in QUESTIONS.items():
        p50, p99 = (float(each) for each in np.percentile(pace[question], (50, 99)))
        ratio = p50 / float(np.percentile(least[question], 50))
        told |= {f"{word} p50 ms": p50, f"{word} p99 ms": p99, f"{word} ratio": f"{ratio:.2f}"}
    return told


def _grown(where: Path, orders: int, names: dict[str, list[str]]) -> Grown:
    """A store of so many orders; the first hears the names of its signals, and small ones are held against the batch."""
    ledger = market(orders)
    begin = perf_counter()
    store = Store.create(where, name="growing")
    facts = store.fill(ledger)
    grown = Grown(store, facts, perf_counter() - begin, {question: _cases(ledger, question) for question in QUESTIONS})
    if orders <= CHECKED:
        for question, cases in grown.cases.items():
            names.setdefault(question, _held(store, ledger, question, cases))
    return grown


def _cases(ledger: Ledger, question: str) -> list[Case]:
    """Some rows at the moment they came, from all of the time."""
    facts = ledger.facts[ASKED[question]]
    rows = np.unique(np.linspace(len(facts) // 2, len(facts) - 1, CASES).astype(np.int64))
    ids = facts.strings(facts.table.key[0]).take(rows).to_pylist()
    return list(zip(ids, facts.at[rows].tolist(), strict=True))


def _held(store: Store, ledger: Ledger, question: str, cases: Sequence[Case]) -> list[str]:
    """The names of the signals, each of which is the same from the store and in batch; AssertionError where one is not."""
    asks = pd.DataFrame(cases, columns=["ask_id", "at"])
    asks["at"] = pd.to_datetime(asks["at"], unit="us", utc=True)
    askings = named_askings(ledger, question, asks)
    frame = gathered(ledger, askings, horizon=store.horizon)
    names = list(frame.columns[2:])
    reader = Instant(question, names)
    with store.keys.reading() as snapshot:
        for i, case in enumerate(zip(askings.ids.to_pylist(), askings.at.tolist(), strict=True)):
            row = reader.signals(snapshot, found(snapshot, question, *case))
            assert np.array_equal(row, frame.iloc[i, 2:].to_numpy(np.float32), equal_nan=True), f"{question}: {case}"
    return names


def _taken(one: Grown, reader: Instant, question: str) -> list[float]:
    """Milliseconds of the signals of each case, every one in a snapshot of its own."""
    taken = []
    for case in one.cases[question]:
        begin = perf_counter()
        with one.store.keys.reading() as snapshot:
            reader.signals(snapshot, found(snapshot, question, *case))
        taken.append(1e3 * (perf_counter() - begin))
    return taken
