"""From a ledger and askings to frames of signals, block by block: one pass over each history, all cores."""

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.asking import Askings, asked_table, askings, named_askings
from features.background import Background
from features.case import values
from features.credit import Prior
from features.dictionary import absent, dictionary, lacking, needs
from features.errors import RedressError
from features.history import Histories, computed
from features.kernel import DAY
from features.ledger import Ledger
from features.sharing import Shared
from features.signal import Entity, Signal
from features.stream import Stream
from features.streams import STREAMS

HORIZON: Final = 120 * DAY
"""How long after an order a chargeback still counts, in microseconds."""
BLOCK: Final = 1 << 17
"""Askings computed at a time."""


def able(ledger: Ledger, question: str, only: Collection[str] | None = None) -> list[Signal]:
    """The signals of a question that a ledger can give; of those named in `only`, RedressError for a name that is none."""
    declared = dictionary(question)
    if only is not None:
        strange = sorted(set(only) - {one.name for one in declared})
        if strange:
            raise RedressError(
                f"signals: want names of signals of {question}, got {strange[0]}; redress signals --describe lists them"
            )
        declared = tuple(one for one in declared if one.name in set(only))
    return [one for one in declared if not lacking(ledger, one)]


def blocks(
    ledger: Ledger,
    asks: Askings,
    *,
    horizon: int = HORIZON,
    prior: Prior | None = None,
    only: Collection[str] | None = None,
    size: int = BLOCK,
) -> Iterator[pd.DataFrame]:
    """Frames of signals for askings in time order, `size` rows at a time: `ask_id`, `at`, and float32 signals.

    Signals whose tables or columns the ledger does not have are left out; `lacking` says which those need. `only` names
    the signals wanted, `prior` is that of the buyers' credit.
    """
    bg = Background(ledger, horizon, asked_table(asks.question), prior or Prior())
    signals = able(ledger, asks.question, only)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = _Work(bg, asks, signals, pool)
        for lo in range(0, max(1, len(asks)), size):
            some = asks.take(np.arange(lo, min(len(asks), lo + size)))
            at = pd.to_datetime(some.at, unit="us", utc=True)
            yield pd.DataFrame({"ask_id": some.ids.to_pandas(), "at": at, **work.block(some)})


class _Work:
    """What is kept from block to block: every entity's histories, and the operands of the case."""

    def __init__(self, bg: Background, asks: Askings, signals: list[Signal], pool: ThreadPoolExecutor) -> None:
        self.bg, self.signals, self.pool = bg, signals, pool
        used = {one.text: one for signal in signals for one in signal.operands}
        self.given = {text: one for text, one in used.items() if one.of_case}
        self.unknown = {one.text for one in used.values() if one.optional and absent(bg.ledger, needs(one, bg.asked))}
        streams = self._streams(
            {one.source for one in used.values() if one.text not in self.unknown | self.given.keys()}
        )
        by_entity: dict[Entity, list[Signal]] = {}
        for signal in signals:
            if signal.entity is not None:
                by_entity.setdefault(signal.entity, []).append(signal)
        made = pool.map(lambda some: Histories(bg, asks, some, streams, self.unknown), by_entity.values())
        self.histories = list(made)

    def _streams(self, names: Collection[str]) -> dict[str, Stream]:
        links = any(one.link for signal in self.signals if (one := signal.entity))
        found = {name: STREAMS[name] for name in (*names, *(["orders"] if links else []))}
        return {name: declared.make(self.bg) for name, declared in found.items() if not isinstance(declared, Shared)}

    def block(self, asks: Askings) -> dict[str, NDArray[np.float32]]:
        """Signals by name, in the order of the dictionary."""
        order = self.bg.asked_orders[asks.row]
        there = (one for text, one in self.given.items() if text not in self.unknown)
        given = dict.fromkeys(self.unknown, np.full(len(asks), np.nan)) | values(self.bg, asks, order, there)
        made = self.pool.map(lambda h: h.block(asks, given), self.histories)
        found = {name: values for some in made for name, values in some.items()}
        found |= {one.name: computed(one, given, {}) for one in self.signals if one.entity is None}
        return {one.name: found[one.name] for one in self.signals}


def signals(
    ledger: Ledger,
    question: str,
    *,
    start: int | None = None,
    stop: int | None = None,
    asks: pd.DataFrame | None = None,
    horizon: int = HORIZON,
    prior: Prior | None = None,
    only: Collection[str] | None = None,
) -> pd.DataFrame:
    """One row of signals for each asking: those within [start, stop), or those named in `asks` (`ask_id`, `at`)."""
    which = askings(ledger, question, start, stop) if asks is None else named_askings(ledger, question, asks)
    return gathered(ledger, which, horizon=horizon, prior=prior, only=only)


def gathered(
    ledger: Ledger,
    asks: Askings,
    *,
    horizon: int = HORIZON,
    prior: Prior | None = None,
    only: Collection[str] | None = None,
    seen: Callable[[int], object] | None = None,
) -> pd.DataFrame:
    """All of `blocks` as one frame over one float32 matrix; `seen` hears of the rows done."""
    matrix, names, done = np.empty((0, 0), np.float32), list[str](), 0
    for block in blocks(ledger, asks, horizon=horizon, prior=prior, only=only):
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
