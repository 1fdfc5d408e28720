"""The laws of the signals: each equals its naive twin, none knows the future, none depends on how it was asked for."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features import Ledger, history, signals
from features.asking import ASKED, askings, named_askings
from features.build import HORIZON, blocks
from features.dictionary import dictionary, lacking
from features.kernel import cumulate
from features.signal import EDGES, PARTS
from features.streams import STREAMS, Stream
from features.tables import REASONS, RULINGS, TABLES
from models.questions import answers
from models.split import labelled
from pipelines.marketplace import world
from pipelines.marketplace.draws import START
from pipelines.simulate import simulate

DAY = naive.DAY
QUESTIONS = tuple(ASKED)
WEEK = 7 * DAY
MOMENTS = [START + day * DAY + near for day in (0, 1, 7, 8, 30, 37, 90, 97) for near in (-1, 0, 1)]
"""A day, a week, 30 and 90 days apart, and a microsecond either side: every edge of every window and of a horizon of a week."""
USED = ("orders", "shipments", "disputes", "rulings", "chargebacks", "refunds")
AMOUNTS = (None, 0, 1, 99, 100, 12_345, 10**8, 10**14)
FEW = settings(max_examples=9, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""Each example opens several ledgers and computes two thousand signals."""

Tables = Mapping[str, pa.Table]
Asks = Sequence[tuple[str, int]]
Compute = Callable[[Ledger, str, list[str], int], pd.DataFrame]


