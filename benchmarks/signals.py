"""The signals of a large ledger as one command, and the kernel inside beside pandas."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.made import card_payments
from benchmarks.turns import by_turns
from benchmarks.workbench import Workbench, costs, markdown
from features.build import BLOCK
from features.kernel import DAY, Merge, cumulate, group

Int = NDArray[np.int64]
Code = NDArray[np.int32]

PAYMENTS: Final = 1_240_000
TARGET: Final = "< 40 s, < 4 GB"


def job(bench: Workbench) -> str:
    """Seconds and peak memory of every signal of 1.24 M orders, files read and written; target 40 s and 4 GB."""
    ledger, whose = _payments(bench)
    words = ("--ledger", ledger, "--horizon", "7d", "--out", "signals.parquet")
    runs = [bench.redress("signals", "chargeback_risk", *words) for _ in range(bench.runs)]
    size = (bench.folder / "signals.parquet").stat().st_size / 1e9
    made = runs[0].closing()
    return markdown(
        [
            {
                "orders": made["askings"],
                "signals": made["signals"],
                **costs(runs),
                "written GB": size,
                "target": "" if bench.rows else TARGET,
                "ledger": f"{whose}; median of {bench.runs} runs",
            }
        ]
    )


def _payments(bench: Workbench) -> tuple[Path, str]:
    """The public ledger, or where that is missing or another size is wanted one of its shape."""
    if bench.source("handbook").is_dir() and not bench.rows:
        return bench.ledger("handbook"), "public, simulated card payments"
    folder = bench.folder / "payments"
    return card_payments(folder, bench.rows or PAYMENTS), "made from a seed, 5,000 buyers, 10,000 sellers"


ORDERS: Final = 1_000_000
EDGES: Final = tuple(days * DAY for days in (1, 7, 30, 90))


@dataclass(frozen=True)
class Stream:
    """Facts in time order: `at` and `cents` (n,), and the entity of each by name."""

    at: Int
    cents: Int
    codes: dict[str, Code]


def kernel(bench: Workbench) -> str:
    """Seconds of windowed counts and sums over 1 M orders, beside pandas merge_asof on running totals, values equal."""
    rows = bench.rows or ORDERS
    orders, chargebacks = facts(rows)
    few = np.sort(np.random.default_rng(1).choice(rows, max(1, rows * 3 // 100), replace=False))
    table: list[dict[str, object]] = []
    by_kernel(chargebacks, chargebacks, "region")  # compiles it
    for which in (few, np.arange(rows)):
        asks = Stream(orders.at[which], orders.cents[which], {name: c[which] for name, c in orders.codes.items()})
        ways = {name: _way(way, (orders, chargebacks), asks) for name, way in WAYS.items()}
        paces = by_turns(ways, bench.runs, lambda a, b: all(map(np.array_equal, a, b)))
        ours, peer = paces.values()
        shown = {f"{name}, seconds (of cores)": f"{p.seconds:.3f} ({p.core_seconds:.3f})" for name, p in paces.items()}
        table.append({"askings": len(which), **shown, "ratio": f"{peer.seconds / ours.seconds:.1f}×"})
    said = f"{rows:,} orders, {len(chargebacks.at):,} chargebacks; {len(orders.codes)} entities × 2 streams × "
    said += f"{len(EDGES)} windows × count and sum. Medians of {bench.runs} alternated runs, all cores for both."
    return f"{said}\n\n{markdown(table)}"


def facts(rows: int, *, seed: int = 0) -> tuple[Stream, Stream]:
    """Orders of a year by skewed buyers, sellers, products and regions; 1 % charged back days to months later."""
    rng = np.random.default_rng(seed)
    groups = {"buyer": rows // 5, "seller": 10_000, "product": rows // 20, "region": 50}
    codes = {name: ((n + 1) * rng.random(rows) ** 2).astype(np.int32) for name, n in groups.items()}
    orders = Stream(np.sort(rng.integers(0, 365 * DAY, rows)), rng.integers(1, 50_000, rows), codes)
    charged = rng.choice(rows, max(1, rows // 100), replace=False)
    at = orders.at[charged] + rng.integers(DAY, 90 * DAY, charged.size)
    charged, at = charged[np.argsort(at)], np.sort(at)
    return orders, Stream(at, orders.cents[charged], {name: c[charged] for name, c in codes.items()})


def _way(
    one: Callable[[Stream, Stream, str], Int], streams: tuple[Stream, ...], asks: Stream
) -> Callable[[], list[Int]]:
    """All totals by one way of finding those of one stream and entity, on all cores."""
    jobs = [(stream, asks, name) for stream in streams for name in asks.codes]

    def run() -> list[Int]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(lambda job: one(*job), jobs))

    return run


def by_kernel(facts: Stream, asks: Stream, entity: str) -> Int:
    """Counts and sums (windows, 2, askings) by the project's kernel, askings block after block as its jobs run it."""
    codes, measures = asks.codes[entity], [np.ones(facts.at.size, np.int64), facts.cents]
    groups = int(max(facts.codes[entity].max(), codes.max())) + 1
    merge = Merge(cumulate(facts.at, facts.codes[entity], groups, measures), EDGES)
    found = np.empty((len(EDGES), len(measures), asks.at.size), np.int64)
    for lo in range(0, asks.at.size, BLOCK):
        order, start = group(codes[lo : lo + BLOCK], groups)
        met = np.flatnonzero(np.diff(start))
        totals = merge.totals(met, np.append(start[met], start[-1]), asks.at[lo : lo + BLOCK][order])
        found[:, :, lo : lo + BLOCK][:, :, order] = totals.windows
    return found


def by_merge_asof(facts: Stream, asks: Stream, entity: str) -> Int:
    """The same by pandas: running totals, and the last row before each edge of each window."""
    frame = pd.DataFrame({"at": facts.at, "entity": facts.codes[entity], "count": 1, "cents": facts.cents})
    frame[["count", "cents"]] = frame.groupby("entity", sort=False)[["count", "cents"]].cumsum()

    def before(t: Int) -> Int:
        asked = pd.DataFrame({"at": t, "entity": asks.codes[entity]})
        found = pd.merge_asof(asked, frame, on="at", by="entity", allow_exact_matches=False)
        return found[["count", "cents"]].fillna(0).to_numpy().T.astype(np.int64)

    now = before(asks.at)
    return np.stack([now - before(asks.at - edge) for edge in EDGES])


WAYS: Final = {"redress kernel": by_kernel, "pandas merge_asof": by_merge_asof}
