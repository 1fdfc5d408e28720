"""Which rows of a ledger are bad, and why: each rule as a table worked out by hand, and laws about time and order."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Ledger, LedgerError
from features.rows import schema
from features.tables import CASES, LARGEST, TABLES, Column, Kind, Table
from pipelines.__main__ import main

Value = str | int | float | bool | None
Row = dict[str, Value]
Rows = dict[str, list[Row]]

UTC = pa.timestamp("us", "UTC")
TYPES: dict[Kind, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "time": UTC,
    "cents": pa.int64(),
    "grams": pa.int64(),
    "count": pa.int64(),
    "flag": pa.bool_(),
    "share": pa.float64(),
}
PLAIN: dict[Kind, Value] = {"text": "w", "time": 0, "cents": 5, "grams": 5, "count": 5, "flag": True, "share": 0.5}
END = 4_102_444_800_000_000
"""2100-01-01 in microseconds: the first moment too late."""


def home(column: str) -> str:
    """The id of row 0 that fits a column, with the row's number left to be added."""
    return "order_id" if column == "case_id" else column


def fact(table: Table, number: int = 0, at: int = 0) -> Row:
    """A good row that gives every column; its ids and those of the rows it points to end in `number`."""
    values = {c.name: c.vocabulary[0] if c.vocabulary else PLAIN.get(c.kind) for c in table.columns}
    ids: Row = {c.name: f"{home(c.name)}{number}" for c in table.columns if c.kind == "id"}
    return values | ids | {"at": at}


def world(rows: int = 1, names: Iterable[str] = TABLES, step: int = 0) -> Rows:
    """So many good rows of each table, pointing to rows of their own number; tables follow each other by `step`."""
    wanted = set(names)
    places = ((place, table) for place, table in enumerate(TABLES.values()) if table.name in wanted)
    return {table.name: [fact(table, i, place * step) for i in range(rows)] for place, table in places}


def arrow(name: str, rows: list[Row], columns: Iterable[str] | None = None) -> pa.Table:
    """Rows as a table with the columns that any of them gives, in the types that a ledger is written in."""
    given = {key for row in rows for key in row} if columns is None else set(columns)
    declared = [c for c in TABLES[name].columns if c.name in given or (c.required and columns is None)]
    arrays = {c.name: pa.array([row.get(c.name) for row in rows], TYPES[c.kind]) for c in declared}
    return pa.table(arrays | {key: pa.array([row.get(key) for row in rows]) for key in sorted(given - arrays.keys())})


def ledger(rows: Rows) -> Ledger:
    return Ledger.of({name: arrow(name, some) for name, some in rows.items()})


def verdicts(found: Ledger, name: str) -> list[str]:
    """What became of each row of a table as it came: its reason, "copy", or nothing when it is good."""
    bad = found.bad[name]
    told = ["copy" if copy else "" for copy in bad.copies]
    for place, reason in bad.reasons().items():
        told[int(str(place))] = str(reason)
    assert len(bad) + int(bad.copies.sum()) + len(found.facts[name]) == len(told)
    return told


def judged(rows: Rows, name: str) -> list[str]:
    return verdicts(ledger(rows), name)


def line(name: str) -> set[str]:
    """A table, those that its rows hang on, and orders, without which there is no ledger."""
    targets = {target for _, target in TABLES[name].references}
    targets = set(CASES.values()) if "case_kind" in targets else targets
    return {name, "orders"}.union(*map(line, targets))


def judged_alone(name: str, rows: list[Row]) -> list[str]:
    """What becomes of rows of one table when all they point to is there."""
    anchor = [fact(TABLES["orders"], 99)] if name == "orders" else []
    return judged(world(20, line(name)) | {name: rows + anchor}, name)[: len(rows)]


def columns_where(chosen: Callable[[Table, Column], bool]) -> list[tuple[str, str]]:
    return [(t.name, c.name) for t in TABLES.values() for c in t.columns if chosen(t, c)]


