"""Facts as a request tells them in JSON: their schemas, made from the ledger's declarations, and the check at the door.

What a fact alone tells is judged here; whether what it points to exists, and whether it is told again, the store knows.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from features.errors import RedressError
from features.rows import LATEST
from features.tables import LARGEST, TABLES, WANT, Column, Kind, Table

Fact = Mapping[str, object]

LONGEST: Final[dict[Kind, int]] = {"id": 256, "text": 4096}
"""Characters that an id, and a text, may have in a request."""
MOST: Final[dict[Kind, int]] = {"cents": LARGEST, "grams": 2**63 - 1, "count": 2**63 - 1}
WHEN: Final = (
    r"^(19[7-9][0-9]|20[0-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""What a time looks like in a request: RFC 3339 to the microsecond, from 1970 to 2100."""
TIME: Final[Mapping[str, object]] = {"type": "string", "format": "date-time", "pattern": WHEN}
INSTANT: Final = "an RFC 3339 time with its zone, such as 2025-06-24T00:00:00Z, from 1970 to 2100"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def schema(column: Column) -> dict[str, object]:
    """The JSON Schema of a column's values.

    >>> schema(Column("amount", "cents", required=True))
    {'type': 'integer', 'minimum': 0, 'maximum': 100000000000000}
    """
    if column.vocabulary:
        return {"type": "string", "enum": list(column.vocabulary)}
    if column.kind == "time":
        return dict(TIME)
    if column.kind == "flag":
        return {"type": "boolean"}
    if column.kind == "share":
        return {"type": "number", "minimum": 0, "maximum": 1}
    if column.kind in MOST:
        return {"type": "integer", "minimum": 0, "maximum": MOST[column.kind]}
    return {"type": "string", "minLength": 1, "maxLength": LONGEST[column.kind]}


def fact_schema(table: Table) -> dict[str, object]:
    """The JSON Schema of one fact of a table; what may be unknown may be null or left out."""
    known = [column.name for column in table.columns if must(table, column)]
    told = {c.name: schema(c) if c.name in known else {"anyOf": [schema(c), {"type": "null"}]} for c in table.columns}
    return {
        "type": "object",
        "description": table.says,
        "properties": told,
        "required": known,
        "additionalProperties": False,
    }


def facts_schema(most: int) -> dict[str, object]:
    """The JSON Schema of facts by table, at most so many of each."""
    told = {
        name: {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}, "maxItems": most} for name in TABLES
    }
    return {"type": "object", "properties": told, "additionalProperties": False, "minProperties": 1}


def must(table: Table, column: Column) -> bool:
    """Whether every fact tells a column: its key, and when it was learnt.

    >>> orders = TABLES["orders"]
    >>> [column.name for column in orders.columns if must(orders, column)]
    ['order_id', 'at']
    """
    return column.required and (column.name == "at" or column.name in table.key)


def facts(told: object, most: int, where: str = "facts") -> dict[str, Sequence[Fact]]:
    """Facts by table as a store takes them, at most so many; RedressError that names table, row and field.

    >>> facts({"orders": [{"order_id": "o1", "at": "2025-06-24T00:00:00Z", "amount": 500}]}, 100)["orders"][0]["amount"]
    500
    >>> facts({"orders": [{"order_id": "o1", "at": "2025-06-24T00:00:00Z", "amount": -5}]}, 100)
    Traceback (most recent call last):
    features.errors.RedressError: orders[0].amount: want int64 cents from 0 to 100000000000000, got -5; correct it
    """
    if not isinstance(told, dict) or not told:
        raise RedressError(f"{where}: want facts by table, such as {{'orders': […]}}, got {short(told)}; give some")
    strange = next((name for name in told if name not in TABLES), None)
    if strange is not None:
        raise RedressError(f"{where}.{short(strange)}: want a table of the ledger, got none of that name; leave it out")
    rows = 0
    for name, some in told.items():
        if not isinstance(some, list):
            raise RedressError(f"{where}.{name}: want a list of facts, got {short(some)}; put them into one")
        rows += len(some)
        if rows > most:
            raise RedressError(f"{where}: want at most {most:,} facts at once, got more; send them in parts")
    for name, some in told.items():
        for i, fact in enumerate(some):
            _judge(f"{name}[{i}]", TABLES[name], fact)
    return told


