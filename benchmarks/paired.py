"""A metric of several predictors on the same rows, with 95 % intervals from the same resamples for all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[..., float]
"""A metric of scikit-learn's: answers, probabilities and `sample_weight`. The product's own are not used to judge it."""
RESAMPLES: Final = 500


def draws(metric: Metric, yes: Floats, ways: Mapping[str, Sequence[Floats]], *, seed: int = 0) -> dict[str, Floats]:
    """The metric of each way on the rows, then on each resample of them, (1 + RESAMPLES,).

    A way is one predictor or several that differ by their seed alone, and counts with the median of theirs.
    """
    rng = np.random.default_rng(seed)
    n = len(yes)
    weights = [np.ones(n), *(np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(RESAMPLES))]
    return {
        name: np.array([np.median([metric(yes, p, sample_weight=w) for p in group]) for w in weights])
        for name, group in ways.items()
    }


def interval(found: Floats, sign: str = "") -> str:
    """The value on the rows themselves and the 2.5 % and 97.5 % points of its resamples.

    >>> interval(np.array([0.5, 0.4, 0.6]), sign="+")
    '+0.500 [+0.405, +0.595]'
    """
    low, high = np.percentile(found[1:], (2.5, 97.5))
    return f"{found[0]:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
