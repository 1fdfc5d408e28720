"""The naive store follows the rules of the online store, worked out by hand: retries, lateness, clocks and references."""

from collections.abc import Mapping, Sequence

import pytest
from naive_store import Appended, NaiveStore

from features import RedressError

DAY = 86_400_000_000
HOUR = DAY // 24
Facts = dict[str, Sequence[Mapping[str, object]]]


def hour(n: float) -> str:
    """The n-th hour of 1970."""
    return f"1970-01-{1 + int(n // 24):02d}T{int(n % 24):02d}:{int(n * 60 % 60):02d}:00Z"


def order(name: str, n: float, **more: object) -> dict[str, object]:
    return {"order_id": name, "at": hour(n), "buyer_id": "b", "seller_id": "s", "amount": 500} | more


def dispute(name: str, n: float, about: str) -> dict[str, object]:
    return {"dispute_id": name, "at": hour(n), "order_id": about, "reason": "quality", "claimed": 500}


def message(n: float, **more: object) -> dict[str, object]:
    return {"order_id": "o1", "at": hour(n), "sender": "buyer", "kind": "text"} | more


@pytest.fixture
def store() -> NaiveStore:
    """One order of ten o'clock."""
    found = NaiveStore()
    found.append({"orders": [order("o1", 10)]}, arrived=10 * HOUR)
    return found


def test_a_retry_adds_nothing_and_counts_as_repeated(store: NaiveStore) -> None:
    again = {"orders": [order("o1", 10), order("o2", 11)]}
    assert store.append(again, arrived=11 * HOUR) == Appended(1, 1, 0)
    assert store.append(again, arrived=12 * HOUR) == Appended(0, 2, 0)
    assert len(store.ledger().facts["orders"]) == 2


def test_a_retry_may_write_the_same_moment_in_another_zone_and_what_is_unknown_as_null(store: NaiveStore) -> None:
    same = order("o1", 10) | {"at": "1970-01-01T12:00:00+02:00", "product_id": None}
    assert store.append({"orders": [same]}, arrived=11 * HOUR) == Appended(0, 1, 0)


def test_the_same_key_with_other_content_refuses_the_whole_batch(store: NaiveStore) -> None:
    with pytest.raises(RedressError, match=r"^orders\[1\].order_id: want a new order_id, got that of another fact"):
        store.append({"orders": [order("o2", 11), order("o1", 10, amount=501)]}, arrived=11 * HOUR)
    assert len(store.ledger().facts["orders"]) == 1
    assert store.append({"orders": [order("o2", 11)]}, arrived=11 * HOUR).taken == 1


def test_messages_without_a_name_are_recognised_by_their_request(store: NaiveStore) -> None:
    two: Facts = {"messages": [message(11), message(11)]}
    assert store.append(two, arrived=11 * HOUR, request="r1") == Appended(2, 0, 0)
    assert store.append(two, arrived=12 * HOUR, request="r1") == Appended(0, 2, 0)
    assert store.append(two, arrived=11 * HOUR, request="r2") == Appended(2, 0, 0)
    assert store.append(two, arrived=11 * HOUR) == Appended(2, 0, 0)
    with pytest.raises(RedressError, match="give it another key"):
        store.append({"messages": [message(11)]}, arrived=12 * HOUR, request="r1")


def test_a_late_fact_counts_from_its_arrival_and_tells_when_it_happened(store: NaiveStore) -> None:
    assert store.append({"orders": [order("o2", 9)]}, arrived=11 * HOUR) == Appended(1, 0, 1)
    late = store.stored["orders"][1]
    assert (late["at"], late["happened_at"]) == (11 * HOUR, 9 * HOUR)
    assert store.append({"orders": [order("o2", 9)]}, arrived=12 * HOUR) == Appended(0, 1, 0)


