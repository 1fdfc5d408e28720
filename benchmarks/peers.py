"""The ways that others would find windowed counts, sums and last times by, each as its experts write it.

A way takes facts and askings in time order, an entity and the lengths of the windows, and finds the counts and sums
(w, 2, n) of each [t - w, t), and the last `at` before t (n,), NEVER if there is none: as one block, or as several.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from features.kernel import NEVER

Int = NDArray[np.int64]
Code = NDArray[np.int32]
Found = list[tuple[Int, Int]]


@dataclass(frozen=True)
class Facts:
    """Facts in time order: `at` (n,), `measures` (2, n), ones and cents, and the entity of each by name."""

    at: Int
    measures: Int
    codes: dict[str, Code]

    def take(self, rows: Int) -> "Facts":
        """Some of them."""
        codes = {name: codes[rows] for name, codes in self.codes.items()}
        return Facts(self.at[rows], np.ascontiguousarray(self.measures[:, rows]), codes)


Way = Callable[[Facts, Facts, str, tuple[int, ...]], Found]


def _running(facts: Facts, entity: str) -> Int:
    """Running totals of count and cents by entity (n + 1, 2), after a row of zeros, by pandas."""
    frame = pd.DataFrame({"entity": facts.codes[entity], "count": facts.measures[0], "cents": facts.measures[1]})
    totals = frame.groupby("entity", sort=False)[["count", "cents"]].cumsum()
    return np.concatenate([np.zeros((1, 2), np.int64), totals.to_numpy()])


def by_merge_asof(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """Pandas: running totals, and the last row of them before each edge of each window."""
    rows = pd.DataFrame({"at": facts.at, "entity": facts.codes[entity]})
    rows[["count", "cents"]] = _running(facts, entity)[1:]

    def before(t: Int, right: pd.DataFrame) -> pd.DataFrame:
        left = pd.DataFrame({"at": t, "entity": asks.codes[entity]})
        return pd.merge_asof(left, right, on="at", by="entity", allow_exact_matches=False)

    now = before(asks.at, rows.assign(last=rows["at"]))
    last = now["last"].fillna(NEVER).to_numpy(np.int64)
    totals, *left = (
        found[["count", "cents"]].fillna(0).to_numpy(np.int64).T
        for found in (now, *(before(asks.at - edge, rows) for edge in edges))
    )
    return [(np.stack([totals - gone for gone in left]), last)]


def by_stacked_asof(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """Pandas: all edges of all windows stacked and sorted, so that one merge finds the rows of all of them."""
    running = _running(facts, entity)
    right = pd.DataFrame({"at": facts.at, "entity": facts.codes[entity], "row": np.arange(1, facts.at.size + 1)})
    t = np.concatenate([asks.at - edge for edge in (0, *edges)])
    sort = np.argsort(t, kind="stable")
    left = pd.DataFrame({"at": t[sort], "entity": np.tile(asks.codes[entity], 1 + len(edges))[sort]})
    found = pd.merge_asof(left, right, on="at", by="entity", allow_exact_matches=False)["row"].fillna(0)
    rows = np.empty(t.size, np.int64)
    rows[sort] = found.to_numpy(np.int64)
    now, *before = rows.reshape(-1, asks.at.size)
    windows = np.stack([(running[now] - running[row]).T for row in before])
    return [(windows, np.append(NEVER, facts.at)[now])]


def by_join_asof(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """Polars: running totals over each entity, and a backward join_asof for each edge."""
    rows = pl.DataFrame(
        {"at": facts.at, "entity": facts.codes[entity], "count": facts.measures[0], "cents": facts.measures[1]}
    )
    rows = rows.with_columns(pl.col("count", "cents").cum_sum().over("entity"), pl.col("at").alias("last"))
    right = rows.set_sorted("at").lazy()

    def before(t: Int) -> pl.LazyFrame:
        left = pl.DataFrame({"at": t, "entity": asks.codes[entity]}).set_sorted("at").lazy()
        found = left.join_asof(right, on="at", by="entity", allow_exact_matches=False, check_sortedness=False)
        return found.select(pl.col("count", "cents").fill_null(0), pl.col("last").fill_null(NEVER))

    now, *left = pl.collect_all([before(asks.at - edge) for edge in (0, *edges)])
    windows = [[(now[name] - gone[name]).to_numpy() for name in ("count", "cents")] for gone in left]
    return [(np.array(windows), now["last"].to_numpy())]


def by_duckdb_asof(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """DuckDB: running totals as a window function, and an ASOF join for each edge."""
    joins, columns = "", ""
    for w, edge in enumerate(edges):
        joins += f" ASOF LEFT JOIN totals w{w} ON asks.entity = w{w}.entity AND asks.moment - {edge} > w{w}.moment"
        columns += "".join(f", now.{name} - coalesce(w{w}.{name}, 0)" for name in ("facts", "cents"))
    query = f"""
        WITH totals AS MATERIALIZED (
            SELECT entity, moment, count(*) OVER past AS facts, (sum(cents) OVER past)::BIGINT AS cents
            FROM facts WINDOW past AS (PARTITION BY entity ORDER BY moment))
        SELECT place, now.moment {columns}
        FROM asks ASOF JOIN totals now ON asks.entity = now.entity AND asks.moment > now.moment {joins}"""
    return _queried(query, facts, asks, entity, len(edges))


def by_range_join(facts: Facts, asks: Facts, entity: str, edges: tuple[int, ...]) -> Found:
    """DuckDB: every asking joined with all facts of its entity before it, then grouped."""
    inside = [f"FILTER (facts.moment >= asks.moment - {edge})" for edge in edges]
    columns = "".join(f", count(*) {some}, coalesce(sum(cents) {some}, 0)::BIGINT" for some in inside)
    query = f"""
        SELECT place, max(facts.moment) {columns}
        FROM asks JOIN facts ON asks.entity = facts.entity AND facts.moment < asks.moment GROUP BY place"""
    return _queried(query, facts, asks, entity, len(edges))


def _queried(query: str, facts: Facts, asks: Facts, entity: str, windows: int) -> Found:
    """What a query finds of askings that have any fact: their place, the last `at`, and counts and sums."""
    with duckdb.connect() as con:
        con.register(
            "facts", pd.DataFrame({"entity": facts.codes[entity], "moment": facts.at, "cents": facts.measures[1]})
        )
        places = np.arange(asks.at.size)
        con.register("asks", pd.DataFrame({"entity": asks.codes[entity], "moment": asks.at, "place": places}))
        place, at, *columns = con.execute(query).fetchnumpy().values()
    found, last = np.zeros((2 * windows, asks.at.size), np.int64), np.full(asks.at.size, NEVER)
    last[place] = at
    for row, column in zip(found, columns, strict=True):
        row[place] = column
    return [(found.reshape(windows, 2, -1), last)]


FAST: Final[dict[str, Way]] = {
    "pandas, merge_asof on running totals": by_merge_asof,
    "pandas, one merge_asof of all edges": by_stacked_asof,
    "Polars, join_asof on running totals": by_join_asof,
}
SLOW: Final[dict[str, Way]] = {
    "DuckDB, ASOF JOIN on running totals": by_duckdb_asof,
    "DuckDB, range join": by_range_join,
}
