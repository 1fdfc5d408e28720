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
from features.kernel import DAY, Flag
from features.operand import Operand
from features.signal import Float, Signal
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
    return same.assign(**changed(question, known(frame), exhibits, sets))


def known(frame: pd.DataFrame) -> dict[str, float]:
    """The signals of the first row of a frame by name."""
    numbers = frame.drop(columns=["ask_id", "at"], errors="ignore").iloc[:1]
    return dict(zip(numbers.columns, numbers.to_numpy(np.float64)[0].tolist(), strict=True))


def changed(
    question: str,
    row: Mapping[str, float],
    exhibits: Sequence[Exhibit],
    sets: Flag,
    only: Collection[str] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """The signals of a row that the exhibits may move, of those named in `only`, for each of `sets` (m, k) of them."""
    names = row.keys() if only is None else row.keys() & set(only)
    made = {name: _moved(one, row, exhibits, sets) for one in moved(question) if (name := one.name) in names}
    return {name: values.astype(np.float32) for name, values in made.items()}


def _measures(one: Signal) -> set[str]:
    return {operand.measure for operand in one.operands if operand.source == "exhibits"}


def _moved(one: Signal, row: Mapping[str, float], exhibits: Sequence[Exhibit], sets: Flag) -> Float:
    counts = [operand for operand in one.operands if operand.source == "exhibits"]
    if one.pattern.formula == "days":
        return np.where(sets.any(axis=1), SINCE, row[one.name])
    if one.pattern.formula == "missing":
        return row[one.name] - sum((_comes(operand, row, exhibits, sets) for operand in counts), np.zeros(len(sets)))
    return row[one.name] + sets @ _counted(counts[0], exhibits)


def _comes(operand: Operand, row: Mapping[str, float], exhibits: Sequence[Exhibit], sets: Flag) -> Float:
    """1 where what an operand counts is there and was not before."""
    kinds = [word for condition in operand.where for word in condition.words]
    if any(row.get(HELD[kind], 0.0) > 0 for kind in kinds):
        return np.zeros(len(sets))
    return (sets @ _counted(operand, exhibits) > 0).astype(np.float64)


def _counted(operand: Operand, exhibits: Sequence[Exhibit]) -> Float:
    """1 for each exhibit that an operand counts."""
    return np.array([all(getattr(one, c.column) in c.words for c in operand.where) for one in exhibits], np.float64)
