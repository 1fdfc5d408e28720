"""Ids of persons under a key: which they are, that one key gives one name, and that no signal depends on anyone's name."""

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from features import Ledger, RedressError, signals
from features.asking import ASKED
from features.homes import digest, facts_of
from features.pseudonyms import ERASED, LEAST, PERSONAL, Key, renamed
from features.receiving import submitted
from features.store import Store
from features.tables import TABLES
from pipelines.marketplace import world
from pipelines.simulate import simulate

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))
ORDERS = ("buyer_id", "seller_id", "instrument_id", "device_id", "address_id", "email_id", "ip_id", "login_id")
PLATFORMS = (
    "order_id",
    "dispute_id",
    "chargeback_id",
    "evidence_id",
    "message_id",
    "case_id",
    "product_id",
    "block_id",
)
ORDER = {"order_id": "o1", "at": 1_000, "buyer_id": "bob", "seller_id": "sue", "amount": 5, "device_id": "phone"}
FACTS = {
    "buyers": [{"buyer_id": "bob", "at": 10}],
    "orders": [ORDER, {"order_id": "o2", "at": 2_000, "buyer_id": "bob", "seller_id": "sam", "amount": 7}],
    "blocks": [{"block_id": "k1", "at": 3_000, "kind": "seller_integrity", "seller_id": "sue"}],
}
PERSONS = ("bob", "sue", "sam", "phone")


@cache
def ledger() -> Ledger:
    tables = simulate(world("chargeback_rich", orders=300, days=150), seed=2)
    return Ledger.of({name: table for name, table in tables.items() if name != "blocks"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.create(tmp_path / "store", name="ab" * 16, key=KEY)) as made:
        yield made


def content(store: Store) -> bytes:
    """All keys and values of a store."""
    with store.keys.reading() as snapshot:
        return b"\n".join(part for entry in snapshot.span(b"\0", b"\xff" * 512) for part in entry)


def test_ids_of_persons_are_all_but_the_platform_s_own_names_of_cases_and_things() -> None:
    assert PERSONAL["orders"] == ORDERS
    assert {column for some in PERSONAL.values() for column in some} == {*ORDERS, "tracking_id", "content_hash"}
    ids = {c.name for table in TABLES.values() for c in table.columns if c.kind == "id"}
    assert ids - {*ORDERS, "tracking_id", "content_hash"} == {*PLATFORMS, "report_id", "decision_id"}


def test_a_key_gives_one_name_to_an_id_of_a_column_and_another_key_another() -> None:
    names = [key.name(column, who) for key in (KEY, OTHER) for column in ("buyer_id", "seller_id") for who in "ab"]
    assert len(set(names)) == 8
    assert Key(bytes(range(32))).name("buyer_id", "a") == names[0]
    assert {name[:9] for name in names[:4]} == {f"{KEY.mark}-"} != {f"{OTHER.mark}-"}


def test_a_name_given_before_stays_and_one_of_another_key_does_not() -> None:
    name = KEY.name("buyer_id", "a")
    assert (KEY.name("buyer_id", name), KEY.name("buyer_id", f"{ERASED}a")) == (name, f"{ERASED}a")
    assert OTHER.name("buyer_id", name).startswith(f"{OTHER.mark}-")


def test_a_key_does_not_show_its_secret() -> None:
    assert "\\x" not in repr(KEY)
    assert str(KEY.secret) not in repr(KEY)


def test_a_key_is_a_file_of_enough_bytes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(RedressError, match="want a readable file with a key, got No such file"):
        Key.read(path)
    path.write_bytes(bytes(LEAST - 1))
    with pytest.raises(RedressError, match="want a key of at least 32 random bytes, got 31"):
        Key.read(path)
    path.write_bytes(bytes(range(32)))
    assert Key.read(path) == KEY


def test_a_ledger_is_hashed_as_its_facts_are_one_by_one_and_lacks_what_it_lacked() -> None:
    plain, hashed = ledger(), KEY.ledger(ledger())
    assert (
        list(hashed.facts) == list(plain.facts) == [name for name in TABLES if name != "blocks" and name in plain.facts]
    )
    one_by_one = [renamed(one.table, one.values, KEY.name) for one in facts_of(plain)]
    assert [one.values for one in facts_of(hashed)] == one_by_one
    assert one_by_one != [one.values for one in facts_of(plain)]


def test_facts_at_the_door_are_hashed_as_those_of_a_ledger() -> None:
    told = KEY.submitted(submitted({"orders": [ORDER]}, 5_000))
    table = pa.table({name: [value] for name, value in ORDER.items()})
    table = table.set_column(1, "at", pa.array([1_000], pa.timestamp("us", "UTC")))
    assert [one.values for one in facts_of(KEY.ledger(Ledger.of({"orders": table})))] == [told[0].values]


@pytest.mark.parametrize("question", ASKED)
def test_no_signal_depends_on_what_anyone_is_called(question: str) -> None:
    plain, hashed = (signals(found, question) for found in (ledger(), KEY.ledger(ledger())))
    assert len(plain)
    pd.testing.assert_frame_equal(plain, hashed, check_exact=True)


def test_no_id_of_a_person_is_in_a_store_with_a_key(store: Store) -> None:
    assert store.append(FACTS, arrived=5_000).taken == 4
    bytes_ = content(store)
    assert not [name for name in PERSONS if name.encode() in bytes_ or digest(name) in bytes_]
    assert all(name.encode() in bytes_ for name in ("o1", "o2", "k1", KEY.name("buyer_id", "bob")))


def test_what_is_told_again_is_recognised_under_a_key(store: Store) -> None:
    store.append(FACTS, arrived=5_000)
    assert (store.append(FACTS, arrived=6_000).taken, store.append(FACTS, arrived=7_000).repeated) == (0, 4)
    with pytest.raises(RedressError, match="want a new order_id"):
        store.append({"orders": [ORDER | {"buyer_id": "eve"}]}, arrived=8_000)


@pytest.mark.parametrize(("key", "got"), [(None, "got none"), (OTHER, "got another")])
def test_facts_come_in_by_the_store_s_own_key_alone(store: Store, key: Key | None, got: str) -> None:
    with closing(Store.open(store.where, key=key)) as opened, pytest.raises(RedressError, match=got):
        opened.append(FACTS, arrived=5_000)


def test_a_store_without_a_key_wants_none(tmp_path: Path) -> None:
    with closing(Store.create(tmp_path / "plain", name="cd" * 16)) as made:
        made.append(FACTS, arrived=5_000)
    with closing(Store.open(tmp_path / "plain", key=KEY)) as opened, pytest.raises(RedressError, match="want no key"):
        opened.append(FACTS, arrived=6_000)


def test_a_store_filled_under_a_key_holds_what_one_that_was_told_holds(store: Store, tmp_path: Path) -> None:
    store.append(FACTS, arrived=5_000)
    plain = Store.create(tmp_path / "plain", name="cd" * 16)
    plain.append(FACTS, arrived=5_000)
    with closing(plain), closing(Store.create(tmp_path / "filled", name="ef" * 16, key=KEY)) as filled:
        filled.fill(plain.ledger())
        told, held = (sorted((one.table, one.values) for one in of.facts()) for of in (store, filled))
    assert told == held


def test_an_export_comes_back_under_its_key(store: Store, tmp_path: Path) -> None:
    store.append(FACTS, arrived=5_000)
    store.export(tmp_path / "ledger")
    with closing(Store.create(tmp_path / "again", name="cd" * 16, key=KEY)) as again:
        again.fill(Ledger.open(tmp_path / "ledger"))
        assert again.append(FACTS, arrived=6_000).repeated == 4
