"""Trees walked for one row add up to what LightGBM says, to the bit, whatever they look like and whatever is absent."""

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.attributions import ALMOST_ZERO, tables
from models.forest import SLAB, forest
from models.trees import booster, said

QUIET = {"verbose": -1, "num_threads": 1, "objective": "binary", "min_data_in_leaf": 5}


def rows(seed: int, n: int = 600) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Normal and whole numbers, zeros and what is almost 0 among them, some absent, and answers that hang on three of six."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, 6)).astype(np.float32)
    matrix[:, 1] = np.round(matrix[:, 1])
    matrix[::7, 3] = 1e-36
    matrix[:, ::2][rng.random((n, 3)) < 0.2] = np.nan
    odds = np.nan_to_num(matrix[:, 0]) + matrix[:, 1] * matrix[:, 3]
    return matrix, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    leaves=st.integers(2, 40),
    rounds=st.integers(1, 30),
    absent=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
)
def test_a_walk_adds_up_to_what_lightgbm_says_to_the_bit(
    seed: int, leaves: int, rounds: int, absent: dict[str, bool]
) -> None:
    matrix, answers = rows(seed)
    trees = lgb.train(QUIET | absent | {"num_leaves": leaves, "seed": seed}, lgb.Dataset(matrix, answers), rounds)
    text = trees.model_to_string()
    found, wanted = forest([(text, range(6))]), said(booster(text), matrix)
    assert found is not None
    assert found.said(matrix)[:, 0].tolist() == wanted.tolist()
    assert [found.said(row[None])[0, 0] for row in matrix] == wanted.tolist()
    assert len(set(wanted)) > 1


@pytest.mark.parametrize("near", [-1, 0, 1])
def test_a_number_at_a_threshold_goes_where_lightgbm_sends_it(near: int) -> None:
    matrix, answers = rows(4)
    text = lgb.train(QUIET, lgb.Dataset(matrix, answers), 20).model_to_string()
    found, added = forest([(text, range(6))]), tables(text)
    assert found is not None
    assert added is not None
    edges = {(int(node["signal"]), node["threshold"]) for node in found.nodes}
    edges |= {(signal, np.float32(edge)) for signal in (1, 3) for edge in (-ALMOST_ZERO, 0.0, ALMOST_ZERO)}
    assert len(edges) > 20
    for signal, edge in edges:
        row = matrix[:1].copy()
        row[0, signal] = np.nextafter(edge, np.float32(np.inf * near)) if near else edge
        assert found.said(row)[0, 0] == said(booster(text), row)[0]
        np.testing.assert_allclose(added.contributions(row).sum(), found.said(row)[0, 0], rtol=0, atol=1e-12)


def test_several_models_are_walked_together_each_over_its_own_places() -> None:
    matrix, answers = rows(5)
    texts = [lgb.train(QUIET | {"seed": seed}, lgb.Dataset(matrix, answers), 5).model_to_string() for seed in (1, 2)]
    found = forest([(texts[0], range(6)), ("", ()), (texts[1], [5, 4, 3, 2, 1, 0])])
    assert found is not None
    first, second = (said(booster(text), some) for text, some in ((texts[0], matrix), (texts[1], matrix[:, ::-1])))
    assert (found.said(matrix) == np.column_stack([first, np.zeros(len(first)), second])).all()


def test_many_rows_are_walked_by_all_cores_to_the_same_sums() -> None:
    matrix, answers = rows(7, n=3 * SLAB + 5)
    text = lgb.train(QUIET, lgb.Dataset(matrix, answers), 5).model_to_string()
    found = forest([(text, range(6))])
    assert found is not None
    assert (found.said(matrix)[:, 0] == said(booster(text), matrix)).all()


@pytest.mark.parametrize("setting", [{"linear_tree": True}, {"boosting": "rf", "bagging_freq": 1}])
def test_trees_that_are_not_sums_of_leaves_are_left_to_lightgbm(setting: dict[str, object]) -> None:
    matrix, answers = rows(6)
    chosen = QUIET | {"bagging_fraction": 0.5} | setting
    trees = lgb.train(chosen, lgb.Dataset(matrix, answers, params={"verbose": -1} | setting), 3)
    assert forest([(trees.model_to_string(), range(6))]) is None
