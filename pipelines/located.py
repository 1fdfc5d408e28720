"""The case that is asked about: found by its id, with the order it concerns, and the models there are for it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features import Ledger, RedressError
from features.asking import Askings, named_askings
from features.background import order_rows
from features.build import gathered
from features.kernel import Flag, Int
from features.ledger import Facts
from features.supposed import needed
from features.tables import CASES
from models import Model
from pipelines.opening import Said, moment
from pipelines.score import model_at


@dataclass(frozen=True)
class Case:
    """A row that is asked about: its kind, its table and row, the order it concerns, and the moment asked."""

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

    def asks(self, question: str) -> Askings:
        """The asking of a question about it."""
        at = pd.to_datetime([self.t], unit="us", utc=True)
        return named_askings(self.ledger, question, pd.DataFrame({"ask_id": [self.case_id], "at": at}))

    def frame(self, model: Model) -> pd.DataFrame:
        """The signals of it that a model reads, and those that say what evidence it has."""
        only = {*model.columns, *needed(model.question)}
        asks = self.asks(model.question)
        return gathered(self.ledger, asks, horizon=model.horizon, prior=model.prior, only=only)


def located(ledger: Ledger, case_id: str, kind: str | None, t: int) -> Case:
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
            f"case {case_id[:60]}: want a time no earlier than {moment(known)}, when it was known, got {moment(t)}; ask later"
        )
    order = int(order_rows(ledger, CASES[name])[row])
    if order < 0:
        raise RedressError(
            f"case {case_id[:60]}: want the order that it is about, got none; add its order_id to the ledger"
        )
    return Case(ledger, case_id, name, row, order, t)


def _row(ledger: Ledger, kind: str, case_id: str) -> int:
    if CASES[kind] not in ledger.facts:
        return -1
    facts = ledger.facts[CASES[kind]]
    ids = facts.strings(facts.table.key[0])
    return int(pc.index(ids, pa.scalar(case_id, ids.type)).as_py())


def untrained(models: Path, question: str, ledger: Ledger) -> str:
    """The sentence for a model that is not there."""
    return (
        f"{question}: want its model in {models}, got none; train it with "
        f"redress train {question} --ledger {ledger.name} --out {models}"
    )


def trained(models: Path, question: str) -> Model | None:
    """The model of a question in a directory with one folder for each, None where it is not there."""
    there = (models / question / "model.json").exists()
    return model_at(str(models), question, "") if there else None


def early(model: Model, t: int, said: Said) -> tuple[str, ...]:
    """A note where a model may know the answer, which is said as well."""
    trained_until = str(model.card["trained_until"])
    if moment(t) >= trained_until:
        return ()
    note = f"asked about before {trained_until}, until when {model.question} was trained, which may know how it ended"
    said(f"warning: {note}")
    return (note,)
