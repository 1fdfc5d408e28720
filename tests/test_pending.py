"""Chargebacks that wait for an answer, by hand at every moment, and against a naive twin."""

import naive
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import Ledger, RedressError
from models.pending import case, pending
from models.stakes import Case

ROWS: dict[str, list[dict[str, object]]] = {
    "orders": [{"order_id": o, "at": 1, "amount": 100} for o in "xyz"],
    "shipments": [
        {"order_id": "x", "at": 2},  # no number: no notice
        {"order_id": "x", "at": 30, "tracking_id": "t1"},
        {"order_id": "y", "at": 3, "tracking_id": "t2"},
    ],
    "disputes": [
        {"dispute_id": "d1", "at": 4, "order_id": "x", "reason": "quality"},
        {"dispute_id": "d2", "at": 25, "order_id": "x", "reason": "not_received"},
    ],
    "chargebacks": [
        {"chargeback_id": "a", "at": 10, "order_id": "x", "amount": 70, "network": "visa", "reason_code": "13.1"},
        {"chargeback_id": "b", "at": 12, "order_id": "y", "amount": None, "respond_by": 90},
        {"chargeback_id": "c", "at": 14, "order_id": "z", "amount": 50, "reason_code": "10.4"},
        {"chargeback_id": "d", "at": 16, "order_id": None, "amount": 40},
    ],
    "evidence": [
        {"evidence_id": "e1", "at": 5, "case_id": "x", "party": "seller", "kind": "tracking"},
        {"evidence_id": "e2", "at": 20, "case_id": "a", "party": "seller", "kind": "delivery_certificate"},
        {"evidence_id": "e3", "at": 21, "case_id": "a", "party": "seller", "kind": "tracking"},
        {"evidence_id": "e4", "at": 22, "case_id": "d1", "party": "seller", "kind": "other"},
        {"evidence_id": "e5", "at": 23, "case_id": "b", "party": "seller", "kind": None},
    ],
    "representments": [{"chargeback_id": "b", "at": 40}],
    "chargeback_rulings": [
        {"chargeback_id": "c", "at": 35, "outcome": "pre_arbitration"},
        {"chargeback_id": "c", "at": 45, "outcome": "accepted"},
        {"chargeback_id": "b", "at": 60, "outcome": "won"},
    ],
}


def ledger(rows: dict[str, list[dict[str, object]]] = ROWS) -> Ledger:
    return Ledger.of(naive.tables(rows))


@pytest.mark.parametrize(
    ("as_of", "ids"),
    [(10, ""), (11, "a"), (17, "abcd"), (40, "abcd"), (41, "acd"), (45, "acd"), (46, "ad"), (99, "ad")],
)
def test_a_chargeback_waits_until_it_is_defended_or_has_ended(as_of: int, ids: str) -> None:
    assert "".join(one.chargeback_id for one in pending(ledger(), as_of)) == ids


def test_a_case_is_what_was_known_of_it() -> None:
    assert case(ledger(), "a", 10) == Case(
        chargeback_id="a",
        order_id="x",
        at=10,
        charged_at=10,
        amount=70,
        network="visa",
        reason_code="13.1",
        evidence=("tracking",),
        dispute="quality",
    )
    late = case(ledger(), "a", 31)
    assert (late.notice, late.dispute, late.evidence) == (True, "not_received", ("delivery_certificate", "tracking"))
    assert not case(ledger(), "a", 30).notice
    assert case(ledger(), "a", 21).evidence == ("delivery_certificate", "tracking")
    assert case(ledger(), "a", 20).evidence == ("tracking",)


def test_what_is_not_known_of_a_case_is_none() -> None:
    other = case(ledger(), "b", 99)
    assert (other.amount, other.network, other.reason_code, other.respond_by) == (None, None, None, 90)
    assert (other.notice, other.evidence, other.contested, other.ended) == (True, (), True, True)
    lost = case(ledger(), "d", 99)
    assert (lost.order_id, lost.notice, lost.dispute, lost.evidence) == (None, False, None, ())
    bare = case(ledger({name: ROWS[name] for name in ("orders", "chargebacks")}), "a", 99)
    assert (bare.notice, bare.dispute, bare.evidence, bare.contested, bare.ended) == (False, None, (), False, False)


@pytest.mark.parametrize(("name", "at"), [("a", 9), ("q", 99)])
def test_a_chargeback_that_had_not_come_is_refused(name: str, at: int) -> None:
    with pytest.raises(RedressError, match=f"chargeback: want one that came by then, got {name}; redress check"):
        case(ledger(), name, at)


def test_a_ledger_without_chargebacks_has_none_waiting() -> None:
    assert pending(ledger({"orders": ROWS["orders"]}), 99) == []
    with pytest.raises(RedressError, match="want one that came by then"):
        case(ledger({"orders": ROWS["orders"]}), "a", 99)


@given(as_of=st.integers(2, 70))
def test_what_came_later_changes_no_case(as_of: int) -> None:
    past = {name: [row for row in rows if int(str(row["at"])) < as_of] for name, rows in ROWS.items()}
    found = pending(ledger(past), as_of)
    assert found == pending(ledger(), as_of)
    assert found == [case(ledger(), one.chargeback_id, as_of) for one in found]
    gone = {
        row["chargeback_id"]
        for row in (*past["representments"], *past["chargeback_rulings"])
        if row.get("outcome") != "pre_arbitration"
    }
    assert {one.chargeback_id for one in found} == {row["chargeback_id"] for row in past["chargebacks"]} - gone
