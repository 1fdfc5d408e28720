"""Scores and decisions for one case at a time: what a platform service calls, over a store or a ledger's directory.

Probabilities, parts and decisions are those of the batch jobs, to the bit.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd

from features import RedressError, requests
from features.pseudonyms import Key
from models import Model, load
from models.advice import Advice
from models.advising import QUESTIONS
from models.policy import Policy
from models.policy import opened as policy_at
from models.telling import Told

Case = Mapping[str, object]
Record = Mapping[str, object]


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


class Scorer(ABC):
    """Models that answer questions, by question, and the policy that decisions follow, over all that is known.

    A case is a plain dict: `ask_id`, `at`, a time with its zone, and what is asked: a `question`, or the `kind` of the case.
    """

    models: Mapping[str, Model]
    policy: Policy

    @staticmethod
    def open(
        where: str | Path, models: str | Path, policy: str | Path = "default", *, key: str | Path | None = None
    ) -> "Scorer":
        """A scorer over the store at a place, or over a ledger's directory, with the models in a directory or at an MLflow URI.

        A policy is a TOML file or the name of a shipped one; `key` is the file of the key that ids of persons in a store are
        hashed by, which is wanted where cases bring facts. Raises RedressError for what cannot be read, and for a model of
        another horizon than the store's.
        """
        from service.overledger import OverLedger
        from service.overstore import OverStore

        if "://" in str(where) or (Path(where) / "data.mdb").is_file():
            return OverStore.of(where, read(models), policy_at(policy), None if key is None else Key.read(key))
        if key is not None:
            raise RedressError(
                f"{where}: want no key over a ledger, whose ids stay as they are; load it into a store with one"
            )
        return OverLedger.of(where, read(models), policy_at(policy))

    def renewed(self, models: str | Path, policy: str | Path = "default") -> Self:
        """The same with models and a policy that are read anew, to be used from now on; what was begun goes on with the old.

        Raises RedressError as `open` does.
        """
        return self.over(read(models), policy_at(policy))

    @abstractmethod
    def over(self, models: Mapping[str, Model], policy: Policy) -> Self:
        """The same with other models and another policy."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of what it holds open; it may be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def score(self, case: Case) -> Score:
        """Scores a case; RedressError that names the field when one is missing or wrong."""

    @abstractmethod
    def reasons(self, case: Case) -> Told:
        """Why a case scores as it does, in the words of the batch job; raises what `score` raises."""

    @abstractmethod
    def decide(self, case: Case) -> Record:
        """What the policy answers to a dispute: the record of the decision, which cannot be changed.

        `evidence_asked` is true in a case once evidence was asked for and waited for; with `reasons` false the record tells no
        reasons of the score, which takes less time. The record is that of
        docs/decision.schema.json; `redress refunds` makes the same of the same dispute and time. Raises RedressError that
        names the field when one is missing or wrong, or where the dispute, its order or its claim is not known.
        """

    @abstractmethod
    def evidence(self, case: Case) -> Advice:
        """What to obtain before a case's deadline and what that is worth, as `redress evidence` advises.

        The `kind` of the case says whether it is a dispute or a chargeback; with the latter goes the answer to it. Raises
        RedressError for a case that is over, was defended or is too late, and what `score` raises.
        """

    def decide_many(self, cases: Sequence[Case]) -> list[Record]:
        """The records of several, one after the other."""
        return [self.decide(case) for case in cases]


def read(models: str | Path) -> dict[str, Model]:
    """The models in a directory, a folder for each question, or the champions of a tracking server such as sqlite:///redress.db.

    RedressError where there is none. Champions change together with nothing on this machine: read them anew when they do.
    """
    if "://" in str(models):
        from models.registry import champions

        return champions(tracking=str(models))
    if str(models).startswith("models:"):
        raise RedressError(
            f"{models}: want a directory, or a tracking server whose champions answer, got a model; "
            "name the server, such as sqlite:///redress.db"
        )
    folders = sorted(Path(models).glob("*/model.json"))
    if not folders:
        raise RedressError(f"{models}: want a folder with model.json for each question, got none; train with --out")
    return {path.parent.name: load(path.parent) for path in folders}


