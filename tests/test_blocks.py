"""Blocks by hand: what each kind asks for, by when, and which are open as of a time."""

from dataclasses import replace

import naive
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import Ledger, RedressError
from features.kernel import DAY, HOUR
from features.tables import CAUSES, EVIDENCE, TABLES
from models.blocks import DEMANDS, Block, Blocks, demand, open_blocks, required
from models.sections import described, read

BLOCKS = Blocks()
RISKY = Block(block_id="k", kind="risk_address", at=10 * DAY, order_id="o")
BANK = replace(RISKY, kind="chargeback")
DOUBT = replace(RISKY, kind="seller_integrity", cause="counterfeit", order_id=None, seller_id="s")


def vocabulary(column: str) -> tuple[str, ...]:
    found = TABLES["blocks"].column(column)
    assert found is not None
    return found.vocabulary


def test_every_kind_and_cause_of_the_ledger_asks_for_something_that_is_declared() -> None:
    assert {one.kind for one in DEMANDS} == {*vocabulary("kind"), None}
    for kind in vocabulary("kind"):
        for cause in (*vocabulary("cause"), None):
            asked = demand(kind, cause)
            assert asked.kind == kind
            assert asked.items
            assert set(asked.items) <= set(EVIDENCE)
            assert asked.words
            assert asked.then
            assert asked.source
    assert demand(None, None).words


@pytest.mark.parametrize(
    ("cause", "item"),
    [
        ("counterfeit", "brand_authorisation"),
        ("description", "listing_copy"),
        ("quality", "product_photo"),
        ("false_transactions", "tracking"),
        ("other", "correspondence"),
        (None, "correspondence"),
    ],
)
def test_a_seller_s_integrity_is_asked_about_by_cause(cause: str | None, item: str) -> None:
    asked = required(replace(DOUBT, cause=cause), 99 * DAY, BLOCKS)
    assert asked.items[0] == item
    assert asked.then == "Orders stay frozen until an appeal succeeds; nothing is shipped or paid out before."
    assert (asked.deadline, asked.overdue, asked.local) == (None, False, "none, until an appeal succeeds")


def test_each_declared_cause_asks_for_something_else() -> None:
    asked = [demand("seller_integrity", cause) for cause in CAUSES]
    assert len({(one.items, one.words) for one in asked}) == len(CAUSES)


@pytest.mark.parametrize(
    ("block", "deadline"),
    [
        (RISKY, 11 * DAY),  # 24 hours
        (BANK, 15 * DAY),  # five days
        (DOUBT, None),
        (replace(RISKY, closes_by=10 * DAY + HOUR), 10 * DAY + HOUR),  # the ledger's word wins
        (replace(RISKY, closes_by=20 * DAY), 20 * DAY),
        (replace(BANK, closes_by=12 * DAY), 12 * DAY),
        (replace(BANK, respond_by=30 * DAY), 30 * DAY),
        (replace(BANK, respond_by=30 * DAY, closes_by=12 * DAY), 12 * DAY),
        (replace(DOUBT, closes_by=12 * DAY), 12 * DAY),
        (replace(RISKY, kind=None), None),
    ],
)
def test_an_order_closes_when_the_ledger_says_or_by_its_kind(block: Block, deadline: int | None) -> None:
    assert required(block, 0, BLOCKS).deadline == deadline
    assert [required(block, t, BLOCKS).overdue for t in (0, 10**17)] == [False, deadline is not None]
    if deadline is not None:
        assert [required(block, deadline + step, BLOCKS).overdue for step in (-1, 0)] == [False, True]


def test_a_risky_address_closes_after_24_hours_that_no_change_of_clocks_moves() -> None:
    spring = round(pd.Timestamp("2026-03-28T12:00:00Z").timestamp()) * 1_000_000
    found = required(replace(RISKY, at=spring), spring, BLOCKS, zone="Europe/Berlin")
    assert found.deadline == spring + DAY
    assert found.local == "2026-03-29T14:00:00+02:00 Europe/Berlin"  # an hour later by the clock than the day before


