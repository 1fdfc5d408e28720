"""Skill: whether a model knew more of answers that came after it had learnt than how common they are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.metrics import log_loss

from features.signal import Float

TINY: Final = 1e-15
"""A probability that is as good as none."""


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

    Askings that are looked into are suspect, so yes is commoner among them than among all, of whom the probabilities are told:
    their log-odds are moved together until the mean is the rate, so that both know as much of that.

    >>> skill(np.array([1.0, 0.0]), np.array([0.1, 0.1]), 0.5).gain
    0.0
    """
    odds = logit(np.clip(probability, TINY, 1 - TINY))
    far = 30 + float(np.abs(odds).max())
    move = brentq(lambda by: float(expit(odds + by).mean()) - rate, -far, far)
    losses = [log_loss(answers, told, labels=[0, 1]) for told in (np.full(len(answers), rate), expit(odds + move))]
    return Skill(len(answers), round(float(losses[0] - losses[1]), 12))


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
