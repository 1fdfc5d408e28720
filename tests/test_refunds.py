"""Refund decisions: what is cheapest by hand, the two keys, one case and many alike, and what is refused with a sentence."""

from dataclasses import replace
from math import isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import RedressError
from features.tables import REASONS
from models.officers import Officers
from models.refunds import ACTIONS, WHY, Case, Cases, Refunds, Scores, decide, decide_many
from models.signs import CONFIRMED
from models.tiers import STEPS

POLICY = Refunds()
PLAIN = Case("d", "o", 0, "quality", 4_000)
SURE = replace(PLAIN, confirmed=("upheld_report",))


def costs_by_hand(m: float, case: Case, p: Refunds) -> list[float]:
    """What each action costs by the sentences of the module, hypothesis by hypothesis; NaN where it is not open."""
    c = float(case.claimed)
    denied_honest = c + p.wrongful + p.bank_honest * p.bank_fees
    denied_malicious = p.bank_malicious * (p.bank_lost * c + p.bank_fees)
    paid_malicious = c * (1 + p.repeat)

    def mixed(honest: float, malicious: float) -> float:
        return (1 - m) * honest + m * malicious

    def judged(caught: float, withheld: float, days: float) -> float:
        honest = p.wait * days + (1 - withheld) * c + withheld * p.wrongly * denied_honest
        return mixed(honest, (1 - caught) * paid_malicious + caught * denied_malicious)

    full, refuse = mixed(c, paid_malicious), mixed(denied_honest, denied_malicious)
    partial = case.owed * full + (1 - case.owed) * p.weight_error * (1 - m) * denied_honest
    returned = p.shipping + mixed((1 - p.salvage) * c, (1 - p.keeps) * c * (1 - p.salvage + p.repeat))
    asked = (
        p.ask
        + p.review
        + judged(
            1 - (1 - p.caught) * (1 - p.asked_catches), p.withheld * (1 - p.asked_spares), p.ask_days + p.review_days
        )
    )
    return [
        full,
        partial if p.partial_from <= case.owed < 1 and round(case.owed * c) >= 1 else nan,
        returned if case.reason in p.returns else nan,
        asked if case.lacking else nan,
        p.review + judged(p.caught, p.withheld, p.review_days),
        refuse,
    ]


cases = st.builds(
    Case,
    st.just("d"),
    st.just("o"),
    st.just(0),
    st.sampled_from(REASONS),
    st.integers(0, 200_000),
    st.sampled_from([(), ("upheld_report",), ("earlier_finding", "reused_evidence")]),
    st.sampled_from([(), ("tracking",)]),
    st.just(nan) | st.sampled_from([0.0, 1.0]) | st.floats(0, 1),
    st.just("platform"),
    st.sampled_from(STEPS),
    st.none() | st.integers(0, 200_000),
)
scores = st.builds(Scores, st.just(nan) | st.floats(0, 1), st.booleans(), st.booleans())


@given(st.floats(0, 1), cases)
def test_costs_are_what_the_sentences_say(m: float, case: Case) -> None:
    found = decide(case, Scores(m), POLICY).costs
    np.testing.assert_allclose(found, costs_by_hand(m, case, POLICY), rtol=1e-9, atol=1e-6)


@given(st.lists(st.tuples(cases, scores), min_size=1, max_size=30))
def test_many_cases_are_decided_as_each_by_itself_to_the_bit(some: list[tuple[Case, Scores]]) -> None:
    whole = Cases(
        np.array([score.malicious for _, score in some]),
        np.array([score.abstain for _, score in some]),
        np.array([case.claimed for case, _ in some]),
        np.array([case.owed for case, _ in some]),
        np.array([case.reason in POLICY.reasons for case, _ in some]),
        np.array([case.reason in POLICY.returns for case, _ in some]),
        np.array([bool(case.confirmed) for case, _ in some]),
        np.array([bool(case.lacking) for case, _ in some]),
        np.array([STEPS.index(case.tier) for case, _ in some]),
        np.array([case.left is not None and case.claimed > case.left for case, _ in some]),
        np.array([score.plain for _, score in some]),
    )
    made = decide_many(whole, POLICY)
    for i, (case, score) in enumerate(some):
        one = decide(case, score, POLICY)
        assert (one.action, one.why, one.amount) == (ACTIONS[made.action[i]], list(WHY)[made.why[i]], made.amount[i])
        assert np.array_equal(one.costs, made.costs[i], equal_nan=True)


@given(cases, scores)
def test_nobody_is_refused_without_both_keys_and_nothing_dear_or_suspect_is_paid_without_a_person(
    case: Case, score: Scores
) -> None:
    found = decide(case, score, POLICY)
    if found.action == "refuse":
        assert score.malicious >= POLICY.refuse_at
        assert case.confirmed
        assert found.costs[ACTIONS.index("refuse")] == np.nanmin(found.costs)
    if found.amount:
        assert score.malicious < POLICY.automatic_below
        assert found.amount <= case.claimed <= POLICY.automatic_most
        assert case.reason in POLICY.reasons
        assert case.left is None or found.amount <= case.left
        assert case.tier == "standard" or (case.tier == "evidence_first" and not case.lacking)
    if isnan(score.malicious) or score.abstain or case.reason not in POLICY.reasons:
        assert found.action == "review"


