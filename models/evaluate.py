"""The numbers that matter: how good probabilities are, against baselines, each with a 95 % interval.

The rows are resampled (500 times by default) with the same draw for every predictor, so the difference model − baseline
has an interval of its own; buyer precision resamples days, because one day is one list of buyers to review. Intervals
are percentiles of the resamples; but an error of calibration is a sum of absolute values, which chance makes too large
in a sample and larger still in a resample, and its resamples are corrected for both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike, NDArray

from features.errors import RedressError
from features.kernel import DAY
from models.curves import BINS, Curves, curves, plain

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
REVIEWED: Final = 100
"""Buyers a team can look at in a day."""


@dataclass(frozen=True)
class Metric:
    """One number: its name, what to call it, whether more is better, how to print it, and if samples overstate it."""

    name: str
    label: str
    higher: bool
    format: str
    says: str
    overstated: bool = False


METRICS: Final = (
    Metric("auc", "AUC", True, ".3f", "chance that a yes scores above a no"),
    Metric("average_precision", "average precision", True, ".4f", "precision averaged over recall"),
    Metric("brier", "Brier score", False, ".5f", "mean squared error of the probability"),
    Metric("log_loss", "log loss", False, ".5f", "mean −log of the probability given to what happened"),
    Metric("ece", "calibration error", False, ".3%", f"mean |predicted − observed| over {BINS} equal bins", True),
    Metric("ece_top", "calibration error, top 1 %", False, ".2%", "|predicted − observed| in the top 1 %", True),
    Metric(
        f"buyer_precision_{REVIEWED}", "buyer precision", True, ".1%", f"yes among {REVIEWED} buyers reviewed a day"
    ),
)
"""What is measured; the first six come from rows in this order, the last from days."""


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found: one row of `table` for each predictor and metric, and curves to draw for each predictor.

    `table` has predictor, metric, estimate, low, high, and for a baseline difference (model − baseline),
    difference_low, difference_high. `span` holds the first and the last asking. The model is the first predictor.
    """

    n: int
    positives: int
    span: tuple[datetime, datetime]
    resamples: int
    table: pd.DataFrame
    curves: dict[str, Curves]

    @property
    def model(self) -> str:
        """The predictor under test."""
        return next(iter(self.curves))

    def numbers(self, metric: str, predictor: str | None = None) -> dict[str, float]:
        """The numbers of one row of `table`, by column: those of the model unless a predictor is named."""
        row = (self.table["predictor"] == (predictor or self.model)) & (self.table["metric"] == metric)
        return {str(name): float(v) for name, v in self.table.loc[row].iloc[0, 2:].items()}

    def to_json(self) -> dict[str, object]:
        """The same as plain types, NaN as None."""
        return {
            "n": self.n,
            "positives": self.positives,
            "span": [t.isoformat() for t in self.span],
            "resamples": self.resamples,
            "table": [dict(zip(self.table, map(plain, row), strict=True)) for row in self.table.to_numpy(object)],
            "curves": {name: c.to_json() for name, c in self.curves.items()},
        }


