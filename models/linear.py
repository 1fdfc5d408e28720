"""The linear model: log-odds as a sum of declared terms, fitted with priors and signs; exact parts by signal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import minimize

from features.kernel import Code
from features.signal import Float
from models.terms import Steps, Term, steps


@dataclass(frozen=True)
class Linear:
    """Terms with what each adds to the log-odds for a step of 1, their means in training, and the log-odds at the means."""

    terms: tuple[Term, ...]
    weights: tuple[float, ...]
    means: tuple[float, ...]
    base: float

    @property
    def signals(self) -> tuple[str, ...]:
        """All signals that its terms are made of."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.signals))

    def logit(self, frame: pd.DataFrame) -> Float:
        """Log-odds (n,) of yes."""
        return self._alone(self.signals).logits(self._matrix(frame))[:, 0]

    def contributions(self, frame: pd.DataFrame, signals: Sequence[str]) -> Float:
        """What each of `signals` adds (n, signals + 1), last what is the same for all; a term's is shared by what it's of."""
        found = np.zeros((len(frame), len(signals) + 1))
        self._alone(self.signals, signals).share(self._matrix(frame), found)
        return found

    def to_json(self) -> dict[str, object]:
        """All of it as JSON holds it."""
        return {**asdict(self), "terms": [asdict(term) for term in self.terms]}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Linear":
        """The linear model that `to_json` told."""
        terms = [Term(**_tuples(one)) for one in told["terms"]]
        return cls(tuple(terms), tuple(told["weights"]), tuple(told["means"]), told["base"])

    def _alone(self, names: Sequence[str], signals: Sequence[str] = ()) -> "Lines":
        return lines((self,), names, signals)

    def _matrix(self, frame: pd.DataFrame) -> Float:
        return frame[list(self.signals)].to_numpy(np.float64)


@dataclass(frozen=True)
class Lines:
    """Linear models over the columns of a matrix, ready to be run: the terms of one from `start` on, and its base.

    `shares` are the term, the column of what is shared among, and the number of those, for each that a term is of.
    """

    steps: Steps
    weights: Float
    means: Float
    start: Code
    bases: Float
    shares: Code

    def logits(self, matrix: NDArray[np.float32] | Float) -> Float:
        """Log-odds of each row by each model (n, models), term by term: a row's are its own to the bit."""
        found = np.empty((len(matrix), len(self.bases)))
        _total(self._added(matrix), self.start, self.bases, found)
        return found

    def share(self, matrix: NDArray[np.float32] | Float, found: Float) -> None:
        """Adds to `found` (n, signals + 1) what each signal adds to the first model's log-odds, last its base."""
        found[:, -1] += self.bases[0]
        _share(self._added(matrix), self.shares, found)

    def _added(self, matrix: NDArray[np.float32] | Float) -> Float:
        return self.weights * (_known(self.steps.of_matrix(matrix), self.means) - self.means)


def lines(models: Sequence[Linear], names: Sequence[str], signals: Sequence[str] = ()) -> Lines:
    """Models over a matrix whose columns are called `names`; what the first one's terms add is shared by `signals`."""
    place = {name: i for i, name in enumerate(signals)}
    terms = [term for model in models for term in model.terms]
    shares = [
        (i, place[name], len(term.of)) for i, term in enumerate(models[0].terms if place else ()) for name in term.of
    ]
    return Lines(
        steps(terms, names),
        np.array([weight for model in models for weight in model.weights]),
        np.array([mean for model in models for mean in model.means]),
        np.cumsum([0, *(len(model.terms) for model in models)]).astype(np.int32),
        np.array([model.base for model in models]),
        np.array(shares, np.int32).reshape(-1, 3),
    )


@njit(cache=True, nogil=True)
def _total(added: Float, start: Code, bases: Float, found: Float) -> None:
    """Bases and what terms add, model by model, into `found` (n, models)."""
    for row in range(found.shape[0]):
        for model in range(found.shape[1]):
            total = bases[model]
            for term in range(start[model], start[model + 1]):
                total += added[row, term]
            found[row, model] = total


