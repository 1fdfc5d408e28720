"""The laws of the online store: it takes what the naive store takes, and says what the batch says of the same facts."""

from contextlib import closing, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from dense import dense
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from scenes import JUST, SCENES, Scene, moment, order
from twins import Twins

from benchmarks.parity import LATER, Facts, histories, in_order, told, unequal
from benchmarks.postgres import Server
from features import Ledger, RedressError, given
from features.asking import ASKED
from features.instant import Instant
from features.store import Store
from features.tables import CASES, TABLES
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables

EVERYTHING = {
    **{"opportunist_share": 0.3, "opportunist_claims": 0.1, "serial_share": 0.03, "faulty_products": 0.1},
    **{"ring_share": 0.03, "faker_share": 0.1, "caught_days": 30, "stolen_rate": 0.05, "integrity_error": 0.1},
}
"""Rates at which everything that a marketplace can do happens in a few hundred orders."""


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@drawn(
    seed=st.integers(0, 2**32),
    jitter=st.sampled_from([0, 1, 3, 8, 30]),
    most=st.sampled_from([6, 20, 200]),
)
def test_facts_in_any_order_and_again_make_what_the_naive_store_and_the_batch_make_of_them(
    seed: int, jitter: int, most: int
) -> None:
    random = Random(seed)
    with TemporaryDirectory() as folder:
        twins = Twins.made(Path(folder))
        twins.pour(in_order(Ledger.of(dense(random, 4))), random, most=most, jitter=jitter)
        twins.same()
        ledger = twins.exported()
        twins.as_filled(ledger)
        assert twins.as_batch(ledger, random, 30) > 30


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """A small marketplace in which everything happens, sent in large batches, some facts late and some twice."""
    twins, random = Twins.made(tmp_path_factory.mktemp("market")), Random(5)
    facts = Ledger.of(tables(happen(world("chargeback_rich", orders=400, days=300, **EVERYTHING), seed=5)))
    twins.pour(in_order(facts), random, most=300, jitter=40)
    return twins


def test_a_marketplace_in_disorder_is_that_of_the_naive_store(market: Twins) -> None:
    assert market.late > 100
    market.same()


def test_signals_of_a_marketplace_are_those_of_the_batch_whenever_they_are_asked_for(market: Twins) -> None:
    ledger = market.exported()
    market.as_filled(ledger)
    assert market.as_batch(ledger, Random(6), 120) > 300


def sent(twins: Twins, scene: Scene) -> None:
    """Sends what a scene tells, each fact by itself as soon as it is learnt."""
    for table, day, row in scene.told:
        assert twins.send({table: [dict(row) | {"at": moment(day)}]}, moment(day))


def every_asking(ledger: Ledger, question: str) -> list[tuple[str, int]]:
    """Every row that a question asks about, at each moment at which it may be asked again."""
    if ASKED[question] not in ledger.facts:
        return []
    facts = ledger.facts[ASKED[question]]
    ids = facts.strings(TABLES[ASKED[question]].key[0]).to_pylist()
    return sorted({(name, at + more) for name, at in zip(ids, facts.at.tolist(), strict=True) for more in LATER})


def says(twins: Twins, question: str, ask_id: str, day: float, signal: str) -> float | None:
    """What the store says of one signal; None where that is not known."""
    with twins.store.keys.reading() as snapshot:
        case = given.found(snapshot, question, ask_id, moment(day))
        found = float(Instant(question, [signal]).signals(snapshot, case)[0])
    return None if found != found else round(found, 4)


@pytest.mark.parametrize("scene", SCENES.values(), ids=[name.replace(" ", "_") for name in SCENES])
def test_a_scene_told_fact_by_fact_ends_as_it_is_known_to(scene: Scene, tmp_path: Path) -> None:
    twins = Twins.made(tmp_path)
    sent(twins, scene)
    assert [one for one in scene.expected if says(twins, *one[:4]) != one[4]] == []
    twins.same()
    ledger = twins.exported()
    twins.as_filled(ledger)
    for question in ASKED:
        assert list(unequal(twins.store, ledger, question, every_asking(ledger, question))) == []


def test_an_id_of_more_than_two_hundred_buyers_is_a_placeholder_that_links_nobody(tmp_path: Path) -> None:
    twins = Twins.made(tmp_path)
    links = dict.fromkeys(("instrument_id", "device_id", "login_id"), "shared")
    crowd = [order(f"o{i}", i * JUST, f"b{i}", **links)[2] for i in range(203)]
    rows = [dict(row) | {"at": moment(i * JUST)} for i, row in enumerate(crowd)]
    assert twins.send({"orders": list(rows[:150])}, moment(1))
    assert twins.send({"orders": list(rows[150:])}, moment(1))
    for signal in ("device_orders_count_ever", "device_sharers_days", "instrument_orders_count_ever"):
        known = [says(twins, "chargeback_risk", f"o{i}", i * JUST, signal) is not None for i in (199, 200, 201, 202)]
        assert known == [True, True, False, False], signal
    ledger, asks = (
        twins.exported(),
        [(f"o{i}", moment(i * JUST) + more) for i in (199, 200, 201, 202) for more in (0, 1)],
    )
    twins.as_filled(ledger)
    assert list(unequal(twins.store, ledger, "chargeback_risk", asks)) == []


