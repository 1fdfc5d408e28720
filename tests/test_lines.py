"""Lines: whatever an order says, it is read by columns as it is read fact by fact."""

from itertools import count
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from features.homes import Fact, Value, ledger, ledgers, packed, unpacked
from features.ledger import Ledger
from features.tables import LARGEST, TABLES, Column

PLAIN = ["o1", "null", "true", "7", " o ", "a,b", "[", "]]", "'", "ü€😀", "\u2028", "#", "NaN", "\x7f"]
ESCAPED = ['a"b', "a\\b", "\n", "\x00"]


def said(column: Column, draw: Random, words: list[str]) -> Value:
    """What a column may say, odd words among it."""
    if column.name == "at":
        return draw.randrange(9)
    if draw.random() < 0.3:
        return None
    if column.kind in ("id", "text"):
        return draw.choice(words)
    if column.kind == "flag":
        return draw.random() < 0.5
    return draw.random() if column.kind == "share" else draw.choice([0, 1, LARGEST, draw.randrange(2**50)])


def told(of: Ledger) -> dict[str, object]:
    """All that a ledger says, column by column."""
    return {
        f"{name}.{column.name}": some.column(column.name).to_pylist()
        for name, some in of.facts.items()
        for column in some.table.columns
    }


@given(
    st.lists(st.lists(st.sampled_from(["orders", "orders", "evidence"]), min_size=1, max_size=2), max_size=6),
    st.integers(0, 2**32),
    st.integers(0, 6),
    st.integers(0, 12),
)
@settings(max_examples=100, deadline=None)
def test_others_are_read_by_columns_as_they_are_fact_by_fact(
    homes: list[list[str]], seed: int, near: int, begin: int
) -> None:
    draw, arrival, facts = Random(seed), count(), list[list[Fact]]()
    for tables in homes:
        words = PLAIN if draw.random() < 0.7 else [*PLAIN, "],[", *ESCAPED]
        said_of = {name: tuple(said(c, draw, words) for c in TABLES[name].columns) for name in tables}
        facts.append([Fact(name, next(arrival), said_of[name], 0) for name in tables])
    here, kept = [one for some in facts[:near] for one in some], [packed(some) for some in facts[near:]]
    every = [*here, *(one for some in kept for one in unpacked(some))]
    before, after = ledgers(here, kept, begin, fewest=0)
    assert told(after) == told(ledger(every))
    assert told(before) == told(ledger(one for one in every if one.arrival < begin))
