"""A service: what answers, what it keeps to, and what it tells of itself; no part of it knows HTTP's library."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from features.requests import moment
from models import Model
from models.advice import Advice
from models.policy import Policy
from service.current import Current
from service.limits import Buckets, Limits
from service.metrics import Metrics
from service.replies import Replies
from service.tokens import Token

Case = Mapping[str, object]
Record = Mapping[str, object]


class Taken(Protocol):
    """What a store says of facts it was given."""

    @property
    def taken(self) -> int:
        """How many were new."""

    @property
    def repeated(self) -> int:
        """How many were there already."""

    @property
    def late(self) -> int:
        """How many of the new ones came late."""


class Storing(Protocol):
    """What the service asks of a store."""

    @property
    def where(self) -> str:
        """What the store calls the place where it is; faults of the store begin with it."""

    def append(self, facts: Mapping[str, Sequence[Mapping[str, object]]], *, arrived: int, request: str = "") -> Taken:
        """Takes facts, all or none."""

    def decision(self, decision_id: str) -> Record | None:
        """A recorded decision."""

    def sync(self) -> None:
        """Flushes what was decided to disk."""

    def close(self) -> None:
        """Lets go of what it holds."""


class Deciding(Protocol):
    """What the service asks of a scorer."""

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by question."""

    @property
    def policy(self) -> Policy:
        """The policy."""

    def absent(self) -> Mapping[str, int]:
        """By signal in how many decisions it was absent."""

    def decide(self, case: Case) -> Record:
        """The record of the decision about a case."""

    def evidence(self, case: Case) -> Advice:
        """What to obtain for a dispute or a chargeback, and the answer to the latter."""

    def decide_many(self, cases: Sequence[Case]) -> Sequence[Record]:
        """The records of several."""


Log = Callable[[Mapping[str, object]], object]


@dataclass(frozen=True)
class Clock:
    """Where the service has the time from: microseconds since 1970, and seconds that only go on."""

    now: Callable[[], int]
    ticks: Callable[[], float]


@dataclass(frozen=True)
class Service:
    """All that answering needs.

    `tokens` of None is a service that is open to its own machine and to no other; a store that is `near` lies on it.
    """

    store: Storing
    scorer: Current[Deciding]
    tokens: Current[tuple[Token, ...]] | None
    limits: Limits
    clock: Clock
    log: Log
    metrics: Metrics
    replies: Replies
    buckets: Buckets
    near: bool

    def renew(self) -> None:
        """Reads models, policy and tokens anew, and logs what came of it."""
        for what, one in self.read_anew().items():
            why = one.renew()
            self.log({"event": "reload", "what": what, "outcome": why or "done"})
        self.metrics.renewed()

    def renew_changed(self) -> None:
        """The same where files are others than they were."""
        if any(one.changed() for one in self.read_anew().values()):
            self.renew()

    def read_anew(self) -> "Mapping[str, Current[Deciding] | Current[tuple[Token, ...]]]":
        """What can be read anew, by name."""
        return {"models": self.scorer} | ({} if self.tokens is None else {"tokens": self.tokens})


def made(
    store: Storing,
    scorer: Current[Deciding],
    tokens: Current[tuple[Token, ...]] | None,
    *,
    limits: Limits,
    clock: Clock,
    log: Log,
    near: bool = True,
) -> Service:
    """A service that has answered nothing yet."""

    def trained() -> Mapping[str, float]:
        until = {name: moment(model.card.get("trained_until")) for name, model in scorer.value.models.items()}
        return {name: t / 1e6 for name, t in until.items() if t is not None}

    def failed() -> Mapping[str, bool]:
        return {"models": bool(scorer.failed)} | ({} if tokens is None else {"tokens": bool(tokens.failed)})

    metrics = Metrics(clock.now, trained, lambda: scorer.value.absent(), failed)
    replies = Replies(limits.keys, limits.key_hours * 3_600_000_000)
    return Service(
        store, scorer, tokens, limits, clock, log, metrics, replies, Buckets(limits.rate, limits.burst), near
    )
