"""A buyer's own records: all of his, in his voice, none of another's, and only from a chain that is whole."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from naive import Row, tables

from features.kernel import DAY
from models.records import FIRST, Grounds, Record, of_buyer, record
from models.refunds import Case, Refunds, Scores, decide
from pipelines.__main__ import main

GROUNDS = Grounds("ab" * 16, {"malicious_dispute": "cd" * 16}, "default", "ef" * 8)
OWNERS = {"o1": "b", "o2": "x", "o3": None, "o4": "b", "o5": "x", "o6": "nobody asked"}
DISPUTES = {"d1": "o1", "d2": "o2", "d3": "o3", "d4": "o4", "d5": "o5"}
ASKED = [("d1", "o1"), ("d2", "o2"), ("d3", "o3"), ("d1", "o1"), ("gone", "o1"), ("d5", "o4"), ("d4", "o4")]
"""Disputes and orders as the records have them: one is of no dispute of the ledger, and one names another's order."""


OTHERS = [f'"{name}"' for name in ("d2", "d3", "d5", "gone", "o2", "o3", "o5", "b", "x")]


def chain() -> list[Record]:
    told: list[Record] = []
    for i, (dispute, order) in enumerate(ASKED):
        case, score = Case(dispute, order, i * DAY, "quality", 4_000 + i), Scores(0.1 * i, parts={"buyer_part": -2.0})
        said = {"reviewer": [f"secret {i}"], "seller": [f"receipt {i}"], "buyer": [f"for {dispute}, time {i}"]}
        before = str(told[-1]["hash"]) if told else FIRST
        decision = decide(case, score, Refunds())
        told.append(record(case, score, decision, Refunds(), GROUNDS, reasons=said, previous=before))
    return told


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a ledger and a chain of records."""
    orders: list[Row] = [
        {"order_id": name, "at": 0, "buyer_id": buyer, "seller_id": "s", "amount": 100}
        for name, buyer in OWNERS.items()
    ]
    disputes: list[Row] = [
        {"dispute_id": name, "at": 0, "order_id": order, "reason": "quality", "claimed": 1}
        for name, order in DISPUTES.items()
    ]
    (tmp_path / "ledger").mkdir()
    for name, table in tables({"orders": orders, "disputes": disputes}).items():
        pq.write_table(table, tmp_path / "ledger" / f"{name}.parquet")
    written(tmp_path, chain())
    return tmp_path


def written(place: Path, told: list[Record]) -> None:
    (place / "records.jsonl").write_text("".join(json.dumps(one, sort_keys=True) + "\n" for one in told))


def run(place: Path, buyer: str, *more: str) -> tuple[int, str, list[str]]:
    """Exit code, what was printed, and what was said, line by line."""
    out, err = io.StringIO(), io.StringIO()
    words = ("--ledger", str(place / "ledger"), "--buyer", buyer, "--out", str(place / "own.jsonl"))
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["records", str(place / "records.jsonl"), *words, *more])
    return code, out.getvalue(), err.getvalue().splitlines()


def test_a_buyer_gets_every_record_of_his_in_his_voice_and_nothing_of_others(place: Path) -> None:
    code, out, said = run(place, "b", "--json")
    assert code == 0
    told, text = chain(), (place / "own.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [of_buyer(told[i]) for i in (0, 3, 6)]
    for hidden in ("secret", "receipt", "buyer_part", "malicious", *OTHERS):
        assert hidden not in text
    closing = json.loads(out)
    assert (closing["records in the chain"], closing["of this buyer"], closing["disputes of his"]) == (7, 3, 2)
    assert closing["last hash of the chain"] == told[-1]["hash"]
    assert [line for line in said if line.startswith("warning")] == [
        f"warning: 2 records name a dispute that {place}/ledger has not, or has of another order; nobody is given them"
    ]


def test_another_buyer_gets_his_alone(place: Path) -> None:
    assert run(place, "x")[0] == 0
    lines = (place / "own.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["dispute_id"] for line in lines] == ["d2"]


def test_who_has_no_records_and_who_is_nobody_hear_one_sentence(place: Path) -> None:
    none = "nobody asked's disputes"
    for buyer, says in (
        ("nobody asked", f"{place}/records.jsonl: want records of {none}, got none among 7; name other records"),
        ("None", f"--buyer: want a buyer of {place}/ledger, got None, of whom it has no order; name another"),
        ("", f"--buyer: want a buyer of {place}/ledger, got , of whom it has no order; name another"),
    ):
        code, out, said = run(place, buyer)
        assert (code, out, said[-1]) == (1, "", f"redress: {says}")
    assert not (place / "own.jsonl").exists()


def edited(told: list[Record]) -> list[Record]:
    return [*told[:1], told[1] | {"amount": 1}, *told[2:]]


TAMPERED: dict[str, tuple[Callable[[list[Record]], list[Record]], str]] = {
    "another's line is edited": (edited, "records.jsonl, line 2: want a record as it was written, got one edited"),
    "a line is taken out": (
        lambda told: [*told[:2], *told[3:]],
        "records.jsonl: want a whole chain of records, got one broken: record 2: want the one before named",
    ),
    "the first is taken off": (
        lambda told: told[1:],
        "records.jsonl: want a whole chain of records, got one broken: record 0: ",
    ),
    "two are exchanged": (
        lambda told: [*told[:4], told[5], told[4], told[6]],
        "records.jsonl: want a whole chain of records, got one broken: record 4: want the one before named, got another; "
        "one was taken out, put in or moved; and 2 more",
    ),
    "none is left": (lambda told: [], "records.jsonl: want decision records, one a line, got none"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_from_a_chain_that_is_broken_nobody_gets_anything(how: str, place: Path) -> None:
    change, says = TAMPERED[how]
    written(place, change(chain()))
    code, out, said = run(place, "b")
    assert (code, out) == (1, "")
    assert said[-1].startswith(f"redress: {place}/{says}")
    assert not (place / "own.jsonl").exists()