def test_a_late_fact_that_arrives_by_a_slow_clock_counts_from_the_watermark_and_keeps_its_own_moment(
    store: NaiveStore,
) -> None:
    store.append({"orders": [order("o2", 9, happened_at=hour(8))]}, arrived=9 * HOUR + HOUR // 2)
    late = store.stored["orders"][1]
    assert (late["at"], late["happened_at"]) == (10 * HOUR, 8 * HOUR)


def test_a_fact_at_the_watermark_is_not_late(store: NaiveStore) -> None:
    assert store.append({"orders": [order("o2", 10)]}, arrived=11 * HOUR).late == 0


def test_a_batch_is_taken_in_order_of_time_whatever_its_own_order(store: NaiveStore) -> None:
    told = store.append({"disputes": [dispute("d", 12, "o2")], "orders": [order("o2", 11)]}, arrived=12 * HOUR)
    assert told == Appended(2, 0, 0)
    assert store.watermark == 12 * HOUR


def test_what_follows_a_late_fact_in_its_batch_is_late_too(store: NaiveStore) -> None:
    told = store.append({"orders": [order("o2", 9)], "disputes": [dispute("d", 11, "o2")]}, arrived=12 * HOUR)
    assert told == Appended(2, 0, 2)
    assert [store.stored[name][-1]["at"] for name in ("orders", "disputes")] == [12 * HOUR, 12 * HOUR]
    assert len(store.ledger().bad["disputes"]) == 0


def test_a_decision_moves_the_watermark(store: NaiveStore) -> None:
    store.keep({"decision_id": "x", "at": hour(12)})
    assert store.append({"orders": [order("o2", 11)]}, arrived=13 * HOUR).late == 1
    assert store.decision("x") is not None
    assert store.decision("y") is None


def test_late_facts_of_one_key_but_for_their_moment_stay_two(store: NaiveStore) -> None:
    two = [{"order_id": "o1", "at": hour(n), "carrier": "c"} for n in (10, 10.5)]
    store.append({"orders": [order("o2", 11)]}, arrived=11 * HOUR)
    store.append({"shipments": two}, arrived=12 * HOUR)
    assert [row["at"] for row in store.stored["shipments"]] == [12 * HOUR, 12 * HOUR + 1]
    assert len(store.ledger().facts["shipments"]) == 2


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"orders": [order("o2", 11.1)]}, r"^orders\[0\]\.at: want no more than five minutes after it arrived"),
        ({"orders": [order("o2", 11), order("o3", 11, amount=-5)]}, r"^orders\[1\]\.amount: want int64 cents"),
        ({"orders": [order("o2", 11, amount=True)]}, r"^orders\[0\]\.amount: want int64 cents"),
        ({"orders": [order("o2", 11, colour="red")]}, r"^orders\[0\]\.colour: want a column of orders"),
        ({"orders": [order("o2", 11) | {"at": "1970-01-01T11:00:00"}]}, r"^orders\[0\]\.at: .*add the zone"),
        ({"orders": [order("o2", 11) | {"at": "2100-01-01T00:00:00Z"}]}, r"^orders\[0\]\.at: want a time from 1970"),
        ({"orders": [{"order_id": "o2", "at": None}]}, r"^orders\[0\]\.at: want time, got nothing"),
        ({"weather": [{}]}, "^weather: want a table of the ledger"),
        ({"disputes": [dispute("d", 11, "o2")]}, r"^disputes\[0\]\.order_id: want one of orders known by then, got o2"),
        ({"disputes": [dispute("d", 11, "o1") | {"reason": "mood"}]}, r"^disputes\[0\]\.reason: want one of not_rec"),
    ],
)
def test_what_no_ledger_would_take_is_refused_with_table_row_and_field(
    store: NaiveStore, facts: Facts, says: str
) -> None:
    with pytest.raises(RedressError, match=says):
        store.append(facts, arrived=11 * HOUR)
    assert store.watermark == 10 * HOUR


def test_five_minutes_ahead_are_allowed(store: NaiveStore) -> None:
    assert store.append({"orders": [order("o2", 11 + 5 / 60)]}, arrived=11 * HOUR).taken == 1


def test_an_id_of_two_tables_needs_its_kind(store: NaiveStore) -> None:
    store.append({"disputes": [dispute("o1", 11, "o1")]}, arrived=11 * HOUR)
    proof = {"evidence_id": "e", "at": hour(12), "case_id": "o1", "party": "buyer", "kind": "product_photo"}
    with pytest.raises(RedressError, match=r"^evidence\[0\]\.case_kind: want it where a case_id is in orders and disp"):
        store.append({"evidence": [proof]}, arrived=12 * HOUR)
    store.append({"evidence": [proof | {"case_kind": "dispute"}]}, arrived=12 * HOUR)
    assert len(store.ledger().facts["evidence"]) == 1