def _judge(where: str, table: Table, fact: object) -> None:
    """Raises RedressError for a fact that no ledger would take."""
    if not isinstance(fact, dict):
        raise RedressError(f"{where}: want a fact, an object with columns of {table.name}, got {short(fact)}; give one")
    columns = COLUMNS[table.name]
    for name, came in fact.items():
        if name not in columns:
            raise RedressError(f"{where}.{short(name)}: want a column of {table.name}, got another; leave it out")
        column, needed = columns[name]
        if came is None and not needed:
            continue
        if not holds(column, came):
            raise RedressError(f"{where}.{name}: want {wanted(column)}, got {short(came)}; correct it")
    lost = next((name for name, (_, needed) in columns.items() if needed and name not in fact), None)
    if lost is not None:
        raise RedressError(f"{where}.{lost}: want {wanted(columns[lost][0])}, got none; give it")


COLUMNS: Final = {name: {c.name: (c, must(table, c)) for c in table.columns} for name, table in TABLES.items()}
"""The columns of each table, and whether a fact must tell them."""


def holds(column: Column, came: object) -> bool:
    """Whether a value that JSON brought may stand in a column.

    >>> amount = Column("amount", "cents")
    >>> [holds(amount, came) for came in (0, LARGEST, LARGEST + 1, 5.0, True, "5")]
    [True, True, False, False, False, False]
    """
    kind = column.kind
    if isinstance(came, str):
        if column.vocabulary:
            return came in column.vocabulary
        if kind == "time":
            return moment(came) is not None
        return kind in LONGEST and 0 < len(came) <= LONGEST[kind] and _whole(came)
    if isinstance(came, bool):
        return kind == "flag"
    if kind == "share":
        return isinstance(came, int | float) and 0 <= came <= 1
    return kind in MOST and isinstance(came, int) and 0 <= came <= MOST[kind]


def _whole(text: str) -> bool:
    """Whether a text has whole characters alone, and no half of a surrogate pair, which no file holds."""
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)


def wanted(column: Column) -> str:
    """What may stand in a column, in the words of an error message.

    >>> wanted(Column("at", "time")), wanted(Column("sender", "text", vocabulary=("buyer", "seller")))
    ('an RFC 3339 time with its zone, such as 2025-06-24T00:00:00Z, from 1970 to 2100', 'one of buyer, seller')
    """
    if column.vocabulary:
        return f"one of {', '.join(column.vocabulary)}"
    if column.kind == "time":
        return INSTANT
    if column.kind in MOST:
        return f"{WANT[column.kind]} from 0 to {MOST[column.kind]}"
    if column.kind in LONGEST:
        return f"a string of 1 to {LONGEST[column.kind]} characters"
    return WANT[column.kind]


_LOOKS: Final = re.compile(WHEN)


def moment(came: object) -> int | None:
    """A time in microseconds since 1970; None for what is none, has no zone, or lies outside 1970-2100.

    >>> moment("1970-01-01T01:00:00.5+01:00"), moment("1970-01-01T00:00:00"), moment("1969-12-31T23:59:59Z")
    (500000, None, None)
    """
    if not isinstance(came, str) or not _LOOKS.fullmatch(came):
        return None
    try:
        found = datetime.fromisoformat(came)
    except ValueError:  # a day that its month has not
        return None
    since = (found - EPOCH) // timedelta(microseconds=1)
    return since if 0 <= since < LATEST else None


def short(came: object) -> str:
    """What came as an error tells it: its kind where it is a collection, and at most 60 characters.

    >>> short({"a": 1}), short(True), short("x" * 100) == "x" * 60 + "…"
    ('an object', 'true', True)
    """
    if isinstance(came, dict | list):
        return "an object" if isinstance(came, dict) else "a list"
    if came is None or isinstance(came, bool):
        return {None: "null", True: "true", False: "false"}[came]
    text = came if isinstance(came, str) else f"{came:.6g}" if isinstance(came, float) else f"{came}"
    text = text if _whole(text) else text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 60 else f"{text[:60]}…"
