"""The glimpse: how probable malice is by signals alone, for each asking from models that never saw what was said of it."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.kernel import Flag, Int
from features.signal import Float
from models.baselines import regression, varying
from models.questions import Answer
from models.trees import Parameters, Rows, grown, said

FOLDS: Final = 10
STRENGTH: Final = 3e-3
"""Of the logistic regression that sees more signals than there are findings."""
ROUNDS: Final = 80
"""Trees, without a trial: a fifth of a few hundred findings cannot tell how many are best."""
LEARNT: Final = 20_000
"""Askings that each model learns from at most, by chance."""
PARAMETERS: Final[Parameters] = {"feature_fraction": 0.2}
"""Signals are many and findings few, so that each tree sees fewer of them than the learner's."""


def glimpsed(frame: pd.DataFrame, answer: Answer | Float, *, seed: int, folds: int = FOLDS) -> Float:
    """Log-odds (n,) of malice from signals alone, each from models that saw neither its finding nor its soft label.

    `answer` (n,) is how probable malice is thought to be, negative where nothing is to be learnt. The mean of trees and of a
    strongly held logistic regression.
    """
    matrix = frame.loc[:, frame.dtypes == np.float32].to_numpy(np.float32)
    matrix = matrix[:, varying(matrix)]
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(answer)) % folds
    found = np.zeros(len(answer))
    for k in range(folds):
        train, test = np.flatnonzero((answer >= 0) & (fold != k)), fold == k
        train = np.sort(rng.permutation(train)[:LEARNT])
        told = answer[train].astype(np.float64)
        found[test] = (_trees(matrix, told, train, test, seed) + _straight(matrix, told, train, test)) / 2
    return found


def _trees(matrix: NDArray[np.float32], told: Float, train: Int, test: Flag, seed: int) -> Float:
    """Log-odds of a fixed number of trees."""
    names = [f"signal_{i}" for i in range(matrix.shape[1])]
    rows = Rows(names, matrix[train], told, np.ones(len(told)), None)
    return said(grown(rows, dict(PARAMETERS) | {"seed": seed}, ROUNDS), matrix[test])


def _straight(matrix: NDArray[np.float32], told: Float, train: Int, test: Flag) -> Float:
    """Log-odds of the logistic regression: a soft answer is a yes and a no, each with its weight."""
    learnt = matrix[train]
    there = varying(learnt)
    rows = np.concatenate([np.flatnonzero(told > 0), np.flatnonzero(told < 1)])
    yes = np.repeat([1, 0], [int((told > 0).sum()), int((told < 1).sum())])
    weight = np.where(yes == 1, told[rows], 1 - told[rows])
    model = regression(STRENGTH).fit(learnt[rows][:, there], yes, logisticregression__sample_weight=weight)
    return np.asarray(model.decision_function(matrix[test][:, there]), np.float64)
