"""The dictionary of signals: all that are declared for a question, and what a ledger lacks for each."""

from collections.abc import Iterator

from features.asking import ASKED, asked_table
from features.case import DISPUTE, ORDER, Compute
from features.ledger import Ledger
from features.signal import Entity, Pattern, Signal, signal
from features.streams import STREAMS
from features.transaction import DISPUTE_ENTITIES, ENTITIES, PATTERNS, RULINGS, meetings


def entities(question: str) -> tuple[Entity, ...]:
    """Whose histories a question looks at."""
    return ENTITIES if ASKED[question] == "orders" else DISPUTE_ENTITIES


def cases(question: str) -> tuple[tuple[Signal, Compute], ...]:
    """Signals of the case itself, and how each is computed."""
    return ORDER if ASKED[question] == "orders" else ORDER + DISPUTE


def home(entity: Entity) -> str:
    """The table whose columns name an entity."""
    return "shipments" if entity.columns == ("carrier",) else "orders"


def history(question: str, entity: Entity) -> Iterator[tuple[Pattern, str | None, Signal]]:
    """Every signal over an entity's history: the pattern and the window it comes from, and its declaration."""
    rulings = () if ASKED[question] == "orders" else RULINGS
    columns = [f"{home(entity)}.{column}" for column in entity.columns]
    for pattern in (*PATTERNS, *rulings, *meetings(entity)):
        tables = [table for stream in sorted(pattern.streams()) for table in STREAMS[stream][0]]
        met = [f"orders.{o.removeprefix('orders.met_')}_id" for o in pattern.operands if o.startswith("orders.met_")]
        needs = tuple(dict.fromkeys([*columns, *tables, *met]))
        for window in pattern.windows or (None,):
            yield pattern, window, signal(entity, pattern, window, needs)


def dictionary(question: str) -> list[Signal]:
    """Every signal declared for a question, whether or not a ledger can give it."""
    asked_table(question)
    declared = [signal for signal, _ in cases(question)]
    return declared + [s for entity in entities(question) for _, _, s in history(question, entity)]


def lacking(ledger: Ledger, declared: Signal) -> list[str]:
    """What a signal needs and the ledger does not have: tables, and columns as `table.column`."""
    return [need for need in declared.needs if not has(ledger, *need.partition(".")[::2])]


def has(ledger: Ledger, table: str, column: str = "") -> bool:
    """Whether a ledger came with a table, and with a column of it if one is named."""
    return table in ledger.facts and (not column or ledger.facts[table].has(column))
