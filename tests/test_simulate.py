"""The simulated marketplace: reproducible, true to the ledger's rules, with rates that are what their names say."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import LedgerError, RedressError
from features.tables import TABLES
from pipelines.simulate import Marketplace, parameters_from, simulate, write_ledger

DAY = pd.Timedelta(days=1)
World = dict[str, pd.DataFrame]
KEYS = {
    "orders": ["order_id"],
    "disputes": ["dispute_id"],
    "rulings": ["dispute_id", "at"],
    "chargebacks": ["chargeback_id"],
    "refunds": ["order_id", "at"],
}
PARENTS = {
    "disputes": ("orders", "order_id"),
    "chargebacks": ("orders", "order_id"),
    "refunds": ("orders", "order_id"),
    "rulings": ("disputes", "dispute_id"),
}
RATES = [name for name, default in vars(Marketplace()).items() if isinstance(default, float) and default < 1]


@pytest.fixture(scope="module")
def world() -> World:
    return frames(Marketplace(), seed=7)


def frames(parameters: Marketplace, *, seed: int) -> World:
    return {name: table.to_pandas() for name, table in simulate(parameters, seed=seed).items()}


def lags(world: World, child: str) -> pd.Series:
    """Days from its order, or its dispute, to each row of `child`."""
    parent, key = PARENTS[child]
    both = world[child].merge(world[parent][[key, "at"]], on=key, suffixes=("", "_of_parent"))
    days: pd.Series[float] = (both["at"] - both["at_of_parent"]).dt.total_seconds() / 86_400
    return days


def assert_rules_hold(world: World, parameters: Marketplace) -> None:
    for name, table in world.items():
        assert not table.duplicated(KEYS[name]).any()
        assert table["at"].is_monotonic_increasing
        assert table["at"].between("2024-01-01", pd.Timestamp("2024-01-01", tz="UTC") + parameters.days * DAY).all()
        for column in TABLES[name].columns:
            if column.required:
                assert table[column.name].notna().all()
            if column.vocabulary and column.name in table:
                assert set(table[column.name].dropna()) <= set(column.vocabulary)
        for amount in table.columns.intersection(["amount", "quantity", "claimed", "refunded"]):
            assert (table[amount] >= 0).all()
    for child, (parent, key) in PARENTS.items():
        assert world[child][key].isin(world[parent][key]).all()
        assert (lags(world, child) > 0).all()
    for child in ("disputes", "chargebacks"):
        assert (lags(world, child) <= parameters.window_days).all()
    for child in ("disputes", "chargebacks", "refunds"):
        assert not world[child].duplicated("order_id").any()
    paid = world["orders"].set_index("order_id")["amount"]
    for child, money in (("disputes", "claimed"), ("chargebacks", "amount"), ("refunds", "amount")):
        assert (world[child][money].to_numpy() <= paid.loc[world[child]["order_id"]].to_numpy()).all()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for out, seed in (("one", 3), ("again", 3), ("other", 4)):
        write_ledger(simulate(Marketplace(orders=2000), seed=seed), tmp_path / out)
    for name in KEYS:
        one, again, other = ((tmp_path / out / f"{name}.parquet").read_bytes() for out in ("one", "again", "other"))
        assert one == again
        assert one != other


def test_a_table_more_or_less_drawn_in_one_part_leaves_the_others_alone() -> None:
    calm, busy = (simulate(Marketplace(orders=2000, goodwill_rate=rate), seed=3) for rate in (0.0, 0.5))
    assert calm["refunds"].num_rows < busy["refunds"].num_rows
    assert all(calm[name].equals(busy[name]) for name in KEYS if name != "refunds")


def test_columns_are_declared_and_have_exactly_the_declared_types() -> None:
    want = {"id": "string", "text": "string", "time": "timestamp[us, tz=UTC]", "cents": "int64", "count": "int64"}
    for name, table in simulate(Marketplace(orders=300), seed=0).items():
        declared = {column.name: want[column.kind] for column in TABLES[name].columns if column.kind in want}
        assert {field.name: str(field.type) for field in table.schema}.items() <= declared.items()
        assert {column.name for column in TABLES[name].columns if column.required} <= set(table.column_names)


def test_the_rules_of_the_ledger_hold_in_the_default_world(world: World) -> None:
    assert_rules_hold(world, Marketplace())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(1, 90),
    st.integers(0, 2**40),
    st.dictionaries(st.sampled_from(RATES), st.sampled_from([0.0, 0.3, 1.0]), max_size=6),
)
def test_the_rules_of_the_ledger_hold_in_odd_worlds(orders: int, days: int, seed: int, rates: dict[str, float]) -> None:
    parameters = parameters_from([f"{name}={rate}" for name, rate in rates.items()], orders=orders, days=days)
    world = frames(parameters, seed=seed)
    assert len(world["orders"]) == orders
    assert_rules_hold(world, parameters)


@pytest.mark.parametrize("seed", range(4))
def test_the_default_rates_are_those_of_an_enriched_world(seed: int) -> None:
    world = frames(Marketplace(), seed=seed)
    orders, share = len(world["orders"]), {name: len(table) / len(world["orders"]) for name, table in world.items()}
    assert orders == 50_000
    assert 0.015 <= share["chargebacks"] <= 0.025
    assert 0.03 <= share["disputes"] <= 0.05
    assert 0.9 <= share["rulings"] / share["disputes"] <= 1
    assert 0.25 <= (world["rulings"]["outcome"] == "refused").mean() <= 0.5
    assert set(world["refunds"]["funded_by"]) == {"platform", "seller", "issuer"}
    assert set(world["refunds"]["initiator"]) == {"policy", "officer", "seller", "issuer"}
    assert 0.02 <= world["orders"]["device_id"].isna().mean() <= 0.04


def test_what_is_learnt_is_learnt_late(world: World) -> None:
    charged, disputed, ruled = (lags(world, name) for name in ("chargebacks", "disputes", "rulings"))
    assert 20 <= charged.median() <= 30
    assert 17 <= disputed.median() <= 23
    assert 8 <= ruled.median() <= 12
    assert charged.quantile(0.99) > 90
    at = world["orders"]["at"]
    refused = world["orders"]["order_id"].isin(world["chargebacks"]["order_id"])
    assert refused[at > at.max() - 20 * DAY].mean() < 0.5 * refused.mean()


def test_trade_has_a_rhythm_a_growth_and_a_heavy_tail(world: World) -> None:
    orders = world["orders"]
    hour, day = orders["at"].dt.hour, (orders["at"] - orders["at"].min()) // DAY
    assert hour.between(18, 22).sum() > 2 * hour.between(6, 10).sum()
    assert 1.5 < (day >= 450).sum() / (day < 90).sum() < 2.5
    for entity in ("buyer_id", "seller_id"):
        activity = orders[entity].value_counts()
        assert activity.head(len(activity) // 10).sum() > 0.3 * len(orders)
        assert activity.iloc[0] < 0.1 * len(orders)
    for shared in ("address_id", "device_id", "ip_id"):
        assert orders.groupby(shared)["buyer_id"].nunique().max() > 1


def test_no_single_sign_gives_a_chargeback_away(world: World) -> None:
    orders = world["orders"]
    refused = orders["order_id"].isin(world["chargebacks"]["order_id"])
    signs = {
        "first order of the buyer": ~orders.duplicated("buyer_id"),
        "new device": ~orders.duplicated("device_id"),
        "minutes after the last": orders.groupby("buyer_id")["at"].diff() < pd.Timedelta(hours=1),
        "minutes after, same device": orders.groupby("device_id")["at"].diff() < pd.Timedelta(hours=1),
        "countries differ": orders["ship_country"] != orders["bill_country"],
        "dear": orders["amount"] > orders["amount"].quantile(0.95),
        "second buyer of the instrument": orders.groupby("instrument_id")["buyer_id"].transform("nunique") > 1,
    }
    for sign, shown in signs.items():
        assert refused[shown].mean() < 0.4, sign
        assert (shown & refused).sum() < 0.7 * refused.sum(), sign
    assert refused[signs["dear"]].mean() > refused.mean()
    assert refused[signs["minutes after, same device"]].mean() > refused.mean()


def test_strangers_take_dearer_things() -> None:
    honest, stolen = (frames(Marketplace(stolen_rate=rate), seed=1)["orders"]["amount"] for rate in (0.0, 1.0))
    assert stolen.median() > 1.2 * honest.median()


def test_the_number_in_an_id_tells_nothing(world: World) -> None:
    first = world["orders"].drop_duplicates("buyer_id")
    number = first["buyer_id"].str.removeprefix("bu").astype(int)
    assert abs(number.corr(first["at"].astype("int64"))) < 0.05
    refused = first["order_id"].isin(world["chargebacks"]["order_id"])
    assert 0.5 < refused[number % 2 == 0].mean() / refused[number % 2 == 1].mean() < 2


def test_buyers_who_were_refused_once_are_refused_more_often_than_others(world: World) -> None:
    orders = world["orders"].merge(world["chargebacks"][["order_id", "at"]], on="order_id", how="left")
    first = orders.groupby("buyer_id")["at_y"].transform("min")
    later, refused = first < orders["at_x"], orders["at_y"].notna()
    assert 1.5 * refused.mean() < refused[later].mean() < 0.4


def rows_of(name: str) -> Callable[[World], float]:
    return lambda world: len(world[name])


def entities(column: str) -> Callable[[World], float]:
    return lambda world: world["orders"][column].nunique()


def median_lag(name: str) -> Callable[[World], float]:
    return lambda world: lags(world, name).median()


def minutes_apart(world: World) -> float:
    return float((world["orders"].groupby("buyer_id")["at"].diff() < pd.Timedelta(minutes=5)).sum())


def denied(world: World) -> float:
    return float(world["chargebacks"]["reason_code"].isin(["10.4", "4837"]).mean())


RISING = [
    ("days", [60, 200, 540], lambda world: world["orders"]["at"].max().value),
    ("growth", [0.5, 1, 4], lambda world: world["orders"]["at"].median().value),
    ("tail", [1.2, 2, 6], lambda world: -world["orders"]["buyer_id"].value_counts().head(100).sum()),
    ("orders_per_buyer", [2, 10, 50], lambda world: -entities("buyer_id")(world)),
    ("orders_per_seller", [10, 100, 1000], lambda world: -entities("seller_id")(world)),
    ("basket_rate", [0, 0.2, 0.6], minutes_apart),
    ("unknown_rate", [0, 0.1, 1], lambda world: world["orders"]["ip_id"].isna().sum()),
    ("stolen_rate", [0, 0.05, 0.2], denied),
    ("stolen_charged", [0, 0.5, 1], rows_of("chargebacks")),
    ("stolen_orders", [1, 3, 20], lambda world: -entities("device_id")(world)),
    ("takeover_rate", [0, 0.3, 1], lambda world: -entities("buyer_id")(world)),
    ("abuser_rate", [0, 0.1, 0.4], rows_of("chargebacks")),
    ("abuser_charged", [0, 0.2, 0.6], rows_of("chargebacks")),
    ("abuser_disputed", [0, 0.3, 0.8], rows_of("disputes")),
    ("faulty_rate", [0, 0.3, 1], rows_of("disputes")),
    ("faulty_weeks", [1, 8, 50], rows_of("disputes")),
    ("faulty_charged", [0, 0.1, 0.5], rows_of("chargebacks")),
    ("faulty_disputed", [0, 0.3, 0.9], rows_of("disputes")),
    ("chance_charged", [0, 0.01, 0.05], rows_of("chargebacks")),
    ("chance_disputed", [0, 0.05, 0.2], rows_of("disputes")),
    ("escalated", [0, 0.3, 1], rows_of("chargebacks")),
    ("officer_error", [0, 0.3, 1], lambda world: (world["rulings"]["outcome"] == "refused").mean()),
    ("goodwill_rate", [0, 0.05, 0.3], rows_of("refunds")),
    ("charged_days", [10, 30, 60], median_lag("chargebacks")),
    ("disputed_days", [10, 30, 60], median_lag("disputes")),
    ("ruled_days", [5, 15, 40], median_lag("rulings")),
    ("window_days", [10, 60, 180], rows_of("chargebacks")),
]
"""A parameter, values to give it in turn, and what must rise with it."""


@pytest.mark.parametrize(("name", "values", "measure"), RISING, ids=[name for name, _, _ in RISING])
def test_each_parameter_moves_what_it_says(name: str, values: list[float], measure: Callable[[World], float]) -> None:
    low, middle, high = (
        measure(frames(parameters_from([f"{name}={value}"], orders=10_000), seed=5)) for value in values
    )
    assert low < middle < high


def test_every_parameter_is_swept_and_says_what_it_is() -> None:
    declared = dataclasses.fields(Marketplace)
    assert {name for name, _, _ in RISING} == {field.name for field in declared} - {"orders"}
    for field in declared:
        assert field.metadata["low"] <= field.default <= field.metadata["high"]
        assert field.metadata["says"]


def test_settings_are_read_and_options_win_over_them() -> None:
    assert parameters_from([]) == Marketplace()
    assert parameters_from([" days = 10", "growth=3"], orders=5) == Marketplace(orders=5, days=10, growth=3.0)
    assert parameters_from(["orders=7", "days=8"], days=9) == Marketplace(orders=7, days=9)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("stolen_rate", "'stolen_rate': want NAME=VALUE, got no '='"),
        ("stolen_rate=1.5", "stolen_rate: want a number from 0.0 to 1.0, got 1.5"),
        ("officer_error=-0.1", "officer_error: want a number from 0.0 to 1.0, got -0.1"),
        ("escalated=nan", "escalated: want a number from 0.0 to 1.0, got nan"),
        ("tail=1", "tail: want a number from 1.05 to 10.0, got 1.0"),
        ("ruled_days=inf", "ruled_days: want a number from 0.1 to 500.0, got inf"),
        ("days=0", "days: want a number from 1 to 10000, got 0"),
        ("orders=-5", "orders: want a number from 1 to 100000000, got -5"),
        ("orders=1e5", "orders: want a whole number, got '1e5'"),
        ("growth=fast", "growth: want a number, got 'fast'"),
        ("growth=", "growth: want a number, got ''"),
    ],
)
def test_a_bad_setting_gives_its_sentence(setting: str, sentence: str) -> None:
    with pytest.raises(RedressError) as caught:
        parameters_from([setting])
    assert str(caught.value) == sentence


def test_an_unknown_setting_lists_the_names() -> None:
    with pytest.raises(RedressError, match=r"^'stolen': want one of orders, days, .*stolen_rate, .*window_days$"):
        parameters_from(["stolen=0.1"])


def test_a_negative_option_or_seed_gives_its_sentence() -> None:
    with pytest.raises(RedressError, match=r"^orders: want a number from 1 to 100000000, got -1$"):
        parameters_from([], orders=-1)
    with pytest.raises(RedressError, match=r"^seed: want a whole number from 0, got -1$"):
        simulate(Marketplace(orders=10), seed=-1)


def test_a_directory_that_holds_a_ledger_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    write_ledger(simulate(Marketplace(orders=50), seed=1), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(LedgerError, match="want a directory without a ledger, got one that holds orders"):
        write_ledger(simulate(Marketplace(orders=50), seed=2), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "parts" / "orders").mkdir(parents=True)
    with pytest.raises(LedgerError, match="holds orders"):
        write_ledger({}, tmp_path / "parts")


def test_a_directory_with_other_files_is_written_into(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    tables = simulate(Marketplace(orders=50), seed=1)
    write_ledger(tables, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", *(f"{name}.parquet" for name in tables)}
    assert all(pq.read_table(tmp_path / f"{name}.parquet").equals(table) for name, table in tables.items())


def test_a_failure_half_way_leaves_no_ledger(tmp_path: Path) -> None:
    unwritable = pa.table({"wait": pa.array([pa.MonthDayNano([1, 2, 3])])})
    with pytest.raises(pa.ArrowNotImplementedError):
        write_ledger({**simulate(Marketplace(orders=50), seed=1), "tiers": unwritable}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "ledger"):
        with pytest.raises(LedgerError, match="want a directory that can be written"):
            write_ledger(simulate(Marketplace(orders=50), seed=1), out)