def written(folder: Path, tables: Mapping[str, pa.Table]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def test_a_ledger_with_a_good_row_in_every_table_has_no_bad_one() -> None:
    found = ledger(world(2, step=1))
    assert {name: verdicts(found, name) for name in TABLES} == {name: ["", ""] for name in TABLES}
    assert (found.warnings, found.last_at) == ([], len(TABLES) - 1)


def test_required_columns_are_enough() -> None:
    rows = {
        name: [{c.name: some[0][c.name] for c in TABLES[name].columns if c.required}] for name, some in world().items()
    }
    found = ledger(rows)
    assert {name: verdicts(found, name) for name in TABLES} == {name: [""] for name in TABLES}


# Values


@pytest.mark.parametrize(("name", "column"), columns_where(lambda t, c: bool(c.vocabulary)))
def test_a_word_outside_its_closed_vocabulary_is_bad(name: str, column: str) -> None:
    declared = TABLES[name].column(column)
    assert declared is not None
    strange = ["", declared.vocabulary[0].upper(), f"{declared.vocabulary[0]} ", "nonsense"]
    words: list[Value] = [*strange, declared.vocabulary[-1], None]
    rows = [fact(TABLES[name], i) | {column: word} for i, word in enumerate(words)]
    if column == "case_kind":
        rows[-2] |= {"case_id": "chargeback_id4"}
    null = f"{name}.{column} is null" if column in TABLES[name].key else ""
    says = f"{name}.{column} is not in the vocabulary"
    assert judged_alone(name, rows) == [*(f"{says}: {word}" for word in strange), "", null]


@pytest.mark.parametrize(("name", "column"), columns_where(lambda t, c: bool(c.vocabulary) and c.name != "case_kind"))
def test_every_word_of_a_vocabulary_is_good(name: str, column: str) -> None:
    declared = TABLES[name].column(column)
    assert declared is not None
    rows = [fact(TABLES[name], i) | {column: word} for i, word in enumerate(declared.vocabulary)]
    assert judged_alone(name, rows) == [""] * len(declared.vocabulary)


@pytest.mark.parametrize("name", TABLES)
def test_at_lies_within_1970_to_2100(name: str) -> None:
    times: list[Value] = [0, -1, END - 1, END, -(2**60), 2**60, None]
    rows = [fact(TABLES[name], i) | {"at": at} for i, at in enumerate(times)]
    says = f"{name}.at is outside 1970-2100"
    expected = [
        "",
        f"{says}: -1",
        "",
        f"{says}: {END}",
        f"{says}: {-(2**60)}",
        f"{says}: {2**60}",
        f"{name}.at is null",
    ]
    assert _without_value(judged_alone(name, rows)) == _without_value(expected)


def _without_value(reasons: list[str]) -> list[str]:
    return [reason.partition(": ")[0] for reason in reasons]


def test_other_times_than_at_may_lie_anywhere() -> None:
    times: list[Value] = [-1, END, -(2**60), None]
    assert (
        judged_alone("orders", [fact(TABLES["orders"], i) | {"promised_at": t} for i, t in enumerate(times)])
        == [""] * 4
    )
    assert (
        judged_alone("disputes", [fact(TABLES["disputes"], i) | {"happened_at": t} for i, t in enumerate(times)])
        == [""] * 4
    )


@pytest.mark.parametrize(("name", "column"), columns_where(lambda t, c: c.kind == "cents"))
def test_an_amount_is_from_0_to_100_000_000_000_000_cents(name: str, column: str) -> None:
    cents: list[Value] = [0, -1, 100_000_000_000_000, 100_000_000_000_001, 2**63 - 1, -(2**63)]
    says = f"{name}.{column} is negative or above 100000000000000"
    expected = ["", f"{says}: -1", "", f"{says}: 100000000000001", f"{says}: {2**63 - 1}", f"{says}: {-(2**63)}"]
    assert LARGEST == 100_000_000_000_000
    assert judged_alone(name, [fact(TABLES[name], i) | {column: c} for i, c in enumerate(cents)]) == expected


@pytest.mark.parametrize(("name", "column"), columns_where(lambda t, c: c.kind == "cents"))
def test_a_bad_amount_among_unknown_ones_is_bad_and_they_are_not(name: str, column: str) -> None:
    cents: list[Value] = [None, -1, 100_000_000_000_000, 100_000_000_000_001]
    says = f"{name}.{column} is negative or above 100000000000000"
    found = judged_alone(name, [fact(TABLES[name], i) | {column: c} for i, c in enumerate(cents)])
    assert found == ["", f"{says}: -1", "", f"{says}: 100000000000001"]


@pytest.mark.parametrize(("name", "column"), columns_where(lambda t, c: c.kind in ("grams", "count")))
def test_a_weight_or_a_quantity_is_not_negative(name: str, column: str) -> None:
    rows = [fact(TABLES[name], i) | {column: number} for i, number in enumerate([0, -1, 10**14, None])]
    assert judged_alone(name, rows) == ["", f"{name}.{column} is negative: -1", "", ""]


def test_a_propensity_is_a_share() -> None:
    shares = [0.0, 1.0, -0.25, 1.5, None, float("inf")]
    says = "decisions.propensity is outside [0, 1]"
    expected = ["", "", f"{says}: -0.25", f"{says}: 1.5", "", f"{says}: inf"]
    assert (
        judged_alone("decisions", [fact(TABLES["decisions"], i) | {"propensity": p} for i, p in enumerate(shares)])
        == expected
    )


@pytest.mark.parametrize(
    ("name", "column"), columns_where(lambda t, c: c.required and c.name in t.key and c.name != "at")
)
def test_a_key_may_not_be_null(name: str, column: str) -> None:
    rows = [fact(TABLES[name], 0), fact(TABLES[name], 1) | {column: None}, fact(TABLES[name], 2) | {column: None}]
    assert judged_alone(name, rows) == ["", f"{name}.{column} is null", f"{name}.{column} is null"]


@pytest.mark.parametrize("name", TABLES)
def test_everything_but_the_key_and_at_may_be_null(name: str) -> None:
    table = TABLES[name]
    keys = {c.name for c in table.columns if c.required and (c.name in table.key or c.name == "at")}
    rest = [c.name for c in table.columns if c.name not in keys]
    rows = [fact(table, i) | {column: None} for i, column in enumerate(rest[:10])]
    rows += [fact(table, i) | {column: None, "at": 1} for i, column in enumerate(rest[10:])]
    if "at" not in table.key:
        rows = rows[:10]
    blank = fact(table, len(rows) % 10, 2) | dict.fromkeys(rest)
    assert judged_alone(name, [*rows, blank])[: len(rows)] == [""] * len(rows)
    assert judged_alone(name, [blank]) == [""]


def test_of_several_faults_of_a_row_one_is_told() -> None:
    row = fact(TABLES["disputes"]) | {"reason": "x", "claimed": -1, "at": -1, "order_id": "nothing"}
    (told,) = judged_alone("disputes", [row])
    assert told in (
        "disputes.reason is not in the vocabulary: x",
        "disputes.claimed is negative or above 100000000000000: -1",
    ) or (told == "disputes.at is outside 1970-2100: -1")


# References

REFERENCES = [
    (table.name, column, kind, target)
    for table in TABLES.values()
    for column, pointed in table.references
    for kind, target in (CASES.items() if pointed == "case_kind" else [("", pointed)])
]


def pointing(name: str, column: str, kind: str, target: str, number: int, at: int) -> Row:
    """A row that points with `column` to row `number` of `target` and to no other."""
    row = fact(TABLES[name], number, at) | {
        other: None for other, _ in TABLES[name].references if other not in TABLES[name].key
    }
    return row | {column: f"{TABLES[target].key[0]}{number}"} | ({"case_kind": kind} if kind else {})


@pytest.mark.parametrize(("name", "column", "kind", "target"), REFERENCES)
def test_a_row_may_point_only_to_what_is_known_at_its_own_moment(
    name: str, column: str, kind: str, target: str
) -> None:
    rows = world(5, line(name))
    for number, at in enumerate([3, 5, 6, 5, 0]):
        rows[target][number] |= {"at": at}
    rows |= {hung: [] for hung in rows if target in line(hung) and hung not in (target, name)}
    rows[name] = [pointing(name, column, kind, target, number, 5) for number in range(5)]
    rows[name][3] |= {column: "nothing"}
    says = f"{name}.{column} names no row of {target if not kind else ' or '.join(CASES.values())} known by then"
    assert judged(rows, name) == ["", "", says, says, ""]


@pytest.mark.parametrize(("name", "column", "kind", "target"), REFERENCES)
def test_what_hangs_on_a_bad_row_is_bad(name: str, column: str, kind: str, target: str) -> None:
    rows = world(3, line(name))
    rows[target][0] |= {"at": -1}
    rows[name] = [pointing(name, column, kind, target, number, 5) for number in range(2)]
    says = f"{name}.{column} names no row of {target if not kind else ' or '.join(CASES.values())} known by then"
    assert judged(rows, name) == [says, ""]


@pytest.mark.parametrize(("name", "column", "kind", "target"), REFERENCES)
def test_a_table_that_is_not_there_has_no_row_to_point_to(name: str, column: str, kind: str, target: str) -> None:
    rows = {table: some for table, some in world(2, line(name)).items() if target not in line(table)}
    rows |= {"orders": [fact(TABLES["orders"], 7)], name: [pointing(name, column, kind, target, 0, 5)]}
    declared = TABLES[name].column(column)
    free = (
        target != "orders" and not kind and declared is not None and not declared.required
    )  # a row may do without it, and so may a ledger
    assert [bool(reason) for reason in judged(rows, name)] == [not free]


def test_a_bad_order_takes_its_whole_chain_along() -> None:
    rows = world(2)
    rows["orders"][0]["amount"] = -1
    found = ledger(rows)
    alone = {"buyers", "sellers", "listings", "tiers"}
    assert {name: [bool(told) for told in verdicts(found, name)] for name in TABLES} == {
        name: [name not in alone, False] for name in TABLES
    }
    assert verdicts(found, "orders")[0] == "orders.amount is negative or above 100000000000000: -1"
    assert verdicts(found, "disputes")[0] == "disputes.order_id names no row of orders known by then"
    assert verdicts(found, "rulings")[0] == "rulings.dispute_id names no row of disputes known by then"


def test_a_block_of_a_seller_names_no_order_and_a_blocked_seller_need_not_have_registered() -> None:
    row = fact(TABLES["blocks"]) | {"order_id": None, "seller_id": "nobody"}
    assert judged_alone("blocks", [row]) == [""]


# The case of a piece of evidence and of a decision

AMBIGUOUS = "case_id is in several tables; say which in case_kind"
UNKNOWN = "case_id names no row of orders or disputes or chargebacks known by then"


@pytest.mark.parametrize("name", ["evidence", "decisions"])
@pytest.mark.parametrize(
    ("case_id", "case_kind", "at", "why"),
    [
        ("o", None, 9, ""),
        ("d", None, 9, ""),
        ("c", None, 9, ""),
        ("o", "order", 9, ""),
        ("d", "dispute", 9, ""),
        ("c", "chargeback", 9, ""),
        ("o", "dispute", 9, UNKNOWN),
        ("d", "chargeback", 9, UNKNOWN),
        ("c", "order", 9, UNKNOWN),
        ("x", None, 9, UNKNOWN),
        ("two", None, 9, AMBIGUOUS),
        ("two", "order", 9, ""),
        ("two", "dispute", 9, ""),
        ("two", "chargeback", 9, UNKNOWN),
        ("three", None, 9, AMBIGUOUS),
        ("three", "chargeback", 9, ""),
        ("two", None, 5, AMBIGUOUS),
        ("two", None, 4, ""),
        ("two", "order", 4, ""),
        ("two", "dispute", 4, UNKNOWN),
        ("two", None, 1, UNKNOWN),
        (None, None, 9, ""),
        (None, "order", 9, ""),
        ("badly", None, 9, ""),
    ],
)
def test_an_id_that_two_tables_know_needs_its_kind(
    name: str, case_id: str | None, case_kind: str | None, at: int, why: str
) -> None:
    orders = [fact(TABLES["orders"]) | {"order_id": i, "at": 2} for i in ("o", "two", "three", "badly")]
    hang: Row = {"order_id": "o", "at": 5}
    disputes = [fact(TABLES["disputes"]) | {"dispute_id": i} | hang for i in ("d", "two", "three", "badly")]
    disputes[-1]["claimed"] = -1  # a bad row knows no id
    chargebacks = [fact(TABLES["chargebacks"]) | {"chargeback_id": i} | hang for i in ("c", "three")]
    row = fact(TABLES[name]) | {"case_id": case_id, "case_kind": case_kind, "at": at}
    rows = {"orders": orders, "disputes": disputes, "chargebacks": chargebacks, name: [row]}
    assert judged(rows, name) == [f"{name}.{why}" if why else ""]


def test_evidence_without_a_column_case_kind_names_what_one_table_knows() -> None:
    rows = world(2)
    for row in rows["evidence"]:
        del row["case_kind"]
    assert judged(rows, "evidence") == ["", ""]


# Keys

LATER, CLASH = "the key of an earlier row", "the key of a different row of the same moment"


def key_verdicts(reasons: list[str]) -> list[str]:
    """Reasons in short: `later` and `clash` for those of keys, `value` for others."""
    return [
        {"": "", "copy": "copy"}.get(r)
        or ("later" if r.endswith(LATER) else "clash" if r.endswith(CLASH) else "value" if r else "")
        for r in reasons
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(1, 5), (2, 5)], ["", "later"]),
        ([(2, 5), (1, 5)], ["later", ""]),
        ([(2, 5), (1, 6), (3, 5)], ["later", "", "later"]),
        ([(1, 5), (1, 5)], ["", "copy"]),
        ([(1, 5), (1, 5), (1, 5)], ["", "copy", "copy"]),
        ([(1, 5), (1, 6)], ["clash", "clash"]),
        ([(1, 5), (1, 6), (1, 7)], ["clash", "clash", "clash"]),
        ([(1, 5), (1, 5), (1, 6)], ["clash", "clash", "clash"]),
        ([(1, 6), (1, 5), (1, 5)], ["clash", "clash", "clash"]),
        ([(1, 5), (1, 6), (2, 5)], ["clash", "clash", "later"]),
        ([(2, 5), (1, 5), (1, 6)], ["later", "clash", "clash"]),
        ([(1, 5), (1, 5), (2, 5)], ["", "copy", "later"]),
        ([(1, 5), (2, 6), (2, 7)], ["", "later", "later"]),
        ([(1, 5), (2, 6), (2, 6)], ["", "later", "later"]),
        ([(1, -5), (2, 6)], ["value", ""]),
        ([(1, -5), (1, 6)], ["value", ""]),
        ([(1, -5), (1, -6)], ["value", "value"]),
        ([(1, -5), (1, 6), (1, 7)], ["value", "clash", "clash"]),
        ([(1, -5), (1, 6), (2, 6)], ["value", "", "later"]),
        ([(-1, 5), (2, 5)], ["value", ""]),
        ([(1, 5), (END, 5)], ["", "value"]),
        ([(None, 5), (None, 5)], ["value", "value"]),
        ([(1, None), (1, None)], ["", "copy"]),
        ([(1, None), (1, 5)], ["clash", "clash"]),
        ([(1, None), (2, 5)], ["", "later"]),
        ([(0, 0), (0, None)], ["clash", "clash"]),
    ],
)
def test_of_equal_keys_the_earliest_stays_and_copies_are_one(
    rows: list[tuple[int | None, int | None]], expected: list[str]
) -> None:
    told = judged_alone("orders", [fact(TABLES["orders"]) | {"at": at, "amount": amount} for at, amount in rows])
    assert key_verdicts(told) == expected


