"""Tuning goes forward in time, learns nothing that was not known, and changes a setting only for a gain."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import RandomizedSearchCV

from features import Ledger, RedressError, signals
from features.kernel import DAY, Int
from features.tables import TABLES
from models import DisputeClassifier
from models.fit import FEWEST
from models.questions import QUESTIONS, Answer
from models.tuning import SPACE, Forward, tuned, winner
from pipelines.learning import Cases, Learnt, cases
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables
from pipelines.simulate import write_ledger
from pipelines.tuning import choose, ripe_at

DAYS = [0, 1, 2, 3, 3, 5, 6, 7]
FEW = [QUESTIONS["chargeback_risk"].amount, *QUESTIONS["chargeback_risk"].history]
KNOWN = [2, 9, 3, 4, 6, 6, 7, 8]


@pytest.mark.parametrize(
    ("spans", "share", "expected"),
    [
        (1, 1 / 8, [([0, 2, 3, 4, 5], [7])]),  # what is known at 7 itself is not known before it
        (2, 1 / 8, [([0, 2, 3], [6]), ([0, 2, 3, 4, 5], [7])]),
        (2, 1 / 4, [([0], [3, 4, 5]), ([0, 2, 3], [6, 7])]),  # both rows of day 3 go with the span that begins there
        (1, 1 / 100, [([0, 2, 3, 4, 5], [7])]),
    ],
)
def test_a_span_is_predicted_from_what_was_known_before_it(
    spans: int, share: float, expected: list[tuple[list[int], list[int]]]
) -> None:
    forward = Forward(np.array(DAYS), np.array(KNOWN), n_splits=spans, share=share)
    assert [(train.tolist(), test.tolist()) for train, test in forward.split(range(8))] == expected
    assert forward.get_n_splits() == spans


def test_rows_may_come_in_any_order() -> None:
    shuffled = np.random.default_rng(0).permutation(8)
    forward = Forward(np.array(DAYS)[shuffled], np.array(KNOWN)[shuffled], n_splits=2, share=1 / 4)
    found = [(sorted(shuffled[a].tolist()), sorted(shuffled[b].tolist())) for a, b in forward.split(range(8))]
    assert found == [([0], [3, 4, 5]), ([0, 2, 3], [6, 7])]


@pytest.mark.parametrize(
    ("at", "known_at", "spans", "share", "told"),
    [
        (DAYS, [9] * 8, 1, 0.5, "want rows on both sides of each span, got 0 known before 3 and 5 asked from then on"),
        (
            [0] * 6 + [5, 5],
            [1] * 6 + [9, 9],
            2,
            1 / 8,
            "want rows on both sides of each span, got 6 known before 5 and 0 asked",
        ),
        (DAYS, KNOWN, 3, 0.5, "want spans that fit into the rows, got 3 of 4 among 8"),
        (DAYS[1:], KNOWN[1:], 1, 0.5, "got 8 rows, 7 `at` and 7 `known_at`"),
    ],
)
def test_spans_that_cannot_be_are_told(at: list[int], known_at: list[int], spans: int, share: float, told: str) -> None:
    with pytest.raises(RedressError, match=told):
        list(Forward(np.array(at), np.array(known_at), n_splits=spans, share=share).split(range(8)))


Rows = tuple[pd.DataFrame, Answer, Int, Int]


@pytest.fixture(scope="module")
def rare() -> Rows:
    """Rows of 60 kinds, three of which are a sure yes that trees with leaves of 20 rows can't tell apart; and their times."""
    kind = np.arange(900) * 7 % 60
    frame = pd.DataFrame({"kind": kind, "noise": np.random.default_rng(0).normal(size=900)}).astype(np.float32)
    at = np.arange(900)
    return frame.assign(ask_id="a"), np.isin(kind, [11, 29, 47]).astype(np.int8), at, at + 5


def test_a_search_of_scikit_learn_takes_the_splits(rare: Rows) -> None:
    frame, answer, at, known_at = rare
    signals = frame[["kind", "noise"]]
    search = RandomizedSearchCV(
        DisputeClassifier(rounds=5), SPACE, n_iter=2, cv=Forward(at, known_at), scoring="neg_log_loss", random_state=0
    ).fit(signals, answer)
    assert search.n_splits_ == 3
    assert search.best_params_.keys() == SPACE.keys()


def splits(rows: Rows, spans: int = 2) -> list[tuple[Int, Int]]:
    return list(Forward(rows[2], rows[3], n_splits=spans, share=0.35).split(rows[0]))


def test_a_setting_that_gains_is_chosen(rare: Rows) -> None:
    tried = list[int]()
    space = {"min_data_in_leaf": (3,)}
    found = tuned(rare[0], rare[1], splits=splits(rare), n=1, space=space, tried=tried.append)
    assert found.setting == {"min_data_in_leaf": 3}
    assert found.table["chosen"].tolist() == [True, False]
    assert found.table["min_data_in_leaf"].isna().tolist() == [False, True]
    gain, own = found.table["gain"]
    assert gain > found.table["gain_error"][0]
    assert own == 0
    assert gain == pytest.approx(found.table["log_loss"][1] - found.table["log_loss"][0])
    assert tried == [1, 1]
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([[0.5, 0.5]], 0),
        ([[0.5, 0.5], [0.5, 0.5]], 0),
        ([[0.5, 0.5], [0.1, 0.8]], 0),  # gains 0.4 and -0.3: 0.05 on average, give or take 0.35
        ([[0.5, 0.5], [0.2, 0.6]], 0),  # 0.3 and -0.1: 0.1, give or take 0.2
        ([[0.5, 0.5], [0.3, 0.4]], 1),  # 0.2 and 0.1: 0.15, give or take 0.05
        ([[0.5, 0.5], [0.3, 0.4], [0.0, 0.7]], 1),  # 0.5 and -0.2: as much on average, and no telling
        ([[0.5, 0.5], [0.3, 0.4], [0.2, 0.3]], 2),
        ([[0.5], [0.4]], 1),
    ],
)
def test_another_setting_is_chosen_only_for_a_gain_above_its_error(losses: list[list[float]], expected: int) -> None:
    assert winner(np.array(losses)) == expected


