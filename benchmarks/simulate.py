"""`redress simulate` at full size, beside what merely reading and writing its files costs."""

import hashlib
import re
import shutil
import sys
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from benchmarks.command import Cost, run
from benchmarks.workbench import Workbench, costs, markdown

ORDERS: Final = 1_000_000
DAYS: Final = 548
TARGET: Final = "< 90 s, < 4 GB"


def simulate(bench: Workbench) -> str:
    """Seconds and peak memory of simulating 1 M orders over 18 months, the same bytes each time; target 90 s and 4 GB."""
    orders = bench.rows or ORDERS
    ledger, copy = bench.folder / "simulated", bench.folder / "copied"
    ours, floor, seen = list[Cost](), list[Cost](), set[str]()
    for _ in range(bench.runs):
        shutil.rmtree(ledger, ignore_errors=True)
        ours.append(bench.redress("simulate", "--out", ledger, "--orders", orders, "--days", DAYS, "--seed", 1))
        seen.add(digest(ledger))
        shutil.rmtree(copy, ignore_errors=True)
        floor.append(run(bench.folder, [sys.executable, "-m", "benchmarks.simulate", str(ledger), str(copy)]))
        if not same(ledger, copy):
            raise AssertionError("simulate: the copied tables differ")
    if len(seen) != 1:
        raise AssertionError("simulate: the same seed gave other bytes")
    bad = [
        line
        for line in map(str, bench.redress("check", ledger).closing().values())
        if re.search(r", [1-9][\d,]* bad", line)
    ]
    if bad:
        raise AssertionError(f"simulate: want no bad row, got {bad[0]}")
    said = f"{orders:,} orders over {DAYS} days: {_size(ledger)}; the same bytes in all {bench.runs} runs, no bad row. Medians."
    found = [{"way": "redress simulate", **costs(ours), "target": TARGET if orders == ORDERS else ""}]
    found += [{"way": "PyArrow, the same files read and written", **costs(floor), "target": ""}]
    return f"{said}\n\n{markdown(found)}"


def _size(ledger: Path) -> str:
    tables = list(ledger.rglob("*.parquet"))
    rows, size = sum(pq.read_metadata(path).num_rows for path in tables), sum(path.stat().st_size for path in tables)
    return f"{rows:,} rows in {len(tables)} tables, those of the truth among them, {size / 1e9:.2f} GB of Parquet"


def digest(folder: Path) -> str:
    """A hash of all files of a folder with their names."""
    found = hashlib.blake2b(digest_size=16)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(path.relative_to(folder).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold equal tables."""
    names = [path.relative_to(one) for path in one.rglob("*.parquet")]
    return all(pq.read_table(one / name).equals(pq.read_table(other / name)) for name in names)


def copied(source: Path, to: Path) -> None:
    """Reads every table of a folder and writes it to another, one after the other."""
    for path in sorted(source.rglob("*.parquet")):
        place = to / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pq.read_table(path), place)


if __name__ == "__main__":
    copied(Path(sys.argv[1]), Path(sys.argv[2]))