def test_reasons_of_keys_name_the_table_and_its_key() -> None:
    rows = [fact(TABLES["findings"]), fact(TABLES["findings"]) | {"malicious": False}]
    assert (
        judged_alone("findings", rows)
        == ["findings: dispute_id + at + source is the key of a different row of the same moment"] * 2
    )
    rows = [fact(TABLES["buyers"]), fact(TABLES["buyers"], 0, 1)]
    assert judged_alone("buyers", rows) == ["", "buyers: buyer_id is the key of an earlier row"]


@pytest.mark.parametrize("name", TABLES)
def test_a_moment_is_part_of_a_key_only_where_the_table_says_so(name: str) -> None:
    rows = [fact(TABLES[name], 0, at) for at in (7, 8, 7)]
    told = key_verdicts(judged_alone(name, rows))
    assert told == (["", "", "copy"] if "at" in TABLES[name].key else ["", "later", "copy"])


@pytest.mark.parametrize(
    ("name", "column", "value", "same"),
    [
        ("scans", "kind", "lost", False),
        ("scans", "signature", False, True),
        ("findings", "source", "audit", False),
        ("findings", "malicious", False, True),
        ("rulings", "outcome", "refused", True),
        ("rulings", "dispute_id", "dispute_id3", False),
        ("listings", "product_id", "another", False),
        ("listings", "seller_id", "another", True),
        ("shipments", "tracking_id", "another", True),
        ("representments", "happened_at", None, True),
        ("tiers", "reason", "another", True),
        ("feedback", "party", "carrier", True),
        ("chargeback_rulings", "outcome", "lost", True),
        ("refunds", "amount", None, True),
        ("address_checks", "risky", False, True),
        ("orders", "quantity", None, True),
        ("orders", "promised_at", 1, True),
        ("decisions", "propensity", 0.25, True),
    ],
)
def test_rows_that_differ_in_one_column_share_a_key_or_not(name: str, column: str, value: Value, same: bool) -> None:
    told = key_verdicts(judged_alone(name, [fact(TABLES[name]), fact(TABLES[name]) | {column: value}]))
    assert told == (["clash", "clash"] if same else ["", ""])


