"""Resamples of buyers: what comes together is drawn together, and intervals hold for all groups at once."""

import numpy as np
import pytest

from models.resampling import Draws


def test_askings_of_one_buyer_are_drawn_together() -> None:
    values = np.repeat(np.arange(40) % 2, 10).astype(np.float64)  # 40 buyers with ten askings each, all alike
    group = {"all": np.ones(400, np.bool_)}
    alone, together = (Draws(b, 500).means(values, group)["all"] for b in (np.full(400, -1), np.arange(400) // 10))
    wide = [row["high"] - row["low"] for row in (alone, together)]
    assert wide[0] == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 400), rel=0.15)
    assert wide[1] == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 40), rel=0.15)


def test_intervals_that_hold_together_are_wider_than_one_alone_and_equal_the_plain_loop() -> None:
    rng = np.random.default_rng(3)
    values, buyer = rng.normal(size=400), rng.integers(-1, 60, 400)
    masks = {"low": np.arange(400) < 150, "high": np.arange(400) >= 120, "odd": np.arange(400) % 2 == 1}
    found = Draws(buyer, 100, seed=5).means(values, masks)
    clusters = [[i] for i in range(400) if buyer[i] < 0]
    clusters = [np.flatnonzero(buyer == b).tolist() for b in range(60) if (buyer == b).any()] + clusters
    away, rng = [], np.random.default_rng(5)
    for _ in range(100):
        rows = [i for c in rng.integers(0, len(clusters), len(clusters)) for i in clusters[c]]
        away.append([values[[i for i in rows if m[i]]].mean() - values[m].mean() for m in masks.values()])
    spread = np.array(away).std(axis=0)
    width = np.quantile((np.abs(away) / spread).max(axis=1), 0.95) * spread
    for k, (name, mask) in enumerate(masks.items()):
        row = found[name]
        assert row["difference"] == pytest.approx(values[mask].mean())
        assert (row["high"] - row["low"]) / 2 == pytest.approx(width[k])
    assert width[0] > 1.96 * spread[0]
