"""Fewer rows to learn from: a seeded sample in which the rarer answer is kept, and how many rows each stands for."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.kernel import Int
from features.signal import Float

MOST: Final = 1_000_000
"""Rows that a model learns from at most."""


def sampled(answers: NDArray[np.integer] | Float, seed: int, most: int = MOST) -> tuple[Int, Float]:
    """Positions of at most `most` rows, in order: of each answer all, up to half or what the other leaves.

    >>> rows, weight = sampled(np.array([0, 1, 0, 0, 0]), seed=0, most=3)
    >>> len(rows), 1 in rows, weight.tolist()
    (3, True, [2.0, 1.0, 2.0])
    """
    if len(answers) <= most:
        return np.arange(len(answers)), np.ones(len(answers))
    places = [np.flatnonzero(answers > 0), np.flatnonzero(~(answers > 0))]
    caps = [max(most // 2, most - len(other)) for other in places[::-1]]
    rng = np.random.default_rng(seed)
    kept = [rng.permutation(p)[:cap] for p, cap in zip(places, caps, strict=True)]
    weight = np.repeat([len(p) / max(1, len(k)) for p, k in zip(places, kept, strict=True)], [len(k) for k in kept])
    rows = np.concatenate(kept)
    order = np.argsort(rows)
    return rows[order], weight[order]