def test_rows_that_differ_only_in_a_column_that_is_left_out_are_copies() -> None:
    rows = [fact(TABLES["orders"]) | {"note": "one"}, fact(TABLES["orders"]) | {"note": "other"}]
    assert judged_alone("orders", rows) == ["", "copy"]


def test_an_orphan_takes_no_key() -> None:
    orphan = fact(TABLES["disputes"], 0, 1) | {"order_id": "nothing"}
    told = judged_alone("disputes", [orphan, fact(TABLES["disputes"], 0, 2), fact(TABLES["disputes"], 0, 3)])
    assert key_verdicts(told) == ["value", "", "later"]


def test_what_points_to_a_contested_key_points_to_nothing() -> None:
    rows = world(2)
    rows["orders"] += [fact(TABLES["orders"]) | {"amount": 6}]
    found = ledger(rows)
    assert key_verdicts(verdicts(found, "orders")) == ["clash", "", "clash"]
    assert key_verdicts(verdicts(found, "disputes")) == ["value", ""]


def test_a_later_row_of_a_known_key_is_not_what_others_point_to() -> None:
    rows = {
        "orders": [fact(TABLES["orders"], 0, 5), fact(TABLES["orders"], 0, 1)],
        "disputes": [fact(TABLES["disputes"], 0, 3)],
    }
    assert judged(rows, "disputes") == [""]
    found = ledger(rows).facts["disputes"]
    assert found.points["orders"].tolist() == [0]


def test_messages_repeat_freely_without_an_id_and_not_with_one() -> None:
    plain = fact(TABLES["messages"]) | {"message_id": None}
    assert judged_alone("messages", [plain, plain, plain | {"at": 2}, plain | {"kind": "offer"}]) == [""] * 4
    del plain["message_id"]
    assert judged_alone("messages", [plain, plain, plain | {"at": 2}]) == [""] * 3
    named = fact(TABLES["messages"])
    rows = [named, named, named | {"at": 2}, named | {"message_id": "x"}, named | {"message_id": "x", "kind": "offer"}]
    assert key_verdicts(judged_alone("messages", rows)) == ["", "copy", "later", "clash", "clash"]


# Types and shapes of tables


