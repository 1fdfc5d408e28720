"""From a ledger and askings to frames of signals, block by block: one pass over each history, all cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.asking import ASKED, Askings, asked_table, askings, named_askings
from features.case import DISPUTE, ORDER, Compute, asked_orders, known
from features.columns import Codes
from features.kernel import DAY, Code, Int, Merge, cumulate, first_meetings, group
from features.ledger import Ledger
from features.signal import WINDOWS, Entity, Float, Pattern, Signal, compute, signal
from features.streams import STREAMS, Stream, first_at
from features.transaction import DISPUTE_ENTITIES, ENTITIES, PATTERNS, RULINGS, meetings

HORIZON: Final = 120 * DAY
"""How long after an order a chargeback still counts, in microseconds."""
PLACEHOLDER: Final = 200
"""An id that links more buyers than this is nobody's: a placeholder, and its signals are unknown from then on."""
BLOCK: Final = 1 << 17
_EDGES: Final = tuple(WINDOWS.values())
_WORDS: Final = tuple(WINDOWS)


def _entities(question: str) -> tuple[Entity, ...]:
    return ENTITIES if ASKED[question] == "orders" else DISPUTE_ENTITIES


def _patterns(question: str, entity: Entity) -> tuple[Pattern, ...]:
    rulings = () if ASKED[question] == "orders" else RULINGS
    return (*PATTERNS, *rulings, *meetings(entity))


def _cases(question: str) -> tuple[tuple[Signal, Compute], ...]:
    return ORDER if ASKED[question] == "orders" else ORDER + DISPUTE


def _home(column: str) -> str:
    return "shipments" if column == "carrier" else "orders"


def _history(question: str, entity: Entity) -> Iterator[tuple[Pattern, str | None, Signal]]:
    """Every signal over an entity's history: the pattern and window it comes from, and its declaration."""
    columns = [f"{_home(c)}.{c}" for c in entity.columns]
    for pattern in _patterns(question, entity):
        tables = [table for stream in sorted(pattern.streams()) for table in STREAMS[stream][0]]
        met = [f"orders.{o.removeprefix('orders.met_')}_id" for o in pattern.operands if o.startswith("orders.met_")]
        needs = tuple(dict.fromkeys([*columns, *tables, *met]))
        for window in pattern.windows or (None,):
            yield pattern, window, signal(entity, pattern, window, needs)


def dictionary(question: str) -> list[Signal]:
    """Every signal declared for a question, computable or not."""
    asked_table(question)
    cases = [declared for declared, _ in _cases(question)]
    return cases + [s for entity in _entities(question) for _, _, s in _history(question, entity)]


def lacking(ledger: Ledger, declared: Signal) -> list[str]:
    """What a signal needs and the ledger does not have: tables, and columns as `table.column`."""
    return [need for need in declared.needs if not _has(ledger, *need.partition(".")[::2])]


def _has(ledger: Ledger, table: str, column: str) -> bool:
    return table in ledger.facts and (not column or ledger.facts[table].has(column))


@dataclass(frozen=True)
class Members:
    """Which entity each order belongs to: `codes` (orders + 1,), -1 for nobody, and from when that is known."""

    codes: Code
    groups: int
    since: Int | None = None

    def at(self, order: Int, t: Int) -> Code:
        """Codes of orders as known before `t`."""
        codes = self.codes[order]
        return codes if self.since is None else np.where(self.since[order] < t, codes, np.int32(-1))


def _members(ledger: Ledger, entity: Entity) -> Members:
    if entity.columns == ("carrier",):
        return _carriers(ledger)
    columns = [ledger.facts["orders"].codes(column) for column in entity.columns]
    codes, groups = columns[0].codes, len(columns[0].values)
    if len(columns) == 2:
        codes, groups = _paired(columns[0], columns[1])
    return Members(np.append(codes, np.int32(-1)), groups)


def _paired(one: Codes, other: Codes) -> tuple[Code, int]:
    both = (one.codes >= 0) & (other.codes >= 0)
    pairs = one.codes.astype(np.int64) * max(1, len(other.values)) + other.codes
    codes, values = pd.factorize(pairs)
    return np.where(both, codes, -1).astype(np.int32), len(values)


def _carriers(ledger: Ledger) -> Members:
    """The carrier of each order's first shipment, known from the moment that was declared."""
    shipments, orders = ledger.facts["shipments"], len(ledger.facts["orders"])
    found, order = shipments.codes("carrier"), shipments.points["orders"]
    codes = np.full(orders + 1, -1, np.int32)
    codes[order[::-1]] = found.codes[::-1]
    codes[-1] = -1
    since = np.append(first_at(shipments, "orders", orders), np.iinfo(np.int64).max)
    return Members(codes, len(found.values), since)


