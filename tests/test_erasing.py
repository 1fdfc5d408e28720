"""One buyer made nobody: nothing of his names is left, and what others' histories say stays as it was."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from naive import Row, tables

from features import Ledger, RedressError, given, signals
from features.asking import ASKED
from features.decisions import FIRST
from features.homes import digest, facts_of, home
from features.instant import Instant
from features.kernel import HOUR
from features.meta import MARK
from features.pages import unpacked
from features.pseudonyms import ERASED, PERSONAL, Key
from features.shelves import SHAPES, SHELVES
from features.store import Store
from models.records import EMPTIED, Grounds, Record, chained, following, is_erased, record
from models.records import opened as record_at
from models.refunds import Case, Refunds, Scores, decide
from pipelines.marketplace import world
from pipelines.simulate import simulate

SECRET = bytes(range(32))
HIS_OWN = ("buyer_id", "instrument_id", "device_id", "address_id", "email_id", "ip_id", "login_id", "tracking_id")
LINKS = ("instrument", "device", "address", "email", "ip", "content")
"""What begins the names of signals that tell who else had used something."""
Histories = Mapping[tuple[str, bytes], list[tuple[int, int, tuple[int, ...]]]]
BOB = {"buyer_id": "bob", "device_id": "tablet", "address_id": "street", "ip_id": "home", "instrument_id": "card"}
ANN = {"buyer_id": "ann", "device_id": "tablet", "address_id": "avenue", "ip_id": "work", "instrument_id": "purse"}
FACTS: dict[str, list[dict[str, object]]] = {
    "buyers": [{"buyer_id": "bob", "at": 5}, {"buyer_id": "ann", "at": 6}],
    "tiers": [{"buyer_id": "bob", "at": 900, "tier": "manual", "reason": "x"}],
    "orders": [
        {"order_id": "o1", "at": 100, "seller_id": "s", "amount": 500, **BOB},
        {"order_id": "o2", "at": 200, "seller_id": "s", "amount": 600, **BOB},
        {"order_id": "o3", "at": 300, "seller_id": "s", "amount": 700, **ANN},
    ],
    "shipments": [{"order_id": "o1", "at": 150, "tracking_id": "parcel"}],
    "disputes": [
        {"dispute_id": f"d{i}", "at": 400 + i, "order_id": f"o{i}", "reason": "quality", "claimed": 9}
        for i in (1, 2, 3)
    ],
    "evidence": [
        {"evidence_id": "e1", "case_id": "d1", "at": 500, "party": "buyer", "kind": "other", "content_hash": "selfie"},
        {"evidence_id": "e2", "case_id": "d2", "at": 510, "party": "buyer", "kind": "other", "content_hash": "shared"},
        {"evidence_id": "e3", "case_id": "d3", "at": 520, "party": "buyer", "kind": "other", "content_hash": "shared"},
        {"evidence_id": "e4", "case_id": "d1", "at": 530, "party": "seller", "kind": "other", "content_hash": "paper"},
    ],
}
GONE = ("bob", "street", "home", "card", "selfie", "parcel")
"""His names that are nobody else's; the tablet is Ann's too, and she had shown the same picture."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.create(tmp_path / "store", name="ab" * 16)) as made:
        made.append(FACTS, arrived=1_000)
        yield made


@cache
def ledger(seed: int) -> Ledger:
    return Ledger.of(simulate(world("chargeback_rich", orders=400, days=200, orders_per_buyer=6.0), seed=seed))


@pytest.fixture(scope="module", params=[1, 2])
def erased(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Store, Ledger, str]]:
    """A store from which a busy buyer was erased, the ledger that it was filled with, and who that was."""
    found = ledger(request.param)
    with closing(Store.create(tmp_path_factory.mktemp("store") / "s", name="ab" * 16)) as made:
        made.fill(found)
        who = disputing(found)
        made.erase(who, SECRET)
        yield made, found, who


def disputing(found: Ledger) -> str:
    """The buyer with the most disputes, of whom something was shown."""
    orders = found.facts["orders"].strings("buyer_id").take(found.facts["disputes"].points["orders"])
    return str(Counter(orders.to_pylist()).most_common(1)[0][0])


