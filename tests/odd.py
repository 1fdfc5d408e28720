"""Odd values, and facts that are nearly such as a ledger would take, for whatever has to stand them."""

import random
from collections.abc import Callable
from typing import Final

from naive_service import hour

from features.tables import TABLES

TEXTS: Final = (
    *("", " ", "o1", "d1", "\0", "\ud800", "\U0010ffff", "é" * 100, "x" * 10_000, "'; --", "../..", "${x}", "\u202e"),
    *("null", "NaN", "-0", "1e400", hour(50), hour(99), "1970-01-01", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    *("0001-01-01T00:00:00+23:59", "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-03T00:00:00-23:59"),
)
NUMBERS: Final = (0, -0.0, -1, 1, 0.5, 1e308, 5e-324, 2**31, 2**63, 2**64, -(2**63), 10**14, 10**14 + 1, 10**400, 1e16)


def odd(draw: random.Random, depth: int = 0) -> object:
    """Any value."""
    kind = draw.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return draw.choice(TEXTS)
    if kind == 1:
        return draw.choice(NUMBERS)
    if kind == 2:
        return "".join(chr(draw.randrange(1, 0x2FFF)) for _ in range(draw.randrange(20)))
    if kind == 3:
        return draw.choice((None, True, False))
    if kind == 4:
        return draw.randrange(-(10**9), 10**12)
    if kind == 5:
        return [odd(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {str(odd(draw, 9)): odd(draw, depth + 1) for _ in range(draw.randrange(4))}


def nearly(draw: random.Random, name: str) -> dict[str, object]:
    """A fact that is nearly one of a table."""
    plain: dict[str, Callable[[], object]] = {
        "time": lambda: hour(draw.randrange(45, 100)),
        "flag": lambda: draw.random() < 0.5,
        "share": draw.random,
        **dict.fromkeys(("cents", "grams", "count"), lambda: draw.randrange(10_000)),
        **dict.fromkeys(("id", "text"), lambda: draw.choice(("o1", "d1", f"x{draw.randrange(10**6)}"))),
    }
    told: dict[str, object] = {}
    for column in TABLES[name].columns:
        if column.required or draw.random() < 0.3:
            told[column.name] = draw.choice(column.vocabulary) if column.vocabulary else plain[column.kind]()
    return told


def spoiled(draw: random.Random, told: dict[str, object]) -> dict[str, object]:
    """The same with something odd in it."""
    found = dict(told)
    for _ in range(draw.randrange(1, 3)):
        found[draw.choice([*found, "strange"])] = odd(draw, 2)
    return found
