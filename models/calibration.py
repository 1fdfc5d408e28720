"""Calibration: the straight line in log-odds that makes probabilities mean what they say."""

from typing import Final

import numpy as np
from scipy.optimize import minimize

from features.signal import Float
from models.questions import Answer

_SPREAD: Final = 0.3
"""How far a calibration's slope lies from 1 and its intercept from 0, as a standard deviation before the answers are seen."""


def calibration(
    raw: Float, answers: Answer | Float, weights: Float | None = None, start: Float | None = None
) -> tuple[float, float]:
    """Slope and intercept that turn raw log-odds into calibrated ones (Platt 1999); the slope is never negative.

    Normal priors hold the slope near 1 and the intercept near 0, so that few answers change little. Log-odds `start` (n,) that
    the raw ones add to are taken as they are.

    >>> slope, intercept = calibration(np.zeros(100_000), np.repeat([0, 1], [90_000, 10_000]).astype(np.int8))
    >>> round(float(1 / (1 + np.exp(-intercept))), 3)
    0.1
    """
    w = np.ones_like(raw) if weights is None else weights
    begun = np.zeros_like(raw) if start is None else start

    def loss(line: Float) -> tuple[float, Float]:
        z = begun + line[0] * raw + line[1]
        miss = w * (1 / (1 + np.exp(-z)) - answers)
        away = line - [1.0, 0.0]
        down = np.sum(w * (np.logaddexp(0, z) - answers * z)) + away @ away / (2 * _SPREAD**2)
        return float(down), np.array([miss @ raw, miss.sum()]) + away / _SPREAD**2

    line = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[(0.0, None), (None, None)]).x
    return float(line[0]), float(line[1])
