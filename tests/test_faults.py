"""A store whose process is killed, whose disk is full, whose server goes away, and to which several write at once."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Event, Thread

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from dense import dense
from trained import HORIZON, marketplace, train
from twins import Twins

from benchmarks.command import ROOT
from benchmarks.killing import batches, begun, killings
from benchmarks.parity import asked, histories, in_order, told
from benchmarks.postgres import Server
from features import Ledger, RedressError, given
from features.dictionary import dictionary
from features.homes import Fact, homed, tables
from features.instant import Instant
from features.store import Store
from models.deciding import QUESTION
from models.records import chained
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables as told_of
from serve import Scorer
from service.overstore import OverStore

RISK = "chargeback_risk"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("models")
    train(marketplace(), QUESTION).model.save(found / QUESTION)
    return found


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small marketplace with many disputes."""
    return saved(Ledger.of(told_of(happen(world("chargeback_rich", orders=400, days=200), seed=7))), tmp_path_factory)


def saved(found: Ledger, folders: pytest.TempPathFactory, facts: list[Fact] | None = None) -> Path:
    folder = folders.mktemp("ledger")
    for name, rows in tables(in_order(found) if facts is None else facts).items():
        pq.write_table(rows, folder / f"{name}.parquet")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.create(tmp_path / "store", name="ab" * 16, horizon=HORIZON)
    yield found
    found.close()


def as_filled(store: Store, folder: Path) -> None:
    """Asserts that every history is that of a store filled with all facts and decisions at once."""
    store.export(folder / "exported")
    filled = Store.create(folder / "filled", name="ab" * 16, horizon=store.horizon)
    filled.fill(Ledger.open(folder / "exported"))
    assert histories(store) == histories(filled)
    filled.close()


def test_what_was_acknowledged_outlives_five_kills_and_nothing_is_there_twice(
    store: Store, ledger: Path, models: Path, tmp_path: Path
) -> None:
    facts = in_order(Ledger.open(ledger))
    left = begun(store, facts)
    store.close()
    left, wrong = killings([ledger, store.where, models, "killed"], facts, 5, Random(1), left)
    assert wrong == []
    assert left.kills == 5
    assert left.facts > 0
    assert left.decisions > 0
    after = Store.open(store.where)
    as_filled(after, tmp_path)
    after.close()


def test_two_processes_that_write_and_one_that_reads_do_not_disturb_each_other(
    store: Store, ledger: Path, models: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = Ledger.open(ledger)
    homes = list(homed(in_order(whole)[:600]).values())
    halves = [saved(whole, tmp_path_factory, [one for some in homes[i::2] for one in some]) for i in (0, 1)]
    command = [sys.executable, "-m", "benchmarks.killing"]
    words = [[*command, str(half), store.where, str(models), f"w{i}", "0"] for i, half in enumerate(halves)]
    children = [subprocess.Popen(one, cwd=ROOT, stdout=subprocess.DEVNULL) for one in words]
    reading, met, random = Instant(RISK, [one.name for one in dictionary(RISK)]), 0, Random(2)
    while any(child.poll() is None for child in children):
        for ask_id, t in asked(whole, RISK, random, 20):
            with store.keys.reading() as snapshot, suppress(RedressError):  # not sent yet
                case = given.found(snapshot, RISK, ask_id, t + HORIZON)
                once, again = (reading.signals(snapshot, case) for _ in range(2))
                assert np.array_equal(once, again, equal_nan=True)
                met += 1
    assert [child.wait() for child in children] == [0, 0]
    assert met > 0
    assert sum(one.arrival >= 0 for one in store.facts()) == 600
    assert [one for writer in store.decisions.writers() for one in chained(store.decisions.chain(writer))] == []
    as_filled(store, tmp_path)


def _iso(t: int) -> str:
    """A moment as a platform writes it."""
    return pd.Timestamp(t, unit="us", tz="UTC").isoformat()


def test_a_full_disk_refuses_facts_with_a_sentence_and_all_else_goes_on(
    store: Store, ledger: Path, models: Path, tmp_path: Path
) -> None:
    facts = in_order(Ledger.open(ledger))
    head, tail = facts[:500], facts[500:]
    store.append(told(head), arrived=head[-1].at)
    scorer = Scorer.open(store.where, models)
    assert isinstance(scorer, OverStore)
    case = {"ask_id": next(one.text("dispute_id") for one in head if one.table == "disputes"), "at": _iso(head[-1].at)}
    before = histories(store)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((Path(store.where) / "data.mdb").stat().st_size, hard))
    try:
        for _ in range(2):
            with pytest.raises(RedressError, match="want room for what is written, got a full disk"):
                store.append(told(tail), arrived=tail[-1].at)
        record = scorer.decide(case)
        assert store.decision(str(record["decision_id"])) is not None
        assert histories(store) == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.append(told(tail), arrived=tail[-1].at).taken == len(tail)
    assert scorer.decide(case) == record
    as_filled(store, tmp_path)
    scorer.store.close()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare, which mounts a small disk for one process")
