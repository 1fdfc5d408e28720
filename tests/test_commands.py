"""The command line from its words to its files: what every command gives, and the one sentence for every known fault."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import pickletools
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import joblib
import lightgbm
import mlflow.store.db.utils
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel

from features import RedressError
from features.asking import ASKED
from features.families import FAMILIES
from features.tables import TABLES
from models import load
from models.model import FORMAT
from models.reasons import REASONS
from models.telling import TOLD
from pipelines.__main__ import AWAITED, main
from pipelines.marketplace import world
from pipelines.simulate import simulate, write_ledger
from service.scorer import read

ROOT = Path(__file__).resolve().parent.parent
RISK, OUTCOME = "chargeback_risk", "dispute_outcome"
DOUBT = ["low", "high", "abstain"]
PARTS = [f"{part}_part" for part in ("order", "product", "buyer", "seller", "carrier", "evidence", "base")]
WORLD = world("chargeback_rich", orders=3_000, days=400, misunderstanding_rate=0.08)
HORIZON = ("--horizon", "60d")
TUNED = ("--tune", "1")
REQUIRED = ["order_id", "at", "buyer_id", "seller_id", "amount"]
MICROSECOND = pd.Timedelta(microseconds=1)
Tables = dict[str, pa.Table]

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),  # MLflow, of its own types
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated:DeprecationWarning"),  # MLflow, of its frames
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops:DeprecationWarning"),  # pyarrow
]


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def closing(self) -> dict[str, object]:
        """The closing table of a command told to print JSON, which must be all there is on standard output."""
        assert self.code == 0, self.err
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def run(*words: object, at: Path | None = None) -> Ran:
    """Runs a command in this process, in the directory `at`."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), chdir(at or Path.cwd()):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def fault(*words: object, at: Path | None = None) -> str:
    """The one sentence of a command that ends with a known fault, the last line of what it says."""
    ran = run(*words, at=at)
    lines = ran.err.splitlines()
    assert (ran.code, ran.out) == (1, "")
    assert [line for line in lines if line.startswith("redress: ")] == lines[-1:]
    return lines[-1].removeprefix("redress: ")


