"""The kernel beside the ways that others would find the same signals by."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from benchmarks.peers import FAST, SLOW, Facts, Found, Int, Way
from benchmarks.turns import Pace, by_turns
from benchmarks.workbench import Workbench, markdown
from features.build import BLOCK
from features.kernel import DAY, Sweep

ORDERS: Final = 1_000_000
SPAN: Final = 548 * DAY
EDGES: Final = tuple(days * DAY for days in (7, 30, 90, 365))
SHARES: Final = {"disputes": 0.03, "chargebacks": 0.01, "refunds": 0.02}
TURNS: Final = 7
LONG: Final = ("DuckDB, range join",)
"""Ways that take minutes where every order is asked about."""

Streams = dict[str, Facts]


def market(rows: int, *, seed: int = 0) -> Streams:
    """Orders of 18 months by skewed buyers, sellers, products and devices, and facts days to months later about some."""
    rng = np.random.default_rng(seed)
    groups = {"buyer": rows // 5, "seller": rows // 100, "product": rows // 20, "device": rows * 3 // 10}
    codes = {name: ((n + 1) * rng.random(rows) ** 2).astype(np.int32) for name, n in groups.items()}
    at, cents = np.sort(rng.integers(0, SPAN, rows)), rng.integers(1, 50_000, rows)
    made = {"orders": Facts(at, np.stack([np.ones(rows, np.int64), cents]), codes)}
    for name, share in SHARES.items():
        of = rng.choice(rows, max(1, int(rows * share)), replace=False)
        late = at[of] + rng.integers(DAY, 90 * DAY, of.size)
        of, late = of[np.argsort(late)], np.sort(late)
        made[name] = replace(made["orders"].take(of), at=late)
    return made


def by_kernel(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """The project's own way: askings block after block, as its jobs run them."""
    return list(blocks(facts, asks, entity, edges))


def blocks(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Iterator[tuple[Int, Int]]:
    """What the kernel finds, one block of askings at a time."""
    own, codes = facts.codes[entity], asks.codes[entity]
    groups = int(max(own.max(), codes.max())) + 1
    asked = codes if codes.size < own.size else None
    sweep = Sweep(facts.at, own, groups, facts.measures, edges, asked=asked)
    for lo in range(0, codes.size, BLOCK):
        totals = sweep.totals(codes[lo : lo + BLOCK], asks.at[lo : lo + BLOCK])
        yield totals.windows, totals.last


OURS: Final[dict[str, Way]] = {"redress kernel": by_kernel}


def whole(way: Way, streams: Streams, asks: Facts) -> list[Found]:
    """All that one way finds, on all cores."""
    jobs = [(facts, entity) for facts in streams.values() for entity in asks.codes]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: way(job[0], asks, job[1], EDGES), jobs))


def same(one: list[Found], other: list[Found]) -> bool:
    """Whether two ways found the same, in however many blocks."""
    for blocks_one, blocks_other in zip(one, other, strict=True):
        for a, b in zip(zip(*blocks_one, strict=True), zip(*blocks_other, strict=True), strict=True):
            if not np.array_equal(np.concatenate(a, axis=-1), np.concatenate(b, axis=-1)):
                return False
    return True


def kernel(bench: Workbench) -> str:
    """Seconds of 144 signals of 1 M orders for 30 k and 1 M askings, beside pandas, Polars and DuckDB, values equal."""
    rows, turns = bench.rows or ORDERS, bench.runs if bench.rows else max(bench.runs, TURNS)
    streams = market(rows)
    orders = streams["orders"]
    few = orders.take(np.sort(np.random.default_rng(1).choice(rows, max(1, rows * 3 // 100), replace=False)))
    found = {len(asks.at): paces(streams, asks, turns, asks is few) for asks in (few, orders)}
    table = [
        _row(name, {askings: paced.get(name) for askings, paced in found.items()}, found) for name in OURS | FAST | SLOW
    ]
    signals = len(streams) * len(orders.codes) * (2 * len(EDGES) + 1)
    said = f"{rows:,} orders over 18 months, {sum(len(facts.at) for facts in streams.values()) - rows:,} other facts; "
    said += (
        f"{signals} signals: {len(orders.codes)} entities × {len(streams)} streams × ({len(EDGES)} windows × count and "
    )
    said += f"sum, and time since last). Medians of {turns} alternated turns, one turn of DuckDB; all cores for all. "
    said += "The range join takes minutes where all orders are asked about, and is left out there."
    return f"{said}\n\n{markdown(table)}"


def paces(streams: Streams, asks: Facts, turns: int, few: bool) -> dict[str, Pace]:
    """The pace of each way, the slow ones in a single turn beside ours; without the slowest unless the askings are few."""
    slow = {name: way for name, way in SLOW.items() if few or name not in LONG}
    run = {name: partial(whole, way, streams, asks) for name, way in (OURS | FAST | slow).items()}
    for name in OURS | FAST:
        run[name]()  # compiles and warms
    paced = by_turns({name: run[name] for name in OURS | slow}, 1, same)
    return paced | by_turns({name: run[name] for name in OURS | FAST}, turns, same)


def _row(name: str, paced: dict[int, Pace | None], found: dict[int, dict[str, Pace]]) -> dict[str, object]:
    row: dict[str, object] = {"way": name}
    for askings, pace in paced.items():
        ours = found[askings][next(iter(OURS))].seconds
        row[f"{askings:,} askings, seconds (of cores)"] = (
            f"{pace.seconds:.3f} ({pace.core_seconds:.3f})" if pace else "–"
        )
        row[f"{askings:,}: × ours"] = f"{pace.seconds / ours:.1f}" if pace else "–"
    return row
