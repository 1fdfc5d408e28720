"""Weighed parcels against a naive twin, by hand, by laws, and by parcels drawn from the model: are the odds what they say?"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import NamedTuple

import naive
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from features.signal import Float
from features.weight import (
    CARRIER,
    SELLER,
    TELLING,
    Scale,
    log_likelihood_ratio,
    separation,
    units_missing,
    units_received,
)

SPREADS = [f.name for f in fields(Scale) if f.name not in ("chosen", "outlier", "box", "wrap")]
BARE = Scale(**dict.fromkeys([f.name for f in fields(Scale)], 0.0) | {"absolute": 10.0, "outlier": 1e-12})
"""A scale with an error of 10 g that weighs exact units without any packaging, and almost never something else."""


class Parcel(NamedTuple):
    """What was listed, bought, and by the buyer's word received."""

    unit: float
    quantity: int
    received: int


@st.composite
def parcels(draw: st.DrawFn) -> Parcel:
    quantity = draw(st.integers(1, 60))
    return Parcel(draw(st.integers(1, 3000)) * 1.0, quantity, draw(st.integers(0, quantity - 1)))


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    share, grams = st.floats(0, 0.2), st.floats(0, 100)
    drawn = {name: draw(share) for name in ("relative", "tolerance", "listing", "wrap", "wrap_spread")}
    drawn |= {name: draw(grams) for name in ("step", "unit_step", "box", "box_spread")}
    drawn |= {
        "absolute": draw(st.floats(1, 100)),
        "chosen": draw(st.floats(0, 1)),
        "outlier": draw(st.floats(1e-6, 0.5)),
    }
    return Scale(**drawn)


def column(values: Sequence[float | None]) -> Float:
    return np.array([np.nan if value is None else value for value in values])


def apart(parcel: Parcel, scale: Scale) -> float:
    unit, quantity, received = (column([value]) for value in parcel)
    return float(separation(unit, quantity, received, scale)[0])


def means(parcel: Parcel, scale: Scale) -> tuple[float, float]:
    """Grams expected of a short and of a full parcel."""
    packaging = scale.box + scale.wrap * parcel.quantity * parcel.unit
    return packaging + parcel.received * parcel.unit, packaging + parcel.quantity * parcel.unit


def ratios(weighed: Sequence[float], parcel: Parcel, scale: Scale) -> list[float]:
    unit, quantity, received = (np.full(len(weighed), float(value)) for value in parcel)
    found: list[float] = log_likelihood_ratio(column(weighed), unit, quantity, received, scale).tolist()
    return found


UNKNOWN = st.none()
ROWS = st.lists(
    st.tuples(
        UNKNOWN | st.integers(0, 200_000),
        UNKNOWN | st.integers(0, 3000),
        UNKNOWN | st.integers(0, 40),
        UNKNOWN | st.integers(0, 40),
    )
    | st.builds(lambda p, w: (w + p.received * p.unit, *p), parcels(), st.floats(1, 3000)),
    max_size=12,
)


@given(ROWS, scales())
def test_the_ratio_and_the_separation_equal_plain_mathematics_row_by_row(
    rows: list[tuple[float | None, float | None, int | None, int | None]], scale: Scale
) -> None:
    weighed, unit, quantity, received = (column([row[i] for row in rows]) for i in range(4))
    expected = [naive.separation(*row[1:], scale) for row in rows]
    assume(all(d is None or abs(d - TELLING) > 1e-9 for d in expected))  # a rounding decides which side it is on
    np.testing.assert_allclose(separation(unit, quantity, received, scale), column(expected), rtol=1e-9)
    twin = column([naive.log_likelihood_ratio(*row, scale) for row in rows])
    found = log_likelihood_ratio(weighed, unit, quantity, received, scale)
    np.testing.assert_allclose(found, twin, rtol=1e-7, atol=1e-9)  # exp of a number in the tens loses some digits


