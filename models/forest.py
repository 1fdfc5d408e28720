"""Forests: the trees of one model or of several, walked by compiled code; each sum is LightGBM's own to the bit.

LightGBM adds the leaves of a row one tree after the other, beginning at 0. So does this, in less time, and without what a call
of it costs where there is only one row.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel import Code
from features.signal import Float
from models.attributions import ABSENT, ABSENT_LEFT, ALMOST_ZERO, TOGETHER, Fields, plain

NODE: Final = np.dtype([("threshold", "f4"), *((name, "i4") for name in ("signal", "absent", "left", "right"))])
"""`absent` is where what is absent goes, LEFT or not, and whether ZEROS are as good as absent; of the children, c below 0 is
leaf -1 - c. A float32 is at most a threshold just where it is at most the largest float32 that is at most the threshold."""
LEFT: Final = 1
ZEROS: Final = 2
SLAB: Final = 4096
"""Rows that a core walks at a time, where there are more."""


@dataclass(frozen=True)
class Forest:
    """Trees one after the other, those of a model from `start` on: their roots, splits (NODE) and what leaves say."""

    start: Code
    roots: Code
    nodes: NDArray[np.void]
    leaves: Float

    def said(self, matrix: NDArray[np.float32]) -> Float:
        """What the trees of each model add up to for each row of a matrix (n, columns), raw log-odds (n, models)."""
        found, whole = np.zeros((len(matrix), self.start.size - 1)), np.ascontiguousarray(matrix)

        def walk(lo: int) -> None:
            rows = slice(lo, lo + SLAB)
            _walk(whole[rows], self.start, self.roots, self.nodes, self.leaves, found[rows])

        if len(matrix) <= SLAB:
            walk(0)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(walk, range(0, len(matrix), SLAB)))
        return found


def forest(models: Sequence[tuple[str, Sequence[int]]]) -> Forest | None:
    """Models as trees in LightGBM's own format, each with the columns that its signals are; None unless all are `plain`."""
    start, roots, nodes, leaves = [0], list[int](), list[tuple[float, ...]](), list[float]()
    for text, places in models:
        trees = plain(text)
        if trees is None:
            return None
        for tree in trees:
            roots.append(len(nodes) if len(tree["leaf_value"]) > 1 else -1 - len(leaves))
            nodes += _nodes(tree, places, len(nodes), len(leaves))
            leaves += tree["leaf_value"]
        start.append(len(roots))
    return Forest(np.array(start, np.int32), np.array(roots, np.int32), np.array(nodes, NODE), np.array(leaves))


def _nodes(tree: Fields, places: Sequence[int], nodes: int, leaves: int) -> Iterator[tuple[float, ...]]:
    """A tree's splits as NODE has them, after so many splits and leaves of others."""
    for node in range(len(tree["leaf_value"]) - 1):
        threshold, kind = tree["threshold"][node], int(tree["decision_type"][node])
        children = (int(tree[side][node]) for side in ("left_child", "right_child"))
        below = (child - leaves if child < 0 else child + nodes for child in children)
        yield _down(threshold), places[int(tree["split_feature"][node])], _absent(kind, threshold), *below


def _down(threshold: float) -> float:
    """The largest float32 that is at most a threshold, where LightGBM takes for 0 what is almost 0.

    >>> _down(0.5), _down(0.1) < 0.1 < float(np.float32(0.1)), _down(-ALMOST_ZERO) < -ALMOST_ZERO < 0 < _down(0.0)
    (0.5, True, True)
    """
    if abs(threshold) <= ALMOST_ZERO:
        edge = np.float32(ALMOST_ZERO)
        return float(edge if threshold >= 0 else np.nextafter(-edge, np.float32(-np.inf)))
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))


def _absent(kind: int, threshold: float) -> int:
    """Where what is absent goes, by LightGBM's decision type; where nothing is, NaN is 0.

    >>> [_absent(kind, 1.0) for kind in (0, 4, 6, 8, 10)]
    [1, 2, 3, 0, 1]
    """
    absent = kind // ABSENT
    left = kind & ABSENT_LEFT != 0 if absent else threshold >= 0
    return LEFT * left + ZEROS * (absent == 1)


@njit(cache=True, nogil=True)
def _walk(
    matrix: NDArray[np.float32], start: Code, roots: Code, nodes: NDArray[np.void], leaves: Float, found: Float
) -> None:
    """Adds to `found` (n, models) what each model's leaves of a row say, tree by tree."""
    for lo in range(0, matrix.shape[0], TOGETHER):
        for model in range(found.shape[1]):
            for tree in range(start[model], start[model + 1]):
                for row in range(lo, min(lo + TOGETHER, matrix.shape[0])):
                    numbers, at = matrix[row], roots[tree]
                    while at >= 0:
                        node = nodes[np.uint32(at)]
                        number, absent = numbers[np.uint32(node.signal)], node.absent
                        gone = (number != number) | ((absent & ZEROS != 0) & (abs(number) <= ALMOST_ZERO))
                        left = (number <= node.threshold) & ~gone | gone & (absent & LEFT != 0)
                        at = node.left if left else node.right
                    found[row, model] += leaves[np.uint32(-1 - at)]
