"""The learner: gradient boosted trees beyond what is declared and followed, calibrated on later rows than they saw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from features import RedressError
from features.signal import Float
from models.calibration import calibration
from models.linear import Linear, linear
from models.model import Followed, Model, begun, numbers
from models.questions import Answer
from models.sample import sampled
from models.terms import Term
from models.trees import RESERVED, Parameters, Rows, blanked, grown, narrowed, said, split_by

LATEST: Final = 0.2
"""Share of the training rows, the latest, that decides how many trees there are and how they are calibrated."""
FEWEST: Final = 10
"""Rows of each answer without which a slice decides nothing."""
ROUNDS: Final = 500
PATIENCE: Final = 50
TRIED: Final = 100_000
"""Rows on either side of a trial at most, a sample of those there are."""
BAGS: Final = 10
"""Models of resampled rows that training grows for intervals."""
UNKNOWN: Final = 0.5
"""Share of the rows of which a column is not known, beyond which it is not followed: the few that it is known of are the
latest, and what they were like is no place to start from."""
SURE: Final = 1.645
"""Standard errors by which trees must better what can stand without them."""
THIN: Final = 0.95
"""A case is thinner than most where its standard error is beyond this share of those of the latest rows."""


def fit(
    frame: pd.DataFrame,
    answers: ArrayLike,
    *,
    weights: ArrayLike | None = None,
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
    are `rounds` trees at most, and growing stops when `patience` of them brought nothing. The model reads no signal that no
    tree splits by and no term is made of. For intervals as many `bags` are grown besides, of the signals it reads. `seen` hears
    of each tree. Raises RedressError unless both answers are there, and for an infinity.
    """
    answers, weight = _answered(frame, answers), _weighed(frame, weights)
    signals, matrix = _varying(frame.drop(columns=follows or [], errors="ignore"))
    around = _around(frame, answers, weight, follows)
    first, whole = _linears(frame, signals, answers, weight, terms, begun(frame, None, around))
    base = 0.0 if around is None or whole else _log_odds(float(np.average(answers, weights=weight)))
    starts = [base + begun(frame, some, around) if around or some else None for some in (first, whole)]
    tried, rows = (Rows(signals, matrix, answers, weight, start) for start in starts)
    chosen = {"seed": seed} | _constraints(signals, monotone or {}) | dict(parameters or {})
    most, slope, intercept = _trial(tried, chosen, rounds, patience, seen, alone=whole is not None)
    blanked(matrix, seed)
    trees = grown(rows, chosen, most, seen).model_to_string() if most else ""
    kept = _kept(trees, signals, terms)
    names = tuple(signals[i] for i in kept)
    card = {"rows": len(answers), "yes": round(float(answers.sum())), "rounds": most, "seed": seed}
    model = Model(trees and narrowed(trees, kept), names, slope, intercept + base, around, card, whole)
    if bags < 2:
        return model
    chosen |= _constraints(names, monotone or {})
    return _bagged(model, frame, rows, terms, chosen, bags, seen)