@pytest.mark.parametrize(
    "found",
    [
        pa.null(),
        pa.float64(),
        pa.float32(),
        pa.string(),
        pa.bool_(),
        pa.int32(),
        pa.timestamp("us"),
        pa.timestamp("ns", "UTC"),
        pa.date32(),
        pa.decimal128(10, 2),
        pa.binary(),
        pa.list_(pa.int64()),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    ids=str,
)
def test_a_wholly_null_column_is_accepted_whatever_its_type(found: pa.DataType, tmp_path: Path) -> None:
    """The law says so: a table writer that sees no value cannot know the type."""
    tables = {}
    for name, rows in world(2).items():
        table, keys = arrow(name, rows), TABLES[name].key
        for column in TABLES[name].columns:
            if column.name != "at" and (column.name not in keys or not column.required):
                place = table.schema.get_field_index(column.name)
                table = table.set_column(place, column.name, pa.nulls(len(rows), found))
        tables[name] = table
    for read in (Ledger.of(tables), Ledger.open(written(tmp_path, tables))):
        assert {name: verdicts(read, name) for name in TABLES} == {name: ["", ""] for name in TABLES}
        assert read.facts["orders"].numbers("amount")[1].tolist() == [False, False]
        assert read.facts["orders"].codes("buyer_id").codes.tolist() == [-1, -1]
        assert read.facts["disputes"].numbers("happened_at")[1].tolist() == [False, False]


@pytest.mark.parametrize("found", [pa.null(), pa.float64(), pa.string(), UTC], ids=str)
def test_a_wholly_null_key_is_accepted_as_a_column_and_each_of_its_rows_is_bad(found: pa.DataType) -> None:
    tables = {name: arrow(name, rows) for name, rows in world(2).items() if name in ("orders", "disputes")}
    for column in ("at", "dispute_id"):
        place = tables["disputes"].schema.get_field_index(column)
        nulled = tables["disputes"].set_column(place, column, pa.nulls(2, found))
        told = verdicts(Ledger.of(tables | {"disputes": nulled}), "disputes")
        assert told == [f"disputes.{column} is null"] * 2


@dataclass(frozen=True)
class Encoding:
    """Another way to hold the columns of some kinds."""

    name: str
    kinds: tuple[Kind, ...]
    change: Callable[[pa.ChunkedArray], pa.ChunkedArray]

    def applied(self, table: Table, data: pa.Table) -> pa.Table:
        for column in table.columns:
            if column.kind in self.kinds and column.name in data.schema.names:
                place = data.schema.get_field_index(column.name)
                data = data.set_column(place, column.name, self.change(data.column(column.name)))
        return data


WORDS: tuple[Kind, ...] = ("id", "text")
COUNTS: tuple[Kind, ...] = ("cents", "grams", "count")
ENCODINGS = [
    Encoding("dictionary", WORDS, lambda found: found.dictionary_encode()),
    Encoding("large_string", WORDS, lambda found: found.cast(pa.large_string())),
    Encoding("string_view", WORDS, lambda found: found.cast(pa.string_view())),
    Encoding("dictionary of large_string", WORDS, lambda found: found.cast(pa.large_string()).dictionary_encode()),
    Encoding("int32", COUNTS, lambda found: found.cast(pa.int32())),
    Encoding("int8", COUNTS, lambda found: found.cast(pa.int8())),
    Encoding("dictionary of numbers", COUNTS, lambda found: found.dictionary_encode()),
    Encoding("float32", ("share",), lambda found: found.cast(pa.float32())),
    Encoding("timestamp[ns]", ("time",), lambda found: found.cast(pa.timestamp("ns", "UTC"))),
    Encoding("timestamp[ms]", ("time",), lambda found: found.cast(pa.timestamp("ms", "UTC"))),
    Encoding("timestamp[s]", ("time",), lambda found: found.cast(pa.timestamp("s", "UTC"))),
    Encoding("another zone", ("time",), lambda found: found.cast(pa.timestamp("us", "America/New_York"))),
    Encoding("an offset", ("time",), lambda found: found.cast(pa.timestamp("us", "+05:30"))),
    Encoding("dictionary of times", ("time",), lambda found: found.dictionary_encode()),
]
SECOND = 1_000_000


HELD = ("orders", "shipments", "disputes", "messages", "rulings", "chargebacks", "evidence", "decisions")


def faulty() -> Rows:
    """A ledger with good rows, a copy, a later and a contested key, an orphan, and a bad value."""
    rows = world(4, HELD, SECOND)
    rows["orders"] += [
        fact(TABLES["orders"]),
        fact(TABLES["orders"], 1, 9 * SECOND),
        fact(TABLES["orders"], 2) | {"amount": 6},
    ]
    rows["disputes"][3] |= {"order_id": "nothing"}
    rows["chargebacks"][1] |= {"amount": -1, "network": None}
    rows["evidence"] += [rows["evidence"][0], rows["evidence"][0] | {"kind": "tracking"}]
    return rows


def told(found: Ledger) -> dict[str, tuple[list[str], list[int], list[str]]]:
    """All that a ledger says of its tables: verdicts, moments and first keys."""
    return {
        n: (verdicts(found, n), f.at.tolist(), f.strings(f.table.key[0]).to_pylist()) for n, f in found.facts.items()
    }


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_a_column_means_the_same_however_it_is_encoded(encoding: Encoding, tmp_path: Path) -> None:
    plain = {name: arrow(name, rows) for name, rows in faulty().items()}
    coded = {name: encoding.applied(TABLES[name], table) for name, table in plain.items()}
    assert any(coded[name].schema != plain[name].schema for name in plain)
    expected = told(Ledger.of(plain))
    assert sum(map(bool, expected["orders"][0])) == 4
    read = Ledger.open(written(tmp_path, coded))
    assert told(Ledger.of(coded)) == expected
    assert told(read) == expected
    assert read.facts["orders"].numbers("amount")[0].tolist() == [5, 5, 5]
    read.quarantine()
    assert pq.read_metadata(tmp_path / "quarantine" / "orders.parquet").num_rows == 3


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_files_of_one_table_may_encode_their_columns_differently(encoding: Encoding, tmp_path: Path) -> None:
    rows = faulty()
    tables = {name: arrow(name, some) for name, some in rows.items() if name != "orders"}
    (written(tmp_path, tables) / "orders").mkdir()
    for part, some in (("a", rows["orders"][:3]), ("b", rows["orders"][3:])):
        table = arrow("orders", some)
        pq.write_table(
            encoding.applied(TABLES["orders"], table) if part == "b" else table, tmp_path / "orders" / f"{part}.parquet"
        )
    assert told(Ledger.open(tmp_path)) == told(ledger(rows))


def test_a_folder_of_files_equals_the_one_file(tmp_path: Path) -> None:
    rows = faulty()
    one = written(tmp_path / "one", {name: arrow(name, some) for name, some in rows.items()})
    many = tmp_path / "many"
    for name, some in rows.items():
        (many / name).mkdir(parents=True)
        for part in range(2):
            pq.write_table(arrow(name, some[part::2], some[0]), many / name / f"part-{part}.parquet")
    by_key = [(sorted(v), at, sorted(map(str, keys))) for v, at, keys in told(Ledger.open(many)).values()]
    assert by_key == [(sorted(v), at, sorted(map(str, keys))) for v, at, keys in told(Ledger.open(one)).values()]


def test_a_file_of_a_folder_may_lack_an_optional_column(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    with_product, without = fact(TABLES["orders"], 0), fact(TABLES["orders"], 1)
    del without["product_id"]
    for part, row in (("a", with_product), ("b", without)):
        pq.write_table(arrow("orders", [row]), tmp_path / "orders" / f"{part}.parquet")
    assert Ledger.open(tmp_path).facts["orders"].codes("product_id").codes.tolist() == [0, -1]


@pytest.mark.parametrize("name", ["orders", "disputes", "chargebacks"])
def test_a_file_of_a_folder_may_be_empty(name: str, tmp_path: Path) -> None:
    tables = {table: arrow(table, rows) for table, rows in world(2, line(name)).items()}
    required = [column.name for column in TABLES[name].columns if column.required]
    (written(tmp_path, {table: data for table, data in tables.items() if table != name}) / name).mkdir()
    for part, data in (("a", tables[name].slice(0, 0).select(required)), ("b", tables[name])):
        pq.write_table(data, tmp_path / name / f"{part}.parquet")
    assert verdicts(Ledger.open(tmp_path), name) == ["", ""]


def test_unknown_columns_and_tables_are_left_out_and_named(tmp_path: Path) -> None:
    rows = world(2)
    rows["orders"][0] |= {"mood": "good", "amount_eur": 3}
    rows["scans"][0] |= {"mood": "bad"}
    tables = {name: arrow(name, some) for name, some in rows.items()}
    found = Ledger.open(written(tmp_path, tables | {"weather": pa.table({"at": [1]})}))
    assert found.warnings == [
        "orders.amount_eur is no column of a ledger; left out",
        "orders.mood is no column of a ledger; left out",
        "scans.mood is no column of a ledger; left out",
        "weather.parquet is no table of a ledger; left out",
    ]
    assert {name: verdicts(found, name) for name in TABLES} == {name: ["", ""] for name in TABLES}


def test_good_rows_stand_in_time_order_and_point_to_rows_in_time_order() -> None:
    orders = [fact(TABLES["orders"], i, at) for i, at in enumerate([5, 3, 4])]
    disputes = [fact(TABLES["disputes"], i, at) for i, at in [(0, 9), (1, 7), (2, 2), (2, 8)]]
    found = ledger({"orders": orders, "disputes": disputes})
    assert found.facts["orders"].strings("order_id").to_pylist() == ["order_id1", "order_id2", "order_id0"]
    assert found.facts["orders"].at.tolist() == [3, 4, 5]
    assert found.facts["disputes"].at.tolist() == [7, 8, 9]
    assert found.facts["disputes"].points["orders"].tolist() == [0, 1, 2]


# What no command can work around


@pytest.mark.parametrize(
    ("name", "column", "found", "sentence"),
    [
        ("orders", "order_id", pa.int64(), "orders.order_id: want string ids, got int64; cast it to string"),
        ("orders", "buyer_id", pa.float64(), "orders.buyer_id: want string ids, got double; cast it to string"),
        ("orders", "product_id", pa.int32(), "orders.product_id: want string ids, got int32; cast it to string"),
        ("disputes", "reason", pa.int64(), "disputes.reason: want string, got int64; cast it to string"),
        ("orders", "amount", pa.float64(), "orders.amount: want int64 cents, got double; multiply by 100 and round"),
        ("orders", "amount", pa.string(), "orders.amount: want int64 cents, got string; multiply by 100 and round"),
        (
            "disputes",
            "claimed",
            pa.decimal128(21, 2),
            "disputes.claimed: want int64 cents, got decimal128(21, 2); multiply by 100 and round",
        ),
        (
            "shipments",
            "declared_weight",
            pa.float32(),
            "shipments.declared_weight: want int64 grams, got float; convert to grams and round",
        ),
        ("orders", "quantity", pa.float64(), "orders.quantity: want int64, got double; round and cast to int64"),
        ("orders", "quantity", pa.bool_(), "orders.quantity: want int64, got bool; round and cast to int64"),
        ("findings", "malicious", pa.int8(), "findings.malicious: want bool, got int8; cast it to bool"),
        ("scans", "signature", pa.string(), "scans.signature: want bool, got string; cast it to bool"),
        (
            "decisions",
            "propensity",
            pa.int64(),
            "decisions.propensity: want float in [0, 1], got int64; cast it to double",
        ),
        (
            "orders",
            "at",
            pa.timestamp("us"),
            "orders.at: want timestamp in microseconds with a time zone, got timestamp[us] without one; "
            "attach the zone its clock ran in, for example AT TIME ZONE 'UTC'",
        ),
        (
            "orders",
            "promised_at",
            pa.timestamp("ns"),
            "orders.promised_at: want timestamp in microseconds with a time zone, got timestamp[ns] without one; "
            "attach the zone its clock ran in, for example AT TIME ZONE 'UTC'",
        ),
        (
            "disputes",
            "at",
            pa.date32(),
            "disputes.at: want timestamp in microseconds with a time zone, got date32[day]; "
            "attach the zone its clock ran in, for example AT TIME ZONE 'UTC'",
        ),
        (
            "disputes",
            "happened_at",
            pa.int64(),
            "disputes.happened_at: want timestamp in microseconds with a time zone, got int64; "
            "attach the zone its clock ran in, for example AT TIME ZONE 'UTC'",
        ),
    ],
)
def test_a_column_of_the_wrong_type_is_one_sentence(name: str, column: str, found: pa.DataType, sentence: str) -> None:
    tables = {table: arrow(table, rows) for table, rows in world().items()}
    value = "1" if pa.types.is_string(found) else 1
    wrong = pa.array([value]).cast(found) if not pa.types.is_date(found) else pa.array([1], pa.int32()).cast(found)
    place = tables[name].schema.get_field_index(column)
    with pytest.raises(LedgerError) as caught:
        Ledger.of(tables | {name: tables[name].set_column(place, column, wrong)})
    assert str(caught.value) == sentence


def test_the_remedy_for_a_wrong_type_does_not_speak_of_zones_where_none_is_wanted() -> None:
    table = arrow("orders", [fact(TABLES["orders"])])
    place = table.schema.get_field_index("amount")
    with pytest.raises(LedgerError) as caught:
        Ledger.of({"orders": table.set_column(place, "amount", pa.array([1], pa.timestamp("us")))})
    assert str(caught.value) == "orders.amount: want int64 cents, got timestamp[us]; multiply by 100 and round"


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_an_at_too_far_away_for_microseconds_is_a_bad_row(unit: str) -> None:
    table = arrow("orders", [fact(TABLES["orders"], i) for i in range(3)])
    far = table.set_column(
        table.schema.get_field_index("at"), "at", pa.array([0, 2**62, -(2**62)], pa.timestamp(unit, "UTC"))
    )
    assert _without_value(verdicts(Ledger.of({"orders": far}), "orders")) == [
        "",
        *["orders.at is outside 1970-2100"] * 2,
    ]


def test_nanoseconds_are_cut_to_microseconds_or_refused_in_words_that_say_so() -> None:
    table = arrow("orders", [fact(TABLES["orders"])])
    fine = table.set_column(table.schema.get_field_index("at"), "at", pa.array([1001], pa.timestamp("ns", "UTC")))
    try:
        assert Ledger.of({"orders": fine}).facts["orders"].at.tolist() == [1]
    except LedgerError as error:
        assert "microsecond" in str(error).partition("; ")[2]  # noqa: PT017 - either law is sound, and neither is a zone


@pytest.mark.parametrize(("name", "column"), columns_where(lambda t, c: c.required))
def test_a_required_column_that_is_missing_is_one_sentence(name: str, column: str) -> None:
    tables = {table: arrow(table, rows) for table, rows in world(1, line(name)).items()}
    left = tables[name].drop_columns([column])
    with pytest.raises(LedgerError) as caught:
        Ledger.of(tables | {name: left})
    assert str(caught.value) == f"{name}: want a column {column}, got {', '.join(left.schema.names)}; add it"


def test_orders_that_are_missing_or_empty_are_one_sentence(tmp_path: Path) -> None:
    others = {name: arrow(name, rows) for name, rows in world().items() if name in ("buyers", "sellers")}
    with pytest.raises(LedgerError, match=r"^ledger: want a table orders, got buyers, sellers; import or write one$"):
        Ledger.of(others)
    with pytest.raises(LedgerError, match=r"^ledger: want a table orders, got none; import or write one$"):
        Ledger.of({})
    empty = arrow("orders", [fact(TABLES["orders"])]).slice(0, 0)
    sentence = r"^ledger: want at least one order, got a table orders without rows; import or write some$"
    with pytest.raises(LedgerError, match=sentence):
        Ledger.of(others | {"orders": empty})
    (tmp_path / "orders").mkdir()
    with pytest.raises(LedgerError, match=r": want a table orders, got none; import or write one$"):
        Ledger.open(tmp_path)


def test_a_directory_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"/none: want a directory of Parquet tables, got nothing there$"):
        Ledger.open(tmp_path / "none")
    (tmp_path / "file").write_text("text")
    with pytest.raises(LedgerError, match=r"/file: want a directory of Parquet tables, got a file there$"):
        Ledger.open(tmp_path / "file")


@pytest.mark.parametrize(
    "content", [b"", b"order_id,at\n1,2\n", b"PAR1" + bytes(40) + b"PAR1"], ids=["empty", "csv", "torn"]
)
def test_a_file_that_is_not_parquet_is_one_sentence_that_names_it(content: bytes, tmp_path: Path) -> None:
    tables = {name: arrow(name, rows) for name, rows in world().items() if name in ("orders", "disputes")}
    (written(tmp_path, tables) / "disputes.parquet").write_bytes(content)
    with pytest.raises(
        LedgerError, match=r"/disputes\.parquet: want readable Parquet, got .+; write it again$"
    ) as caught:
        Ledger.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_parquet_that_is_damaged_inside_is_one_sentence_that_names_its_table(tmp_path: Path) -> None:
    table = arrow("orders", [fact(TABLES["orders"], i * 7919) for i in range(5000)])
    path = written(tmp_path, {"orders": table}) / "orders.parquet"
    content = bytearray(path.read_bytes())
    content[200:3000] = bytes(range(256))[::-1] * 10 + bytes(240)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"orders.*: want readable Parquet, got .+") as caught:
        Ledger.open(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("found", [pa.float64(), pa.string(), pa.timestamp("us")], ids=str)
def test_files_of_one_table_that_disagree_are_one_sentence_that_names_the_column(
    found: pa.DataType, tmp_path: Path
) -> None:
    (tmp_path / "orders").mkdir()
    column = "at" if pa.types.is_timestamp(found) else "amount"
    for part in range(2):
        table = arrow("orders", [fact(TABLES["orders"], part)])
        if part:
            table = table.set_column(table.schema.get_field_index(column), column, pa.array([1]).cast(found))
        pq.write_table(table, tmp_path / "orders" / f"{part}.parquet")
    with pytest.raises(LedgerError, match=rf"orders.*\b{column}\b") as caught:
        Ledger.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_column_that_comes_twice_is_one_sentence_that_names_it() -> None:
    table = arrow("orders", [fact(TABLES["orders"])])
    with pytest.raises(LedgerError, match=r"^orders.*\bamount\b"):
        Ledger.of({"orders": table.append_column("amount", pa.array([1]))})


# The declarations as schemas


@pytest.mark.parametrize("name", TABLES)
def test_the_value_rules_are_those_declared(name: str) -> None:
    found, table = schema(TABLES[name]), TABLES[name]
    assert list(found.columns) == [c.name for c in table.columns]
    for column in table.columns:
        rules = {check.name: check.statistics for check in found.columns[column.name].checks}
        expected: dict[str, dict[str, object]] = {}
        if column.vocabulary:
            expected = {"isin": {"allowed_values": column.vocabulary}}
        elif column.kind == "cents":
            expected = {"in_range": {"min_value": 0, "max_value": 10**14}}
        elif column.kind in ("grams", "count"):
            expected = {"greater_than_or_equal_to": {"min_value": 0}}
        elif column.kind == "share":
            expected = {"in_range": {"min_value": 0, "max_value": 1}}
        elif column.name == "at":
            expected = {"in_range": {"min_value": 0, "max_value": END}}
        shown = {rule: {k: v for k, v in said.items() if not k.startswith("include")} for rule, said in rules.items()}
        assert shown == expected
        key = column.name in table.key or column.name == "at"
        assert found.columns[column.name].nullable == (not (column.required and key))


# The law, and a plain judge beside the fast one


def value_fault(column: Column, value: Value) -> bool:
    """Whether a value breaks a rule of its column, as a reader of the rules would say it."""
    if value is None:
        return False
    if column.vocabulary:
        return value not in column.vocabulary
    if column.name == "at":
        return not 0 <= int(value) < END
    if column.kind in ("cents", "grams", "count"):
        return not 0 <= int(value) <= (10**14 if column.kind == "cents" else 2**63)
    return False


def points_nowhere(table: Table, row: Row, good: Rows) -> bool:
    """Whether a row points to what was not known at its own moment, or to what may be one of several."""
    for column, target in table.references:
        if row.get(column) is None:
            continue
        kind = row.get("case_kind")
        targets = [target] if target != "case_kind" else [t for k, t in CASES.items() if kind in (None, k)]
        known = [
            name
            for name in targets
            for other in good.get(name, [])
            if other[TABLES[name].key[0]] == row[column] and int(other["at"] or 0) <= int(row["at"] or 0)
        ]
        if len(known) != 1:
            return True
    return False


def judge(rows: Rows) -> dict[str, list[bool]]:
    """Which rows are good, row by row and as the rules read; a copy of a good row is good."""
    good: Rows = {}
    found = {}
    for table in (t for t in TABLES.values() if t.name in rows):
        keys = [c.name for c in table.columns if c.name in table.key]
        must = [c.name for c in table.columns if c.required and (c.name in keys or c.name == "at")]
        left = [
            row
            for row in rows[table.name]
            if not any(value_fault(c, row.get(c.name)) for c in table.columns)
            and not any(row[name] is None for name in must)
            and not points_nowhere(table, row, good)
        ]
        told = [row in left and stands(row, left, keys) for row in rows[table.name]]
        good[table.name] = []
        for row, stays in zip(rows[table.name], told, strict=True):
            if stays and (row not in good[table.name] or any(row[key] is None for key in keys)):
                good[table.name].append(row)
        found[table.name] = told
    return found


def stands(row: Row, rows: list[Row], keys: list[str]) -> bool:
    """Whether a row's key is its own: none is earlier, and none of its moment differs."""
    if any(row[key] is None for key in keys):
        return True
    rivals = [other for other in rows if all(other[key] == row[key] for key in keys)]
    first = min(int(other["at"] or 0) for other in rivals)
    return row["at"] == first and all(other == row for other in rivals if other["at"] == first)


MOMENTS = st.sampled_from([1, 1, 2, 2, 3, 4, -1, END, None])
IDS = st.sampled_from(["a", "a", "b", None])
ANCHOR: Row = {"order_id": "anchor", "at": 0, "buyer_id": None, "seller_id": None, "amount": None}


def some(rows: Mapping[str, st.SearchStrategy[Value]], most: int = 5) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.fixed_dictionaries({"at": MOMENTS, **rows}), max_size=most)


