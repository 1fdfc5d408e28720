"""Evidence over a store: a case with the facts of few homes, whose signals and placeholders the store's histories tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from features import given, homes, shared
from features.candidates import PROGRAMMES
from features.dictionary import dictionary
from features.given import Case as Asked
from features.homes import Fact
from features.instant import Instant
from features.keys import Snapshot
from features.priors import OBJECTIONS
from features.supposed import needed
from models import Model
from models.located import Case, located
from models.programmes import Month, Programmes


def weighing(question: str, model: Model | None, lacks: Sequence[str]) -> Instant:
    """The signals that a model reads, if there is one, and those that evidence moves, as a store that `lacks` some gives them.

    Those that it cannot give are left out, as the batch leaves them out.
    """
    wanted = {*needed(question), *(() if model is None else model.columns)}
    there = [one.name for one in dictionary(question) if one.name in wanted and not set(one.needs) & set(lacks)]
    return Instant(question, there, lacks=lacks, prior=None if model is None else model.prior)


@dataclass(frozen=True)
class Stored(Case):
    """A case of a store, in a ledger of its order's facts and of other orders with its instrument where these may count."""

    snapshot: Snapshot
    asked: Asked
    weighing: Instant

    def frame(self, question: str, model: Model | None) -> pd.DataFrame:
        """The signals of it, which were prepared for the question and its model."""
        row = self.weighing.signals(self.snapshot, self.asked)
        return pd.DataFrame(row[None], columns=list(self.weighing.names))

    def crowded(self, column: str) -> bool:
        """By how many buyers its history links: the few orders of the ledger know but few of them."""
        return _crowded(self.snapshot, self.asked, column)

    def month(self, network: str, programmes: Programmes) -> Month | None:
        """Never: no history counts all orders and the chargebacks of a network."""
        return None


def stored(snapshot: Snapshot, kind: str, ask_id: str, at: int, ready: Instant, lacks: Sequence[str]) -> Stored:
    """A case of a store that `lacks` some tables; RedressError where it is not known, or not by then."""
    asked = given.found(snapshot, ready.question, ask_id, at)
    found = located(homes.ledger([*asked.facts, *_beside(snapshot, asked)], lacks), ask_id, kind, at)
    return Stored(**vars(found), snapshot=snapshot, asked=asked, weighing=ready)


def _beside(snapshot: Snapshot, asked: Asked) -> Iterator[Fact]:
    """What a network's programme asks of the other orders with the instrument, where the reason code has one."""
    instrument = asked.order.text("instrument_id")
    opens = asked.asked == "chargebacks" and asked.row["reason_code"] in PROGRAMMES
    if instrument is None or not opens or _crowded(snapshot, asked, "instrument_id"):
        return
    for facts in shared.bought_with(snapshot, instrument):
        if asked.order not in facts:
            yield from (one for one in facts if one.table in ("orders", *OBJECTIONS))


def _crowded(snapshot: Snapshot, asked: Asked, column: str) -> bool:
    name = asked.order.text(column)
    return name is not None and shared.crowded(snapshot, column.removesuffix("_id"), name, asked.at)
