"""Where the service's store and scorer come from: a ledger's directory, read once, until a store is opened in its place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from features import Ledger, RedressError
from models import Model
from models.policy import Policy
from serve.scorer import Scorer
from serve.service import Case, Deciding, Record, Storing, Taken


@dataclass(frozen=True)
class Directory:
    """A ledger's directory as a store: it takes no facts, and keeps decisions while the process lives."""

    ledger: Ledger
    records: dict[str, Record] = field(default_factory=dict)

    def append(self, facts: Mapping[str, Sequence[Mapping[str, object]]], *, arrived: int, request: str = "") -> Taken:
        """Takes nothing."""
        raise RedressError("facts: want a store that takes them, got a ledger's directory; load it into a store")

    def decision(self, decision_id: str) -> Record | None:
        """A decision made since the process began."""
        return self.records.get(decision_id)

    def close(self) -> None:
        """Has nothing to let go of."""


@dataclass(frozen=True)
class OfDirectory:
    """Decides over a ledger's directory and keeps the records."""

    store: Directory
    scorer: Scorer

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by question."""
        return self.scorer.models

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.scorer.policy

    def decide(self, case: Case) -> Record:
        """The record of the decision about a case."""
        if "facts" in case:
            raise RedressError(
                "case.facts: want a store that takes them, got a ledger's directory; load it into a store"
            )
        record = self.scorer.decide(case)
        return self.store.records.setdefault(str(record["decision_id"]), record)

    def decide_many(self, cases: Sequence[Case]) -> list[Record]:
        """The records of several."""
        return [self.decide(case) for case in cases]


def opened(where: str, models: str, policy: str) -> tuple[Storing, Callable[[], Deciding]]:
    """The store at a place, and how a scorer over it is opened, which is done anew whenever models or policy change."""
    store = Directory(Ledger.open(where))
    first = [Scorer.open(where, models, policy)]

    def scorer() -> Deciding:
        told = first.pop() if first else Scorer.open(where, models, policy)
        return OfDirectory(store, replace(told, ledger=store.ledger))

    return store, scorer


def files(models: str, policy: str) -> tuple[Path, ...]:
    """The files whose change means that models or policy are to be read anew; one shipped by name changes with redress."""
    return Path(models), Path(policy)