class _Histories:
    """All histories of one entity, met by askings block after block."""

    def __init__(self, ledger: Ledger, question: str, entity: Entity, streams: dict[str, Stream]) -> None:
        self.entity, self.members = entity, _members(ledger, entity)
        declared = [(p, w, s) for p, w, s in _history(question, entity) if not lacking(ledger, s)]
        self.signals = declared
        self.measures = self._measures([pattern for pattern, _, _ in declared])
        self.merges = {name: self._merge(ledger, streams[name], used) for name, used in self.measures.items()}

    def _measures(self, patterns: list[Pattern]) -> dict[str, list[str]]:
        """Measures of each stream that the patterns sum, and what tells a placeholder."""
        wanted: dict[str, dict[str, None]] = {"orders": {"met_buyer": None}} if self.entity.link else {}
        for stream, _, measure in (o.partition(".") for p in patterns for o in p.operands):
            if stream != "case":
                wanted.setdefault(stream, {})
                if measure not in ("first", "last"):
                    wanted[stream][measure] = None
        return {stream: list(used) for stream, used in wanted.items()}

    def _merge(self, ledger: Ledger, stream: Stream, used: list[str]) -> Merge:
        codes = self.members.at(stream.order, stream.at)
        measures = [
            self._meetings(ledger, codes, name) if name.startswith("met_") else stream.measures[name] for name in used
        ]
        return Merge(
            cumulate(stream.at, codes, self.members.groups, measures or [np.ones(codes.size, np.int64)]), _EDGES
        )

    def _meetings(self, ledger: Ledger, codes: Code, name: str) -> Int:
        partners = ledger.facts["orders"].codes(f"{name.removeprefix('met_')}_id")
        return first_meetings(codes, self.members.groups, partners.codes, len(partners.values))

    def block(self, order: Int, t: Int, amount: Float) -> dict[str, NDArray[np.float32]]:
        """Signals of askings about the given orders at times `t`, by name."""
        codes = self.members.at(order, t)
        asked, start = group(codes, self.members.groups)
        groups = np.flatnonzero(np.diff(start))
        first = np.append(start[groups], start[-1])
        found: dict[str | None, dict[str, Int | Float]] = {w: {} for w in (*_WORDS, None)}
        for name, merge in self.merges.items():
            totals = merge.totals(groups, first, t[asked])
            for w, word in enumerate(_WORDS):
                found[word] |= {f"{name}.{m}": totals.windows[w, i] for i, m in enumerate(self.measures[name])}
            found[None] |= {f"{name}.first": totals.first, f"{name}.last": totals.last}
        case: dict[str, Int | Float] = {"case.at": t[asked], "case.amount": amount[asked]}
        crowd = found["ever"]["orders.met_buyer"] > PLACEHOLDER if self.entity.link else None
        out = {}
        for pattern, window, declared in self.signals:
            values = compute(pattern, found[window] | case)
            out[declared.name] = np.full(t.size, np.nan, np.float32)
            out[declared.name][asked] = values if crowd is None else np.where(crowd, np.nan, values)
        return out


def blocks(ledger: Ledger, asks: Askings, *, horizon: int = HORIZON, size: int = BLOCK) -> Iterator[pd.DataFrame]:
    """Frames of signals for askings in time order, `size` rows at a time: `ask_id`, `at`, and float32 signals.

    Signals whose tables or columns the ledger does not have are left out; `lacking` says which those need.
    """
    question, table = asks.question, asked_table(asks.question)
    order = asked_orders(ledger, asks, table)
    entities = [e for e in _entities(question) if all(_has(ledger, _home(c), c) for c in e.columns)]
    cases = [(s, f) for s, f in _cases(question) if not lacking(ledger, s)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = {
            name: make(ledger, horizon)
            for name, (needs, make) in STREAMS.items()
            if all(t in ledger.facts for t in needs)
        }
        histories = list(pool.map(lambda entity: _Histories(ledger, question, entity, made), entities))
        for lo in range(0, max(1, len(asks)), size):
            some = asks.take(np.arange(lo, min(len(asks), lo + size)))
            rows, amount = order[lo : lo + size], known(ledger.facts["orders"], "amount", order[lo : lo + size])
            columns = {s.name: f(ledger, some, rows).astype(np.float32) for s, f in cases}
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
