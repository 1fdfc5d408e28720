"""Exploration: how often, what never, and propensities that are what they say."""

from dataclasses import replace
from math import nan

import numpy as np
import pytest

from models.exploring import chances, draw, explored
from models.refunds import ACTIONS, Case, Refunds, Scores, decide, payable

POLICY = Refunds(explores=0.3)
CASES = [Case(f"d{i}", "o", i, "quality", 4_000, lacking=("listing_copy",)) for i in range(4_000)]


def test_every_safe_answer_is_tried_as_often_as_its_propensity_says() -> None:
    usual = decide(CASES[0], Scores(0.1), POLICY)
    found = [explored(case, Scores(0.1), usual, POLICY) for case in CASES]
    for action, share in (("refund_full", 0.8), ("request_evidence", 0.1), ("review", 0.1)):
        mine = [propensity for decision, propensity in found if decision.action == action]
        assert {round(propensity, 9) for propensity in mine} == {share}
        assert len(mine) / len(CASES) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(CASES)))
    for decision, _ in found:
        assert decision.amount == (4_000 if decision.action == "refund_full" else 0)
        assert (decision.why == "explored") == (decision.action != "refund_full")


@pytest.mark.parametrize(
    ("case", "scores"),
    [
        (replace(CASES[0], confirmed=("upheld_report",)), Scores(0.95)),  # refused
        (replace(CASES[0], reason="short_quantity", owed=0.5), Scores(0.02)),  # paid in part
        (replace(CASES[0], lacking=(), reason="billing"), Scores(0.02)),  # reviewed, with nothing else to try
        (replace(CASES[0], lacking=()), Scores(nan)),
    ],
)
def test_what_is_not_safe_never_gives_way(case: Case, scores: Scores) -> None:
    for i in range(200):
        one = replace(case, dispute_id=f"e{i}")
        usual = decide(one, scores, POLICY)
        assert explored(one, scores, usual, POLICY) == (usual, 1.0)


@pytest.mark.parametrize(
    ("case", "scores"),
    [
        (CASES[0], Scores(0.6)),
        (CASES[0], Scores(0.1, abstain=True)),
        (replace(CASES[0], claimed=60_000), Scores(0.1)),
        (replace(CASES[0], tier="restricted"), Scores(0.1)),
        (replace(CASES[0], left=3_999), Scores(0.1)),
    ],
)
def test_money_is_not_tried_where_it_would_not_be_paid_without_a_person(case: Case, scores: Scores) -> None:
    made = set()
    for i in range(300):
        one = replace(case, dispute_id=f"f{i}")
        made.add(explored(one, scores, decide(one, scores, POLICY), POLICY)[0].action)
    assert made <= {"request_evidence", "review"}
    assert len(made) == 2


@pytest.mark.parametrize("p", [0.01, 0.3, 0.49, 0.5, 0.95, nan])
@pytest.mark.parametrize("abstain", [False, True])
@pytest.mark.parametrize("reason", ["quality", "wrong_item", "billing"])
@pytest.mark.parametrize("claimed", [0, 50_000, 50_001])
@pytest.mark.parametrize("left", [None, 50_000, 49_999])
@pytest.mark.parametrize(
    ("tier", "lacking"), [("standard", 1), ("evidence_first", 1), ("evidence_first", 0), ("restricted", 0)]
)
def test_what_may_be_paid_is_what_the_rules_say(
    p: float, abstain: bool, reason: str, claimed: int, left: int | None, tier: str, lacking: int
) -> None:
    case = Case("d", "o", 0, reason, claimed, lacking=("listing_copy",) * lacking, tier=tier, left=left)
    suspect, large, beyond = not p < 0.5, claimed > 50_000, left is not None and claimed > left
    by_tier = tier == "restricted" or (tier == "evidence_first" and lacking)
    withheld = suspect or large or beyond or abstain or reason == "billing" or by_tier
    assert payable(case, Scores(p, abstain), Refunds()) == (not withheld)


@pytest.mark.parametrize(("p", "explores"), [(0.1, 0.3), (0.1, 0.0), (0.6, 0.3), (0.95, 0.3)])
def test_chances_are_those_of_which_one_is_recorded(p: float, explores: float) -> None:
    policy = replace(POLICY, explores=explores)
    case = replace(CASES[0], confirmed=("upheld_report",) if p > 0.9 else ())
    usual = decide(case, Scores(p), policy)
    told, seen = chances(case, Scores(p), usual, policy), set()
    assert sum(told.values()) == pytest.approx(1)
    for i in range(300):
        one = replace(case, dispute_id=f"g{i}")
        found, propensity = explored(one, Scores(p), usual, policy)
        assert propensity == told[ACTIONS.index(found.action)]
        seen.add(ACTIONS.index(found.action))
    assert seen == set(told)


def test_the_draw_is_the_case_s_own_and_uniform() -> None:
    drawn = np.array([draw(case) for case in CASES])
    assert draw(CASES[7]) == drawn[7]
    assert draw(replace(CASES[7], at=1)) != drawn[7]
    assert np.abs(np.sort(drawn) - (np.arange(len(drawn)) + 0.5) / len(drawn)).max() < 1.63 / np.sqrt(len(drawn))
    assert {decide(CASES[0], Scores(p), POLICY).action for p in (0.1, 0.95)} <= set(ACTIONS)
