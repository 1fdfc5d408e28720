"""The case that evidence is planned for: found by its id, with the order it concerns, the facts of both and its signals."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features import Ledger, RedressError
from features.asking import Askings, named_askings
from features.background import order_rows
from features.build import gathered
from features.candidates import crowds
from features.kernel import Flag, Int
from features.ledger import Facts
from features.supposed import needed
from features.tables import CASES
from models.deadlines import iso
from models.model import Model
from models.programmes import Month, Programmes, month


@dataclass(frozen=True)
class Case(ABC):
    """A row that is asked about: its kind, its table and row, the order it concerns, and the moment asked.

    The ledger has at least all that is known of the order, and of the others with its instrument; what only all facts of
    the platform tell, its methods do.
    """

    ledger: Ledger
    case_id: str
    kind: str
    row: int
    order: int
    t: int

    @property
    def table(self) -> str:
        """The table that its row is of."""
        return CASES[self.kind]

    @property
    def name(self) -> str:
        """The id of the order."""
        return str(self.ledger.facts["orders"].strings("order_id")[self.order])

    def word(self, column: str) -> str:
        """A word of its row, empty where unknown."""
        found = self.ledger.facts[self.table].codes(column)
        code = int(found.codes[self.row])
        return str(found.values[code]) if code >= 0 else ""

    def cents(self, column: str) -> float:
        """An amount of its row; RedressError where it is not known."""
        found = self.known_cents(column)
        if isnan(found):
            raise RedressError(
                f"{self.case_id}: want {self.table}.{column} in cents, got none; add it to the ledger, without it nothing "
                "has a worth"
            )
        return found

    def known_cents(self, column: str) -> float:
        """An amount of its row, NaN where it is not known."""
        values, known = self.ledger.facts[self.table].numbers(column)
        return float(values[self.row]) if known[self.row] else nan

    def moments(self, table: str, which: Callable[[Facts], Flag] | None = None) -> Int:
        """When rows of a table about it, those marked if any are, became known before the moment asked, in order."""
        if table not in self.ledger.facts:
            return np.zeros(0, np.int64)
        facts = self.ledger.facts[table]
        met = (facts.points[self.table] == self.row) & (facts.at < self.t)
        return np.asarray(facts.at[met if which is None else met & which(facts)], np.int64)

    @abstractmethod
    def frame(self, question: str, model: Model | None) -> pd.DataFrame:
        """The signals of it that a model reads, if there is one, and those that say what evidence it has."""

    @abstractmethod
    def crowded(self, column: str) -> bool:
        """Whether the id that its order names in a column was a placeholder by then, which links nobody."""

    @abstractmethod
    def month(self, network: str, programmes: Programmes) -> Month | None:
        """The month that it is asked in as a network's programme counts it, None where that cannot be told."""


@dataclass(frozen=True)
class Located(Case):
    """A case of a ledger that has all facts."""

    def asks(self, question: str) -> Askings:
        """The asking of a question about it."""
        at = pd.to_datetime([self.t], unit="us", utc=True)
        return named_askings(self.ledger, question, pd.DataFrame({"ask_id": [self.case_id], "at": at}))

    def frame(self, question: str, model: Model | None) -> pd.DataFrame:
        """The signals of it, by the code of the batch."""
        asks, only = self.asks(question), set(needed(question))
        if model is None:
            return gathered(self.ledger, asks, only=only)
        return gathered(self.ledger, asks, horizon=model.horizon, prior=model.prior, only=only.union(model.columns))

    def crowded(self, column: str) -> bool:
        """By how many buyers the ledger's orders name the id."""
        return crowds(self.ledger, self.order, self.t)(column)

    def month(self, network: str, programmes: Programmes) -> Month:
        """From all orders and chargebacks of the ledger."""
        return month(self.ledger, network, self.t, programmes)


def located(ledger: Ledger, case_id: str, kind: str | None, t: int) -> Located:
    """The case of an id, of a kind if one is named; RedressError for none, for several, and for one not known at `t`."""
    rows = {name: _row(ledger, name, case_id) for name in CASES if kind in (None, name)}
    found = {name: row for name, row in rows.items() if row >= 0}
    if not found:
        among = " or ".join(CASES[name] for name in rows)
        others = [name for name in CASES if name not in rows and _row(ledger, name, case_id) >= 0]
        got = (
            f"one of {' and '.join(CASES[name] for name in others)}; leave out --kind"
            if others
            else "none such; check the id"
        )
        raise RedressError(f"case {case_id[:60]}: want an id of {among} in {ledger.name}, got {got}")
    if len(found) > 1:
        raise RedressError(f"case {case_id[:60]}: want one case, got an id of {' and '.join(found)}; add --kind")
    name, row = next(iter(found.items()))
    known = int(ledger.facts[CASES[name]].at[row])
    if known > t:
        raise RedressError(
            f"case {case_id[:60]}: want a time no earlier than {iso(known)}, when it was known, got {iso(t)}; ask later"
        )
    order = int(order_rows(ledger, CASES[name])[row])
    if order < 0:
        raise RedressError(
            f"case {case_id[:60]}: want the order that it is about, got none; add its order_id to the ledger"
        )
    return Located(ledger, case_id, name, row, order, t)


def _row(ledger: Ledger, kind: str, case_id: str) -> int:
    if CASES[kind] not in ledger.facts:
        return -1
    facts = ledger.facts[CASES[kind]]
    ids = facts.strings(facts.table.key[0])
    return int(pc.index(ids, pa.scalar(case_id, ids.type)).as_py())
