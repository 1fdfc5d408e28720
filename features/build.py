"""From a ledger and askings to frames of signals, block by block: one pass over each history, all cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pandas as pd

from features.asking import Askings, asked_table, askings, named_askings
from features.case import asked_orders, known
from features.dictionary import cases, entities, has, home, lacking
from features.history import Histories
from features.kernel import DAY
from features.ledger import Ledger
from features.streams import STREAMS

HORIZON: Final = 120 * DAY
"""How long after an order a chargeback still counts, in microseconds."""
BLOCK: Final = 1 << 17
"""Askings computed at a time."""


def blocks(ledger: Ledger, asks: Askings, *, horizon: int = HORIZON, size: int = BLOCK) -> Iterator[pd.DataFrame]:
    """Frames of signals for askings in time order, `size` rows at a time: `ask_id`, `at`, and float32 signals.

    Signals whose tables or columns the ledger does not have are left out; `lacking` says which those need.
    """
    question, table = asks.question, asked_table(asks.question)
    order = asked_orders(ledger, asks, table)
    able = [e for e in entities(question) if all(has(ledger, home(e), column) for column in e.columns)]
    given = [(s, compute) for s, compute in cases(question) if not lacking(ledger, s)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = {
            name: make(ledger, horizon) for name, (needs, make) in STREAMS.items() if all(has(ledger, t) for t in needs)
        }
        histories = list(pool.map(lambda entity: Histories(ledger, question, entity, made), able))
        for lo in range(0, max(1, len(asks)), size):
            some = asks.take(np.arange(lo, min(len(asks), lo + size)))
            rows, amount = order[lo : lo + size], known(ledger.facts["orders"], "amount", order[lo : lo + size])
            columns = {s.name: compute(ledger, some, rows).astype(np.float32) for s, compute in given}
            for found in pool.map(lambda h, r=rows, s=some, a=amount: h.block(r, s.at, a), histories):
                columns |= found
            yield pd.DataFrame(
                {"ask_id": some.ids.to_pandas(), "at": pd.to_datetime(some.at, unit="us", utc=True), **columns}
            )


def signals(
    ledger: Ledger,
    question: str,
    *,
    start: int | None = None,
    stop: int | None = None,
    asks: pd.DataFrame | None = None,
    horizon: int = HORIZON,
) -> pd.DataFrame:
    """One row of signals for each asking: those within [start, stop), or those named in `asks` (`ask_id`, `at`)."""
    which = askings(ledger, question, start, stop) if asks is None else named_askings(ledger, question, asks)
    return gathered(ledger, which, horizon=horizon)


def gathered(
    ledger: Ledger, asks: Askings, *, horizon: int = HORIZON, seen: Callable[[int], object] | None = None
) -> pd.DataFrame:
    """All of `blocks` as one frame over one float32 matrix; `seen` hears of the rows done."""
    matrix, names, done = np.empty((0, 0), np.float32), list[str](), 0
    for block in blocks(ledger, asks, horizon=horizon):
        if not done:
            names = [str(name) for name in block.columns[2:]]
            matrix = np.empty((len(asks), len(names)), np.float32)
        matrix[done : done + len(block)] = block[names].to_numpy(np.float32)
        done += len(block)
        if seen is not None:
            seen(len(block))
    frame = pd.DataFrame(matrix, columns=names, copy=False)
    frame.insert(0, "ask_id", asks.ids.to_pandas())
    frame.insert(1, "at", pd.to_datetime(asks.at, unit="us", utc=True))
    return frame
