"""The desk: one dispute answered as it comes, by its facts and a row of signals; the record is that of the batch to the bit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.kernel import Int
from models.claims import SIGNALS, Dispute
from models.deciding import VOICES, decided, of_case, unasked
from models.instant import Instant, Scored
from models.model import Model
from models.policy import Policy
from models.records import FIRST, Grounds, Record
from models.refunds import Case, Decision, Refunds, Scores
from models.skill import instead
from models.telling import Told

UNSCORED: Mapping[str, Sequence[str]] = {}
"""The reasons where the model is not asked."""


@dataclass(frozen=True)
class Desk:
    """What answers disputes one at a time: a model of malice made ready, and where a row holds what claims are made of.

    Signals that rows lack are at `places` past the end. `prior` is how common malice is, where the model has shown nothing.
    """

    instant: Instant
    places: Int
    prior: float | None

    @classmethod
    def of(cls, model: Model, names: Sequence[str]) -> "Desk":
        """A model of malice made ready for rows of signals of these names."""
        place = {name: i for i, name in enumerate(names)}
        places = np.array([place.get(name, len(names)) for name in SIGNALS], np.int64)
        return cls(Instant.of(model, names), places, instead(model.card))

    def case(self, dispute: Dispute, row: NDArray[np.float32], *, askable: bool = True) -> Case:
        """A dispute as decisions see it; with `askable` evidence may be asked for."""
        values = np.append(row, np.float32(np.nan))[self.places].tolist()
        return dispute.case(dict(zip(SIGNALS, values, strict=True)), askable=askable)

    def scored(
        self, dispute: Dispute, row: NDArray[np.float32], *, with_reasons: bool = False
    ) -> tuple[Scores, Told | None]:
        """The scores that a dispute is decided by, and their reasons if wanted; none where the model is not asked."""
        known = dispute.claimed is not None
        if self.prior is not None:
            return unasked(self.prior, known=known), None
        found = self.instant.told(row, with_reasons=with_reasons)
        return scores(found, known=known), found.told

    def decision(
        self, dispute: Dispute, row: NDArray[np.float32], policy: Refunds, *, askable: bool = True
    ) -> tuple[Decision, float]:
        """What a policy answers to a dispute, and with which probability it would have answered just that."""
        return decided(self.case(dispute, row, askable=askable), self.scored(dispute, row)[0], policy)

    def record(
        self,
        dispute: Dispute,
        row: NDArray[np.float32],
        policy: Policy,
        grounds: Grounds,
        *,
        askable: bool = True,
        with_reasons: bool = True,
        previous: str = FIRST,
    ) -> Record:
        """The record of what a policy answers to a dispute, with the score's reasons if wanted: as `deciding.one_record`."""
        found, told = self.scored(dispute, row, with_reasons=with_reasons)
        case = self.case(dispute, row, askable=askable)
        return of_case(
            case, found, policy, grounds, reasons=UNSCORED if told is None else voiced(told), previous=previous
        )


def scores(found: Scored, *, known: bool) -> Scores:
    """What a model says of a row as decisions take it; where it is not `known` how much is claimed, it abstains."""
    return Scores(found.probability, found.abstain or not known, False, found.parts)


def voiced(told: Told) -> dict[str, list[str]]:
    """Reasons by voice.

    >>> voiced(Told(("weight",), ("It weighs enough.",), (), ()))
    {'reviewer': ['It weighs enough.'], 'seller': [], 'buyer': []}
    """
    return {voice: list(getattr(told, voice)) for voice in VOICES}
