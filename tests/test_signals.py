"""The laws of the signals: each equals its naive twin, none knows the future, none depends on how it was asked for."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

import naive
import naive_signals
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dense import MOMENTS, dense
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features import Ledger, history, sharing, signals, streams
from features.asking import ASKED, DEFENDED, askings, named_askings
from features.background import Background
from features.build import HORIZON, blocks
from features.derived import Derived
from features.dictionary import dictionary, lacking
from features.kernel import Sweep
from features.sharing import SHARED, Shared
from features.signal import EDGES, PARTS
from features.stream import Stream
from features.streams import STREAMS
from features.tables import TABLES
from models.questions import QUESTIONS as ANSWERED
from models.questions import answers
from models.split import labelled
from pipelines.marketplace import world
from pipelines.marketplace.draws import START
from pipelines.simulate import simulate

DAY = naive.DAY
QUESTIONS = tuple(ASKED)
WEEK = 7 * DAY
USED = tuple(sorted({n.partition(".")[0] for q in QUESTIONS for one in dictionary(q) for n in (*one.needs, *one.uses)}))
FEW = settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""Each example opens several ledgers and computes two thousand signals."""

Tables = Mapping[str, pa.Table]
Asks = Sequence[tuple[str, int]]
Compute = Callable[[Ledger, str, list[str], int], pd.DataFrame]


ledgers = st.randoms(use_true_random=False).map(lambda random: dense(random, 7))


@pytest.fixture(scope="session")
def town() -> dict[str, pa.Table]:
    """Everything that a ledger can hold, and enough of it."""
    return dense(Random(1), 150)


@pytest.fixture(scope="session")
def frames(town: Tables) -> dict[str, pd.DataFrame]:
    """All signals of the town by question."""
    return owns(town)


@pytest.fixture(scope="session")
def market() -> dict[str, pa.Table]:
    return simulate(world("chargeback_rich", orders=1500, days=240), seed=5)


def asked(tables: Tables, question: str) -> list[tuple[str, int]]:
    """Every row the question asks about, at its own moment, and chargebacks when a defence was filed."""
    table, key = tables[ASKED[question]], TABLES[ASKED[question]].key[0]
    found = list(zip(table[key].to_pylist(), table["at"].cast(pa.int64()).to_pylist(), strict=True))
    if question in DEFENDED and (defences := tables.get("representments")) is not None:
        found += zip(defences[key].to_pylist(), defences["at"].cast(pa.int64()).to_pylist(), strict=True)
    return found


def some_asks(random: Random, tables: Tables, question: str, n: int) -> list[tuple[str, int]]:
    """Askings of some rows, at their own moment or later."""
    some = [random.choice(asked(tables, question)) for _ in range(n)] if asked(tables, question) else []
    late = [(ask, t + random.choice([0, 0, 1, DAY, WEEK, WEEK + 1, 40 * DAY, 400 * DAY])) for ask, t in some]
    return list(dict.fromkeys(late))


def named(asks: Asks) -> pd.DataFrame:
    at = pd.to_datetime([t for _, t in asks], unit="us", utc=True)
    return pd.DataFrame({"ask_id": pd.Series([ask for ask, _ in asks], dtype="str"), "at": at})


