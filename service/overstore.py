"""Over a store: cases scored and decided in about a millisecond, from the facts and the cumulative rows that it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import RedressError, given
from features.dictionary import dictionary
from features.given import Case as Asked
from features.instant import Instant
from features.keys import Batch, Snapshot
from features.meta import MARK, Meta
from features.pseudonyms import Key, judged
from features.store import Store
from models import Model
from models.advice import Advice
from models.advising import QUESTIONS, advised
from models.claims import SIGNALS, Dispute
from models.deciding import QUESTION
from models.desk import Desk
from models.instant import Instant as Scoring
from models.known import known_at
from models.loss import loss_of, priced
from models.policy import Policy
from models.records import Grounds, following
from models.telling import Told
from models.tiers import Adjustment, standing
from service.evidence import stored, weighing
from service.scorer import (
    Case,
    Record,
    Score,
    Scorer,
    Wanted,
    asked,
    instant,
    model_of,
    too_late,
    untrained,
    wanted,
    weighed,
)

Lacks = tuple[str, ...]
"""The tables and columns that a store lacks."""
ATTEMPTS: Final = 10
"""How often a decision is made anew, while facts wait, where a buyer is erased meanwhile."""


@dataclass(frozen=True)
class Ready:
    """A model made ready for one case at a time: which signals it is asked with, how they are found and what it says."""

    model: Model
    signals: Instant
    scoring: Scoring
    desk: Desk | None

    @classmethod
    def of(cls, model: Model, lacks: Lacks) -> "Ready":
        """The model of a question, for a store that lacks some tables and columns."""
        declared = {one.name for one in dictionary(model.question)}
        claims = set(SIGNALS) if model.question == QUESTION else set[str]()
        names = sorted((set(model.columns) | claims) & declared)
        desk = Desk.of(model, names) if model.question == QUESTION else None
        signals = Instant(model.question, names, lacks=lacks, prior=model.prior)
        return cls(model, signals, Scoring.of(model, names) if desk is None else desk.instant, desk)


@dataclass(frozen=True)
class Drawn:
    """A case with its signals, drawn for a model that was made ready, and what the store said of itself then."""

    ready: Ready
    case: Asked
    row: NDArray[np.float32]
    meta: Meta


@dataclass(frozen=True)
class OverStore(Scorer):
    """A store, the models by question, and the policy; `writer` names the chain that decisions are kept in."""

    store: Store
    models: Mapping[str, Model]
    policy: Policy
    writer: str = "redress"

    @classmethod
    def of(cls, where: str | Path, models: Mapping[str, Model], policy: Policy, key: Key | None = None) -> "OverStore":
        """Over the store at a place; RedressError for a model of another horizon, and for a `key` that is not the store's."""
        store = Store.open(where, key=key)
        try:
            if key is not None:
                judged(key, store.meta.key, store.where)
            return cls(store, models, policy)
        except RedressError:
            store.close()
            raise

    def over(self, models: Mapping[str, Model], policy: Policy) -> "OverStore":
        """The same with other models and another policy; RedressError for a model of another horizon."""
        return replace(self, models=models, policy=policy)

    def close(self) -> None:
        """Lets go of the store."""
        self.store.close()

    def __post_init__(self) -> None:
        for question, model in self.models.items():
            if model.horizon != self.store.horizon:
                days = self.store.horizon / 86_400_000_000
                raise RedressError(
                    f"{question}: want a model of the store's horizon, {days:g} days, got {model.card['horizon_days']:g}; "
                    "load the ledger into a store of that horizon, or train again"
                )

    def absent(self) -> dict[str, int]:
        """By signal in how many decisions it was absent."""
        return {name: int(count) for name, count in zip(self._names, self._absent, strict=True) if count}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return self.prepared(QUESTION, self.store.meta.lacks).signals.names if QUESTION in self.models else ()

    @cached_property
    def _absent(self) -> NDArray[np.int64]:
        return np.zeros(len(self._names), np.int64)

    def ready(self) -> "OverStore":
        """Itself, once all that the first case would have to make is made."""
        lacks = self.store.meta.lacks
        for question in self.models:
            self.prepared(question, lacks)
        for question in QUESTIONS.values():
            self.weighing(question, lacks)
        assert QUESTION not in self.models or self._grounds
        return self

    def drawn(self, snapshot: Snapshot, question: str, ask_id: str, at: int) -> Drawn:
        """A case and its signals, by what the store lacks now; RedressError when it is not known, or its answer was."""
        case = given.found(snapshot, question, ask_id, at, [MARK])
        if known_at(question, case, self.models[question].horizon) < at:
            raise too_late(at)
        meta = self.store.said(case.beside[0])
        ready = self.prepared(question, meta.lacks)
        return Drawn(ready, case, ready.signals.signals(snapshot, case), meta)

    def prepared(self, question: str, lacks: Lacks) -> Ready:
        """The model of a question made ready for a store that lacks some tables and columns."""
        if (question, lacks) not in self._made:
            self._made[question, lacks] = Ready.of(self.models[question], lacks)
        return self._made[question, lacks]

    def weighing(self, question: str, lacks: Lacks) -> Instant:
        """What tells the signals that evidence is planned by."""
        if (question, lacks) not in self._weighing:
            self._weighing[question, lacks] = weighing(question, self.models.get(question), lacks)
        return self._weighing[question, lacks]

    @cached_property
    def _made(self) -> dict[tuple[str, Lacks], Ready]:
        return {}

    @cached_property
    def _weighing(self) -> dict[tuple[str, Lacks], Instant]:
        return {}

    @cached_property
    def _informed(self) -> Policy:
        """The policy with what training measured."""
        return self.policy.informed(self.models[QUESTION].card)

    @cached_property
    def _grounds(self) -> Grounds:
        policy = self._informed
        return Grounds(self.store.meta.name, {QUESTION: self.models[QUESTION].version}, policy.name, policy.version)

    def score(self, case: Case) -> Score:
        """Scores a case; RedressError that names the field when one is missing or wrong."""
        question, ask_id, at = asked(case)
        model_of(self.models, question)
        with self.store.keys.reading() as snapshot:
            drawn = self.drawn(snapshot, question, ask_id, at)
        told, order = drawn.ready.scoring.told(drawn.row), drawn.case.order
        amount = None if order["amount"] is None else int(order["amount"])
        loss = loss_of(told.probability, amount, order.at, priced(drawn.ready.model.card))
        return Score(
            question,
            ask_id,
            instant(at),
            told.probability,
            told.parts,
            told.rivals,
            told.low,
            told.high,
            told.abstain,
            loss,
        )

    def reasons(self, case: Case) -> Told:
        """Why a case scores as it does, in the words of the batch job; raises what `score` raises."""
        question, ask_id, at = asked(case)
        model_of(self.models, question)
        with self.store.keys.reading() as snapshot:
            drawn = self.drawn(snapshot, question, ask_id, at)
        told = drawn.ready.scoring.told(drawn.row, with_reasons=True).told
        assert told is not None
        return told

    def evidence(self, case: Case) -> Advice:
        """What to obtain before the deadline and what it is worth; all but what a network's programme adds, which it says."""
        kind, ask_id, at = weighed(case)
        question = QUESTIONS[kind]
        with self.store.keys.reading() as snapshot:
            lacks = self.store.stands(snapshot).lacks
            found = stored(snapshot, kind, ask_id, at, self.weighing(question, lacks), lacks)
            return advised(found, self.models.get(question), self.policy, lost=untrained(question))

    def _take(self, case: Case, at: int) -> None:
        """Takes the facts that a case brings into the store, as learnt by the moment asked."""
        facts = case.get("facts")
        if facts is not None:
            if not isinstance(facts, Mapping):
                raise RedressError(f"case.facts: want facts by table, got {type(facts).__name__}; give a dict")
            self.store.append(facts, arrived=at)

    def decide(self, case: Case) -> Record:
        """What the policy answers to a dispute: a record that is kept, the next of the writer's chain."""
        one = wanted(case, QUESTION)
        model_of(self.models, QUESTION)
        self._take(case, one.at)
        kept = self._quickly(one)
        for _ in range(ATTEMPTS):
            kept = kept or self._calmly(one)
        if kept is None:
            raise RedressError(f"{self.store.where}: want a moment in which nobody is erased, got none; ask again")
        return MappingProxyType(dict(kept))

    def _quickly(self, one: Wanted) -> Record | None:
        """The record of a decision, kept; None where facts came meanwhile, which it should have seen."""
        with self.store.keys.reading() as snapshot:
            drawn = self.drawn(snapshot, QUESTION, one.ask_id, one.at)
        return self._kept(one, drawn)

    def _calmly(self, one: Wanted) -> Record | None:
        """The same, while facts wait until it is kept; None where a buyer was erased meanwhile."""
        with self.store.decisions.calm() as (batch, snapshot):
            return self._kept(one, self.drawn(snapshot, QUESTION, one.ask_id, one.at), batch)

    def _kept(self, one: Wanted, drawn: Drawn, within: Batch | None = None) -> Record | None:
        decisions, case, until = self.store.decisions, drawn.case, drawn.meta.watermark
        assert drawn.ready.desk is not None
        record = drawn.ready.desk.record(
            _dispute(case),
            drawn.row,
            self._informed,
            self._grounds,
            askable=not one.evidence_asked,
            with_reasons=one.reasons,
            previous=decisions.tip(self.writer),
        )
        order, since = case.order.text("order_id") or "", until + 1 if one.at < until else 0
        seen = MARK, case.beside[0]
        kept = decisions.keep(self.writer, record, order, following, seen, known=since, within=within)
        if kept is not None:
            np.add(self._absent, np.isnan(drawn.row), out=self._absent)
        return kept


def _dispute(case: Asked) -> Dispute:
    """A dispute as it stands, by the facts of a store."""
    order, row = case.order, case.row
    paid = (one["amount"] for table in ("refunds", "chargebacks") for one in case.known(table))
    claimed, amount, quantity = row["claimed"], order["amount"], order["quantity"]
    return Dispute(
        case.ask_id,
        order.text("order_id") or "",
        case.at,
        str(row["reason"] or ""),
        _whole(claimed),
        _whole(amount),
        _whole(quantity),
        sum(int(one) for one in paid if one is not None),
        standing(_tiers(case), case.at).tier,
    )


def _whole(value: object) -> int | None:
    assert value is None or isinstance(value, int)
    return value


def _tiers(case: Asked) -> list[Adjustment]:
    """What was said of the buyer's tier, in the order of time."""
    rows = sorted((one for one in case.others["buyer"] if one.table == "tiers"), key=lambda one: (one.at, one.arrival))
    return [
        Adjustment(
            str(one["buyer_id"]), one.at, one.text("tier") or "", one.text("reason") or "", _whole(one["expires_at"])
        )
        for one in rows
    ]
