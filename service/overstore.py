"""Over a store: cases scored and decided in about a millisecond, from the facts and the cumulative rows that it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from features.keys import Snapshot
from features.store import MARK, Store
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

ATTEMPTS: Final = 100
"""How often a decision is made anew where facts come meanwhile."""


@dataclass(frozen=True)
class Ready:
    """A model made ready for one case at a time: which signals it is asked with, how they are found and what it says."""

    model: Model
    signals: Instant
    scoring: Scoring
    desk: Desk | None

    @classmethod
    def of(cls, model: Model, lacks: Sequence[str]) -> "Ready":
        """The model of a question, for a store that lacks some tables and columns."""
        declared = {one.name for one in dictionary(model.question)}
        claims = set(SIGNALS) if model.question == QUESTION else set[str]()
        names = sorted((set(model.columns) | claims) & declared)
        desk = Desk.of(model, names) if model.question == QUESTION else None
        signals = Instant(model.question, names, lacks=lacks, prior=model.prior)
        return cls(model, signals, Scoring.of(model, names) if desk is None else desk.instant, desk)

    def row(
        self, snapshot: Snapshot, ask_id: str, at: int, beside: Sequence[bytes] = ()
    ) -> tuple[Asked, NDArray[np.float32]]:
        """A case, with what is read beside it, and its signals; RedressError when it is not known, or its answer was."""
        case = given.found(snapshot, self.model.question, ask_id, at, beside)
        if known_at(self.model.question, case, self.model.horizon) < at:
            raise too_late(at)
        return case, self.signals.signals(snapshot, case)


@dataclass(frozen=True)
class OverStore(Scorer):
    """A store, the models by question, and the policy; `writer` names the chain that decisions are kept in."""

    store: Store
    models: Mapping[str, Model]
    policy: Policy
    writer: str = "redress"

    @classmethod
    def of(cls, where: str | Path, models: Mapping[str, Model], policy: Policy) -> "OverStore":
        """Over the store at a place; RedressError for a model of another horizon."""
        return cls(Store.open(where), models, policy)

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
        names = self.prepared(QUESTION).signals.names if QUESTION in self.models else ()
        return {name: int(count) for name, count in zip(names, self._absent, strict=True) if count}

    @cached_property
    def _absent(self) -> NDArray[np.int64]:
        return np.zeros(len(self.prepared(QUESTION).signals.names) if QUESTION in self.models else 0, np.int64)

    def ready(self) -> "OverStore":
        """Itself, once all that the first case would have to make is made."""
        assert len(self._made) == len(self.models)
        assert QUESTION not in self.models or self._grounds
        assert self._weighing
        return self

    @cached_property
    def _made(self) -> dict[tuple[str, tuple[str, ...]], Ready]:
        return {(name, lacks := self.store.meta.lacks): Ready.of(model, lacks) for name, model in self.models.items()}

    def _ready(self, question: str, snapshot: Snapshot) -> Ready:
        """The model of a question, made ready anew where the store lacks less than it did."""
        self.store.lacks(snapshot)
        return self.prepared(question)

    def prepared(self, question: str) -> Ready:
        """The model of a question made ready for the store as it was last seen; RedressError where there is none."""
        model, key = model_of(self.models, question), (question, self.store.meta.lacks)
        if key not in self._made:
            self._made[key] = Ready.of(model, key[1])
        return self._made[key]

    @cached_property
    def _weighing(self) -> dict[str, Instant]:
        """What tells the signals of each question that evidence is planned by."""
        lacks = self.store.meta.lacks
        return {question: weighing(question, self.models.get(question), lacks) for question in QUESTIONS.values()}

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
        self.prepared(question)
        with self.store.keys.reading() as snapshot:
            ready = self._ready(question, snapshot)
            known, row = ready.row(snapshot, ask_id, at)
        told = ready.scoring.told(row)
        amount = known.order["amount"]
        loss = loss_of(
            told.probability, None if amount is None else int(amount), known.order.at, priced(ready.model.card)
        )
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
        self.prepared(question)
        with self.store.keys.reading() as snapshot:
            ready = self._ready(question, snapshot)
            _, row = ready.row(snapshot, ask_id, at)
        told = ready.scoring.told(row, with_reasons=True).told
        assert told is not None
        return told

    def evidence(self, case: Case) -> Advice:
        """What to obtain before the deadline and what it is worth; all but what a network's programme adds, which it says."""
        kind, ask_id, at = weighed(case)
        question = QUESTIONS[kind]
        with self.store.keys.reading() as snapshot:
            found = stored(snapshot, kind, ask_id, at, self._weighing[question], self.store.meta.lacks)
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
        self.prepared(QUESTION)
        self._take(case, one.at)
        for _ in range(ATTEMPTS):
            if (kept := self._decided(one)) is not None:
                return MappingProxyType(dict(kept))
        raise RedressError(f"{self.store.where}: want a moment in which no facts come, got none; ask again")

    def _decided(self, one: Wanted) -> Record | None:
        """The record of a decision, kept; None where facts came meanwhile, which it should have seen."""
        decisions = self.store.decisions
        with self.store.keys.reading() as snapshot:
            ready = self._ready(QUESTION, snapshot)
            known, row = ready.row(snapshot, one.ask_id, one.at, [MARK])
        assert ready.desk is not None
        np.add(self._absent, np.isnan(row), out=self._absent)
        record = ready.desk.record(
            _dispute(known),
            row,
            self._informed,
            self._grounds,
            askable=not one.evidence_asked,
            with_reasons=one.reasons,
            previous=decisions.tip(self.writer),
        )
        order = known.order.text("order_id") or ""
        seen, until = known.beside[0], self.store.said(known.beside[0]).watermark
        since = until + 1 if one.at < until else 0
        return decisions.keep(self.writer, record, order, following, (MARK, seen), known=since)


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