def less(tables: dict[str, pa.Table], random: Random) -> dict[str, pa.Table]:
    """Tables of which some are gone with what points to them, and of others columns that need not be there."""
    found = dict[str, pa.Table]()
    for name, table in TABLES.items():
        lost = [column for column, target in table.references if not {target} & {*found, "case_kind"}]
        lost += [
            column for column, target in table.references if target == "case_kind" and not {*CASES.values()} <= {*found}
        ]
        needed = {c.name for c in table.columns if c.required}
        if name != "orders" and (random.random() < 0.2 or needed.intersection(lost)):
            continue
        gone = {c.name for c in table.columns if not c.required and random.random() < 0.4} | {*lost}
        found[name] = tables[name].drop_columns([c for c in tables[name].column_names if c in gone])
    return found


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@drawn(seed=st.integers(0, 2**32))
def test_what_a_ledger_lacks_is_unknown_until_it_is_said(seed: int) -> None:
    random = Random(seed)
    everything = dense(random, 6)
    some = Ledger.of(less(everything, random))
    with TemporaryDirectory() as folder:
        twins = Twins.made(Path(folder))
        twins.store.fill(some)
        ledger = twins.exported()
        assert ledger.facts.keys() == some.facts.keys()
        twins.as_batch(ledger, random, 8)
        lacking = set(twins.store.meta.lacks)
        there = {(one.table, one.key) for one in in_order(some)}
        more = [one for one in in_order(Ledger.of(everything)) if (one.table, one.key) not in there]
        said = set[str]()
        for one in random.sample(more, min(12, len(more))):
            with suppress(RedressError):  # what it points to is gone
                twins.store.append(told([one]), arrived=moment(600))
                said.add(one.table)
        after = twins.exported()
        twins.as_filled(after)
        twins.as_batch(after, random, 8)
        assert set(twins.store.meta.lacks) <= lacking - said


def test_a_case_that_is_not_known_or_not_yet_gets_a_sentence(tmp_path: Path) -> None:
    twins = Twins.made(tmp_path)
    sent(twins, SCENES["a buyer is new and a product was never seen"])
    with pytest.raises(RedressError, match=r"^case.ask_id: want one of disputes, got o1, of which nothing is known"):
        says(twins, "malicious_dispute", "o1", 0, "order_amount")
    with pytest.raises(
        RedressError, match=r"^case.at: want a time no earlier than the row asked about, got one before d1"
    ):
        says(twins, "malicious_dispute", "d1", -JUST, "order_amount")


def test_a_store_without_facts_has_an_empty_ledger_and_takes_only_one_filling(tmp_path: Path) -> None:
    twins = Twins.made(tmp_path)
    assert twins.store.export(tmp_path / "exported") == dict.fromkeys(TABLES, 0)
    twins.store.fill(Ledger.of(dense(Random(1), 2)))
    with pytest.raises(RedressError, match="want a store without facts, got"):
        twins.store.fill(Ledger.of(dense(Random(1), 2)))
    with pytest.raises(RedressError, match="want no store there yet, got one"):
        Store.create(twins.store.where, name="again")


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"orders": [order("o2", 4)[2]]}, r"^orders\[0\]\.at: "),
        ({"weather": [{"at": moment(1)}]}, "^weather: want a table of the ledger"),
        ({"orders": [{"order_id": "o2", "at": moment(1), "amount": -5}]}, r"^orders\[0\]\.amount: want int64 cents"),
        ({"orders": [{"order_id": "o2", "at": moment(1), "colour": "red"}]}, r"^orders\[0\]\.colour: want a column of"),
        (
            {"orders": [{"order_id": "o1", "at": moment(0), "amount": 7}]},
            r"^orders\[0\]\.order_id: want a new order_id",
        ),
        (
            {"rulings": [{"dispute_id": "d", "at": moment(1), "outcome": "settled"}]},
            r"^rulings\[0\]\.dispute_id: want on",
        ),
        (
            {"disputes": [{"dispute_id": "d", "at": moment(1), "reason": "mood"}]},
            r"^disputes\[0\]\.reason: want one of",
        ),
        (
            {"orders": [{"order_id": "\ud800", "at": moment(1)}]},
            r"^orders\[0\]\.order_id: .*, got .ud800; correct it$",
        ),
        ({"orders": [{"order_id": "o2", "at": moment(3) + 300_000_001}]}, r"^orders\[0\]\.at: want .* five minutes"),
    ],
)
def test_what_both_stores_refuse_leaves_nothing(facts: Facts, says: str, tmp_path: Path) -> None:
    twins = Twins.made(tmp_path)
    sent(twins, SCENES["a buyer is new and a product was never seen"])
    before = histories(twins.store)
    good = {"order_id": "o9", "at": moment(1), "buyer_id": "b"}
    whole = {**facts, "orders": [*facts.get("orders", ()), good]}
    if "ud800" not in says:  # the naive store keeps any text
        assert not twins.send(whole, moment(3))
    with pytest.raises(RedressError, match=says):
        twins.store.append(whole, arrived=moment(3))
    twins.same()
    assert histories(twins.store) == before
    assert twins.send({"orders": [good]}, moment(3))


def test_no_sentence_about_a_store_on_a_server_tells_its_password(postgres: Server) -> None:
    where = postgres.empty()
    assert "secret" in where
    with closing(Store.create(where, name="a" * 32)) as store:
        store.append({"buyers": [{"buyer_id": "b", "at": 1}]}, arrived=1)
        assert "secret" not in store.where
        with pytest.raises(RedressError, match="want no store there yet") as told:
            Store.create(where, name="b" * 32)
    assert "secret" not in str(told.value)
