"""The store takes, refuses and keeps what the naive store does, fact by fact, whatever comes and in whichever order."""

import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_service import HOUR, hour
from naive_store import NaiveStore
from odd import nearly

from features import Ledger, RedressError
from features.store import Store
from features.tables import TABLES

Facts = Mapping[str, Sequence[Mapping[str, object]]]
POOLS = {
    "order_id": "o",
    "dispute_id": "d",
    "chargeback_id": "c",
    "block_id": "b",
    "report_id": "r",
    "case_id": "odc",
    "evidence_id": "e",
    "message_id": "m",
    "decision_id": "x",
}
"""The first letters of ids, by column: few of each point, so that they meet, and more are keys."""
OFTEN = ("orders", "orders", "disputes", "chargebacks", "messages", "shipments", "evidence", "rulings", "blocks")


def fact(draw: random.Random, name: str) -> dict[str, object]:
    """A fact of a table that points to one of few others."""
    told = nearly(draw, name)
    for column, letters in POOLS.items():
        if column in told:
            many = 40 if TABLES[name].key == (column,) else 4
            told[column] = f"{draw.choice(letters)}{draw.randrange(many)}"
    if "case_kind" in told:
        told["case_kind"] = {"o": "order", "d": "dispute", "c": "chargeback"}[str(told["case_id"])[0]]
    for declared in TABLES[name].columns:
        if declared.kind == "time" and declared.name in told:
            told[declared.name] = hour(draw.randrange(10, 30))
    return told


FIRST: Facts = {
    "orders": [
        {"order_id": f"o{i}", "at": hour(i), "buyer_id": f"x{i % 2}", "seller_id": "x", "amount": i} for i in range(4)
    ],
    "disputes": [{"dispute_id": f"d{i}", "at": hour(5), "order_id": f"o{i}", "reason": "quality"} for i in range(4)],
    "chargebacks": [{"chargeback_id": f"c{i}", "at": hour(6), "order_id": f"o{i}", "amount": i} for i in range(4)],
    "blocks": [{"block_id": f"b{i}", "at": hour(7), "order_id": f"o{i}", "kind": "chargeback"} for i in range(4)],
    "reports": [{"report_id": f"r{i}", "at": hour(8), "order_id": f"o{i}"} for i in range(4)],
}
"""What most of the others point to."""


def batches(seed: int) -> list[tuple[Facts, int, str]]:
    """Batches of facts, when each arrived, and with which key; some come again, as they were or changed."""
    draw = random.Random(seed)
    found: list[tuple[Facts, int, str]] = [(FIRST, 9 * HOUR, "")] if seed % 4 else []
    for i in range(draw.randrange(1, 9)):
        if found and draw.random() < 0.25:
            facts, _, key = draw.choice(found)
        else:
            names = [draw.choice((*OFTEN, *TABLES)) for _ in range(draw.randrange(1, 3))]
            facts = {name: [fact(draw, name) for _ in range(draw.randrange(1, 3))] for name in dict.fromkeys(names)}
            key = draw.choice(("", "k1", "k2"))
        found.append((facts, (28 + i) * HOUR + draw.randrange(HOUR), key))
    return found


def outcome(store: Store | NaiveStore, facts: Facts, arrived: int, key: str) -> tuple[int, int, int] | str:
    """How many facts were taken, were there before and came late; or that they were refused, for one of their faults."""
    try:
        found = store.append(facts, arrived=arrived, request=key)
    except RedressError:
        return "refused"
    return found.taken, found.repeated, found.late


def rows(ledger: Ledger) -> dict[str, list[dict[str, object]]]:
    """What each table of a ledger says, without what is unknown."""
    found = dict[str, list[dict[str, object]]]()
    for name, source in ledger.sources.items():
        assert len(ledger.bad[name]) == 0, ledger.bad[name].reasons().tolist()
        some = source.take(np.arange(source.rows)).to_pylist()
        known = [{column: told for column, told in row.items() if told is not None} for row in some]
        if known:
            found[name] = sorted(known, key=lambda row: repr(sorted(row.items())))
    return found


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_the_store_takes_and_keeps_what_the_naive_store_does(seed: int) -> None:
    plain = NaiveStore()
    with (
        TemporaryDirectory(prefix="redress-") as folder,
        closing(Store.create(Path(folder) / "store", name="0" * 32)) as store,
    ):
        for facts, arrived, key in batches(seed):
            assert outcome(store, facts, arrived, key) == outcome(plain, facts, arrived, key)
        if plain.stored["orders"]:
            store.export(Path(folder) / "ledger")
            assert rows(Ledger.open(Path(folder) / "ledger")) == rows(plain.ledger())


def test_batches_are_taken_and_refused_and_come_late_and_again() -> None:
    seen = dict.fromkeys(("taken", "repeated", "late", "refused"), 0)
    for seed in range(300):
        plain = NaiveStore()
        for facts, arrived, key in batches(seed):
            told = outcome(plain, facts, arrived, key)
            if isinstance(told, str):
                seen["refused"] += 1
            else:
                for name, count in zip(seen, told, strict=False):
                    seen[name] += count
    assert min(seen.values()) > 100, seen


@pytest.mark.parametrize("again", [False, True])
def test_a_store_that_was_closed_and_opened_again_goes_on(tmp_path: Path, again: bool) -> None:
    plain, place = NaiveStore(), tmp_path / "store"
    store = Store.create(place, name="0" * 32)
    for facts, arrived, key in batches(7):
        assert outcome(store, facts, arrived, key) == outcome(plain, facts, arrived, key)
        if again:
            store.close()
            store = Store.open(place)
    store.close()
