"""Scores and decisions for one case at a time: what a platform service calls, over a ledger and models in directories.

The store and the HTTP service are not here yet; probabilities, parts and decisions are those of the batch jobs, to the bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from features import Ledger, RedressError
from features.asking import Askings, named_askings
from features.build import gathered
from models import Model, load
from models.deciding import QUESTION, one_record, seen
from models.explain import COLUMNS
from models.loss import expected_losses, priced
from models.model import RIVALS
from models.policy import Policy
from models.policy import opened as policy_at
from models.questions import answered
from models.records import Grounds


@dataclass(frozen=True)
class Score:
    """The answer to one asking: the probability of yes, its log-odds by part, and how a no divides where the model tells.

    `low` and `high` are the ends of its 90 % interval, NaN from a model without; `abstain` where too little is known to say;
    `expected_loss` of an order in cents, NaN where the question has none or the model does not know how chargebacks end.
    """

    question: str
    ask_id: str
    at: pd.Timestamp
    probability: float
    parts: Mapping[str, float]
    rivals: Mapping[str, float] = field(default_factory=dict)
    low: float = nan
    high: float = nan
    abstain: bool = False
    expected_loss: float = nan


@dataclass(frozen=True)
class Told:
    """The reasons of one answer: their codes and a reviewer's lines, one for each, and what seller and buyer are told."""

    codes: tuple[str, ...]
    reviewer: tuple[str, ...]
    seller: tuple[str, ...]
    buyer: tuple[str, ...]


@dataclass(frozen=True)
class Scorer:
    """A checked ledger, the models that answer questions about it, by question, and the policy that decisions follow."""

    ledger: Ledger
    models: Mapping[str, Model]
    policy: Policy

    @classmethod
    def open(cls, ledger: str | Path, models: str | Path, policy: str | Path = "default") -> "Scorer":
        """Reads the ledger, the models in `models`, a directory with a folder for each question, and the policy.

        A policy is a TOML file or the name of a shipped one. Raises RedressError for what cannot be read.
        """
        folders = sorted(Path(models).glob("*/model.json"))
        if not folders:
            raise RedressError(f"{models}: want a folder with model.json for each question, got none; train with --out")
        read = {path.parent.name: load(path.parent) for path in folders}
        return cls(Ledger.open(ledger), read, policy_at(policy))

    @cached_property
    def _informed(self) -> Policy:
        """The policy with what training measured."""
        return self.policy.informed(self.models[QUESTION].card)

    @cached_property
    def fingerprint(self) -> str:
        """The ledger's fingerprint, which records name."""
        return self.ledger.fingerprint()

    def score(self, case: Mapping[str, object]) -> Score:
        """Scores a case, a plain dict: `question`, `ask_id`, and `at`, a time with its zone.

        Raises RedressError that names the field when one is missing or wrong.
        """
        question, ask_id, at = _asked(case)
        model, asks, frame = self._frame(question, ask_id, at)
        told = model.scored(frame).iloc[0].to_dict()
        parts, rivals = ({name: float(told[name]) for name in names if name in told} for names in (COLUMNS, RIVALS))
        low, high, abstain = float(told.get("low", nan)), float(told.get("high", nan)), bool(told.get("abstain", False))
        probability, prices = float(told["probability"]), priced(model.card)
        loss = float(expected_losses(self.ledger, asks, np.array([probability]), prices)[0]) if prices else nan
        return Score(question, ask_id, at, probability, parts, rivals, low, high, abstain, loss)

    def decide(self, case: Mapping[str, object]) -> Mapping[str, object]:
        """What the policy answers to a dispute: the record of the decision, which cannot be changed.

        `case` is a plain dict: `ask_id`, the dispute, `at`, a time with its zone, and `evidence_asked`, true once evidence was
        asked for and waited for. The record is that of docs/decision.schema.json, the first of a chain; `redress refunds` makes
        the same of the same dispute and time. Raises RedressError that names the field when one is missing or wrong, or the
        ledger does not know the dispute, its order or its claim.
        """
        question, ask_id, at = _asked({"question": QUESTION} | _named(case))
        if question != QUESTION:
            raise RedressError(f"case.question: want {QUESTION} or none, got {question[:40]}; leave it out")
        asked = case.get("evidence_asked", False)
        if not isinstance(asked, bool):
            raise RedressError(f"case.evidence_asked: want true or false, got {str(asked)[:40]}; say which")
        model, asks = self._asking(QUESTION, ask_id, at)
        sight = seen(self.ledger, model, asks, with_reasons=True)
        policy = self._informed
        grounds = Grounds(self.fingerprint, {QUESTION: model.version}, policy.name, policy.version)
        return MappingProxyType(one_record(sight, 0, policy, grounds, askable=not asked))

    def reasons(self, case: Mapping[str, object]) -> Told:
        """Why a case scores as it does, in the words of the batch job; raises what `score` raises."""
        model, _, frame = self._frame(*_asked(case))
        row = model.reasons(frame).iloc[0]
        return Told(*(tuple(words) for words in row.to_list()))

    def _frame(self, question: str, ask_id: str, at: pd.Timestamp) -> tuple[Model, Askings, pd.DataFrame]:
        """The model of a question, the asking, and the signals of one case; RedressError when it cannot be scored."""
        model, asks = self._asking(question, ask_id, at)
        return model, asks, gathered(self.ledger, asks, horizon=model.horizon, prior=model.prior, only=model.columns)

    def _asking(self, question: str, ask_id: str, at: pd.Timestamp) -> tuple[Model, Askings]:
        """The model of a question and the asking; RedressError when its answer was known."""
        if question not in self.models:
            raise RedressError(f"case.question: want one of {', '.join(self.models)}, got {question[:40]}; train it")
        model = self.models[question]
        asks = named_askings(self.ledger, question, pd.DataFrame({"ask_id": [ask_id], "at": pd.DatetimeIndex([at])}))
        if answered(self.ledger, asks, model.horizon)[0]:
            raise RedressError(
                f"case.at: want a time before the answer was known, got {at.isoformat()}; it needs no score"
            )
        return model, asks


def _named(case: object) -> dict[str, object]:
    """The fields of a case by name; RedressError for one that has none."""
    if not isinstance(case, Mapping):
        raise RedressError(f"case: want its fields by name, got {type(case).__name__}; give a dict")
    return dict(case)


def _asked(case: Mapping[str, object]) -> tuple[str, str, pd.Timestamp]:
    case = _named(case)
    lost = [field for field in ("question", "ask_id", "at") if field not in case]
    if lost:
        raise RedressError(f"case: want question, ask_id and at, got no {lost[0]}; add it")
    return str(case["question"]), str(case["ask_id"]), _moment(case["at"])


def _moment(value: object) -> pd.Timestamp:
    came = f"case.at: want an ISO 8601 time with its zone, got {str(value)[:40]}"
    try:
        moment = pd.Timestamp(str(value))
    except ValueError:
        raise RedressError(f"{came}; give one such as 2025-06-24T00:00:00Z") from None
    if pd.isna(moment) or moment.tzinfo is None:
        raise RedressError(f"{came}; add the zone, such as +00:00")
    return moment.tz_convert("UTC")
