"""The learner: gradient boosted trees and their calibration, one model that saves as text; the only door to LightGBM."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
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
from features.kernel import DAY, Int
from models.linear import Linear, linear
from models.questions import Answer
from models.sample import sampled
from models.terms import Term

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
TRIED: Final = 200_000
"""Rows on either side of a trial at most, a sample of those there are."""
BLANKED: Final = 0.01
"""Share of the rows that lack a signal in training at least, by chance if need be: what may cease to come is learnt without."""
BAGS: Final = 10
"""Models of resampled rows that training grows for intervals."""
WIDE: Final = 1.645 * 2**0.5
"""Standard errors on either side of a 90 % interval: at its best, shrinkage errs as much as chance does, and adds to it."""
THIN: Final = 0.95
"""A case is thinner than most where its standard error is beyond this share of those of the latest rows."""
FORMAT: Final = 3
_SPREAD: Final = 0.3
"""How far a calibration's slope lies from 1 and its intercept from 0, as a standard deviation before the answers are seen."""


@dataclass(frozen=True)
class Model:
    """Trees over named signals, calibrated by a straight line in log-odds, and a card that says where they come from.

    If it `follows` a column of log-odds, the difference of that from its mean in training is added to what the trees say;
    where declared terms are `linear`, trees say what is beyond these, and there may be none. `bags` are the same of rows
    drawn with replacement, from which intervals come.
    """

    trees: str
    signals: tuple[str, ...]
    slope: float = 1.0
    intercept: float = 0.0
    follows: tuple[str, float] | None = None
    card: Mapping[str, object] = field(default_factory=dict)
    linear: Linear | None = None
    bags: tuple["Model", ...] = ()

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, ready to be run."""
        return lgb.Booster(model_str=self.trees)

    def __getstate__(self) -> dict[str, object]:
        """What a pickle holds: the text of the trees and not again what was made of it to run them."""
        return {name: value for name, value in vars(self).items() if name != "booster"}

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of a frame that it reads."""
        return self.signals if self.follows is None else (*self.signals, self.follows[0])

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
        return self.intercept + self.slope * (raw + _start(frame, self.linear, self.follows))

    def predict_proba(self, frame: pd.DataFrame) -> Float:
        """Calibrated probabilities (n, 2) of no and of yes."""
        yes = 1 / (1 + np.exp(-self.logit(frame)))
        return np.column_stack([1 - yes, yes])

    def errors(self, frame: pd.DataFrame) -> Float:
        """Standard error (n,) of the log-odds by chance alone: how far the bags are apart, NaN without any."""
        if len(self.bags) < 2:
            return np.full(len(frame), np.nan)
        return np.asarray(np.std([bag.logit(frame) for bag in self.bags], axis=0, ddof=1))

    def interval(self, frame: pd.DataFrame) -> Float:
        """Lower and upper end (n, 2) of the probability of yes, 90 %; NaN without bags."""
        away = WIDE * self.errors(frame)[:, None] * [-1.0, 1.0]
        return np.asarray(1 / (1 + np.exp(-(self.logit(frame)[:, None] + away))))

    def abstains(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Where (n,) too little is known to say: the standard error is larger than those of nearly all the latest rows."""
        limit = self.card.get("thin_from")
        return np.zeros(len(frame), np.bool_) if limit is None else self.errors(frame) > float(str(limit))

    def contributions(self, frame: pd.DataFrame) -> Float:
        """What each signal adds to the log-odds (n, signals + 1), last what is the same for all; rows sum to `logit`."""
        raw = self._run(frame, pred_contrib=True) if len(frame) else np.zeros((0, len(self.signals) + 1))
        raw = raw if self.linear is None else raw + self.linear.contributions(frame, self.signals)
        added = self.slope * raw
        added[:, -1] += self.intercept + self.slope * _start(frame, None, self.follows)
        return added

    def save(self, folder: Path) -> None:
        """Writes `model.txt`, LightGBM's own format, and `model.json`, all the rest."""
        folder.mkdir(parents=True, exist_ok=True)
        bags = [{"trees": bag.trees, "linear": bag.linear and bag.linear.to_json()} for bag in self.bags]
        rest = {
            "format": FORMAT,
            "signals": self.signals,
            "slope": self.slope,
            "intercept": self.intercept,
            "follows": self.follows,
            "card": self.card,
            "linear": self.linear and self.linear.to_json(),
            "bags": bags,
        }
        (folder / "model.txt").write_text(self.trees)
        (folder / "model.json").write_text(json.dumps(rest | {"digest": _digest(self.trees, rest)}, indent=1) + "\n")

    def _run(self, frame: pd.DataFrame, *, raw_score: bool = False, pred_contrib: bool = False) -> Float:
        matrix = self._matrix(frame)
        if not self.trees:
            return np.zeros((len(frame), len(self.signals) + 1) if pred_contrib else len(frame))
        found = self.booster.predict(matrix, raw_score=raw_score, pred_contrib=pred_contrib)
        return np.asarray(found, np.float64)

    def _matrix(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        lost = [name for name in self.columns if name not in frame]
        if lost:
            few = f"{lost[0]} and {len(lost) - 1} more" if len(lost) > 1 else lost[0]
            raise RedressError(
                f"model: want its {len(self.columns)} signals, got a frame without {few}{near(lost[0], frame)}; "
                "score a ledger that has the tables it was trained on, or train on this one"
            )
        matrix = frame[list(self.signals)].to_numpy(np.float32)
        finite(matrix, self.signals)
        return matrix


def near(name: str, names: Iterable[object]) -> str:
    """The name most like one that is missing, as the end of a sentence; nothing where none is like it.

    >>> near("buyer_orders_count_90d", ["buyer_orders_90d", "at"])
    ' but with buyer_orders_90d'
    """
    like = get_close_matches(name, [str(other) for other in names], n=1)
    return f" but with {like[0]}" if like else ""


def finite(matrix: NDArray[np.float32], names: Sequence[str]) -> None:
    """Raises RedressError for the first column that holds an infinity; what is unknown is NaN."""
    infinite = np.isinf(matrix)
    if infinite.any():
        column = int(infinite.any(axis=0).argmax())
        rows = int(infinite[:, column].sum())
        raise RedressError(
            f"{names[column]}: want numbers that float32 can hold, got {rows} of {len(matrix)} that are infinite; "
            "give NaN for what is unknown"
        )


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
    follows = rest["follows"] and tuple(rest["follows"])
    terms = rest["linear"] and Linear.from_json(rest["linear"])
    whole = Model(trees, tuple(rest["signals"]), rest["slope"], rest["intercept"], follows, rest["card"], terms)
    bags = [(one["trees"], one["linear"] and Linear.from_json(one["linear"])) for one in rest["bags"]]
    return replace(whole, bags=tuple(replace(whole, trees=text, linear=some) for text, some in bags))


def _digest(trees: str, rest: Mapping[str, object]) -> str:
    return hashlib.blake2b((trees + json.dumps(rest, sort_keys=True)).encode(), digest_size=16).hexdigest()


def fit(
    frame: pd.DataFrame,
    answers: Answer | Float,
    *,
    weights: Float | None = None,
    seed: int = 0,
    parameters: Parameters | None = None,
    monotone: Mapping[str, int] | None = None,
    follows: str | None = None,
    terms: Sequence[Term] = (),
    rounds: int = ROUNDS,
    patience: int = PATIENCE,
    bags: int = 0,
    seen: Callable[[int], object] | None = None,
) -> Model:
    """A calibrated model of `answers` (n,), 1 for yes, from signals (n rows in time order; every float32 column is one).

    Answers between 0 and 1 are how likely a yes is thought to be. The latest fifth of the rows says how many trees there are
    and gives the calibration, from trees that never saw it; then the trees are grown again on all rows. `monotone` says of
    signals by pattern, in which * stands for anything, that more of them never lowers (1) or never raises (-1) the
    probability. The intercept `follows` a column of log-odds, if the frame has it, and no tree sees that. With `terms` a linear
    model of these comes first, and trees beyond it are kept only if they say the latest fifth better than chance would. There
    are `rounds` trees at most, and growing stops when `patience` of them brought nothing. For intervals, as many `bags`
    are grown besides. `seen` hears of each tree. Raises RedressError unless both answers are there, and for an infinity.
    """
    if not len(answers) or answers.min() == answers.max():
        came = "none" if not len(answers) else f"{len(answers)} of {'yes' if answers[0] else 'no'} alone"
        raise RedressError(f"training: want both answers among mature askings, got {came}; train on a longer span")
    signals = _varying(frame.drop(columns=follows or [], errors="ignore"))
    around = _mean(frame, follows)
    weight = np.ones(len(answers)) if weights is None else weights
    matrix = np.array(frame[signals], np.float32)
    finite(matrix, signals)
    first, whole = _linears(frame[signals], answers, weight, terms, _start(frame, None, around))
    base = 0.0 if around is None or whole else _log_odds(float(np.average(answers, weights=weight)))
    starts = [base + _start(frame, some, around) if around or some else None for some in (first, whole)]
    tried, rows = (_Rows(signals, matrix, answers, weight, start) for start in starts)
    chosen = {"seed": seed} | _constraints(signals, monotone or {}) | dict(parameters or {})
    grown = partial(_tell, seen)
    most, slope, intercept = _trial(tried, chosen, rounds, patience, grown, alone=whole is not None)
    blanked(matrix, seed)
    trees = _grown(rows, chosen, most, [grown]).model_to_string() if most else ""
    card = {"rows": len(answers), "yes": round(float(answers.sum())), "rounds": most, "seed": seed}
    model = Model(trees, tuple(signals), slope, intercept + slope * base, around, card, whole)
    return model if bags < 2 else _bagged(model, frame, rows, terms, chosen, bags, grown)


def _bagged(
    model: Model,
    frame: pd.DataFrame,
    rows: "_Rows",
    terms: Sequence[Term],
    chosen: Parameters,
    bags: int,
    grown: Callable[..., object],
) -> Model:
    """The same with bags: each row counts as often as chance has it, the number of trees and the calibration stay."""
    rng, made = np.random.default_rng(int(chosen["seed"])), list[Model]()
    rounds = int(str(model.card["rounds"]))
    around = _start(frame, None, model.follows)
    for k in range(bags):
        weight = rows.weights * rng.poisson(1.0, len(rows.weights))
        some = model.linear and linear(frame, rows.answers, terms, weights=weight, start=around)
        drawn = rows if some is None else replace(rows, start=_start(frame, some, model.follows))
        there = np.flatnonzero(weight)
        drawn = replace(drawn, weights=weight).take(there)
        named = dict(chosen) | {"seed": int(chosen["seed"]) + k + 1}
        trees = _grown(drawn, named, rounds, [grown]).model_to_string() if rounds else ""
        made.append(replace(model, trees=trees, linear=some, card={}))
    model = replace(model, bags=tuple(made))
    latest = frame.tail(max(1, int(LATEST * len(frame)))).tail(TRIED // 10)
    thin = float(np.quantile(model.errors(latest), THIN))
    return replace(model, card=dict(model.card) | {"bags": bags, "thin_from": thin})


def _linears(
    frame: pd.DataFrame, answers: Answer | Float, weights: Float, terms: Sequence[Term], start: Float
) -> tuple[Linear | None, Linear | None]:
    """Linear models of the terms, on all rows but the latest slice and on all; none without terms that vary."""
    whole = linear(frame, answers, terms, weights=weights, start=start)
    cut = _cut(answers) or len(answers)
    if not whole.terms:
        return None, None
    return linear(frame[:cut], answers[:cut], terms, weights=weights[:cut], start=start[:cut]), whole


def _start(frame: pd.DataFrame, terms: Linear | None, follows: tuple[str, float] | None) -> Float:
    """The log-odds (n,) that trees begin at: what the terms say, and how far what is followed is from its mean."""
    said = np.zeros(len(frame)) if terms is None else terms.logit(frame)
    return said if follows is None else said + followed(frame, *follows)


def followed(frame: pd.DataFrame, name: str, mean: float) -> Float:
    """How far a column of log-odds (n,) is from its mean in training, 0 where unknown."""
    return np.nan_to_num(frame[name].to_numpy(np.float64) - mean)


def _mean(frame: pd.DataFrame, follows: str | None) -> tuple[str, float] | None:
    """The column to follow with its mean, None where there is none or nothing is known of it."""
    if follows is None or follows not in frame or not frame[follows].notna().any():
        return None
    return follows, float(frame[follows].mean())


def _log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _varying(frame: pd.DataFrame) -> list[str]:
    """Names of the signals, those of float32 columns that vary."""
    numbers = frame.loc[:, frame.dtypes == np.float32]
    signals = [str(name) for name in numbers.columns[numbers.min() < numbers.max()]]
    if not signals:
        raise RedressError("training: want a signal that varies, got none; give the ledger more columns or rows")
    return signals


def _constraints(signals: Sequence[str], monotone: Mapping[str, int]) -> dict[str, str]:
    """LightGBM's constraints of the signals, where there are any; of patterns that match the first holds."""
    ways = [next((way for one, way in monotone.items() if fnmatchcase(name, one)), 0) for name in signals]
    return {"monotone_constraints": ",".join(map(str, ways))} if any(ways) else {}


@dataclass(frozen=True)
class _Rows:
    """Rows to learn from or to test on; trees begin at the log-odds `start`, where there are any."""

    signals: list[str]
    matrix: NDArray[np.float32]
    answers: Answer | Float
    weights: Float
    start: Float | None

    def take(self, rows: slice | Int, weights: Float | None = None) -> "_Rows":
        weight = self.weights[rows] if weights is None else self.weights[rows] * weights
        start = None if self.start is None else self.start[rows]
        return _Rows(self.signals, self.matrix[rows], self.answers[rows], weight, start)

    def some(self, seed: int) -> "_Rows":
        """At most TRIED of the rows, copied."""
        return self.take(*sampled(self.answers, seed, TRIED))

    def dataset(self) -> lgb.Dataset:
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


def sized(rows: int, signals: int, *, seed: int) -> dict[str, str | int | float | bool]:
    """LightGBM's parameters for so many rows of so many signals: their smallest leaf, and the threads that are worth it."""
    threads = 1 if rows * signals < WORTH_THREADS else os.cpu_count() or 1
    leaf = int(np.clip(rows // 1000, *SMALLEST_LEAF))
    return dict(PARAMETERS) | {"seed": seed, "min_data_in_leaf": leaf, "num_threads": threads}


def _grown(
    rows: _Rows, chosen: Parameters, rounds: int, callbacks: list[Callable[..., object]], late: _Rows | None = None
) -> lgb.Booster:
    """Trees over rows, as they are sized and as is chosen besides."""
    soft = not np.isin(rows.answers, (0, 1)).all()
    given = sized(*rows.matrix.shape, seed=0) | dict(chosen) | ({"objective": "cross_entropy"} if soft else {})
    watched = [] if late is None else [late.dataset()]
    return lgb.train(given, rows.dataset(), rounds, valid_sets=watched, callbacks=callbacks)


def _tell(seen: Callable[[int], object] | None, environment: object) -> None:
    """Says that one more tree is grown."""
    if seen is not None:
        seen(1)


def _trial(
    rows: _Rows, chosen: Parameters, rounds: int, patience: int, grown: Callable[..., object], *, alone: bool
) -> tuple[int, float, float]:
    """Number of trees, and slope and intercept of the calibration, from the latest slice; few trees as they are without one.

    Where what they begin at can stand `alone`, there is none unless trees better it by more than a standard error;
    likeliest on all rows, it is calibrated as it is.
    """
    cut, seed = _cut(rows.answers), int(chosen["seed"])
    if cut is None:
        return 0 if alone else max(1, rounds // 10), 1.0, 0.0
    early, late = (rows.take(side).some(seed) for side in (slice(cut), slice(cut, None)))
    stop: Callable[..., object] = lgb.early_stopping(patience, verbose=False)
    blanked(early.matrix, seed)
    booster = _grown(early, chosen, rounds, [stop, grown], late)
    raw = np.asarray(booster.predict(late.matrix, raw_score=True), np.float64)
    raw = raw if late.start is None else raw + late.start
    if alone and late.start is not None and not _better(raw, late.start, late):
        return 0, 1.0, 0.0
    return max(1, booster.best_iteration), *calibration(raw, late.answers, late.weights)


def _better(raw: Float, plain: Float, late: _Rows) -> bool:
    """Whether log-odds say the answers better than plainer ones by more than a standard error (Breiman et al. 1984)."""
    loss = [np.logaddexp(0, z) - late.answers * z for z in (plain, raw)]
    gain = late.weights * (loss[0] - loss[1])
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _cut(answers: Answer | Float) -> int | None:
    """Where the latest slice of the rows begins, None when either side of it has too few of either answer."""
    cut = int(len(answers) * (1 - LATEST))
    fewest = min(min(float(side.sum()), float((1 - side).sum())) for side in (answers[:cut], answers[cut:]))
    return cut if fewest >= FEWEST else None


def calibration(raw: Float, answers: Answer | Float, weights: Float | None = None) -> tuple[float, float]:
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
