"""Drawing at random: moments, picks, delays and members, always from a generator that is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from pipelines.marketplace.parameters import Marketplace

START: Final = 19_723 * DAY
"""First moment of every simulated marketplace, Monday 2024-01-01, in microseconds since 1970."""


def end(m: Marketplace) -> int:
    """The ledger's end: what comes at or after it is not known yet."""
    return START + round(m.days * DAY)


def turn(m: Marketplace) -> int:
    """The moment of the drift."""
    return START + round(m.drift_at * m.days * DAY)


def moments(rng: Generator, m: Marketplace, n: int) -> Int:
    """Sorted moments with growth, a busier weekend, and a day that peaks at 20:00."""
    hours = np.arange(max(1, int(np.ceil(m.days * 24))))
    busy = 1 + 0.6 * np.sin((hours % 24 - 14) * np.pi / 12)
    busy *= max(m.growth, 0.01) ** (hours / len(hours)) * np.where(hours // 24 % 7 >= 5, 1.25, 1.0)
    drawn = START + pick(rng, busy, n) * HOUR + rng.integers(0, HOUR, n)
    return np.sort(np.minimum(drawn, end(m) - 1))


def pick(rng: Generator, weights: Float | Sequence[float], n: int) -> Int:
    """Positions in `weights`, each as often as it weighs."""
    reach = np.cumsum(weights)
    return np.asarray(np.searchsorted(reach[:-1], rng.random(n) * reach[-1], side="right"), np.int64)


def pick_by(rng: Generator, weights: Float, row: Int) -> Int:
    """One pick for each entry of `row`, from that row of `weights`."""
    reach = np.cumsum(weights, axis=1)
    drawn = rng.random(len(row)) * reach[row, -1]
    return np.asarray((drawn[:, None] >= reach[row, :-1]).sum(axis=1), np.int64)


def chance(rng: Generator, share: Float | float, n: int) -> Flag:
    """Where something of the given probability happens."""
    return np.asarray(rng.random(n) < share, np.bool_)


def days(rng: Generator, median: Float | float, n: int, spread: float = 0.8) -> Int:
    """Log-normal delays in microseconds, an hour at least and a few years at most."""
    drawn = np.minimum(median * np.exp(rng.normal(0, spread, n)), 2_000.0)
    return HOUR + (drawn * DAY).astype(np.int64)


def after(at: Int, delay: Int) -> Int:
    """Moments a delay later; what never comes stays NOT_YET."""
    return np.where(at == NOT_YET, NOT_YET, at + np.where(at == NOT_YET, 0, delay))


def odds(log_odds: Float) -> Float:
    """Probabilities from log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -700.0, 700.0))))


@dataclass(frozen=True)
class Members:
    """Who is there to be chosen: when each joined, in order, and the running total of how active they are."""

    joined: Int
    reach: Float

    def choose(self, rng: Generator, at: Int) -> Int:
        """A member for each moment, among those who have joined, by activity."""
        last = np.maximum(np.searchsorted(self.joined, at, side="right") - 1, 0)
        drawn = np.searchsorted(self.reach, rng.random(len(at)) * self.reach[last], side="right")
        return np.asarray(np.minimum(drawn, last), np.int64)


def activity(rng: Generator, m: Marketplace, n: int) -> Float:
    """How active each of `n` is, with a heavy tail."""
    return np.minimum(1 + rng.pareto(m.tail, n), 60.0)


def joining(rng: Generator, m: Marketplace, n: int) -> Int:
    """When each of `n` joins: three in ten are there before the first day, up to years; the others come as trade grows."""
    before = START - 1 - (rng.exponential(300 * DAY, n)).astype(np.int64)
    return np.where(rng.random(n) < 0.3, np.maximum(before, START - 3_000 * DAY), rng.permutation(moments(rng, m, n)))


def repeated(rng: Generator, mean: float, total: int) -> Int:
    """Group numbers of `total` things in groups of geometric size, 0, 0, 1, 2, 2, 2 …"""
    if total == 0:
        return np.zeros(0, np.int64)
    sizes = rng.geometric(1 / max(mean, 1.0), total)
    return np.repeat(np.arange(total), sizes)[:total]


def rank_within(group: Int, at: Int) -> Int:
    """How many of the same group came before each, in time; ties by position."""
    order = np.lexsort((at, group))
    step = np.r_[True, np.diff(group[order]) != 0] if len(group) else np.zeros(0, np.bool_)
    first = np.flatnonzero(step)
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(first, np.diff(np.r_[first, len(group)]))
    return rank