@njit(cache=True, nogil=True)
def _share(added: Float, shares: Code, found: Float) -> None:
    """Adds what terms add to the columns of what they are of."""
    for row in range(found.shape[0]):
        for i in range(len(shares)):
            found[row, shares[i, 1]] += added[row, shares[i, 0]] / shares[i, 2]


def _tuples(term: Mapping[str, Any]) -> dict[str, Any]:
    given = tuple((name, least) for name, least in term["given"])
    return {**term, "of": tuple(term["of"]), "given": given, "without": tuple(term["without"])}


def _known(values: Float, mean: float | Float) -> Float:
    """Values with the mean where they are not known, which then adds nothing."""
    return np.where(np.isnan(values), mean, values)


def linear(
    frame: pd.DataFrame,
    answers: NDArray[Any],
    terms: Sequence[Term],
    *,
    weights: Float | None = None,
    start: Float | None = None,
) -> Linear:
    """The likeliest weights of those `terms` that `frame` has the signals of and that vary in it, given `answers` (n,).

    Before answers are seen a weight is normal around 0 with its usual size for standard deviation. Of a term that rises
    it is never negative; if that is not likely to move anything, it is exponential with that mean besides, which leaves
    most such weights at 0 (the elastic net of Zou and Hastie 2005). `weights` (n,) are how many rows each stands for;
    to the log-odds `start` (n,) the terms add.

    >>> frame = pd.DataFrame({"receipt": np.repeat([0.0, 1.0], 500)})
    >>> answers = np.repeat([0, 1, 0, 1], [400, 100, 100, 400])
    >>> [round(one, 1) for one in linear(frame, answers, [Term(("receipt",), usual=9.0)]).weights]
    [2.8]
    """
    there = [term for term in terms if set(term.signals) <= set(frame.columns)]
    columns = [term.of_frame(frame) for term in there]
    kept = [
        i for i, values in enumerate(columns) if np.nanmin(values, initial=np.inf) < np.nanmax(values, initial=-np.inf)
    ]
    there, columns = [there[i] for i in kept], [columns[i] for i in kept]
    means = [float(np.nanmean(values)) for values in columns]
    w = np.ones(len(answers)) if weights is None else weights
    matrix = np.zeros((len(frame), len(there)))
    for i, (values, mean) in enumerate(zip(columns, means, strict=True)):
        matrix[:, i] = _known(values, mean) - mean
    best = _likeliest(matrix, answers.astype(np.float64), w, np.zeros(len(frame)) if start is None else start, there)
    moves = [i for i, weight in enumerate(best[:-1]) if weight]
    parts = ((there[i], float(best[i]), means[i]) for i in moves)
    kept_terms, found, around = zip(*parts, strict=True) if moves else ((), (), ())
    return Linear(kept_terms, found, around, float(best[-1]))


def _likeliest(matrix: Float, answers: Float, w: Float, start: Float, terms: Sequence[Term]) -> Float:
    """The weights of the columns and the base that explain the answers best, under the priors of the terms."""
    usual = np.array([term.usual for term in terms])
    likely, rises = (np.array([getattr(term, name) for term in terms], np.bool_) for name in ("likely", "rises"))
    flat = np.where(rises & ~likely, 1 / usual, 0.0)
    square = np.where(flat > 0, 1.0, usual**-2.0)

    def loss(at: Float) -> tuple[float, Float]:
        z = start + matrix @ at[:-1] + at[-1]
        miss = w * (1 / (1 + np.exp(-z)) - answers)
        down = w @ (np.logaddexp(0, z) - answers * z) + (square / 2 * at[:-1] + flat) @ at[:-1]
        return float(down), np.append(matrix.T @ miss + square * at[:-1] + flat, miss.sum())

    bounds = [(0.0 if up else None, None) for up in rises]
    return np.asarray(minimize(loss, np.zeros(len(terms) + 1), jac=True, bounds=[*bounds, (None, None)]).x)
