"""Curves of one predictor, small enough to keep and draw: precision, calibration, scores by answer, money caught."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

BINS: Final = 15
"""Equal-mass bins of a calibration curve."""
POINTS: Final = 400
"""Most points a curve keeps."""


@dataclass(frozen=True)
class Curves:
    """What a predictor looks like; every curve is a frame.

    `precision_recall` has recall, precision; `calibration` n, predicted, observed, low, high (Wilson, 95 %) of each
    bin; `histogram` low, high (probabilities), no, yes (rows); `money` reviewed, caught (shares), None without amounts.
    """

    precision_recall: pd.DataFrame
    calibration: pd.DataFrame
    histogram: pd.DataFrame
    money: pd.DataFrame | None

    def to_json(self) -> dict[str, object]:
        """The same as plain types: each curve a list for each column."""
        frames = {name: frame for name, frame in vars(self).items() if frame is not None}
        return {name: {c: [plain(v) for v in f[c].tolist()] for c in f} for name, f in frames.items()}


def curves(answers: Counts, probability: Floats, amount: Floats | None = None) -> Curves:
    """Every curve of one predictor; `amount` in cents, NaN unknown."""
    money = None if amount is None else money_caught(answers, probability, amount)
    return Curves(
        precision_recall(answers, probability),
        calibration(answers, probability),
        histogram(answers, probability),
        money,
    )


def precision_recall(answers: Counts, probability: Floats) -> pd.DataFrame:
    """Precision at each recall, from the highest score down, thinned.

    >>> precision_recall(np.array([1, 0, 1]), np.array([0.9, 0.5, 0.1])).to_dict("list")
    {'recall': [0.5, 0.5, 1.0], 'precision': [1.0, 0.5, 0.6666666666666666]}
    """
    order, ends = _descending(probability)
    found = np.cumsum(answers[order])[ends]
    keep = _thin(len(ends))
    return (
        pd.DataFrame({"recall": found / found[-1], "precision": found / (ends + 1)}).iloc[keep].reset_index(drop=True)
    )


def money_caught(answers: Counts, probability: Floats, amount: Floats) -> pd.DataFrame | None:
    """The share of the yes' money caught by reviewing a share of the rows, highest score first; None without money.

    >>> found = money_caught(np.array([1, 0, 1]), np.array([0.9, 0.5, 0.1]), np.array([300.0, 900.0, 100.0]))
    >>> found.round(2).to_dict("list")
    {'reviewed': [0.0, 0.33, 0.67, 1.0], 'caught': [0.0, 0.75, 0.75, 1.0]}
    """
    order, ends = _descending(probability)
    # an unknown amount is reviewed like any other row and can only add nothing to the sum
    caught = np.cumsum(np.where(np.isnan(amount) | (answers == 0), 0, amount)[order])[ends]
    if caught[-1] <= 0:
        return None
    keep = _thin(len(ends))
    frame = {"reviewed": (ends[keep] + 1) / len(order), "caught": caught[keep] / caught[-1]}
    return pd.DataFrame({name: np.concatenate([[0.0], column]) for name, column in frame.items()})


def calibration(answers: Counts, probability: Floats) -> pd.DataFrame:
    """Predicted and observed rate in equal-mass bins; equal scores stay in the bin their middle falls into.

    >>> calibration(np.array([0, 0, 0, 1]), np.full(4, 0.2))[["n", "predicted", "observed"]].round(2).to_dict("list")
    {'n': [4], 'predicted': [0.2], 'observed': [0.25]}
    """
    _, group, size = np.unique(-probability, return_inverse=True, return_counts=True)
    before = np.cumsum(size) - size
    place = (BINS * (2 * before + size) // (2 * len(answers)))[group]
    n, predicted, yes = (np.bincount(place, w, BINS) for w in (None, probability, answers))
    frame = pd.DataFrame({"n": n, "predicted": predicted, "observed": yes})[n > 0].iloc[::-1].reset_index(drop=True)
    frame[["predicted", "observed"]] = frame[["predicted", "observed"]].div(frame["n"], axis=0)
    frame["low"], frame["high"] = wilson(frame["observed"].to_numpy(), frame["n"].to_numpy())
    return frame


def wilson(rate: Floats, n: Counts) -> tuple[Floats, Floats]:
    """The 95 % interval of a rate among n (Wilson, 1927).

    >>> [round(float(edge), 4) for edge in wilson(np.array(0.0), np.array(10))]
    [0.0, 0.2775]
    """
    z = 1.959963984540054
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


def histogram(answers: Counts, probability: Floats, bins: int = 30) -> pd.DataFrame:
    """How many no and yes score in each of `bins` equal steps of log-odds; the outer two hold whatever lies beyond."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    lo, hi = float(odds.min()), float(odds.max())
    edges = np.linspace(lo, hi, bins + 1) if lo < hi else np.array([lo - 0.5, lo + 0.5])
    no, yes = (np.histogram(odds[answers == answer], edges)[0] for answer in (0, 1))
    rate = 1 / (1 + np.exp(-edges))
    return pd.DataFrame({"low": rate[:-1], "high": rate[1:], "no": no, "yes": yes})


def plain(value: object) -> object:
    """A NumPy scalar as Python's own, NaN as None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _descending(probability: Floats) -> tuple[Counts, Counts]:
    """Places from the highest score down, and where each group of equal scores ends."""
    order = np.argsort(-probability, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(probability[order]) != 0, True))


def _thin(n: int) -> Counts:
    """At most POINTS of n places with both ends: half evenly spaced, half dense at the start, where scores are high."""
    if n <= POINTS:
        return np.arange(n)
    half = POINTS // 2
    return np.unique(np.concatenate([np.linspace(0, n - 1, half), np.geomspace(1, n, half) - 1]).astype(np.int64))
