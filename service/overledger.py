"""Over a ledger: cases scored and decided as the batch does it, one at a time, from a directory of Parquet tables."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from features import Ledger
from features.asking import Askings, named_askings
from features.build import gathered
from models import Model
from models.advice import Advice
from models.advising import QUESTIONS, advised
from models.deciding import QUESTION, one_record, seen
from models.explain import COLUMNS
from models.located import located
from models.loss import expected_losses, priced
from models.model import RIVALS
from models.policy import Policy
from models.questions import answered
from models.records import Grounds
from models.telling import Told
from service.scorer import (
    Case,
    Record,
    Score,
    Scorer,
    asked,
    instant,
    model_of,
    too_late,
    untrained,
    wanted,
    weighed,
)


@dataclass(frozen=True)
class OverLedger(Scorer):
    """A checked ledger, the models by question, and the policy."""

    ledger: Ledger
    models: Mapping[str, Model]
    policy: Policy

    @classmethod
    def of(cls, where: str | Path, models: Mapping[str, Model], policy: Policy) -> "OverLedger":
        """Over the ledger in a directory."""
        return cls(Ledger.open(where), models, policy)

    def over(self, models: Mapping[str, Model], policy: Policy) -> "OverLedger":
        """The same with other models and another policy."""
        return replace(self, models=models, policy=policy)

    def close(self) -> None:
        """Lets go of nothing: a ledger's files are read and closed."""

    @cached_property
    def _informed(self) -> Policy:
        """The policy with what training measured."""
        return self.policy.informed(self.models[QUESTION].card)

    @cached_property
    def fingerprint(self) -> str:
        """The ledger's fingerprint, which records name."""
        return self.ledger.fingerprint()

    def score(self, case: Case) -> Score:
        """Scores a case; RedressError that names the field when one is missing or wrong."""
        question, ask_id, at = asked(case)
        model, asks, frame = self._frame(question, ask_id, at)
        told = model.scored(frame).iloc[0].to_dict()
        parts, rivals = ({name: float(told[name]) for name in names if name in told} for names in (COLUMNS, RIVALS))
        low, high, abstain = float(told.get("low", nan)), float(told.get("high", nan)), bool(told.get("abstain", False))
        probability, prices = float(told["probability"]), priced(model.card)
        loss = float(expected_losses(self.ledger, asks, np.array([probability]), prices)[0]) if prices else nan
        return Score(question, ask_id, instant(at), probability, parts, rivals, low, high, abstain, loss)

    def decide(self, case: Case) -> Record:
        """What the policy answers to a dispute: a record that is the first of a chain."""
        one = wanted(case, QUESTION)
        model, asks = self._asking(QUESTION, one.ask_id, one.at)
        sight = seen(self.ledger, model, asks, with_reasons=one.reasons)
        policy = self._informed
        grounds = Grounds(self.fingerprint, {QUESTION: model.version}, policy.name, policy.version)
        return MappingProxyType(one_record(sight, 0, policy, grounds, askable=not one.evidence_asked))

    def evidence(self, case: Case) -> Advice:
        """What to obtain before the deadline and what it is worth, by the code of `redress evidence`."""
        kind, ask_id, at = weighed(case)
        question = QUESTIONS[kind]
        found = located(self.ledger, ask_id, kind, at)
        return advised(found, self.models.get(question), self.policy, lost=untrained(question))

    def reasons(self, case: Case) -> Told:
        """Why a case scores as it does, in the words of the batch job; raises what `score` raises."""
        model, _, frame = self._frame(*asked(case))
        row = model.reasons(frame).iloc[0]
        return Told(*(tuple(words) for words in row.to_list()))

    def _frame(self, question: str, ask_id: str, at: int) -> tuple[Model, Askings, pd.DataFrame]:
        """The model of a question, the asking, and the signals of one case; RedressError when it cannot be scored."""
        model, asks = self._asking(question, ask_id, at)
        return model, asks, gathered(self.ledger, asks, horizon=model.horizon, prior=model.prior, only=model.columns)

    def _asking(self, question: str, ask_id: str, at: int) -> tuple[Model, Askings]:
        """The model of a question and the asking; RedressError when its answer was known."""
        model = model_of(self.models, question)
        asks = named_askings(
            self.ledger, question, pd.DataFrame({"ask_id": [ask_id], "at": pd.DatetimeIndex([instant(at)])})
        )
        if answered(self.ledger, asks, model.horizon)[0]:
            raise too_late(at)
        return model, asks
