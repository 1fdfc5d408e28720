"""Rules by hand, that what they look at exists, and the two baselines made of rules and of evidence."""

import numpy as np
import pandas as pd
import pytest

from features.dictionary import dictionary
from models.baselines import baselines, of_evidence, rules_only
from models.questions import QUESTIONS
from models.rules import ORDERS, RULES, Rule, fired, usable

NEW_AND_DEAR = Rule("new and dear", ("orders < 1", "cents >= 100"))
MANY = Rule("many", ("orders >= 5",))


@pytest.mark.parametrize(
    ("orders", "cents", "held"),
    [(0, 100, 1), (0, 99, 0), (1, 100, 0), (5, 100, 1), (4, 0, 0), (np.nan, 100, 0), (0, np.nan, 0)],
)
def test_a_rule_holds_where_all_its_conditions_do(orders: float, cents: float, held: int) -> None:
    frame = pd.DataFrame({"orders": [orders], "cents": [cents]}, dtype=np.float32)
    assert fired(frame, [NEW_AND_DEAR, MANY]).tolist() == [held]


@pytest.mark.parametrize("question", QUESTIONS)
def test_rules_look_at_signals_that_their_question_has(question: str) -> None:
    names = {signal.name for signal in dictionary(question)}
    rules = RULES[question]
    assert 4 <= len(rules) <= 8
    for rule in rules:
        assert set(rule.signals) <= names, rule
        assert all(condition.split()[1] in ORDERS for condition in rule.when)


def test_a_rule_whose_signal_a_ledger_lacks_is_left_out() -> None:
    assert usable([NEW_AND_DEAR, MANY], pd.DataFrame({"orders": [1.0]})) == [MANY]


def test_a_count_of_rules_has_the_rate_of_the_training_rows() -> None:
    # base rate 1/4, so each count is drawn to it as if by four more rows: (1 + 1) / (8 + 4) and (2 + 1) / (4 + 4)
    train = pd.DataFrame({"orders": [0.0] * 8 + [9.0] * 4})
    yes = np.array([1.0] + [0.0] * 7 + [1.0, 1.0, 0.0, 0.0])
    found = rules_only(train, yes, pd.DataFrame({"orders": [9.0, 0.0]}), [MANY])
    assert found == pytest.approx([3 / 8, 2 / 12])


def test_rules_and_evidence_are_baselines_where_there_are_any() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"orders": rng.integers(0, 9, 400), "proof": rng.integers(0, 2, 400), "noise": rng.random(400)}
    )
    yes = (rng.random(400) < 0.2 + 0.6 * frame["proof"]).astype(np.float64)
    found = baselines(frame, yes, frame, rules=[MANY, NEW_AND_DEAR], evidence=["proof"])
    assert list(found) == ["constant", "rules only", "evidence only", "logistic regression"]
    assert len(np.unique(found["evidence only"])) == 2  # it saw nothing but the proof
    assert "rules only" not in baselines(frame, yes, frame, rules=[NEW_AND_DEAR])


def test_evidence_alone_comes_with_the_reason_given_and_with_nothing_else() -> None:
    names = ["buyer_orders_count_ever", "case_items_tracking", "chargeback_for_fraud", "chargeback_amount"]
    assert of_evidence("chargeback_win", names) == ["case_items_tracking", "chargeback_for_fraud"]
    assert of_evidence("chargeback_win", [names[0], names[2]]) == []
    assert of_evidence("chargeback_risk", ["order_amount"]) == []