def rows(store: Store) -> Histories:
    """All rows of all histories, by kind and entity."""
    kinds, found = (
        {first: name for name, first in SHELVES.items()},
        dict[tuple[str, bytes], list[tuple[int, int, tuple[int, ...]]]](),
    )
    with store.keys.reading() as snapshot:
        for key, page in snapshot.span(b"h", b"i"):
            kind = kinds[key[:2]]
            read, start = unpacked(SHAPES[kind], page).rows, SHAPES[kind].start
            values = iter(read.values.tolist())
            for at, stream in zip(read.at.tolist(), read.stream.tolist(), strict=True):
                more = tuple(next(values) for _ in range(int(start[stream + 1] - start[stream])))
                found.setdefault((kind, key[2:18]), []).append((at, stream, more))
    return {key: sorted(some) for key, some in found.items()}


def content(store: Store) -> bytes:
    """All keys and values of facts, histories and decisions."""
    parts = []
    for keys in (store.keys, store.decisions.keys):
        with keys.reading() as snapshot:
            parts += [part for entry in snapshot.span(b"\0", b"\xff" * 512) for part in entry]
    return b"\n".join(parts)


def left(store: Store, names: Iterable[str]) -> list[str]:
    """Which of some names, or of their digests, are anywhere in a store."""
    told = content(store)
    return [name for name in names if name.encode() in told or digest(name) in told]


def ids_of(found: Ledger, who: str) -> set[str]:
    """The ids in his orders, parcels and evidence that are in nobody else's."""
    facts = list(facts_of(found))
    order_of = {str(one["order_id"]): str(one["buyer_id"]) for one in facts if one.table == "orders"}
    cases = {str(one.values[0]): str(one["order_id"]) for one in facts if one.table in ("disputes", "chargebacks")}
    his, others = set[str](), set[str]()
    for one in facts:
        if one.table in ("sellers", "listings", "blocks"):
            continue
        order = one["case_id"] if one.table == "evidence" else one["order_id"] if one.table == "shipments" else None
        owner = (
            str(one["buyer_id"])
            if order is None and PERSONAL[one.table]
            else order_of.get(cases.get(str(order), str(order)))
        )
        names = {
            str(one[column]) for column in PERSONAL[one.table] if column != "seller_id" and one[column] is not None
        }
        showing = one.table == "evidence" and one["party"] != "buyer"
        (his if owner == who and not showing else others).update(names)
    return his - others


def test_nothing_of_his_own_names_is_left_in_any_byte(store: Store) -> None:
    assert left(store, (*GONE, "tablet", "shared", "paper")) == [*GONE, "tablet", "shared", "paper"]
    store.erase("bob", SECRET)
    assert left(store, (*GONE, "tablet", "shared", "paper")) == ["tablet", "shared", "paper"]


def test_nothing_of_his_own_names_is_left_of_a_marketplace(erased: tuple[Store, Ledger, str]) -> None:
    store, before, who = erased
    names = ids_of(before, who)
    assert {who} < names
    assert left(store, names) == []


def test_his_orders_stay_one_buyer_s_under_a_name_that_no_other_store_gives(store: Store) -> None:
    told = store.erase("bob", SECRET)
    assert (told.orders, told.records) == (2, 0)
    orders = {one.text("order_id"): one for one in store.facts() if one.table == "orders"}
    fresh = orders["o1"].text("buyer_id")
    assert orders["o2"].text("buyer_id") == fresh
    assert fresh is not None
    assert fresh.startswith(ERASED)
    assert {one.text("buyer_id") for one in store.facts() if one.table in ("buyers", "tiers")} == {fresh, "ann"}
    assert store.erase(fresh, bytes(32)).orders == 2
    assert left(store, [fresh]) == []


def test_fresh_names_are_of_the_secret_alone(tmp_path: Path) -> None:
    names = []
    for i, secret in enumerate((SECRET, SECRET, bytes(32))):
        with closing(Store.create(tmp_path / str(i), name="ab" * 16)) as made:
            made.append(FACTS, arrived=1_000)
            made.erase("bob", secret)
            names.append({one.text("buyer_id") for one in made.facts() if one.table == "tiers"})
    assert names[0] == names[1] != names[2]


