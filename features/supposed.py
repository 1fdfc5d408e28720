"""Supposed evidence: the signals that a case would have, had more items been brought when it is asked about."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.dictionary import dictionary
from features.evidence import OF_CASE
from features.kernel import DAY, Flag, Int
from features.operand import Operand
from features.signal import Signal
from features.tables import EVIDENCE

HELD: Final = {kind: f"case_items_{kind}" for kind in EVIDENCE}
"""The signal that counts the items of each kind that a case has."""
SINCE: Final = 1 / DAY
"""Days since an item that was brought one microsecond ago, the latest that is seen."""


@dataclass(frozen=True)
class Exhibit:
    """An item of evidence that a case might have: its kind, who brings it and who issued it, empty where nobody says.

    It is new: its content was shown nowhere before, and it says nothing of when it was made.
    """

    kind: str
    party: str
    issuer: str = ""


@dataclass(frozen=True)
class Move:
    """How a signal moves: by how many of some `groups` (g, k) of the k exhibits one is there; its `values` (g + 1,) by that."""

    name: str
    groups: Flag
    values: NDArray[np.float32]

    def met(self, sets: Flag) -> Int:
        """Of how many of the groups an exhibit is there (m,), for each of `sets` (m, k)."""
        return np.asarray((sets[:, None] & self.groups).any(axis=2).sum(axis=1), np.int64)


@cache
def moved(question: str) -> tuple[Signal, ...]:
    """The signals of a question that another item of evidence may move."""
    of_case = (one for one in dictionary(question) if one.entity == OF_CASE)
    return tuple(one for one in of_case if _measures(one) & {"count", "last"})


def needed(question: str) -> tuple[str, ...]:
    """The signals that must be known of a case before more evidence of it is supposed."""
    return tuple(one.name for one in moved(question))


def supposed(question: str, frame: pd.DataFrame, exhibits: Sequence[Exhibit], sets: Flag) -> pd.DataFrame:
    """The only row of a frame of signals once for each of `sets` (m, k) of the exhibits, as if those had been brought too.

    An item of a chargeback counts as filed with a defence at the moment asked, any other as brought a microsecond before.
    Signals that the frame has not are left out; one that counts a set's lack needs those of its items.

    >>> had = pd.DataFrame({"case_items_tracking": [1.0], "case_evidence_count": [1.0], "case_delivery_set_missing": [1.0]})
    >>> photo, proof = Exhibit("product_photo", "seller"), Exhibit("delivery_certificate", "seller", "carrier")
    >>> sets = np.array([[False, False], [True, False], [True, True]])
    >>> supposed("chargeback_win", had, [photo, proof], sets)["case_evidence_count"].tolist()
    [1.0, 2.0, 3.0]
    >>> supposed("chargeback_win", had, [photo, proof], sets)["case_delivery_set_missing"].tolist()
    [1.0, 1.0, 0.0]
    """
    same = frame.iloc[np.zeros(len(sets), np.int64)].reset_index(drop=True)
    return same.assign(**{one.name: one.values[one.met(sets)] for one in moves(question, known(frame), exhibits)})


def known(frame: pd.DataFrame) -> dict[str, float]:
    """The signals of the first row of a frame by name."""
    numbers = frame.drop(columns=["ask_id", "at"], errors="ignore").iloc[:1]
    return dict(zip(numbers.columns.tolist(), numbers.to_numpy(np.float64)[0].tolist(), strict=True))


def moves(
    question: str, row: Mapping[str, float], exhibits: Sequence[Exhibit], only: Collection[str] | None = None
) -> list[Move]:
    """How the exhibits move the signals of a row that they do move, of those named in `only`.

    >>> row, proof = {"case_items_tracking": 1.0}, Exhibit("tracking", "seller", "carrier")
    >>> [(one.name, one.values.tolist()) for one in moves("chargeback_win", row, [proof])]
    [('case_items_tracking', [1.0, 2.0])]
    """
    names = row.keys() if only is None else row.keys() & set(only)
    found = [_move(one, row, exhibits) for one in moved(question) if one.name in names]
    return [one for one in found if one.groups.size and not np.isnan(one.values[1:]).all()]


def _measures(one: Signal) -> set[str]:
    return {operand.measure for operand in one.operands if operand.source == "exhibits"}


def _move(one: Signal, row: Mapping[str, float], exhibits: Sequence[Exhibit]) -> Move:
    groups, now, formula = _groups(one, row, exhibits), row[one.name], one.pattern.formula
    steps = np.arange(len(groups) + 1) * (-1.0 if formula == "missing" else 1.0)
    values = np.array([now, SINCE])[: len(steps)] if formula == "days" else now + steps
    return Move(one.name, groups, values.astype(np.float32))


def _groups(one: Signal, row: Mapping[str, float], exhibits: Sequence[Exhibit]) -> Flag:
    """The groups that matter to a signal: to a count each exhibit by itself, to a set all that would be the same item of it."""
    counts = [operand for operand in one.operands if operand.source == "exhibits"]
    if one.pattern.formula == "value":
        found = [*np.diag(_counted(counts[0], exhibits))]
    else:
        found = [_counted(operand, exhibits) for operand in counts if not _had(operand, row)]
    some = [group for group in found if group.any()]
    return np.array(some, np.bool_).reshape(len(some), len(exhibits))


def _had(operand: Operand, row: Mapping[str, float]) -> bool:
    """Whether the case has what an operand counts."""
    kinds = [word for condition in operand.where for word in condition.words]
    return any(row.get(HELD[kind], 0.0) > 0 for kind in kinds)


def _counted(operand: Operand, exhibits: Sequence[Exhibit]) -> Flag:
    """Which of the exhibits an operand counts."""
    return np.array([all(getattr(one, c.column) in c.words for c in operand.where) for one in exhibits], np.bool_)
