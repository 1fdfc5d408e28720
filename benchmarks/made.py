"""Ledgers of any size, made from a seed: card payments of few parties, and a marketplace with bad rows in known numbers."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Int = NDArray[np.int64]
DAY: Final = 86_400_000_000
BEGIN: Final = 1_704_067_200_000_000
"""2024-01-01 in microseconds since 1970."""
SLICE: Final = 1_000_000
BYTES_A_ROW: Final = 250
"""Disk that an order of the marketplace takes at most, files of its facts included."""
PLACEHOLDER: Final = np.int64(0)
"""The device that one order in a hundred names, whoever pays."""


def card_payments(folder: Path, rows: int, *, buyers: int = 5_000, sellers: int = 10_000, seed: int = 0) -> Path:
    """A ledger of `rows` orders in 129 days, 0.8 % of them charged back a week later."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    orders = _table(
        order_id=np.arange(rows),
        at=BEGIN + np.sort(rng.integers(0, 129 * DAY, rows)),
        buyer_id=rng.integers(0, buyers, rows),
        seller_id=rng.integers(0, sellers, rows),
        amount=rng.gamma(2, 2_500, rows).astype(np.int64),
    )
    charged = np.sort(rng.choice(rows, max(1, rows * 8 // 1000), replace=False))
    late = orders.take(pa.array(charged)).append_column("chargeback_id", pa.array(charged))
    with duckdb.connect() as con:
        _write(con, folder / "orders.parquet", orders)
        _write(con, folder / "chargebacks.parquet", late, '* REPLACE ("at" + INTERVAL 7 DAY AS "at")')
    return folder


@dataclass(frozen=True)
class Planted:
    """Good rows, bad rows and collapsed copies that a table was made with."""

    good: int
    bad: int
    copies: int = 0


def marketplace(folder: Path, rows: int, *, seed: int = 0) -> dict[str, Planted]:
    """A ledger of `rows` orders of a year with eight id columns, and facts about them; says what is good and bad in it.

    0.5 % are charged back, 1 % disputed, half of these ruled on. Of each fault there are `rows` / 20,000. Raises
    RuntimeError where the disk has no room.
    """
    if shutil.disk_usage(folder.parent).free < 2 * rows * BYTES_A_ROW:
        raise RuntimeError(f"want {2 * rows * BYTES_A_ROW / 1e9:.1f} GB of disk at {folder.parent}; name less --rows")
    rng = np.random.default_rng(seed)
    k = max(1, rows // 20_000)
    odd = rng.choice(rows, 4 * k, replace=False)
    negative, late, clash, copied = np.split(odd, 4)
    at = BEGIN + np.sort(rng.integers(0, 365 * DAY, rows))
    even = np.flatnonzero(~np.isin(np.arange(rows), odd, kind="table"))
    (folder / "orders").mkdir(parents=True)
    with duckdb.connect() as con:
        for lo in range(0, rows, SLICE):
            part = _orders(rng, np.arange(lo, min(rows, lo + SLICE)), rows, at[lo : lo + SLICE], negative)
            _write(con, folder / "orders" / f"{lo // SLICE:03}.parquet", part)
        _again(con, folder, "later", late, '"at" + INTERVAL 1 HOUR AS "at"')
        _again(con, folder, "other", clash, "amount + 1 AS amount")
        _again(con, folder, "same", copied, "amount AS amount")
        return {"orders": Planted(rows - 2 * k, 4 * k, k)} | _facts(con, folder, rng, at, even, negative, k)


def _orders(rng: np.random.Generator, i: Int, rows: int, at: Int, negative: Int) -> pa.Table:
    """One slice of orders: buyers of skewed loyalty, each with a few devices, cards, addresses of their own."""
    n = i.size
    buyer = (rows / 10 * rng.random(n) ** 2).astype(np.int64)
    amount = rng.gamma(2, 2_500, n).astype(np.int64)
    amount[np.isin(i, negative)] = -1
    device = np.where(rng.random(n) < 0.01, PLACEHOLDER, 1 + 3 * buyer + rng.integers(0, 3, n))
    return _table(
        order_id=i,
        at=at,
        buyer_id=buyer,
        seller_id=(rows / 200 * rng.random(n) ** 3).astype(np.int64),
        amount=amount,
        product_id=(rows / 50 * rng.random(n) ** 3).astype(np.int64),
        instrument_id=2 * buyer + rng.integers(0, 2, n),
        device_id=device,
        address_id=buyer + rng.integers(0, 2, n),
        email_id=buyer,
        ip_id=rng.integers(0, rows // 20 + 1, n),
    )


def _facts(
    con: duckdb.DuckDBPyConnection, folder: Path, rng: np.random.Generator, at: Int, even: Int, negative: Int, k: int
) -> dict[str, Planted]:
    """Chargebacks, disputes and rulings about the orders `even`, which are good, and `k` of each fault."""
    rows = at.size
    nobody = np.full(k, rows + 1)
    charged, disputed = (np.sort(rng.choice(even, rows // share, replace=False)) for share in (200, 100))
    order = np.concatenate([charged, nobody, charged[:k], negative])
    known = np.append(at, at[-1])[np.minimum(order, rows)] + 20 * DAY
    known[charged.size + k : charged.size + 2 * k] -= 21 * DAY
    chargebacks = _table(chargeback_id=np.arange(order.size), at=known, order_id=order, amount=np.full(order.size, 500))
    _write(con, folder / "chargebacks.parquet", chargebacks)
    order = np.concatenate([disputed, nobody, disputed[: 2 * k]])
    claimed = np.full(order.size, 900)
    claimed[disputed.size + k : disputed.size + 2 * k] = -900
    reason = np.array(["damaged"] * (order.size - k) + ["broken"] * k)
    known = np.append(at, at[-1])[np.minimum(order, rows)] + 10 * DAY
    disputes = _table(dispute_id=np.arange(order.size), at=known, order_id=order, claimed=claimed)
    _write(con, folder / "disputes.parquet", disputes.append_column("reason", pa.array(reason)))
    ruled = np.concatenate([np.arange(disputed.size // 2), np.full(k, order.size + 1), np.arange(k)])
    outcome = np.array(["refused"] * (ruled.size - k) + ["perhaps"] * k)
    moment = known[np.minimum(ruled, order.size - 1)] + (5 + np.arange(ruled.size) % 7) * DAY
    rulings = _table(dispute_id=ruled, at=moment)
    _write(con, folder / "rulings.parquet", rulings.append_column("outcome", pa.array(outcome)))
    good = {"chargebacks": charged.size, "disputes": disputed.size, "rulings": disputed.size // 2}
    bad = {"chargebacks": 3 * k, "disputes": 3 * k, "rulings": 2 * k}
    return {name: Planted(good[name], bad[name]) for name in good}


def _table(**columns: Int) -> pa.Table:
    """Columns as they are, numbers of ids stirred."""
    return pa.table({n: pa.array(_stirred(values) if n.endswith("_id") else values) for n, values in columns.items()})


def _stirred(codes: Int) -> NDArray[np.uint64]:
    """A number of 64 bits that says nothing for each code, as ids come from a platform; no two codes share one."""
    return (codes.astype(np.uint64) + np.uint64(1)) * np.uint64(11_400_714_819_323_198_485)


def _write(con: duckdb.DuckDBPyConnection, path: Path, facts: pa.Table, columns: str = "*") -> None:
    """Writes a table, ids as text and `at` as an instant."""
    con.register("facts", facts)
    con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    source = f"SELECT {columns} FROM (SELECT {', '.join(map(_stored, facts.column_names))} FROM facts)"
    con.execute(f"COPY ({source}) TO '{path}' (FORMAT parquet)")


def _stored(name: str) -> str:
    if name == "at":
        return 'make_timestamptz("at") AS "at"'
    return f"lower(to_hex({name})) AS {name}" if name.endswith("_id") else name


def _again(con: duckdb.DuckDBPyConnection, folder: Path, name: str, orders: Int, changed: str) -> None:
    """Writes some orders a second time, with one column changed."""
    con.register("chosen", _table(order_id=orders))
    ids = f"SELECT {_stored('order_id')} FROM chosen"
    source = f"SELECT * REPLACE ({changed}) FROM '{folder}/orders/[0-9]*.parquet' WHERE order_id IN ({ids})"
    con.execute(f"COPY ({source}) TO '{folder}/orders/{name}.parquet' (FORMAT parquet)")