def spawned(
    words: list[object], at: Path, *, path: str = "", code: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs Python in a process of its own: the command line, or some code."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"PYTHONPATH": path} if path else {}
    start = ["-m", "pipelines"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *start, *map(str, words)],
        cwd=at,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def written(folder: Path, tables: Tables) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def soiled(tables: Tables) -> Tables:
    """The tables with four bad rows and a copy among the good ones."""
    orders, chargebacks = tables["orders"], tables["chargebacks"]
    first, last = orders.slice(0, 1), orders.slice(orders.num_rows - 1, 1)
    strange = chargebacks.slice(3, 1)
    bad_orders = [
        _with(first, "at", last.column("at")),
        _with(_with(last, "order_id", ["negative"]), "amount", pa.array([-5])),
        first,
    ]
    bad_chargebacks = [
        _with(_with(strange, "chargeback_id", ["orphan"]), "order_id", ["no such order"]),
        _with(_with(strange, "chargeback_id", ["strange"]), "network", ["cheque"]),
    ]
    return {
        "orders": pa.concat_tables([*bad_orders, orders]),
        "chargebacks": pa.concat_tables([*bad_chargebacks, chargebacks]),
    }


def _with(table: pa.Table, column: str, values: object) -> pa.Table:
    place = table.schema.get_field_index(column)
    made = values if isinstance(values, pa.ChunkedArray | pa.Array) else pa.array(values)
    return table.set_column(place, column, made)


@pytest.fixture(scope="session")
def tables() -> Tables:
    return simulate(WORLD, seed=1)


@pytest.fixture(scope="session")
def full(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with every table that the simulation makes, and few of the columns of orders, so that it trains fast."""
    folder = tmp_path_factory.mktemp("full") / "ledger"
    write_ledger(tables | {"orders": tables["orders"].select([*REQUIRED, "quantity", "device_id"])}, folder)
    return folder


@pytest.fixture(scope="session")
def few(tables: Tables) -> Tables:
    """Orders with their required columns alone, and chargebacks."""
    return {"orders": tables["orders"].select(REQUIRED), "chargebacks": tables["chargebacks"]}


@pytest.fixture(scope="session")
def bare(few: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("bare") / "ledger", few)


@dataclass(frozen=True)
class Shop:
    """A place where models were trained one after the other, and the aliases after each of chargeback_risk."""

    place: Path
    tracking: str
    ran: dict[str, Ran]
    aliases: list[dict[str, str]]

    def model(self, name: str) -> Path:
        """The directory of a trained model."""
        return self.place / name / (OUTCOME if name == "outcome" else RISK)


@pytest.fixture(scope="session")
def shop(full: Path, bare: Path, few: Tables, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Models of the full ledger, of a soiled bare one, and of the bare one in a process of its own, told to be champion.

    The bare ones try a setting first, and come to the same.
    """
    place = tmp_path_factory.mktemp("shop")
    dirty = written(place / "ledger", soiled(few))
    tracking = f"sqlite:///{place}/redress.db"
    ran, aliases = {}, []
    words = ("--tracking", tracking, "--json", "--out")
    ran["full"] = run("train", RISK, "--ledger", full, *HORIZON, *words, "full", at=place)
    aliases.append(_aliases(tracking))
    ran["dirty"] = run("train", RISK, "--ledger", dirty, *HORIZON, *TUNED, *words, "dirty", at=place)
    aliases.append(_aliases(tracking))
    told = spawned(
        ["train", RISK, "--ledger", bare, *HORIZON, *TUNED, "--champion", *words, "bare"], place, path=str(ROOT)
    )
    ran["bare"] = Ran(told.returncode, told.stdout, told.stderr)
    aliases.append(_aliases(tracking))
    ran["outcome"] = run("train", OUTCOME, "--ledger", full, *words, "outcome", at=place)
    return Shop(place, tracking, ran, aliases)


def _aliases(tracking: str) -> dict[str, str]:
    found = MlflowClient(tracking).get_registered_model(RISK)
    assert isinstance(found, RegisteredModel)
    return {str(alias): str(version) for alias, version in found.aliases.items()}


# What every command gives


def test_check_tells_rows_spans_and_what_a_ledger_can_support(full: Path, tables: Tables) -> None:
    ran = run("check", full, "--json")
    closing = ran.closing
    won = r"[\d.]+ % \[.+\] of \d+ contested and ended, without withdrawn, 0.0 % not yet ended; .+ not yet ended"
    assert re.fullmatch(won, str(closing["chargebacks won"]))
    assert list(closing) == [*TABLES, "chargebacks won", *ASKED, *(f"signals of {family.name}" for family in FAMILIES)]
    assert closing["orders"] == "3,000 rows, 2024-01-01 to 2025-02-03, 0 bad"
    orders, chargebacks = (tables[name].to_pandas().set_index("order_id")["at"] for name in ("orders", "chargebacks"))
    last = max(pd.Timestamp(table["at"][-1].as_py()) for table in tables.values())
    mature = orders[orders + pd.Timedelta("120D") <= last]
    yes = (chargebacks.reindex(mature.index) <= mature + pd.Timedelta("120D")).sum()
    assert yes > 100
    assert (
        str(closing[RISK]).partition(" signals; ")[2].startswith(f"{len(mature):,} mature answers, {yes} charged back")
    )
    assert str(closing[OUTCOME]).partition("absent: ")[2].startswith("orders.address_id, ")
    assert not (full / "quarantine").exists()


def test_check_names_placeholders_and_the_answers_that_a_ledger_lacks(few: Tables, tmp_path: Path) -> None:
    orders = few["orders"].append_column("device_id", pa.array(["everybody's"] * 3000))
    closing = run("check", written(tmp_path, {"orders": orders}), "--json").closing
    assert str(closing["placeholders in device_id"]).startswith("everybody's (")
    assert "cannot be trained without chargebacks" in str(closing[RISK])
    assert closing["signals of conversation"] == "0 of 9; absent for want of messages"
    assert re.fullmatch(r"8 of \d+; absent for want of .*findings.*", str(closing["signals of buyer credit"]))
    assert "cannot be trained without disputes, rulings" in str(closing[OUTCOME])


def test_import_makes_a_ledger_that_the_next_command_reads(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "sales.csv").write_text(
        "sale,moment,cents\na,2024-03-01T10:00:00Z,5\nb,2024-03-02T10:00:00Z,7\n"
    )
    (tmp_path / "shop.sql").write_text(
        """CREATE VIEW orders AS SELECT sale AS order_id, moment AS "at", 'me' AS buyer_id, 'you' AS seller_id,
        CAST(cents AS BIGINT) AS amount, 'x' AS mood FROM source.sales;"""
    )
    ran = run("import", "shop.sql", "--source", "source", "--out", "ledger", "--json", at=tmp_path)
    assert ran.closing == {"orders": "2 rows", "ledger": "ledger"}
    assert any("mood" in line for line in ran.err.splitlines() if line.startswith("warning: "))
    assert run("signals", RISK, "--ledger", tmp_path / "ledger", "--out", tmp_path / "s.parquet").code == 0


def test_simulate_makes_a_ledger_without_bad_rows(tmp_path: Path) -> None:
    words = (
        "simulate",
        "--out",
        tmp_path / "ledger",
        "--orders",
        40,
        "--days",
        30,
        "--seed",
        3,
        "--set",
        "misunderstanding_rate=0.5",
    )
    closing = run(*words, "--json").closing
    assert (closing["orders"], closing["ledger"]) == ("40 rows", str(tmp_path / "ledger"))
    told = run("check", tmp_path / "ledger", "--json").closing
    assert all(", 0 bad" in str(told[path.stem]) for path in (tmp_path / "ledger").glob("*.parquet"))
    assert "got one that holds orders" in fault(*words)


def test_signals_are_one_row_for_each_asking_and_a_float32_column_for_each_signal_told(
    bare: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "signals.parquet"
    closing = run("signals", RISK, "--ledger", bare, "--out", out, *HORIZON, "--json").closing
    table = pq.read_table(out)
    told = run("signals", "--describe", RISK, "--json").closing
    assert table.column_names[:2] == ["ask_id", "at"]
    assert pa.types.is_string(table.schema.field("ask_id").type) or pa.types.is_large_string(
        table.schema.field("ask_id").type
    )
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")
    assert set(table.schema.types[2:]) == {pa.float32()}
    assert set(table.column_names[2:]) < told.keys()
    assert "buyer_orders_count_30d" in table.column_names
    assert not any(name.startswith(("device_", "buyer_disputes")) for name in table.column_names)
    assert (closing["askings"], closing["signals"], table.num_rows) == (3000, table.num_columns - 2, 3000)
    assert sorted(table.column("ask_id").to_pylist()) == sorted(
        pq.read_table(bare / "orders.parquet")["order_id"].to_pylist()
    )
    assert [path.name for path in out.parent.iterdir()] == ["signals.parquet"]


def test_the_dictionary_tells_part_unit_meaning_and_needs_of_every_signal() -> None:
    every = run("signals", "--describe", "--json").closing
    each = [run("signals", "--describe", question, "--json").closing for question in ASKED]
    assert every == {name: line for some in reversed(each) for name, line in some.items()}
    parts = {str(line).partition(" | ")[0] for line in every.values()}
    assert parts <= {part.removesuffix("_part") for part in PARTS}
    assert every["order_amount"] == "order | cents | amount of the order | needs orders.amount"
    assert "order_amount" in run("signals", "--describe").out


def test_a_span_holds_its_first_moment_and_not_its_last(bare: Path, tmp_path: Path) -> None:
    moments = pd.read_parquet(bare / "orders.parquet")["at"].sort_values()
    start, stop = (moments.iloc[place].isoformat() for place in (100, 110))
    ran = run("signals", RISK, "--ledger", bare, "--from", start, "--to", stop, "--out", tmp_path / "s.parquet")
    assert ran.code == 0
    assert pd.read_parquet(tmp_path / "s.parquet")["at"].tolist() == moments.iloc[100:110].tolist()


def test_asks_name_askings_one_by_one_at_their_own_times(bare: Path, tmp_path: Path) -> None:
    run("signals", RISK, "--ledger", bare, *HORIZON, "--out", tmp_path / "all.parquet")
    whole = pd.read_parquet(tmp_path / "all.parquet")
    asks = whole.iloc[[70, 5, 1200]][["ask_id", "at"]]
    later = asks.iloc[:1].assign(at=asks["at"] + pd.Timedelta(days=30))
    pd.concat([asks, later]).to_parquet(tmp_path / "asks.parquet")
    words = ("signals", RISK, "--ledger", bare, "--asks", tmp_path / "asks.parquet", *HORIZON)
    ran = run(*words, "--out", tmp_path / "some.parquet")
    assert ran.code == 0
    assert "the ledger ends" not in ran.err
    some = pd.read_parquet(tmp_path / "some.parquet")
    assert len(some) == 4
    again = some.merge(asks, on=["ask_id", "at"])[whole.columns].sort_values("ask_id", ignore_index=True)
    pd.testing.assert_frame_equal(again, whole.iloc[[5, 70, 1200]].sort_values("ask_id", ignore_index=True))


def test_askings_beyond_the_end_of_a_ledger_are_counted(bare: Path, tmp_path: Path) -> None:
    order = pq.read_table(bare / "orders.parquet", columns=["order_id"])["order_id"][0].as_py()
    asks_of([order], [LATE]).to_parquet(tmp_path / "asks.parquet")
    words = ("signals", RISK, "--ledger", bare, "--asks", tmp_path / "asks.parquet", *HORIZON)
    ran = run(*words, "--out", tmp_path / "some.parquet")
    assert ran.code == 0
    assert re.search(
        r"warning: the ledger ends 20\d\d-.*; askings after that, who lack what came since: 1$", ran.err, re.M
    )


def test_train_leaves_a_model_a_report_and_its_numbers(shop: Shop) -> None:
    closing = shop.ran["full"].closing
    assert closing["question"] == RISK
    counts = [closing[f"askings, {name}"] for name in ("immature", "answered before asking", "no answer")]
    assert (
        sum(int(str(c)) for c in [*counts, closing["askings, neither yes nor no"], closing["askings, learnt from"]])
        == 3000
    )
    assert "average_precision" in closing
    assert closing["registered"] == f"models:/{RISK}@champion, version 1"
    assert (shop.place / "full" / "report.html").read_text().startswith("<!doctype html>")
    told = json.loads((shop.place / "full" / "evaluation.json").read_text())
    assert {row["slicing"] for row in told["slices"]} == {"buyer", "amount", "seller"}
    assert sum(row["n"] for row in told["slices"]) == 3 * told["n"]
    assert told["expected_loss"][-1]["n"] == told["n"]
    assert sum(row["n"] for row in told["cohorts"]) == 3_000
    assert "rules only" in told["curves"]
    client = MlflowClient(shop.tracking)
    run_id = str(client.get_model_version(RISK, "1").run_id)
    logged = client.get_run(run_id).data
    assert logged.metrics.keys() >= {"average_precision", "log_loss"} & closing.keys()
    assert logged.params["question"] == RISK
    assert {artifact.path for artifact in client.list_artifacts(run_id)} >= {"report.html", "evaluation.json"}


def test_a_setting_that_was_chosen_by_trying_is_in_the_trees_the_card_the_report_and_the_run(shop: Shop) -> None:
    folder = shop.place / "bare"
    table = pd.read_csv(folder / "tuning.csv")
    rate = table.loc[table["chosen"], "learning_rate"].item()
    card = load(folder / RISK).card
    assert (len(table), card["settings_tried"]) == (2, 1)
    assert f"[learning_rate: {rate:g}]" in load(folder / RISK).trees
    assert "Settings that were tried" in (folder / "report.html").read_text()
    client = MlflowClient(shop.tracking)
    run_id = str(client.get_model_version(RISK, "3").run_id)
    assert float(client.get_run(run_id).data.params["learning_rate"]) == rate
    assert "tuning.csv" in {artifact.path for artifact in client.list_artifacts(run_id)}
    assert "settings_tried" not in load(shop.model("full")).card
    assert " --tune 1 --seed " in (folder / "card.md").read_text("utf-8")
    assert "--tune" not in (shop.place / "full" / "card.md").read_text("utf-8")


def test_a_model_is_two_files_of_text(shop: Shop) -> None:
    for name in shop.ran:
        assert sorted(path.name for path in shop.model(name).iterdir()) == ["model.json", "model.txt"]
        for path in shop.model(name).iterdir():
            path.read_text("utf-8")


def test_the_first_model_is_champion_the_next_challenger_and_one_told_to_be_champion_swaps(shop: Shop) -> None:
    assert [ran.code for ran in shop.ran.values()] == [0] * 4
    assert shop.aliases == [
        {"champion": "1"},
        {"champion": "1", "challenger": "2"},
        {"champion": "3", "challenger": "1"},
    ]
    assert shop.ran["dirty"].closing["registered"] == f"models:/{RISK}@challenger, version 2"
    assert shop.ran["bare"].closing["registered"] == f"models:/{RISK}@champion, version 3"
    assert str(shop.ran["full"].closing["champion"]).startswith("no champion before it, so nothing to compare with; ")
    assert str(shop.ran["dirty"].closing["challenger"]).startswith("too few answers since the champion learnt: ")
    assert str(shop.ran["bare"].closing["champion"]).startswith("told to be; the gate: undecided, ")
    tags = [MlflowClient(shop.tracking).get_model_version(RISK, version).tags["promotion"] for version in "123"]
    assert tags == ["first", "undecided", "overridden"]


def test_bad_rows_are_left_out_counted_and_change_nothing(shop: Shop) -> None:
    (line,) = [line for line in shop.ran["dirty"].err.splitlines() if line.startswith("left out ")]
    assert line.startswith("left out 4 bad rows; ")
    assert "left out" not in shop.ran["bare"].err
    assert (shop.model("dirty") / "model.txt").read_bytes() == (shop.model("bare") / "model.txt").read_bytes()
    assert not (shop.place / "ledger" / "quarantine").exists()


def scored(
    shop: Shop, ledger: Path, model: object, out: Path, *words: object, question: str = RISK
) -> tuple[Ran, pd.DataFrame]:
    ran = run(
        "score",
        question,
        "--ledger",
        ledger,
        "--model",
        model,
        "--tracking",
        shop.tracking,
        "--out",
        out,
        "--json",
        *words,
    )
    assert ran.code == 0, ran.err
    return ran, pd.read_parquet(out)


@pytest.mark.parametrize(("name", "question", "table", "key"), [
    ("full", RISK, "orders", "order_id"), ("outcome", OUTCOME, "disputes", "dispute_id")
])  # fmt: skip
def test_scores_are_a_probability_and_parts_that_sum_to_its_log_odds(
    name: str, question: str, table: str, key: str, shop: Shop, full: Path, tmp_path: Path
) -> None:
    ran, found = scored(shop, full, shop.place / name, tmp_path / "s.parquet", question=question)
    schema = pq.read_schema(tmp_path / "s.parquet")
    loss = ["expected_loss"] if question == RISK else []
    assert schema.names == ["ask_id", "at", "probability", *loss, *DOUBT, *PARTS]
    assert schema.field("at").type == pa.timestamp("us", "UTC")
    assert schema.field("abstain").type == pa.bool_()
    assert {schema.field(name).type for name in schema.names[2:] if name != "abstain"} == {pa.float64()}
    assert found["probability"].between(0, 1, inclusive="neither").all()
    assert ((found["low"] < found["probability"]) & (found["probability"] < found["high"])).all()
    assert found["probability"].nunique() > 10
    p = found["probability"].to_numpy()
    assert np.abs(found[PARTS].sum(axis=1).to_numpy() - np.log(p / (1 - p))).max() < 1e-9
    asked = pd.read_parquet(full / f"{table}.parquet").sort_values(["at", key])
    assert found["ask_id"].tolist() == asked[key].tolist()
    assert found["at"].tolist() == asked["at"].tolist()
    assert ran.closing["askings scored"] == len(asked)
    assert any(line.startswith("warning: some askings are older than ") for line in ran.err.splitlines())


def test_a_model_scores_the_same_from_its_directory_and_from_the_registry(
    shop: Shop, bare: Path, tmp_path: Path
) -> None:
    whole = {}
    uris = (
        f"models:/{RISK}@champion",
        f"models:/{RISK}/3",
        shop.model("bare"),
        shop.place / "bare",
        shop.model("dirty"),
    )
    for number, model in enumerate(uris):
        scored(shop, bare, model, tmp_path / f"{number}.parquet")
        whole[str(model)] = (tmp_path / f"{number}.parquet").read_bytes()
    assert len(set(whole.values())) == 1


def test_a_scorer_answers_with_the_champions_of_a_tracking_server(shop: Shop, tmp_path: Path) -> None:
    found = read(shop.tracking)
    assert {question: model.version for question, model in found.items()} == {
        RISK: load(shop.model("bare")).version,
        OUTCOME: load(shop.model("outcome")).version,
    }
    with pytest.raises(RedressError, match=r"want a directory, or a tracking server .*, got a model; name the server"):
        read(f"models:/{RISK}@champion")
    with pytest.raises(RedressError, match=r"want a model registry, got no file .*/none.db; train, or name another"):
        read(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []
    register_nothing(tmp_path)
    with pytest.raises(RedressError, match="want a champion of a question, got none; train with --champion"):
        read(f"sqlite:///{tmp_path}/redress.db")


def register_nothing(place: Path) -> None:
    """Makes a registry without models."""
    assert MlflowClient(f"sqlite:///{place}/redress.db").search_registered_models() == []


def test_model_txt_is_lightgbm_s_own_format(shop: Shop, bare: Path, tmp_path: Path) -> None:
    _, found = scored(shop, bare, shop.model("bare"), tmp_path / "s.parquet")
    run("signals", RISK, "--ledger", bare, *HORIZON, "--out", tmp_path / "signals.parquet")
    rest = json.loads((shop.model("bare") / "model.json").read_text())
    frame = pd.read_parquet(tmp_path / "signals.parquet")
    booster = lightgbm.Booster(model_file=str(shop.model("bare") / "model.txt"))
    raw = np.asarray(booster.predict(frame[rest["signals"]].to_numpy(np.float32), raw_score=True))
    told = rest["follows"]
    followed = told["pull"] * (frame[told["name"]].astype(np.float64) - told["mean"]).fillna(0).to_numpy()
    odds = rest["intercept"] + rest["slope"] * raw + followed
    assert np.abs(1 / (1 + np.exp(-odds)) - found["probability"].to_numpy()).max() < 1e-12


def test_reasons_are_words_in_three_voices_from_a_closed_list(shop: Shop, bare: Path, tmp_path: Path) -> None:
    _, plain = scored(shop, bare, shop.model("bare"), tmp_path / "plain.parquet")
    _, told = scored(shop, bare, shop.model("bare"), tmp_path / "told.parquet", "--reasons")
    assert pq.read_schema(tmp_path / "told.parquet").names == [*plain.columns, *TOLD]
    assert {pq.read_schema(tmp_path / "told.parquet").field(name).type.value_type for name in TOLD} == {pa.string()}
    pd.testing.assert_frame_equal(told[plain.columns], plain)
    assert set(np.concatenate(told["reason_codes"].to_list())) <= {reason.code for reason in REASONS}
    assert told["reason_codes"].map(len).tolist() == told["reasons"].map(len).tolist()
    assert told["reasons"].map(len).between(0, 6).all()
    meanings = {str(line).split(" | ")[2] for line in run("signals", "--describe", RISK, "--json").closing.values()}
    signals = [one for line in np.concatenate(told["reasons"].to_list()) for one in line.split(" | ")[1:]]
    assert {one.partition(" = ")[0] for one in signals} <= meanings
    assert signals
    assert all(len(set(said)) == len(said) for name in TOLD[2:] for said in told[name])


def test_an_asking_after_its_answer_was_known_is_left_out_and_counted(shop: Shop, bare: Path, tmp_path: Path) -> None:
    chargebacks = pd.read_parquet(bare / "chargebacks.parquet").sort_values("at")
    orders = pd.read_parquet(bare / "orders.parquet").set_index("order_id")["at"]
    soon = chargebacks[chargebacks["at"] - chargebacks["order_id"].map(orders) < pd.Timedelta(days=60)].iloc[0]
    asks = pd.DataFrame({"ask_id": soon["order_id"], "at": [soon["at"], soon["at"] + MICROSECOND]})
    asks.to_parquet(tmp_path / "asks.parquet")
    ran, found = scored(shop, bare, shop.model("bare"), tmp_path / "s.parquet", "--asks", tmp_path / "asks.parquet")
    assert (ran.closing["askings scored"], ran.closing["left out, answered before asking"]) == (1, 1)
    assert found["at"].tolist() == [soon["at"]]


def test_when_every_asking_is_left_out_the_scores_are_an_empty_table(shop: Shop, bare: Path, tmp_path: Path) -> None:
    order = pd.read_parquet(bare / "orders.parquet").iloc[:1]
    asks = pd.DataFrame({"ask_id": order["order_id"], "at": order["at"] + pd.Timedelta(days=61)})
    asks.to_parquet(tmp_path / "asks.parquet")
    ran, found = scored(shop, bare, shop.model("bare"), tmp_path / "s.parquet", "--asks", tmp_path / "asks.parquet")
    assert (ran.closing["askings scored"], ran.closing["left out, answered before asking"]) == (0, 1)
    assert (list(found), len(found)) == (["ask_id", "at", "probability", *DOUBT, *PARTS], 0)


def test_backtest_reports_every_fold_and_all_together(bare: Path, tmp_path: Path) -> None:
    words = ("--to", "2024-12-01", "--folds", 2, "--test", "60d", *HORIZON)
    closing = run("backtest", RISK, "--ledger", bare, *words, "--out", tmp_path / "out", "--json").closing
    assert (closing["question"], closing["folds"]) == (RISK, 2)
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert [moment[:10] for moment in told["folds"]] == ["2024-08-03", "2024-10-02"]
    assert {row["slice"] for row in told["slices"]} >= {"first order", "under 10 orders"}
    assert (told["cohorts"][-1]["month"], told["cohorts"][-1]["standing"]) == ("2024-11", "due")
    assert told["arrivals"][0]["answered"] == 0 < told["arrivals"][-1]["answered"] < 1
    assert "expected_loss" not in told  # the ledger does not tell how chargebacks end
    assert (tmp_path / "out" / "report.html").exists()
    assert closing["report"] == str(tmp_path / "out" / "report.html")


def test_backtest_can_leave_out_buyers_already_charged_back(bare: Path, tmp_path: Path) -> None:
    words = (
        "--to",
        "2024-12-01",
        "--folds",
        1,
        "--test",
        "60d",
        *HORIZON,
        "--train",
        "120d",
        "--exclude",
        "compromised",
    )
    closing = run("backtest", RISK, "--ledger", bare, *words, "--out", tmp_path / "out", "--json").closing
    orders = pd.read_parquet(bare / "orders.parquet")["at"]
    asked = int(orders.between("2024-10-02", "2024-12-01", inclusive="left").sum())
    assert 0 < int(str(closing["askings tested"])) < asked


def test_without_json_the_closing_table_is_for_people(bare: Path, tmp_path: Path) -> None:
    ran = run("signals", RISK, "--ledger", bare, "--out", tmp_path / "s.parquet")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["question", "askings", "signals", "written"]
    assert "3,000" in ran.out
    assert ran.err.splitlines()[:2] == ["checking orders", "checking chargebacks"]


# No pickle

LOADED = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".dill", ".pt", ".pth")
PACKED: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x78", zlib.decompress),
)


def pickled(content: bytes, name: str = "") -> bool:
    """Whether loading a file could run a pickle: by its name, its first bytes, or what it is packed around."""
    if name.lower().endswith(LOADED):
        return True
    if content[:1] == b"\x80" and content[1:2] <= bytes([pickle.HIGHEST_PROTOCOL]):
        return True
    if content.startswith(b"\x93NUMPY"):
        return b"'|O'" in content[:256]
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(pickled(archive.read(entry), entry) for entry in archive.namelist())
    for magic, unpacked in PACKED:
        if content.startswith(magic):
            with suppress(OSError, ValueError, EOFError, zlib.error, lzma.LZMAError):
                return pickled(unpacked(content))
    return _runs(content)


def _runs(content: bytes) -> bool:
    """Whether bytes are a whole pickle of the old protocols, which begin with no mark of their own."""
    try:
        pickletools.dis(content, io.StringIO())
    except Exception:
        return False
    return True


def pickles(folder: Path) -> list[str]:
    return [name for name, content in files(folder).items() if pickled(content, name)]


def plants() -> Iterator[tuple[str, bytes]]:
    """Files with a pickle in them, under names and wrappings that hide it."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield "model.txt", pickle.dumps({"a": [1, "b"]}, protocol)
    dumped = pickle.dumps([1, 2])
    yield from (("model.bin", pack(dumped)) for pack in (gzip.compress, bz2.compress, lzma.compress, zlib.compress))
    yield "empty.PKL", b""
    for compress in (0, 3):
        joblib.dump(np.arange(3), stream := io.BytesIO(), compress=compress)
        yield "served.py", stream.getvalue()
    np.save(stream := io.BytesIO(), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    yield "numbers.npy", stream.getvalue()
    with zipfile.ZipFile(stream := io.BytesIO(), "w") as archive:
        archive.writestr("archive/data", gzip.compress(dumped))
    yield "weights.dat", stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"), [pytest.param(*planted, id=f"{i} {planted[0]}") for i, planted in enumerate(plants())]
)
def test_a_planted_pickle_is_found(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / name).write_bytes(content)
    assert pickles(tmp_path) == [f"deep/{name}"]


def test_innocent_files_are_no_pickles(tmp_path: Path) -> None:
    np.save(tmp_path / "numbers.npy", np.arange(3))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(b"text"))
    (tmp_path / "x.txt").write_text("x is the first letter; zlib begins with it too")
    (tmp_path / "model.json").write_text("{}")
    with zipfile.ZipFile(tmp_path / "book.zip", "w") as archive:
        archive.writestr("a.txt", "text")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    (tmp_path / "empty").write_bytes(b"")
    assert pickles(tmp_path) == []


def test_nothing_that_training_leaves_is_a_pickle(shop: Shop) -> None:
    left = files(shop.place)
    assert {"full", "mlruns"} <= {name.partition("/")[0] for name in left}
    assert sum(name.endswith("model.txt") for name in left) >= 8
    assert pickles(shop.place) == []


SERVED = """
import sys
import mlflow
import pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
signals = pd.read_parquet(sys.argv[3])
model.predict(signals[model.metadata.get_input_schema().input_names()]).to_parquet(sys.argv[4])
import features, models
print(features.__file__)
print(models.__file__)
"""


def test_mlflow_serves_the_same_numbers_where_the_code_is_unknown(shop: Shop, bare: Path, tmp_path: Path) -> None:
    _, found = scored(shop, bare, shop.model("bare"), tmp_path / "s.parquet")
    run("signals", RISK, "--ledger", bare, *HORIZON, "--out", tmp_path / "signals.parquet")
    (tmp_path / "empty").mkdir()
    words: list[object] = [
        shop.tracking,
        f"models:/{RISK}@champion",
        tmp_path / "signals.parquet",
        tmp_path / "p.parquet",
    ]
    told = spawned(words, tmp_path / "empty", code=SERVED)
    assert told.returncode == 0, told.stderr
    assert not [line for line in told.stdout.splitlines() if line.startswith(str(ROOT))]
    served = pd.read_parquet(tmp_path / "p.parquet")
    pd.testing.assert_frame_equal(served, found[["probability", *DOUBT, *PARTS]], check_exact=True)


# Known faults: one sentence, exit 1, nothing half-written


def cents(tables: Tables, values: pa.Array) -> Tables:
    return tables | {"orders": _with(tables["orders"], "amount", values)}


def _naive(tables: Tables) -> Tables:
    clock = tables["orders"].column("at").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.timestamp("us"))
    return tables | {"orders": _with(tables["orders"], "at", clock)}


def _kept(*names: str) -> Callable[[Tables], Tables]:
    return lambda tables: {name: tables[name] for name in names}


ZONE = "attach the zone its clock ran in, for example AT TIME ZONE 'UTC'"
BROKEN: dict[str, tuple[Callable[[Tables], Tables], str]] = {
    "no orders": (_kept("chargebacks"), "LEDGER: want a table orders, got chargebacks; import or write one"),
    "no tables": (_kept(), "LEDGER: want a table orders, got none; import or write one"),
    "empty orders": (
        lambda t: t | {"orders": t["orders"].slice(0, 0)},
        "LEDGER: want at least one order, got a table orders without rows; import or write some",
    ),
    "text in a number column": (
        lambda t: cents(t, pa.array(["12"] * len(t["orders"]))),
        "orders.amount: want int64 cents, got string; multiply by 100 and round",
    ),
    "an amount as float": (
        lambda t: cents(t, pa.array([0.12] * len(t["orders"]))),
        "orders.amount: want int64 cents, got double; multiply by 100 and round",
    ),
    "naive times": (
        _naive,
        f"orders.at: want timestamp in microseconds with a time zone, got timestamp[us] without one; {ZONE}",
    ),
    "a column that is lacking": (
        lambda t: t | {"orders": t["orders"].drop_columns(["buyer_id"])},
        "orders: want a column buyer_id, got order_id, at, seller_id, amount; add it",
    ),
    "no good order": (
        lambda t: cents(t, pa.array([-1] * len(t["orders"]))),
        "LEDGER: want at least one good order, got none; redress check says why each is bad",
    ),
}


def commands(ledger: object, model: object, out: Path) -> dict[str, tuple[object, ...]]:
    """Every command that reads a ledger."""
    at = ("--ledger", ledger, "--out", out / "made")
    return {
        "signals": ("signals", RISK, *at),
        "train": ("train", RISK, *at, "--tracking", f"sqlite:///{out}/new.db"),
        "score": ("score", RISK, *at, "--model", model),
        "backtest": ("backtest", RISK, *at, "--test", "30d"),
    }


@pytest.mark.parametrize("verb", ["check", "signals", "train", "score", "backtest"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_ledger_that_cannot_be_used_is_one_sentence_and_leaves_nothing(
    verb: str, broken: str, shop: Shop, few: Tables, tmp_path: Path
) -> None:
    change, sentence = BROKEN[broken]
    if (verb, broken) == ("check", "no good order"):
        return  # it is what says why
    folder = written(tmp_path / "ledger", {name: table.slice(0, 50) for name, table in change(few).items()})
    (tmp_path / "out").mkdir()
    words = commands(folder, shop.model("bare"), tmp_path / "out") | {"check": ("check", folder)}
    before = files(tmp_path)
    assert fault(*words[verb], at=tmp_path) == sentence.replace("LEDGER", str(folder))
    assert files(tmp_path) == before


@pytest.mark.parametrize("verb", ["check", "signals", "train", "score", "backtest"])
def test_a_directory_that_is_none_is_one_sentence(verb: str, shop: Shop, tmp_path: Path) -> None:
    words = commands(tmp_path / "none", shop.model("bare"), tmp_path) | {"check": ("check", tmp_path / "none")}
    assert fault(*words[verb]) == f"{tmp_path}/none: want a directory of Parquet tables, got nothing there"
    assert files(tmp_path) == {}


def test_a_file_that_is_not_parquet_is_one_sentence(bare: Path, shop: Shop, tmp_path: Path) -> None:
    folder = written(tmp_path / "ledger", {"orders": pq.read_table(bare / "orders.parquet")})
    (folder / "chargebacks.parquet").write_text("chargeback_id,at\n")
    for words in commands(folder, shop.model("bare"), tmp_path).values():
        assert fault(*words).startswith(f"{folder}/chargebacks.parquet: want readable Parquet, got ")


def _alike(tables: Tables) -> Tables:
    return tables | {"chargebacks": tables["chargebacks"].slice(0, 0)}


@pytest.mark.parametrize(
    ("verb", "rest", "change", "sentence"),
    [
        ("train", (), _alike, "chargeback_risk: want askings of both answers to learn from, got 3,000 asked"),
        ("backtest", ("--test", "30d", "--to", "2024-10-01"), _alike, "the fold that tests from 2024-07-03"),
        ("backtest", ("--test", "30d", "--to", "2024-12-01"), dict, "--to: want askings whose answers are due, those before"),
        ("train", (), _kept("orders"), "chargeback_risk: want answers from a table chargebacks, got orders; import it"),
        ("train", ("--as-of", "2023-12-31"), dict, "--as-of: want a time after the first order at 2024-01-01T"),
        ("train", ("--from", "2030-01-01"), dict, "chargeback_risk: want askings of both answers to learn from, got 0"),
        ("train", ("--as-of", "2024-02-01"), dict, "chargeback_risk: want askings of both answers to learn from, got"),
        ("signals", ("--from", "2030-01-01"), dict, "chargeback_risk: want askings between --from and --to, got none"),
        ("signals", ("--from", "2024-06-01", "--to", "2024-06-01"), dict, "chargeback_risk: want askings between --from"),
        ("score", ("--to", "2024-01-01"), dict, "chargeback_risk: want askings between --from and --to, got none"),
        ("backtest", ("--test", "30d", "--to", "2023-01-01"), dict, "chargeback_risk: want askings between --from and"),
        ("backtest", ("--test", "30d", "--from", "2030-01-01"), dict, "chargeback_risk: want askings between --from"),
        ("backtest", ("--test", "9d", "--to", "2024-01-09"), dict, "--folds x --test: want spans after the first asking"),
        ("backtest", ("--test", "9d", "--to", "2024-02-09"), dict, "the fold that tests from "),
        (
            "backtest",
            ("--test", "7d", "--gap", "59d", *HORIZON),
            dict,
            "--gap: want at least 60d, the time answers take to be known, got 59d",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_or_asked_is_one_sentence(
    verb: str,
    rest: tuple[str, ...],
    change: Callable[[Tables], Tables],
    sentence: str,
    shop: Shop,
    few: Tables,
    tmp_path: Path,
) -> None:
    folder = written(tmp_path / "ledger", change(few))
    before = files(tmp_path)
    words = commands(folder, shop.model("bare"), tmp_path)[verb]
    kept = words if verb != "backtest" else words[:-2]
    assert fault(*kept, *rest, at=tmp_path).startswith(sentence)
    assert files(tmp_path) == before


@pytest.mark.parametrize("verb", ["signals", "train", "score", "backtest"])
def test_a_question_that_is_none_is_one_sentence(verb: str, shop: Shop, bare: Path, tmp_path: Path) -> None:
    name, _, *rest = commands(bare, shop.model("bare"), tmp_path)[verb]
    assert fault(name, "will_it_rain", *rest) == f"question: want one of {', '.join(ASKED)}, got will_it_rain"
    assert fault("signals", "--describe", "will_it_rain").startswith("question: want one of ")
    assert files(tmp_path) == {}


def test_a_model_of_signals_that_a_ledger_cannot_give_is_one_sentence(shop: Shop, bare: Path, tmp_path: Path) -> None:
    told = fault("score", RISK, "--ledger", bare, "--model", shop.model("full"), "--out", tmp_path / "s.parquet")
    assert told.startswith(f"{bare}: want ")
    assert told.endswith(", got none; add it or train on this ledger")
    assert files(tmp_path) == {}


def test_a_model_of_another_question_is_one_sentence(shop: Shop, full: Path, tmp_path: Path) -> None:
    words = ("score", RISK, "--ledger", full, "--out", tmp_path / "s.parquet", "--tracking", shop.tracking, "--model")
    for model in (shop.model("outcome"), f"models:/{OUTCOME}@champion"):
        assert fault(*words, model) == f"{model}: want a model of {RISK}, got one of {OUTCOME}; name another model"
    assert files(tmp_path) == {}


def asks_of(ids: object, at: object) -> pd.DataFrame:
    return pd.DataFrame({"ask_id": ids, "at": at})


LATE = pd.Timestamp("2025-03-01", tz="UTC")


@pytest.mark.parametrize(
    ("asks", "sentence"),
    [
        (asks_of(["nobody", "ORDER"], [LATE, LATE]), "asks: want ids of orders, got 1 unknown such as nobody"),
        (
            asks_of(["ORDER"], [pd.Timestamp("2024-01-01", tz="UTC")]),
            "asks: want times no earlier than the row asked about",
        ),
        (
            asks_of(["ORDER"], [pd.Timestamp("2025-03-01")]),
            "asks.at: want a timestamp with a time zone, got datetime64[",
        ),
        (asks_of(["ORDER"], ["2025-03-01"]), "asks.at: want a timestamp with a time zone, got "),
        (asks_of(["ORDER", None], [LATE, LATE]), "asks: want every ask_id and at, got nulls"),
        (asks_of(["ORDER", "ORDER"], [LATE, pd.NaT]), "asks: want every ask_id and at, got nulls"),
        (
            asks_of(["ORDER"], [LATE]).rename(columns={"at": "when"}),
            "asks: want columns ask_id and at, got ask_id, when",
        ),
        (asks_of(["ORDER"], [LATE]).drop(columns="ask_id"), "asks: want columns ask_id and at, got at"),
        (asks_of(["ORDER"], [LATE]).iloc[:0], "chargeback_risk: want askings in "),
        (asks_of(["ORDER", "ORDER"], [LATE, LATE]), "asks: want each ask_id and at once, got 1 twice such as "),
    ],
)
@pytest.mark.parametrize("verb", ["signals", "score"])
def test_askings_that_cannot_be_are_one_sentence(
    verb: str, asks: pd.DataFrame, sentence: str, shop: Shop, bare: Path, tmp_path: Path
) -> None:
    order = pq.read_table(bare / "orders.parquet", columns=["order_id"])["order_id"][0].as_py()
    asks.replace("ORDER", order).to_parquet(tmp_path / "asks.parquet")
    words = commands(bare, shop.model("bare"), tmp_path)[verb]
    assert fault(*words, "--asks", tmp_path / "asks.parquet").startswith(sentence)
    assert list(files(tmp_path)) == ["asks.parquet"]


def test_a_file_of_askings_that_cannot_be_read_is_one_sentence(bare: Path, tmp_path: Path) -> None:
    words = ("signals", RISK, "--ledger", bare, "--out", tmp_path / "s.parquet", "--asks")
    assert fault(*words, tmp_path / "none.parquet").startswith(
        f"{tmp_path}/none.parquet: want Parquet with ask_id and at, got no such file"
    )
    (tmp_path / "text.parquet").write_text("ask_id,at\n")
    assert fault(*words, tmp_path / "text.parquet").startswith(
        f"{tmp_path}/text.parquet: want Parquet with ask_id and at"
    )
    assert list(files(tmp_path)) == ["text.parquet"]


def test_a_pattern_that_matches_no_signal_is_one_sentence(bare: Path, tmp_path: Path) -> None:
    says = f"--only: want names of signals of {RISK}, got nothing_*; redress signals --describe lists them"
    assert fault("signals", RISK, "--describe", "--only", "nothing_*") == says
    words = ("signals", RISK, "--ledger", bare, "--out", tmp_path / "s.parquet")
    assert fault(*words, "--only", "nothing_*") == says


def test_a_directory_in_place_of_a_file_is_found_out_before_anything_is_read(tmp_path: Path) -> None:
    words = ("signals", RISK, "--ledger", tmp_path / "no ledger", "--out", tmp_path)
    assert fault(*words) == f"{tmp_path}: want a file to write, got a directory; name a file in it"


def _edited(**changes: object) -> Callable[[Path], None]:
    """Changes fields of model.json; None takes one away."""

    def edit(folder: Path) -> None:
        rest = json.loads((folder / "model.json").read_text()) | changes
        (folder / "model.json").write_text(json.dumps({k: v for k, v in rest.items() if v is not None}))

    return edit


def _lost(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _overwritten(name: str, content: bytes) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return edit


def _added(folder: Path) -> None:
    (folder / "model.txt").write_text((folder / "model.txt").read_text() + "\n")


def _fewer(folder: Path) -> None:
    signals = json.loads((folder / "model.json").read_text())["signals"]
    _edited(signals=signals[1:])(folder)


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "without its trees": (_lost("model.txt"), "want model.txt and model.json, got "),
    "without its card": (_lost("model.json"), "want model.txt and model.json, got "),
    "with other trees": (_added, "want model.txt and model.json as they were saved, got them edited; train again"),
    "of a newer format": (
        _edited(format=FORMAT + 1),
        f"want a model of format {FORMAT}, got {FORMAT + 1}; train again with this version",
    ),
    "torn": (_overwritten("model.json", b'{"format": 4, "dig'), "want model.txt and model.json, got "),
    "with a list for a card": (_overwritten("model.json", b"[]"), "want "),
    "with trees that are no text": (_overwritten("model.txt", b"\xff\xfe\x00"), "want "),
    "without a digest": (_edited(digest=None), "want "),
    "without its signals": (_edited(signals=None), "want "),
    "with fewer signals": (_fewer, "want "),
    "without a calibration": (_edited(slope=None), "want "),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_model_directory_that_is_not_whole_is_one_sentence(
    spoilt: str, shop: Shop, bare: Path, tmp_path: Path
) -> None:
    spoil, sentence = SPOILT[spoilt]
    (tmp_path / "model").mkdir()
    for name, content in files(shop.model("bare")).items():
        (tmp_path / "model" / name).write_bytes(content)
    spoil(tmp_path / "model")
    before = files(tmp_path)
    told = fault("score", RISK, "--ledger", bare, "--model", tmp_path / "model", "--out", tmp_path / "s.parquet")
    assert told.startswith(f"{tmp_path}/model: {sentence}")
    assert files(tmp_path) == before


def test_a_model_that_is_nowhere_is_one_sentence(shop: Shop, bare: Path, tmp_path: Path) -> None:
    words = ("score", RISK, "--ledger", bare, "--tracking", shop.tracking, "--out", tmp_path / "s.parquet", "--model")
    assert fault(*words, tmp_path / "none").startswith(f"{tmp_path}/none: want model.txt and model.json, got ")
    for uri in (f"models:/{RISK}@nobody", f"models:/{RISK}/99", "models:/nothing/1", "runs:/none/model"):
        assert fault(*words, uri).startswith(f"tracking {shop.tracking}: want a model registry, got ")
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "tracking", ["nonsense://x", "http://127.0.0.1:1", "sqlite:///FOLDER/text.db", "postgresql://127.0.0.1:1/x"]
)
def test_a_tracking_server_that_cannot_be_used_is_one_sentence(
    tracking: str, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(mlflow.store.db.utils, "MAX_RETRY_COUNT", 1)  # it would try for minutes
    (tmp_path / "text.db").write_text("no database " * 1000)
    uri = tracking.replace("FOLDER", str(tmp_path))
    words = ("score", RISK, "--ledger", bare, "--out", tmp_path / "s.parquet", "--tracking", uri)
    assert fault(*words, "--model", f"models:/{RISK}@champion").startswith(
        f"tracking {uri}: want a model registry, got "
    )
    assert list(files(tmp_path)) == ["text.db"]


def test_a_model_that_cannot_be_registered_is_still_whole(bare: Path, tmp_path: Path) -> None:
    span = ("--horizon", "30d", "--as-of", "2024-07-01", "--tracking", "nonsense://x")
    told = fault("train", RISK, "--ledger", bare, *span, "--out", tmp_path / "out")
    assert told.startswith("tracking nonsense://x: want a model registry, got ")
    model = tmp_path / "out" / RISK
    words = ("score", RISK, "--ledger", bare, "--model", model, "--out", tmp_path / "s.parquet", "--to", "2024-02-01")
    assert not model.exists() or run(*words).code == 0


LOST = """
import sys
class Lost:
    def find_spec(self, name, path=None, target=None):
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
sys.meta_path.insert(0, Lost())
from pipelines.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_system_library_that_is_missing_is_one_sentence_that_says_what_to_install(bare: Path, tmp_path: Path) -> None:
    told = spawned(["train", RISK, "--ledger", bare, "--out", "out"], tmp_path, path=str(ROOT), code=LOST)
    assert (told.returncode, told.stdout) == (1, "")
    (line,) = told.stderr.splitlines()
    assert line.startswith(
        "redress: lightgbm: want its system library, got libgomp.so.1: cannot open shared object file"
    )
    assert "; install libgomp" in line
    assert files(tmp_path) == {}


def test_a_mapping_that_cannot_be_run_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.csv").write_text("x\n1\n")
    (tmp_path / "m.sql").write_text("CREATE VIEW orders AS SELECT y FROM source.a;")
    before = files(tmp_path)
    assert "y" in fault("import", "m.sql", "--source", "source", "--out", "ledger", at=tmp_path)
    assert files(tmp_path) == before


def test_a_place_that_cannot_be_written_is_one_sentence(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    told = fault("signals", RISK, "--ledger", bare, "--out", tmp_path / "file" / "s.parquet")
    assert told.startswith(f"{tmp_path}/file: ")
    assert files(tmp_path) == {"file": b"text"}
    (tmp_path / "folder").mkdir()
    fault("signals", RISK, "--ledger", bare, "--out", tmp_path / "folder")
    assert files(tmp_path) == {"file": b"text"}


def test_who_stops_a_command_gets_no_traceback(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object, **named: object) -> dict[str, object]:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.check.check", stopped)
    assert run("check", bare) == Ran(130, "", "redress: stopped\n")


def test_who_reads_only_the_beginning_gets_no_complaint() -> None:
    words = [sys.executable, "-m", "pipelines", "signals", "--describe"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as told:
        assert told.stdout is not None
        assert told.stderr is not None
        assert told.stdout.read(5)
        told.stdout.close()
        assert told.stderr.read() == b""
    assert told.returncode == 141


# Wrong usage


@pytest.mark.parametrize(
    "words",
    [
        "",
        "guess",
        "check",
        "check a b",
        "check a --loud",
        "simulate",
        "simulate --set world=enriched",
        "simulate --out x --orders many",
        "import m.sql --out x",
        "signals",
        "signals chargeback_risk",
        "signals chargeback_risk --ledger L",
        "signals chargeback_risk --ledger L --out s --from yesterday",
        "signals chargeback_risk --ledger L --out s --horizon 120",
        "signals chargeback_risk --ledger L --out s --horizon 0d",
        "signals chargeback_risk --ledger L --out s --engine abacus",
        "signals dispute_outcome --ledger L --out s --horizon 60d",
        "train",
        "train chargeback_risk",
        "train dispute_outcome --ledger L --horizon 60d",
        "backtest chargeback_risk --ledger L",
        "backtest chargeback_risk --ledger L --test 30d --folds 0",
        "backtest dispute_outcome --ledger L --test 30d --horizon 60d",
        "score chargeback_risk --ledger L --model m",
        "score chargeback_risk --ledger L --model m --out s --horizon 60d",
        "score chargeback_risk --ledger L --model m --out s --asks a --from 2024-01-01",
        "signals chargeback_risk --ledger L --out s --asks a --to 2024-01-01",
        "check L --horizon 200000000d",
        "train chargeback_risk --ledger L --seed -1",
        "evidence c1 --ledger L",
        "evidence c1 --ledger L --models M --kind refund",
        "tiers --ledger L --models M --from 2025-01-01",
        "tiers --ledger L --from 2025-01-01 --to 2025-02-01",
        "tiers --ledger L --models M --from 2025-01-01 --to soon",
        "appeal b1 --ledger L --at 2025-01-01",
        "appeal b1 --ledger L --granted",
        "appeal b1 --ledger L --granted --refused --at 2025-01-01",
        "appeal --ledger L --granted --at 2025-01-01",
        "records r.jsonl --ledger L --out o.jsonl",
        "records r.jsonl --ledger L --buyer b1",
        "records --ledger L --buyer b1 --out o.jsonl",
        "load --ledger L",
        "load --store S",
        "load --ledger L --store S --keep forever",
        "load --ledger L --store S --horizon 120",
        "export --store S",
        "export --out L",
        "erase --store S",
        "erase --buyer b1",
        "train chargeback_risk --ledger L --seed 2147483648",
    ],
)
def test_wrong_usage_ends_with_2_and_says_how_it_is_used(words: str, tmp_path: Path) -> None:
    ran = run(*words.split(), at=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: redress")
    assert files(tmp_path) == {}


@pytest.mark.parametrize("words", [*AWAITED, "monitor --ledger L --from 2024-01-01"])
def test_a_command_of_a_later_version_ends_with_2_and_says_so(words: str) -> None:
    assert run(*words.split()) == Ran(2, "", f"redress: {words.split()[0]} belongs to a later version\n")


@pytest.mark.parametrize(
    "words", ["signals chargeback_risk --ledger L --out s", "score chargeback_risk --ledger L --model m --out s"]
)
def test_spark_belongs_to_a_later_version(words: str, tmp_path: Path) -> None:
    ran = run(*words.split(), "--engine", "spark", at=tmp_path)
    assert ran == Ran(2, "", "redress: --engine spark belongs to a later version\n")
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "verb",
    [
        *("demo", "simulate", "import", "check", "signals", "train", "score", "backtest", "evidence"),
        *("tiers", "appeal", "records", "load", "export", "erase"),
    ],
)
def test_help_is_a_sentence_and_an_example(verb: str) -> None:
    ran = run(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"example: redress {verb}" in " ".join(ran.out.split())


def test_training_as_of_a_moment_after_the_ledger_ends_is_training_as_of_its_end(
    shop: Shop, bare: Path, tmp_path: Path
) -> None:
    words = ("--as-of", "2100-01-01", "--tracking", f"sqlite:///{tmp_path}/redress.db", "--out", "late")
    ran = run("train", RISK, "--ledger", bare, *HORIZON, *words, at=tmp_path)
    assert (ran.code, "warning: the ledger ends" in ran.err) == (0, True)
    assert (tmp_path / "late" / RISK / "model.txt").read_text() == (shop.model("bare") / "model.txt").read_text()
