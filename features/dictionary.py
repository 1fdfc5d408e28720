"""The dictionary of signals: all that are declared for a question, and what a ledger lacks for each."""

from collections.abc import Sequence
from functools import cache

from features import case, streams
from features.asking import asked_table
from features.families import FAMILIES
from features.ledger import Ledger
from features.members import CASE
from features.operand import Operand
from features.signal import Entity, Family, Pattern, Signal, signals_of


@cache
def dictionary(question: str) -> tuple[Signal, ...]:
    """Every signal declared for a question, whether or not a ledger can give it."""
    asked = asked_table(question)
    return tuple(
        _signal(family, entity, pattern, window, asked)
        for family in FAMILIES
        for entity, pattern, window in signals_of(family, question)
    )


def _signal(family: Family, entity: Entity | None, pattern: Pattern, window: str | None, asked: str) -> Signal:
    operands = pattern.over(window)
    must, may = ([one for one in operands if one.optional is free] for free in (False, True))
    found = dict.fromkeys((*_of_entity(entity), *_needs(must, asked)))
    used = [*_needs(may, asked), *(use for one in operands for use in (case if one.of_case else streams).uses(one))]
    return Signal(
        family.name,
        entity,
        pattern,
        window,
        tuple(found),
        tuple(use for use in dict.fromkeys(used) if use not in found),
    )


def _of_entity(entity: Entity | None) -> tuple[str, ...]:
    """The tables and columns that name an entity."""
    if entity is None or entity.columns == CASE:
        return ()
    through = {"listings": ("orders.product_id",), "sellers": ("orders.seller_id",), "shipments": ()}
    found: list[str] = []
    for column in entity.columns:
        table = column.partition(".")[0]
        found += [*through.get(table, ()), table, column] if table != "orders" else [column]
    return tuple(found)


def _needs(operands: Sequence[Operand], asked: str) -> list[str]:
    return [need for one in operands for need in needs(one, asked)]


def needs(one: Operand, asked: str) -> tuple[str, ...]:
    """The tables and columns that an operand is taken from."""
    if one.of_case:
        return case.needs(one)
    met = (f"orders.{one.measure.removeprefix('met_')}_id",) if one.measure.startswith("met_") else ()
    return (*streams.needs(one, asked), *met)


def lacking(ledger: Ledger, declared: Signal) -> list[str]:
    """What a signal needs and the ledger does not have: tables, and columns as `table.column`."""
    return absent(ledger, declared.needs)


def absent(ledger: Ledger, needed: Sequence[str]) -> list[str]:
    """Those of tables, and of columns as `table.column`, that a ledger does not have."""
    return [need for need in needed if not has(ledger, *need.partition(".")[::2])]


def has(ledger: Ledger, table: str, column: str = "") -> bool:
    """Whether a ledger came with a table, and with a column of it if one is named."""
    return table in ledger.facts and (not column or ledger.facts[table].has(column))
