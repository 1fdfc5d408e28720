"""The naive store: facts in plain lists in the order in which they came, and the plain rules by which they are taken.

What the online store must equal: nothing here is clever, and every rule is one function. Times are microseconds since 1970.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import naive
import pandas as pd

from features import Ledger, RedressError
from features.asking import named_askings
from features.decisions import entry
from features.tables import CASES, TABLES, Column, Table
from models import Model, load
from models.advice import Advice
from models.advising import QUESTIONS, advised
from models.deciding import QUESTION, one_record, seen
from models.located import located
from models.policy import Policy
from models.policy import opened as policy_at
from models.records import Grounds

Row = dict[str, object]
Facts = Mapping[str, Sequence[Mapping[str, object]]]
AHEAD: Final = 5 * 60 * 1_000_000
"""How far an `at` may lie after the moment at which a fact arrived."""
LATEST: Final = 130 * 365 * 86_400_000_000 + 32 * 86_400_000_000
"""2100-01-01: 130 years, 32 of them leap years."""
TYPES: Final[Mapping[str, tuple[type, str]]] = {
    **{"id": (str, "string ids"), "text": (str, "string"), "flag": (bool, "bool"), "share": (float, "float in [0, 1]")},
    **{"cents": (int, "int64 cents"), "grams": (int, "int64 grams"), "count": (int, "int64")},
}


@dataclass(frozen=True)
class Appended:
    """How many facts were taken, how many were there already, and how many of those taken came late."""

    taken: int
    repeated: int
    late: int


@dataclass
class NaiveStore:
    """All facts by table in the order in which they came, each as it was submitted and as it is stored."""

    horizon: int = 0
    watermark: int = 0
    stored: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})
    submitted: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})
    requests: dict[str, list[Row]] = field(default_factory=dict)
    records: dict[str, Mapping[str, object]] = field(default_factory=dict)
    open: bool = True
    where: str = "the naive store"

    def append(self, facts: Facts, *, arrived: int, request: str = "") -> Appended:
        """Takes facts, all of them or none; RedressError that names table, row and field."""
        after = self._copy()
        told = after._append(facts, arrived, request)
        self.watermark, self.stored, self.submitted = after.watermark, after.stored, after.submitted
        self.requests = after.requests
        return told

    def decision(self, decision_id: str) -> Mapping[str, object] | None:
        """A recorded decision."""
        return self.records.get(decision_id)

    def keep(self, record: Mapping[str, object]) -> None:
        """Records a decision: facts that come later are no part of what it knew."""
        self.records.setdefault(str(record["decision_id"]), record)
        self.watermark = max(self.watermark, _moment("decision.at", record["at"]))

    def ledger(self) -> Ledger:
        """All facts and decisions as a ledger."""
        rows: dict[str, Sequence[Row]] = {name: some for name, some in self.stored.items() if some}
        if self.records:
            made = [entry(dict(one)) for one in self.records.values()]
            told = [row | {"at": _moment("decision.at", row["at"])} for row in made]
            rows["decisions"] = [*rows.get("decisions", ()), *told]
        return Ledger.of(naive.tables(rows))

    def sync(self) -> None:
        """Has no disk."""

    def close(self) -> None:
        """Lets go of everything."""
        self.open = False

    def _copy(self) -> "NaiveStore":
        stored, submitted = (
            {name: list(some) for name, some in rows.items()} for rows in (self.stored, self.submitted)
        )
        return NaiveStore(self.horizon, self.watermark, stored, submitted, dict(self.requests))

    def _append(self, facts: Facts, arrived: int, request: str) -> Appended:
        checked = [(where, table, _checked(where, table, row, arrived)) for where, table, row in _listed(facts)]
        fresh, repeated = self._fresh(checked, request)
        places = list(TABLES)
        late = 0
        for where, table, row in sorted(fresh, key=lambda one: (_at(one[2]), places.index(one[1].name))):
            late += self._take(where, table, row, arrived)
        return Appended(len(fresh), repeated, late)

    def _fresh(self, checked: list[tuple[str, Table, Row]], request: str) -> tuple[list[tuple[str, Table, Row]], int]:
        """The facts that were not submitted before, and how many were; the same key with other content is refused."""
        fresh: list[tuple[str, Table, Row]] = []
        nameless = [row for _, table, row in checked if table.name == "messages" and "message_id" not in row]
        again = bool(request) and request in self.requests
        if again and nameless and nameless != self.requests[request]:
            raise RedressError("messages: want what this request said before, got other messages; give it another key")
        if request and nameless:
            self.requests[request] = nameless
        repeated = 0
        for where, table, row in checked:
            if table.name == "messages" and "message_id" not in row:
                known = again
            else:
                known = self._known(where, table, row, [r for _, other, r in fresh if other is table])
            repeated += known
            if not known:
                fresh.append((where, table, row))
        return fresh, repeated

    def _known(self, where: str, table: Table, row: Row, beside: list[Row]) -> bool:
        for other in [*self.submitted[table.name], *beside]:
            if all(other.get(name) == row[name] for name in table.key):
                if other != row:
                    key = " + ".join(table.key)
                    raise RedressError(
                        f"{where}.{table.key[0]}: want a new {key}, got that of another fact; correct it"
                    )
                return True
        return False

    def _take(self, where: str, table: Table, row: Row, arrived: int) -> bool:
        """Stores a fact; late ones at the moment they arrived, so that nothing that was decided before changes."""
        at, stored = _at(row), dict(row)
        late = at < self.watermark
        if late:
            stored |= {"at": max(arrived, self.watermark), "happened_at": row.get("happened_at", at)}
        while any(all(other.get(n) == stored.get(n) for n in table.key) for other in self.stored[table.name]):
            if "at" not in table.key:
                break  # messages without a name
            stored["at"] = _at(stored) + 1  # two facts that came late have one moment, and a key that holds it is free
        self._judge_references(where, table, stored)
        self.stored[table.name].append(stored)
        self.submitted[table.name].append(row)
        self.watermark = max(self.watermark, _at(stored))
        return late

    def _judge_references(self, where: str, table: Table, row: Row) -> None:
        for column, target in table.references:
            if column in row:
                kinds = CASES if target != "case_kind" else _kinds(row)
                targets = list(kinds.values()) if target == "case_kind" else [target]
                met = [name for name in targets if self._has(name, row[column], _at(row))]
                among = " or ".join(targets)
                if not met:
                    raise RedressError(
                        f"{where}.{column}: want one of {among} known by then, got {_short(row[column])}; send it first"
                    )
                if len(met) > 1:
                    raise RedressError(
                        f"{where}.case_kind: want it where a case_id is in {' and '.join(met)}; say which"
                    )

    def _has(self, name: str, key: object, t: int) -> bool:
        if name == "decisions" and str(key) in self.records:
            return _moment("decision.at", self.records[str(key)]["at"]) <= t
        return any(row[TABLES[name].key[0]] == key and _at(row) <= t for row in self.stored[name])


@dataclass
class NaiveScorer:
    """Decides by the batch job over the whole ledger of a naive store, made anew whenever a fact has come."""

    store: NaiveStore
    models: Mapping[str, Model]
    policy: Policy
    _read: tuple[int, Ledger] | None = None

    @classmethod
    def open(cls, store: NaiveStore, models: str | Path, policy: str | Path = "default") -> "NaiveScorer":
        """The models of a directory and a policy over a store."""
        folders = sorted(Path(models).glob("*/model.json"))
        if not folders:
            raise RedressError(f"{models}: want a folder with model.json for each question, got none; train with --out")
        return cls(store, {path.parent.name: load(path.parent) for path in folders}, policy_at(policy))

    def absent(self) -> dict[str, int]:
        """Counts nothing."""
        return {}

    def decide(self, case: Mapping[str, object]) -> Mapping[str, object]:
        """The record of the decision about a dispute, kept in the store."""
        t = _moment("case.at", case["at"])
        facts = case.get("facts")
        if isinstance(facts, Mapping):
            self.store.append(facts, arrived=t)
        ledger, model = self._ledger(), self.models[QUESTION]
        at = pd.DatetimeIndex(pd.to_datetime([t], unit="us", utc=True))
        asks = named_askings(ledger, QUESTION, pd.DataFrame({"ask_id": [case["ask_id"]], "at": at}))
        policy = self.policy.informed(model.card)
        grounds = Grounds(ledger.fingerprint(), {QUESTION: model.version}, policy.name, policy.version)
        sight = seen(ledger, model, asks, with_reasons=True)
        told = one_record(sight, 0, policy, grounds, askable=not case.get("evidence_asked", False))
        self.store.keep(told)
        return told

    def evidence(self, case: Mapping[str, object]) -> Advice:
        """What the job that plans evidence says over the whole ledger."""
        kind, t = str(case["kind"]), _moment("case.at", case["at"])
        question = QUESTIONS[kind]
        found = located(self._ledger(), str(case["ask_id"]), kind, t)
        return advised(found, self.models.get(question), self.policy, lost=f"{question}: want its model, got none")

    def decide_many(self, cases: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
        """The same for several, one by one."""
        return [self.decide(case) for case in cases]

    def _ledger(self) -> Ledger:
        facts = sum(map(len, self.store.stored.values()))
        if self._read is None or self._read[0] != facts:
            self._read = facts, self.store.ledger()
        return self._read[1]


def _listed(facts: Facts) -> Iterator[tuple[str, Table, Mapping[str, object]]]:
    for name, rows in facts.items():
        if name not in TABLES:
            raise RedressError(f"{_short(name)}: want a table of the ledger, got none of that name; leave it out")
        yield from ((f"{name}[{i}]", TABLES[name], row) for i, row in enumerate(rows))


def _checked(where: str, table: Table, row: Mapping[str, object], arrived: int) -> Row:
    """A fact in plain values, what is unknown left out; RedressError for one that no ledger would take."""
    for name in row:
        if table.column(name) is None:
            raise RedressError(
                f"{where}.{_short(name)}: want a column of {table.name}, got none of that name; leave it out"
            )
    plain: Row = {}
    for column in table.columns:
        came = row.get(column.name)
        if came is None:
            if column.required and (column.name == "at" or column.name in table.key):
                raise RedressError(f"{where}.{column.name}: want {column.kind}, got nothing; give it")
        else:
            plain[column.name] = _value(f"{where}.{column.name}", column, came)
    if _at(plain) > arrived + AHEAD:
        raise RedressError(f"{where}.at: want no more than five minutes after it arrived; set the clock right")
    return plain


def _value(where: str, column: Column, came: object) -> object:
    if column.kind == "time":
        t = _moment(where, came)
        if column.name == "at" and not 0 <= t < LATEST:
            raise RedressError(f"{where}: want a time from 1970 to 2100, got {_short(came)}; correct it")
        return t
    wanted, says = TYPES[column.kind]
    if wanted is float and type(came) is int:
        came = float(came)
    if type(came) is not wanted:
        raise RedressError(f"{where}: want {says}, got {_short(came)}; correct it")
    if column.vocabulary and came not in column.vocabulary:
        raise RedressError(f"{where}: want one of {', '.join(column.vocabulary)}, got {_short(came)}; correct it")
    most = {"cents": 10**14, "share": 1}.get(column.kind, 2**63 - 1)
    if isinstance(came, int | float) and not isinstance(came, bool) and not 0 <= came <= most:
        raise RedressError(f"{where}: want {says} from 0 to {most}, got {_short(came)}; correct it")
    return came


def _moment(where: str, came: object) -> int:
    """A time in microseconds since 1970."""
    if isinstance(came, int) and not isinstance(came, bool):
        return came  # as a ledger's own rows have it
    try:
        found = came if isinstance(came, datetime) else datetime.fromisoformat(str(came))
    except ValueError:
        raise RedressError(f"{where}: want an ISO 8601 time with its zone, got {_short(came)}; correct it") from None
    if found.tzinfo is None:
        raise RedressError(f"{where}: want an ISO 8601 time with its zone, got {_short(came)}; add the zone")
    return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _at(row: Row) -> int:
    at = row["at"]
    assert isinstance(at, int)
    return at


def _kinds(row: Row) -> Mapping[str, str]:
    kind = row.get("case_kind")
    return CASES if kind is None else {str(kind): CASES[str(kind)]}


def _short(came: object) -> str:
    return str(came)[:60]
