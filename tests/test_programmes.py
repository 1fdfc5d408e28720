"""Network programmes by hand: thresholds on both sides of their dates, how a month ends, and the price of one more case."""

import calendar
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import Ledger, RedressError
from features.codes import CODES
from features.kernel import DAY
from models.programmes import Month, Programmes, exceeding, forecast, marginal_cost, month
from models.sections import described, read
from models.thresholds import FINES, THRESHOLDS, Threshold, fine, in_force

PLAIN = Programmes(prior_cases=0.0)


def at(text: str) -> int:
    """A moment of ISO 8601 in microseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


APRIL = at("2026-04-01")
EVEN = Month(
    network="mastercard",
    as_of=APRIL + 15 * DAY,
    start=APRIL,
    end=APRIL + 30 * DAY,
    cases=149,
    sales=50_000,
    previous_sales=10_000,
    recent=1,
    recent_sales=50_000,
    days=15.0,
    weight=1.0,
    denominator="",
)
"""One chargeback in as many days as are left: without a prior, each next one has an even chance to come."""


@pytest.mark.parametrize(
    ("network", "day", "cases", "sales", "reached"),
    [
        ("visa", "2025-05-31", 9_999, 10_000, []),
        ("visa", "2025-06-01", 2_200, 100_000, ["VAMP excessive"]),
        ("visa", "2026-03-31", 2_199, 100_000, []),  # 219.9 basis points
        ("visa", "2026-03-31", 2_200, 100_000, ["VAMP excessive"]),
        ("visa", "2026-04-01", 1_499, 90_000, []),  # 166.6 basis points, but too few
        ("visa", "2026-04-01", 1_500, 90_000, ["VAMP excessive"]),
        ("visa", "2026-04-01", 1_500, 100_000, ["VAMP excessive"]),  # 150
        ("visa", "2026-04-01", 1_500, 100_001, []),  # a little below
        ("visa", "2026-04-01", 1_501, 100_001, ["VAMP excessive"]),
        ("mastercard", "2026-04-01", 99, 1_000, []),
        ("mastercard", "2026-04-01", 100, 1_000, ["ECM"]),
        ("mastercard", "2026-04-01", 149, 10_000, []),
        ("mastercard", "2026-04-01", 150, 10_000, ["ECM"]),
        ("mastercard", "2026-04-01", 299, 9_000, ["ECM"]),
        ("mastercard", "2026-04-01", 300, 10_000, ["ECM", "HECM"]),
        ("mastercard", "2026-04-01", 300, 10_001, ["ECM"]),
        ("mastercard", "2019-09-30", 300, 1_000, []),
        ("other", "2026-04-01", 9_999, 10_000, []),
    ],
)
def test_a_threshold_is_reached_by_count_and_ratio_from_its_day_on(
    network: str, day: str, cases: int, sales: int, reached: list[str]
) -> None:
    assert [one.tier for one in in_force(network, at(day)) if cases >= one.least(sales)] == reached


@pytest.mark.parametrize(
    ("day", "points"), [("2025-05-31", []), ("2025-06-01", [70]), ("2025-12-31", [70]), ("2026-01-01", [50, 70])]
)
def test_acquirers_have_thresholds_of_their_own(day: str, points: list[int]) -> None:
    assert [one.basis_points for one in in_force("visa", at(day), role="acquirer")] == points


@given(threshold=st.sampled_from(THRESHOLDS), sales=st.integers(1, 10**9), cases=st.integers(1, 10**7))
def test_the_least_count_is_where_the_ratio_is_reached(threshold: Threshold, sales: int, cases: int) -> None:
    beyond = Fraction(cases, sales) >= Fraction(threshold.basis_points, 10_000)
    assert (cases >= threshold.least(sales)) == (beyond and cases >= threshold.cases)


@pytest.mark.parametrize(
    ("tier", "nth", "cases", "dollars"),
    [
        ("ECM", 1, 500, 0),
        ("ECM", 2, 500, 1_000),
        ("ECM", 3, 500, 1_000),
        ("ECM", 4, 400, 5_500),
        ("ECM", 6, 300, 5_000),
        ("ECM", 7, 200, 25_000),
        ("ECM", 18, 200, 50_000),
        ("ECM", 99, 200, 100_000),
        ("HECM", 3, 500, 2_000),
        ("HECM", 4, 500, 11_000),
        ("HECM", 19, 300, 200_000),
        ("VAMP excessive", 1, 2_000, 16_000),
        ("VAMP excessive", 9, 2_000, 16_000),
    ],
)
def test_fines_rise_with_the_months_beyond(tier: str, nth: int, cases: int, dollars: int) -> None:
    due = fine(tier, APRIL, nth)
    assert due is not None
    assert due.of(cases) == 100 * dollars


def test_no_fine_is_due_before_its_day_and_every_number_has_a_source() -> None:
    assert fine("VAMP excessive", at("2025-09-30"), 5) is None
    assert fine("VAMP excessive", at("2025-10-01"), 5) is not None
    assert all([one.source for one in THRESHOLDS] + [one.source for one in FINES])
    assert {one.tier for one in FINES} == {one.tier for one in THRESHOLDS if one.role == "merchant"}
    assert all(len(line.split(" | ")) == 3 for line in described(Programmes).values())
    assert read(Programmes, {"visa_share": 0.4}, "programmes", start=Programmes()).visa_share == 0.4


@pytest.mark.parametrize(
    ("cases", "extra", "p"),
    [(150, 0, 1.0), (149, 0, 0.5), (148, 0, 0.25), (148, 1, 0.5), (148, 2, 1.0), (140, 0, 0.5**10)],
)
def test_with_even_chances_each_case_that_lacks_halves_the_probability(cases: int, extra: int, p: float) -> None:
    assert exceeding(replace(EVEN, cases=cases), 150, PLAIN, extra=extra) == pytest.approx(p, rel=1e-12)


def test_a_month_without_any_case_to_go_by_has_the_prior_alone() -> None:
    quiet = replace(EVEN, recent=0, cases=0)
    assert exceeding(quiet, 1, PLAIN) == 0.0
    assert exceeding(quiet, 0, PLAIN) == 1.0
    assert exceeding(quiet, 1, Programmes()) == pytest.approx(1 - 0.5**0.5)  # 1 − (15 / 30) ** 0.5


def test_a_case_that_counts_twice_lacks_half_as_many() -> None:
    assert exceeding(replace(EVEN, weight=2.0, cases=146), 150, PLAIN) == pytest.approx(0.25)
    assert exceeding(replace(EVEN, weight=2.0, cases=147), 150, PLAIN) == pytest.approx(0.25)
    assert exceeding(replace(EVEN, weight=2.0, cases=148), 150, PLAIN) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("recent", "days", "left", "lacks", "prior"),
    [
        (40, 28.0, 10.0, 15, 0.5),
        (40, 28.0, 10.0, 22, 0.5),
        (3, 28.0, 20.0, 4, 0.5),
        (400, 14.0, 3.0, 90, 2.0),
        (0, 9.0, 5.0, 1, 0.5),
    ],
)
def test_the_rest_of_a_month_is_as_simulated(recent: int, days: float, left: float, lacks: int, prior: float) -> None:
    rng, n = np.random.default_rng(5), 400_000
    rate = rng.gamma(prior + recent, 1 / days, n)
    share = np.mean(rng.poisson(rate * left) >= lacks)
    now = replace(EVEN, recent=recent, days=days, as_of=EVEN.end - round(left * DAY), cases=10)
    found = exceeding(now, 10 + lacks, Programmes(prior_cases=prior))
    assert abs(found - share) < 5 * np.sqrt(found * (1 - found) / n)
    assert 0.02 < found < 0.9


def test_the_ratio_is_of_last_month_s_sales_with_mastercard_and_of_this_month_s_with_visa() -> None:
    ecm, hecm = forecast(EVEN, PLAIN)
    assert (ecm.sales, ecm.least, hecm.least) == (10_000, 150, 300)
    assert [ecm.probability, hecm.probability] == pytest.approx([0.5, 0.5**151])
    (vamp,) = forecast(replace(EVEN, network="visa", cases=1_498), PLAIN)
    assert (vamp.sales, vamp.least, vamp.probability) == (100_000, 1_500, 0.25)  # 50,000 so far, and 15 days like these
    march = replace(EVEN, network="visa", start=at("2026-03-01"), end=APRIL, as_of=APRIL - 15 * DAY)
    assert forecast(march, PLAIN)[0].least == 2_200
    assert [one.least for one in forecast(replace(EVEN, network="visa"), PLAIN, role="acquirer")] == [500, 700]


VISA = replace(EVEN, network="visa")


@pytest.mark.parametrize(
    ("now", "nth", "adds", "cents"),
    [
        (EVEN, 2, 1, 0.5 * 100_000),
        (EVEN, 1, 1, 0.0),  # the first month is free
        (replace(EVEN, cases=148), 2, 1, 0.25 * 100_000),
        (replace(EVEN, cases=148), 2, 2, 0.75 * 100_000),
        (replace(EVEN, cases=150), 2, 1, 0.0),  # beyond already: nothing more to lose this month
        (replace(EVEN, cases=100), 2, 1, 0.0),  # far: 0.5 ** 49 is negligible
        (EVEN, 4, 1, 0.5 * 500_000),
        (replace(EVEN, previous_sales=40_000, cases=599), 4, 1, 0.5 * (500_000 + 300 * 500) + 0.5 * 500),
        (replace(EVEN, cases=299), 4, 1, 0.5 * (1_000_000 - 500_000) + 0.5 * 500),
        (replace(EVEN, cases=299), 2, 1, 0.0),  # in the second month both tiers cost the same
        (replace(VISA, cases=1_499), 1, 1, 0.5 * 1_500 * 800 + 0.5 * 800),
        (replace(VISA, cases=1_500), 1, 1, 800.0),
        (replace(VISA, cases=1_500), 1, 2, 1_600.0),
        (replace(VISA, cases=9), 1, 1, 0.0),
        (replace(VISA, start=at("2025-09-01"), cases=9_999), 1, 1, 0.0),  # nothing is charged yet
    ],
)
def test_one_more_case_costs_the_fine_it_makes_likelier(now: Month, nth: int, adds: int, cents: float) -> None:
    found = marginal_cost(now, PLAIN, adds=adds, nth=nth)
    assert found == pytest.approx(cents, rel=1e-9)
    assert (found == 0.0) == (cents == 0.0)  # exactly


def test_negligible_is_a_declared_number() -> None:
    far = replace(EVEN, cases=129)  # with one more 0.5 ** 20, without 0.5 ** 21
    assert marginal_cost(far, PLAIN) == 0.0
    found = marginal_cost(far, replace(PLAIN, negligible=1e-9))
    assert found == pytest.approx(100_000 * 0.5**21)


def test_where_a_month_surely_ends_beyond_one_more_case_costs_its_own_fee_alone() -> None:
    sure = replace(EVEN, cases=100, recent=160)
    assert 0 < 1 - exceeding(sure, 150, PLAIN) < 1e-6
    assert marginal_cost(sure, PLAIN) == 0.0
    assert 0 < marginal_cost(sure, replace(PLAIN, negligible=0.0)) < 1
    assert marginal_cost(replace(VISA, cases=1_475), PLAIN) == 0.0  # 0.5 ** 24 with one more
    assert marginal_cost(replace(VISA, cases=1_480), PLAIN) == pytest.approx(
        1_200_000 * 0.5**20
    )  # the fee alone is negligible


def fined(network: str, cases: int, now: Month, nth: int) -> int:
    """The fine of a month that ends with so many cases, by its gravest tier."""
    cents = 0
    for one in in_force(network, now.start):
        due = fine(one.tier, now.start, nth)
        if cases >= one.least(now.sales_of(one)) and due is not None:
            cents = due.of(cases)
    return cents


@given(
    network=st.sampled_from(["visa", "mastercard"]),
    cases=st.integers(0, 700),
    recent=st.integers(0, 40),
    sales=st.integers(1, 30_000),
    left=st.floats(0.5, 20),
    nth=st.integers(1, 20),
    adds=st.integers(1, 2),
)
def test_one_more_case_costs_what_every_end_of_the_month_says(
    network: str, cases: int, recent: int, sales: int, left: float, nth: int, adds: int
) -> None:
    so_far = cases + (1_200 if network == "visa" else 0)
    now = replace(
        EVEN, network=network, cases=so_far, recent=recent, previous_sales=sales, as_of=EVEN.end - round(left * DAY)
    )
    now = replace(now, sales=4 * sales, recent_sales=0)
    shape, share = 0.5 + recent, now.left / (now.days + now.left)
    p, expected = (1 - share) ** shape, 0.0
    for come in range(400):
        ends = now.cases + come
        expected += p * sum(
            fined(network, ends + more + 1, now, nth) - fined(network, ends + more, now, nth) for more in range(adds)
        )
        p *= share * (shape + come) / (come + 1)
    found = marginal_cost(now, Programmes(negligible=0.0), adds=adds, nth=nth)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-4)


CAME = [  # chargeback: moment, network, reason code
    ("2026-02-28T23:59:59", "visa", "10.4"),
    ("2026-03-01", "visa", "13.1"),
    ("2026-03-20", "visa", "10.4"),
    ("2026-04-01", "visa", "10.4"),
    ("2026-04-02", "mastercard", "4837"),
    ("2026-04-05", "visa", "13.1"),
    ("2026-04-06", "visa", None),
    ("2026-04-10", "visa", "10.4"),
    ("2026-04-11", None, "10.4"),
]
ROWS: dict[str, list[dict[str, object]]] = {
    "orders": [{"order_id": f"o{i}", "at": at("2026-02-20") + i * DAY, "amount": 100} for i in range(60)],
    "chargebacks": [
        {
            "chargeback_id": f"c{i}",
            "order_id": "o0",
            "at": at(day),
            "amount": 1,
            "network": network,
            "reason_code": code,
        }
        for i, (day, network, code) in enumerate(CAME)
    ],
}


def seen(as_of: int, network: str = "visa", programmes: Programmes = PLAIN) -> Month:
    return month(Ledger.of(naive.tables(ROWS)), network, as_of, programmes)


def test_a_month_counts_what_was_known_by_then() -> None:
    found = seen(at("2026-04-10"))
    assert (found.start, found.end) == (APRIL, at("2026-05-01"))
    assert found.cases == 3 + 1  # 1st, 5th and 6th; that of the 1st was reported as fraud too
    assert (found.sales, found.previous_sales) == (9, 31)
    assert (found.recent, found.recent_sales, found.days) == (4, 28, 28.0)  # from March 13th on
    assert found.weight == 1 + 2 / 4
    assert found.denominator.startswith("100% of all orders paid")
    assert seen(at("2026-04-10") + 1).cases == 6


def test_mastercard_counts_no_reports() -> None:
    found = seen(at("2026-04-10"), "mastercard", replace(PLAIN, mastercard_share=0.5))
    assert (found.cases, found.recent, found.weight) == (1, 1, 1.0)
    assert (found.sales, found.previous_sales) == (round(0.5 * 9), round(0.5 * 31))


def test_a_month_begins_at_midnight_of_its_first_day() -> None:
    assert seen(APRIL).start == APRIL
    assert seen(APRIL).cases == 0
    assert seen(APRIL - 1).start == at("2026-03-01")
    assert seen(APRIL - 1).cases == 3
    leap = Ledger.of(naive.tables({**ROWS, "orders": [{"order_id": "o0", "at": at("2024-01-31")}]}))
    assert month(leap, "visa", at("2024-02-29T12:00:00"), PLAIN).end == at("2024-03-01")
    assert month(leap, "visa", at("2024-12-31"), PLAIN).end == at("2025-01-01")
    assert month(leap, "visa", at("2024-02-29T12:00:00"), PLAIN).previous_sales == 1


def test_a_young_ledger_has_as_many_recent_days_as_it_is_old() -> None:
    found = seen(at("2026-03-02"))
    assert found.days == 10.0
    assert (found.recent, found.recent_sales) == (2, 10)


@given(day=st.floats(0.001, 80))
def test_a_month_is_that_of_the_naive_twin_and_knows_no_future(day: float) -> None:
    as_of = at("2026-02-20") + round(day * DAY)
    found = seen(as_of)
    when = datetime.fromtimestamp(as_of // 1_000_000, UTC)
    first = at(f"{when:%Y-%m}-01")
    length = calendar.monthrange(when.year, when.month)[1]
    known = [one for one in CAME if one[1] == "visa" and first <= at(one[0]) < as_of]
    assert (found.start, found.end) == (first, first + length * DAY)
    assert found.cases == sum(1 + (code in CODES["fraud"]) for _, _, code in known)
    assert found.sales == sum(first <= at("2026-02-20") + i * DAY < as_of for i in range(60))
    past = {name: [row for row in rows if int(str(row["at"])) < as_of] for name, rows in ROWS.items()}
    assert month(Ledger.of(naive.tables(past)), "visa", as_of, PLAIN) == found


def test_what_a_ledger_does_not_tell_is_refused_in_one_sentence() -> None:
    with pytest.raises(RedressError, match=r"network: want mastercard or visa, got other; others have no programme"):
        seen(APRIL, "other")
    with pytest.raises(RedressError, match=r"as_of: want a moment after the first order, 2026-02-20T"):
        seen(at("2026-02-20"))
    bare = naive.tables({"orders": ROWS["orders"]})
    with pytest.raises(RedressError, match=r"want chargebacks with their network, got none; import"):
        month(Ledger.of(bare), "visa", APRIL, PLAIN)
    charged = naive.tables(ROWS)
    charged["chargebacks"] = charged["chargebacks"].drop_columns(["network"])
    with pytest.raises(RedressError, match=r"want chargebacks with their network, got none; import"):
        month(Ledger.of(charged), "visa", APRIL, PLAIN)