def test_a_thing_that_he_shared_loses_him_and_a_picture_that_others_showed_keeps_its_name(store: Store) -> None:
    store.erase("bob", SECRET)
    facts = list(store.facts())
    devices = {one.text("order_id"): str(one["device_id"]) for one in facts if one.table == "orders"}
    assert (devices["o3"], devices["o1"] == devices["o2"] != "tablet") == ("tablet", True)
    shown = {one.text("evidence_id"): str(one["content_hash"]) for one in facts if one.table == "evidence"}
    assert (shown["e2"], shown["e3"], shown["e4"]) == ("shared", "shared", "paper")
    assert shown["e1"].startswith(ERASED)


def test_who_used_the_same_tablet_is_alone_with_it_afterwards(store: Store) -> None:
    def users() -> float:
        found = signals(store.ledger(), "dispute_outcome").set_index("ask_id")["device_buyers_met_ever"]
        return float(found.to_dict()["d3"])

    before = users()
    store.erase("bob", SECRET)
    assert (before, users()) == (2, 1)


def test_the_store_holds_what_its_export_fills_another_with(erased: tuple[Store, Ledger, str], tmp_path: Path) -> None:
    store, before, _ = erased
    store.export(tmp_path / "ledger")
    again = Ledger.open(tmp_path / "ledger")
    assert sum(map(len, again.bad.values())) == 0
    assert {name: len(of) for name, of in again.facts.items()} == {name: len(of) for name, of in before.facts.items()}
    with closing(Store.create(tmp_path / "again", name="cd" * 16)) as filled:
        filled.fill(again)
        assert rows(store) == rows(filled)


def test_windows_over_a_history_of_many_pages_are_those_of_what_is_left(tmp_path: Path) -> None:
    orders: list[Row] = [
        {
            "order_id": f"o{i}",
            "at": i * HOUR,
            "buyer_id": "bob" if i in (3, 4, 300) else f"b{i % 30}",
            "seller_id": "s",
            "amount": 100 + i,
            "device_id": "kiosk",
        }
        for i in range(900)
    ]
    with closing(Store.create(tmp_path / "kiosk", name="ab" * 16)) as made:
        made.fill(Ledger.of(tables({"orders": orders})))
        made.erase("bob", SECRET)
        found = signals(made.ledger(), "chargeback_risk").set_index("ask_id")
        names = [name for name in found.columns if name.startswith("device_")]
        told = Instant("chargeback_risk", names)
        asked = [f"o{i}" for i in (5, 8, 250, 500, 640, 899)]
        with made.keys.reading() as snapshot:
            first = SHELVES["device"] + digest("kiosk")
            assert len(list(snapshot.span(first, first + b"\xff" * 40))) > 3
            rows = [
                told.signals(snapshot, given.found(snapshot, "chargeback_risk", one, int(one[1:]) * HOUR))
                for one in asked
            ]
    assert found.loc["o899", "device_orders_count_ever"] == 899 - 3
    np.testing.assert_array_equal(np.array(rows), found.loc[asked, names].to_numpy(np.float32))


def test_histories_of_all_but_buyers_and_what_links_them_are_as_they_were(
    erased: tuple[Store, Ledger, str], tmp_path: Path
) -> None:
    store, before, _ = erased
    with closing(Store.create(tmp_path / "before", name="cd" * 16)) as filled:
        filled.fill(before)
        was, now = rows(filled), rows(store)
    changed = {kind for kind, whose in {*was, *now} if was.get((kind, whose)) != now.get((kind, whose))}
    assert {"buyer", "buyer_seller", "device"} <= changed <= {"buyer", "buyer_seller", "login", *LINKS}


