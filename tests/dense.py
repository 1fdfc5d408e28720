"""Dense ledgers: everything that a ledger can hold, at few moments and about few parties, drawn at random."""

from collections.abc import Sequence
from random import Random
from typing import Any

import naive
import pyarrow as pa

from features.tables import CASES, REASONS, TABLES, Column, Table
from pipelines.marketplace.draws import START

DAY = naive.DAY
MOMENTS = [START + day * DAY + near for day in (0, 1, 7, 8, 30, 37, 90, 97, 120, 365, 372) for near in (-1, 0, 1)]
"""Moments apart as far as every edge of every window and of a horizon of a week is, and a microsecond either side."""
AMOUNTS = (None, 0, 1, 99, 100, 12_345, 10**8, 10**14)


def dense(random: Random, most: int) -> dict[str, pa.Table]:
    """A ledger in which everything happens at few moments to few parties, anything may be unknown, and no row is bad."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for table in TABLES.values():
        n = random.randint(max(1, most // 2), most) * MANY.get(table.name, 1)
        some = [row for i in range(n) if (row := _row(random, table, i, rows))]
        keyed = {tuple(row[name] for name in table.key): row for row in some}
        rows[table.name] = random.sample(list(keyed.values()), len(keyed))
    return naive.tables(rows)


def _row(random: Random, table: Table, i: int, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any] | None:
    """A row about rows that are there, at their moment or at a later one; None where there is nothing to be about."""
    row: dict[str, Any] = {column.name: _value(random, table, column, i) for column in table.columns}
    known = START
    for column, target in table.references:
        kind = random.choice([k for k in CASES if rows.get(CASES[k])] or ["order"])
        parents = rows[CASES[kind] if target == "case_kind" else target]
        if not parents or (column not in table.key and target != "case_kind" and random.random() < 0.05):
            if not parents and column in table.key:
                return None
            row[column] = None
            continue
        parent = random.choice(parents)
        row[column] = parent[TABLES[CASES[kind] if target == "case_kind" else target].key[0]]
        known = max(known, parent["at"])
        if target == "case_kind":
            row["case_kind"] = random.choice([None, kind])
    moments = MOMENTS[:18] if table.name in ("buyers", "sellers", "listings") else MOMENTS
    row["at"] = random.choice([moment for moment in moments if moment >= known])
    row["happened_at"] = random.choice(
        [None, row["at"] - DAY // 3, row["at"] + 1, row["at"] - 40 * DAY, row["at"] - 200 * DAY]
    )
    return row


def _value(random: Random, table: Table, column: Column, i: int) -> Any:
    """Anything that a column may hold, null too where it is no key; the columns that point are filled in after."""
    if column.name in table.key:
        shared = column.name in ("buyer_id", "seller_id", "product_id")
        return random.choice("abcd") if shared else random.choice(column.vocabulary or (f"{table.name[:6]}{i}",))
    return random.choice((None, *(SAID.get(column.name) or column.vocabulary or HELD[column.kind])))


MANY = {"orders": 2, "shipments": 4, "evidence": 6, "scans": 3, "messages": 3, "rulings": 2}
"""Rows of a table for each of others."""
HELD: dict[str, Sequence[Any]] = {
    "id": ("a", "b", "b", "c", "d", "e", "f"),
    "text": ("DE", "FR"),
    "time": MOMENTS,
    "cents": AMOUNTS[1:],
    "grams": (0, 5, 100, 330, 2000),
    "count": (1, 3, 12),
    "flag": (False, True),
    "share": (0.5,),
}
SAID: dict[str, Sequence[Any]] = {
    "title": ("Garro style pan", "part for Garro, fits all", "a mixed lot", "screws, 12 pieces", "replica bag"),
    "reason": (*REASONS, *["short_quantity"] * 9),
    "claimed": (0, 1, 50, 99, 100, 12_345, 10**14),
    "amount": (0, 1, 100, 100, 12_345, 10**8, 10**14),
    **{f"{link}_id": ("a", "b", "b", "c") for link in ("instrument", "ip", "device", "login")},
    "promised_at": (*MOMENTS[:6], *MOMENTS[-6:]),
    "reason_code": ("10.4", "10.4", "4837", "13.1", "13.3", "13.4", "13.6", "4853", "11.1", "12.6.1", "13.5", "13.7"),
}
