"""Tabulated attributions are those of LightGBM, whatever its trees look like and whatever is absent."""

import lightgbm as lgb
import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.attributions import WIDEST, lines, tables

QUIET = {"verbose": -1, "num_threads": 1, "objective": "binary", "min_data_in_leaf": 5}


def rows(seed: int, n: int = 600) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Normal and whole numbers, zeros among them, some absent, and answers that hang on three of six."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, 6)).astype(np.float32)
    matrix[:, 1] = np.round(matrix[:, 1])
    matrix[:, ::2][rng.random((n, 3)) < 0.2] = np.nan
    odds = np.nan_to_num(matrix[:, 0]) + matrix[:, 1] * matrix[:, 3]
    return matrix, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    leaves=st.integers(2, 40),
    rounds=st.integers(1, 8),
    absent=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
)
def test_tables_add_what_lightgbm_adds(seed: int, leaves: int, rounds: int, absent: dict[str, bool]) -> None:
    matrix, answers = rows(seed)
    trees = lgb.train(QUIET | absent | {"num_leaves": leaves, "seed": seed}, lgb.Dataset(matrix, answers), rounds)
    found = tables(trees.model_to_string())
    assert found is not None
    added = found.contributions(matrix)
    np.testing.assert_allclose(added, trees.predict(matrix, pred_contrib=True), rtol=0, atol=1e-12)
    np.testing.assert_allclose(added.sum(axis=1), trees.predict(matrix, raw_score=True), rtol=0, atol=1e-12)


def test_a_row_alone_gets_what_it_gets_among_others() -> None:
    matrix, answers = rows(1)
    found = tables(lgb.train(QUIET, lgb.Dataset(matrix, answers), 10).model_to_string())
    assert found is not None
    together = found.contributions(matrix)
    assert all((found.contributions(matrix[[i]])[0] == together[i]).all() for i in range(50))


@settings(max_examples=30, deadline=None)
@given(passes=st.lists(st.floats(0.05, 0.95), min_size=1, max_size=5), value=st.floats(-3, 3))
def test_a_table_holds_the_values_of_shapleys_definition(passes: list[float], value: float) -> None:
    np.testing.assert_allclose(lines(np.array(passes), value), naive.shapley(passes, value), rtol=0, atol=1e-12)


def test_a_tree_of_one_leaf_adds_to_the_base_alone() -> None:
    matrix, answers = rows(2)
    trees = lgb.train(QUIET | {"min_data_in_leaf": 400}, lgb.Dataset(matrix, answers), 2)
    found = tables(trees.model_to_string())
    assert found is not None
    np.testing.assert_allclose(found.contributions(matrix)[:, :-1], 0)
    np.testing.assert_allclose(found.base, trees.predict(matrix[:1], raw_score=True)[0])


@pytest.mark.parametrize(
    "setting",
    [
        {"linear_tree": True},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"num_leaves": 500, "min_data_in_leaf": 1},
    ],
)
def test_trees_that_the_tables_do_not_fit_are_left_to_lightgbm(setting: dict[str, object]) -> None:
    rng = np.random.default_rng(3)
    matrix = rng.standard_normal((3000, 3 * WIDEST)).astype(np.float32)
    answers = (rng.random(3000) < 1 / (1 + np.exp(-matrix.sum(axis=1)))).astype(np.int64)
    trees = lgb.train(QUIET | setting, lgb.Dataset(matrix, answers, params={"verbose": -1} | setting), 3)
    assert tables(trees.model_to_string()) is None