@pytest.mark.parametrize("question", ASKED)
def test_signals_are_as_they_were_but_for_what_shared_things_told_of_him(
    erased: tuple[Store, Ledger, str], question: str
) -> None:
    store, before, who = erased
    was, now = (signals(found, question).set_index("ask_id") for found in (before, store.ledger()))
    now = now.loc[was.index, was.columns]
    orders = before.facts["orders"]
    his = {
        name
        for name, buyer in zip(
            orders.strings("order_id").to_pylist(), orders.strings("buyer_id").to_pylist(), strict=True
        )
        if buyer == who
    }
    assert his
    same = (was == now) | (was.isna() & now.isna())
    changed = same.columns[~same.all()]
    assert [name for name in changed if not name.startswith(LINKS)] == []
    pd.testing.assert_frame_equal(was.drop(columns=changed), now.drop(columns=changed), check_exact=True)


def test_what_is_told_of_him_again_is_recognised_and_does_not_bring_him_back(store: Store) -> None:
    store.erase("bob", SECRET)
    again = {name: some for name, some in FACTS.items() if name not in ("buyers", "tiers")}
    told = store.append(again, arrived=2_000)
    assert (told.taken, told.repeated) == (0, 11)
    assert left(store, GONE) == []


def test_a_fact_under_the_name_of_an_old_one_is_still_refused(store: Store) -> None:
    store.erase("bob", SECRET)
    order = FACTS["orders"][0]
    for other in ({"amount": 501}, {"seller_id": "other"}, {"device_id": None}):
        with pytest.raises(RedressError, match="want a new order_id, got that of another fact"):
            store.append({"orders": [order | other]}, arrived=2_000)


def test_who_registers_anew_has_no_history(store: Store) -> None:
    store.erase("bob", SECRET)
    assert store.append({"buyers": [{"buyer_id": "bob", "at": 5}]}, arrived=2_000).late == 1
    facts, records = store.of_buyer("bob")
    assert ([one.table for one in facts], records) == (["buyers"], [])


def test_what_comes_later_about_his_cases_is_taken(store: Store, tmp_path: Path) -> None:
    store.erase("bob", SECRET)
    later: dict[str, list[dict[str, object]]] = {
        "rulings": [{"dispute_id": "d1", "at": 1_100, "outcome": "refused"}],
        "chargebacks": [{"chargeback_id": "c2", "at": 1_200, "order_id": "o2", "amount": 600}],
    }
    assert store.append(later, arrived=2_000).taken == 2
    store.export(tmp_path / "ledger")
    with closing(Store.create(tmp_path / "again", name="cd" * 16)) as filled:
        filled.fill(Ledger.open(tmp_path / "ledger"))
        assert rows(store) == rows(filled)


def test_an_erasure_that_fails_leaves_him_whole(store: Store) -> None:
    first = SHELVES["device"] + digest("tablet")
    with store.keys.writing() as batch:
        batch.delete([key for key, _ in batch.span(first, first + b"\xff" * 40)])
    before = content(store)
    with pytest.raises(AssertionError, match="rows to remove are not in these pages"):
        store.erase("bob", SECRET)
    assert content(store) == before


def test_nobody_is_erased_by_a_name_that_is_not_there(store: Store) -> None:
    with pytest.raises(RedressError, match="want a buyer of whom something is known, got eve"):
        store.erase("eve", SECRET)
    store.erase("bob", SECRET)
    with pytest.raises(RedressError, match="got bob"):
        store.erase("bob", SECRET)


def test_a_buyer_without_orders_is_erased_too(store: Store) -> None:
    store.append({"buyers": [{"buyer_id": "eve", "at": 1_500}]}, arrived=2_000)
    told = store.erase("eve", SECRET)
    assert (told.orders, told.facts) == (0, 1)
    assert left(store, ["eve"]) == []


def test_a_buyer_is_erased_by_his_own_id_where_the_store_has_a_key(tmp_path: Path) -> None:
    with closing(Store.create(tmp_path / "keyed", name="ab" * 16, key=Key(bytes(32)))) as keyed:
        keyed.append(FACTS, arrived=1_000)
        name = Key(bytes(32)).name("buyer_id", "bob")
        assert left(keyed, ["bob", name]) == [name]
        assert keyed.erase("bob", SECRET).orders == 2
        assert left(keyed, ["bob", name]) == []
        assert keyed.append({"orders": FACTS["orders"]}, arrived=2_000).repeated == 3


