"""Doubly robust: the difference in probability were all cases treated and were none; the only file that imports doubleml.

Augmented inverse probability weighting (Robins, Rotnitzky and Zhao 1994), cross-fitted (Chernozhukov et al. 2018). It is right
where either the propensity or the outcome is modelled right and nothing else bears on both. How much another thing could change
is bounded (Chernozhukov, Cinelli, Newey, Sharma and Syrgkanis 2022, after Cinelli and Hazlett 2020).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from features.errors import RedressError
from features.kernel import Flag
from models.curves import Floats

FOLDS: Final = 5
CLIP: Final = 0.01
"""A propensity is taken to be no nearer to 0 or 1 (DoubleML's default)."""
EACH_SIDE: Final = 0.975
"""What lies below the upper end of an interval, and above the lower one, for 95 % between them."""
Z: Final = NormalDist().inv_cdf(EACH_SIDE)

Folds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class Estimate:
    """A difference in probability with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Robust:
    """An adjusted difference, and what a hidden confounder could make of it.

    `wide` is its interval were there one as strong as was said. One brings the difference to zero that explains `robustness` of
    what is left of the answer and of the treatment, and the interval to zero one that explains `robustness_low`.
    """

    adjusted: Estimate
    wide: Estimate
    robustness: float
    robustness_low: float


NOTHING: Final = Robust(Estimate(*[float("nan")] * 3), Estimate(*[float("nan")] * 3), float("nan"), float("nan"))
"""Of what is not said to be an effect."""


def folds(treated: Flag, won: Floats, seed: int) -> Folds:
    """Which cases (learnt from, told) belong to each fold, each fold with its part of the four kinds of cases."""
    kinds = 2 * treated + won
    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(kinds, kinds))


def propensities(signals: Floats, treated: Flag, parts: Folds, learns: ClassifierMixin) -> Floats:
    """The probability (n,) that each case is treated, as told by the cases of other folds."""
    with _leniently():
        p = cross_val_predict(clone(learns), signals, treated.astype(np.int8), cv=parts, method="predict_proba")[:, 1]
    return np.asarray(p, np.float64)


def robust(
    signals: Floats, treated: Flag, won: Floats, parts: Folds, learns: ClassifierMixin, *, hidden: float
) -> tuple[Robust, Floats]:
    """The mean of won, were all cases treated, less that were none, and the propensities (n,) that it was found with.

    Raises RedressError without DoubleML.
    """
    try:
        import doubleml
        from doubleml.utils import PSProcessorConfig
    except ImportError:
        raise RedressError("effects: want DoubleML, got none; pip install DoubleML, or redress[effects]") from None
    data = doubleml.DoubleMLData.from_arrays(signals, won, treated.astype(np.float64))
    model = doubleml.DoubleMLIRM(
        *(data, clone(learns), clone(learns)),
        normalize_ipw=True,
        ps_processor_config=PSProcessorConfig(clipping_threshold=CLIP),
        draw_sample_splitting=False,
    )
    with _leniently():
        model.set_sample_splitting(parts).fit()
    model.sensitivity_analysis(cf_y=hidden, cf_d=hidden, level=EACH_SIDE)
    told, middle, half = model.sensitivity_params, float(model.coef[0]), Z * float(model.se[0])
    between = Estimate(middle, *(float(told["ci"][side][0]) for side in ("lower", "upper")))
    bounds = (float(told[name][0]) for name in ("rv", "rva"))
    propensity = np.asarray(model.predictions["ml_m"], np.float64).ravel()
    return Robust(Estimate(middle, middle - half, middle + half), between, *bounds), propensity


@contextmanager
def _leniently() -> Iterator[None]:
    """Nearly converged is good enough; one thread sums in one order, and waits for no other where cores are busy."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings(
            "ignore", "The estimated nu2", UserWarning
        )  # bounds of poor overlap, which balance tells too
        yield