def evaluate(
    answers: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    *,
    at: ArrayLike,
    buyer: ArrayLike | None = None,
    amount: ArrayLike | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Evaluation:
    """Measures the first of `probabilities` against the others, all on the same n askings.

    `answers` is 1 for yes; `at` microseconds since the epoch; `buyer` codes, -1 unknown; `amount` cents, NaN unknown.
    Raises RedressError unless both answers occur and every probability lies in [0, 1].

    >>> ev = evaluate([1, 0, 0, 0], {"model": [0.9, 0.1, 0.1, 0.1], "constant": [0.25] * 4}, at=[0] * 4, resamples=0)
    >>> ev.table.query("metric == 'auc'")[["predictor", "estimate", "difference"]].to_dict("list")
    {'predictor': ['model', 'constant'], 'estimate': [1.0, 0.5], 'difference': [nan, 0.5]}
    """
    yes, predictors, times = _checked(answers, probabilities, at)
    rng = np.random.default_rng(seed)
    by_row = _by_row(yes, predictors, resamples, rng)
    by_day = _by_day(yes, predictors, times, buyer, resamples, rng)
    draws = np.concatenate([by_row, by_day], axis=2)
    for k in (k for k, metric in enumerate(METRICS) if metric.overstated):
        draws[1:, :, k] = _corrected(draws[:, :, k])
    cents = None if amount is None else np.asarray(amount, np.float64)
    return Evaluation(
        n=len(yes),
        positives=int(yes.sum()),
        span=(_moment(times.min()), _moment(times.max())),
        resamples=resamples,
        table=pd.DataFrame(_rows(draws, list(predictors))),
        curves={name: curves(yes, p, cents) for name, p in predictors.items()},
    )


def row_metrics(answers: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> dict[str, float]:
    """The metrics of rows, each row counted `weight` times (whole numbers); NaN when the weight knows one answer only.

    Equal scores are one group, as in scikit-learn; a group stays whole in the equal-mass bin its middle falls into,
    and counts by its share where it straddles the edge of the top 1 % (the ceil(n / 100) highest scores).

    >>> row_metrics([0, 1, 1, 0], [0.1, 0.8, 0.4, 0.4])["auc"]
    0.875
    """
    yes, p = np.asarray(answers, np.int64), np.asarray(probability, np.float64)
    w = np.ones(len(yes), np.int64) if weight is None else np.asarray(weight, np.int64)
    return dict(zip((m.name for m in METRICS), _measure(*_sorted(yes, p), w).tolist(), strict=False))


def buyer_precision(
    answers: ArrayLike, probability: ArrayLike, at: ArrayLike, buyer: ArrayLike, reviewed: int = REVIEWED
) -> Floats:
    """For each UTC day the share of the `reviewed` highest-scored buyers with a yes that day; NaN if none is left.

    A buyer counts with the highest score of the day and is not reviewed again once caught; equal scores go to the
    earlier asking. Fewer buyers than `reviewed` are all reviewed (card precision top-k, Le Borgne et al., 2022).

    >>> buyer_precision([1, 0, 1, 0], [0.9, 0.8, 0.9, 0.1], at=[0, 1, DAY, DAY], buyer=[7, 8, 7, 8], reviewed=1)
    array([1., 0.])
    """
    known = np.asarray(buyer) >= 0
    if not known.any():
        return np.empty(0)
    yes, p = np.asarray(answers)[known], np.asarray(probability)[known]
    times, code = np.asarray(at)[known], np.asarray(buyer)[known]
    _, code = np.unique(code, return_inverse=True)
    days, day = np.unique(times // DAY, return_inverse=True)
    order = np.lexsort((times, -p, code, day))
    first = np.flatnonzero(np.diff(day[order] * (len(code) + 1) + code[order], prepend=-1))
    caught_today = np.maximum.reduceat(yes[order], first) > 0
    best = order[first]
    ranked = np.lexsort((times[best], -p[best], day[best]))
    caught, shares = np.zeros(len(code), bool), np.full(len(days), np.nan)
    for d, today in enumerate(np.split(ranked, np.searchsorted(day[best][ranked], np.arange(1, len(days))))):
        listed = today[~caught[code[best[today]]]][:reviewed]
        hit = listed[caught_today[listed]]
        caught[code[best[hit]]] = True
        shares[d] = len(hit) / len(listed) if len(listed) else np.nan
    return shares


def _checked(
    answers: ArrayLike, probabilities: Mapping[str, ArrayLike], at: ArrayLike
) -> tuple[Counts, dict[str, Floats], Counts]:
    yes, times = np.asarray(answers, np.int64), np.asarray(at, np.int64)
    n, positives = len(yes), int((yes == 1).sum())
    if not 0 < positives < n:
        came = f"got {positives:,} yes among {n:,}"
        raise RedressError(f"evaluation: want both answers, {came}; take a longer span or wait for more answers")
    predictors = {name: np.asarray(p, np.float64) for name, p in probabilities.items()}
    for name, p in predictors.items():
        if len(p) != n or not ((p >= 0) & (p <= 1)).all():
            bad = f"{len(p):,} rows" if len(p) != n else f"{p[~((p >= 0) & (p <= 1))][0]}"
            raise RedressError(f"evaluation.{name}: want {n:,} probabilities in [0, 1], got {bad}; check the predictor")
    return yes, predictors, times


def _by_row(yes: Counts, predictors: Mapping[str, Floats], resamples: int, rng: np.random.Generator) -> Floats:
    """Metrics of rows: estimate first, then each resample; (1 + resamples, predictors, metrics)."""
    ordered = [_sorted(yes, p) for p in predictors.values()]
    weights = _draws(len(yes), resamples, rng)
    return np.array([[_measure(*rows, w) for rows in ordered] for w in weights])


def _by_day(
    yes: Counts,
    predictors: Mapping[str, Floats],
    times: Counts,
    buyer: ArrayLike | None,
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Buyer precision: its mean over days, then over each resample of days; (1 + resamples, predictors, 1)."""
    code = np.full(len(yes), -1) if buyer is None else buyer
    days = np.column_stack([buyer_precision(yes, p, times, code) for p in predictors.values()])
    weights = np.array(list(_draws(len(days), resamples, rng)))
    if len(days) < 2:  # one day says nothing about how days differ
        weights[1:] = 0
    known = weights @ ~np.isnan(days)
    share: Floats = np.where(known > 0, weights @ np.nan_to_num(days) / np.maximum(known, 1), np.nan)
    return share[:, :, None]


def _draws(n: int, resamples: int, rng: np.random.Generator) -> Iterator[Counts]:
    """How often each of n counts: once each, then as drawn with replacement."""
    yield np.ones(n, np.int64)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, n, n), minlength=n)


def _rows(draws: Floats, names: list[str]) -> Iterator[dict[str, object]]:
    for j, name in enumerate(names):
        for k, metric in enumerate(METRICS):
            low, high = _interval(draws[:, j, k])
            row: dict[str, object] = {"predictor": name, "metric": metric.name, "estimate": draws[0, j, k]}
            row |= {"low": low, "high": high}
            difference = draws[:, 0, k] - draws[:, j, k] if j else np.full(len(draws), np.nan)
            low, high = _interval(difference)
            yield row | {"difference": difference[0], "difference_low": low, "difference_high": high}


def _corrected(draws: Floats) -> Floats:
    """Resampled errors without what chance adds, in squares: as much in the sample as the resample adds to that."""
    square = draws[1:] ** 2
    known = ~np.isnan(square)
    added = np.where(known, square, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1) - draws[0] ** 2
    corrected: Floats = np.sqrt(np.clip(square - 2 * added, 0, 1))
    return corrected


def _interval(draws: Floats) -> tuple[float, float]:
    """The 95 % interval from the estimate and its resamples, stretched if need be to hold the estimate."""
    estimate, known = float(draws[0]), draws[1:][~np.isnan(draws[1:])]
    if not len(known) or np.isnan(estimate):
        return np.nan, np.nan
    low, high = (float(q) for q in np.percentile(known, (2.5, 97.5)))
    return min(low, estimate), max(high, estimate)


def _sorted(yes: Counts, p: Floats) -> tuple[Counts, Counts, Floats, Floats]:
    """Rows from the highest score down: their places, answers, scores and log losses (clipped as scikit-learn does)."""
    order = np.argsort(-p, kind="stable")
    y, p = yes[order], p[order]
    eps = np.finfo(np.float64).eps
    return order, y, p, -np.log(np.clip(np.where(y == 1, p, 1 - p), eps, 1 - eps))


@njit(cache=True, nogil=True, error_model="numpy")
def _measure(order: Counts, y: Counts, p: Floats, loss: Floats, weight: Counts) -> Floats:
    """The metrics of rows in one pass from the highest score down, equal scores together."""
    out = np.full(6, np.nan)
    total, positives = 0, 0
    for i in range(len(y)):
        total += weight[order[i]]
        positives += weight[order[i]] * y[i]
    if positives == 0 or positives == total:
        return out
    seen, found, group, group_yes = 0, 0, 0, 0
    area, precision, square, logs = 0.0, 0.0, 0.0, 0.0
    top, gap, top_gap, gaps = -(-total // 100), 0.0, 0.0, np.zeros(BINS)
    for i in range(len(y)):
        w = weight[order[i]]
        group += w
        group_yes += w * y[i]
        square += w * (p[i] - y[i]) ** 2
        logs += w * loss[i]
        if group and (i + 1 == len(y) or p[i + 1] != p[i]):
            area += (group - group_yes) * (found + group_yes / 2)
            found += group_yes
            precision += group_yes * found / (seen + group)
            gap = group * p[i] - group_yes
            gaps[int(BINS * (2 * seen + group) / (2 * total))] += gap  # exact below 2**53, and faster than //
            if seen < top:
                top_gap += gap * min(top - seen, group) / group
            seen += group
            group, group_yes = 0, 0
    out[0] = area / (positives * (total - positives))
    out[1] = precision / positives
    out[2] = square / total
    out[3] = logs / total
    out[4] = np.abs(gaps).sum() / total
    out[5] = abs(top_gap) / top
    return out


def _moment(microseconds: np.int64) -> datetime:
    return EPOCH + timedelta(microseconds=int(microseconds))
