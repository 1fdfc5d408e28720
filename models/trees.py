"""Trees: how they are grown from rows and what they say of others; the only door to LightGBM."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import RedressError
from features.kernel import Int
from features.signal import Float
from models.questions import Answer

# OpenMP's threads spin while they wait for each other, which makes training tens of times slower as soon as the machine
# has something else to do. It reads this once, when LightGBM loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
try:
    import lightgbm as lgb
except OSError as error:
    raise RedressError(
        f"lightgbm: want its system library, got {error}; install libgomp, on Debian by apt-get install libgomp1"
    ) from None

Booster = lgb.Booster
Parameters = Mapping[str, str | int | float | bool]

PARAMETERS: Final[Parameters] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_depth": 4,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbose": -1,
}
"""LightGBM parameters for rare events and few rows: small trees, each on part of the rows and of the signals.

Deeper ones foretell no better on what was tried, and take several times as long to explain.
"""
SMALLEST_LEAF: Final = (20, 100)
"""Rows in a leaf: a thousandth of all, within these bounds."""
WORTH_THREADS: Final = 50_000_000
"""Values of a matrix below which one thread is faster than several that wait for each other."""
QUIET: Final = {"verbose": -1}
_OF_COLUMNS: Final = ("feature_names", "feature_infos", "monotone_constraints")
"""Lines of LightGBM's format that have a word for each column."""
RESERVED: Final = ',:[]{}"'
"""Characters that LightGBM takes in no name."""
BLANKED: Final = 0.01
"""Share of the rows that lack a signal in training at least, by chance if need be: what may cease to come is learnt without."""


def booster(text: str) -> Booster:
    """The trees that a text in LightGBM's own format holds, ready to be run."""
    return lgb.Booster(model_str=text)


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to test on; trees begin at the log-odds `start`, where there are any."""

    signals: list[str]
    matrix: NDArray[np.float32]
    answers: Answer | Float
    weights: Float
    start: Float | None

    def take(self, rows: slice | Int, weights: Float | None = None) -> "Rows":
        """Some of the rows, each counted `weights` times as much."""
        weight = self.weights[rows] if weights is None else self.weights[rows] * weights
        start = None if self.start is None else self.start[rows]
        return Rows(self.signals, self.matrix[rows], self.answers[rows], weight, start)

    def of(self, columns: Sequence[int]) -> "Rows":
        """The same rows with some of the signals."""
        return replace(self, signals=[self.signals[i] for i in columns], matrix=self.matrix[:, columns])

    def dataset(self) -> lgb.Dataset:
        """The rows as LightGBM takes them."""
        weight, start = self.weights, self.start
        return lgb.Dataset(
            self.matrix, self.answers, weight=weight, init_score=start, feature_name=self.signals, params=QUIET
        )


def blanked(matrix: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The same matrix, in place, with each signal missing in about BLANKED of its rows at least."""
    short = int(BLANKED * len(matrix)) - np.isnan(matrix).sum(axis=0)
    rng = np.random.default_rng(seed)
    for column in np.flatnonzero(short > 0):
        matrix[rng.integers(0, len(matrix), short[column]), column] = np.nan
    return matrix


def sized(rows: int, signals: int) -> dict[str, str | int | float | bool]:
    """LightGBM's parameters for so many rows of so many signals: their smallest leaf, and the threads that are worth it."""
    threads = 1 if rows * signals < WORTH_THREADS else os.cpu_count() or 1
    leaf = int(np.clip(rows // 1000, *SMALLEST_LEAF))
    return dict(PARAMETERS) | {"min_data_in_leaf": leaf, "num_threads": threads}


def grown(
    rows: Rows,
    chosen: Parameters,
    rounds: int,
    seen: Callable[[int], object] | None = None,
    *,
    late: Rows | None = None,
    patience: int = 0,
) -> Booster:
    """Trees over rows, as they are sized and as is chosen besides; of each `seen` hears.

    With `late` rows growing stops when `patience` trees brought nothing there.
    """
    soft = not np.isin(rows.answers, (0, 1)).all()
    given = sized(*rows.matrix.shape) | dict(chosen) | ({"objective": "cross_entropy"} if soft else {})
    heard: list[Callable[..., object]] = [] if seen is None else [lambda _: seen(1)]
    if late is None:
        return lgb.train(given, rows.dataset(), rounds, callbacks=heard)
    heard.append(lgb.early_stopping(patience, verbose=False))
    return lgb.train(given, rows.dataset(), rounds, valid_sets=[late.dataset()], callbacks=heard)


def said(trees: Booster, matrix: NDArray[np.float32], *, contributions: bool = False) -> Float:
    """Raw log-odds (n,) of rows, or what each column adds to them (n, columns + 1), the last being the same for all."""
    return np.asarray(trees.predict(matrix, raw_score=not contributions, pred_contrib=contributions), np.float64)


def split_by(text: str) -> set[int]:
    """The columns that any of the trees in LightGBM's own format splits by."""
    lines = (line.partition("=") for line in text.splitlines())
    return {int(word) for name, _, words in lines if name == "split_feature" for word in words.split()}


def narrowed(text: str, kept: Sequence[int]) -> str:
    """The same trees, in LightGBM's own format, over some of their columns in order, among which are all they split by."""
    place = {str(column): str(i) for i, column in enumerate(kept)}
    lines = []
    for line in text.split("\n"):
        name, _, words = line.partition("=")
        if name in _OF_COLUMNS:
            told = words.split(" ")
            line = f"{name}={' '.join(told[column] for column in kept)}"
        elif name == "split_feature":
            line = f"{name}={' '.join(place[column] for column in words.split())}"
        elif name == "max_feature_idx":
            line = f"{name}={len(kept) - 1}"
        if name != "tree_sizes":  # they hold no longer, and LightGBM reads trees without
            lines.append(line)
    return "\n".join(lines)
