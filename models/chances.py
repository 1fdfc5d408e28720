"""Chances with supposed evidence: a model's probability for each of many sets of items that one case might have."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.kernel import Flag
from features.signal import Float
from features.supposed import HELD, Exhibit, Move, known, moved, moves, supposed
from models.evidence import Chances
from models.forks import forks
from models.linear import Linear
from models.model import Model
from models.terms import Term

BLOCK: Final = 1 << 13
"""Sets that a model is asked about at a time."""
_NEVER: Final = -1
"""Stands for a condition that no set of the items meets."""


@dataclass(frozen=True)
class Conjunctions:
    """Log-odds as a sum over conjunctions of items: a `base`, and what each of `wanted` (c, k) adds once all is there."""

    base: float
    wanted: Flag
    adds: Float

    @property
    def reads(self) -> Flag:
        """Which items (k,) are in any of them."""
        return np.asarray(self.wanted.any(axis=0), np.bool_)

    def odds(self, sets: Flag) -> Float:
        """Log-odds (m,) with each of `sets` (m, k).

        >>> one = Conjunctions(-1.0, np.array([[True, False], [True, True]]), np.array([0.5, 2.0]))
        >>> one.odds(np.array([[False, True], [True, False], [True, True]])).tolist()
        [-1.0, -0.5, 1.5]
        """
        there = sets.astype(np.float32) @ self.wanted.T.astype(np.float32)
        found: Float = self.base + (there == self.wanted.sum(axis=1)) @ self.adds
        return found


@dataclass(frozen=True)
class Outlook:
    """The chances of a case with sets (m, k) of items, and which of the items they depend on (k,)."""

    chances: Chances
    reads: Flag


def conjunctions(
    linear: Linear, question: str, row: Mapping[str, float], exhibits: Sequence[Exhibit]
) -> Conjunctions | None:
    """A linear model of one case as conjunctions of the exhibits; None where a term asks for something else of them."""
    item = {HELD[one.kind]: i for i, one in enumerate(exhibits)}
    counts = {one.name for one in moved(question)} - set(HELD.values())
    base, parts = linear.base, dict[frozenset[int], float]()
    for term, weight, mean in zip(linear.terms, linear.weights, linear.means, strict=True):
        if counts & set(term.signals) or item.keys() & set(term.signals if term.log else term.without):
            return None
        if term.log:
            base += weight * (_logarithm(row[term.of[0]], mean) - mean)
            continue
        base -= weight * mean
        wanted = frozenset(_wanted(term, row, item))
        if _NEVER not in wanted:
            parts[wanted] = parts.get(wanted, 0.0) + weight
    matrix = np.array([[i in some for i in range(len(exhibits))] for some in parts], np.bool_)
    return Conjunctions(base, matrix.reshape(len(parts), len(exhibits)), np.array([*parts.values()], np.float64))


def _logarithm(value: float, mean: float) -> float:
    return mean if np.isnan(value) else float(np.log1p(max(value, 0.0)))


def _wanted(term: Term, row: Mapping[str, float], item: Mapping[str, int]) -> Iterator[int]:
    """The items that a term still wants, or _NEVER where no more of them would do."""
    for name, least in (*((name, float(np.nextafter(0, 1))) for name in term.of), *term.given):
        if not row[name] >= least:
            yield item[name] if name in item and row[name] + 1 >= least else _NEVER
    if any(row[name] > 0 for name in term.without):
        yield _NEVER


def outlook(model: Model, frame: pd.DataFrame, exhibits: Sequence[Exhibit]) -> Outlook:
    """What a model says of the case in the only row of `frame`, for any set of the exhibits that it might have besides.

    The terms of a linear model are looked up as conjunctions of items, and trees as forks; a model that is neither is asked
    about a frame with a row for each set.
    """
    question, row, trees, k = model.question, known(frame), model.tables, len(exhibits)
    terms = _none(k) if model.linear is None else conjunctions(model.linear, question, row, exhibits)
    if terms is None or trees is None:
        return Outlook(by_model(model, frame, exhibits), _moving(moves(question, row, exhibits, model.columns), k))
    begun = model.intercept + (0.0 if model.follows is None else float(model.follows.of_frame(frame)[0]))
    split = {model.signals[i]: i for i in np.unique(trees.splits["signal"]).tolist()}
    moving = {split[one.name]: one for one in moves(question, row, exhibits, split)}
    told = forks(trees, np.array([row[name] for name in model.signals], np.float32), moving)
    reads = terms.reads | _moving(told.moving, k)
    return Outlook(_chances(lambda sets: begun + terms.odds(sets) + model.slope * told.odds(sets)), reads)


def by_model(model: Model, frame: pd.DataFrame, exhibits: Sequence[Exhibit]) -> Chances:
    """What a model itself says, to the bit, of a frame with a row for each set, a block of sets at a time."""
    used = {*model.columns, *HELD.values()}
    whole = frame[[name for name in frame if name in used]]

    def odds(sets: Flag) -> Float:
        blocks = [sets[lo : lo + BLOCK] for lo in range(0, len(sets), BLOCK)]
        return np.concatenate([model.logit(supposed(model.question, whole, exhibits, some)) for some in blocks])

    return _chances(odds)


def _none(k: int) -> Conjunctions:
    return Conjunctions(0.0, np.zeros((0, k), np.bool_), np.zeros(0))


def _chances(odds: Callable[[Flag], Float]) -> Chances:
    return lambda sets: np.asarray(1 / (1 + np.exp(-odds(sets))), np.float64)


def _moving(some: Iterable[Move], k: int) -> Flag:
    """Which of the exhibits (k,) any of the moves depends on."""
    groups = np.vstack([np.zeros((1, k), np.bool_), *(one.groups for one in some)])
    return np.asarray(groups.any(axis=0), np.bool_)
