"""Attributions: what each signal adds to what trees say of a row, exactly, looked up in tables that are made once.

What a leaf adds depends on a row only through which of the signals on the leaf's path lead to it, so the Shapley values of
the path-dependent game (Lundberg et al. 2020) are worked out for every such pattern beforehand, as in Fast TreeSHAP v2 (Yang
2021). For a row each split is then tested once, and of each leaf's table one line is added.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel import Code
from features.signal import Float

WIDEST: Final = 8
"""Signals on a path at most; a table has two to that power of lines."""
ABSENT_LEFT: Final = 2
ABSENT: Final = 4
"""Of LightGBM's decision type: the bit that sends the absent left, and the unit of what that is: 1 what is almost 0, 2 NaN."""
ALMOST_ZERO: Final = float(np.float32(1e-35))
TOGETHER: Final = 32
"""Rows that a tree is asked about in turn, while its tables are at hand."""

SPLIT: Final = np.dtype(
    [("threshold", "f8"), *((name, "i4") for name in ("signal", "kind", "bit", "sets", "left", "right"))]
)
"""`kind` is LightGBM's decision type, `bit` where the signal stands in patterns below, `sets` that bit where no split above is
by the same signal, else 0; of the children, c below 0 is leaf -1 - c."""
LEAF: Final = np.dtype([*((name, "i4") for name in ("signals", "path", "table")), ("value", "f8")])
"""How many signals are on the path, where these begin and its table does, and what a row that comes there is said."""

Fields = dict[str, list[float]]
"""A tree as its lines in LightGBM's own format tell it, by name."""
_Path = dict[int, float]
"""Signals in the order of their first splits, each with the share of the rows that its splits let pass."""


@dataclass(frozen=True)
class Tables:
    """Trees one after the other, a tree's splits from `start` on: splits and leaves (SPLIT, LEAF), paths, tables, and a base.

    The table of a leaf with m signals on its path has for each of 2 ** m patterns, in order, what each of the m adds.
    """

    start: Code
    splits: NDArray[np.void]
    leaves: NDArray[np.void]
    paths: Code
    adds: Float
    base: float

    def contributions(self, matrix: NDArray[np.float32]) -> Float:
        """What each column of a matrix (n, m) adds to the log-odds (n, m + 1), last what is the same for all."""
        found = np.zeros((len(matrix), matrix.shape[1] + 1))
        found[:, -1] = self.base
        _add(np.ascontiguousarray(matrix), self.start, self.splits, self.leaves, self.paths, self.adds, found)
        return found


def tables(trees: str) -> Tables | None:
    """The tables of trees in LightGBM's own format; None where they do not fit: very deep, or not `plain`."""
    known = plain(trees)
    if known is None:
        return None
    splits, leaves, start, base = list[tuple[float, ...]](), list[tuple[_Path, float]](), [0], 0.0
    for tree in known:
        above, ends = _paths(tree)
        splits += _splits(tree, above, len(splits), len(leaves))
        leaves += zip(ends, tree["leaf_value"], strict=True)
        start.append(len(splits))
        base += float(np.average(tree["leaf_value"], weights=tree["leaf_count"] if above else None))
    wide = np.array([len(path) for path, _ in leaves], np.int64)
    if wide.max(initial=0) > WIDEST:
        return None
    sizes = np.column_stack([wide, wide, wide << wide])
    found = np.vstack([np.zeros(3, np.int64), sizes]).cumsum(axis=0)[:-1]
    found[:, 0] = wide
    told = zip(*found.T.tolist(), (value for _, value in leaves), strict=True)
    return Tables(
        np.array(start, np.int32),
        np.array(splits, SPLIT),
        np.array([*told], LEAF),
        np.array([signal for path, _ in leaves for signal in path], np.int32),
        np.concatenate([np.zeros(0), *(lines(np.array(list(path.values())), value).ravel() for path, value in leaves)]),
        base,
    )