def _bagged(
    model: Model,
    frame: pd.DataFrame,
    rows: Rows,
    terms: Sequence[Term],
    chosen: Parameters,
    bags: int,
    seen: Callable[[int], object] | None,
) -> Model:
    """The same with bags, grown side by side: each row counts as often as chance has it, the number of trees and the
    calibration stay."""
    seed, rounds = int(chosen["seed"]), int(str(model.card["rounds"]))
    kept, stand = sampled(rows.answers, seed, TRIED)
    rows = rows.take(kept, stand).of([rows.signals.index(name) for name in model.signals])
    some = frame.iloc[kept][list(model.columns)]
    around = begun(some, None, model.follows)
    times = np.random.default_rng(seed).poisson(1.0, (bags, len(kept)))

    def bag(k: int) -> Model:
        there = np.flatnonzero(times[k])
        drawn, here = rows.take(there, times[k][there]), some.iloc[there]
        told = model.linear and linear(here, drawn.answers, terms, weights=drawn.weights, start=around[there])
        drawn = drawn if told is None else replace(drawn, start=begun(here, told, model.follows))
        own = dict(chosen) | {"seed": seed + k + 1, "num_threads": 1}
        trees = grown(drawn, own, rounds, seen).model_to_string() if rounds else ""
        return replace(model, trees=trees, linear=told, card={})

    model = replace(model, bags=tuple(Parallel(n_jobs=-1, prefer="threads")(delayed(bag)(k) for k in range(bags))))
    latest = frame.tail(max(1, int(LATEST * len(frame)))).tail(TRIED // 10)
    thin = float(np.quantile(model.errors(latest), THIN))
    return replace(model, card=dict(model.card) | {"bags": bags, "thin_from": thin})


def _linears(
    frame: pd.DataFrame,
    signals: Sequence[str],
    answers: Answer | Float,
    weights: Float,
    terms: Sequence[Term],
    start: Float,
) -> tuple[Linear | None, Linear | None]:
    """Linear models of the terms, on all rows but the latest slice and on all; none without terms that vary."""
    if not terms:
        return None, None
    frame = frame[list(signals)]
    whole = linear(frame, answers, terms, weights=weights, start=start)
    cut = _cut(answers) or len(answers)
    if not whole.terms:
        return None, None
    return linear(frame[:cut], answers[:cut], terms, weights=weights[:cut], start=start[:cut]), whole


def _around(frame: pd.DataFrame, answers: Answer | Float, weights: Float, follows: str | None) -> Followed | None:
    """The column to follow with its mean, and how far answers went with it; None where it is not known of most rows."""
    if follows is None or follows not in frame or np.isnan(numbers(frame, [follows])).mean() > UNKNOWN:
        return None
    alone = Followed(follows, float(frame[follows].mean()))
    return replace(alone, pull=min(1.0, calibration(alone.of_frame(frame), answers, weights)[0]))


def _log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _answered(frame: pd.DataFrame, given: ArrayLike) -> Float:
    """The answers (n,); RedressError unless there is one from 0 to 1 for each row, and both are among them."""
    answers = _numbers(frame, given, "an answer")
    if not ((answers >= 0) & (answers <= 1)).all():
        odd = answers[~((answers >= 0) & (answers <= 1))]
        raise RedressError(
            f"training: want answers from 0, no, to 1, yes, got {len(odd)} such as {odd[0]}; leave out what has none"
        )
    if not len(answers) or answers.min() == answers.max():
        came = "none" if not len(answers) else f"{len(answers)} of {'yes' if answers[0] else 'no'} alone"
        raise RedressError(f"training: want both answers among mature askings, got {came}; train on a longer span")
    return answers


def _weighed(frame: pd.DataFrame, given: ArrayLike | None) -> Float:
    """The weights (n,), 1 without any; RedressError unless each is one, and some are above 0."""
    weights = np.ones(len(frame)) if given is None else _numbers(frame, given, "a weight")
    odd = weights[~((weights >= 0) & (weights < np.inf))]
    if len(odd) or not weights.any():
        came = f"{len(odd)} such as {odd[0]}" if len(odd) else "zeros alone"
        raise RedressError(
            f"training: want finite weights of which none is below 0 and some are above, got {came}; mend them"
        )
    return weights


def _numbers(frame: pd.DataFrame, given: ArrayLike, what: str) -> Float:
    """Given numbers (n,), one for each row of the frame."""
    try:
        found = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise RedressError(
            f"training: want {what} as a number for each row, got {type(given).__name__} of others"
        ) from None
    if found.shape != (len(frame),):
        raise RedressError(f"training: want {what} for each of {len(frame)} rows, got {found.shape}; give one each")
    return found


def _kept(trees: str, signals: Sequence[str], terms: Sequence[Term]) -> list[int]:
    """Places of the signals that trees split by or terms are made of; of the first, if there are none."""
    used, told = split_by(trees), {name for term in terms for name in term.signals}
    return [i for i, name in enumerate(signals) if i in used or name in told] or [0]


def _varying(frame: pd.DataFrame) -> tuple[list[str], NDArray[np.float32]]:
    """Names (m,) and values (n, m) of the signals, those of float32 columns that vary."""
    names = [str(name) for name in frame.columns[frame.dtypes == np.float32]]
    matrix = numbers(frame, names)
    varies = np.flatnonzero(np.fmin.reduce(matrix, axis=0) < np.fmax.reduce(matrix, axis=0))
    signals = [names[i] for i in varies]
    if not signals:
        came = "none" if names else f"no float32 column among {frame.shape[1]}"
        raise RedressError(f"training: want a signal that varies, got {came}; give the ledger more columns or rows")
    odd = next((name for name in signals if set(name) & set(RESERVED)), None)
    if odd is not None:
        raise RedressError(f"training: want names of signals without any of {RESERVED}, got {odd}; rename it")
    return signals, matrix[:, varies]


def _constraints(signals: Sequence[str], monotone: Mapping[str, int]) -> dict[str, str]:
    """LightGBM's constraints of the signals, where there are any; of patterns that match the first holds."""
    ways = [next((way for one, way in monotone.items() if fnmatchcase(name, one)), 0) for name in signals]
    return {"monotone_constraints": ",".join(map(str, ways))} if any(ways) else {}


def _trial(
    rows: Rows, chosen: Parameters, rounds: int, patience: int, seen: Callable[[int], object] | None, *, alone: bool
) -> tuple[int, float, float]:
    """Number of trees, and slope and intercept of the calibration, from the latest slice; few trees as they are without one.

    Where what they begin at can stand `alone`, there is none unless trees surely better it; likeliest on all rows, it is
    calibrated as it is.
    """
    cut, seed = _cut(rows.answers), int(chosen["seed"])
    if cut is None:
        return 0 if alone else max(1, rounds // 10), 1.0, 0.0
    early, late = (_some(rows.take(side), seed) for side in (slice(cut), slice(cut, None)))
    blanked(early.matrix, seed)
    booster = grown(early, chosen, rounds, seen, late=late, patience=patience)
    raw = said(booster, late.matrix)
    if alone and late.start is not None and not _better(late.start + raw, late.start, late):
        return 0, 1.0, 0.0
    return max(1, booster.best_iteration), *calibration(raw, late.answers, late.weights, late.start)


def _some(rows: Rows, seed: int) -> Rows:
    """At most TRIED of the rows, copied."""
    return rows.take(*sampled(rows.answers, seed, TRIED))


def _better(raw: Float, plain: Float, late: Rows) -> bool:
    """Whether log-odds say the answers better than plainer ones by more than chance would with 95 % confidence."""
    loss = [np.logaddexp(0, z) - late.answers * z for z in (plain, raw)]
    gain = late.weights * (loss[0] - loss[1])
    return bool(gain.mean() > SURE * gain.std() / np.sqrt(len(gain)))


def _cut(answers: Answer | Float) -> int | None:
    """Where the latest slice of the rows begins, None when either side of it has too few of either answer."""
    cut = int(len(answers) * (1 - LATEST))
    fewest = min(min(float(side.sum()), float((1 - side).sum())) for side in (answers[:cut], answers[cut:]))
    return cut if fewest >= FEWEST else None
