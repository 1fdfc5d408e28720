"""What of a ledger is kept by its age, by hand."""

import pyarrow as pa
import pytest
from naive import Row, tables

from features import Ledger, LedgerError
from features.homes import facts_of
from features.retention import kept

ROWS: dict[str, list[Row]] = {
    "buyers": [{"buyer_id": "gone", "at": 1}, {"buyer_id": "back", "at": 2}, {"buyer_id": "new", "at": 60}],
    "sellers": [{"seller_id": "s", "at": 1}, {"seller_id": "closed", "at": 1}],
    "listings": [
        {"product_id": "p", "seller_id": "s", "at": 3},
        {"product_id": "p", "seller_id": "s", "at": 4},
        {"product_id": "old", "seller_id": "s", "at": 3},
    ],
    "orders": [
        {"order_id": "o1", "at": 49, "buyer_id": "gone", "seller_id": "closed", "amount": 1, "product_id": "old"},
        {"order_id": "o2", "at": 49, "buyer_id": "back", "seller_id": "s", "amount": 1, "product_id": "p"},
        {"order_id": "o3", "at": 50, "buyer_id": "back", "seller_id": "s", "amount": 1, "product_id": "p"},
    ],
    "disputes": [
        {"dispute_id": "d2", "at": 70, "order_id": "o2", "reason": "quality", "claimed": 1},
        {"dispute_id": "d3", "at": 70, "order_id": "o3", "reason": "quality", "claimed": 1},
    ],
    "rulings": [
        {"dispute_id": "d2", "at": 80, "outcome": "refused"},
        {"dispute_id": "d3", "at": 80, "outcome": "refused"},
    ],
    "evidence": [
        {"evidence_id": "e2", "at": 75, "case_id": "d2", "party": "buyer", "kind": "other"},
        {"evidence_id": "e3", "at": 75, "case_id": "o3", "case_kind": "order", "party": "buyer", "kind": "other"},
    ],
    "blocks": [
        {"block_id": "k1", "at": 40, "kind": "seller_integrity", "seller_id": "s"},
        {"block_id": "k2", "at": 90, "kind": "seller_integrity", "seller_id": "s"},
        {"block_id": "k3", "at": 90, "kind": "risk_address", "order_id": "o1"},
    ],
    "releases": [{"block_id": name, "at": 95, "result": "closed"} for name in ("k1", "k2", "k3")],
    "tiers": [
        {"buyer_id": "gone", "at": 30, "tier": "manual", "reason": "x"},
        {"buyer_id": "back", "at": 30, "tier": "manual", "reason": "x"},
    ],
}


def left(since: int) -> list[tuple[object, ...]]:
    """What is left of the rows: the table, the first column of the key, and when."""
    found, _ = kept(Ledger.of(tables(ROWS)), since)
    return [(one.table, one.values[0], one.at) for one in facts_of(found)]


def test_an_old_order_goes_with_all_about_it_and_what_still_holds_stays() -> None:
    assert left(50) == [
        ("orders", "o3", 50),
        ("buyers", "back", 2),
        ("buyers", "new", 60),
        ("sellers", "s", 1),
        ("listings", "p", 3),
        ("listings", "p", 4),
        ("disputes", "d3", 70),
        ("rulings", "d3", 80),
        ("evidence", "e3", 75),
        ("blocks", "k2", 90),
        ("releases", "k2", 95),
        ("tiers", "back", 30),
    ]


def test_what_went_is_counted_by_table() -> None:
    _, gone = kept(Ledger.of(tables(ROWS)), 50)
    assert gone == {
        "orders": 2,
        **dict.fromkeys(("buyers", "sellers", "listings", "disputes", "rulings", "evidence"), 1),
        **{"blocks": 2, "releases": 2, "tiers": 1},
    }


def test_all_stays_where_nothing_is_old() -> None:
    assert len(left(1)) == sum(map(len, ROWS.values()))
    assert kept(Ledger.of(tables(ROWS)), 1)[1] == {}


def test_what_is_left_is_a_good_ledger_that_lacks_what_it_lacked() -> None:
    found, _ = kept(Ledger.of(tables(ROWS)), 50)
    again = Ledger.of(
        {
            name: pa.table({c.name: of.column(c.name) for c in of.table.columns if of.has(c.name)})
            for name, of in found.facts.items()
        }
    )
    assert (sum(map(len, again.bad.values())), list(again.facts)) == (0, list(found.facts))
    assert "chargebacks" not in found.facts


def test_a_ledger_of_old_orders_alone_is_an_error() -> None:
    with pytest.raises(LedgerError, match="want an order that is young enough to be kept, got none"):
        left(51)
