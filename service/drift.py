"""How far the probabilities of late are from those before: the population stability index of the two."""

from collections import deque
from collections.abc import Iterable
from math import log
from typing import Final

BINS: Final = 10
FEWEST: Final = 1_000
"""Probabilities on each side, below which nothing is said."""


def stability(first: Iterable[float], latest: Iterable[float]) -> float:
    """The population stability index of two samples of probabilities over tenths, half a count added to each tenth.

    0 where they are alike; above 0.25 they are commonly said to differ (Siddiqi: Credit Risk Scorecards, 2006).

    >>> stability([0.05, 0.95], [0.95, 0.05]), round(stability([0.05] * 10, [0.95] * 10), 2)
    (0.0, 4.06)
    """
    was, now = _shares(first), _shares(latest)
    return sum((b - a) * log(b / a) for a, b in zip(was, now, strict=True))


def _shares(sample: Iterable[float]) -> list[float]:
    counts = [0.5] * BINS
    for probability in sample:
        counts[min(int(probability * BINS), BINS - 1)] += 1
    return [count / sum(counts) for count in counts]


class Drift:
    """The first probabilities that a model told, and the latest."""

    def __init__(self, many: int = FEWEST) -> None:
        self._many = many
        self._first: list[float] = []
        self._latest: deque[float] = deque(maxlen=many)

    def add(self, probability: float) -> None:
        """One more probability."""
        (self._first if len(self._first) < self._many else self._latest).append(probability)

    def index(self) -> float | None:
        """How far the latest are from the first; None while there are too few."""
        if len(self._latest) < self._many:
            return None
        return stability(self._first, tuple(self._latest))
