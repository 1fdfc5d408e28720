"""A market for stores: orders, disputes, rulings, chargebacks and refunds made at once, of any size, and of one seed."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import Generator

from features import Ledger
from features.columns import ARROW
from features.kernel import DAY, Int
from features.tables import TABLES

BEGIN: Final = 1_640_995_200_000_000
SPAN: Final = 730 * DAY
SHARES: Final = {"disputes": 0.03, "chargebacks": 0.004, "refunds": 0.02}
"""How many of the orders each befalls."""
REASONS: Final = ("not_received", "not_as_described", "quality", "damaged", "counterfeit")
OUTCOMES: Final = ("refund_full", "refused", "settled", "withdrawn")


def market(orders: int, seed: int = 0) -> Ledger:
    """A ledger whose sellers and buyers grow with it; the first seller has one order in fifty, however many there are."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(BEGIN, BEGIN + SPAN, orders))
    bought = _bought(rng, at)
    about = {name: np.sort(rng.choice(orders, max(1, int(share * orders)), False)) for name, share in SHARES.items()}
    told = {"orders": bought} | {name: _told(rng, name, bought, rows) for name, rows in about.items()}
    told["rulings"] = _ruled(rng, told["disputes"])
    return Ledger.trusted({name: told[name] for name in TABLES if name in told})


def _bought(rng: Generator, at: Int) -> pa.Table:
    n = at.size
    buyer = rng.integers(0, max(1, n // 8), n)
    seller = (rng.pareto(1.2, n) * n / 400).astype(np.int64) % max(1, n // 60)
    seller[rng.random(n) < 0.02] = 0
    product = seller * 10 + rng.integers(0, 10, n)
    mine = {name: buyer * 2 + (rng.random(n) < 0.1) for name in ("instrument", "device", "address", "email", "login")}
    ids = {"order": np.arange(n), "buyer": buyer, "seller": seller, "product": product, **mine}
    columns = {f"{name}_id": _named(name[0], values) for name, values in ids.items()}
    columns["ip_id"] = _named("ip", rng.integers(0, max(1, n // 3), n))
    columns |= {
        "at": at,
        "amount": rng.integers(500, 30_000, n),
        "region": _one(rng, n, ("north", "south", "east", "west")),
        "channel": _one(rng, n, ("web", "app")),
        "ship_country": _one(rng, n, ("DE", "FR", "US", "CN")),
    }
    return _table("orders", columns)


def _told(rng: Generator, name: str, orders: pa.Table, rows: Int) -> pa.Table:
    """What befalls some orders, days later."""
    some = orders.take(pa.array(rows))
    columns: dict[str, object] = {
        "order_id": some["order_id"],
        "at": np.array(some["at"].cast(pa.int64())) + (rng.exponential(20, rows.size) * DAY).astype(np.int64) + 1,
        f"{name[:-1]}_id": _named(name[0] + "-", np.arange(rows.size)),
        "claimed": some["amount"],
        "amount": some["amount"],
        "reason": _one(rng, rows.size, REASONS),
        "network": _one(rng, rows.size, ("visa", "mastercard")),
        "funded_by": _one(rng, rows.size, ("platform", "seller")),
    }
    return _table(name, columns)


def _ruled(rng: Generator, disputes: pa.Table) -> pa.Table:
    n = disputes.num_rows
    at = np.array(disputes["at"].cast(pa.int64())) + (rng.exponential(7, n) * DAY).astype(np.int64) + 1
    outcomes = _one(rng, n, OUTCOMES)
    return _table("rulings", {"dispute_id": disputes["dispute_id"], "at": at, "outcome": outcomes})


def _table(name: str, columns: dict[str, object]) -> pa.Table:
    """The columns of a table that it declares, in the order of time."""
    of = {c.name: ARROW[c.kind] for c in TABLES[name].columns if c.name in columns}
    return pa.table({c: _typed(columns[c], kind) for c, kind in of.items()}).sort_by("at")


def _typed(found: object, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    return found if isinstance(found, pa.ChunkedArray | pa.Array) else pa.array(found).cast(kind)


def _named(letter: str, numbers: Int) -> pa.Array:
    kind = ARROW["id"]
    words = pa.array(numbers).cast(kind)
    return pc.binary_join_element_wise(pa.scalar(letter, kind), words, pa.scalar("", kind))


def _one(rng: Generator, n: int, words: tuple[str, ...]) -> pa.Array:
    """One of some words for each row."""
    return pa.array(words, ARROW["text"]).take(pa.array(rng.integers(0, len(words), n)))
