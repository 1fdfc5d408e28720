"""Each baseline by hand or by its promise, and what is left out."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.errors import RedressError
from models import baselines as module
from models.baselines import STRENGTHS, amount_alone, baselines, shrunken, strength
from models.sample import sampled

Floats = NDArray[np.float64]


def world(n: int = 4_000) -> tuple[pd.DataFrame, Floats]:
    """Signals with a heavy tail, gaps, an empty and a constant column, and answers that follow two of them."""
    rng = np.random.default_rng(5)
    amount, seen = np.exp(rng.normal(8, 1.5, n)), rng.poisson(20, n)
    frame = pd.DataFrame({"amount": amount, "matured": seen, "yes": rng.binomial(seen, 0.1), "empty": np.nan, "one": 1})
    frame["gappy"] = np.where(rng.random(n) < 0.4, np.nan, rng.normal(size=n))
    frame.loc[::7, ["matured", "yes"]] = np.nan
    odds = -4 + 0.9 * (np.log(amount) - 8) + frame["gappy"].fillna(0).to_numpy()
    return frame.astype(np.float32), (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.float64)


def test_every_baseline_gives_a_probability_for_every_row() -> None:
    frame, yes = world()
    found = baselines(frame, yes, frame.iloc[:500], amount="amount", counts=("yes", "matured"))
    assert list(found) == ["constant", "amount alone", "shrunken rate", "logistic regression"]
    for p in found.values():
        assert p.shape == (500,)
        assert p.dtype == np.float64
        assert ((p > 0) & (p < 1)).all()


@pytest.mark.parametrize(
    ("amount", "counts", "left"),
    [
        (None, (), ["constant", "logistic regression"]),
        ("absent", ("yes", "absent"), ["constant", "logistic regression"]),
        ("amount", (), ["constant", "amount alone", "logistic regression"]),
    ],
)
def test_a_baseline_without_its_columns_is_left_out(
    amount: str | None, counts: tuple[str, ...], left: list[str]
) -> None:
    frame, yes = world(300)
    assert list(baselines(frame, yes, frame, amount=amount, counts=counts)) == left


def test_the_inputs_stay_as_they_were() -> None:
    frame, yes = world(300)
    before = frame.copy(), yes.copy()
    baselines(frame, yes, frame, amount="amount", counts=("yes", "matured"))
    pd.testing.assert_frame_equal(frame, before[0])
    np.testing.assert_array_equal(yes, before[1])


@pytest.mark.parametrize(
    ("yes", "n", "k", "rate"),
    [
        (0.0, 0.0, 10.0, 0.2),
        (5.0, 5.0, 5.0, 0.6),
        (0.0, 30.0, 10.0, 0.05),
        (np.nan, np.nan, 10.0, 0.2),
        (np.nan, 7.0, 10.0, 0.2),
    ],
)
def test_little_history_stays_near_the_base_rate(yes: float, n: float, k: float, rate: float) -> None:
    assert shrunken([yes], [n], 0.2, k)[0] == pytest.approx(rate)


def test_the_training_rows_choose_how_far_history_is_trusted() -> None:
    rng = np.random.default_rng(1)
    n = np.full(4_000, 20.0)
    own = rng.beta(1, 9, 4_000)
    telling = strength(rng.binomial(20, own).astype(np.float64), n, (rng.random(4_000) < own).astype(np.float64))
    useless = strength(rng.binomial(20, own).astype(np.float64), n, (rng.random(4_000) < 0.1).astype(np.float64))
    assert telling == 10.0  # a beta(1, 9) prior is worth ten facts
    assert useless == max(STRENGTHS)


def test_the_rate_of_an_amount_is_that_of_its_bin() -> None:
    # two bins of 40 rows and 20 unknown; base rate 0.1, so each bin is shrunk by 10 rows with one yes
    train = np.array([100.0] * 40 + [900.0] * 40 + [np.nan] * 20)
    yes = np.array([0.0] * 40 + [1.0] * 8 + [0.0] * 32 + [1.0] * 2 + [0.0] * 18)
    rates = amount_alone(train, yes, np.array([1.0, 100.0, 900.0, 5_000.0, np.nan]))
    assert rates == pytest.approx([1 / 50, 1 / 50, 9 / 50, 9 / 50, 3 / 30])


def test_cents_or_their_logarithm_give_the_same() -> None:
    frame, yes = world(1_000)
    cents = frame["amount"].to_numpy(np.float64)
    np.testing.assert_array_equal(amount_alone(cents, yes, cents), amount_alone(np.log(cents), yes, np.log(cents)))


def test_amounts_that_are_never_known_give_the_base_rate() -> None:
    yes = np.array([1.0, 0.0, 0.0, 0.0])
    assert amount_alone(np.full(4, np.nan), yes, np.array([np.nan])) == pytest.approx([0.25])


def test_logistic_regression_finds_what_the_answers_follow() -> None:
    frame, yes = world(8_000)
    p = baselines(frame[:6_000], yes[:6_000], frame[6_000:])["logistic regression"]
    rank = pd.Series(p).rank()
    assert rank[yes[6_000:] == 1].mean() > 1.4 * rank[yes[6_000:] == 0].mean()
    assert p.mean() == pytest.approx(yes.mean(), rel=0.15)


def test_signals_that_say_nothing_leave_the_base_rate() -> None:
    frame = pd.DataFrame({"empty": [np.nan] * 4, "one": [1.0] * 4, "endless": [np.inf] * 4}, dtype=np.float32)
    assert baselines(frame, [1, 0, 0, 0], frame)["logistic regression"].tolist() == [0.25] * 4


def test_a_signal_may_be_unknown_in_all_test_rows_or_endless() -> None:
    frame, yes = world(500)
    test = frame.assign(gappy=np.float32(np.nan), amount=np.float32(np.inf))
    assert not np.isnan(baselines(frame, yes, test)["logistic regression"]).any()


def test_a_capped_sample_keeps_every_yes_and_the_base_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 2_000)
    frame, yes = world(8_000)
    p = baselines(frame, yes, frame, seed=3)["logistic regression"]
    rows, weight = sampled(yes, 3, 2_000)
    assert len(rows) == len(set(rows)) == 2_000
    assert set(np.flatnonzero(yes)) <= set(rows)
    assert np.median(rows) == pytest.approx(4_000, rel=0.1)
    assert weight.sum() == pytest.approx(8_000)
    assert p.mean() == pytest.approx(yes.mean(), rel=0.1)
    np.testing.assert_array_equal(p, baselines(frame, yes, frame, seed=3)["logistic regression"])


@pytest.mark.parametrize(("yes", "came"), [([0, 0], "got 0 yes among 2"), ([1, 1], "got 2 yes among 2")])
def test_training_answers_of_one_kind_are_refused(yes: list[int], came: str) -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0]}, dtype=np.float32)
    with pytest.raises(RedressError, match=came):
        baselines(frame, yes, frame)
