"""Askings: which rows a question asks about, and at what moment."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import RedressError
from features.kernel import Int
from features.ledger import Facts, Ledger
from features.rows import locate

ASKED: Final = {
    "chargeback_risk": "orders",
    "dispute_outcome": "disputes",
    "malicious_dispute": "disputes",
    "chargeback_win": "chargebacks",
}
"""The table whose rows each question asks about, which it does at their own `at`, or at a defence's."""
DEFENDED: Final = ("chargeback_win",)
"""Questions that ask about a chargeback when a defence is first filed, and about no other."""


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


def _rows(ledger: Ledger, question: str) -> Facts:
    """The facts of the table that a question asks about."""
    name = asked_table(question)
    if name not in ledger.facts:
        raise RedressError(
            f"{question}: want a table {name} in {ledger.name}, got {', '.join(ledger.facts)}; import it"
        )
    if not len(ledger.facts["orders"]):
        raise RedressError(f"{ledger.name}: want at least one good order, got none; redress check says why each is bad")
    return ledger.facts[name]


def asked_at(ledger: Ledger, question: str) -> tuple[Int, Int]:
    """The rows that a question asks about by itself, and when: at their own `at`, or when a defence was first filed."""
    facts = _rows(ledger, question)
    if question not in DEFENDED:
        return np.arange(len(facts)), facts.at
    if "representments" not in ledger.facts:
        raise RedressError(
            f"{question}: want a table representments in {ledger.name}, got {', '.join(ledger.facts)}; "
            "import it, or name askings one by one with --asks"
        )
    defences = ledger.facts["representments"]
    row, first = np.unique(defences.points["chargebacks"], return_index=True)
    return row, defences.at[first]


def askings(ledger: Ledger, question: str, start: int | None = None, stop: int | None = None) -> Askings:
    """Every asking of a question within [start, stop) in microseconds since 1970, each at the moment it is trained at."""
    facts = _rows(ledger, question)
    row, at = asked_at(ledger, question)
    inside = np.ones(at.size, np.bool_) if start is None else at >= start
    if stop is not None:
        inside &= at < stop
    row, at = row[inside], at[inside]
    return _in_order(question, row, at, facts.strings(facts.table.key[0]).take(pa.array(row)))


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
    if (again := asks.duplicated(["ask_id", "at"])).any():
        came = f"{int(again.sum()):,} twice such as {_short(pa.array(asks['ask_id'].astype(str)), np.argmax(again))}"
        raise RedressError(f"asks: want each ask_id and at once, got {came}; leave the copies out")
    facts = _rows(ledger, question)
    ids = pa.array(asks["ask_id"].astype(str), pa.large_string())
    distinct = ids.dictionary_encode()
    met = locate(distinct.dictionary, facts.strings(facts.table.key[0]))[distinct.indices.to_numpy()]
    at = asks["at"].dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy(np.int64)
    if (met < 0).any():
        few = f"{int((met < 0).sum()):,} unknown such as {_short(ids, np.argmin(met))}"
        raise RedressError(
            f"asks: want ids of {asked_table(question)}, got {few}; leave them out or name another ledger"
        )
    if (early := at < facts.at[met]).any():
        first = _short(ids, np.argmax(early))
        raise RedressError(f"asks: want times no earlier than the row asked about, got {first} before it was known")
    return _in_order(question, met, at, ids)


def _short(ids: pa.Array, which: np.signedinteger) -> str:
    """An id as an error names it, cut where it is absurdly long."""
    name = str(ids[int(which)])
    return name if len(name) <= 60 else f"{name[:60]}…"
