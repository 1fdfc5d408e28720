"""The linear model of declared terms: what is kept of a sign, what unknown values add, and parts that sum exactly."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from features.dictionary import dictionary
from models import Model, fit, load
from models.linear import Linear, linear
from models.questions import QUESTIONS, Answer
from models.terms import REASONS, WINNING, Term, crossed

NAMES = ("receipt", "photo", "fraud", "amount")
TERMS = (
    *(Term((name,), usual=1e6) for name in ("receipt", "fraud")),
    Term(("receipt", "photo"), given=(("fraud", 1),), usual=1e6),
    Term(("amount",), log=True, usual=1e6),
)


def made(rows: int, seed: int) -> tuple[pd.DataFrame, Answer]:
    """Rows whose receipt helps, which a fraud takes back, and whose photo means nothing; amounts are large or small."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.integers(0, 2, (rows, 4)), columns=list(NAMES)).astype(np.float32)
    frame["amount"] = (1 + 99 * frame["amount"]).astype(np.float32)
    z = (-0.5 + 1.5 * frame["receipt"] - 1.0 * frame["fraud"] - 0.2 * np.log1p(frame["amount"])).to_numpy()
    return frame, (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.int8)


def test_without_priors_it_is_logistic_regression() -> None:
    frame, answer = made(3_000, 0)
    columns = [frame["receipt"], frame["fraud"], frame["receipt"] * frame["photo"] * frame["fraud"]]
    matrix = np.column_stack([*columns, np.log1p(frame["amount"])])
    naive = LogisticRegression(C=1e9, tol=1e-10, max_iter=1_000).fit(matrix, answer)
    found = linear(frame, answer, TERMS)
    np.testing.assert_allclose(found.weights, naive.coef_[0], atol=2e-3)
    np.testing.assert_allclose(found.logit(frame), naive.decision_function(matrix), atol=2e-3)


def test_weights_are_rows_that_stand_for_others() -> None:
    frame, answer = made(1_000, 1)
    twice = np.append(np.arange(1_000), np.flatnonzero(answer))
    apart = linear(frame, answer, TERMS, weights=np.where(answer == 1, 2.0, 1.0))
    whole = linear(frame.iloc[twice], answer[twice], TERMS)
    np.testing.assert_allclose(apart.logit(frame), whole.logit(frame), atol=0.01)


@pytest.mark.parametrize("likely", [True, False])
def test_what_rises_never_lowers_even_against_the_data(likely: bool) -> None:
    frame, answer = made(2_000, 2)
    (against,) = linear(frame, answer, [Term(("fraud",))]).weights
    held = linear(frame, answer, [Term(("fraud",), rises=True, likely=likely)])
    assert against < -0.5
    assert held.weights == ()


def test_what_is_not_likely_moves_nothing_unless_answers_say_so() -> None:
    frame, answer = made(4_000, 3)
    found = linear(
        frame, answer, [Term((name,), rises=True, likely=False, usual=0.05) for name in ("receipt", "photo")]
    )
    assert [term.of for term in found.terms] == [("receipt",)]
    assert found.weights[0] > 1


def test_an_amount_that_is_unknown_adds_nothing() -> None:
    frame, answer = made(1_000, 4)
    found = linear(frame, answer, TERMS)
    told = found.contributions(frame.assign(amount=np.float32(np.nan)), NAMES)
    assert (told[:, NAMES.index("amount")] == 0).all()


def test_parts_sum_to_the_log_odds_and_belong_to_what_terms_are_of() -> None:
    frame, answer = made(1_000, 5)
    found = linear(frame, answer, TERMS)
    told = found.contributions(frame, NAMES)
    np.testing.assert_allclose(told.sum(axis=1), found.logit(frame), rtol=0, atol=1e-12)
    both = linear(frame, answer, [Term(("receipt", "photo"), given=(("fraud", 1),))]).contributions(frame, NAMES)
    np.testing.assert_array_equal(both[:, 0], both[:, 1])
    assert (both[:, 2:4] == 0).all()


def test_it_comes_back_from_json_as_it_was() -> None:
    found = linear(*made(500, 6), TERMS)
    assert Linear.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_terms_whose_signals_are_not_there_are_left_out() -> None:
    frame, answer = made(500, 7)
    found = linear(frame[["receipt"]], answer, [*TERMS, *crossed(Term(("receipt",)), ("elsewhere",))])
    assert {term.signals for term in found.terms} == {("receipt",)}


@pytest.fixture(scope="module")
def whole() -> tuple[pd.DataFrame, Answer]:
    """Rows that terms explain, besides a signal that trees alone can see."""
    frame, answer = made(4_000, 8)
    hidden = np.random.default_rng(9).integers(0, 4, 4_000)
    return frame.assign(hidden=hidden.astype(np.float32)), np.where(hidden % 2, answer, 1 - answer).astype(np.int8)


def test_trees_are_kept_beyond_the_terms_only_where_they_tell_more(whole: tuple[pd.DataFrame, Answer]) -> None:
    frame, answer = made(4_000, 8)
    assert fit(frame, answer, terms=TERMS).trees == ""
    assert fit(*whole, terms=TERMS).trees


@pytest.mark.parametrize("trees", [True, False])
def test_a_model_of_terms_sums_and_is_saved_whole(
    trees: bool, whole: tuple[pd.DataFrame, Answer], tmp_path: Path
) -> None:
    frame, answer = whole if trees else made(4_000, 8)
    model: Model = fit(frame, answer, terms=TERMS)
    np.testing.assert_allclose(model.contributions(frame).sum(axis=1), model.logit(frame), rtol=0, atol=1e-6)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").logit(frame), model.logit(frame))


def test_terms_name_signals_and_those_that_rise_are_monotone() -> None:
    question = QUESTIONS["chargeback_win"]
    names = {one.name for one in dictionary(question.name)}
    assert {name for term in WINNING for name in term.signals} <= names
    assert all(term.rises == term.of[0].startswith("case_items_") for term in WINNING)
    assert {given for term in WINNING if term.rises for given, _ in term.given} > set(REASONS)
    assert len(set(WINNING)) == len(WINNING)