@given(ROWS, scales())
def test_the_units_that_lack_are_those_of_the_nearest_mass(
    rows: list[tuple[float | None, float | None, int | None, int | None]], scale: Scale
) -> None:
    weighed, unit, quantity = (column([row[i] for row in rows]) for i in range(3))
    found = units_missing(weighed, unit, quantity, scale)
    for row, lacks in zip(rows, found, strict=True):
        d = naive.separation(*row[1:3], None if row[2] is None else row[2] - 1, scale)
        assume(d is None or abs(d - TELLING) > 1e-9)  # a rounding decides which side it is on
        twin = naive.units_missing(*row[:3], scale)
        assert (twin is None) == np.isnan(lacks)
        if twin is not None and row[0] is not None and row[1] is not None and row[2] is not None:
            between = (row[2] - (row[0] - scale.box - scale.wrap * row[2] * row[1]) / row[1]) % 1
            assert lacks == twin or abs(between - 0.5) < 1e-6  # halfway between two numbers of units a rounding decides


COUNTS = st.tuples(
    UNKNOWN | st.integers(0, 30), UNKNOWN | st.integers(0, 10**6) | st.integers(0, 20), UNKNOWN | st.integers(0, 10**6)
) | st.builds(lambda q, c, k: (q, q * c, k * c // 2), st.integers(1, 30), st.integers(1, 5000), st.integers(0, 70))


@given(st.lists(COUNTS, max_size=12))
def test_the_units_that_came_equal_the_nearest_whole_number(
    rows: list[tuple[int | None, int | None, int | None]],
) -> None:
    came = units_received(*(column([row[i] for row in rows]) for i in range(3)))
    np.testing.assert_array_equal(came, column([naive.units_received(*row) for row in rows]))


@pytest.mark.parametrize(
    ("quantity", "amount", "claimed", "received"),
    [
        (10, 1000, 300, 7),
        (10, 1000, 349, 7),
        (10, 1000, 350, 7),  # 6.5: a half came
        (10, 1000, 351, 6),
        (10, 1000, 1, 9),  # whoever claims anything lacks something
        (10, 1000, 1000, 0),
        (10, 1000, 1001, 0),
        (1, 1000, 1000, 0),
        (1, 1000, 999, None),  # half a unit cannot lack
        (10, 1000, 0, None),
        (10, 0, 300, None),
        (0, 1000, 300, None),
        (None, 1000, 300, None),
        (10, None, 300, None),
        (10, 1000, None, None),
    ],
)
def test_units_received(quantity: int | None, amount: int | None, claimed: int | None, received: int | None) -> None:
    assert naive.units_received(quantity, amount, claimed) == received
    came = units_received(column([quantity]), column([amount]), column([claimed]))
    np.testing.assert_array_equal(came, column([received]))


@pytest.mark.parametrize(
    ("scale", "parcel", "weighed", "expected"),
    [  # 2 units of 40 g, 1 of them came: the means are 80 and 40
        (BARE, Parcel(40, 2, 1), 80, 8.0),  # (40² - 0²) / 2 × 10²
        (BARE, Parcel(40, 2, 1), 60, 0.0),
        (BARE, Parcel(40, 2, 1), 65, 2.0),  # (25² - 15²) / 200
        (BARE, Parcel(20.4, 2, 1), 40.8, 2.0808),  # 2.04²/2: just telling
        (BARE, Parcel(20.3, 2, 1), 40.6, None),  # 2.03: cannot tell
        (replace(BARE, box=50.0), Parcel(40, 2, 1), 115, 2.0),
        (replace(BARE, wrap=0.5), Parcel(40, 2, 1), 105, 2.0),  # both packed for 80 g: 40 g of packaging
        # The variances differ, 100 + 75² × n: of 1 unit in 2, 11350 and 5725; + log(5725 / 11350) / 2
        (replace(BARE, tolerance=0.25), Parcel(300, 2, 1), 600, 90000 / 11450 + np.log(5725 / 11350) / 2),
        (replace(BARE, chosen=0.5), Parcel(40, 2, 1), 80, np.log(2 / (1 + np.exp(-8)))),  # never above log 2
        (replace(BARE, chosen=0.5), Parcel(40, 2, 1), 40, -np.log(0.5 + 0.5 * np.exp(8))),
        (replace(BARE, chosen=1.0), Parcel(40, 2, 1), 40, 0.0),
        (BARE, Parcel(40, 1, 0), 40, 8.0),  # an empty parcel
        (BARE, Parcel(40, 2, 1), 0, None),
        (BARE, Parcel(0, 2, 1), 80, None),
        (BARE, Parcel(40, 2, 2), 80, None),  # nothing is claimed to lack
        (BARE, Parcel(40, 2, -1), 80, None),
    ],
)
def test_ratios_worked_out_by_hand(scale: Scale, parcel: Parcel, weighed: float, expected: float | None) -> None:
    np.testing.assert_allclose(ratios([weighed], parcel, scale), column([expected]), atol=1e-6)


@pytest.mark.parametrize("box_spread", [100.0, 50.0])
def test_ten_units_of_5_g_in_a_box_of_300_g_cannot_be_told(box_spread: float) -> None:
    scale = replace(BARE, absolute=0.0, box=300.0, box_spread=box_spread)
    assert apart(Parcel(5, 10, 5), scale) == 25 / box_spread
    assert apart(Parcel(5, 10, 0), scale) == 50 / box_spread  # not even whether it is empty
    for issuer in (CARRIER, SELLER, scale):
        boxed = replace(issuer, box=300.0, box_spread=box_spread)
        assert np.isnan(ratios([300, 325, 350], Parcel(5, 10, 5), boxed)).all()


def test_ten_units_of_500_g_of_which_half_came_can_be_told_by_the_carrier() -> None:
    short, full = means(Parcel(500, 10, 5), CARRIER)
    assert (short, full) == (2880, 5380)
    found = ratios([short, full], Parcel(500, 10, 5), CARRIER)
    assert found[0] < -np.log(32)  # "strong" (Royall 1997)
    assert np.log(32) < found[1] < np.log(1 / CARRIER.chosen)


@given(parcels(), scales(), st.lists(st.floats(0, 1), min_size=2, max_size=10).map(sorted))
def test_between_the_two_means_more_mass_never_speaks_for_fewer_units(
    parcel: Parcel, scale: Scale, places: list[float]
) -> None:
    short, full = means(parcel, scale)
    assume(apart(parcel, scale) >= TELLING and short > 0)
    found = ratios([short + place * (full - short) for place in places], parcel, scale)
    assert (np.diff(found) >= -1e-9).all()


@given(parcels(), scales(), st.sampled_from(SPREADS), st.floats(0, 100))
def test_more_spread_never_separates_better(parcel: Parcel, scale: Scale, name: str, more: float) -> None:
    wider = replace(scale, **{name: getattr(scale, name) + more})
    assert apart(parcel, wider) <= apart(parcel, scale) * (1 + 1e-12)


@given(parcels(), st.sampled_from(["relative", "absolute", "step", "chosen"]))
def test_the_carrier_s_number_is_worth_at_least_the_seller_s(parcel: Parcel, alike: str) -> None:
    seller = replace(SELLER, **{alike: getattr(CARRIER, alike)})
    assert apart(parcel, CARRIER) >= apart(parcel, seller)
    assume(apart(parcel, seller) >= TELLING)
    carriers, sellers = (ratios(means(parcel, CARRIER), parcel, scale) for scale in (CARRIER, seller))
    assert (np.abs(carriers) >= np.abs(sellers) - 1e-12).all()


@given(parcels(), scales(), st.floats(1, 200_000), st.floats(0, 1))
def test_the_more_numbers_are_chosen_the_less_one_says(
    parcel: Parcel, scale: Scale, grams: float, share: float
) -> None:
    assume(apart(parcel, scale) >= TELLING)
    honest, said = (ratios([grams], parcel, replace(scale, chosen=chosen))[0] for chosen in (0.0, share))
    assert abs(said) <= abs(honest) + 1e-9
    assert honest * said >= -1e-9
    assert said <= (-np.log(share) if share else np.inf) + 1e-9


@given(parcels(), st.sampled_from([CARRIER, SELLER]))
def test_a_mass_a_thousand_times_too_large_says_nothing(parcel: Parcel, scale: Scale) -> None:
    assume(apart(parcel, scale) >= TELLING)
    assert ratios([grams * 1000 for grams in means(parcel, scale)], parcel, scale) == [0.0, 0.0]


def test_kilograms_in_place_of_grams_say_nothing_unless_nothing_is_what_the_buyer_claims() -> None:
    said, tenfold = ratios([5.38, 53_800.0], Parcel(500, 10, 5), CARRIER)  # expected is 5380 or 2880
    assert abs(said) < 1e-6
    assert abs(tenfold) < 1e-6
    assert np.isnan(ratios([5380.0], Parcel(0.5, 10, 5), CARRIER)).all()  # a listing in kilograms: 2.5 g apart
    empty = ratios([5.38], Parcel(500, 10, 0), CARRIER)[0]
    assert -np.log(1e4) < empty < 0  # a parcel of 380 g of packaging would show about as little


@given(parcels(), scales(), st.floats(0.001, 1e14))
def test_no_mass_is_endless_evidence(parcel: Parcel, scale: Scale, grams: float) -> None:
    assume(apart(parcel, scale) >= TELLING)
    # the peak of a normal density over the broad one: at most 2 m(q) (w / m(q))² / √(2 π v) within 40 sd of its mean
    assert abs(ratios([grams], parcel, scale)[0]) < np.log(1e7 / scale.outlier)


class Drawn(NamedTuple):
    """Listed and bought, what the scale showed, and whether all units were in."""

    unit: Float
    quantity: Float
    received: Float
    weighed: Float
    full: NDArray[np.bool_]


def draw(rng: Generator, n: int, scale: Scale) -> Drawn:
    """Parcels drawn piece by piece as the model says, full and short ones by the toss of a coin."""
    unit, quantity = np.rint(np.exp(rng.uniform(3, 7, n))), rng.integers(1, 13, n).astype(np.float64)
    received = np.floor(rng.uniform(0, quantity))
    full = rng.random(n) < 0.5
    seeming = full | (rng.random(n) < scale.chosen)  # a chosen number is one that a full parcel would show
    units, goods = np.where(seeming, quantity, received), quantity * unit
    each = unit * (1 + rng.normal(0, scale.listing, n)) + rng.uniform(-0.5, 0.5, n) * scale.unit_step
    true = units * each + rng.normal(0, 1, n) * np.sqrt(units) * scale.tolerance * unit
    true += rng.normal(scale.box, scale.box_spread, n) + goods * rng.normal(scale.wrap, scale.wrap_spread, n)
    shown = true * (1 + rng.normal(0, scale.relative, n)) + rng.normal(0, scale.absolute, n)
    weighed = np.rint(shown / scale.step) * scale.step
    something = (scale.box + (1 + scale.wrap) * goods) * rng.random(n) / (1 - rng.random(n))
    return Drawn(unit, quantity, received, np.where(rng.random(n) < scale.outlier, something, weighed), full)


@pytest.mark.parametrize("scale", [CARRIER, SELLER, replace(CARRIER, chosen=0.0, outlier=0.1)])
def test_of_parcels_drawn_from_the_model_the_odds_are_what_the_ratio_says(scale: Scale) -> None:
    drawn = draw(default_rng(20260401), 400_000, scale)
    found = log_likelihood_ratio(drawn.weighed, drawn.unit, drawn.quantity, drawn.received, scale)
    known = np.isfinite(found)
    assert known.mean() > 0.5
    said, full = found[known], drawn.full[known]
    for some in np.array_split(np.argsort(said, kind="stable"), 20):
        promised = 1 / (1 + np.exp(-said[some]))  # the coin's odds are even
        error = np.sqrt(np.sum(promised * (1 - promised))) / some.size
        assert abs(full[some].mean() - promised.mean()) < 4 * error
    for k in (2, 8, 32, 128):  # Royall (2000), by Markov's inequality
        assert np.mean(said[~full] >= np.log(k)) <= 1 / k
        assert np.mean(said[full] <= -np.log(k)) <= 1 / k


def test_misleading_strong_evidence_is_rarest_where_parcels_are_far_apart() -> None:
    drawn = draw(default_rng(20260402), 400_000, CARRIER)
    columns = (drawn.unit, drawn.quantity, drawn.received, CARRIER)
    d, found = separation(*columns), log_likelihood_ratio(drawn.weighed, *columns)
    wrong = np.where(drawn.full, found <= -np.log(8), found >= np.log(8))
    near, far = wrong[(d >= TELLING) & (d < 3)].mean(), wrong[d > 5].mean()
    assert far < near < 0.05  # Φ(-2.04) = 0.021 and what is chosen or an outlier