def owns(tables: Tables) -> dict[str, pd.DataFrame]:
    """The signals of every row that a question asks about, by question."""
    ledger = Ledger.of(tables)
    able = [q for q in QUESTIONS if ASKED[q] in tables and (q not in DEFENDED or "representments" in tables)]
    return {question: signals(ledger, question, horizon=WEEK) for question in able}


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Fails unless two frames are equal to the bit; pandas tells where they are not, which takes it long."""
    ours, theirs = (frame.iloc[:, 2:].to_numpy(np.float32) for frame in (one, other))
    alike = list(one.columns) == list(other.columns) and one.iloc[:, :2].equals(other.iloc[:, :2])
    if not (alike and np.array_equal(ours, theirs, equal_nan=True)):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def single(values: Sequence[naive.Unknown]) -> NDArray[np.float32]:
    """Exact numbers rounded to what a frame holds."""
    return np.array([np.nan if v is None else float(v) for v in values], np.float64).astype(np.float32)


def unlike(ledger: Ledger, rows: naive.Rows, question: str, asks: Asks, horizon: int) -> list[str]:
    """Where signals differ from their naive twins.

    Formulas of one rounding in float64 are equal once they are float32. The others round a few times before: a last digit of
    float32 may differ, and near zero, where amounts cancel, 1e-9.
    """
    if not asks:
        return []
    found = signals(ledger, question, asks=named(asks), horizon=horizon)
    formulas = {one.name: one.pattern.formula for one in dictionary(question)}
    names = [str(name) for name in found.columns[2:]]
    loose = np.array([formulas[name] not in naive_signals.EXACT for name in names])
    told = []
    in_order = sorted(asks, key=lambda one: (one[1], one[0]))
    assert found["ask_id"].tolist() == [ask for ask, _ in in_order]
    for row, (ask, t) in zip(found.iloc[:, 2:].to_numpy(np.float32), in_order, strict=True):
        twin = naive_signals.signals(rows, question, ask, t, horizon=horizon, placeholder=sharing.PLACEHOLDER)
        assert list(twin) == names
        want = single([twin[name] for name in names])
        equal = (row == want) | (np.isnan(row) & np.isnan(want))
        equal |= loose & (np.abs(row - want) <= 2 * np.spacing(np.abs(want)) + 1e-9)
        told += [f"{ask} at {t}: {names[i]} is {row[i]}, want {want[i]}" for i in np.flatnonzero(~equal)]
    return told


@given(tables=ledgers, random=st.randoms(use_true_random=False), horizon=st.sampled_from([0, DAY, WEEK, HORIZON]))
@settings(FEW, max_examples=6)
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
        assert unlike(ledger, rows, question, some_asks(Random(horizon), tables, question, 8), horizon) == []


@pytest.mark.parametrize("question", [question for question in QUESTIONS if ASKED[question] != "orders"])
def test_a_case_of_an_order_that_was_cancelled_before_equals_its_naive_twin_at_its_own_moment(
    question: str, town: Tables
) -> None:
    ledger, rows = Ledger.of(town), naive.plain(town)
    cancelled = {
        row["order_id"]: row["at"] for row in rows["cancellations"] if row.get("party") not in (None, "platform")
    }
    of = {row[TABLES[ASKED[question]].key[0]]: row.get("order_id") for row in rows[ASKED[question]]}
    some = [(ask, t) for ask, t in dict.fromkeys(asked(town, question)) if cancelled.get(of[ask], t) < t]
    assert some
    assert unlike(ledger, rows, question, some[:6], HORIZON) == []


@pytest.mark.parametrize("seed", [101, 103, 105, 106])
def test_every_signal_equals_its_naive_twin_long_after_in_other_towns(seed: int) -> None:
    tables = dense(Random(seed), 150)
    ledger, rows = Ledger.of(tables), naive.plain(tables)
    for question in QUESTIONS:
        some = dict.fromkeys(Random(seed).sample(asked(tables, question), 10))
        late = [(ask, t + Random(seed).choice([DAY, WEEK, 40 * DAY])) for ask, t in some]
        assert unlike(ledger, rows, question, list(dict.fromkeys(late)), WEEK) == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_declared_signal_varies_in_towns_that_have_everything(question: str, town: Tables) -> None:
    mute = [declared.name for declared in dictionary(question)]
    for tables in (town, *(dense(Random(seed), 150) for seed in range(4))):
        asks = list(
            dict.fromkeys((ask, t + later) for ask, t in asked(tables, question) for later in (0, DAY, 40 * DAY))
        )
        found = signals(Ledger.of(tables), question, asks=named(asks), horizon=WEEK)
        assert list(found.columns[2:]) == [declared.name for declared in dictionary(question)]
        mute = [name for name in mute if found[name].nunique() < 2]
        counts = [one.name for one in dictionary(question) if one.name.rpartition("_")[0].endswith("_count")]
        assert found[counts].min().min() == 0  # no count ever turns negative
    assert mute == []


def everything(ledger: Ledger, question: str, ids: list[str], t: int) -> pd.DataFrame:
    """What is computed as of `t`: the signals of rows, and the answers that may be learnt from, asked at once and later."""
    asks = pd.DataFrame({"ask_id": ids, "at": pd.to_datetime([t] * len(ids), unit="us", utc=True)})
    found = signals(ledger, question, asks=asks, horizon=WEEK).drop(columns="at").set_index("ask_id")
    return pd.concat([found, *(labels(ledger, question, ids, t, later) for later in (0, DAY))], axis=1)


def labels(ledger: Ledger, question: str, ids: list[str], t: int, later: int) -> pd.DataFrame:
    """The answers usable as of `t` of rows asked about that much later than they came, NaN where there is none."""
    if question not in ANSWERED:
        return pd.DataFrame(index=sorted(ids))
    every = askings(ledger, question)
    learnt_at = ledger.facts[ASKED[question]].at[every.row]  # a planted leak may file a defence before it
    at = dict(zip(every.ids.to_pylist(), np.maximum(every.at, learnt_at).tolist(), strict=True))
    asks = named_askings(ledger, question, named([(ask, at[ask] + later) for ask in ids if ask in at]))
    learnt = labelled(asks, answers(ledger, asks, WEEK), t, WEEK, every.at[np.isin(every.row, asks.row)])
    usable = pd.Series(learnt.answer, asks.ids.take(pa.array(learnt.which)).to_pylist(), dtype=np.float32)
    return pd.DataFrame({f"label_asked_{later}_later": usable.reindex(sorted(ids))})


def cases(tables: Tables, t: int) -> Iterator[tuple[str, list[str], dict[str, set[str]]]]:
    """What can be asked as of `t`: all rows from before, and a row of that moment with what is given with it."""
    for question in QUESTIONS:
        early = {ask for ask, at in asked(tables, question) if at < t and _known(tables, question, ask) < t}
        before = sorted(
            early - {ask for ask, at in asked(tables, question) if at == t}
        )  # these may know what is filed then
        if before and min(tables["orders"]["at"].cast(pa.int64()).to_pylist()) < t:
            yield question, before, {}
        for ask in [ask for ask, at in asked(tables, question) if at == t][-1:]:
            yield question, [ask], given_with(tables, question, ask, t)


def _known(tables: Tables, question: str, ask: str) -> int:
    """When a row was learnt."""
    table = tables[ASKED[question]]
    return int(table.filter(pc.equal(table[TABLES[ASKED[question]].key[0]], ask))["at"].cast(pa.int64())[0].as_py())


def given_with(tables: Tables, question: str, ask: str, t: int) -> dict[str, set[str]]:
    """Ids of what a case may know though it is of the moment of asking: its row, the order, the page, and what is filed."""
    rows = naive.plain(
        {name: tables[name] for name in ("orders", "listings", "evidence", "representments", ASKED[question])}
    )
    table, key = ASKED[question], TABLES[ASKED[question]].key[0]
    row = next(row for row in rows[table] if row[key] == ask)
    order = next((o for o in rows["orders"] if o["order_id"] == row["order_id"]), {})
    found = {"orders": {str(row["order_id"])}, table: {ask}, "listings": set[str](), "evidence": set[str]()}
    if order.get("at") == t and any((p["product_id"], p["at"]) == (order["product_id"], t) for p in rows["listings"]):
        found["listings"] = {order["product_id"]}
    if question in DEFENDED and any((r[key], r["at"]) == (ask, t) for r in rows["representments"]):
        found["representments"] = {ask}
        found["evidence"] = {e["evidence_id"] for e in rows["evidence"] if (e["case_id"], e["at"]) == (ask, t)}
    return found


def past(tables: Tables, t: int, case: Mapping[str, set[str]]) -> dict[str, pa.Table]:
    """The rows learnt before `t`, and those of the case, of which a moment is the latest."""
    kept = {}
    for name, table in tables.items():
        ours = pc.is_in(table[TABLES[name].key[0]], pa.array(case.get(name, ()), pa.string()))
        at = table["at"].cast(pa.int64())
        kept[name] = table.filter(pc.or_(pc.and_(ours, pc.less_equal(at, t)), pc.less(at, t)))
    return kept


def leaks(compute: Compute, tables: Tables, t: int) -> Iterator[str]:
    """What changes of all that is computed as of `t` when every row learnt at `t` or later is deleted but the case."""
    ledger = Ledger.of(tables)
    for question, ids, case in cases(tables, t):
        if not (less := past(tables, t, case))["orders"].num_rows:
            continue
        before = compute(ledger, question, ids, t)
        after = compute(Ledger.of(less), question, ids, t)
        assert list(before.columns) == list(after.columns)
        changed = ~((before == after) | (before.isna() & after.isna())).all(axis=0).to_numpy()
        yield from (f"{question}: {name}" for name in before.columns[changed])


@given(tables=ledgers, t=st.sampled_from(MOMENTS[1:]))
@settings(FEW, max_examples=3)
def test_the_future_cannot_change_the_past(tables: Tables, t: int) -> None:
    assert list(leaks(everything, tables, t)) == []


@pytest.mark.parametrize("name", ["rulings", "chargebacks", "refunds"])
def test_the_future_cannot_change_the_past_of_a_marketplace(name: str, market: Tables) -> None:
    t = market[name]["at"].cast(pa.int64()).to_pylist()[market[name].num_rows * 2 // 3]
    for near in (-1, 0, 1):
        assert list(leaks(everything, market, t + near)) == []


@pytest.mark.parametrize("t", MOMENTS[14:17])
def test_the_future_cannot_change_the_past_of_a_town(t: int, town: Tables) -> None:
    assert list(leaks(everything, town, t)) == []


def caught(compute: Compute, tables: Tables, moments: Sequence[int]) -> str:
    """The first leak at the first of the moments where there is any."""
    return next((found for t in moments for found in leaks(compute, tables, t)), "")


def seen_early(name: str) -> Compute:
    """A planted leak: a table's facts are taken for known a microsecond before they were."""

    def compute(ledger: Ledger, question: str, ids: list[str], t: int) -> pd.DataFrame:
        early, facts = copy.copy(ledger), copy.copy(ledger.facts[name])
        facts.at = facts.at - 1
        early.facts = ledger.facts | {name: facts}
        return everything(early, question, ids, t)

    return compute


