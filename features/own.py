"""What a case adds to its parties' histories itself: a dispute asked about again is none of the buyer's other disputes.

Nor is what became of it: what was ruled on it and found of it, how it ended, and what it made of its order.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from features.kernel import NEVER, Code, Int, Sweep, Totals

OF_CASE: Final = ("disputes", "chargebacks")
"""Tables whose rows do not count in the histories that they are asked about with, nor what became of them."""
OUTCOMES: Final = ("rulings", "findings", "chargeback_rulings")
"""Tables that say what became of them."""
_LATEST: Final = np.iinfo(np.int64).max


class Own:
    """The facts of a stream that belong to what is asked about, and what an entity's totals are without them.

    Facts `at` (n,) in time order, of the entities `codes`, are of the cases `case` (n,), one of `cases`, -1 for none; those of
    `asked` will be asked about. `heirs` (m) name for a measure of first meetings the fact that would be the first if this one
    were not, -1 where none is. First and last moments are right where a case has one fact. No window may be of the last k
    facts, into which others would come: AssertionError.
    """

    def __init__(
        self,
        at: Int,
        codes: Code,
        case: Int,
        measures: Sequence[Int],
        heirs: Sequence[Int | None],
        edges: Sequence[int],
        cases: int,
        asked: Int,
    ) -> None:
        assert all(edge >= 0 for edge in edges), "a window of the last k facts cannot do without one of them"
        self._at, self._before, self._after = _beside(at, codes, case, cases)
        made = [(at, case, list(measures))]
        for m, heir in enumerate(heirs):
            if heir is not None:
                kept = heir >= 0
                left = [np.zeros(kept.sum(), np.int64) if k != m else -one[kept] for k, one in enumerate(measures)]
                made.append((at[heir[kept]], case[kept], left))
        at, case = (np.concatenate([one[i] for one in made]) for i in (0, 1))
        sort = np.argsort(at, kind="stable")
        summed = [np.concatenate(parts)[sort] for parts in zip(*(one[2] for one in made), strict=True)]
        self._sweep = Sweep(
            at[sort], case[sort].astype(np.int32), cases, summed, edges, asked=np.unique(asked).astype(np.int32)
        )

    def without(self, totals: Totals, case: Int, t: Int) -> Totals:
        """Totals of askings at `t` (n,) without what their own cases (n,) add to them."""
        own, at = self._sweep.totals(case.astype(np.int32), t), self._at[case]
        known = (at != NEVER) & (at < t)
        last = np.where(known & (totals.last == at), self._before[case], totals.last)
        after = np.where(self._after[case] < t, self._after[case], NEVER)
        first = np.where(known & (totals.first == at), after, totals.first)
        return Totals(totals.windows - own.windows, first, last)


def _beside(at: Int, codes: Code, case: Int, cases: int) -> tuple[Int, Int, Int]:
    """When each case (cases + 1,) became a fact, the last being none, and when the entity's facts before and after it did.

    >>> at, codes = np.array([3, 5, 5, 9]), np.array([0, 0, 0, 1], np.int32)
    >>> [found[:2].tolist() for found in _beside(at, codes, np.array([0, 1, -1, -1]), 2)]
    [[3, 5], [-9223372036854775808, 5], [5, 5]]
    """
    sort = np.argsort(codes, kind="stable")
    t, same = at[sort], np.diff(codes[sort]) == 0
    before, after = np.full(at.size, NEVER), np.full(at.size, _LATEST)
    before[sort[1:]], after[sort[:-1]] = np.where(same, t[:-1], NEVER), np.where(same, t[1:], _LATEST)
    before, after = np.where(after == at, at, before), np.where(before == at, at, after)
    mine, found = np.flatnonzero(case >= 0), np.full((3, cases + 1), NEVER)
    found[:, case[mine]] = np.stack([at[mine], before[mine], after[mine]])
    return found[0], found[1], found[2]


def heirs(codes: Code, partners: Code) -> Int:
    """For each fact (n,) in time order the entity's next with the same partner, -1 where there is none."""
    sort = np.lexsort((partners, codes))
    same = (np.diff(codes[sort]) == 0) & (np.diff(partners[sort]) == 0)
    found = np.full(codes.size, -1)
    found[sort[:-1]] = np.where(same, sort[1:], -1)
    return np.where((codes >= 0) & (partners >= 0), found, -1)
