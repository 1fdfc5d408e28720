"""Slices by hand, what a ledger lacks, and how seldom a reliable model is called off."""

import numpy as np
import pandas as pd
import pytest
from naive import tables

from features import Ledger, signals
from features.asking import ASKED, askings
from features.dictionary import dictionary
from features.kernel import DAY
from features.tables import TABLES
from models.slices import (
    MOST,
    REST,
    SLICINGS,
    UNKNOWN,
    Sliced,
    Slicing,
    by_code,
    by_edge,
    complaints,
    masks,
    reliability,
    slice_name,
    sliced,
)


def market(*left: str) -> Ledger:
    """Six orders of two buyers, the last of a third who ships to a place not known, without the columns left out."""
    buyers, countries = "aaaaab", ["BR", "BR", "US", "US", "US", None]
    orders = [
        {
            "order_id": str(i),
            "at": (i + 1) * DAY,
            "buyer_id": b,
            "seller_id": "s",
            "amount": 100 * (i + 1),
            "ship_country": c,
        }
        for i, (b, c) in enumerate(zip(buyers, countries, strict=True))
    ]
    found = tables({"orders": orders})
    return Ledger.of({name: table.drop_columns(list(left)) for name, table in found.items()})


def named(one: Sliced) -> list[str]:
    return [UNKNOWN if place < 0 else one.values[place] for place in one.place]


def slices_of(ledger: Ledger) -> dict[str, Sliced]:
    frame = signals(ledger, "chargeback_risk")
    return {one.name: one for one in sliced(ledger, askings(ledger, "chargeback_risk"), frame)}


def test_an_asking_is_sliced_by_what_was_known_of_it() -> None:
    found = slices_of(market())
    assert list(found) == ["buyer", "country", "amount", "seller"]
    first, few = "first order", "1 to 4 orders before"
    assert named(found["buyer"]) == [first, few, few, few, few, first]
    assert named(found["country"]) == ["BR", "BR", "US", "US", "US", UNKNOWN]
    assert found["country"].values[:2] == ("US", "BR")
    assert named(found["seller"]) == ["under 10 orders"] * 6


def test_what_a_ledger_lacks_or_never_knows_is_absent() -> None:
    assert "country" not in slices_of(market("ship_country"))
    unknown = pd.DataFrame({"order_amount": [np.nan] * 6})
    assert [one.name for one in sliced(market(), askings(market(), "chargeback_risk"), unknown)] == ["country"]


def test_slices_are_declared_of_signals_and_columns_that_there_are() -> None:
    for question, declared in SLICINGS.items():
        names = {signal.name for signal in dictionary(question)}
        for one in declared:
            table, _, column = one.source.partition(".")
            assert one.source in names or TABLES[table].column(column) is not None, one
            assert table in (*names, "orders", ASKED[question]), one
            assert not one.edges or len(one.labels) == len(one.edges) + 1


def test_rare_words_are_one_slice_together() -> None:
    codes = np.repeat(np.arange(MOST + 2), np.arange(MOST + 2, 0, -1))
    found = by_code("country", codes, [f"c{i}" for i in range(MOST + 2)])
    assert found.values == (*(f"c{i}" for i in range(MOST)), REST)
    assert (found.place == MOST).sum() == 2 + 1


@pytest.mark.parametrize(("orders", "want"), [(0, 0), (9, 0), (10, 1), (99, 1), (100, 2), (np.nan, -1)])
def test_an_edge_begins_the_next_slice(orders: float, want: int) -> None:
    assert by_edge(Slicing("seller", "n", (10, 100), ("few", "some", "many")), np.array([orders])).place.tolist() == [
        want
    ]


