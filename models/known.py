"""Known: when the answer about one case of a store became known, by the rules of the questions; such a case needs no score."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from features.background import NOT_YET
from features.given import Case
from features.homes import Fact


def known_at(question: str, case: Case, horizon: int) -> int:
    """When the answer about a case became known, as `models.questions.answers` says of many; NOT_YET if it did not so far."""
    return _KNOWN[question](case, horizon)


def _charged(case: Case, horizon: int) -> int:
    end = case.order.at + horizon
    first = _first(one for one in case.facts if one.table == "chargebacks")
    return first if first <= end else end


def _ruled(case: Case, horizon: int) -> int:
    return _first(_about(case, "rulings"))


def _found(case: Case, horizon: int) -> int:
    return _first(one for one in _about(case, "findings") if one["malicious"] is not None)


def _ended(case: Case, horizon: int) -> int:
    defended = _first(_about(case, "representments"))
    ends = (one for one in _about(case, "chargeback_rulings") if one["outcome"] not in (None, "pre_arbitration"))
    return _first(one for one in ends if one.at > defended)


def _about(case: Case, table: str) -> Iterable[Fact]:
    """The facts of a table that point to the row asked about."""
    key = f"{case.asked.removesuffix('s')}_id"
    return (one for one in case.facts if one.table == table and one[key] == case.ask_id)


def _first(facts: Iterable[Fact]) -> int:
    return min((one.at for one in facts), default=NOT_YET)


_KNOWN: Final[Mapping[str, Callable[[Case, int], int]]] = {
    "chargeback_risk": _charged,
    "dispute_outcome": _ruled,
    "malicious_dispute": _found,
    "chargeback_win": _ended,
}
