"""What the kernel costs as a market grows, where one seller has a tenth of it, and in memory."""

import math
import sys
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from benchmarks.command import run
from benchmarks.kernel import EDGES, ORDERS, OURS, Streams, blocks, market, whole
from benchmarks.peers import FAST, Facts, Found
from benchmarks.turns import by_turns
from benchmarks.workbench import Workbench, markdown

LARGER: Final = 10
STEEPEST: Final = 1.15
GIANT: Final = 0.1


def dropped(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """Finds everything and keeps nothing, block after block."""
    for _ in blocks(facts, asks, entity, edges):
        pass
    return []


def growth(bench: Workbench) -> str:
    """How seconds grow from 1 M to 10 M orders, all of them asked about; the exponent at most 1.15."""
    markets = {orders: market(orders) for orders in ((bench.rows or ORDERS), LARGER * (bench.rows or ORDERS))}
    ways = {f"{orders:,}": partial(whole, dropped, made, made["orders"]) for orders, made in markets.items()}
    next(iter(ways.values()))()
    small, large = (pace.seconds for pace in by_turns(ways, bench.runs, lambda a, b: True).values())
    found = {"exponent": f"{math.log(large / small, LARGER):.2f}", "target": f"{STEEPEST}"}
    few, many = markets
    return markdown(
        [{"orders": few, "seconds": small, **dict.fromkeys(found, "")}, {"orders": many, "seconds": large, **found}]
    )


def giant(bench: Workbench) -> str:
    """Seconds where one seller has a tenth of all orders, beside the same market without one; a ratio of 1."""
    streams = market(bench.rows or ORDERS)
    new = int(streams["orders"].codes["seller"].max()) + 1
    ways = {
        "no large seller": partial(sellers, streams),
        "a seller with a tenth": partial(sellers, {name: with_giant(facts, new) for name, facts in streams.items()}),
    }
    for way in ways.values():
        way()
    paced = by_turns(ways, max(3, bench.runs), lambda a, b: True)
    even = paced["no large seller"].seconds
    return markdown([{"market": n, "seconds": p.seconds, "ratio": f"{p.seconds / even:.2f}"} for n, p in paced.items()])


def sellers(streams: Streams) -> list[Found]:
    """The signals of sellers alone."""
    orders = streams["orders"]
    return whole(dropped, streams, replace(orders, codes={"seller": orders.codes["seller"]}))


def with_giant(facts: Facts, seller: int) -> Facts:
    """The same facts, those about one order in ten of one `seller`."""
    codes = facts.codes["seller"]
    mine = facts.measures[1] % round(1 / GIANT) == 0
    return replace(facts, codes=facts.codes | {"seller": np.where(mine, np.int32(seller), codes)})


def memory(bench: Workbench) -> str:
    """Peak memory of 144 signals of every one of 1 M orders, each way in a process of its own; no more than the best peer."""
    rows = bench.rows or ORDERS
    words = [sys.executable, "-m", "benchmarks.growth", str(rows)]
    costs = {name: run(bench.folder, [*words, name]) for name in ("", *OURS, *FAST)}
    floor = costs.pop("").peak
    best = min(costs[name].peak for name in FAST)
    return markdown(
        [
            {
                "way": name,
                "peak GB": cost.peak / 1e9,
                "of which data and libraries": floor / 1e9,
                "of the best peer's": f"{cost.peak / best:.2f}",
            }
            for name, cost in costs.items()
        ]
    )


if __name__ == "__main__":
    made = market(int(sys.argv[1]))
    if name := sys.argv[2]:
        print(sum(len(found) for found in whole((OURS | FAST)[name], made, made["orders"])), len(EDGES))