def model_of(models: Mapping[str, Model], question: str) -> Model:
    """The model of a question; RedressError where there is none."""
    if question not in models:
        raise RedressError(f"case.question: want one of {', '.join(models)}, got {question[:40]}; train it")
    return models[question]


def too_late(at: int) -> RedressError:
    """What is said of a case whose answer is known."""
    came = instant(at).isoformat()
    return RedressError(f"case.at: want a time before the answer was known, got {came}; it needs no score")


def instant(at: int) -> pd.Timestamp:
    """A moment in microseconds since 1970 as a time."""
    return pd.Timestamp(at, unit="us", tz="UTC")


@dataclass(frozen=True)
class Wanted:
    """What a case to be decided says: the dispute, the moment, whether evidence was asked for, and if reasons are wanted."""

    ask_id: str
    at: int
    evidence_asked: bool
    reasons: bool


def wanted(case: Case, question: str) -> Wanted:
    """What a case to be decided says; RedressError that names the field when one is missing or wrong."""
    found, ask_id, at = asked({"question": question} | named(case))
    if found != question:
        raise RedressError(f"case.question: want {question} or none, got {found[:40]}; leave it out")
    asked_for, reasons = case.get("evidence_asked", False), case.get("reasons", True)
    for name, told in (("evidence_asked", asked_for), ("reasons", reasons)):
        if not isinstance(told, bool):
            raise RedressError(f"case.{name}: want true or false, got {str(told)[:40]}; say which")
    return Wanted(ask_id, at, bool(asked_for), bool(reasons))


def weighed(case: Case) -> tuple[str, str, int]:
    """Of a case that evidence is planned for its kind, its row and the moment; RedressError for what lacks or is wrong."""
    kind = named(case).get("kind")
    if not isinstance(kind, str) or kind not in QUESTIONS:
        raise RedressError(
            f"case.kind: want {' or '.join(QUESTIONS)}, got {str(kind)[:40]}; redress evidence says what to "
            "secure for an order, whose risk and expected loss a score tells"
        )
    found, ask_id, at = asked({"question": QUESTIONS[kind]} | named(case))
    if found != QUESTIONS[kind]:
        raise RedressError(f"case.question: want {QUESTIONS[kind]} or none, got {found[:40]}; leave it out")
    return kind, ask_id, at


def untrained(question: str) -> str:
    """What is said where evidence is planned without the model that tells its worth."""
    return f"{question}: want its model, got none; train it with redress train {question}"


def named(case: object) -> dict[str, object]:
    """The fields of a case by name; RedressError for one that has none."""
    if not isinstance(case, Mapping):
        raise RedressError(f"case: want its fields by name, got {type(case).__name__}; give a dict")
    return dict(case)


def asked(case: Mapping[str, object]) -> tuple[str, str, int]:
    """The question, the row asked about and the moment, in microseconds since 1970; RedressError for what lacks or is wrong."""
    case = named(case)
    lost = [field for field in ("question", "ask_id", "at") if field not in case]
    if lost:
        raise RedressError(f"case: want question, ask_id and at, got no {lost[0]}; add it")
    return str(case["question"]), str(case["ask_id"]), _moment(case["at"])


def _moment(value: object) -> int:
    if (at := requests.moment(value)) is not None:
        return at
    came = f"case.at: want an ISO 8601 time with its zone, got {str(value)[:40]}"
    try:
        moment = pd.Timestamp(str(value))
    except ValueError:
        raise RedressError(f"{came}; give one such as 2025-06-24T00:00:00Z") from None
    if pd.isna(moment) or moment.tzinfo is None:
        raise RedressError(f"{came}; add the zone, such as +00:00")
    return int(moment.value) // 1_000
