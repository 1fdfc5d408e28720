"""Chances with supposed evidence: a model's probability for each of many sets of items that one case might have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.kernel import Flag
from features.signal import Float
from features.supposed import HELD, Exhibit, changed, known, moved, supposed
from models.evidence import Chances
from models.linear import Linear
from models.model import Model
from models.terms import Term
from models.trees import said, split_by

BLOCK: Final = 1 << 13
"""Sets that trees are asked about at a time."""
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

    The terms of a linear model are looked up as conjunctions of items; trees are asked once about all sets that are the same
    to them, and a model that is neither about a frame with a row for each set.
    """
    question, row = model.question, known(frame)
    terms = _none(len(exhibits)) if model.linear is None else conjunctions(model.linear, question, row, exhibits)
    if terms is None:
        return Outlook(_chances(_by_frame(model, frame, exhibits)), _moving(model.columns, question, row, exhibits))
    begun = model.intercept + (0.0 if model.follows is None else float(model.follows.of_frame(frame)[0]))
    split = [model.signals[i] for i in sorted(split_by(model.trees))]
    if not split:
        return Outlook(_chances(lambda sets: begun + terms.odds(sets)), terms.reads)
    trees, moving = _by_trees(model, row, exhibits, split), _moving(split, question, row, exhibits)
    return Outlook(_chances(lambda sets: begun + terms.odds(sets) + trees(sets)), terms.reads | moving)


def _none(k: int) -> Conjunctions:
    return Conjunctions(0.0, np.zeros((0, k), np.bool_), np.zeros(0))


def _chances(odds: Callable[[Flag], Float]) -> Chances:
    return lambda sets: np.asarray(1 / (1 + np.exp(-odds(sets))), np.float64)


def _by_trees(
    model: Model, row: Mapping[str, float], exhibits: Sequence[Exhibit], split: Sequence[str]
) -> Callable[[Flag], Float]:
    """What trees add to the log-odds; sets are one to them that are alike in the signals they split by."""
    given = np.array([row[name] for name in model.signals], np.float32)

    def odds(sets: Flag) -> Float:
        values = changed(model.question, row, exhibits, sets, split)
        if not values:
            return np.full(len(sets), model.slope * said(model.booster, given[None])[0])
        distinct, which = np.unique(np.column_stack([*values.values()]), axis=0, return_inverse=True)
        rows = np.repeat(given[None], len(distinct), axis=0)
        rows[:, [model.signals.index(name) for name in values]] = distinct
        return np.asarray(model.slope * said(model.booster, rows)[which], np.float64)

    return odds


def _by_frame(model: Model, frame: pd.DataFrame, exhibits: Sequence[Exhibit]) -> Callable[[Flag], Float]:
    """Log-odds by a frame with a row for each set, a block of sets at a time."""
    used = {*model.columns, *HELD.values()}
    whole = frame[[name for name in frame if name in used]]

    def odds(sets: Flag) -> Float:
        blocks = [sets[lo : lo + BLOCK] for lo in range(0, len(sets), BLOCK)]
        return np.concatenate([model.logit(supposed(model.question, whole, exhibits, some)) for some in blocks])

    return odds


def _moving(names: Sequence[str], question: str, row: Mapping[str, float], exhibits: Sequence[Exhibit]) -> Flag:
    """Which of the exhibits move any of the signals `names`, which each of them then does by itself."""
    sets = np.vstack([np.zeros((1, len(exhibits)), np.bool_), np.eye(len(exhibits), dtype=np.bool_)])
    values = [v for _, v in changed(question, row, exhibits, sets, names).items()]
    moves = np.zeros(len(exhibits), np.bool_)
    for one in values:
        moves |= ~((one[1:] == one[0]) | (np.isnan(one[1:]) & np.isnan(one[0])))
    return moves