def test_hours_are_those_of_the_section() -> None:
    quick = read(Blocks, {"risk_address": 2.0, "chargeback": 1.0}, "blocks", start=BLOCKS)
    assert required(RISKY, 0, quick).deadline == 10 * DAY + 2 * HOUR
    assert required(BANK, 0, quick).deadline == 10 * DAY + HOUR
    assert all(len(line.split(" | ")) == 3 for line in described(Blocks).values())


def test_what_is_no_kind_or_cause_is_refused() -> None:
    with pytest.raises(
        RedressError, match=r"block.kind: want one of chargeback, risk_address, seller_integrity, got odd; use"
    ):
        required(replace(RISKY, kind="odd"), 0, BLOCKS)
    with pytest.raises(RedressError, match=r"block.cause: want one of counterfeit, .*, got odd; use"):
        required(replace(DOUBT, cause="odd"), 0, BLOCKS)


HELD: list[dict[str, object]] = [
    {"block_id": "a", "at": 1 * DAY, "kind": "chargeback", "order_id": "o"},
    {"block_id": "b", "at": 2 * DAY, "kind": "risk_address", "order_id": "o", "closes_by": 3 * DAY},
    {"block_id": "c", "at": 3 * DAY, "kind": "seller_integrity", "seller_id": "s", "cause": "quality"},
    {"block_id": "d", "at": 4 * DAY, "kind": "risk_address", "order_id": "o"},
    {"block_id": "e", "at": 4 * DAY, "kind": None, "order_id": "o"},
]
ENDED: list[dict[str, object]] = [
    {"block_id": "b", "at": 3 * DAY, "result": "closed"},
    {"block_id": "a", "at": 6 * DAY, "result": "overturned"},
    {"block_id": "d", "at": 7 * DAY, "result": "expired"},
]
ROWS: dict[str, list[dict[str, object]]] = {
    "orders": [{"order_id": "o", "at": 1, "seller_id": "s", "amount": 100}],
    "blocks": HELD,
    "releases": ENDED,
}


def held(as_of: int, rows: dict[str, list[dict[str, object]]] = ROWS) -> pd.DataFrame:
    return open_blocks(Ledger.of(naive.tables(rows)), as_of, BLOCKS)


@pytest.mark.parametrize(
    ("as_of", "ids", "overdue"),
    [
        (1 * DAY, "", []),
        (1 * DAY + 1, "a", [False]),
        (3 * DAY, "ab", [False, True]),  # released at that very moment: not known yet
        (3 * DAY + 1, "ac", [False, False]),
        (5 * DAY, "acde", [False, False, True, False]),
        (6 * DAY + 1, "cde", [False, True, False]),
        (9 * DAY, "ce", [False, False]),
    ],
)
def test_a_block_is_open_from_when_it_is_known_until_its_release_is(as_of: int, ids: str, overdue: list[bool]) -> None:
    found = held(as_of)
    assert "".join(found["block_id"]) == ids
    assert found["overdue"].tolist() == overdue


def test_each_open_block_comes_with_its_requirement() -> None:
    found = held(5 * DAY).set_index("block_id")
    assert str(found["deadline"].dtype) == str(found["at"].dtype) == "datetime64[us, UTC]"
    assert found["deadline"].isna().tolist() == [False, True, False, True]
    assert found.loc["d", "deadline"] == pd.Timestamp("1970-01-06", tz="UTC")
    assert found.loc["a", "deadline"] == pd.Timestamp("1970-01-07", tz="UTC")
    assert found.loc["c", "items"] == ("product_photo", "pre_shipment_count")
    assert found["order_id"].tolist() == ["o", None, "o", "o"]
    assert found["seller_id"].tolist() == [None, "s", None, None]
    assert found["cause"].tolist() == [None, "quality", None, None]


