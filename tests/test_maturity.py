"""How long answers take, by the naive estimator and where the quick ones alone would mislead, and what is not yet due."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import RedressError
from features.background import NOT_YET
from features.kernel import DAY
from models.curves import POINTS
from models.maturity import FEWEST, arrivals, cohorts, delays, require_due
from models.questions import LEFT_OUT, NO, OPEN, YES, Answers

FEBRUARY = int(np.datetime64("2024-02-01", "us").astype(np.int64))


def known(*answers: tuple[int, float]) -> Answers:
    """Answers with the day of 1970 on which each was known."""
    said, days = zip(*answers, strict=True)
    return Answers(np.array(said, np.int8), np.array([NOT_YET if d == np.inf else round(d * DAY) for d in days]))


@pytest.mark.parametrize(
    ("answer", "day", "want"),
    [
        (YES, 12, (2.0, True)),
        (NO, 19, (9.0, True)),
        (LEFT_OUT, 12, (2.0, True)),  # it ended, whatever for
        (OPEN, np.inf, (10.0, False)),
        (YES, 20, (10.0, False)),  # at the moment itself it is not known yet
        (YES, 25, (10.0, False)),
        (NO, 9, None),  # answered before it was asked
    ],
)
def test_an_answer_not_yet_known_is_followed_up_to_now(
    answer: int, day: float, want: tuple[float, bool] | None
) -> None:
    days, came = delays(np.array([10 * DAY]), known((answer, day)), 20 * DAY)
    assert list(zip(days.tolist(), came.tolist(), strict=True)) == ([] if want is None else [want])


@pytest.mark.parametrize(
    ("answer", "day", "as_of", "want"),
    [
        (YES, 12, 99, (2.0, True)),
        (NO, 15, 99, (5.0, False)),  # silence, up to the horizon of five days
        (NO, 15, 13, (3.0, False)),  # or up to now
        (YES, 14, 13, (3.0, False)),
    ],
)
def test_within_a_horizon_only_a_yes_takes_time(answer: int, day: float, as_of: int, want: tuple[float, bool]) -> None:
    days, came = delays(np.array([10 * DAY]), known((answer, day)), as_of * DAY, 5 * DAY)
    assert (days[0], came[0]) == want


def test_what_is_asked_later_is_no_asking_yet() -> None:
    assert delays(np.array([10 * DAY]), known((YES, 12)), 10 * DAY)[0].size == 0


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=12))
def test_the_curve_is_the_naive_product(rows: list[tuple[int, bool]]) -> None:
    days = [float(d) for d, _ in rows for _ in range(FEWEST)]
    came = [c for _, c in rows for _ in range(FEWEST)]
    found = arrivals(np.array(days), np.array(came)).iloc[1:]
    want = naive.product_limit(days, came)
    assert found["days"].tolist() == list(want)
    assert found["answered"].tolist() == pytest.approx(list(want.values()))


def test_an_age_that_few_have_reached_is_not_told() -> None:
    days = np.append(np.full(FEWEST, 1.0), np.full(FEWEST - 1, 9.0))
    assert arrivals(days, np.ones(days.size, np.bool_))["days"].tolist() == [0.0, 1.0]


def test_young_askings_do_not_make_answers_look_quick() -> None:
    rng = np.random.default_rng(1)
    age, takes = rng.uniform(0, 100, 4_000), rng.exponential(40, 4_000)
    came = takes < age
    curve = arrivals(np.where(came, takes, age), came)
    half = float(curve["days"][np.searchsorted(curve["answered"], 0.5)])
    assert half == pytest.approx(40 * np.log(2), rel=0.06)
    assert np.median(takes[came]) < 0.75 * half  # which the answers known would have said


def test_a_curve_keeps_few_points_and_both_ends() -> None:
    found = arrivals(np.arange(5_000.0), np.ones(5_000, np.bool_))
    assert len(found) == POINTS
    assert found["days"].iloc[[0, -1]].tolist() == [0.0, 5_000.0 - FEWEST]


def test_without_any_answer_there_is_no_curve() -> None:
    assert arrivals(np.array([3.0]), np.array([False]))["answered"].tolist() == [0.0]


def test_a_month_is_due_when_all_of_it_is() -> None:
    at = FEBRUARY + np.array([-20, -19, 0, 10, 11, 30]) * DAY
    answer = np.array([YES, NO, OPEN, YES, YES, YES], np.int8)
    delay = np.array([5, 5, 0, 4, 1, 1]) * DAY
    found = Answers(answer, np.where(answer == OPEN, NOT_YET, at + delay))
    table = cohorts(at, found, FEBRUARY + 31 * DAY, 20 * DAY)
    assert table.to_dict("split")["data"] == [
        ["2024-01", 2, 2, 2, 1, "due"],
        ["2024-02", 3, 2, 1, 1, "partly due"],  # the one of the 11th day is as old as answers take, and not older
        ["2024-03", 1, 0, 0, 0, "not yet due"],
    ]


def test_early_answers_of_the_young_are_not_counted() -> None:
    at = np.array([FEBRUARY])
    table = cohorts(at, Answers(np.array([YES], np.int8), at + DAY), FEBRUARY + 5 * DAY, 20 * DAY)
    assert table[["due", "answered", "yes"]].to_numpy().tolist() == [[0, 0, 0]]


def test_an_evaluation_of_what_is_not_yet_due_is_declined() -> None:
    at = FEBRUARY + np.arange(5) * DAY
    due = FEBRUARY + 3 * DAY
    assert require_due(at, FEBRUARY, due, due, "--to") == 0
    assert require_due(at, FEBRUARY, FEBRUARY + 9 * DAY, FEBRUARY + 5 * DAY, "--to") == 0
    assert require_due(FEBRUARY + np.arange(20) * DAY, FEBRUARY, FEBRUARY + 20 * DAY, FEBRUARY + 19 * DAY, "--to") == 1
    sentence = (
        r"^--to: want askings whose answers are due, those before 2024-02-04T00:00:00\+00:00, got 2 of 5 not yet due "
    )
    with pytest.raises(RedressError, match=sentence):
        require_due(at, FEBRUARY, FEBRUARY + 9 * DAY, due, "--to")
