"""A store filled, exported and relieved of one buyer from the command line, behind both doors to ordered keys."""

import io
import json
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks.postgres import Server
from features import Ledger, RedressError
from features.homes import facts_of
from features.kernel import DAY
from features.pseudonyms import Key
from features.store import Store
from models.records import FIRST, Grounds, following, record
from models.refunds import Case, Refunds, Scores, decide
from pipelines.__main__ import main
from pipelines.marketplace import world
from pipelines.simulate import simulate, write_ledger
from service.opening import opened

KEY = bytes(range(32))


@cache
def tables() -> dict[str, pa.Table]:
    """A small marketplace that says nothing of blocks."""
    made = simulate(world("chargeback_rich", orders=300, days=150, orders_per_buyer=6.0), seed=4)
    return {name: table for name, table in made.items() if name not in ("blocks", "releases")}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    write_ledger(tables(), tmp_path / "ledger")
    return tmp_path / "ledger"


@pytest.fixture(params=["embedded", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An address where no store is yet, behind each door in turn."""
    if request.param == "embedded":
        yield str(tmp_path / "store")
    else:
        server: Server = request.getfixturevalue("postgres")
        yield server.empty()


def run(*words: object) -> tuple[int, str, str]:
    """What a command left: its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return code, out.getvalue(), err.getvalue()


def told(*words: object) -> dict[str, object]:
    """The closing table of a command, which must be all on standard output."""
    code, out, err = run(*words, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def fault(*words: object) -> str:
    """The one sentence of a command that ends with a known fault."""
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    return err.splitlines()[-1].removeprefix("redress: ")


def plain(found: Ledger) -> list[tuple[object, ...]]:
    """All facts of a ledger, sorted."""
    return sorted(((one.table, *one.values) for one in facts_of(found)), key=str)


def disputed() -> tuple[str, str, str, int]:
    """A buyer with several orders, and a dispute of his: its id, its order and when it came, in microseconds."""
    owners = dict(zip(*(tables()["orders"][name].to_pylist() for name in ("order_id", "buyer_id")), strict=True))
    found = tables()["disputes"]
    at = pc.cast(found["at"], pa.int64()).to_pylist()
    rows = zip(found["dispute_id"].to_pylist(), found["order_id"].to_pylist(), at, strict=True)
    told = [(str(owners[order]), str(dispute), str(order), int(t)) for dispute, order, t in rows]
    return max(told, key=lambda one: [*owners.values()].count(one[0]))


def test_a_store_is_filled_and_comes_out_as_the_ledger_it_was(ledger: Path, place: str, tmp_path: Path) -> None:
    rows = sum(table.num_rows for table in tables().values())
    closing_table = told("load", "--ledger", ledger, "--store", place, "--horizon", "30d")
    assert (closing_table["facts"], closing_table["orders"], closing_table["bad rows left out"]) == (rows, 300, 0)
    assert (closing_table["horizon"], closing_table["ids"]) == ("30 days", "as they came")
    assert "secret" not in str(closing_table["store"])
    with closing(Store.open(place)) as store:
        assert (store.where, store.meta.name, store.horizon) == (
            closing_table["store"],
            closing_table["name"],
            30 * DAY,
        )
        assert len(bytes.fromhex(store.meta.name)) == 16
    out = told("export", "--store", place, "--out", tmp_path / "copy")
    assert out == {name: f"{table.num_rows:,} rows" for name, table in tables().items() if table.num_rows} | {
        "ledger": str(tmp_path / "copy")
    }
    before, after = Ledger.open(ledger), Ledger.open(tmp_path / "copy")
    assert plain(after) == plain(before)
    assert list(after.facts) == list(before.facts)


def test_a_buyer_s_own_is_exported_and_then_erased(ledger: Path, place: str, tmp_path: Path) -> None:
    told("load", "--ledger", ledger, "--store", place)
    (who, dispute, order, at), mine = disputed(), tmp_path / "mine"
    his = pq.read_table(ledger / "orders.parquet", filters=[("buyer_id", "=", who)])
    assert his.num_rows > 3
    kept(place, dispute, order, at)
    out = told("export", "--store", place, "--out", mine, "--buyer", who)
    assert (out["orders"], out["records in full"]) == (f"{his.num_rows} rows", "1 rows")
    assert set(pq.read_table(mine / "orders.parquet")["buyer_id"].to_pylist()) == {who}
    assert pq.read_table(mine / "buyers.parquet").num_rows == 1
    assert not (mine / "sellers.parquet").exists()
    shipped = pq.read_table(ledger / "shipments.parquet", filters=[("order_id", "in", his["order_id"].to_pylist())])
    assert pq.read_table(mine / "shipments.parquet").num_rows == shipped.num_rows > 0
    [line] = (mine / "records.jsonl").read_text().splitlines()
    assert json.loads(line)["reasons"]["reviewer"]
    gone = told("erase", "--store", place, "--buyer", who)
    assert (gone["orders of his"], gone["decision records emptied"]) == (his.num_rows, 1)
    assert fault("export", "--store", place, "--out", tmp_path / "no", "--buyer", who).endswith("name another")
    assert not (tmp_path / "no").exists()
    told("export", "--store", place, "--out", tmp_path / "copy")
    orders = pq.read_table(tmp_path / "copy" / "orders.parquet")
    assert (orders.num_rows, who in orders["buyer_id"].to_pylist()) == (300, False)
    assert sum(map(len, Ledger.open(tmp_path / "copy").bad.values())) == 0


def kept(place: str, dispute: str, order: str, at: int) -> None:
    """Keeps a record about a dispute in a store."""
    case, scores = Case(dispute, order, at, "quality", 9), Scores(0.1, parts={"buyer_part": -2.0})
    grounds = Grounds("ab" * 16, {"malicious_dispute": "cd" * 16}, "default", "ef" * 8)
    made = record(
        case, scores, decide(case, scores, Refunds()), Refunds(), grounds, reasons={"reviewer": ["why"]}, previous=FIRST
    )
    with closing(Store.open(place)) as store:
        store.decisions.keep("w", made, order, following)


def test_what_is_too_old_is_left_out_and_counted(ledger: Path, tmp_path: Path) -> None:
    out = told("load", "--ledger", ledger, "--store", tmp_path / "store", "--keep", "60d")
    since = Ledger.open(ledger).last_at - 60 * DAY
    old = [t for t in pc.cast(tables()["orders"]["at"], pa.int64()).to_pylist() if t < since]
    assert 0 < len(old) < 300
    assert out["orders"] == 300 - len(old)
    assert f": {len(old)} orders, " in str(out["too old, left out"])
    with closing(Store.open(tmp_path / "store")) as store:
        orders = {one.text("order_id"): one.at for one in store.facts() if one.table == "orders"}
        assert min(orders.values()) >= since
        assert {str(one["order_id"]) for one in store.facts() if one.table == "scans"} <= orders.keys()
    assert fault("load", "--ledger", ledger, "--store", tmp_path / "s", "--keep", "1h").endswith("keep more")
    assert not (tmp_path / "s").exists()


def test_ids_of_persons_are_hashed_by_a_key(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY)
    words = ("--store", tmp_path / "store", "--key", tmp_path / "key")
    assert told("load", "--ledger", ledger, *words)["ids"] == f"hashed by the key {Key(KEY).mark}"
    told("export", "--store", tmp_path / "store", "--out", tmp_path / "copy")
    buyers = pq.read_table(tmp_path / "copy" / "orders.parquet")["buyer_id"].to_pylist()
    assert all(str(name).startswith(Key(KEY).mark) for name in buyers)
    out = ("export", "--out", tmp_path / "mine", "--buyer", disputed()[0])
    assert "want the key that its ids of persons are hashed by, got none" in fault(*out, *words[:2])
    assert told(*out, *words)["orders"] == f"{buyers.count(Key(KEY).name('buyer_id', disputed()[0]))} rows"
    assert fault(*out, *words[:2], "--key", tmp_path / "none").endswith("got No such file or directory; name another")


def test_the_service_wants_the_key_of_its_store(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY)
    where, key = str(tmp_path / "store"), str(tmp_path / "key")
    told("load", "--ledger", ledger, "--store", where, "--key", key)
    with pytest.raises(RedressError, match="got none"):
        opened(where, "models", "default", "w")
    store, _ = opened(where, "models", "default", "w", key)
    with closing(store):
        order: dict[str, object] = {"order_id": "new", "at": 4_000_000_000_000_000, "buyer_id": "me", "seller_id": "s"}
        assert store.append({"orders": [order]}, arrived=4_000_000_000_000_000).taken == 1


def test_a_store_with_facts_is_not_filled_again(ledger: Path, place: str, tmp_path: Path) -> None:
    told("load", "--ledger", ledger, "--store", place)
    assert "want no store there yet, got one of " in fault("load", "--ledger", ledger, "--store", place)
    with closing(Store.open(place)) as store:
        assert len(list(store.facts())) == sum(table.num_rows for table in tables().values())


def test_a_store_that_was_made_and_not_filled_is_made_anew(ledger: Path, place: str) -> None:
    Store.create(place, name="ab" * 16, horizon=DAY).close()
    out = told("load", "--ledger", ledger, "--store", place)
    with closing(Store.open(place)) as store:
        assert (store.meta.name, store.horizon) == (out["name"], 120 * DAY)


@pytest.mark.parametrize("words", [("export", "--out", "copy"), ("erase", "--buyer", "b")])
def test_where_no_store_is_nothing_is_made(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fault(*words, "--store", "none").startswith("none: want a store, got no data.mdb")
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_is_not_written_over(ledger: Path, tmp_path: Path) -> None:
    told("load", "--ledger", ledger, "--store", tmp_path / "store")
    assert "got one that holds orders" in fault("export", "--store", tmp_path / "store", "--out", ledger)


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    table = tables()["cancellations"]
    lost = table.slice(0, 1).set_column(0, "order_id", pa.array(["no such order"]))
    write_ledger(
        tables() | {"cancellations": pa.concat_tables([table, lost], promote_options="permissive")}, tmp_path / "l"
    )
    out = told("load", "--ledger", tmp_path / "l", "--store", tmp_path / "store")
    assert (out["bad rows left out"], out["facts"]) == (1, sum(table.num_rows for table in tables().values()))
