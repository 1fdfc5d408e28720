"""The whole job, from Parquet with string ids to Parquet: ours as its users run it, and peers as theirs would write them.

Run as a script it is one peer: it reads a ledger's tables, codes the ids, finds the signals and writes them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.command import Cost, run
from benchmarks.growth import LARGER
from benchmarks.kernel import EDGES, ORDERS, Streams, whole
from benchmarks.made import marketplace
from benchmarks.peers import FAST, Facts, Found, Int
from benchmarks.workbench import Workbench, costs, markdown
from features.kernel import DAY, NEVER

AMOUNT: Final = {"orders": "amount", "disputes": "claimed", "chargebacks": "amount", "refunds": "amount"}
ENTITIES: Final = ("buyer", "seller", "product", "device")
FLOOR: Final = "reading, coding and writing zeros"
"""What is left of a way's job where nothing is computed: no way can be faster by more than that."""
WAYS: Final = (*FAST, FLOOR)
TARGET: Final = 4


def zeros(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """Finds nothing."""
    return [(np.zeros((len(edges), len(facts.measures), asks.at.size), np.int64), np.zeros_like(asks.at))]


def columns(found: list[list[tuple[Int, Int]]], t: Int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """What a way finds as the product's columns, in the order of streams and entities."""
    pairs = [(stream, entity) for stream in AMOUNT for entity in ENTITIES]
    for (stream, entity), blocks in zip(pairs, found, strict=True):
        windows, last = (np.concatenate(parts, axis=-1) for parts in zip(*blocks, strict=True))
        for w, edge in enumerate(EDGES):
            for m, measure in enumerate(("count", "amount_sum")):
                yield f"{entity}_{stream}_{measure}_{edge // DAY}d", windows[w, m].astype(np.float32)
        days = np.where(last == NEVER, np.nan, (t - last) / DAY)
        yield f"{entity}_{stream}_days_since_last", days.astype(np.float32)


def read(ledger: Path) -> tuple[Streams, pa.Array]:
    """The facts of a ledger with their entities coded, and the ids of its orders."""
    ids = [f"{entity}_id" for entity in ENTITIES]
    orders = pq.read_table(ledger / "orders.parquet", columns=["order_id", "at", "amount", *ids])
    coded = {name: orders[f"{name}_id"].combine_chunks().dictionary_encode().indices.to_numpy() for name in ENTITIES}
    names = orders["order_id"].combine_chunks()
    streams = {"orders": _facts(orders, "amount", coded)}
    for table in list(AMOUNT)[1:]:
        rows = pq.read_table(ledger / f"{table}.parquet", columns=["order_id", "at", AMOUNT[table]])
        of = pc.index_in(rows["order_id"].combine_chunks(), value_set=names).to_numpy()
        streams[table] = _facts(rows, AMOUNT[table], {name: codes[of] for name, codes in coded.items()})
    return streams, names


def _facts(rows: pa.Table, amount: str, codes: dict[str, NDArray[np.int32]]) -> Facts:
    cents = rows[amount].to_numpy()
    return Facts(rows["at"].cast(pa.int64()).to_numpy(), np.stack([np.ones_like(cents), cents]), codes)


def peer(way: str, ledger: Path, asks: str, out: Path) -> None:
    """One way's whole job, for all orders or for those that a file names."""
    streams, names = read(ledger)
    asked = streams["orders"]
    if asks:
        named = pq.read_table(asks)
        rows = pc.index_in(named["ask_id"].combine_chunks().cast(names.type), value_set=names).to_numpy()
        asked, names = asked.take(rows), names.take(pa.array(rows))
    found = dict(columns(whole(FAST.get(way, zeros), streams, asked), asked.at))
    at = pa.array(asked.at).cast(pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"ask_id": names, "at": at, **found}), out, compression="zstd", use_dictionary=["ask_id"])