@pytest.mark.parametrize(
    ("case", "score", "action", "why", "amount"),
    [
        (PLAIN, Scores(0.02), "refund_full", "cheapest", 4_000),
        (PLAIN, Scores(0.48), "refund_full", "cheapest", 4_000),
        (PLAIN, Scores(0.49), "review", "unsure", 0),  # at 49.76 cheaper than paying 49.80, refusing cheaper than both
        (replace(PLAIN, claimed=2_000), Scores(0.5), "review", "suspect", 0),  # at 33.95 dearer than paying 25.00
        (PLAIN, Scores(0.95), "review", "unconfirmed", 0),
        (SURE, Scores(0.95), "refuse", "cheapest", 0),
        (SURE, Scores(0.9), "refuse", "cheapest", 0),
        (SURE, Scores(0.89), "review", "unsure", 0),
        (PLAIN, Scores(nan), "review", "unscored", 0),
        (PLAIN, Scores(0.02, abstain=True), "review", "thin", 0),
        (replace(PLAIN, reason="billing"), Scores(0.02), "review", "out_of_scope", 0),
        (replace(PLAIN, tier="restricted"), Scores(0.02), "review", "tier", 0),
        (replace(PLAIN, claimed=30_000, lacking=("tracking",), tier="restricted"), Scores(0.45), "review", "tier", 0),
        (replace(SURE, tier="restricted"), Scores(0.95), "refuse", "cheapest", 0),
        (replace(PLAIN, tier="evidence_first"), Scores(0.02), "refund_full", "cheapest", 4_000),
        (replace(PLAIN, tier="evidence_first", lacking=("tracking",)), Scores(0.02), "request_evidence", "tier", 0),
        (replace(PLAIN, reason="wrong_item", claimed=50_001), Scores(0.02), "review", "large", 0),
        (replace(PLAIN, reason="wrong_item", claimed=50_000), Scores(0.02), "return_and_refund", "cheapest", 50_000),
        (replace(PLAIN, claimed=50_000), Scores(0.02), "review", "cheapest", 0),  # a tenth of it is owed to nobody
        (PLAIN, Scores(0.2, plain=True), "refund_full", "plain", 4_000),
        (replace(PLAIN, claimed=50_000), Scores(0.2, plain=True), "review", "plain", 0),
        (PLAIN, Scores(nan, plain=True), "review", "unscored", 0),
        (replace(PLAIN, reason="short_quantity", owed=0.5), Scores(0.02), "refund_partial", "cheapest", 2_000),
        (replace(PLAIN, reason="short_quantity", owed=0.19), Scores(0.02), "review", "unborne", 0),
        (replace(PLAIN, reason="short_quantity", claimed=2, owed=0.2), Scores(0.02), "refund_full", "cheapest", 2),
        (replace(PLAIN, left=3_999), Scores(0.02), "review", "beyond", 0),
        (replace(PLAIN, left=4_000), Scores(0.02), "refund_full", "cheapest", 4_000),
        (replace(PLAIN, reason="short_quantity", owed=0.0), Scores(0.02), "review", "unborne", 0),
        (replace(PLAIN, reason="short_quantity", owed=1.0), Scores(0.02), "refund_full", "cheapest", 4_000),
        (SURE, Scores(0.95, plain=True), "review", "plain", 0),  # what is no score is no key
        (replace(PLAIN, reason="wrong_item", claimed=9_000), Scores(0.02), "return_and_refund", "cheapest", 9_000),
        (replace(PLAIN, reason="wrong_item", claimed=3_000), Scores(0.02), "refund_full", "cheapest", 3_000),
        (replace(PLAIN, claimed=30_000, lacking=("listing_copy",)), Scores(0.45), "request_evidence", "cheapest", 0),
        (replace(PLAIN, claimed=30_000), Scores(0.45), "review", "unsure", 0),
    ],
)
def test_a_dispute_is_answered(case: Case, score: Scores, action: str, why: str, amount: int) -> None:
    found = decide(case, score, POLICY)
    assert (found.action, found.why, found.amount) == (action, why, amount)