def dense(random: Random, most: int) -> dict[str, pa.Table]:
    """A ledger in which everything happens at few moments to few parties, anything may be unknown, and no row is bad."""
    orders = [_order(random, i) for i in range(random.randint(1, most))]
    rows: dict[str, list[dict[str, Any]]] = {"orders": orders, "disputes": [], "chargebacks": []}
    for i in range(random.randint(1, most)):
        row = _later(random, orders, "order_id") | {"dispute_id": f"d{i}", "claimed": random.choice(AMOUNTS)}
        happened = random.choice([None, row["at"] - DAY // 3])
        rows["disputes"].append(row | {"reason": random.choice([None, *REASONS]), "happened_at": happened})
    for i in range(random.randint(0, most)):
        row = _later(random, orders, "order_id") | {"chargeback_id": f"c{i}", "amount": random.choice(AMOUNTS)}
        rows["chargebacks"].append(row)
    for row in random.sample(rows["disputes"] + rows["chargebacks"], random.randint(0, 1)):
        row["order_id"] = None
    carried = [_later(random, orders, "order_id") for _ in range(random.randint(0, most))]
    rows["shipments"] = _keyed({**row, "carrier": random.choice([None, "ca", "cb"])} for row in carried)
    paid = [_later(random, orders, "order_id") for _ in range(random.randint(0, most))]
    rows["refunds"] = _keyed({**row, "amount": random.choice(AMOUNTS), "funded_by": "seller"} for row in paid)
    ruled = [_later(random, rows["disputes"], "dispute_id") for _ in range(random.randint(0, most))]
    rows["rulings"] = _keyed({**row, "outcome": random.choice([None, "refused", *RULINGS])} for row in ruled)
    return naive.tables({name: random.sample(some, len(some)) for name, some in rows.items()})


def _order(random: Random, i: int) -> dict[str, Any]:
    columns = "buyer_id seller_id product_id instrument_id device_id address_id email_id ip_id region channel"
    who = {column: random.choice([None, "a", "b", "b", "c"]) for column in columns.split()}
    where = {column: random.choice([None, "DE", "FR"]) for column in ("ship_country", "bill_country")}
    promised = random.choice([None, *MOMENTS])
    much = {"amount": random.choice(AMOUNTS), "quantity": random.choice([None, 1, 3]), "promised_at": promised}
    return {"order_id": f"o{i}", "at": random.choice(MOMENTS), **who, **where, **much}


def _later(random: Random, parents: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """A row about one of `parents`, at its moment or at a later one."""
    parent = random.choice(parents)
    return {key: parent[key], "at": random.choice([m for m in MOMENTS if m >= parent["at"]])}


def _keyed(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of which no two share their first two columns."""
    return list({tuple(row.values())[:2]: row for row in rows}.values())


ledgers = st.randoms(use_true_random=False).map(lambda random: dense(random, 7))


@pytest.fixture(scope="session")
def town() -> dict[str, pa.Table]:
    """Everything that a ledger can hold, and enough of it."""
    return dense(Random(4), 150)


@pytest.fixture(scope="session")
def frames(town: Tables) -> dict[str, pd.DataFrame]:
    """All signals of the town by question."""
    return owns(town)


@pytest.fixture(scope="session")
def market() -> dict[str, pa.Table]:
    return simulate(world("chargeback_rich", orders=1500, days=240), seed=5)


def asked(tables: Tables, question: str) -> list[tuple[str, int]]:
    """Every row the question asks about, at its own moment."""
    table, key = tables[ASKED[question]], TABLES[ASKED[question]].key[0]
    return list(zip(table[key].to_pylist(), table["at"].cast(pa.int64()).to_pylist(), strict=True))


def some_asks(random: Random, tables: Tables, question: str, n: int) -> list[tuple[str, int]]:
    """Askings of some rows, at their own moment or later."""
    some = [random.choice(asked(tables, question)) for _ in range(n)]
    return [(ask, t + random.choice([0, 0, 1, DAY, WEEK, WEEK + 1, 40 * DAY, 400 * DAY])) for ask, t in some]


def named(asks: Asks) -> pd.DataFrame:
    at = pd.to_datetime([t for _, t in asks], unit="us", utc=True)
    return pd.DataFrame({"ask_id": pd.Series([ask for ask, _ in asks], dtype="str"), "at": at})


def owns(tables: Tables) -> dict[str, pd.DataFrame]:
    """The signals of every row that a question asks about, by question."""
    ledger = Ledger.of(tables)
    return {question: signals(ledger, question, horizon=WEEK) for question in QUESTIONS if ASKED[question] in tables}


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def single(values: Sequence[naive.Unknown]) -> NDArray[np.float32]:
    """Exact numbers rounded to what a frame holds."""
    return np.array([np.nan if v is None else float(v) for v in values], np.float64).astype(np.float32)


def unlike(ledger: Ledger, rows: naive.Rows, question: str, asks: Asks, horizon: int) -> list[str]:
    """Where signals differ from their naive twins.

    All but two formulas are exact in float64, so they are equal once rounded. Those two round a few times before: a last
    digit of float32 may differ, and near zero, where amounts cancel, 1e-9 standard deviations.
    """
    found = signals(ledger, question, asks=named(asks), horizon=horizon)
    rounded = {name for name, _, pattern, _ in naive.declared(question) if pattern.formula in naive.ROUNDED}
    names = [str(name) for name in found.columns[2:]]
    loose = np.array([name in rounded for name in names])
    told = []
    in_order = sorted(asks, key=lambda one: (one[1], one[0]))
    assert found["ask_id"].tolist() == [ask for ask, _ in in_order]
    for row, (ask, t) in zip(found.iloc[:, 2:].to_numpy(np.float32), in_order, strict=True):
        twin = naive.signals(rows, question, ask, t, horizon=horizon, placeholder=history.PLACEHOLDER)
        want = single([twin[name] for name in names])
        equal = (row == want) | (np.isnan(row) & np.isnan(want))
        equal |= loose & (np.abs(row - want) <= np.spacing(np.abs(want)) + 1e-9)
        told += [f"{ask} at {t}: {names[i]} is {row[i]}, want {want[i]}" for i in np.flatnonzero(~equal)]
    return told


@given(tables=ledgers, random=st.randoms(use_true_random=False), horizon=st.sampled_from([0, DAY, WEEK, HORIZON]))
@settings(FEW, max_examples=15)
def test_every_signal_equals_its_naive_twin(tables: Tables, random: Random, horizon: int) -> None:
    ledger, rows = Ledger.of(tables), naive.plain(tables)
    for question in QUESTIONS:
        assert unlike(ledger, rows, question, some_asks(random, tables, question, 6), horizon) == []


@pytest.mark.parametrize("horizon", [HORIZON, 30 * DAY])
@pytest.mark.parametrize("world", ["town", "market"])
def test_every_signal_equals_its_naive_twin_in_a_larger_world(
    world: str, horizon: int, request: pytest.FixtureRequest
) -> None:
    tables: Tables = request.getfixturevalue(world)
    ledger, rows = Ledger.of(tables), naive.plain(tables)
    for question in QUESTIONS:
        assert unlike(ledger, rows, question, some_asks(Random(horizon), tables, question, 15), horizon) == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_naive_twin_knows_every_declared_signal(question: str) -> None:
    cases = [*naive.ORDER, *(naive.DISPUTE if question == "dispute_outcome" else ())]
    names = [*cases, *(name for name, _, _, _ in naive.declared(question))]
    assert [declared.name for declared in dictionary(question)] == names


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_declared_signal_varies_in_a_town_that_has_everything(question: str, town: Tables) -> None:
    asks = [(ask, t + later) for ask, t in asked(town, question) for later in (0, DAY, 40 * DAY)]
    found = signals(Ledger.of(town), question, asks=named(asks), horizon=WEEK)
    assert list(found.columns[2:]) == [declared.name for declared in dictionary(question)]
    assert [name for name in found.columns[2:] if found[name].nunique() < 2] == []


def everything(ledger: Ledger, question: str, ids: list[str], t: int) -> pd.DataFrame:
    """What is computed as of `t`: the signals of rows, and the answers that may be learnt from, asked at once and later."""
    asks = pd.DataFrame({"ask_id": ids, "at": pd.to_datetime([t] * len(ids), unit="us", utc=True)})
    found = signals(ledger, question, asks=asks, horizon=WEEK).drop(columns="at").set_index("ask_id")
    return pd.concat([found, *(labels(ledger, question, ids, t, later) for later in (0, DAY))], axis=1)


def labels(ledger: Ledger, question: str, ids: list[str], t: int, later: int) -> pd.DataFrame:
    """The answers usable as of `t` of rows asked about that much later than they came, NaN where there is none."""
    every = askings(ledger, question)
    at = dict(zip(every.ids.to_pylist(), every.at.tolist(), strict=True))
    asks = named_askings(ledger, question, named([(ask, at[ask] + later) for ask in ids]))
    learnt = labelled(asks, answers(ledger, asks, WEEK), t, WEEK, every.at[np.isin(every.row, asks.row)])
    usable = pd.Series(learnt.answer, asks.ids.take(pa.array(learnt.which)).to_pylist(), dtype=np.float32)
    return pd.DataFrame({f"label_asked_{later}_later": usable.reindex(sorted(ids))})


def cases(tables: Tables, t: int) -> Iterator[tuple[str, list[str], dict[str, set[str]]]]:
    """What can be asked as of `t`: all rows from before, and a row of that moment with the order it points to."""
    for question in QUESTIONS:
        before = [ask for ask, at in asked(tables, question) if at < t]
        if before:
            yield question, before, {}
        for ask in [ask for ask, at in asked(tables, question) if at == t][-1:]:
            table, key = ASKED[question], TABLES[ASKED[question]].key[0]
            about = tables[table].filter(pc.equal(tables[table][key], ask))["order_id"].to_pylist()
            yield question, [ask], {"orders": {str(about[0])}} | {table: {ask}}


def past(tables: Tables, t: int, case: Mapping[str, set[str]]) -> dict[str, pa.Table]:
    """The rows learnt before `t`, and those of the case."""
    kept = {}
    for name, table in tables.items():
        ours = pc.is_in(table[TABLES[name].key[0]], pa.array(case.get(name, ()), pa.string()))
        kept[name] = table.filter(pc.or_(ours, pc.less(table["at"].cast(pa.int64()), t)))
    return kept


def leaks(compute: Compute, tables: Tables, t: int) -> list[str]:
    """What changes of all that is computed as of `t` when every row learnt at `t` or later is deleted but the case."""
    ledger, found = Ledger.of(tables), []
    for question, ids, case in cases(tables, t):
        before = compute(ledger, question, ids, t)
        after = compute(Ledger.of(past(tables, t, case)), question, ids, t)
        assert list(before.columns) == list(after.columns)
        changed = ~((before == after) | (before.isna() & after.isna())).all(axis=0).to_numpy()
        found += [f"{question}: {name}" for name in before.columns[changed]]
    return found


@given(tables=ledgers, t=st.sampled_from(MOMENTS[1:]))
@FEW
def test_the_future_cannot_change_the_past(tables: Tables, t: int) -> None:
    assert leaks(everything, tables, t) == []


@pytest.mark.parametrize("name", ["rulings", "chargebacks", "refunds"])
def test_the_future_cannot_change_the_past_of_a_marketplace(name: str, market: Tables) -> None:
    t = market[name]["at"].cast(pa.int64()).to_pylist()[market[name].num_rows * 2 // 3]
    for near in (-1, 0, 1):
        assert leaks(everything, market, t + near) == []


@pytest.mark.parametrize("t", MOMENTS[14:17])
def test_the_future_cannot_change_the_past_of_a_town(t: int, town: Tables) -> None:
    assert leaks(everything, town, t) == []


def caught(compute: Compute, tables: Tables, moments: Sequence[int]) -> list[str]:
    """The leaks at the first of the moments where there are any."""
    return next((found for t in moments if (found := leaks(compute, tables, t))), [])


def seen_early(name: str) -> Compute:
    """A planted leak: a table's facts are taken for known a microsecond before they were."""

    def compute(ledger: Ledger, question: str, ids: list[str], t: int) -> pd.DataFrame:
        early, facts = copy.copy(ledger), copy.copy(ledger.facts[name])
        facts.at = facts.at - 1
        early.facts = ledger.facts | {name: facts}
        return everything(early, question, ids, t)

    return compute


@pytest.mark.parametrize("name", USED)
def test_a_table_that_is_read_too_early_is_caught(name: str, town: Tables) -> None:
    moments = sorted(set(town[name]["at"].cast(pa.int64()).to_pylist()))
    assert caught(seen_early(name), town, moments[len(moments) // 2 :]) != []


@pytest.mark.parametrize("name", sorted(set(STREAMS) - {"orders"}))
def test_a_fact_that_is_dated_by_its_order_is_caught(name: str, town: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    needs, make = STREAMS[name]

    def dated_by_order(ledger: Ledger, horizon: int) -> Stream:
        made = make(ledger, horizon)
        orders = ledger.facts["orders"].at
        at = np.where(made.order < 0, made.at, orders[made.order])
        sort = np.argsort(at, kind="stable")
        return Stream(at[sort], made.order[sort], {key: values[sort] for key, values in made.measures.items()})

    monkeypatch.setitem(STREAMS, name, (needs, dated_by_order))
    assert caught(everything, town, MOMENTS[14:]) != []


def test_an_edge_that_reads_one_fact_too_many_is_caught(town: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "cumulate", lambda at, *given: cumulate(at - 1, *given))
    assert caught(everything, town, MOMENTS[14:]) != []


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_that_is_learnt_before_it_was_known_is_caught(question: str, town: Tables) -> None:
    def hasty(ledger: Ledger, asked_question: str, ids: list[str], t: int) -> pd.DataFrame:
        return labels(ledger, asked_question, ids, t + WEEK, 0)  # immature orders too, and rulings that are to come

    assert any(f"{question}: label_asked_0_later" in leaks(hasty, town, t) for t in MOMENTS[14:])


@given(tables=ledgers, random=st.randoms(use_true_random=False))
@settings(FEW, max_examples=6)
def test_the_order_of_rows_means_nothing(tables: Tables, random: Random) -> None:
    found, shuffled = owns(tables), owns({name: _shuffled(random, table) for name, table in tables.items()})
    for question in QUESTIONS:
        same(found[question], shuffled[question])


@pytest.mark.parametrize("name", USED)
def test_the_order_of_a_table_means_nothing_in_a_town(name: str, town: Tables, frames: dict[str, pd.DataFrame]) -> None:
    shuffled = owns({**town, name: _shuffled(Random(3), town[name])})
    for question in QUESTIONS:
        same(frames[question], shuffled[question])


def _shuffled(random: Random, table: pa.Table) -> pa.Table:
    rows = list(range(table.num_rows))
    random.shuffle(rows)
    return table.take(pa.array(rows, pa.int64()))


@pytest.mark.parametrize("question", QUESTIONS)
def test_blocks_of_any_size_and_single_askings_give_the_same_frame(question: str, market: Tables) -> None:
    ledger = Ledger.of(market)
    asks = named(some_asks(Random(8), market, question, 40))
    whole, which = signals(ledger, question, asks=asks), named_askings(ledger, question, asks)
    for size in (7, 39, 1000):
        same(pd.concat(blocks(ledger, which, size=size), ignore_index=True), whole)
    for i in range(0, 40, 9):
        same(signals(ledger, question, asks=whole.iloc[[i], :2]), whole.iloc[[i]].reset_index(drop=True))


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_askings_give_an_empty_frame_of_the_same_columns(
    question: str, town: Tables, frames: dict[str, pd.DataFrame]
) -> None:
    empty = signals(Ledger.of(town), question, start=MOMENTS[0] - 9, stop=MOMENTS[0] - 5)
    same(empty, frames[question].iloc[:0])


OPTIONAL = {f"{name}.{c.name}" for name in USED for c in TABLES[name].columns if not c.required}
NEEDED = {need for question in QUESTIONS for declared in dictionary(question) for need in declared.needs} & OPTIONAL


def without(tables: Tables, gone: str) -> dict[str, pa.Table]:
    """The tables without one of them, or without a column `table.column`."""
    name, _, column = gone.partition(".")
    less = {name: tables[name].drop_columns([column])} if column else {}
    return {key: table for key, table in tables.items() if key != name} | less


@pytest.mark.parametrize("gone", [*USED[1:], *sorted(NEEDED)])
def test_what_is_missing_takes_the_signals_that_need_it_and_no_other(
    gone: str, town: Tables, frames: dict[str, pd.DataFrame]
) -> None:
    less = without(town, gone)
    ledger, every = Ledger.of(less), []
    for question, found in owns(less).items():
        declared = dictionary(question)
        left_out = [d.name for d in declared if any(need == gone or need.startswith(f"{gone}.") for need in d.needs)]
        every += left_out
        assert [d.name for d in declared if lacking(ledger, d)] == left_out
        same(found, frames[question].drop(columns=left_out))
    assert every


def test_columns_that_no_signal_needs_change_none(town: Tables, frames: dict[str, pd.DataFrame]) -> None:
    less = dict(town)
    for gone in OPTIONAL - NEEDED:
        less = without(less, gone)
    for question, found in owns(less).items():
        same(found, frames[question])


@pytest.mark.parametrize(
    "gone", ["orders.device_id", "orders.promised_at", "disputes.happened_at", "shipments.carrier"]
)
def test_a_column_without_a_type_is_missing_too(gone: str, town: Tables) -> None:
    name, _, column = gone.partition(".")
    where = town[name].column_names.index(column)
    untyped = owns({**town, name: town[name].set_column(where, column, pa.nulls(town[name].num_rows))})
    for question, found in owns(without(town, gone)).items():
        same(untyped[question], found)


def order(name: str, at: int, **columns: object) -> dict[str, object]:
    return {"order_id": name, "at": START + at, "seller_id": "s", "amount": 500, **columns}


def test_the_signals_of_a_null_buyer_are_unknown_and_a_known_buyer_without_facts_counts_zero() -> None:
    rows = {"orders": [order("o0", 0, buyer_id=None), order("o1", 1, buyer_id=None), order("o2", 2, buyer_id="b")]}
    empty: dict[str, list[dict[str, object]]] = {name: [] for name in USED[1:]}
    found = owns(naive.tables(rows | empty))["chargeback_risk"].set_index("ask_id")
    nobody = found.filter(regex="^buyer_").loc[["o0", "o1"]]
    assert nobody.shape[1] > 100
    assert nobody.notna().to_numpy().sum() == 0
    total = [
        name
        for name, e, p, _ in naive.declared("chargeback_risk")
        if e.name.startswith("buyer") and p.formula == "total"
    ]
    assert set(found.loc[["o2"], total].to_numpy().flatten().tolist()) == {0.0}
    assert found.loc["o2", "seller_orders_count_ever"] == 2


def test_money_that_is_unknown_is_never_zero() -> None:
    rows = {"orders": [order("o0", 0, buyer_id="b"), order("o1", 9, buyer_id="b")]}
    charged = {"chargebacks": [{"chargeback_id": "c", "at": START + 1, "order_id": "o0", "amount": None}]}
    found = owns(naive.tables(rows | charged))["chargeback_risk"].set_index("ask_id").loc["o1"]
    assert found["buyer_chargebacks_count_ever"] == 1
    assert np.isnan(found["buyer_chargebacks_amount_sum_ever"])
    assert np.isnan(found["buyer_chargebacks_amount_share_ever"])


def test_an_id_is_a_placeholder_from_the_moment_that_too_many_buyers_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PLACEHOLDER", 2)
    buyers = ["a", "b", "b", None, "c", "a", "d"]
    rows = [order(f"o{i}", 10 * i, buyer_id=buyer, device_id="d", ip_id=f"i{i % 2}") for i, buyer in enumerate(buyers)]
    tables = naive.tables({"orders": rows})
    asks = [(f"o{i}", START + 10 * i + later) for i in range(7) for later in (0, 1)]
    ledger = Ledger.of(tables)
    found = signals(ledger, "chargeback_risk", asks=named(asks))
    crowded = [False] * 9 + [True] * 5  # o4 is of buyer c, the third: the device is nobody's from a microsecond later
    assert found.filter(regex="^device_.*_count_").isna().all(axis=1).tolist() == crowded
    assert found.filter(regex="^device_.*_count_").isna().any(axis=1).tolist() == crowded
    assert found.filter(regex="^device_").iloc[9:].notna().to_numpy().sum() == 0
    assert found["buyer_orders_count_ever"].notna().sum() == 12
    assert unlike(ledger, naive.plain(tables), "chargeback_risk", asks, HORIZON) == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_declarations_are_whole_and_their_names_computed(question: str) -> None:
    declared = dictionary(question)
    names = [one.name for one in declared]
    assert len(set(names)) == len(names)
    windows = "|".join(EDGES)
    for one in declared:
        assert one.part in PARTS
        assert re.fullmatch(r"[a-z][a-z0-9_]*", one.name)
        assert one.unit
        assert re.fullmatch(r"[^{}]+", one.meaning)
        assert one.needs
        assert all(TABLES[need.partition(".")[0]].column(need.partition(".")[2] or "at") for need in one.needs)
    histories = {name: (e, p, word) for name, e, p, word in naive.declared(question)}
    for name, (entity, pattern, word) in histories.items():
        assert name.startswith(f"{entity.name}_{pattern.name}")
        assert (word is None) != bool(re.search(rf"_({windows})$", name))
    assert len(names) - len(histories) == len([name for name in names if name.startswith(("order_", "dispute_"))])