@pytest.mark.parametrize("space", [{"learning_rate": (1e-6,)}, {"rounds": (1,)}])
def test_our_own_setting_stays_where_no_other_gains(space: dict[str, tuple[int | float, ...]], rare: Rows) -> None:
    found = tuned(rare[0], rare[1], splits=splits(rare), n=1, space=space)
    assert found.setting == {}
    assert found.table.loc[found.table["chosen"], "gain"].tolist() == [0]


def test_rows_of_weight_zero_count_neither_in_learning_nor_in_scoring(rare: Rows) -> None:
    kept = np.arange(900) % 10 > 0
    place = np.cumsum(kept) - 1
    fewer = [(place[train[kept[train]]], place[test[kept[test]]]) for train, test in splits(rare)]
    space = {"min_data_in_leaf": (3,)}
    weighted = tuned(*rare[:2], splits=splits(rare), n=1, space=space, weights=kept.astype(np.float64))
    without = tuned(rare[0][kept], rare[1][kept], splits=fewer, n=1, space=space)
    pd.testing.assert_frame_equal(weighted.table, without.table)


def test_spans_with_too_few_of_an_answer_are_told(rare: Rows) -> None:
    frame, answer, at, _ = rare
    few = np.where(at < at[np.flatnonzero(answer)[FEWEST]], answer, 0).astype(np.int8)
    with pytest.raises(RedressError, match=r"tuning: want 10 of each answer in every span .*, got 0; take a longer"):
        tuned(frame, few, splits=splits(rare), n=1)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tables(happen(world("chargeback_rich", orders=3_000), seed=1))
    needed = [column.name for column in TABLES["orders"].columns if column.required]
    folder = tmp_path_factory.mktemp("tuning") / "ledger"
    write_ledger({"orders": made["orders"].select(needed), "chargebacks": made["chargebacks"]}, folder)
    return folder


@pytest.fixture(scope="module")
def work(ledger: Path) -> Cases:
    return cases(Ledger.open(ledger), "chargeback_risk", start=None, stop=None, horizon=30 * DAY)


def test_what_is_ripe_before_a_moment_is_what_could_be_learnt_from_then(work: Cases) -> None:
    first, last = int(work.asks.at[0]), int(work.asks.at[-1])
    late = work.labelled(last)
    ripe = ripe_at(work, late.which, late)
    for moment in np.linspace(first, last, 9).astype(np.int64).tolist():
        assert late.which[ripe < moment].tolist() == work.labelled(moment).which.tolist()
    assert (ripe > work.asks.at[late.which]).all()


def test_what_was_tried_is_written_and_what_was_chosen_is_told(ledger: Path, work: Cases, tmp_path: Path) -> None:
    until = int(work.asks.at[-1]) + 1
    data, begin = work.labelled(until), int(work.asks.at[2_400])
    frame = signals(Ledger.open(ledger), "chargeback_risk", only=FEW, horizon=30 * DAY)
    learnt = Learnt(frame.iloc[data.which], data.answer, np.ones(len(data.which)))
    said = list[str]()
    found = choose(work, data.which, learnt, begin, n=2, seed=0, out=tmp_path, said=said.append)
    table = pd.read_csv(tmp_path / "tuning.csv")
    known = len(work.labelled(begin).which)
    assert said[0].startswith(f"tuning on {known:,} askings known by 202")
    assert said[0].endswith(": 3 settings, 9 trainings")
    assert len(table) == 3
    assert table["log_loss"].is_monotonic_increasing
    best = table[table["chosen"]].iloc[0]
    assert {name: best[name] for name in found.setting} == found.setting
    (section,) = found.sections
    assert section.table is not None
    assert len(section.table.rows) == 3


def test_what_came_after_the_latest_slice_began_changes_nothing(ledger: Path, work: Cases, tmp_path: Path) -> None:
    data, begin = work.labelled(int(work.asks.at[-1]) + 1), int(work.asks.at[2_400])
    frame = signals(Ledger.open(ledger), "chargeback_risk", only=FEW, horizon=30 * DAY).iloc[data.which]
    known = np.isin(data.which, work.labelled(begin).which)
    other = np.where(known, data.answer, 1 - data.answer).astype(np.int8)
    spoilt = frame.copy()
    spoilt.loc[~known, FEW] = np.float32(7)
    for name, answer, rows in (("a", data.answer, frame), ("b", other, spoilt)):
        learnt = Learnt(rows, answer, np.ones(len(answer)))
        choose(work, data.which, learnt, begin, n=1, seed=0, out=tmp_path / name, said=lambda _: None)
    assert (tmp_path / "a" / "tuning.csv").read_text() == (tmp_path / "b" / "tuning.csv").read_text()


def test_without_settings_to_try_nothing_is_tried(work: Cases, tmp_path: Path) -> None:
    nothing = Learnt(pd.DataFrame(), np.zeros(0, np.int8), np.zeros(0))
    found = choose(work, np.zeros(0, np.int64), nothing, 0, n=0, seed=0, out=tmp_path, said=lambda _: None)
    assert (found.setting, found.sections, list(tmp_path.iterdir())) == ({}, (), [])
