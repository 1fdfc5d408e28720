"""Askings: which rows a question asks about, and at what moment."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import RedressError
from features.kernel import Int
from features.ledger import Ledger
from features.rows import locate

ASKED: Final = {"chargeback_risk": "orders", "dispute_outcome": "disputes"}
"""The table whose rows each question asks about; it is trained at the row's own `at`."""


@dataclass(frozen=True)
class Askings:
    """Askings in time order: `row` (n,) of the asked table, `at` (n,) int64 microseconds, `ids` (n,) strings."""

    question: str
    row: Int
    at: Int
    ids: pa.Array

    def __len__(self) -> int:
        return int(self.at.size)

    def take(self, which: Int) -> "Askings":
        """The askings at the positions `which`, which increase."""
        return Askings(self.question, self.row[which], self.at[which], self.ids.take(pa.array(which)))


def asked_table(question: str) -> str:
    """The table a question asks about; RedressError for a question that is not one."""
    if question not in ASKED:
        raise RedressError(f"question: want one of {', '.join(ASKED)}, got {question}")
    return ASKED[question]


def _in_order(question: str, row: Int, at: Int, ids: pa.Array) -> Askings:
    """Askings sorted by time, and by id where times are equal, so that the order of a ledger's rows means nothing."""
    step = np.diff(at)
    if np.any(step < 0):
        moved = np.arange(at.size)
    else:
        moved = np.flatnonzero(np.append(step == 0, False) | np.append(False, step == 0))
    if moved.size:
        some = pa.table({"at": at[moved], "id": ids.take(pa.array(moved))})
        order = np.arange(at.size)
        order[moved] = moved[pc.sort_indices(some, sort_keys=[("at", "ascending"), ("id", "ascending")]).to_numpy()]
        row, at, ids = row[order], at[order], ids.take(pa.array(order))
    return Askings(question, row, at, ids)


def askings(ledger: Ledger, question: str, start: int | None = None, stop: int | None = None) -> Askings:
    """Every row the question asks about, at its own `at`, within [start, stop) in microseconds since 1970."""
    name = asked_table(question)
    if name not in ledger.facts:
        raise RedressError(
            f"{question}: want a table {name} in {ledger.name}, got {', '.join(ledger.facts)}; import it"
        )
    if not len(ledger.facts["orders"]):
        raise RedressError(f"{ledger.name}: want at least one good order, got none; redress check says why each is bad")
    facts = ledger.facts[name]
    lo = 0 if start is None else int(np.searchsorted(facts.at, start))
    hi = len(facts) if stop is None else int(np.searchsorted(facts.at, stop))
    row = np.arange(lo, max(lo, hi))
    return _in_order(question, row, facts.at[row], facts.strings(facts.table.key[0]).take(pa.array(row)))


def named_askings(ledger: Ledger, question: str, asks: pd.DataFrame) -> Askings:
    """Askings named one by one: `ask_id` and `at` (with a time zone), each no earlier than the row it asks about."""
    for column in ("ask_id", "at"):
        if column not in asks:
            raise RedressError(
                f"asks: want columns ask_id and at, got {', '.join(map(str, asks.columns))}; add {column}"
            )
    if not isinstance(asks["at"].dtype, pd.DatetimeTZDtype):
        raise RedressError(f"asks.at: want a timestamp with a time zone, got {asks['at'].dtype}; attach one")
    if asks["at"].isna().any() or asks["ask_id"].isna().any():
        raise RedressError("asks: want every ask_id and at, got nulls; fill them or leave the rows out")
    facts = askings(ledger, question)
    ids = pa.array(asks["ask_id"].astype(str), pa.large_string())
    distinct = ids.dictionary_encode()
    met = locate(distinct.dictionary, facts.ids)[distinct.indices.to_numpy()]
    at = asks["at"].dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy(np.int64)
    if (met < 0).any():
        few = f"{int((met < 0).sum()):,} unknown such as {_short(ids, np.argmin(met))}"
        raise RedressError(
            f"asks: want ids of {asked_table(question)}, got {few}; leave them out or name another ledger"
        )
    if (early := at < facts.at[met]).any():
        first = _short(ids, np.argmax(early))
        raise RedressError(f"asks: want times no earlier than the row asked about, got {first} before it was known")
    return _in_order(question, facts.row[met], at, ids)


def _short(ids: pa.Array, which: np.signedinteger) -> str:
    """An id as an error names it, cut where it is absurdly long."""
    name = str(ids[int(which)])
    return name if len(name) <= 60 else f"{name[:60]}…"
