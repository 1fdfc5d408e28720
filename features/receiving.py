"""Receiving: facts as they are submitted, checked at the door, as facts that a store keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from features.errors import RedressError
from features.homes import AT, PLACES, Value
from features.requests import COLUMNS, EPOCH, holds, moment, short, wanted
from features.rows import LATEST
from features.tables import Column

AHEAD: Final = 5 * 60 * 1_000_000
"""How many microseconds an `at` may lie after the moment at which a fact arrives: clocks differ by that much."""


@dataclass(frozen=True)
class Submitted:
    """A fact as submitted: where it stands in the request, its table, and its columns in order."""

    where: str
    table: str
    values: tuple[Value, ...]
    at: int


def submitted(facts: Mapping[str, Sequence[Mapping[str, object]]], arrived: int) -> list[Submitted]:
    """Facts in the order of time; RedressError that names table, row and field for one that no ledger would take."""
    found = [
        _submitted(f"{short(name)}[{i}]", name, fact, arrived)
        for name, some in facts.items()
        for i, fact in enumerate(some)
    ]
    return sorted(found, key=lambda one: (one.at, PLACES[one.table]))


def _submitted(where: str, name: str, fact: Mapping[str, object], arrived: int) -> Submitted:
    columns = COLUMNS.get(name)
    if columns is None:
        raise RedressError(f"{short(name)}: want a table of the ledger, got none of that name; leave it out")
    strange = next((field for field in fact if field not in columns), None)
    if strange is not None:
        raise RedressError(f"{where}.{short(strange)}: want a column of {name}, got another; leave it out")
    values = tuple(_value(where, column, needed, fact.get(field)) for field, (column, needed) in columns.items())
    at = values[AT[name]]
    assert isinstance(at, int)
    if at > arrived + AHEAD:
        raise RedressError(
            f"{where}.at: want a moment no more than five minutes ahead, got {short(fact['at'])}; set the clock right"
        )
    return Submitted(where, name, values, at)


def _value(where: str, column: Column, needed: bool, came: object) -> Value:
    if came is None:
        if needed:
            raise RedressError(f"{where}.{column.name}: want {wanted(column)}, got none; give it")
        return None
    found = _instant(came) if column.kind == "time" else came if holds(column, came) else None
    if found is None:
        raise RedressError(f"{where}.{column.name}: want {wanted(column)}, got {short(came)}; correct it")
    assert isinstance(found, (str, int, float))
    return float(found) if column.kind == "share" else found


def _instant(came: object) -> int | None:
    """A time in microseconds since 1970: text, a datetime with its zone, or such a number itself."""
    if isinstance(came, datetime) and came.tzinfo is not None:
        came = (came - EPOCH) // timedelta(microseconds=1)
    if isinstance(came, int) and not isinstance(came, bool):
        return came if 0 <= came < LATEST else None
    return moment(came)
