"""What followed logged decisions, by hand: what is paid, when it counts, and what no ledger tells."""

import naive
import numpy as np
import pytest

from features import Ledger
from features.kernel import DAY
from models.observed import ANSWERS, logged, observed
from models.refunds import ACTIONS, Refunds

PRICES = Refunds(bank_fees=4_300, review=1_300, ask=200, shipping=1_200)
CLAIMS = {"paid": 3_000, "charged": 9_000, "then paid": 2_000, "asked": 1_000, "refused": 700, "open": 800, "back": 600}
"""The cents that are claimed of each order, which is named by what becomes of it; day 5."""
DECISIONS = [  # order, day, answer, propensity
    *[("paid", 10, "refund_full", 0.5), ("charged", 10, "review", 0.5), ("then paid", 10, "request_evidence", 0.25)],
    *[("then paid", 15, "refund_full", 1.0), ("asked", 10, "request_evidence", 0.25), ("refused", 10, "refuse", 1.0)],
    *[("open", 10, "settle", None), ("back", 10, "return_and_refund", 0.5)],
]
REFUNDS = [  # order, day, cents, who bears it
    *[("paid", 9, 500, "platform"), ("paid", 10, 2_500, "platform"), ("paid", 129, 500, "seller")],
    *[("paid", 130, 77, "seller"), ("then paid", 16, 2_000, "insurer"), ("charged", 60, 4_000, "issuer")],
    *[("back", 12, 600, "seller"), ("nobody's", 12, 9_999, "seller")],
]
CHARGED = {  # order: day, cents, how it ends
    "charged": (40, 4_000, "lost"),
    "refused": (40, 700, "won"),
    "open": (129, 500, None),
    "asked": (130, 1_000, "lost"),
}
EXPECTED = {  # cents that it cost, cents left unpaid, whether that is not settled
    "paid": (3_000, 0, False),  # not the day before, and not after 120 days
    "charged": (4_000 + 4_300 + 1_300, 5_000, False),  # what the bank took counts once
    "then paid": (2_000 + 200, 0, False),
    "asked": (200 + 1_300, 1_000, False),  # nothing was decided after the request: a person looked
    "refused": (4_300, 700, False),
    "open": (500 + 4_300, 300, True),
    "back": (600 + 1_200, 0, False),
}


def shop(decisions: list[tuple[str, int, str, float | None]] = DECISIONS) -> Ledger:
    names = [*CLAIMS, "nobody's"]
    charges = [
        {"chargeback_id": order, "order_id": order, "at": day * DAY, "amount": cents}
        for order, (day, cents, _) in CHARGED.items()
    ]
    rows: naive.Rows = {
        "orders": [
            {"order_id": name, "at": DAY, "buyer_id": name, "seller_id": "s", "amount": 20_000} for name in names
        ],
        "disputes": [
            {"dispute_id": f"of {name}", "at": 5 * DAY, "order_id": name, "reason": "quality", "claimed": cents}
            for name, cents in CLAIMS.items()
        ],
        "decisions": [
            {"decision_id": str(i), "at": day * DAY, "case_id": f"of {order}", "case_kind": "dispute"}
            | {"action": action, "policy": "p", "propensity": propensity}
            for i, (order, day, action, propensity) in enumerate(decisions)
        ],
        "refunds": [
            {"order_id": order, "at": day * DAY, "amount": cents, "funded_by": who}
            for order, day, cents, who in REFUNDS
        ],
        "chargebacks": charges,
        "chargeback_rulings": [
            {"chargeback_id": order, "at": 140 * DAY, "outcome": how} for order, (_, _, how) in CHARGED.items() if how
        ],
    }
    return Ledger.of(naive.tables(rows))


def names(ledger: Ledger) -> list[str]:
    log, orders = logged(ledger), ledger.facts["orders"].strings("order_id").to_pylist()
    return [orders[i] for i in log.order.tolist()]


def test_the_first_decision_of_each_order_is_told_with_its_propensity() -> None:
    log = logged(shop())
    found = {
        order: (ANSWERS[action], at // DAY, propensity)
        for order, action, at, propensity in zip(
            names(shop()), log.action.tolist(), log.at.tolist(), log.propensity.tolist(), strict=True
        )
    }
    assert set(found) == set(CLAIMS)
    assert found["then paid"] == ("request_evidence", 10, 0.25)
    assert found["refused"] == ("refuse", 10, 1.0)
    assert found["open"][0] == "settle"
    assert np.isnan(found["open"][2])
    assert ANSWERS[: len(ACTIONS)] == ACTIONS


@pytest.mark.parametrize("order", CLAIMS)
def test_what_followed_a_decision_is_what_was_seen_to_be_paid(order: str) -> None:
    ledger = shop()
    found = observed(ledger, logged(ledger), PRICES, 120 * DAY)
    i = names(ledger).index(order)
    assert (found.cost[i], found.unpaid[i], found.unsettled[i]) == EXPECTED[order]


def test_a_later_dispute_of_an_order_is_part_of_what_followed_the_first() -> None:
    ledger = shop([("paid", 10, "review", 0.5), ("paid", 20, "review", 0.5)])
    log = logged(ledger)
    assert (log.at // DAY).tolist() == [10]
    assert observed(ledger, log, PRICES, 120 * DAY).cost.tolist() == [3_000 + 2 * 1_300]
    assert observed(ledger, log, PRICES, 5 * DAY).cost.tolist() == [2_500 + 1_300]


def test_an_unknown_amount_counts_as_the_claim_and_is_not_settled() -> None:
    tables = naive.tables(
        {
            "orders": [{"order_id": "o", "at": 1, "buyer_id": "b", "seller_id": "s", "amount": 900}],
            "disputes": [{"dispute_id": "d", "at": 2, "order_id": "o", "reason": "quality", "claimed": 800}],
            "decisions": [
                {"decision_id": "n", "at": 3, "case_id": "d", "case_kind": "dispute", "action": "refund_full"}
                | {"policy": "p", "propensity": 0.5}
            ],
            "refunds": [{"order_id": "o", "at": 4, "amount": None, "funded_by": "seller"}],
            "chargebacks": [],
            "chargeback_rulings": [],
        }
    )
    ledger = Ledger.of(tables)
    found = observed(ledger, logged(ledger), PRICES, DAY)
    assert (found.cost.tolist(), found.unpaid.tolist(), found.unsettled.tolist()) == ([800], [0], [True])