def made(i: int) -> Record:
    """A record about a dispute, the first of a chain."""
    case, scores = Case(f"d{i}", f"o{i}", 600 + i, "quality", 9), Scores(0.1 * i, parts={"buyer_part": -2.0})
    grounds = Grounds("ab" * 16, {"malicious_dispute": "cd" * 16}, "default", "ef" * 8)
    return record(case, scores, decide(case, scores, Refunds()), Refunds(), grounds, previous=FIRST)


def decided(store: Store) -> list[str]:
    """Keeps a record about each dispute; the ids of these."""
    kept = [store.decisions.keep("w", made(i), f"o{i}", following) for i in (1, 2, 3)]
    return [str(one["decision_id"]) for one in kept if one is not None]


def test_the_records_of_his_cases_are_emptied_and_the_chain_holds(store: Store) -> None:
    names = decided(store)
    before = list(store.decisions.chain("w"))
    rows_before = [one for _, one in store.decisions.facts()]
    assert store.erase("bob", SECRET).records == 2
    after = list(store.decisions.chain("w"))
    assert [is_erased(one) for one in after] == [True, True, False]
    assert [Draft202012Validator(EMPTIED).is_valid(one) for one in after] == [True, True, False]
    assert [(one["hash"], one["previous"]) for one in after] == [(one["hash"], one["previous"]) for one in before]
    assert list(chained(after)) == []
    assert after[2] == before[2]
    assert not {"probabilities", "parts", "reasons", "costs", "inputs"} & after[0].keys()
    assert store.decision(names[0]) == after[0]
    assert [one for _, one in store.decisions.facts()] == rows_before


def test_a_decision_that_rests_on_what_was_erased_meanwhile_is_not_kept(store: Store) -> None:
    with store.keys.reading() as snapshot:
        seen = (MARK, snapshot.many([MARK])[0])
    store.erase("bob", SECRET)
    assert store.decisions.keep("w", made(1), "o1", following, seen) is None
    with store.keys.reading() as snapshot:
        assert store.decisions.keep("w", made(1), "o1", following, (MARK, snapshot.many([MARK])[0])) == made(1)
    with closing(Store.open(store.where)) as again:
        assert again.meta.erasures == 1


def test_a_decision_made_again_is_what_is_left_of_its_record(store: Store) -> None:
    decided(store)
    store.erase("bob", SECRET)
    assert decided(store) == [str(one["decision_id"]) for one in store.decisions.chain("w")]
    assert [is_erased(one) for one in store.decisions.chain("w")] == [True, True, False]


def test_a_chain_shows_what_was_taken_out_or_edited_beside_erased_records(store: Store) -> None:
    decided(store)
    store.erase("bob", SECRET)
    one, two, three = store.decisions.chain("w")
    assert "one was taken out" in next(chained([one, three]))
    assert "it was edited" in next(chained([one, two, {**three, "action": "refuse"}]))
    assert "it was edited" in next(chained([{**one, "amount": 5}, two, three]))
    with pytest.raises(RedressError, match="got one that was erased"):
        record_at(json.dumps(one), "here")


def test_all_that_is_held_of_a_buyer_is_his_and_nobody_else_s(store: Store) -> None:
    names = decided(store)
    facts, records = store.of_buyer("bob")
    told = Counter(one.table for one in facts)
    assert told == {
        **{"buyers": 1, "tiers": 1, "orders": 2, "shipments": 1, "disputes": 2, "evidence": 3, "decisions": 2}
    }
    assert [one["decision_id"] for one in records] == names[:2]
    assert not any(name in str(facts) + str(records) for name in ("ann", "avenue", "'o3'", "'d3'"))
    with pytest.raises(RedressError, match="got eve"):
        store.of_buyer("eve")


def test_homes_are_those_of_his_new_name(store: Store) -> None:
    store.erase("bob", SECRET)
    fresh = next(str(one["buyer_id"]) for one in store.facts() if one.table == "tiers")
    with store.keys.reading() as snapshot:
        assert [kept is None for kept in snapshot.many([home("buyer", "bob"), home("buyer", fresh)])] == [True, False]
