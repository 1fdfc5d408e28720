"""What any model must beat: base rate, amount alone, the entity's shrunken rate, rules, evidence alone, logistic regression."""

import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from features.dictionary import dictionary
from features.errors import RedressError
from models.rules import Rule, fired, usable
from models.sample import sampled

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS: Final = 20
"""Equal-mass bins of the amount."""
STRENGTHS: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 1e5)
"""How many facts the base rate is worth against an entity's own history; the training rows choose."""
REASONS: Final = ("dispute_is_", "chargeback_for_")
"""How signals begin that say which reason was given."""
ROWS: Final = 200_000
"""Most rows a logistic regression is fitted on."""
PENALTIES: Final = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of its penalty to choose from, the variance of a coefficient before answers are seen; strongest first."""
TRIED: Final = 20_000
"""Rows on which they are tried, at most."""


def baselines(
    train: pd.DataFrame,
    answers: ArrayLike,
    test: pd.DataFrame,
    *,
    amount: str | None = None,
    counts: Sequence[str] = (),
    rules: Sequence[Rule] = (),
    evidence: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Floats]:
    """The probability of each row of `test` from each baseline, fitted on `train` with its `answers` (1 for yes).

    `amount` names the column of the amount; `counts` that of the entity's yes so far, and those that add up to its matured
    facts; `evidence` those of evidence, and of the reason, which a logistic regression is shown alone.
    A baseline whose columns are not named or not there is left out. Raises RedressError unless both answers occur.

    >>> history = pd.DataFrame({"yes": [0, 3, 0, 0], "matured": [4, 4, 0, 4]})
    >>> found = baselines(history, [0, 1, 0, 0], history.iloc[:3], counts=("yes", "matured"))
    >>> {name: p.round(2).tolist() for name, p in found.items() if name != "logistic regression"}
    {'constant': [0.25, 0.25, 0.25], 'shrunken rate': [0.05, 0.65, 0.25]}
    """
    yes = np.asarray(answers, np.float64)
    if not 0 < yes.sum() < len(yes):
        came = f"got {int(yes.sum()):,} yes among {len(yes):,}"
        raise RedressError(f"baselines: want both answers in training, {came}; train on a longer span")
    found = {"constant": np.full(len(test), yes.mean())}
    if amount in train.columns:
        found["amount alone"] = amount_alone(_floats(train[amount]), yes, _floats(test[amount]))
    if counts and set(counts) <= set(train.columns):
        had, *all_of = counts
        k = strength(_floats(train[had]), _summed(train, all_of), yes)
        found["shrunken rate"] = shrunken(_floats(test[had]), _summed(test, all_of), float(yes.mean()), k)
    if held := usable(rules, train):
        found["rules only"] = rules_only(train, yes, test, held)
    if evidence:
        found["evidence only"] = logistic_regression(train[list(evidence)], yes, test, seed=seed)
    found["logistic regression"] = logistic_regression(train, yes, test, seed=seed)
    return found


def amount_alone(train: Floats, yes: Floats, test: Floats) -> Floats:
    """The rate of yes in equal-mass bins of the amount, an unknown amount being a bin of its own.

    Each bin is shrunk by as many rows as hold one yes at the base rate, so that none says never. Only the order of
    amounts counts: cents or their logarithm give the same.

    >>> amount_alone(np.array([1.0, 1.0, 9.0, np.nan]), np.array([0.0, 0.0, 1.0, 1.0]), np.array([1.0, 9.0])).round(2)
    array([0.25, 0.67])
    """
    known = train[~np.isnan(train)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else known
    edges = edges[edges > known.min(initial=np.inf)]  # below the least amount seen there is nothing to count
    base, bins = float(yes.mean()), _bins(train, edges)
    had, n = (np.bincount(bins, weight, len(edges) + 2) for weight in (yes, None))
    return shrunken(had, n, base, 1 / base)[_bins(test, edges)]


def rules_only(train: pd.DataFrame, yes: Floats, test: pd.DataFrame, rules: Sequence[Rule]) -> Floats:
    """The rate of yes among training rows for which as many rules hold, drawn to the base rate as if by one more yes.

    >>> one = [Rule("dear", ("cents >= 100",))]
    >>> seen, new = pd.DataFrame({"cents": [50, 50, 200, 200]}), pd.DataFrame({"cents": [60, 300]})
    >>> rules_only(seen, np.array([0.0, 0.0, 0.0, 1.0]), new, one).round(2)
    array([0.17, 0.33])
    """
    base, held = float(yes.mean()), fired(train, rules)
    had, n = (np.bincount(held, weight, len(rules) + 1) for weight in (yes, None))
    return shrunken(had, n, base, 1 / base)[fired(test, rules)]


def of_evidence(question: str, names: Sequence[str]) -> list[str]:
    """Of the signals `names` of a question those of evidence, with those of the reason given; none without evidence."""
    shown = {signal.name for signal in dictionary(question) if signal.part == "evidence"}
    given = [name for name in names if name.startswith(REASONS)]
    return [name for name in names if name in shown or name in given] if shown & set(names) else []


def shrunken(yes: ArrayLike, n: ArrayLike, base: float, k: float) -> Floats:
    """The rate yes / n drawn towards `base` as if k more facts had shown it; the base where a count is unknown.

    >>> shrunken([0, 8, np.nan], [0, 8, np.nan], base=0.1, k=8.0)
    array([0.1 , 0.55, 0.1 ])
    """
    had, n = np.asarray(yes, np.float64), np.asarray(n, np.float64)
    return np.where(np.isnan(had) | np.isnan(n), base, (had + k * base) / (n + k))


def strength(yes: Floats, n: Floats, answers: Floats) -> float:
    """The k of STRENGTHS whose shrunken rate has the least log loss on the training rows."""
    base = float(answers.mean())
    rates = {k: shrunken(yes, n, base, k) for k in STRENGTHS}
    return min(rates, key=lambda k: -float(np.log(np.where(answers == 1, rates[k], 1 - rates[k])).mean()))


def logistic_regression(
    train: pd.DataFrame, yes: Floats, test: pd.DataFrame, *, c: float | None = None, seed: int = 0
) -> Floats:
    """Logistic regression on every signal: signed log(1 + |x|), median for unknown, standardised, L2.

    At most ROWS rows are fitted, a seeded sample in which each row is weighted for those it stands for. Rows are in time order,
    and unless `c` is given their latest fifth decides how strong the penalty is.
    """
    rows, weight = sampled(yes, seed, ROWS)
    fitted = train.iloc[rows].to_numpy(np.float32)
    known = varying(fitted)
    if not known.any():
        return np.full(len(test), yes.mean())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a baseline that is nearly converged is good enough
        inverse = _penalty(fitted[:, known], yes[rows], weight) if c is None else c
        pipeline = regression(inverse).fit(fitted[:, known], yes[rows], logisticregression__sample_weight=weight)
    probability: Floats = pipeline.predict_proba(test[train.columns].to_numpy(np.float32)[:, known])[:, 1]
    return probability.astype(np.float64)


def _penalty(matrix: NDArray[np.float32], yes: Floats, weight: Floats) -> float:
    """The inverse strength of PENALTIES with which the earlier rows foretell their latest fifth best."""
    some = np.unique(np.linspace(0, len(yes) - 1, TRIED).astype(np.int64))
    early, late = np.split(some, [int(0.8 * len(some))])
    if any(np.ptp(yes[side]) == 0 for side in (early, late)):
        return PENALTIES[0]
    losses = []
    for c in PENALTIES:
        model = regression(c).fit(matrix[early], yes[early], logisticregression__sample_weight=weight[early])
        p = model.predict_proba(matrix[late])[:, 1]
        losses.append(log_loss(yes[late], p, sample_weight=weight[late]))
    return PENALTIES[int(np.argmin(losses))]


def regression(c: float) -> Pipeline:
    """Logistic regression that takes signals as they come, `c` being the inverse strength of its penalty."""
    return make_pipeline(
        FunctionTransformer(_signed_log),
        SimpleImputer(strategy="median"),
        StandardScaler(),
        LogisticRegression(C=c, max_iter=300),
    )


def _signed_log(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """log(1 + |x|) with the sign of x, for heavy tails; an infinity is unknown."""
    return np.where(np.isfinite(x), np.sign(x) * np.log1p(np.abs(x)), np.float32(np.nan))


def varying(x: NDArray[np.float32]) -> Bools:
    """Which columns hold at least two different finite values."""
    finite = np.isfinite(x)
    low = np.where(finite, x, np.inf).min(axis=0)
    high = np.where(finite, x, -np.inf).max(axis=0)
    return np.asarray(low < high, np.bool_)


def _bins(amount: Floats, edges: Floats) -> NDArray[np.int64]:
    """The bin of each amount: 0 unknown, then by the edges."""
    return np.where(np.isnan(amount), 0, 1 + np.searchsorted(edges, amount, side="right"))


def _summed(frame: pd.DataFrame, names: Sequence[str]) -> Floats:
    return np.asarray(sum(_floats(frame[name]) for name in names), np.float64)


def _floats(column: pd.Series) -> Floats:
    return np.asarray(column, np.float64)