@pytest.mark.parametrize(
    ("cents", "places", "values"),
    [
        ([500.0] * 4, [0] * 4, ("all",)),
        ([np.nan, np.nan], [-1, -1], ("all",)),
        ([100.0, 100.0, 100.0, 100.0, 900.0, np.nan], [0, 0, 0, 0, 1, -1], ("under 9.00", "9.00 and more")),
    ],
)
def test_bands_of_an_amount_are_never_empty(cents: list[float], places: list[int], values: tuple[str, ...]) -> None:
    found = by_edge(Slicing("amount", "cents"), np.array(cents))
    assert (found.place.tolist(), found.values) == (places, values)


def one_slice(n: int, yes: int, predicted: float) -> pd.DataFrame:
    answers = np.arange(n) < yes
    return reliability(answers, np.full(n, predicted), [Sliced("all", np.zeros(n, np.int64), ("all",))])


@pytest.mark.parametrize(
    ("n", "yes", "off"),
    [
        (100, 20, False),
        (100, 29, False),  # sure to be more than 0.2, but by 0.004 at least
        (100, 40, True),
        (100, 5, True),
        (1_000_000, 210_000, False),  # sure, but 0.06 in log-odds is no matter
        (1_000_000, 230_000, True),
        (1_000_000, 170_000, True),
        (1, 1, False),  # few say little
        (3, 3, True),
    ],
)
def test_a_slice_is_off_where_the_miss_is_sure_and_matters(n: int, yes: int, off: bool) -> None:
    found = one_slice(n, yes, 0.2).iloc[0]
    assert found["off"] == off
    assert found["gap"] == pytest.approx(yes / n - 0.2)
    assert found["gap_low"] <= found["gap"] <= found["gap_high"]


def test_the_more_slices_are_looked_at_the_surer_a_miss_must_be() -> None:
    answers, p = np.arange(100) < 32, np.full(100, 0.2)
    one = Sliced("all", np.zeros(100, np.int64), ("all",))
    assert reliability(answers, p, [one])["off"].tolist() == [True]
    assert reliability(answers, p, [one] * 12)["off"].tolist() == [False] * 12


@pytest.mark.parametrize(("few", "rate"), [(250, 0.2), (15, 0.02)])
def test_a_reliable_model_seldom_has_a_slice_that_is_off(few: int, rate: float) -> None:
    rng, n = np.random.default_rng(3), 12 * few
    word = Sliced("word", np.arange(n) % 12, tuple("abcdefghijkl"))
    called = 0
    for _ in range(150):
        p = rng.beta(40 * rate, 40 * (1 - rate), n)
        called += bool(reliability(rng.random(n) < p, p, [word])["off"].any())
    assert called <= 15  # 5 % of 150, and three standard errors


def test_the_unknown_is_a_slice_and_the_empty_is_none() -> None:
    found = reliability([1, 0, 0], [0.5, 0.1, 0.3], [Sliced("word", np.array([1, -1, -1]), ("none", "some"))])
    assert found["slice"].tolist() == ["some", UNKNOWN]
    assert found["n"].tolist() == [1, 2]
    assert found["predicted"].tolist() == pytest.approx([0.5, 0.2])
    assert reliability([1, 0], [0.5, 0.5], []).empty


def test_a_slice_has_one_name_in_tables_and_masks_and_those_without_askings_have_no_mask() -> None:
    one = Sliced("seller", np.array([2, -1, 2, 0]), ("small", "middling", "large"))
    found = masks([one])
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "seller small": [False, False, False, True],
        "seller large": [True, False, True, False],
        "seller unknown": [False, True, False, False],
    }
    shown = reliability([1, 0, 0, 1], [0.5] * 4, [one])
    assert [slice_name(*row) for row in shown[["slicing", "slice"]].to_numpy().tolist()] == list(found)


def test_only_what_is_off_is_complained_of() -> None:
    assert complaints(one_slice(100, 20, 0.2)) == []
    said = "all all: predicted 20.00 %, observed 40.00 % [30.94 %, 49.80 %] among 100 askings"
    assert complaints(one_slice(100, 40, 0.2)) == [said]
