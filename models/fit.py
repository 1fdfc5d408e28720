"""The learner: gradient boosted trees and their calibration, one model that saves as text; the only door to LightGBM."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, partial
from pathlib import Path
from typing import Final, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from features import RedressError
from features.credit import Prior
from features.kernel import DAY
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

Float = NDArray[np.float64]
Parameters = Mapping[str, str | int | float | bool]

LATEST: Final = 0.2
"""Share of the training rows, the latest, that decides how many trees there are and how they are calibrated."""
FEWEST: Final = 10
"""Rows of each answer without which a slice decides nothing."""
ROUNDS: Final = 500
PATIENCE: Final = 50
PARAMETERS: Final[Parameters] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbose": -1,
}
"""LightGBM parameters for rare events and few rows: small trees, each on part of the rows and of the signals."""
SMALLEST_LEAF: Final = (20, 100)
"""Rows in a leaf: a thousandth of all, within these bounds."""
WORTH_THREADS: Final = 50_000_000
"""Values of a matrix below which one thread is faster than several that wait for each other."""
QUIET: Final = {"verbose": -1}
FORMAT: Final = 1
_SPREAD: Final = 0.3
"""How far a calibration's slope lies from 1 and its intercept from 0, as a standard deviation before the answers are seen."""


@dataclass(frozen=True)
class Model:
    """Trees over named signals, calibrated by a straight line in log-odds, and a card that says where they come from."""

    trees: str
    signals: tuple[str, ...]
    slope: float = 1.0
    intercept: float = 0.0
    card: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, ready to be run."""
        return lgb.Booster(model_str=self.trees)

    @property
    def horizon(self) -> int:
        """The horizon it was trained with, in microseconds."""
        return round(float(str(self.card["horizon_days"])) * DAY)

    @property
    def prior(self) -> Prior:
        """The prior of buyer credit that was known when it was trained."""
        told = self.card.get("credit_prior")
        return Prior() if told is None else Prior.from_json(cast("Mapping[str, Mapping[str, float]]", told))

    def logit(self, frame: pd.DataFrame) -> Float:
        """Calibrated log-odds (n,) of yes."""
        raw = self._run(frame, raw_score=True) if len(frame) else np.zeros(0)
        return self.intercept + self.slope * raw

    def predict_proba(self, frame: pd.DataFrame) -> Float:
        """Calibrated probabilities (n, 2) of no and of yes."""
        yes = 1 / (1 + np.exp(-self.logit(frame)))
        return np.column_stack([1 - yes, yes])

    def contributions(self, frame: pd.DataFrame) -> Float:
        """What each signal adds to the log-odds (n, signals + 1), last what is the same for all; rows sum to `logit`."""
        raw = self._run(frame, pred_contrib=True) if len(frame) else np.zeros((0, len(self.signals) + 1))
        added = self.slope * raw
        added[:, -1] += self.intercept
        return added

    def save(self, folder: Path) -> None:
        """Writes `model.txt`, LightGBM's own format, and `model.json`, all the rest."""
        folder.mkdir(parents=True, exist_ok=True)
        rest = {
            "format": FORMAT,
            "signals": self.signals,
            "slope": self.slope,
            "intercept": self.intercept,
            "card": self.card,
        }
        (folder / "model.txt").write_text(self.trees)
        (folder / "model.json").write_text(json.dumps(rest | {"digest": _digest(self.trees, rest)}, indent=1) + "\n")

    def _run(self, frame: pd.DataFrame, *, raw_score: bool = False, pred_contrib: bool = False) -> Float:
        found = self.booster.predict(self._matrix(frame), raw_score=raw_score, pred_contrib=pred_contrib)
        return np.asarray(found, np.float64)

    def _matrix(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        lost = [name for name in self.signals if name not in frame]
        if lost:
            few = f"{lost[0]} and {len(lost) - 1} more" if len(lost) > 1 else lost[0]
            raise RedressError(
                f"model: want its {len(self.signals)} signals, got a frame without {few}; "
                "score a ledger that has the tables it was trained on, or train on this one"
            )
        return frame[list(self.signals)].to_numpy(np.float32)


def load(folder: str | Path) -> Model:
    """The model in a directory that `Model.save` wrote; RedressError when it is not whole."""
    path = Path(folder)
    try:
        trees, rest = (path / "model.txt").read_text(), dict(json.loads((path / "model.json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise RedressError(f"{folder}: want model.txt and model.json, got {error}; train again") from None
    if rest.get("format") != FORMAT:
        came = rest.get("format")
        raise RedressError(f"{folder}: want a model of format {FORMAT}, got {came}; train again with this version")
    if rest.pop("digest", None) != _digest(trees, rest):
        raise RedressError(f"{folder}: want model.txt and model.json as they were saved, got them edited; train again")
    return Model(trees, tuple(rest["signals"]), rest["slope"], rest["intercept"], rest["card"])


def _digest(trees: str, rest: Mapping[str, object]) -> str:
    return hashlib.blake2b((trees + json.dumps(rest, sort_keys=True)).encode(), digest_size=16).hexdigest()


def fit(
    frame: pd.DataFrame,
    answers: Answer,
    *,
    weights: Float | None = None,
    seed: int = 0,
    parameters: Parameters | None = None,
    monotone: Mapping[str, int] | None = None,
    seen: Callable[[int], object] | None = None,
) -> Model:
    """A calibrated model of `answers` (n,), 1 for yes, from signals (n rows in time order; every float32 column is one).

    The latest fifth of the rows says how many trees there are and gives the calibration, from trees that never saw it;
    then the trees are grown again on all rows. `monotone` says of signals by pattern, in which * stands for anything, that more
    of them never lowers (1) or never raises (-1) the probability. `seen` hears of each tree. Raises RedressError unless both
    answers are there.
    """
    if not len(answers) or answers.min() == answers.max():
        came = "none" if not len(answers) else f"{len(answers)} of {'yes' if answers[0] else 'no'} alone"
        raise RedressError(f"training: want both answers among mature askings, got {came}; train on a longer span")
    signals = [str(name) for name in frame.columns[frame.dtypes == np.float32] if frame[name].nunique() > 1]
    if not signals:
        raise RedressError("training: want a signal that varies, got none; give the ledger more columns or rows")
    weight = np.ones(len(answers)) if weights is None else weights
    rows = _Rows(signals, frame[signals].to_numpy(np.float32), answers, weight)
    threads = 1 if rows.matrix.size < WORTH_THREADS else os.cpu_count() or 1
    leaf = int(np.clip(len(answers) // 1000, *SMALLEST_LEAF))
    sized = {"seed": seed, "num_threads": threads, "min_data_in_leaf": leaf}
    chosen = dict(PARAMETERS) | sized | _constraints(signals, monotone or {}) | dict(parameters or {})
    grown = partial(_tell, seen)
    rounds, slope, intercept = _trial(rows, chosen, grown)
    booster = lgb.train(chosen, rows.dataset(), rounds, callbacks=[grown])
    card = {"rows": len(answers), "yes": int(answers.sum()), "rounds": rounds, "seed": seed}
    return Model(booster.model_to_string(), tuple(signals), slope, intercept, card)


def _constraints(signals: Sequence[str], monotone: Mapping[str, int]) -> dict[str, str]:
    """LightGBM's constraints of the signals, where there are any; of patterns that match the first holds."""
    ways = [next((way for one, way in monotone.items() if fnmatchcase(name, one)), 0) for name in signals]
    return {"monotone_constraints": ",".join(map(str, ways))} if any(ways) else {}


@dataclass(frozen=True)
class _Rows:
    signals: list[str]
    matrix: NDArray[np.float32]
    answers: Answer
    weights: Float

    def part(self, rows: slice) -> "_Rows":
        return _Rows(self.signals, self.matrix[rows], self.answers[rows], self.weights[rows])

    def dataset(self) -> lgb.Dataset:
        return lgb.Dataset(self.matrix, self.answers, weight=self.weights, feature_name=self.signals, params=QUIET)


def _tell(seen: Callable[[int], object] | None, environment: object) -> None:
    """Says that one more tree is grown."""
    if seen is not None:
        seen(1)


def _trial(
    rows: _Rows, chosen: dict[str, str | int | float | bool], grown: Callable[..., object]
) -> tuple[int, float, float]:
    """Number of trees, and slope and intercept of the calibration, from the latest slice; few trees as they are without one."""
    cut = _cut(rows.answers)
    if cut is None:
        return ROUNDS // 10, 1.0, 0.0
    early, late = rows.part(slice(cut)), rows.part(slice(cut, None))
    stop: Callable[..., object] = lgb.early_stopping(PATIENCE, verbose=False)
    booster = lgb.train(chosen, early.dataset(), ROUNDS, valid_sets=[late.dataset()], callbacks=[stop, grown])
    raw = np.asarray(booster.predict(late.matrix, raw_score=True), np.float64)
    return max(1, booster.best_iteration), *calibration(raw, late.answers, late.weights)


def _cut(answers: Answer) -> int | None:
    """Where the latest slice of the rows begins, None when either side of it has too few of either answer."""
    cut = int(len(answers) * (1 - LATEST))
    fewest = min(min(int(side.sum()), int((1 - side).sum())) for side in (answers[:cut], answers[cut:]))
    return cut if fewest >= FEWEST else None


def calibration(raw: Float, answers: Answer, weights: Float | None = None) -> tuple[float, float]:
    """Slope and intercept that turn raw log-odds into calibrated ones (Platt 1999); the slope is never negative.

    Normal priors hold the slope near 1 and the intercept near 0, so that few answers change little.

    >>> slope, intercept = calibration(np.zeros(100_000), np.repeat([0, 1], [90_000, 10_000]).astype(np.int8))
    >>> round(float(1 / (1 + np.exp(-intercept))), 3)
    0.1
    """
    w = np.ones_like(raw) if weights is None else weights

    def loss(line: Float) -> tuple[float, Float]:
        z = line[0] * raw + line[1]
        miss = w * (1 / (1 + np.exp(-z)) - answers)
        away = line - [1.0, 0.0]
        down = np.sum(w * (np.logaddexp(0, z) - answers * z)) + away @ away / (2 * _SPREAD**2)
        return float(down), np.array([miss @ raw, miss.sum()]) + away / _SPREAD**2

    line = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[(0.0, None), (None, None)]).x
    return float(line[0]), float(line[1])