def test_a_ledger_without_blocks_or_releases_has_none_or_all_open() -> None:
    assert held(5 * DAY, {"orders": ROWS["orders"]}).empty
    assert held(5 * DAY, {"orders": ROWS["orders"]}).columns.tolist() == held(5 * DAY).columns.tolist()
    assert "".join(held(9 * DAY, {"orders": ROWS["orders"], "blocks": HELD})["block_id"]) == "abcde"
    bare = naive.tables({"orders": ROWS["orders"], "blocks": HELD})
    bare["blocks"] = bare["blocks"].select(["block_id", "at", "kind"])
    assert open_blocks(Ledger.of(bare), 9 * DAY, BLOCKS)["deadline"].notna().tolist() == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_a_bank_s_notice_runs_to_the_bank_s_date_until_it_is_answered() -> None:
    charges: list[dict[str, object]] = [
        {"chargeback_id": "c1", "at": DAY, "order_id": "o", "amount": 1, "respond_by": 3 * DAY},
        {"chargeback_id": "c2", "at": 2 * DAY, "order_id": "o", "amount": 1, "respond_by": 4 * DAY},
        {"chargeback_id": "c3", "at": 2 * DAY, "order_id": None, "amount": 1, "respond_by": 9 * DAY},
    ]
    rows = {**ROWS, "chargebacks": charges, "representments": [{"chargeback_id": "c2", "at": 5 * DAY}]}
    bank = {
        t: held(t, rows).set_index("block_id").loc["a"] for t in (2 * DAY, 2 * DAY + 1, 4 * DAY, 5 * DAY, 5 * DAY + 1)
    }
    days = [(one["deadline"] - pd.Timestamp(0, tz="UTC")).days for one in bank.values()]
    assert days == [3, 4, 4, 4, 4]  # the later chargeback's, once it is known
    assert [bool(one["overdue"]) for one in bank.values()] == [False, False, True, True, False]
    others = held(5 * DAY, rows).set_index("block_id")
    assert others.loc["d", "deadline"] == pd.Timestamp("1970-01-06", tz="UTC")  # no notice of a bank
    assert others.loc["d", "overdue"]
    early = {name: [row for row in some if int(str(row["at"])) < 5 * DAY] for name, some in rows.items()}
    pd.testing.assert_frame_equal(held(5 * DAY, early), held(5 * DAY, rows))


def test_a_block_without_an_order_asks_no_bank() -> None:
    frozen: list[dict[str, object]] = [{"block_id": "f", "at": DAY, "kind": "chargeback", "seller_id": "s"}]
    lost: list[dict[str, object]] = [
        {"chargeback_id": "c", "at": DAY, "order_id": None, "amount": 1, "respond_by": 3 * DAY}
    ]
    found = held(2 * DAY, {"orders": ROWS["orders"], "blocks": frozen, "chargebacks": lost})
    assert found["deadline"].tolist() == [pd.Timestamp("1970-01-07", tz="UTC")]


MOMENTS = st.integers(1, 12).map(lambda n: n * DAY // 2)


@given(
    came=st.lists(
        st.tuples(MOMENTS, st.sampled_from(vocabulary("kind")), st.none() | MOMENTS, st.none() | MOMENTS), max_size=8
    ),
    as_of=MOMENTS,
    step=st.integers(-1, 1),
)
def test_open_blocks_are_those_of_the_naive_twin_and_know_no_future(
    came: list[tuple[int, str, int | None, int | None]], as_of: int, step: int
) -> None:
    t = as_of + step
    blocks: list[dict[str, object]] = [
        {"block_id": f"k{i}", "at": at, "kind": kind, "order_id": "o", "closes_by": closes}
        for i, (at, kind, closes, _) in enumerate(came)
    ]
    releases: list[dict[str, object]] = [
        {"block_id": f"k{i}", "at": at + after, "result": "closed"}
        for i, (at, _, _, after) in enumerate(came)
        if after is not None
    ]
    rows = {"orders": ROWS["orders"], "blocks": blocks, "releases": releases}
    hours = {"chargeback": 5 * DAY, "risk_address": DAY}
    want = set()
    for i, (at, kind, closes, after) in enumerate(came):
        if at < t and (after is None or at + after >= t):
            closing = closes if closes is not None else at + hours[kind] if kind in hours else None
            want.add((f"k{i}", closing is not None and closing <= t))
    found = held(t, rows)
    assert set(zip(found["block_id"], found["overdue"], strict=True)) == want
    past = {name: [row for row in some if int(str(row["at"])) < t] for name, some in rows.items()}
    pd.testing.assert_frame_equal(held(t, past), found)
