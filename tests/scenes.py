"""Scenes: short stories told fact by fact, and what one signal is to be at moments before, at and after their turn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dense import DAY

from pipelines.marketplace.draws import START

Told = tuple[str, float, Mapping[str, object]]
"""A table, the day on which a row is learnt, and the row."""
Expected = tuple[str, str, float, str, float | None]
"""A question, the row asked about, the day, a signal, and its value, None where it is unknown."""
JUST: Final = 1 / DAY
"""A microsecond, in days."""


@dataclass(frozen=True)
class Scene:
    """What is told, in the order in which it is sent, and what is expected of it."""

    told: tuple[Told, ...]
    expected: tuple[Expected, ...]


def moment(day: float) -> int:
    """A day as microseconds since 1970."""
    return START + round(day * DAY)


def order(name: str, day: float, buyer: str | None = "b", seller: str = "s", **more: object) -> Told:
    return "orders", day, {"order_id": name, "buyer_id": buyer, "seller_id": seller, "amount": 5_000} | more


def dispute(name: str, day: float, of: str | None, reason: str = "damaged") -> Told:
    return "disputes", day, {"dispute_id": name, "order_id": of, "reason": reason, "claimed": 5_000}


def ruling(of: str, day: float, outcome: str, **more: object) -> Told:
    return "rulings", day, {"dispute_id": of, "outcome": outcome} | more


def chargeback(name: str, day: float, of: str) -> Told:
    return "chargebacks", day, {"chargeback_id": name, "order_id": of, "amount": 5_000, "reason_code": "10.4"}


def shown(name: str, day: float, case: str, kind: str, party: str = "buyer", **more: object) -> Told:
    return (
        "evidence",
        day,
        {"evidence_id": name, "case_id": case, "case_kind": kind, "party": party} | {"kind": "product_photo"} | more,
    )


M: Final = "malicious_dispute"
R: Final = "chargeback_risk"
W: Final = "chargeback_win"

SCENES: Final = {
    "a refusal is given back once the seller is found guilty": Scene(
        (
            order("o1", 0),
            order("o2", 0, "x"),
            dispute("d1", 1, "o1"),
            ruling("d1", 2, "refused"),
            order("o3", 3, seller="t"),
            dispute("d3", 4, "o3"),
            dispute("d2", 4, "o2"),
            ruling("d2", 5, "refund_full", fault="seller"),
            order("o4", 6),
            dispute("d4", 7, "o4"),
            ruling("d4", 8, "refused"),
            ("blocks", 8.5, {"block_id": "k", "kind": "seller_integrity", "seller_id": "s", "cause": "counterfeit"}),
            ("releases", 9, {"block_id": "k", "result": "upheld"}),
        ),
        (
            (M, "d3", 4, "buyer_refusals_count_ever", 1),
            (M, "d3", 5, "buyer_refusals_count_ever", 1),
            (M, "d3", 5 + JUST, "buyer_refusals_count_ever", 0),
            (M, "d3", 9, "buyer_refusals_count_ever", 1),
            (M, "d3", 9 + JUST, "buyer_refusals_count_ever", 0),
        ),
    ),
    "a report upheld is given back once the seller who brought it is found guilty": Scene(
        (
            order("o1", 0),
            ("reports", 1, {"report_id": "r", "order_id": "o1"}),
            ("report_rulings", 2, {"report_id": "r", "upheld": True}),
            order("o2", 3, "x"),
            dispute("d2", 4, "o2"),
            order("o3", 4, seller="t"),
            ruling("d2", 5, "refund_full", fault="seller"),
        ),
        (
            (
                R,
                "o3",
                4,
                "buyer_credit_lost_reported",
                66.2338,
            ),  # with r = 0.05 x 1.02 / 11 / 0.002: r / (1 + r + 2 / 11)
            (
                R,
                "o3",
                5,
                "buyer_credit_lost_reported",
                64.557,
            ),  # with r = 0.05 x 1.02 / 12 / 0.002: r / (1 + r + 2 / 12)
            (R, "o3", 5 + JUST, "buyer_credit_lost_reported", 3.4483),  # with r = 0.05 x 10 / 12: r / (1 + 2.5 / 12)
        ),
    ),
    "orders with a seller who fakes are known so of every buyer": Scene(
        (
            order("o1", 0, seller="f"),
            order("o2", 1, "x", "f"),
            order("o3", 1),
            order("o4", 1, "x"),
            (
                "blocks",
                2,
                {"block_id": "k", "kind": "seller_integrity", "cause": "false_transactions"} | {"seller_id": "f"},
            ),
            ("releases", 3, {"block_id": "k", "result": "upheld"}),
        ),
        (
            (R, "o3", 3, "buyer_orders_faked_count_ever", 0),
            (R, "o3", 3 + JUST, "buyer_orders_faked_count_ever", 1),
            (R, "o4", 3 + JUST, "buyer_orders_faked_count_ever", 1),
        ),
    ),
    "a dispute counts with a carrier from when it is known that he carried": Scene(
        (
            order("o1", 0),
            order("o2", 0, "x"),
            ("shipments", 0.5, {"order_id": "o2", "carrier": "c"}),
            dispute("d1", 1, "o1"),
            ("shipments", 2, {"order_id": "o1", "carrier": "c"}),
            dispute("d2", 3, "o2"),
        ),
        (
            (M, "d2", 3, "carrier_disputes_count_ever", 1),
            (M, "d1", 1, "carrier_disputes_count_ever", None),
            (M, "d1", 3, "carrier_disputes_count_ever", 0),
            (M, "d1", 3 + JUST, "carrier_disputes_count_ever", 1),
        ),
    ),
    "disputes of one moment are each other's past a microsecond later": Scene(
        (order("o1", 0), order("o2", 0), dispute("d1", 1, "o1"), dispute("d2", 1, "o2"), dispute("d3", 2, "o2")),
        (
            (M, "d1", 1, "buyer_disputes_count_ever", 0),
            (M, "d1", 1 + JUST, "buyer_disputes_count_ever", 1),
            (M, "d2", 1 + JUST, "buyer_disputes_count_ever", 1),
            (M, "d1", 2 + JUST, "buyer_disputes_count_ever", 2),
            (M, "d3", 3, "buyer_disputes_days_since_first", 2),
            (M, "d1", 3, "buyer_disputes_days_since_last", 1),
        ),
    ),
    "a chargeback comes before the dispute about its order": Scene(
        (
            order("o1", 0),
            order("o2", 0),
            chargeback("c1", 1, "o1"),
            dispute("d1", 2, "o1"),
            dispute("d2", 2, "o2"),
            ("chargeback_rulings", 3, {"chargeback_id": "c1", "outcome": "lost"}),
        ),
        ((M, "d2", 2, "buyer_chargebacks_count_ever", 1), (M, "d1", 2, "buyer_chargebacks_count_ever", 1)),
    ),
    "what is filed with a defence is known with it, whichever is sent first": Scene(
        (
            order("o1", 0),
            order("o2", 0),
            chargeback("c1", 1, "o1"),
            chargeback("c2", 1, "o2"),
            shown("e1", 2, "c1", "chargeback", "seller"),
            ("representments", 2, {"chargeback_id": "c1"}),
            ("representments", 2, {"chargeback_id": "c2"}),
            shown("e2", 2, "c2", "chargeback", "seller"),
            shown("e3", 3, "c2", "chargeback", "seller"),
        ),
        (
            (W, "c1", 2, "case_evidence_count", 1),
            (W, "c2", 2, "case_evidence_count", 1),
            (W, "c2", 3, "case_evidence_count", 1),
            (W, "c2", 3 + JUST, "case_evidence_count", 2),
        ),
    ),
    "what was shown of an order is known of the dispute that is opened about it later": Scene(
        (
            order("o1", 0),
            shown("e1", 1, "o1", "order", "seller"),
            order("o2", 2, "x"),
            dispute("d1", 3, "o1"),
            shown("e2", 4, "o1", "order", "seller"),
        ),
        (
            (M, "d1", 3, "case_evidence_count", 1),
            (M, "d1", 4, "case_evidence_count", 1),
            (M, "d1", 4 + JUST, "case_evidence_count", 2),
        ),
    ),
    "the same picture is shown by several buyers, one of whom is found malicious": Scene(
        (
            *(order(f"o{i}", 0, f"b{i}") for i in (1, 2, 3)),
            *(dispute(f"d{i}", 1, f"o{i}") for i in (1, 2, 3)),
            *(shown(f"e{i}", 1 + i, f"d{i}", "dispute", content_hash="h") for i in (1, 2, 3)),
            ("findings", 5, {"dispute_id": "d1", "malicious": True, "source": "ring"}),
            chargeback("c", 6, "o2"),
        ),
        (
            (M, "d1", 2, "content_buyers_count", None),
            (M, "d1", 3, "content_buyers_count", 1),
            (M, "d1", 3 + JUST, "content_buyers_count", 2),
            (M, "d3", 4 + JUST, "content_buyers_count", 3),
            (M, "d3", 5, "content_malicious_sharers_count", 0),
            (M, "d3", 5 + JUST, "content_malicious_sharers_count", 1),
            (M, "d3", 6 + JUST, "content_charged_sharers_count", 1),
        ),
    ),
    "nobody knows who bought": Scene(
        (
            order("o1", 0, None, device_id="p"),
            order("o2", 0, None, device_id="p"),
            dispute("d1", 1, "o1"),
            dispute("d2", 2, "o2"),
        ),
        ((M, "d2", 2, "buyer_disputes_count_ever", None), (M, "d2", 2, "seller_disputes_count_ever", 1)),
    ),
    "nobody knows of which order": Scene(
        (
            order("o1", 0),
            dispute("d1", 1, None),
            ("messages", 1, {"message_id": "m1", "sender": "buyer", "kind": "text"}),
            dispute("d2", 2, None),
            shown("e1", 2, "d1", "dispute", content_hash="h"),
            shown("e2", 2, "d2", "dispute", content_hash="h"),
            ("messages", 3, {"message_id": "m2", "sender": "buyer", "kind": "text"}),
            ruling("d1", 3, "refused"),
        ),
        (
            (M, "d1", 3, "case_evidence_count", 1),
            (M, "d1", 3, "buyer_disputes_count_ever", None),
            (M, "d1", 3, "content_buyers_count", None),
        ),
    ),
    "a buyer is new and a product was never seen": Scene(
        (order("o1", 0, "new", "new", product_id="new"), dispute("d1", 0, "o1")),
        ((M, "d1", 0, "buyer_disputes_count_ever", 0), (R, "o1", 0, "buyer_orders_count_ever", 0)),
    ),
}
"""Scenes by what happens in them."""
