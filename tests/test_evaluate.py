"""The metrics against scikit-learn and hand work, and the promises of the intervals."""

import json
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from features.errors import RedressError
from features.kernel import DAY
from models.curves import BINS, calibration, money_caught, precision_recall, wilson
from models.evaluate import METRICS, Evaluation, buyer_precision, evaluate, row_metrics

Rows = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Answers of both kinds, scores with many ties and the edges 0 and 1, and how often each row counts."""
    n = draw(st.integers(2, 60))
    yes = draw(arrays(np.int64, n, elements=st.integers(0, 1)))
    yes[:2] = 0, 1
    p = draw(arrays(np.float64, n, elements=st.integers(0, 8).map(lambda k: k / 8) | st.floats(0, 1)))
    weight = draw(arrays(np.int64, n, elements=st.integers(0, 4)))
    weight[:2] = np.maximum(weight[:2], 1)
    return yes, p, weight


@given(rows())
def test_row_metrics_are_those_of_scikit_learn_with_and_without_weights(case: Rows) -> None:
    yes, p, weight = case
    for w in (None, weight):
        found = row_metrics(yes, p, w)
        expected = {
            "auc": roc_auc_score(yes, p, sample_weight=w),
            "average_precision": average_precision_score(yes, p, sample_weight=w),
            "brier": brier_score_loss(yes, p, sample_weight=w),
            "log_loss": log_loss(yes, p, sample_weight=w, labels=[0, 1]),
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(rows())
def test_a_weight_is_the_row_written_that_many_times(case: Rows) -> None:
    yes, p, weight = case
    repeated = row_metrics(np.repeat(yes, weight), np.repeat(p, weight))
    assert row_metrics(yes, p, weight) == pytest.approx(repeated, rel=1e-9, abs=1e-12)


@given(rows(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(case: Rows, seed: int) -> None:
    yes, p, weight = case
    order = np.random.default_rng(seed).permutation(len(yes))
    shuffled = row_metrics(yes[order], p[order], weight[order])
    assert row_metrics(yes, p, weight) == pytest.approx(shuffled, rel=1e-9, abs=1e-12)


@given(rows())
def test_calibration_error_is_the_mean_gap_of_the_calibration_curve(case: Rows) -> None:
    yes, p, _ = case
    bins = calibration(yes, p)
    gap = (bins["n"] * (bins["predicted"] - bins["observed"]).abs()).sum() / len(yes)
    assert row_metrics(yes, p)["ece"] == pytest.approx(gap, abs=1e-12)


@pytest.mark.parametrize(
    ("yes", "p", "top"),
    [
        pytest.param([1] + [0] * 99, [0.7] + [0.1] * 99, 0.3, id="100 rows: one in the top"),
        pytest.param([1] + [0] * 100, [0.7, 0.4] + [0.1] * 99, 0.05, id="101 rows: two in the top, (1.1 - 1) / 2"),
        pytest.param([1, 1, 0, 0] + [0] * 96, [0.8] * 4 + [0.1] * 96, 0.3, id="four tied for one place: 0.8 - 2 / 4"),
    ],
)
def test_the_top_is_the_highest_hundredth_rounded_up(yes: list[int], p: list[float], top: float) -> None:
    assert row_metrics(yes, p)["ece_top"] == pytest.approx(top)


def test_a_constant_is_calibrated_when_it_is_the_base_rate() -> None:
    assert row_metrics([1, 0, 0, 0] * 10, [0.25] * 40)["ece"] == pytest.approx(0, abs=1e-12)
    assert row_metrics([1, 0, 0, 0] * 10, [0.75] * 40)["ece"] == pytest.approx(0.5)


def test_a_weight_on_one_answer_alone_measures_nothing() -> None:
    assert all(math.isnan(v) for v in row_metrics([1, 0], [0.9, 0.1], [3, 0]).values())


def test_a_caught_buyer_makes_room_the_next_day() -> None:
    # day 0: buyer 1 (0.9, no) and 2 (best 0.8; yes at 0.2) are reviewed, 2 is caught: 1 of 2
    # day 1: 2 is gone; 1 (0.7, yes) and 3 (0.5, no) are reviewed, 4 (0.4, yes) is not: 1 of 2
    # day 3: 1 and 2 are gone; only 4 (0.1, yes) is left: 1 of 1
    day = [0, 0, 0, 0, 1, 1, 1, 1, 3, 3, 3]
    buyer = [1, 2, 2, 3, 1, 2, 3, 4, 1, 2, 4]
    p = [0.9, 0.8, 0.2, 0.3, 0.7, 0.99, 0.5, 0.4, 0.9, 0.9, 0.1]
    yes = [0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert buyer_precision(yes, p, np.array(day) * DAY + 5, buyer, reviewed=2).tolist() == [0.5, 0.5, 1.0]


def test_a_day_on_which_every_buyer_was_caught_before_says_nothing() -> None:
    shares = buyer_precision([1, 1], [0.9, 0.9], [0, DAY], [5, 5])
    assert shares[0] == 1
    assert math.isnan(shares[1])


def test_equal_scores_are_reviewed_in_the_order_of_asking() -> None:
    assert buyer_precision([0, 1], [0.5, 0.5], [20, 10], [1, 2], reviewed=1).tolist() == [1.0]


def naive_buyer_precision(
    yes: list[int], p: list[float], at: list[int], buyer: list[int], reviewed: int
) -> list[float]:
    """The same by plain loops over days and buyers."""
    caught: set[int] = set()
    shares = []
    known = [i for i in range(len(yes)) if buyer[i] >= 0]
    for day in sorted({at[i] // DAY for i in known}):
        best: dict[int, tuple[float, int]] = {}
        any_yes: dict[int, bool] = defaultdict(bool)
        for i in (i for i in known if at[i] // DAY == day and buyer[i] not in caught):
            best[buyer[i]] = min(best.get(buyer[i], (math.inf, 0)), (-p[i], at[i]))
            any_yes[buyer[i]] |= yes[i] == 1
        listed = sorted(best, key=lambda b: best[b])[:reviewed]
        hit = {b for b in listed if any_yes[b]}
        caught |= hit
        shares.append(len(hit) / len(listed) if listed else math.nan)
    return shares


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 4), st.integers(-1, 6)), max_size=60))
def test_buyer_precision_is_that_of_plain_loops(rows: list[tuple[bool, int, int, int]]) -> None:
    yes, p = [int(r[0]) for r in rows], [r[1] / 4 for r in rows]
    at, buyer = [r[2] * DAY + i for i, r in enumerate(rows)], [r[3] for r in rows]
    expected = naive_buyer_precision(yes, p, at, buyer, 2)
    assert buyer_precision(yes, p, at, buyer, reviewed=2).tolist() == pytest.approx(expected, nan_ok=True)


def world(n: int = 3_000) -> Evaluation:
    """A model that knows the truth, a weak and an equal baseline, ten days, 400 buyers."""
    rng = np.random.default_rng(3)
    odds = rng.normal(-3, 1.5, n)
    p = 1 / (1 + np.exp(-odds))
    yes = (rng.random(n) < p).astype(np.int8)
    weak = 1 / (1 + np.exp(-odds / 3 + rng.normal(1, 1, n)))
    amount = np.where(rng.random(n) < 0.1, np.nan, np.exp(rng.normal(8, 1, n)))
    predictors = {"model": p, "weak": weak, "same": p.copy(), "constant": np.full(n, yes.mean())}
    at = np.sort(rng.integers(0, 10 * DAY, n))
    return evaluate(yes, predictors, at=at, buyer=rng.integers(-1, 400, n), amount=amount, resamples=100)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return world()


def test_every_interval_holds_its_estimate(found: Evaluation) -> None:
    t = found.table
    assert len(t) == 4 * len(METRICS)
    assert ((t["low"] <= t["estimate"]) & (t["estimate"] <= t["high"])).all()
    baseline = t[t["predictor"] != "model"]
    assert (baseline["difference_low"] <= baseline["difference"]).all()
    assert (baseline["difference"] <= baseline["difference_high"]).all()


def test_a_predictor_differs_from_itself_by_exactly_zero(found: Evaluation) -> None:
    same = found.table.query("predictor == 'same'")
    assert (same[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)


def test_pairing_makes_a_difference_narrower_than_its_two_sides(found: Evaluation) -> None:
    model, weak = found.numbers("log_loss"), found.numbers("log_loss", "weak")
    assert weak["difference_high"] < 0
    apart = weak["difference_high"] - weak["difference_low"]
    assert apart < (model["high"] - model["low"]) + (weak["high"] - weak["low"])


def test_the_same_seed_gives_the_same_numbers(found: Evaluation) -> None:
    assert world().to_json() == found.to_json()


def test_the_whole_evaluation_is_plain_json_with_none_for_unknown(found: Evaluation) -> None:
    text = json.dumps(found.to_json(), allow_nan=False)
    first = json.loads(text)["table"][0]
    assert (first["predictor"], first["metric"], first["difference"]) == ("model", "auc", None)


def test_curves_are_small_and_end_where_everything_is_found(found: Evaluation) -> None:
    for curve in found.curves.values():
        assert len(curve.precision_recall) <= 400
        assert curve.precision_recall["recall"].iloc[-1] == 1
        assert curve.precision_recall["precision"].iloc[-1] == pytest.approx(found.positives / found.n)
        assert len(curve.calibration) <= BINS
        assert curve.calibration["n"].sum() == found.n
        assert curve.histogram["yes"].sum() == found.positives
        assert curve.money is not None
        assert curve.money.iloc[-1].tolist() == [1, 1]
    assert set(found.curves["model"].calibration["n"]) == {200}


def test_intervals_of_calibration_hold_the_true_error_though_samples_overstate_it() -> None:
    # the true error of p is 0, that of p shifted by 0.02 is 0.02; of 20 samples 19 should hold it, 17 at the least
    held = {0.0: 0, 0.02: 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = rng.uniform(0.05, 0.4, 1_500)
        yes = rng.random(1_500) < p
        for shift in held:
            found = evaluate(yes, {"model": p + shift}, at=np.zeros(1_500), resamples=60, seed=seed)
            row = found.numbers("ece")
            held[shift] += row["low"] <= shift <= row["high"]
    assert min(held.values()) >= 17


@pytest.mark.parametrize("buyer", [None, [-1, -1, -1, -1]])
def test_unknown_buyers_leave_buyer_precision_unknown(buyer: list[int] | None) -> None:
    t = evaluate([1, 0, 1, 0], {"model": [0.9, 0.1, 0.4, 0.6]}, at=[0] * 4, buyer=buyer, resamples=20).table
    assert t[t["metric"] == "buyer_precision_100"][["estimate", "low", "high"]].isna().all(axis=None)
    assert not t[t["metric"] != "buyer_precision_100"]["estimate"].isna().any()


def test_one_day_has_a_buyer_precision_but_no_interval() -> None:
    found = evaluate([1, 0], {"model": [0.9, 0.1]}, at=[0, 1], buyer=[1, 2], resamples=20)
    row = found.numbers("buyer_precision_100")
    assert row["estimate"] == 0.5
    assert math.isnan(row["low"])


def test_resamples_with_one_answer_are_skipped() -> None:
    found = evaluate([1, 0], {"model": [0.9, 0.1]}, at=[0, 1], resamples=50).numbers("auc")
    assert [found[name] for name in ("estimate", "low", "high")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("yes", "p", "message"),
    [
        ([0] * 512, [0.5] * 512, r"evaluation: want both answers, got 0 yes among 512; take a longer span"),
        ([1] * 3, [0.5] * 3, r"got 3 yes among 3;"),
        ([], [], r"got 0 yes among 0;"),
        ([0, 1], [0.5], r"evaluation\.model: want 2 probabilities in \[0, 1\], got 1 rows"),
        ([0, 1], [0.5, 1.5], r"got 1\.5; check"),
        ([0, 1], [0.5, math.nan], r"got nan; check"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_sentence(yes: list[int], p: list[float], message: str) -> None:
    with pytest.raises(RedressError, match=message):
        evaluate(yes, {"model": p}, at=np.zeros(len(yes)))


def test_money_is_none_without_a_known_amount_among_the_yes() -> None:
    assert money_caught(np.array([1, 0]), np.array([0.9, 0.1]), np.array([np.nan, 50.0])) is None


def test_precision_and_recall_step_once_for_equal_scores() -> None:
    curve = precision_recall(np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.2, 0.2]))
    assert curve.to_numpy().tolist() == [[0.5, 0.5], [1.0, 0.5]]


@pytest.mark.parametrize(("rate", "n", "low", "high"), [(0.5, 4, 0.1500, 0.8500), (1.0, 10, 0.7225, 1.0)])
def test_wilson_intervals_are_the_published_ones(rate: float, n: int, low: float, high: float) -> None:
    edges = wilson(np.array([rate]), np.array([n]))
    assert [float(e[0]) for e in edges] == pytest.approx([low, high], abs=5e-5)
