"""The review queue by hand, against every order that there is, by laws, and over a year: who is looked at, and when?"""

from collections.abc import Sequence
from itertools import permutations
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from features import RedressError
from features.kernel import DAY
from models.queue import MINUTE, RULES, Review, Rule, compared, scheduled
from models.sections import described, read

ONE = Review(reviewers=1, minutes_a_day=100)
Case = tuple[int, int, int, int]
"""Minutes of work at which it comes and is due, how many it takes, and what it is worth."""


def instant(minute: int, a_day: int) -> int:
    return minute // a_day * DAY + minute % a_day * MINUTE


def frame(cases: Sequence[Case], a_day: int = 100) -> pd.DataFrame:
    came, due, minutes, worth = zip(*cases, strict=True) if cases else ([], [], [], [])
    told = {"arrived_at": [instant(one, a_day) for one in came], "due_at": [instant(one, a_day) for one in due]}
    amount = [abs(one) % 7 for one in worth]
    return pd.DataFrame(told | {"minutes": minutes, "worth": worth, "amount": amount}, dtype=np.int64)


def minutes(found: pd.DataFrame, a_day: int = 100) -> list[tuple[int, int]]:
    """Which case starts at which minute of work."""
    at = found["starts_at"]
    return list(zip(found.index, (at // DAY * a_day + at % DAY // MINUTE).tolist(), strict=True))


def best(cases: Sequence[Case], reviewers: int) -> int:
    """What cases that have all come are worth at most: every order, each to who is free first, but for those too late."""
    found = 0
    for order in permutations([one for one in cases if one[3] > 0]):
        free, worth = [0] * reviewers, 0
        for _, due, long, cents in order:
            first = free.index(min(free))
            if free[first] + long <= due:
                free[first] += long
                worth += cents
        found = max(found, worth)
    return found


def drawn(rng: Generator, n: int, mixed: bool = False) -> pd.DataFrame:
    """Cases of a year, whose worth grows with their amount and with how little is known of them."""
    amount, p = np.round(rng.lognormal(8.5, 1.2, n)).astype(np.int64), rng.beta(1, 6, n)
    worth = np.round(amount * np.minimum(p, 1 - p) * rng.uniform(0.2, 1, n) - 400)
    came = np.sort(rng.integers(0, 365 * DAY, n))
    found = pd.DataFrame({"arrived_at": came, "amount": amount, "worth": worth})
    found["due_at"] = came + rng.choice([2, 5, 7, 10], n) * DAY
    return found.assign(minutes=rng.choice([10, 20, 40, 60, 120], n)) if mixed else found


@pytest.mark.parametrize(
    ("rule", "order"),
    [
        ("value", [(1, 0), (2, 40), (0, 80)]),  # by deadline, those that all fit: 3 would cost more than it brings
        ("first_come", [(0, 0), (2, 40), (3, 80)]),  # 1 is too late when its turn comes
        ("by_amount", [(3, 0), (2, 40), (0, 80)]),  # amounts 2, 0, 5, 6: 1 is too late
    ],
)
def test_each_rule_goes_its_own_way(rule: Rule, order: list[tuple[int, int]]) -> None:
    cases = frame([(0, 120, 40, 30), (0, 60, 40, 20), (0, 90, 40, 50), (0, 120, 40, -1)])
    found = scheduled(cases.assign(amount=[2, 0, 5, 6]), ONE, rule=rule)
    assert minutes(found) == order


def test_a_case_that_is_worth_less_gives_way_to_one_that_comes_later_and_is_worth_more() -> None:
    cases = frame([(0, 400, 100, 5), (0, 400, 100, 6), (0, 400, 100, 7), (100, 200, 100, 9), (200, 300, 100, 9)])
    assert minutes(scheduled(cases, ONE)) == [(0, 0), (3, 100), (4, 200), (2, 300)]  # 0 began before 3 was known


def test_the_long_case_goes_or_the_short_ones_whichever_loses_less() -> None:
    assert minutes(scheduled(frame([(0, 100, 1, 2), (0, 100, 100, 100)]), ONE)) == [(1, 0)]
    assert minutes(scheduled(frame([(0, 100, 50, 60), (0, 100, 50, 50), (0, 100, 100, 100)]), ONE)) == [(0, 0), (1, 50)]


def test_two_reviewers_work_side_by_side_and_an_evening_s_case_goes_on_in_the_morning() -> None:
    cases = frame([(0, 400, 60, one) for one in (5, 4, 3, 2)])
    found = scheduled(cases, Review(reviewers=2, minutes_a_day=100))
    assert found["reviewer"].tolist() == [0, 1, 0, 1]
    assert found["starts_at"].tolist() == [0, 0, 60 * MINUTE, 60 * MINUTE]
    assert found["ends_at"].tolist() == [60 * MINUTE, 60 * MINUTE, DAY + 20 * MINUTE, DAY + 20 * MINUTE]
    whole = scheduled(frame([(0, 100, 100, 1)]), ONE)  # a day's last minute is that day's
    assert whole["ends_at"].tolist() == [100 * MINUTE]


def test_of_two_reviewers_each_has_his_own_hours() -> None:
    cases = frame(
        [(0, 60, 40, 1), (0, 60, 40, 9), (0, 60, 40, 8)]
    )  # two have 120 minutes, which are two cases, not three
    assert minutes(scheduled(cases, Review(reviewers=2, minutes_a_day=100))) == [(1, 0), (2, 0)]


def test_a_case_that_comes_within_a_minute_begins_with_the_next() -> None:
    cases = frame([(0, 90, 40, 1)]).assign(arrived_at=3 * MINUTE + 1)
    assert minutes(scheduled(cases, ONE)) == [(0, 4)]


def test_what_is_not_told_is_as_the_section_has_it() -> None:
    cases = pd.DataFrame({"arrived_at": [0, 0, 0], "worth": [1, 2, 3]})
    section = Review(reviewers=1, minutes_a_day=50, minutes_a_case=25, days_to_decide=1.0)
    assert scheduled(cases, section).index.tolist() == [1, 2]
    assert scheduled(cases, Review(reviewers=1, minutes_a_day=50, minutes_a_case=25, days_to_decide=2.0))[
        "ends_at"
    ].max() == (DAY + 25 * MINUTE)


@pytest.mark.parametrize("rule", RULES)
def test_nobody_reviews_nothing(rule: Rule) -> None:
    cases = frame([(0, 100, 40, 3)])
    for section in (Review(reviewers=0), Review(minutes_a_day=0)):
        assert list(scheduled(cases, section, rule=rule)) == ["reviewer", "starts_at", "ends_at"]
        assert scheduled(cases, section, rule=rule).empty
    assert scheduled(cases.iloc[:0], rule=rule).empty
    assert scheduled(frame([(50, 60, 40, 3)]), ONE, rule=rule).empty  # too late from the start


@settings(max_examples=500)
@given(
    st.lists(
        st.tuples(st.just(0), st.sampled_from([39, 40, 60, 80, 100, 150]), st.just(40), st.integers(-2, 9)), max_size=6
    ),
    st.integers(1, 3),
    st.sampled_from([30, 40, 100]),
)
def test_of_equally_long_cases_that_wait_the_best_are_reviewed(cases: list[Case], reviewers: int, a_day: int) -> None:
    found = scheduled(frame(cases, a_day), Review(reviewers=reviewers, minutes_a_day=a_day))
    assert sum(cases[i][3] for i in found.index) == best(cases, reviewers)


def test_of_unequal_cases_nearly_the_best_are_reviewed() -> None:
    rng, shares = default_rng(2), []
    for _ in range(200):
        due, long = rng.integers(20, 300, 6).tolist(), rng.choice([10, 30, 45, 90], 6).tolist()
        cases = list(zip([0] * 6, due, long, rng.integers(1, 100, 6).tolist(), strict=True))
        most = best(cases, 1)
        shares.append(sum(cases[i][3] for i in scheduled(frame(cases), ONE).index) / most if most else 1.0)
    assert np.mean(shares) > 0.97
    assert min(shares) > 0.6


CASES = st.tuples(st.integers(0, 250), st.integers(0, 500), st.sampled_from([7, 20, 40, 130]), st.integers(-5, 50))


@given(st.lists(CASES, max_size=25), st.integers(1, 3), st.sampled_from(RULES))
def test_nobody_does_two_at_once_nor_any_too_early_or_too_late(cases: list[Case], reviewers: int, rule: Rule) -> None:
    told = frame(cases)
    found = scheduled(told, Review(reviewers=reviewers, minutes_a_day=100), rule=rule)
    mine = told.loc[found.index]
    assert (found["starts_at"] >= mine["arrived_at"]).all()
    assert (found["ends_at"] <= mine["due_at"]).all()
    assert ((found[["starts_at", "ends_at"]] % DAY) <= 100 * MINUTE).all(axis=None)
    assert found.index.is_unique
    assert rule != "value" or (mine["worth"] > 0).all()
    for _, some in found.groupby("reviewer"):
        assert (some["starts_at"].to_numpy()[1:] >= some["ends_at"].to_numpy()[:-1]).all()
    for case, start in minutes(found):  # each takes as long as it takes
        last = found["ends_at"][case] - MINUTE
        assert last // DAY * 100 + last % DAY // MINUTE + 1 - start == cases[case][2]


@given(st.lists(CASES, max_size=25), st.integers(0, 250), st.integers(1, 3), st.sampled_from(RULES))
def test_the_future_cannot_change_the_past(cases: list[Case], minute: int, reviewers: int, rule: Rule) -> None:
    told, section, t = frame(cases), Review(reviewers=reviewers, minutes_a_day=100), instant(minute, 100)
    with_it, without = (scheduled(some, section, rule=rule) for some in (told, told[told["arrived_at"] < t]))
    pd.testing.assert_frame_equal(with_it[with_it["starts_at"] < t], without[without["starts_at"] < t])


@pytest.mark.parametrize("mixed", [False, True])
def test_over_a_year_reviews_by_value_are_worth_more_than_by_turn_or_by_amount(mixed: bool) -> None:
    cases = drawn(default_rng(4), 20_000, mixed)
    found = compared(cases, Review(reviewers=2))
    assert (found["reviewed"] + found["missed"] == len(cases)).all()
    assert (found["worth"] + found["worth_missed"]).tolist() == pytest.approx([cases["worth"].sum()] * 3)
    assert found["worth"]["value"] > 1.1 * found["worth"]["by_amount"] > 1.5 * found["worth"]["first_come"]
    long = cases["minutes"] if mixed else pd.Series(40, cases.index)
    order = (cases["worth"] / long).sort_values(ascending=False).index
    fits = long[order].cumsum() <= 2 * 360 * 375  # the hours of a year, without deadlines or arrivals
    assert found["worth"]["value"] > 0.95 * cases["worth"][order][fits].sum()


@pytest.mark.slow
def test_a_hundred_thousand_cases_take_a_few_seconds() -> None:
    scheduled(drawn(default_rng(1), 100))  # compiles
    cases, began = drawn(default_rng(1), 100_000, mixed=True), perf_counter()
    assert compared(cases, Review(reviewers=10))["reviewed"].min() > 20_000
    assert perf_counter() - began < 10


@pytest.mark.parametrize(
    ("change", "rule", "says"),
    [
        ({"worth": [np.nan]}, "value", "queue: want known worths"),
        ({"minutes": [0]}, "value", "queue: want known worths"),
        ({"worth": None}, "value", "queue.worth: want a column"),
        ({"amount": None}, "by_amount", "queue.amount: want a column"),
    ],
)
def test_odd_cases_are_refused_in_a_sentence(change: dict[str, list[float] | None], rule: Rule, says: str) -> None:
    cases = frame([(0, 100, 40, 3)])
    odd = cases.drop(columns=[name for name, values in change.items() if values is None])
    with pytest.raises(RedressError, match=says):
        scheduled(odd.assign(**{name: values for name, values in change.items() if values is not None}), rule=rule)


def test_a_day_has_no_more_minutes_than_it_has() -> None:
    with pytest.raises(RedressError, match="want at most 1440, got 1441"):
        scheduled(frame([(0, 100, 40, 3)]), Review(minutes_a_day=1_441))
    with pytest.raises(RedressError, match="an index told twice"):
        scheduled(pd.concat([frame([(0, 100, 40, 3)])] * 2))


def test_the_section_is_read_like_any_other() -> None:
    assert read(Review, {"reviewers": 5}, "review", start=Review()) == Review(reviewers=5)
    assert described(Review)["minutes_a_case"] == "40 minutes | a case takes | one vendor's figure; measure your own"