def test_on_a_disk_that_is_really_full_writes_are_refused_reads_go_on_and_nothing_wants_mending(
    ledger: Path, models: Path, tmp_path: Path
) -> None:
    words = [sys.executable, str(Path(__file__).with_name("full_disk.py")), tmp_path, ledger, models]
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    found = subprocess.run(
        ["unshare", "--map-root-user", "--mount", *map(str, words)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    if found.returncode == 77 or "unshare failed" in found.stderr:
        pytest.skip("this machine lets nobody mount a small disk")
    assert found.returncode == 0, found.stderr


def test_a_store_in_postgresql_takes_and_says_what_the_naive_store_and_the_batch_do(
    postgres: Server, tmp_path: Path
) -> None:
    twins, random = Twins.made(tmp_path, postgres.empty()), Random(3)
    twins.pour(in_order(Ledger.of(dense(random, 4))), random, most=20, jitter=8)
    twins.same()
    found = twins.exported()
    twins.as_filled(found)
    assert twins.as_batch(found, random, 10) > 10
    twins.store.close()


def test_a_server_that_stops_at_once_under_load_loses_nothing_that_was_acknowledged(
    postgres: Server, ledger: Path, models: Path, tmp_path: Path
) -> None:
    facts = in_order(Ledger.open(ledger))[:400]
    where = postgres.empty()
    Store.create(where, name="ab" * 16, horizon=HORIZON).close()
    scorer = Scorer.open(where, models)
    assert isinstance(scorer, OverStore)
    kept, refused, half = list[str](), list[str](), Event()

    def load() -> None:
        for after, some in batches(facts, 0):
            _until_taken(scorer.store, some, after, refused)
            if after > 100:
                half.set()
            for ask_id in (one.text("dispute_id") for one in some if one.table == "disputes"):
                try:
                    kept.append(str(scorer.decide({"ask_id": ask_id, "at": _iso(some[-1].at)})["decision_id"]))
                except RedressError as error:
                    refused.append(str(error))

    loading = Thread(target=load)
    loading.start()
    half.wait()
    for _ in range(2):
        postgres.stop("immediate")
        postgres.start()
    loading.join()
    assert any("want a server that answers" in one for one in refused)
    assert all("want a server that answers" in one or "before the answer was known" in one for one in refused)
    assert [scorer.store.decision(name) is not None for name in kept] == [True] * len(kept)
    assert sum(one.arrival >= 0 for one in scorer.store.facts()) == len(facts)
    assert list(chained(scorer.store.decisions.chain("redress"))) == []
    as_filled(scorer.store, tmp_path)
    scorer.store.close()


def _until_taken(store: Store, some: list[Fact], after: int, refused: list[str]) -> None:
    """Sends facts again until they are acknowledged."""
    while True:
        try:
            store.append(told(some), arrived=some[-1].at, request=f"batch {after}")
            return
        except RedressError as error:
            refused.append(str(error))
