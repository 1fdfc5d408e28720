"""Tuning: settings of the trees compared through time, on answers known before each test; the comparing is scikit-learn's."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.metrics import get_scorer
from sklearn.model_selection import ParameterSampler, cross_validate

from features import RedressError
from features.kernel import Int
from features.signal import Float
from models.estimator import DisputeClassifier
from models.fit import FEWEST
from models.questions import Answer

Setting = Mapping[str, int | float]
Space = Mapping[str, tuple[int | float, ...]]
Splits = Sequence[tuple[Int, Int]]

SPACE: Final[Space] = {
    "learning_rate": (0.02, 0.03, 0.05, 0.1),
    "num_leaves": (7, 15, 31, 63),
    "max_depth": (3, 4, 6, -1),
    "min_data_in_leaf": (10, 20, 50, 100, 200),
    "lambda_l2": (0.5, 2.0, 5.0, 20.0),
    "feature_fraction": (0.2, 0.35, 0.5, 0.8),
    "bagging_fraction": (0.6, 0.8, 1.0),
}
"""What settings are drawn from, each value as likely as the others: smaller and larger ones than our own."""
METRICS: Final = ("neg_log_loss", "average_precision")


@dataclass(frozen=True, eq=False)
class Forward:
    """Splits for scikit-learn that go forward in time: the latest rows in spans side by side, each after what was known then.

    `at` (n,) is when each row was asked and `known_at` (n,) when its answer may be learnt from, in one unit since one moment.
    There are `n_splits` test spans, each of a `share` of the rows, or of a few more where rows are asked at one moment. A row
    trains for a span if its answer was known before the span begins. Raises RedressError for a span without training rows.

    >>> splits = Forward(at=np.arange(6), known_at=np.array([3, 3, 4, 6, 6, 9]), n_splits=2, share=1 / 6).split(range(6))
    >>> [(train.tolist(), test.tolist()) for train, test in splits]
    [([0, 1], [4]), ([0, 1, 2], [5])]
    """

    at: Int
    known_at: Int
    n_splits: int = 3
    share: float = 0.15

    def split(self, X: Sized, y: object = None, groups: object = None) -> Iterator[tuple[Int, Int]]:
        """Positions of the training and of the test rows of each span, the earliest span first."""
        if not len(X) == len(self.at) == len(self.known_at):
            came = f"{len(X)} rows, {len(self.at)} `at` and {len(self.known_at)} `known_at`"
            raise RedressError(f"Forward: want a time and a moment of knowing for each row, got {came}; make it anew")
        for begin, end in pairwise([*self._begins(), np.inf]):
            test = np.flatnonzero((self.at >= begin) & (self.at < end))
            train = np.flatnonzero((self.at < begin) & (self.known_at < begin))
            if not len(test) or not len(train):
                came = f"{len(train)} known before {begin} and {len(test)} asked from then on"
                raise RedressError(
                    f"Forward: want rows on both sides of each span, got {came}; take fewer or later spans"
                )
            yield train, test

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """The number of test spans."""
        return self.n_splits

    def _begins(self) -> list[int]:
        """When each span begins."""
        size = max(1, int(self.share * len(self.at)))
        if self.n_splits * size > len(self.at):
            came = f"{self.n_splits} of {size} among {len(self.at)}"
            raise RedressError(f"Forward: want spans that fit into the rows, got {came}; take fewer or shorter ones")
        return [int(t) for t in np.sort(self.at)[[-size * k for k in range(self.n_splits, 0, -1)]]]


@dataclass(frozen=True)
class Tuned:
    """What tuning chose, empty for our own setting; all that was tried, the best first; and the seconds it took."""

    setting: Setting
    table: pd.DataFrame
    seconds: float


def tuned(
    frame: pd.DataFrame,
    answers: Answer,
    *,
    splits: Splits,
    n: int,
    weights: Float | None = None,
    seed: int = 0,
    monotone: Mapping[str, int] | None = None,
    follows: str | None = None,
    space: Space = SPACE,
    tried: Callable[[int], object] | None = None,
) -> Tuned:
    """Compares our own setting with `n` drawn from `space`, on the same splits of rows in time order, by log loss.

    Another setting is chosen only where its mean gain over ours is more than the standard error of that mean over the spans
    (the one-standard-error rule of Breiman et al., 1984, in pairs). `tried` hears of each setting. Raises RedressError unless
    both sides of every split have enough of both answers.
    """
    _both(answers, splits)
    signals = frame.select_dtypes(np.float32)
    weight = np.ones(len(answers)) if weights is None else weights
    settings: list[Setting] = [{}, *ParameterSampler(dict(space), n, random_state=seed)]
    measured = []
    for setting in settings:
        estimator = DisputeClassifier(monotone=monotone, follows=follows, random_state=seed).set_params(**setting)
        measured.append(_measured(estimator, signals, answers, weight, splits))
        if tried is not None:
            tried(1)
    losses = -np.array([one["test_neg_log_loss"] for one in measured])
    table = _table(list(space), settings, losses, np.array([one["test_average_precision"] for one in measured]))
    seconds = float(sum(one["fit_time"].sum() + one["score_time"].sum() for one in measured))
    return Tuned(settings[int(table.index[table["chosen"]][0])], table.reset_index(drop=True), seconds)


def gains(losses: Float) -> tuple[Float, Float]:
    """Mean gain of each setting over the first, and its standard error, from losses (settings, spans); none from one span."""
    over, spans = losses[0] - losses, losses.shape[1]
    error = over.std(axis=1, ddof=1) / np.sqrt(spans) if spans > 1 else np.zeros(len(losses))
    return over.mean(axis=1), error


def winner(losses: Float) -> int:
    """The setting of the largest mean gain over the first among those that gain more than its standard error, else the first.

    >>> winner(np.array([[1.0, 1.0], [0.5, 1.25], [0.75, 1.0]])), winner(np.array([[1.0, 1.0], [0.5, 1.25], [0.75, 0.75]]))
    (0, 2)
    """
    gain, error = gains(losses)
    return int(np.argmax(np.where(gain > error, gain, 0)))


def _both(answers: Answer, splits: Splits) -> None:
    for sides in splits:
        fewest = min(min(int(a.sum()), int((1 - a).sum())) for a in (answers[rows] for rows in sides))
        if fewest < FEWEST:
            raise RedressError(
                f"tuning: want {FEWEST} of each answer in every span and known before it, got {fewest}; "
                "take a longer ledger, or train without tuning"
            )


def _measured(
    estimator: DisputeClassifier, signals: pd.DataFrame, answers: Answer, weights: Float, splits: Splits
) -> dict[str, Float]:
    """What scikit-learn finds on each split, rows weighted in learning and in scoring."""
    with config_context(enable_metadata_routing=True):
        found: dict[str, Float] = cross_validate(
            estimator.set_fit_request(sample_weight=True),
            signals,
            answers,
            cv=splits,
            scoring={name: get_scorer(name).set_score_request(sample_weight=True) for name in METRICS},
            params={"sample_weight": weights},
            error_score="raise",
        )
    return found


def _table(names: list[str], settings: Sequence[Setting], losses: Float, precision: Float) -> pd.DataFrame:
    """A row for each setting, the least loss first: what it is, how it did, its gain over the first, and which is chosen.

    Where a value depends on the number of rows there is none.
    """
    gain, error = gains(losses)
    own = {name: value for name, value in DisputeClassifier().get_params().items() if name in names}
    table = pd.DataFrame([own | dict(setting) for setting in settings], columns=names)
    table = table.assign(log_loss=losses.mean(axis=1), gain=gain, gain_error=error)
    table = table.assign(average_precision=precision.mean(axis=1), chosen=np.arange(len(settings)) == winner(losses))
    return table.sort_values("log_loss", kind="stable")
