"""The model as scikit-learn knows models: a classifier to be cloned, searched, cross-validated and put into pipelines."""

from collections.abc import Mapping
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from features import RedressError
from features.signal import Float
from models.fit import PATIENCE, ROUNDS, fit
from models.model import Model, finite, near
from models.questions import Answer
from models.trees import Parameters

Signals = pd.DataFrame | ArrayLike
"""Rows in time order, n rows by m signals of any type that float32 can hold; NaN is unknown."""

BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "learning_rate": (1e-6, 1),
    "num_leaves": (2, 131_072),
    "max_depth": (-1, 63),
    "min_data_in_leaf": (1, np.inf),
    "lambda_l2": (0, np.inf),
    "feature_fraction": (1e-6, 1),
    "bagging_fraction": (1e-6, 1),
    "rounds": (1, np.inf),
    "patience": (1, np.inf),
}
"""The least and the largest value of each parameter."""
WHOLE: Final = ("num_leaves", "max_depth", "min_data_in_leaf", "rounds", "patience")
"""Parameters that are whole numbers."""


class DisputeClassifier(ClassifierMixin, BaseEstimator):
    """Calibrated trees for a question with two answers, by scikit-learn's conventions; `model_` is what is saved.

    Rows are taken to be in time order: their latest fifth says how many trees there are and gives the calibration, then all
    are learnt from. Where the fifth has fewer than 10 rows of either class, a tenth of `rounds` are grown and not calibrated.
    Splits that keep the order (`TimeSeriesSplit`, `Forward`) keep this true of every part. One that shuffles works but
    measures something easier: the fifth is then a random one, and rows are tested that lie between those learnt from.

    `min_data_in_leaf` None is a thousandth of the rows, from 20 to 100. `monotone` says of signals by pattern, in which *
    stands for anything, that more of them never lowers (1) or never raises (-1) the probability of the second class; the
    intercept `follows` a column of log-odds. Rows of weight zero are left out; other weights count in the loss, but a leaf, a
    bin and a bag are so many rows whatever they weigh. The columns of an array are called x0, x1 and so on.

    >>> x = np.repeat([[0.0], [1.0]], 100, axis=0)
    >>> y = np.repeat(["kept", "returned"], 100)
    >>> DisputeClassifier(feature_fraction=1.0).fit(x, y).predict([[1.0], [0.0]])
    array(['returned', 'kept'], dtype='<U8')
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 4,
        min_data_in_leaf: int | None = None,
        lambda_l2: float = 5.0,
        feature_fraction: float = 0.5,
        bagging_fraction: float = 0.8,
        rounds: int = ROUNDS,
        patience: int = PATIENCE,
        monotone: Mapping[str, int] | None = None,
        follows: str | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_data_in_leaf = min_data_in_leaf
        self.lambda_l2 = lambda_l2
        self.feature_fraction = feature_fraction
        self.bagging_fraction = bagging_fraction
        self.rounds = rounds
        self.patience = patience
        self.monotone = monotone
        self.follows = follows
        self.random_state = random_state

    def fit(self, X: Signals, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learns y (n,), two classes of which the second in sorted order is "yes", from X (n, m), rows in time order.

        Raises RedressError, a ValueError, that names the column or the answer at fault.
        """
        _bounded(self.get_params())
        with np.errstate(over="ignore"):
            matrix, given = validate_data(self, X, y, dtype=np.float32, ensure_all_finite=False)
        names = self._names()
        finite(matrix, names)
        weight = _check_sample_weight(sample_weight, matrix, dtype=np.float64, ensure_non_negative=True)
        kept = weight > 0
        self.classes_, code = _coded(given, kept)
        self.model_: Model = fit(
            pd.DataFrame(matrix[kept], columns=names),
            code[kept],
            weights=weight[kept],
            seed=self._seed(),
            parameters=self._parameters(),
            monotone=self.monotone,
            follows=self.follows,
            rounds=self.rounds,
            patience=self.patience,
        )
        return self

    def decision_function(self, X: Signals) -> Float:
        """Calibrated log-odds (n,) of the second class."""
        frame = self._frame(X)
        return self.model_.logit(frame)

    def predict_proba(self, X: Signals) -> Float:
        """Calibrated probabilities (n, 2), a column for each of `classes_`."""
        frame = self._frame(X)
        return self.model_.predict_proba(frame)

    def predict(self, X: Signals) -> NDArray[np.generic]:
        """The likelier class (n,)."""
        second = self.decision_function(X) > 0
        return self.classes_[second.astype(np.intp)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags

    def _parameters(self) -> Parameters:
        names = (
            "learning_rate",
            "num_leaves",
            "max_depth",
            "lambda_l2",
            "feature_fraction",
            "bagging_fraction",
            "min_data_in_leaf",
        )
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def _seed(self) -> int:
        drawn = check_random_state(self.random_state)
        return self.random_state if isinstance(self.random_state, int) else int(drawn.randint(2**31 - 1))

    def _names(self) -> list[str]:
        return list(getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)]))

    def _frame(self, X: Signals) -> pd.DataFrame:
        """X as it was at `fit`; RedressError for columns of other names and for infinities."""
        check_is_fitted(self, "model_")
        names = self._names()
        try:
            with np.errstate(over="ignore"):
                matrix = validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite=False)
        except ValueError as error:
            raise _explained(error, names, X) from None
        finite(matrix, names)
        return pd.DataFrame(matrix, columns=names)


def _bounded(parameters: Mapping[str, object]) -> None:
    """Raises RedressError for a parameter that is no number or out of its bounds."""
    for name, (low, high) in BOUNDS.items():
        came = parameters[name]
        if came is None and name == "min_data_in_leaf":
            continue
        if not isinstance(came, int | float | np.number) or not low <= came <= high:
            raise RedressError(f"{name}: want a number from {low:g} to {high:g}, got {came!r}; set_params({name}=…)")
        if name in WHOLE and came != int(came):
            raise RedressError(f"{name}: want a whole number, got {came!r}; set_params({name}=…)")
    if not isinstance(ways := parameters["monotone"] or {}, Mapping) or not set(ways.values()) <= {-1, 0, 1}:
        raise RedressError(f"monotone: want names of signals with 1, 0 or -1, got {ways!r}; set_params(monotone=…)")


def _coded(given: NDArray[np.generic], kept: NDArray[np.bool_]) -> tuple[NDArray[np.generic], Answer]:
    """Classes, and their codes 0 and 1 (n,); RedressError unless the rows that count are of two classes."""
    kind = type_of_target(given, input_name="y", raise_unknown=True)
    if kind != "binary":
        raise RedressError(
            f"y: Only binary classification is supported. The type of the target is {kind}. Ask one question at a time."
        )
    classes, code = np.unique(given, return_inverse=True)
    met = classes[np.unique(code[kept])]
    if len(met) < 2:
        raise RedressError(
            f"y: want two classes in rows of a weight above 0, got 1 class, {met[0]!r}; take a longer span"
        )
    return classes, code.astype(np.int8)


def _explained(error: ValueError, names: list[str], came: object) -> RedressError:
    """A fault of columns as scikit-learn tells it, and which of them was likely renamed."""
    columns = list(came.columns) if isinstance(came, pd.DataFrame) else names
    lost = next((name for name in names if name not in columns), None)
    if lost is None:
        return RedressError(str(error))
    return RedressError(
        f"{error}X: want column {lost} as in fit, got a frame without it{near(lost, columns)}; rename it"
    )
