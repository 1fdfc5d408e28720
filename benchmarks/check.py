"""`redress check` on a large ledger, beside the same rules in DuckDB."""

import re
import sys
from typing import Final

from benchmarks.command import Cost, run
from benchmarks.made import Planted, marketplace
from benchmarks.workbench import Workbench, costs, markdown

ROWS: Final = 10_000_000
"""Orders at full size."""
TARGET: Final = "< 60 s, < 6 GB"


def check(bench: Workbench) -> str:
    """Seconds and peak memory of checking 10 M orders with known bad rows, beside DuckDB; target 60 s and 6 GB."""
    rows = bench.rows or ROWS
    ledger = bench.folder / "marketplace"
    planted = marketplace(ledger, rows)
    ours, peer = list[Cost](), list[Cost]()
    for turn in range(bench.runs):
        for who in (ours, peer) if turn % 2 == 0 else (peer, ours):
            who.append(bench.redress("check", ledger) if who is ours else _duckdb(bench, str(ledger)))
        _agree(planted, ours[-1].closing(), peer[-1].closing())
    told = ", ".join(f"{name} {p.good:,} good and {p.bad:,} bad" for name, p in planted.items())
    size = sum(file.stat().st_size for file in ledger.rglob("*.parquet")) / 1e9
    said = f"{rows:,} orders, {size:.2f} GB of Parquet: {told}, {planted['orders'].copies:,} copies; all counts equal. "
    said += f"Median of {bench.runs} alternated runs."
    found = {"way": "redress check", **costs(ours), "target": TARGET if rows == ROWS else ""}
    return f"{said}\n\n{markdown([found, {'way': 'DuckDB, the same rules in SQL', **costs(peer), 'target': ''}])}"


def _duckdb(bench: Workbench, ledger: str) -> Cost:
    return run(bench.folder, [sys.executable, "-m", "benchmarks.rules", ledger])


def _agree(planted: dict[str, Planted], ours: dict[str, object], peer: dict[str, object]) -> None:
    """AssertionError unless both found the rows that were planted, and the same placeholders."""
    for table, expected in planted.items():
        told = str(ours[table])
        found = Planted(_number(told, "rows"), _number(told, "bad"), _number(told, "copies"))
        assert found == expected, f"redress check: {table}: want {expected}, got {found}"
        assert peer[table] == vars(expected), f"DuckDB: {table}: want {expected}, got {peer[table]}"
    crowds = {
        f"{k.split()[-1]} {v}" for k, vs in ours.items() if k.startswith("placeholders") for v in str(vs).split(", ")
    }
    shared = peer["placeholders"]
    assert isinstance(shared, dict)
    assert crowds == {f"{name} ({buyers:,} buyers)" for name, buyers in shared.items()}, (
        f"placeholders: {crowds}, {shared}"
    )


def _number(told: str, unit: str) -> int:
    """The number before a word of a closing line, 0 where the word is not there.

    >>> _number("1,234 rows, 2024-01-01 to 2024-12-31, 7 bad", "rows")
    1234
    """
    found = re.search(rf"([\d,]+) {unit}", told)
    return int(found[1].replace(",", "")) if found else 0