def job(bench: Workbench) -> str:
    """Seconds and peak memory of 144 signals from Parquet to Parquet, 1 M orders, 30 k and 1 M askings, outputs equal."""
    rows = bench.rows or ORDERS
    ledger = bench.folder / "whole"
    bench.redress("simulate", "--out", bench.folder / "world", "--orders", rows, "--seed", 1, "--set", "unknown_rate=0")
    ledger.mkdir(exist_ok=True)
    for table in AMOUNT:
        (bench.folder / "world" / f"{table}.parquet").replace(ledger / f"{table}.parquet")
    orders = pd.read_parquet(ledger / "orders.parquet", columns=["order_id", "at"])
    some = orders.sample(max(1, rows * 3 // 100), random_state=1).sort_values(["at", "order_id"])
    some.rename(columns={"order_id": "ask_id"}).to_parquet(bench.folder / "asks.parquet")
    told = [_table(bench, ledger, asks) for asks in (str(bench.folder / "asks.parquet"), "")]
    said = f"Medians of {bench.runs} alternated turns, each in a process of its own; target {TARGET} times."
    return "\n\n".join([said, *told])


def _table(bench: Workbench, ledger: Path, asks: str) -> str:
    costs: dict[str, list[Cost]] = {name: [] for name in ("redress signals", *WAYS)}
    for _ in range(bench.runs):
        for name, some in costs.items():
            some.append(_run(bench, name, ledger, asks))
        outs = [pd.read_parquet(bench.folder / f"{i}.parquet") for i, name in enumerate(costs) if name != FLOOR]
        for other in outs[1:]:
            pd.testing.assert_frame_equal(outs[0].iloc[:, 2:], other[outs[0].columns[2:]], check_exact=True)
    seconds = {name: median(cost.seconds for cost in some) for name, some in costs.items()}
    ours = seconds["redress signals"]
    return markdown(
        [
            {
                f"way, {len(outs[0]):,} askings": name,
                "seconds": seconds[name],
                "core seconds": median(cost.core_seconds for cost in some),
                "peak GB": max(cost.peak for cost in some) / 1e9,
                "× ours": f"{seconds[name] / ours:.1f}",
            }
            for name, some in costs.items()
        ]
    )


def _run(bench: Workbench, name: str, ledger: Path, asks: str) -> Cost:
    place = [*("redress signals", *WAYS)].index(name)
    out = bench.folder / f"{place}.parquet"
    if name in WAYS:
        return run(bench.folder, [sys.executable, "-m", "benchmarks.whole", name, str(ledger), asks, str(out)])
    return _signals(bench, ledger, out, list(AMOUNT), *(["--asks", asks] if asks else []))


def _signals(bench: Workbench, ledger: Path, out: Path, tables: list[str], *words: str) -> Cost:
    """Our job: those of the 144 signals that are drawn from some tables."""
    pairs = [f"{entity}_{table}" for entity in ENTITIES for table in tables]
    kinds = [f"{measure}_{edge // DAY}d" for measure in ("count", "amount_sum") for edge in EDGES]
    only = [word for pair in pairs for kind in (*kinds, "days_since_last") for word in ("--only", f"{pair}_{kind}")]
    return bench.redress("signals", "chargeback_risk", "--ledger", ledger, "--out", out, *words, *only)


def large(bench: Workbench) -> str:
    """Peak memory of 10 M orders, from Parquet to Parquet, a tenth of them and all of them asked about; 8 GB."""
    rows, ledger, out = bench.rows or LARGER * ORDERS, bench.folder / "large", bench.folder / "large.parquet"
    marketplace(ledger, rows)
    tables = [name for name in AMOUNT if name != "refunds"]
    table = []
    for since in ("2024-11-25", "2024-01-01"):
        cost = _signals(bench, ledger, out, tables, "--from", since, "--to", "2025-01-01")
        made, size = cost.closing(), out.stat().st_size / 1e9
        table.append({"orders": rows, "askings": made["askings"], "signals": made["signals"], **costs([cost])})
        table[-1] |= {"written GB": size, "target": "" if bench.rows else "< 8 GB"}
    return markdown(table)


if __name__ == "__main__":
    peer(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
