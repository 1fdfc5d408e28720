"""Resamples of buyers: the means of groups, with intervals that hold for all groups together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.curves import Floats

Groups = Mapping[str, NDArray[np.bool_]]

CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Draws:
    """Resamples of buyers, whose askings come together; an asking of a buyer unknown (-1) comes alone."""

    buyer: NDArray[np.int64]
    resamples: int = 500
    seed: int = 0

    def means(self, values: Floats, groups: Groups) -> dict[str, dict[str, float]]:
        """The mean of `values` in each group, as `difference`, and the interval that holds for all groups together."""
        code = _alone(self.buyer)
        sums = np.array([np.bincount(code, values * mask) for mask in groups.values()])
        rows = np.array([np.bincount(code, mask) for mask in groups.values()])
        mean, rng, n = sums.sum(axis=1) / rows.sum(axis=1), np.random.default_rng(self.seed), sums.shape[1]
        drawn = [self._mean(sums, rows, np.bincount(rng.integers(0, n, n), minlength=n)) for _ in range(self.resamples)]
        wide = _together(np.nan_to_num(np.array(drawn).reshape(-1, len(mean)) - mean))
        found = zip(groups, rows.sum(axis=1), mean, wide, strict=True)
        return {
            name: {"rows": float(k), "difference": float(m), "low": float(m - w), "high": float(m + w)}
            for name, k, m, w in found
        }

    @staticmethod
    def _mean(sums: Floats, rows: Floats, weight: NDArray[np.int64]) -> Floats:
        """Group means of one resample, NaN where it drew none of a group."""
        n = rows @ weight
        mean: Floats = np.where(n > 0, sums @ weight, np.nan) / np.maximum(n, 1)
        return mean


def _together(away: Floats) -> Floats:
    """Half widths (groups,) of intervals which all hold at once in CONFIDENCE of the resamples `away` (resamples, groups)."""
    if not len(away):
        return np.full(away.shape[1], np.nan)
    spread = np.std(away, axis=0)
    farthest = np.max(np.abs(away) / np.where(spread > 0, spread, np.inf), axis=1)
    wide: Floats = np.quantile(farthest, CONFIDENCE) * spread
    return wide


def _alone(buyer: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes without a gap in which every unknown buyer is one by himself."""
    lone = buyer.max(initial=-1) + 1 + np.arange(len(buyer))
    return np.unique(np.where(buyer < 0, lone, buyer), return_inverse=True)[1]
