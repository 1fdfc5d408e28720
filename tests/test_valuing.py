"""What answers cost, and what they leave unpaid of what the honest are owed, by hand; the oracle beside every threshold."""

from dataclasses import replace
from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.signal import Float
from models.refunds import ACTIONS, ASK, FULL, PARTIAL, REFUSE, RETURN, REVIEW, Refunds
from pipelines.comparing import ORACLE, QUANTILES, Compared, Way, oracle
from pipelines.valuing import Worth

PRICES = Refunds(
    review=1_300, review_days=3.0, wait=50, ask=200, ask_days=5.0, shipping=1_200, salvage=0.3, weight_error=0.05
)
FOUR = Worth(  # of the second only half is owed; the fourth is malicious
    malicious=np.array([0.0, 0.0, 0.0, 1.0]),
    paid=np.array([1_000.0, 2_000.0, 4_000.0, 1_500.0]),
    refused=np.array([3_500.0, 4_500.0, 6_500.0, 200.0]),
    judged=np.array([1_500.0, 1_000.0, 4_625.0, 850.0]),
    oracle=np.zeros((4, 2)),
    claimed=np.array([1_000.0, 2_000.0, 4_000.0, 1_000.0]),
    owed=np.array([1.0, 0.5, 1.0, 0.0]),
    faulty=np.zeros(4),
    withheld=np.array([0.2, 0.0, 0.25, 0.0]),
)


def all_of(action: int, worth: Worth = FOUR) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.full(len(worth.paid), action)


@pytest.mark.parametrize(
    ("action", "costs"),
    [
        (FULL, [1_000, 2_000, 4_000, 1_500]),
        (PARTIAL, [500 + 1_750, 1_000, 2_000 + 3_250, 750]),  # half is paid; what else was owed is as if refused
        (RETURN, [1_900, 2_600, 4_000, 2_700]),  # a malicious buyer's goods are credited with nothing
        (ASK, [1_900 + 1_500, 1_900 + 1_000, 1_900 + 4_625, 1_500 + 850]),  # the honest wait for 5 days, and 3
        (REVIEW, [1_450 + 1_500, 1_450 + 1_000, 1_450 + 4_625, 1_300 + 850]),
        (REFUSE, [3_500, 4_500, 6_500, 200]),
    ],
)
def test_what_each_answer_costs(action: int, costs: list[float]) -> None:
    assert FOUR.costs(all_of(action), np.full(4, 0.5), PRICES).tolist() == pytest.approx(costs)


UNPAID = {
    FULL: [0, 0, 0, 0],
    PARTIAL: [500, 0, 2_000, 0],
    RETURN: [0, 0, 0, 0],
    ASK: [200, 0, 1_000, 0],
    REVIEW: [200, 0, 1_000, 0],
    REFUSE: [1_000, 1_000, 4_000, 0],
}
"""Cents that the honest of four are owed and do not get, where a partial refund pays half."""


def test_what_each_answer_leaves_unpaid_of_what_the_honest_are_owed() -> None:
    assert FOUR.due.tolist() == [1_000, 1_000, 4_000, 0]
    for action, cents in UNPAID.items():
        assert FOUR.unpaid(all_of(action), np.full(4, 0.5), PRICES).tolist() == cents
    mixed = np.array([REVIEW, REFUSE, PARTIAL, REFUSE])
    assert FOUR.unpaid(mixed, np.array([nan, nan, 0.75, nan]), PRICES).tolist() == [200, 1_000, 1_000, 0]
    assert FOUR.unpaid(all_of(PARTIAL), np.full(4, nan), PRICES).tolist() == FOUR.due.tolist()
    most = FOUR.unpaid(all_of(PARTIAL), np.full(4, 0.75), PRICES).tolist()
    assert most == [250, 0, 1_000, 0]  # the second is paid more than he is owed, which makes up for nobody else


def test_who_is_honest_with_some_probability_counts_so_far() -> None:
    doubted = replace(FOUR, malicious=np.array([0.25, 0.5, 0.0, 1.0]))
    assert doubted.due.tolist() == [750, 500, 4_000, 0]
    assert doubted.unpaid(all_of(REVIEW), np.full(4, nan), PRICES).tolist() == [150, 0, 1_000, 0]


def test_where_costs_are_expected_what_a_partial_refund_leaves_is_owed_where_the_weight_errs() -> None:
    told = replace(FOUR, owed=np.ones(4), expected=np.zeros((4, len(ACTIONS))))
    assert told.unpaid(all_of(PARTIAL), np.full(4, 0.6), PRICES) == pytest.approx([20, 40, 80, 0])  # 5 % of 40 %
    assert told.unpaid(all_of(REFUSE), np.full(4, nan), PRICES).tolist() == [1_000, 2_000, 4_000, 0]


def test_what_was_not_paid_stands_beside_each_way_as_a_share_of_what_was_owed() -> None:
    half = np.full(4, 0.5)
    ways = {
        ACTIONS[action]: Way(FOUR.paid, all_of(action) == REFUSE, FOUR.unpaid(all_of(action), half, PRICES))
        for action in UNPAID
    }
    knows = replace(ways["refuse"], refuses=np.zeros(4, np.bool_), unpaid=np.array([0.0, 0.0, 600.0, 0.0]))
    told = Compared(ways, tuple(ways), knows, 1 - FOUR.malicious, FOUR.due, np.arange(4))
    rows = told.rows("refund_full").set_index("way")
    assert rows["unpaid"].to_dict() == pytest.approx(
        {
            "refund_full": 0.0,
            "refund_partial": 2_500 / 6_000,
            "return_and_refund": 0.0,
            "request_evidence": 0.2,
            "review": 0.2,
            "refuse": 1.0,
            ORACLE: 0.1,
        }
    )
    assert rows["honest_refused"].to_dict() == dict.fromkeys(rows.index, 0.0) | {"refuse": 1.0}


def ten(reviewed: Float) -> Worth:
    """Honest claims of 1.00 to 10.00, owed in full, of which a person withholds a tenth, and what reviewing each costs."""
    claimed = np.arange(100.0, 1_001.0, 100.0)
    none = np.zeros(10)
    costs = np.stack([claimed, reviewed], axis=1)
    return Worth(none, claimed, claimed, claimed, costs, claimed, none + 1, none, none + 0.1)


def test_the_oracle_has_those_claims_reviewed_that_are_dearer_than_a_review() -> None:
    found = oracle(ten(np.full(10, 520.0)))
    assert found.cost.tolist() == [100, 200, 300, 400, 500, 520, 520, 520, 520, 520]
    assert found.unpaid == pytest.approx([0, 0, 0, 0, 0, 60, 70, 80, 90, 100])
    assert not found.refuses.any()


def test_the_oracle_pays_all_the_honest_where_no_review_is_worth_it() -> None:
    worth = ten(np.arange(100.0, 1_001.0, 100.0) + 1)
    assert oracle(worth).cost.tolist() == worth.claimed.tolist()
    assert oracle(worth).unpaid.sum() == 0


@given(st.lists(st.floats(0, 2_000), min_size=10, max_size=10))
def test_the_oracle_is_as_cheap_as_the_best_threshold_and_never_dearer_than_paying_all_the_honest(
    reviewed: list[float],
) -> None:
    worth, best = ten(np.array(reviewed)), 5_500.0
    for share in QUANTILES:
        c = np.quantile(worth.claimed, share)
        best = min(best, sum(r if one > c else one for r, one in zip(reviewed, worth.claimed, strict=True)))
    assert oracle(worth).cost.sum() == pytest.approx(best)
