"""Skill: whether a model knew more of answers that came after it had learnt than how common they are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from features.signal import Float

TINY: Final = 1e-15
"""A probability that is as good as impossible."""


@dataclass(frozen=True)
class Skill:
    """By how much a model's log loss was below that of the share of yes alone, in nats an asking, and over how many."""

    askings: int
    gain: float

    def to_json(self) -> dict[str, object]:
        """As a model's card holds it."""
        return asdict(self)


def skill(answers: Float, probability: Float, rate: float) -> Skill:
    """What probabilities (n,) were worth beside a `rate` known beforehand, by answers (n,) of 0 and 1.

    >>> skill(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 0.5)
    Skill(askings=2, gain=0.0)
    """
    losses = [_loss(answers, told) for told in (np.full(len(answers), rate), probability)]
    return Skill(len(answers), losses[0] - losses[1])


def _loss(answers: Float, probability: Float) -> float:
    p = np.clip(probability, TINY, 1 - TINY)
    return float(-np.mean(answers * np.log(p) + (1 - answers) * np.log1p(-p)))


def instead(card: Mapping[str, object]) -> float | None:
    """The share of yes among all, where by its card a model has not shown any skill; None where it has, or tells no share.

    >>> [instead({"skill": {"askings": 80, "gain": gain}, "class_prior": 0.2}) for gain in (-0.01, 0.05)]
    [0.2, None]
    """
    told, rows = card.get("skill"), card.get("rows")
    if isinstance(told, Mapping) and told["gain"] > 0:
        return None
    if "class_prior" in card:
        return float(str(card["class_prior"]))
    return float(str(card["yes"])) / float(str(rows)) if rows else None