@njit(cache=True, nogil=True)
def lines(passes: Float, value: float) -> Float:
    """What each of m signals adds (2 ** m, m) by pattern, for a leaf of some `value`; `passes` (m,) are the shares let pass.

    Before it is told, a signal leads to the leaf as often as rows pass its splits; then always or never. What that changes is
    averaged over all orders of being told.

    >>> lines(np.array([0.5]), 8.0).tolist()
    [[-4.0], [4.0]]
    """
    m = passes.size
    found = np.empty((1 << m, m))
    for pattern in range(1 << m):
        for i in range(m):
            told = np.zeros(m)  # what the others let pass, by how many of them were told
            told[0] = 1.0
            for j in range(m):
                if j != i:
                    leads = float(pattern >> j & 1)
                    for k in range(m - 1, 0, -1):
                        told[k] = told[k] * passes[j] + told[k - 1] * leads
                    told[0] *= passes[j]
            orders, change = 1.0 / m, 0.0  # the share of orders in which just k others come before
            for k in range(m):
                change += told[k] * orders
                orders *= (k + 1) / max(1, m - 1 - k)
            found[pattern, i] = value * change * (float(pattern >> i & 1) - passes[i])
    return found


def plain(trees: str) -> list[Fields] | None:
    """The fields of each tree, as numbers; None where a sum of leaves is not all: they are averaged, linear, or by category."""
    read = list(_read(trees))
    odd = "\naverage_output" in trees or any(any(one["num_cat"] + one["is_linear"]) for one in read)
    return None if odd else read


def _read(trees: str) -> Iterator[Fields]:
    """The fields of each tree, as numbers."""
    for block in trees.partition("\nend of trees")[0].split("\nTree=")[1:]:
        fields = (line.split("=", 1) for line in block.splitlines()[1:] if "=" in line)
        yield {name: [float(word) for word in words.split()] for name, words in fields}


def _paths(tree: Fields) -> tuple[list[_Path], list[_Path]]:
    """The paths to each split and to each leaf."""
    ends: list[_Path] = [{} for _ in tree["leaf_value"]]
    above: list[_Path] = [{} for _ in ends[1:]]
    for node, path in enumerate(above):
        signal, rows = int(tree["split_feature"][node]), tree["internal_count"][node]
        for child in (int(tree[side][node]) for side in ("left_child", "right_child")):
            there = tree["leaf_count"][~child] if child < 0 else tree["internal_count"][child]
            to = ends[~child] if child < 0 else above[child]
            to |= path | {signal: path.get(signal, 1.0) * there / rows}
    return above, ends


def _splits(tree: Fields, above: list[_Path], splits: int, leaves: int) -> Iterator[tuple[float, ...]]:
    """A tree's splits as SPLIT has them, after so many splits and leaves of others."""
    for node, path in enumerate(above):
        signal = int(tree["split_feature"][node])
        bit = 1 << list(path | {signal: 1.0}).index(signal)
        children = (int(tree[side][node]) for side in ("left_child", "right_child"))
        below = (child - leaves if child < 0 else child + splits for child in children)
        yield tree["threshold"][node], signal, tree["decision_type"][node], bit, bit * (signal not in path), *below


@njit(cache=True, nogil=True)
def _add(
    matrix: NDArray[np.float32],
    start: Code,
    splits: NDArray[np.void],
    leaves: NDArray[np.void],
    paths: Code,
    adds: Float,
    found: Float,
) -> None:
    """Adds to `found` (n, m + 1) what each column of a matrix (n, m) adds."""
    pattern = np.zeros(max(1, splits.size), np.int32)
    for lo in range(0, matrix.shape[0], TOGETHER):
        for tree in range(start.size - 1):
            for row in range(lo, min(lo + TOGETHER, matrix.shape[0])):
                numbers, added = matrix[row], found[row]
                for node in range(start[tree], start[tree + 1]):
                    split, above = splits[node], pattern[node] if node > start[tree] else np.int32(0)
                    passed, failed = above | split.sets, above & ~split.bit
                    left = goes_left(np.float64(numbers[split.signal]), split.threshold, split.kind)
                    for child, into in (
                        (split.left, passed if left else failed),
                        (split.right, failed if left else passed),
                    ):
                        if child >= 0:
                            pattern[child] = into
                        else:
                            leaf = leaves[-1 - child]
                            line = leaf.table + into * leaf.signals
                            for i in range(leaf.signals):
                                added[np.uint64(paths[leaf.path + i])] += adds[np.uint64(line + i)]


@njit(cache=True, nogil=True)
def goes_left(number: float, threshold: float, kind: int) -> bool:
    """Whether LightGBM sends a number left, by the `kind` of a split."""
    absent = kind // ABSENT
    if (np.isnan(number) and absent != 2) or abs(number) <= ALMOST_ZERO:
        number = 0.0
    if (absent == 1 and abs(number) <= ALMOST_ZERO) or (absent == 2 and np.isnan(number)):
        return kind & ABSENT_LEFT != 0
    return number <= threshold
