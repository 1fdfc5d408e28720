"""Histories: the cumulative rows of one entity over every stream, and its signals for a block of askings."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.columns import Codes
from features.dictionary import history, lacking
from features.kernel import Code, Int, Merge, cumulate, first_meetings, group
from features.ledger import Ledger
from features.signal import EDGES, Entity, Float, compute
from features.streams import NOT_YET, Stream, first_at

PLACEHOLDER: Final = 200
"""An id that links more buyers than this is nobody's: a placeholder, and its signals are unknown from then on."""


@dataclass(frozen=True)
class Members:
    """Which entity each order belongs to: `codes` (orders + 1,), -1 for nobody, and from when that is known."""

    codes: Code
    groups: int
    since: Int | None = None

    def at(self, order: Int, t: Int) -> Code:
        """Codes of orders as known before `t`; an order's own columns are known with it."""
        codes = self.codes[order]
        return codes if self.since is None else np.where(self.since[order] < t, codes, np.int32(-1))

    def join(self, stream: Stream) -> Stream:
        """A stream whose facts enter a history once it is known whose they are."""
        if self.since is None:
            return stream
        at = np.maximum(stream.at, self.since[stream.order])
        sort = np.argsort(at, kind="stable")
        return Stream(at[sort], stream.order[sort], {name: values[sort] for name, values in stream.measures.items()})


def members(ledger: Ledger, entity: Entity) -> Members:
    """The members of an entity."""
    if entity.columns == ("carrier",):
        return _carriers(ledger)
    columns = [ledger.facts["orders"].codes(column) for column in entity.columns]
    codes, groups = (columns[0].codes, len(columns[0].values)) if len(columns) == 1 else _paired(*columns)
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
    return Members(codes, len(found.values), np.append(first_at(shipments, "orders", orders), NOT_YET))


class Histories:
    """All histories of one entity, met by askings block after block."""

    def __init__(self, ledger: Ledger, question: str, entity: Entity, streams: dict[str, Stream]) -> None:
        self.entity, self.members = entity, members(ledger, entity)
        self.signals = [(p, w, s) for p, w, s in history(question, entity) if not lacking(ledger, s)]
        self.measures, self.windows = self._wanted()
        self.merges = {name: self._merge(ledger, streams[name], name) for name in self.measures}

    def _wanted(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The measures of each stream that the signals sum, and the windows they sum them over."""
        measures: dict[str, dict[str, None]] = {"orders": {"met_buyer": None}} if self.entity.link else {}
        windows: dict[str, dict[str, None]] = {"orders": {"ever": None}} if self.entity.link else {}
        for pattern, window, _ in self.signals:
            for stream, _, measure in (operand.partition(".") for operand in pattern.operands):
                if stream != "case":
                    measures.setdefault(stream, {}).update({} if measure in ("first", "last") else {measure: None})
                    windows.setdefault(stream, {}).update({} if window is None else {window: None})
        return {s: list(used) for s, used in measures.items()}, {s: list(used) for s, used in windows.items()}

    def _merge(self, ledger: Ledger, stream: Stream, name: str) -> Merge:
        stream = self.members.join(stream)
        codes = self.members.codes[stream.order]
        summed = [self._measure(ledger, stream, codes, measure) for measure in self.measures[name]]
        rows = cumulate(stream.at, codes, self.members.groups, summed or [np.zeros(codes.size, np.int64)])
        return Merge(rows, [EDGES[window] for window in self.windows[name]])

    def _measure(self, ledger: Ledger, stream: Stream, codes: Code, measure: str) -> Int:
        if not measure.startswith("met_"):
            return stream.measures[measure]
        partners = ledger.facts["orders"].codes(f"{measure.removeprefix('met_')}_id")
        return first_meetings(codes, self.members.groups, partners.codes[stream.order], len(partners.values))

    def block(self, order: Int, t: Int, amount: Float) -> dict[str, NDArray[np.float32]]:
        """Signals by name of askings about the given orders, and their amounts, at times `t` (n,)."""
        asked, start = group(self.members.at(order, t), self.members.groups)
        groups = np.flatnonzero(np.diff(start))
        found = self._totals(groups, np.append(start[groups], start[-1]), t[asked])
        case: dict[str, Int | Float] = {"case.at": t[asked], "case.amount": amount[asked]}
        crowd = found["ever"]["orders.met_buyer"] > PLACEHOLDER if self.entity.link else None
        out = {}
        for pattern, window, declared in self.signals:
            values = compute(pattern, found.get(window, {}) | case)
            out[declared.name] = np.full(t.size, np.nan, np.float32)
            out[declared.name][asked] = values if crowd is None else np.where(crowd, np.nan, values)
        return out

    def _totals(self, groups: Int, first: Int, t: Int) -> dict[str | None, dict[str, Int | Float]]:
        """Operands by window, and by None what has no window, for askings grouped by entity."""
        found: dict[str | None, dict[str, Int | Float]] = {None: {}}
        for name, merge in self.merges.items():
            totals = merge.totals(groups, first, t)
            for w, word in enumerate(self.windows[name]):
                summed = {f"{name}.{m}": totals.windows[w, i] for i, m in enumerate(self.measures[name])}
                found[word] = found.get(word, {}) | summed
            found[None] |= {f"{name}.first": totals.first, f"{name}.last": totals.last}
        return found