@pytest.mark.parametrize(
    ("case", "score", "says"),
    [
        (replace(PLAIN, order_id=""), Scores(0.1), "case.order_id: want the order of dispute d, got none"),
        (
            replace(PLAIN, dispute_id=" "),
            Scores(0.1),
            "case.dispute_id: want the dispute that is decided about, got none",
        ),
        (replace(PLAIN, lacking=("rumour",)), Scores(0.1), "case.lacking: want any of unit_weight_photo, "),
        (replace(PLAIN, reason="weather"), Scores(0.1), "case.reason: want one of not_received, "),
        (replace(PLAIN, claimed=-1), Scores(0.1), "case.claimed: want whole cents of at least 0, got -1"),
        (replace(PLAIN, confirmed=("rumour",)), Scores(0.1), "case.confirmed: want any of earlier_finding, "),
        (
            replace(PLAIN, owed=1.5),
            Scores(0.1),
            "case.owed: want a share from 0 to 1, or NaN where it is not known, got 1.5",
        ),
        (
            replace(PLAIN, tier="gold"),
            Scores(0.1),
            "case.tier: want one of standard, evidence_first, restricted, got gold",
        ),
        (PLAIN, Scores(1.01), "scores.malicious: want a share from 0 to 1, or NaN where it is not known, got 1.01"),
        (PLAIN, Scores(-0.01), "scores.malicious: want a share from 0 to 1"),
    ],
)
def test_what_cannot_be_decided_about_is_refused_with_the_field(case: Case, score: Scores, says: str) -> None:
    with pytest.raises(RedressError, match=f"^{says}"):
        decide(case, score, POLICY)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"malicious": np.array([0.1, 3.0])},
            "malicious: want shares from 0 to 1, or NaN where not known, got 3.0 in case 1",
        ),
        ({"owed": np.array([-0.1, 0.5])}, "owed: want shares from 0 to 1, or NaN where not known, got -0.1 in case 0"),
        ({"claimed": np.array([100, -4_000])}, "claimed: want whole cents of at least 0, got -4000 in case 1"),
        ({"claimed": np.array([100.5, 4.0])}, "claimed: want whole cents of at least 0, got float64"),
    ],
)
def test_of_many_cases_the_first_that_cannot_be_decided_about_is_named(
    columns: dict[str, np.ndarray[tuple[int], np.dtype[Any]]], says: str
) -> None:
    none, shares, cents = np.zeros(2, np.bool_), np.array([0.1, 0.2]), np.array([100, 200])
    whole = Cases(shares, none, cents, shares, ~none, none, none, none, cents * 0, none, none)
    assert decide_many(whole, POLICY).amount.tolist() != []
    with pytest.raises(RedressError, match=f"^{says}"):
        decide_many(replace(whole, **columns), POLICY)


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"review": -1}, r"refunds\.review: want whole cents from 0"),
        ({"wait": nan}, r"refunds\.wait: want whole cents from 0 to .*, got nan"),
        ({"repeat": nan}, r"refunds\.repeat: want factor from 0"),
        ({"refuse_at": 0.3, "automatic_below": 0.1}, r"refunds\.refuse_at: want at least 0\.5, got 0\.3"),
    ],
)
def test_numbers_of_a_policy_are_checked_however_it_is_made(numbers: dict[str, Any], says: str) -> None:
    with pytest.raises(RedressError, match=says):
        Refunds(**numbers)


def test_a_policy_without_second_keys_refuses_nobody() -> None:
    assert decide(SURE, Scores(1.0), Refunds(keys=())).action == "review"
    assert decide(SURE, Scores(1.0), Refunds(keys=("earlier_finding",))).action == "review"


def test_parts_and_confirmed_signals_are_shown() -> None:
    found = decide(SURE, Scores(0.95, parts={"order_part": 0.1, "product_part": 0.2, "buyer_part": 2.0}), POLICY)
    assert found.parts == {"order_part": 0.1, "product_part": 0.2, "buyer_part": 2.0}
    assert found.confirmed == ("upheld_report",)
    assert set(found.confirmed) <= CONFIRMED.keys()


@pytest.mark.parametrize(
    ("policy", "rulings", "caught", "withheld", "becomes"),
    [
        (Refunds(), 100, 0.7, 0.1, (0.7, 0.1)),
        (Refunds(), 99, 0.7, 0.1, (0.6, 0.2)),  # too few of them ruled
        (Refunds(measured_from=99), 99, 0.7, 0.1, (0.7, 0.1)),
        (Refunds(), 100, 0.3, 0.4, (0.3, 0.3)),  # no more is withheld from the honest than from the malicious
        (Refunds(measured=()), 100, 0.7, 0.1, (0.6, 0.2)),
        (Refunds(measured=("caught",)), 100, 0.7, 0.1, (0.7, 0.2)),
        (Refunds(measured=("caught",)), 100, 0.1, 0.1, (0.1, 0.1)),
        (Refunds(measured=("withheld",)), 100, 0.7, 0.1, (0.6, 0.1)),
        (Refunds(measured=("withheld",)), 100, 0.9, 0.8, (0.6, 0.6)),
    ],
)
def test_a_policy_goes_by_what_training_measured_of_officers(
    policy: Refunds, rulings: int, caught: float, withheld: float, becomes: tuple[float, float]
) -> None:
    found = policy.informed(Officers(rulings, (caught, 0.0, 1.0), (withheld, 0.0, 1.0)))
    assert found == replace(policy, caught=becomes[0], withheld=becomes[1])


def test_a_policy_stays_as_it_is_where_training_measured_no_officers() -> None:
    assert POLICY.informed(None) is POLICY
