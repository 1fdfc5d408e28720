"""Forks say of every set of items what LightGBM says of a frame with a row for each, whatever the trees and what is absent."""

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.signal import Float
from features.supposed import HELD, Exhibit, Move, known, moves, needed, supposed
from features.tables import EVIDENCE
from models import Model
from models.attributions import tables
from models.chances import by_model, outlook
from models.evidence import best, every_set
from models.forks import CELLS, forks
from models.linear import Linear
from models.model import Followed
from models.obtaining import Item
from models.terms import Term

QUESTIONS = ("chargeback_win", "dispute_outcome")
ROWS = 1_200
SEEN = ("chargeback_amount", "order_scans_count")
"""Signals that no evidence moves."""
PAIR = Term(("case_items_tracking", "case_items_delivery_certificate"))


def exhibits(kinds: tuple[str, ...]) -> list[Exhibit]:
    return [Item(kind, 0, 0.0).exhibit for kind in kinds]


def grown(
    question: str, seed: int, columns: int, rounds: int, setting: dict[str, object], most: int = 5
) -> tuple[Model, pd.DataFrame]:
    """Trees of rows of whole numbers below `most`, a tenth of each column absent, and those rows with all that evidence moves.

    The answers hang on some of the signals together; the model has terms, a slope, and follows a column.
    """
    rng = np.random.default_rng(seed)
    names = [*SEEN, *PAIR.signals, *(n for n in rng.permutation(needed(question)).tolist() if n not in PAIR.signals)]
    matrix = rng.integers(0, most, (ROWS, len(names))).astype(np.float32)
    full, weights = matrix[:, :columns], rng.normal(0, 0.5, (2, columns))
    odds = (full - full.mean()) @ weights[0] + np.cos(full @ weights[1])
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    answers = (rng.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    quiet = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": seed} | setting
    trees = lgb.train(quiet, lgb.Dataset(matrix[:, :columns], answers, params=quiet), rounds)
    model = Model(
        trees.model_to_string(),
        tuple(names[:columns]),
        0.7,
        -0.2,
        Followed("order_scans_count", 1.0, 0.3),
        {"question": question},
        Linear((PAIR,), (1.3,), (0.4,), -0.5),
    )
    return model, pd.DataFrame(matrix, columns=names)


def logit(p: Float) -> Float:
    return np.asarray(np.log(p) - np.log1p(-p), np.float64)


@settings(max_examples=40, deadline=None)
@given(
    question=st.sampled_from(QUESTIONS),
    seed=st.integers(0, 10_000),
    columns=st.integers(4, 30),
    rounds=st.integers(1, 12),
    leaves=st.integers(2, 24),
    absent=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
    kinds=st.permutations(EVIDENCE).flatmap(lambda some: st.integers(1, 7).map(lambda k: tuple(some[:k]))),
)
def test_every_set_gets_the_log_odds_of_the_model_itself(
    question: str,
    seed: int,
    columns: int,
    rounds: int,
    leaves: int,
    absent: dict[str, object],
    kinds: tuple[str, ...],
) -> None:
    """And what no tree depends on may be left out: the search finds the same."""
    model, rows = grown(question, seed, columns, rounds, {"num_leaves": leaves, "max_depth": 6} | absent)
    some, sets = exhibits(kinds), every_set(len(kinds))
    cents = [100 * i for i in range(len(kinds))]
    for i in range(0, ROWS, 150):
        frame = rows.iloc[[i]].reset_index(drop=True)
        expected, told = model.predict_proba(supposed(question, frame, some, sets))[:, 1], outlook(model, frame, some)
        np.testing.assert_allclose(logit(told.chances(sets)), logit(expected), rtol=0, atol=1e-9)
        for j in np.flatnonzero(~told.reads):
            assert (expected[sets[:, j]] == expected[~sets[:, j]]).all()
        chosen = best(by_model(model, frame, some), cents, 50_000.0).tolist()
        assert best(told.chances, cents, 50_000.0, told.reads.tolist()).tolist() == chosen


def test_what_is_shown_is_what_the_model_says_to_the_bit() -> None:
    model, rows = grown("chargeback_win", 5, 30, 20, {"num_leaves": 15})
    some, sets = exhibits(EVIDENCE[:6]), every_set(6)
    for i in range(0, ROWS, 100):
        frame = rows.iloc[[i]].reset_index(drop=True)
        expected = model.predict_proba(supposed("chargeback_win", frame, some, sets))[:, 1]
        assert (by_model(model, frame, some)(sets) == expected).all()
        assert by_model(model, frame, some)(sets[:1])[0] == model.predict_proba(frame)[0, 1]


def test_trees_with_too_many_signals_for_a_table_are_walked() -> None:
    """Trees of up to 250 leaves, of eight signals on a path at most, that depend on nearly all that twelve items move."""
    model, rows = grown("chargeback_win", 3, 35, 3, {"num_leaves": 250, "max_depth": 8}, most=2)
    rows[[*HELD.values()]] = 0.0
    some, sets, frame = exhibits(EVIDENCE[:12]), every_set(12), rows.fillna(1.0).iloc[[7]].reset_index(drop=True)
    trees, place = model.tables, {name: i for i, name in enumerate(model.signals)}
    assert trees is not None
    moving = {place[one.name]: one for one in moves("chargeback_win", known(frame), some, place)}
    told, found = forks(trees, frame[[*place]].to_numpy(np.float32)[0], moving), outlook(model, frame, some)
    levels = np.array([len(one.values) for one in told.moves])
    cells = [levels[(reads >> np.arange(len(levels)) & 1).astype(bool)].prod() for reads in told.reads]
    assert max(cells) > CELLS
    expected = model.predict_proba(supposed("chargeback_win", frame, some, sets))[:, 1]
    np.testing.assert_allclose(logit(found.chances(sets)), logit(expected), rtol=0, atol=1e-9)


def test_a_split_that_nothing_moves_is_decided_and_what_lies_beyond_it_is_not_read() -> None:
    """Tracking decides the first tree up to 10.00; mail the second where it is known, the third never, the last cannot."""
    text = "\n".join(
        [
            "tree",
            "Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\nthreshold=1000 0.5\ndecision_type=8 8\nleft_child=1 -1",
            "right_child=-2 -3\nleaf_value=-1 5 2\nleaf_count=10 20 30\ninternal_count=60 40\nis_linear=0\n",
            "Tree=1\nnum_leaves=2\nnum_cat=0\nsplit_feature=2\nthreshold=0.5\ndecision_type=8\nleft_child=-1\nright_child=-2",
            "leaf_value=0.25 0.5\nleaf_count=10 20\ninternal_count=30\nis_linear=0\n",
            "Tree=2\nnum_leaves=2\nnum_cat=0\nsplit_feature=2\nthreshold=9\ndecision_type=10\nleft_child=-1\nright_child=-2",
            "leaf_value=1 7\nleaf_count=10 20\ninternal_count=30\nis_linear=0\n",
            "Tree=3\nnum_leaves=1\nnum_cat=0\nleaf_value=10\nis_linear=0\n",
            "end of trees",
        ]
    )
    names = ("chargeback_amount", "case_items_tracking", "case_items_correspondence")
    trees, some, sets = tables(text), exhibits(("tracking", "correspondence")), every_set(2)
    assert trees is not None

    def said(*row: float) -> tuple[list[float], list[str]]:
        moving = moves("chargeback_win", dict(zip(names, row, strict=True)), some)
        told = forks(trees, np.array(row, np.float32), {names.index(one.name): one for one in moving})
        return told.odds(sets).tolist(), [one.name for one in told.moving]

    assert said(500, 0, 0) == ([10.25, 13.25, 10.5, 13.5], list(names[1:]))
    assert said(1001, 0, 0) == ([16.25, 16.25, 16.5, 16.5], [names[2]])
    assert said(500, 1, 0) == ([13.25, 13.25, 13.5, 13.5], [names[2]])
    assert said(1001, 0, 1) == ([16.5] * 4, [])
    assert said(500, 0, np.nan) == ([10.5, 13.5, 10.5, 13.5], [names[1]])


def test_without_trees_or_items_nothing_is_added() -> None:
    trees = tables("")
    assert trees is not None
    assert forks(trees, np.zeros(0, np.float32), {}).odds(every_set(3)).tolist() == [0.0] * 8
    model, rows = grown("dispute_outcome", 1, 20, 5, {"num_leaves": 6})
    frame = rows.iloc[[0]].reset_index(drop=True)
    assert outlook(model, frame, []).chances(every_set(0)) == pytest.approx(model.predict_proba(frame)[:, 1])


def test_trees_that_are_no_tables_are_asked_row_by_row() -> None:
    model, rows = grown("chargeback_win", 2, 12, 3, {"num_leaves": 5, "linear_tree": True})
    assert model.tables is None
    some, sets, frame = exhibits(EVIDENCE[:3]), every_set(3), rows.iloc[[3]].reset_index(drop=True)
    expected = model.predict_proba(supposed("chargeback_win", frame, some, sets))[:, 1]
    assert (outlook(model, frame, some).chances(sets) == expected).all()


def test_a_move_counts_groups_and_not_items() -> None:
    """Two of the same kind are one item of a set, and two to a count."""
    row = {"case_delivery_set_missing": 2.0, "case_evidence_count": 1.0, "case_days_since_evidence": np.nan}
    some = exhibits(("tracking", "tracking", "delivery_certificate"))
    found = {one.name: one for one in moves("dispute_outcome", row, some)}
    lacks, count, days = (found[name] for name in row)

    def values(one: Move, *which: int) -> float:
        return float(one.values[one.met(np.isin(np.arange(3), which)[None])[0]])

    assert [values(lacks, *which) for which in ((), (0,), (0, 1), (0, 1, 2))] == [2, 1, 1, 0]
    assert [values(count, *which) for which in ((), (0,), (0, 1), (0, 1, 2))] == [1, 2, 3, 4]
    assert np.isnan(values(days))
    assert values(days, 2) == pytest.approx(1 / 86_400_000_000)
