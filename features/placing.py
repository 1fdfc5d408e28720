"""Placing: where submitted facts belong in a store, which of them it has already, and which came late."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from features.errors import RedressError
from features.homes import COLUMNS, NAMED, OF_THEMSELVES, Fact, Value, home, named, unpacked
from features.keys import Snapshot
from features.pseudonyms import ERASED
from features.receiving import Submitted
from features.requests import short
from features.tables import CASES, TABLES

_ORDERS: Final = "orders"


@dataclass
class Placed:
    """Homes as they were, and the facts that each gains; what came before is counted, and so is what came late.

    What was `decided` by the store itself, by id, is no fact of a home.
    """

    old: dict[bytes, list[Fact]] = field(default_factory=dict)
    new: dict[bytes, list[Fact]] = field(default_factory=dict)
    ids: dict[bytes, bytes] = field(default_factory=dict)
    decided: Mapping[str, Fact] = field(default_factory=dict)
    repeated: int = 0
    late: int = 0
    watermark: int = 0
    arrivals: int = 0

    @property
    def taken(self) -> int:
        """How many facts are new."""
        return sum(map(len, self.new.values()))

    def facts(self, where: bytes) -> list[Fact]:
        """All facts of a home."""
        return [*self.old.get(where, ()), *self.new.get(where, ())]


def placed(
    snapshot: Snapshot,
    told: Sequence[Submitted],
    *,
    watermark: int,
    arrivals: int,
    arrived: int,
    known: bool = False,
    decided: Mapping[str, tuple[bytes, Fact]] | None = None,
) -> Placed:
    """Facts in the order of time among those of a store that knows all before `watermark`.

    One older than that counts as learnt when it arrived, and its own time as when it happened. Messages without an id are
    `known` where their request came before; what the store `decided` itself is given with its home, by id.

    Raises RedressError for the key of another fact, and for a fact that points to none that was known by then.
    """
    made = decided or {}
    found = Placed(watermark=watermark, arrivals=arrivals, decided={name: one for name, (_, one) in made.items()})
    found.ids |= {named("decisions", name): where for name, (where, _) in made.items()}
    _fetch(snapshot, told, found)
    for one in told:
        _place(one, found, arrived, known)
    return found


def of_decisions(told: Iterable[Submitted]) -> set[str]:
    """The ids of decisions that facts are, or point to."""
    names = (_text(one, "decision_id") for one in told if one.table in ("decisions", "feedback"))
    return {name for name in names if name is not None}


def _fetch(snapshot: Snapshot, told: Sequence[Submitted], found: Placed) -> None:
    """Reads the homes of all facts, and what says where they are, in two round trips."""
    asked = sorted({key for one in told for key in _ids(one)})
    found.ids |= {key: where for key, where in zip(asked, snapshot.many(asked), strict=True) if where is not None}
    homes = sorted({where for one in told for where in _homes(one, found.ids)})
    found.old |= {where: unpacked(kept) for where, kept in zip(homes, snapshot.many(homes), strict=True)}


def _ids(one: Submitted) -> Iterable[bytes]:
    """The keys of ids that a fact brings or points to."""
    if one.table in NAMED and (own := _text(one, TABLES[one.table].key[0])) is not None:
        yield named(one.table, own)
    for column, target in TABLES[one.table].references:
        name = _text(one, column)
        for table in _targets(one, target):
            if name is not None and table in NAMED:
                yield named(table, name)


def _targets(one: Submitted, target: str) -> Sequence[str]:
    if target != "case_kind":
        return [target]
    kind = _text(one, "case_kind")
    return list(CASES.values()) if kind is None else [CASES[kind]]


def _homes(one: Submitted, ids: dict[bytes, bytes]) -> Iterable[bytes]:
    """Every home that a fact may live in, or its key may be found in."""
    if one.table in OF_THEMSELVES:
        kind, column = OF_THEMSELVES[one.table]
        yield home(kind, str(one.values[COLUMNS[one.table][column]]))
        return
    for column, target in TABLES[one.table].references:
        name = _text(one, column)
        if name is not None and _ORDERS in _targets(one, target):
            yield home("order", name)
    if all(_text(one, column) is None for column, _ in TABLES[one.table].references):
        yield home("seller", _text(one, "seller_id") or "")
    yield from (ids[key] for key in _ids(one) if key in ids)


def _place(one: Submitted, found: Placed, arrived: int, known: bool) -> None:
    """Puts a fact among those of its home, unless it is there."""
    where = _living(one, found)
    fact = Fact(one.table, found.arrivals, one.values, one.at)
    if _met(one, fact, where, found, known):
        found.repeated += 1
        return
    fact, late = _dated(fact, found.facts(where), found.watermark, arrived)
    _point(one, fact, found)
    found.new.setdefault(where, []).append(fact)
    if one.table in NAMED and (own := fact.text(TABLES[one.table].key[0])) is not None:
        found.ids[named(one.table, own)] = where
    found.late += late
    found.arrivals += 1
    found.watermark = max(found.watermark, fact.at)


def _living(one: Submitted, found: Placed) -> bytes:
    """The home of a fact: its own, or that of what it points to."""
    if one.table in OF_THEMSELVES:
        return next(iter(_homes(one, found.ids)))
    for column, target in TABLES[one.table].references:
        name = _text(one, column)
        if name is not None:
            met = [where for table in _targets(one, target) if (where := _pointed(table, name, found)) is not None]
            if not met:
                raise _nowhere(one, column, _targets(one, target), name)
            return met[0]
    return home("seller", _text(one, "seller_id") or "")


def _pointed(table: str, name: str, found: Placed) -> bytes | None:
    """The home of the row of a table with an id, None where there is none."""
    if table != _ORDERS:
        return found.ids.get(named(table, name))
    where = home("order", name)
    return where if found.old.get(where) or found.new.get(where) else None


def _point(one: Submitted, fact: Fact, found: Placed) -> None:
    """Raises RedressError where what a fact points to was not known by then, or may be in several tables."""
    for column, target in TABLES[one.table].references:
        name = _text(one, column)
        if name is not None:
            tables = _targets(one, target)
            met = [table for table in tables if _known(table, name, fact.at, found)]
            if not met:
                raise _nowhere(one, column, tables, name)
            if len(met) > 1:
                raise RedressError(
                    f"{one.where}.case_kind: want it where a case_id is in {' and '.join(met)}, got none; say which"
                )


def _known(table: str, name: str, at: int, found: Placed) -> bool:
    where, key = _pointed(table, name, found), TABLES[table].key[0]
    if table == "decisions" and name in found.decided:
        return found.decided[name].at <= at
    return where is not None and any(
        other.table == table and other[key] == name and other.at <= at for other in found.facts(where)
    )


def _nowhere(one: Submitted, column: str, tables: Sequence[str], name: str) -> RedressError:
    return RedressError(
        f"{one.where}.{column}: want one of {' or '.join(tables)} known by then, got {short(name)}; send it first"
    )


def _met(one: Submitted, fact: Fact, where: bytes, found: Placed, known: bool) -> bool:
    """Whether a store has a fact already, by its key as submitted; RedressError where the key is that of another."""
    key = fact.key
    if key is None:
        return known
    elsewhere = found.ids.get(named(one.table, str(key[0]))) if one.table in NAMED else None
    made = found.decided.get(str(key[0])) if one.table == "decisions" else None
    for other in found.facts(elsewhere or where) if made is None else (made, *found.facts(elsewhere or where)):
        if other.table == one.table and other.key == key:
            if not _same(fact, other):
                said = " + ".join(TABLES[one.table].key)
                raise RedressError(
                    f"{one.where}.{TABLES[one.table].key[0]}: want a new {said}, got that of another fact; correct it"
                )
            return True
    return False


def _same(fact: Fact, other: Fact) -> bool:
    """Whether a fact is one that was stored, which came late if its `at` is another than was submitted."""
    columns = COLUMNS[fact.table]
    at, happened = columns["at"], columns["happened_at"]
    kept = list(other.values)
    if kept[at] != other.submitted and kept[happened] == other.submitted and fact.values[happened] is None:
        kept[happened] = None
    kept[at] = other.submitted
    return all(map(_alike, fact.values, kept))


def _alike(told: Value, kept: Value) -> bool:
    """Whether a value is that which was stored, of which nobody knows any more what it was where its person was erased."""
    return told == kept or (isinstance(told, str) and isinstance(kept, str) and kept.startswith(ERASED))


def _dated(fact: Fact, beside: Sequence[Fact], watermark: int, arrived: int) -> tuple[Fact, bool]:
    """A fact at the moment it was learnt, and whether it came late; of late ones no two have one key."""
    late, happened = fact.at < watermark, fact["happened_at"]
    if late:
        fact = _with(fact, at=max(arrived, watermark), happened_at=fact.at if happened is None else happened)
    if "at" in TABLES[fact.table].key:
        while any(other.table == fact.table and _stored_key(other) == _stored_key(fact) for other in beside):
            fact = _with(fact, at=fact.at + 1)
    return fact, late


def _with(fact: Fact, **changed: Value) -> Fact:
    columns = COLUMNS[fact.table]
    values = list(fact.values)
    for name, value in changed.items():
        values[columns[name]] = value
    return replace(fact, values=tuple(values))


def _stored_key(fact: Fact) -> tuple[Value, ...]:
    return tuple(fact[name] for name in TABLES[fact.table].key)


def _text(one: Submitted, column: str) -> str | None:
    place = COLUMNS[one.table].get(column)
    found = None if place is None else one.values[place]
    return None if found is None else str(found)