WORLDS: st.SearchStrategy[Rows] = st.fixed_dictionaries(
    {
        "orders": some(
            {
                "order_id": IDS,
                "buyer_id": st.none(),
                "seller_id": st.none(),
                "amount": st.sampled_from([1, 1, 2, None, -1]),
            }
        ).map(lambda rows: [ANCHOR, *rows]),
        "disputes": some(
            {
                "dispute_id": IDS,
                "order_id": st.sampled_from(["a", "b", "anchor", "anchor", "x", None]),
                "reason": st.sampled_from(["damaged", "damaged", "nonsense", None]),
                "claimed": st.just(1),
            }
        ),
        "rulings": some({"dispute_id": IDS, "outcome": st.sampled_from(["refused", "settled", "nonsense"])}, 4),
        "evidence": some(
            {
                "evidence_id": IDS,
                "case_id": st.sampled_from(["a", "b", "anchor", None]),
                "party": st.just("buyer"),
                "kind": st.just("tracking"),
                "case_kind": st.sampled_from([None, None, "order", "dispute", "nonsense"]),
            },
            4,
        ),
        "messages": some(
            {
                "order_id": st.sampled_from(["anchor", "a", None]),
                "sender": st.just("buyer"),
                "kind": st.sampled_from(["text", "offer"]),
                "message_id": IDS,
                "dispute_id": IDS,
            },
            4,
        ),
    }
)