@pytest.mark.parametrize(
    "name", sorted({*USED} - {"decisions"})
)  # one only qualifies a ruling that is no older than it
def test_a_table_that_is_read_too_early_is_caught(name: str, town: Tables) -> None:
    moments = sorted(set(town[name]["at"].cast(pa.int64()).to_pylist()))
    assert caught(seen_early(name), town, moments[len(moments) // 2 :])


@pytest.mark.parametrize(
    "name", sorted(name for name in {*STREAMS} - {"orders", "buyers", "sellers", "listings", *SHARED})
)
def test_a_fact_that_is_dated_by_its_order_is_caught(name: str, town: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = STREAMS[name]
    assert not isinstance(declared, Shared)

    def dated_by_order(bg: Background) -> Stream:
        made = declared.make(bg)
        early = copy.copy(made)
        at = np.where(made.order < 0, made.at, np.minimum(made.at, bg.order_at[made.order]))
        object.__setattr__(early, "at", np.maximum.accumulate(np.sort(at)))
        return early

    monkeypatch.setitem(streams.STREAMS, name, Derived(declared.needs, dated_by_order))
    towns = (*(dense(Random(seed), 150) for seed in (3, 2, 0)), town)
    assert any(caught(everything, tables, MOMENTS[14:]) for tables in towns)


def test_an_edge_that_reads_one_fact_too_many_is_caught(town: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "Sweep", lambda at, *given, asked: Sweep(at - 1, *given, asked=asked))
    assert caught(everything, town, MOMENTS[14:])


@pytest.mark.parametrize("question", ANSWERED)
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


def test_what_else_is_asked_in_a_frame_changes_no_signal(town: Tables) -> None:
    ledger = Ledger.of(town)
    for question in QUESTIONS:
        own = asked(town, question)[:40]
        alone = signals(ledger, question, asks=named(own))
        both = signals(ledger, question, asks=named(own + [(name, at + DAY) for name, at in own]))
        kept = both.merge(alone[["ask_id", "at"]])
        same(alone, kept[list(alone.columns)])


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_askings_give_an_empty_frame_of_the_same_columns(
    question: str, town: Tables, frames: dict[str, pd.DataFrame]
) -> None:
    empty = signals(Ledger.of(town), question, start=MOMENTS[0] - 9, stop=MOMENTS[0] - 5)
    same(empty, frames[question].iloc[:0])


OPTIONAL = {f"{name}.{c.name}" for name in USED for c in TABLES[name].columns if not c.required}
NEEDED = {n for question in QUESTIONS for one in dictionary(question) for n in (*one.needs, *one.uses)} & OPTIONAL


def without(tables: Tables, gone: str) -> dict[str, pa.Table]:
    """The tables without one of them, or without a column `table.column`."""
    name, _, column = gone.partition(".")
    less = {name: tables[name].drop_columns([column])} if column else {}
    return {key: table for key, table in tables.items() if key != name} | less


def askable(ledger: Ledger, question: str) -> bool:
    """Whether a ledger has the rows that a question asks about by itself."""
    return ASKED[question] in ledger.facts and (question not in DEFENDED or "representments" in ledger.facts)


def touched(needed: Sequence[str], gone: str) -> bool:
    """Whether a missing table or column is among those needed."""
    return any(need == gone or need.startswith(f"{gone}.") for need in needed)


@pytest.mark.parametrize("gone", [*(name for name in USED if name != "orders"), *sorted(NEEDED)])
def test_what_is_missing_takes_the_signals_that_need_it_and_no_other(
    gone: str, town: Tables, frames: dict[str, pd.DataFrame]
) -> None:
    ledger, every = Ledger.of(without(town, gone)), list[str]()
    for question in QUESTIONS:
        declared = dictionary(question)
        left_out = {d.name for d in declared if touched(d.needs, gone)}
        changed = {d.name for d in declared if d.name not in left_out and touched(d.uses, gone)}
        assert {d.name for d in declared if lacking(ledger, d)} == left_out
        if (
            (left_out or changed)
            and len(left_out) < len(declared)
            and askable(ledger, question)
            and len(every) < (1 if "." in gone else 2)
        ):
            every.append(question)
            found = signals(ledger, question, horizon=WEEK)
            same(found.drop(columns=[*changed]), frames[question].drop(columns=[*left_out, *changed]))
            assert changed <= set(found.columns)
    assert every


@pytest.mark.parametrize(
    "gone", ["findings", "rulings", "chargeback_rulings", "reports", "releases", "scans", "listings"]
)
def test_signals_without_a_table_equal_their_naive_twins_without_it(gone: str, town: Tables) -> None:
    less = without(town, gone)
    kept = {name for name in less if TABLES[name].name not in HANGING.get(gone, ())}
    less = {name: table for name, table in less.items() if name in kept}
    ledger, rows = Ledger.of(less), naive.plain(less)
    for question in QUESTIONS:
        assert unlike(ledger, rows, question, some_asks(Random(2), less, question, 3), WEEK) == []


HANGING = {"reports": ("report_rulings",)}
"""Tables whose rows hang on those of another, and are bad without it."""


def test_a_ledger_of_orders_alone_has_signals(town: Tables) -> None:
    found = signals(Ledger.of({"orders": town["orders"]}), "chargeback_risk", horizon=WEEK)
    names = [d.name for d in dictionary("chargeback_risk") if {n.partition(".")[0] for n in d.needs} <= {"orders"}]
    assert list(found.columns[2:]) == names
    assert "buyer_credit" in names
    assert len(names) > 200


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
    empty: dict[str, list[dict[str, object]]] = {name: [] for name in USED if name != "orders"}
    found = owns(naive.tables(empty | rows))["chargeback_risk"].set_index("ask_id")
    nobody = found.filter(regex="^buyer_").loc[["o0", "o1"]]
    assert nobody.shape[1] > 100
    assert nobody.notna().to_numpy().sum() == 0
    total = [
        one.name
        for one in dictionary("chargeback_risk")
        if one.entity and one.entity.name == "buyer" and one.pattern.formula == "value"
    ]
    total = [name for name in total if name in found]
    assert set(found.loc[["o2"], total].to_numpy().flatten().tolist()) == {0.0}
    assert found.loc["o2", "seller_orders_count_ever"] == 2


def test_a_dispute_asked_about_again_is_none_of_its_parties_other_disputes() -> None:
    rows = {"orders": [order(f"o{i}", i * DAY, buyer_id="b") for i in range(3)]}
    filed = [(1, "o0"), (5, "o1"), (6, "o2")]  # all with one seller, who is met anew by the first that counts
    said = [
        {"dispute_id": o, "at": START + t * DAY, "order_id": o, "reason": "damaged", "claimed": 5} for t, o in filed
    ]
    ledger = Ledger.of(naive.tables(rows | {"disputes": said}))
    asks = named([("o0", START + DAY), ("o1", START + 5 * DAY), ("o1", START + 8 * DAY), ("o0", START + 8 * DAY)])
    found = signals(ledger, "dispute_outcome", asks=asks)
    assert found["ask_id"].tolist() == ["o0", "o1", "o0", "o1"]
    assert found["buyer_disputes_count_ever"].tolist() == [0, 1, 2, 2]
    assert found["seller_disputes_amount_sum_7d"].tolist() == [0, 5, 10, 10]
    assert found["buyer_sellers_disputed_met_ever"].tolist() == [0, 1, 1, 1]
    assert found["buyer_sellers_disputed_met_30d"].tolist() == [0, 1, 1, 1]
    assert found["buyer_disputes_days_since_last"].tolist()[1:] == [4, 2, 2]
    assert found["buyer_disputes_days_since_first"].tolist()[1:] == [4, 3, 7]


def test_money_that_is_unknown_is_never_zero() -> None:
    rows = {"orders": [order("o0", 0, buyer_id="b"), order("o1", 9, buyer_id="b")]}
    charged = {"chargebacks": [{"chargeback_id": "c", "at": START + 1, "order_id": "o0", "amount": None}]}
    found = owns(naive.tables(rows | charged))["chargeback_risk"].set_index("ask_id").loc["o1"]
    assert found["buyer_chargebacks_count_ever"] == 1
    assert np.isnan(found["buyer_chargebacks_amount_sum_ever"])
    assert np.isnan(found["buyer_chargebacks_amount_share_ever"])


def test_an_id_is_a_placeholder_from_the_moment_that_too_many_buyers_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "PLACEHOLDER", 2)
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
        assert one.part in (*PARTS, "base")
        assert re.fullmatch(r"[a-z][a-z0-9_]*", one.name)
        assert one.unit
        assert re.fullmatch(r"[^{}]+", one.meaning)
        assert one.needs
        assert all(TABLES[need.partition(".")[0]].column(need.partition(".")[2] or "at") for need in one.needs)
    for one in declared:
        who = one.entity.name + "_" if one.entity else ""
        assert one.name.startswith(f"{who}{one.pattern.name}")
        assert (one.window is None) != bool(re.search(rf"_({windows})$", one.name))
        assert one.part
