"""Selection: which cases were chosen to be answered, and how many of all cases each of those stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features import Ledger
from features.asking import ASKED, Askings, named_askings
from features.build import gathered
from features.kernel import Flag
from features.signal import Float
from models.baselines import logistic_regression

BOUND: Final = 5.0
"""How many mean cases one stands for at most, and one over that at least."""


@dataclass(frozen=True)
class Choice:
    """How cases come to be answered: rows of the asked table chosen by a moment, and signals of when they were learnt of."""

    chosen: Callable[[Ledger, int], Flag]
    signals: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """What of all cases was chosen: their share, and how many mean cases each asking (n,) stands for."""

    share: float
    weight: Float

    @property
    def effective(self) -> float:
        """How many askings of equal weight say as much (Kish 1965).

        >>> Selection(0.5, np.array([1.0, 1.0, 2.0])).effective.__round__(2)
        2.67
        """
        return float(self.weight.sum() ** 2 / (self.weight**2).sum())


def stood_for(propensity: Float, share: float) -> Float:
    """How many mean cases a chosen one stands for: the share chosen over its propensity, bounded (Hernán and Robins 2006).

    >>> stood_for(np.array([0.5, 0.25, 0.01, 1.0]), 0.5).tolist()
    [1.0, 2.0, 5.0, 0.5]
    """
    return np.clip(share / np.maximum(propensity, 1e-9), 1 / BOUND, BOUND)


def selection(ledger: Ledger, asks: Askings, choice: Choice, as_of: int, *, horizon: int, seed: int = 0) -> Selection:
    """What `asks`, chosen before `as_of` among the rows learnt of no later than the last of them, stand for among all these.

    Propensities come from logistic regression on what was known when a row was learnt of, before anybody had chosen.
    """
    facts = ledger.facts[ASKED[asks.question]]
    rows = np.flatnonzero(facts.at <= facts.at[asks.row].max(initial=0))
    ids = facts.strings(facts.table.key[0]).take(rows).to_pylist()
    when = pd.to_datetime(facts.at[rows], unit="us", utc=True)
    every = named_askings(ledger, asks.question, pd.DataFrame({"ask_id": ids, "at": when}))
    frame = gathered(ledger, every, only=list(choice.signals), horizon=horizon)[list(choice.signals)]
    chosen = choice.chosen(ledger, as_of)[every.row].astype(np.float64)
    if chosen.min(initial=1) == chosen.max(initial=0) or not len(asks):
        return Selection(float(chosen.mean()) if len(chosen) else 1.0, np.ones(len(asks)))
    propensity = np.zeros(len(facts))
    propensity[every.row] = logistic_regression(frame, chosen, frame, c=1.0, seed=seed)
    return Selection(float(chosen.mean()), stood_for(propensity[asks.row], float(chosen.mean())))