def goodness(rows: Rows) -> dict[str, list[bool]]:
    found = ledger(rows)
    return {name: [reason in ("", "copy") for reason in verdicts(found, name)] for name in rows}


@given(WORLDS)
@settings(max_examples=40)
def test_the_verdict_is_that_of_the_rules_read_row_by_row(rows: Rows) -> None:
    assert goodness(rows) == judge(rows)


@given(WORLDS, st.integers(0, 4))
@settings(max_examples=25)
def test_deleting_the_future_changes_no_verdict(rows: Rows, t: int) -> None:
    def known(row: Row) -> bool:
        return row["at"] is not None and int(row["at"]) <= t

    whole = goodness(rows)
    left = {name: [row for row in some if known(row)] for name, some in rows.items()}
    kept = {n: [v for v, row in zip(whole[n], some, strict=True) if known(row)] for n, some in rows.items()}
    assert goodness(left) == kept


@given(WORLDS, st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_order_of_rows_means_nothing(rows: Rows, random: "Random") -> None:
    places = {name: list(range(len(some))) for name, some in rows.items()}
    for some_places in places.values():
        random.shuffle(some_places)
    mixed = {name: [some[i] for i in places[name]] for name, some in rows.items()}
    whole = goodness(rows)
    assert goodness(mixed) == {name: [whole[name][i] for i in places[name]] for name in rows}


# Quarantine


def held(path: Path) -> pd.DataFrame:
    """A quarantined table; its last column is the reason."""
    table = pq.ParquetFile(path).read()
    assert len(set(table.column_names)) == table.num_columns, f"{path.name} names two columns alike"
    frame: pd.DataFrame = table.to_pandas()
    return frame


def check(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, str], list[str]]:
    """Runs `redress check`, which must exit with 0: its closing table and what it said on the way."""
    assert main(["check", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err.splitlines()


def test_check_sets_bad_rows_aside_with_their_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = faulty()
    rows["orders"][5] |= {"mood": "odd"}
    folder = written(tmp_path, {name: arrow(name, some) for name, some in rows.items()})
    closing, lines = check(folder, capsys)
    found = Ledger.open(folder)
    aside = {path.stem for path in (folder / "quarantine").iterdir()}
    assert aside == {name for name, bad in found.bad.items() if len(bad)}
    assert {"orders", "disputes", "rulings", "chargebacks", "evidence"} <= aside
    orders = held(folder / "quarantine" / "orders.parquet")
    assert orders.columns[-1] == "reason"
    assert orders[["order_id", "reason"]].to_numpy().tolist() == [
        ["order_id2", "orders: order_id is the key of a different row of the same moment"],
        ["order_id1", "orders: order_id is the key of an earlier row"],
        ["order_id2", "orders: order_id is the key of a different row of the same moment"],
    ]
    assert orders["mood"].fillna("").tolist() == ["", "odd", ""]
    assert closing["orders"].endswith("3 rows, 1970-01-01 to 1970-01-01, 3 bad, 1 copies collapsed")
    assert any("2 x orders: order_id is the key of a different row" in line for line in lines)
    total = sum(len(bad) for bad in found.bad.values())
    assert any(line.startswith(f"left out {total:,} bad rows") for line in lines)


@pytest.mark.parametrize("name", TABLES)
def test_the_good_the_bad_and_the_copies_are_all_the_rows(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = world(3, line(name)) | {
        name: [fact(TABLES[name], i) for i in (0, 1, 0)] + [fact(TABLES[name], 2) | {"at": -1}]
    }
    folder = written(tmp_path, {table: arrow(table, some) for table, some in rows.items()})
    closing, _ = check(folder, capsys)
    assert closing[name].startswith("2 rows")
    assert "1 bad, 1 copies" in closing[name]
    aside = held(folder / "quarantine" / f"{name}.parquet")
    assert aside.iloc[:, -1].tolist() == [f"{name}.at is outside 1970-2100: -1"]
    assert aside[TABLES[name].key[0]].tolist() == [rows[name][-1][TABLES[name].key[0]]]


def test_checking_again_gives_the_same_and_what_was_mended_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = faulty()
    folder = written(tmp_path, {name: arrow(name, some) for name, some in rows.items()})
    first = check(folder, capsys)
    files = {path.name: path.read_bytes() for path in (folder / "quarantine").iterdir()}
    assert check(folder, capsys) == first
    assert {path.name: path.read_bytes() for path in (folder / "quarantine").iterdir()} == files
    rows["chargebacks"][1] |= {"amount": 1}
    written(folder, {"chargebacks": arrow("chargebacks", rows["chargebacks"][:2])})
    check(folder, capsys)
    assert {path.name for path in (folder / "quarantine").iterdir()} < files.keys()
    written(folder, {name: arrow(name, some) for name, some in world(2, HELD).items()})
    closing, _ = check(folder, capsys)
    assert not (folder / "quarantine").exists()
    assert all(", 0 bad" in closing[name] for name in HELD)


def test_check_shows_why_when_no_order_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = [fact(TABLES["orders"], i) | {"amount": -1} for i in range(2)]
    folder = written(tmp_path, {"orders": arrow("orders", bad)})
    closing, _ = check(folder, capsys)
    assert closing["orders"] == "0 rows, 2 bad"
    assert (
        held(folder / "quarantine" / "orders.parquet")["reason"].tolist()
        == ["orders.amount is negative or above 100000000000000: -1"] * 2
    )


def test_reading_a_ledger_writes_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path, {name: arrow(name, rows) for name, rows in faulty().items()})
    before = sorted(path.name for path in folder.iterdir())
    Ledger.open(folder)
    assert sorted(path.name for path in folder.iterdir()) == before
