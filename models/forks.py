"""Forks: what trees say of one case with each of many sets of supposed evidence, where nothing but the evidence decides.

Of one case every split by a signal that no evidence moves is decided, and most trees shrink to a leaf or to a fork or two.
Trees that are left with the same signals share a table with a cell for each way in which these can be, filled when it is
first met; a set adds one cell of each table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.kernel import Code, Flag, Int
from features.signal import Float
from features.supposed import Move
from models.attributions import Tables, goes_left

CELLS: Final = 1 << 16
"""Cells of a table at most; trees that would need more are walked for every set."""


@dataclass(frozen=True)
class Forks:
    """The trees of a case: the roots, and of the splits those where the evidence decides; below 0 a leaf, as in SPLIT.

    Of a split, `sides` (splits, 2) are where left and right lead, `move` is the place of its signal among the `moves`, and
    `left` has a bit for each value of that, set where it leads left. `reads` has for each tree a bit for each of the moves that
    it depends on.
    """

    moves: tuple[Move, ...]
    roots: Code
    reads: Int
    sides: Code
    move: Code
    left: Int
    leaves: Float

    @property
    def moving(self) -> tuple[Move, ...]:
        """The moves that any tree depends on."""
        read = int(np.bitwise_or.reduce(self.reads, initial=0))
        return tuple(one for i, one in enumerate(self.moves) if read >> i & 1)

    def odds(self, sets: Flag) -> Float:
        """What the trees say (m,) with each of `sets` (m, k)."""
        met, bits = np.zeros((len(self.moves), len(sets)), np.uint8), 1 << np.arange(sets.shape[1])
        packed = (sets @ bits.astype(np.float64)).astype(np.int64)
        for one, count in zip(self.moves, met, strict=True):
            _count(packed, one.groups @ bits, count)
        levels, order = np.array([len(one.values) for one in self.moves], np.int64), np.argsort(self.reads)
        return _sum(met, levels, self.roots[order], self.reads[order], self.sides, self.move, self.left, self.leaves)


def forks(trees: Tables, row: NDArray[np.float32], moves: Mapping[int, Move]) -> Forks:
    """The trees of a case with the signals `row` (m,), of which `moves` says by their column how some move."""
    splits, place = trees.splits, np.full(len(row), -1, np.int32)
    place[[*moves]] = np.arange(len(moves))
    levels = np.array([len(one.values) for one in moves.values()], np.int64)
    values = np.zeros((len(moves), levels.max(initial=0)), np.float32)
    for one, told in zip(moves.values(), values, strict=True):
        told[: len(one.values)] = one.values
    sides, left = np.zeros((len(splits), 2), np.int32), np.zeros(len(splits), np.int64)
    leads, reads = _decided(row, splits, place, values, levels, sides, left)
    first, alone = trees.start[:-1], np.diff(trees.start) == 0
    leaf = -1 - first - np.arange(len(first), dtype=np.int32)  # a tree has one leaf more than splits
    inner = first[~alone]
    roots, read = leaf.astype(np.int32), np.zeros(len(first), np.int64)
    roots[~alone], read[~alone] = leads[inner], reads[inner]
    return Forks(tuple(moves.values()), roots, read, sides, place[splits["signal"]], left, trees.leaves["value"].copy())


@njit(cache=True, nogil=True)
def _decided(
    row: NDArray[np.float32],
    splits: NDArray[np.void],
    place: Code,
    values: NDArray[np.float32],
    levels: Int,
    sides: Code,
    left: Int,
) -> tuple[Code, Int]:
    """Where (splits,) each split leads in the end, to itself where moves decide, and the bits of those that matter from there.

    Fills `sides` and `left` of the splits that are left.
    """
    leads, reads = np.zeros(splits.size, np.int32), np.zeros(splits.size, np.int64)
    for node in range(splits.size - 1, -1, -1):
        split = splits[node]
        lo = leads[split.left] if split.left >= 0 else split.left
        hi = leads[split.right] if split.right >= 0 else split.right
        move, way = place[split.signal], 0
        if move < 0:
            number = np.float64(row[split.signal])
            leads[node] = lo if goes_left(number, split.threshold, split.kind) else hi
        else:
            for level in range(levels[move]):
                way |= goes_left(np.float64(values[move, level]), split.threshold, split.kind) << level
            leads[node] = lo if way == (1 << levels[move]) - 1 or lo == hi else hi if way == 0 else node
        if leads[node] == node:
            sides[node, 0], sides[node, 1], left[node] = lo, hi, way
            reads[node] = 1 << move | (reads[lo] if lo >= 0 else 0) | (reads[hi] if hi >= 0 else 0)
        elif leads[node] >= 0:
            reads[node] = reads[leads[node]]
    return leads, reads


@njit(cache=True, nogil=True)
def _count(sets: Int, groups: Int, found: NDArray[np.uint8]) -> None:
    """Adds to `found` (m,) how many groups each set meets, both as bits."""
    for group in groups:
        for i in range(sets.size):
            found[i] += (sets[i] & group) != 0


@njit(cache=True, nogil=True)
def _sum(
    met: NDArray[np.uint8],
    levels: Int,
    roots: Code,
    reads: Int,
    sides: Code,
    move: Code,
    left: Int,
    leaves: Float,
) -> Float:
    """What trees in the order of what they read say (m,) where the moves are at the levels `met` (moves, m)."""
    found, steps = np.zeros(met.shape[1]), np.zeros(levels.size, np.int64)
    lo = 0
    while lo < roots.size:
        hi, cells = lo, 1
        while hi < roots.size and reads[hi] == reads[lo]:
            hi += 1
        steps[:] = 0
        for i in range(levels.size):
            if reads[lo] >> i & 1 and cells <= CELLS:
                steps[i] = cells
                cells *= levels[i]
        table = np.full(min(cells, CELLS), np.nan)
        for i in range(found.size):
            cell = 0
            for j in range(levels.size):
                cell += steps[j] * met[j, i]
            if cells <= CELLS and not np.isnan(table[cell]):
                found[i] += table[cell]
                continue
            said = 0.0
            for tree in range(lo, hi):
                node = roots[tree]
                while node >= 0:
                    node = sides[node, 0 if left[node] >> met[move[node], i] & 1 else 1]
                said += leaves[-1 - node]
            if cells <= CELLS:
                table[cell] = said
            found[i] += said
        lo = hi
    return found
