"""A short form of each benchmark, so that none of them rots, and the rules they rewrite compared with slow, obvious ones."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import (
    check,
    deciding,
    effects,
    growth,
    handbook,
    instant,
    kernel,
    learning,
    made,
    peers,
    planner,
    real,
    rules,
    serving,
    signals,
    simulate,
    soak,
    whole,
)
from benchmarks.__main__ import BENCHMARKS, main, parser
from benchmarks.command import ROOT, run
from benchmarks.load import Load, over
from benchmarks.paired import draws, interval
from benchmarks.postgres import programs
from benchmarks.turns import by_turns
from benchmarks.workbench import Workbench, markdown
from models.effects import Treatment
from pipelines.marketplace.truth import Truth
from pipelines.marketplace.winning import Mechanism

DATA = Path(os.environ.get("REDRESS_DATA", ROOT.parent / "shared" / "data"))
DAY = pd.Timedelta("1D")


def bench(folder: Path, rows: int = 2_000, seeds: int = 1) -> Workbench:
    return Workbench(folder, DATA, rows=rows, runs=1, seeds=seeds)


def test_every_benchmark_is_listed_with_what_it_measures() -> None:
    told = parser().format_help()
    assert all(name in told and found.says in told for name, found in BENCHMARKS.items())


def test_a_name_that_is_no_benchmark_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["kernel", "colonel"])
    assert left.value.code == 2
    assert "got colonel" in capsys.readouterr().err


def test_public_data_that_are_missing_are_skipped_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDRESS_DATA", str(tmp_path))
    assert main(["real"]) == 0
    said = capsys.readouterr().out
    assert said.count("Skipped: no folder") == sum(found.group == "real" for found in BENCHMARKS.values())


def test_decisions_are_the_same_one_by_one_and_at_once(tmp_path: Path) -> None:
    assert deciding.decisions(bench(tmp_path)).count("at most") == 3


def test_intervals_from_logs_hold_what_a_policy_would_have_cost(tmp_path: Path) -> None:
    said = deciding.logged(bench(tmp_path, rows=20_000))
    assert "| doubly robust |" in said


def test_policies_are_held_against_plain_ways_and_the_oracle(tmp_path: Path) -> None:
    said = deciding.treasure(bench(tmp_path, rows=40_000))
    assert "| 1 | default |" in said
    assert "| 1 | refuse what is confirmed |" in said


def test_the_kernel_and_its_peers_find_the_same(tmp_path: Path) -> None:
    said = kernel.kernel(bench(tmp_path))
    assert "; 144 signals: " in said
    assert "| redress kernel |" in said


def test_a_way_that_finds_one_value_else_is_told_apart(tmp_path: Path) -> None:
    streams = kernel.market(500)
    one, other = (kernel.whole(kernel.by_kernel, streams, streams["orders"]) for _ in range(2))
    assert kernel.same(one, other)
    other[-1][0][1][-1] += 1
    assert not kernel.same(one, other)


def test_trees_are_those_of_bare_lightgbm_and_scores_are_too(tmp_path: Path) -> None:
    assert "| bare LightGBM, its trees known before |" in learning.training(bench(tmp_path, 3_000))
    assert "| redress, with parts and reasons |" in learning.scoring(bench(tmp_path, 6_000))


@pytest.mark.filterwarnings("ignore::Warning:mlflow")  # of its own code
def test_one_row_is_what_mlflow_serves(tmp_path: Path) -> None:
    said = instant.instant(bench(tmp_path, 3_000))
    assert said.count("| redress, ") == 3
    assert "| MLflow pyfunc, with parts |" in said


def test_the_growth_of_the_kernel_is_an_exponent(tmp_path: Path) -> None:
    assert "| 20,000 |" in growth.growth(bench(tmp_path))


def test_a_giant_has_a_tenth_of_every_stream(tmp_path: Path) -> None:
    streams = kernel.market(5_000)
    joined = growth.with_giant(streams["orders"], 99).codes["seller"]
    assert (joined == 99).mean() == pytest.approx(0.1, rel=0.2)
    assert "| a seller with a tenth |" in growth.giant(bench(tmp_path))


def test_each_way_has_its_own_peak_of_memory(tmp_path: Path) -> None:
    said = growth.memory(bench(tmp_path))
    assert all(f"| {name} |" in said for name in kernel.OURS | peers.FAST)


def test_each_way_of_planning_finds_the_same_set(tmp_path: Path) -> None:
    said = planner.planner(bench(tmp_path, rows=1_500))
    assert said.count("| as planned |") == 3


def test_the_job_writes_signals_of_every_order(tmp_path: Path) -> None:
    assert "| 300 |" in signals.job(bench(tmp_path, rows=300))


def test_the_signals_of_all_disputes_of_a_marketplace_are_timed(tmp_path: Path) -> None:
    assert "| 3,000 |" in signals.disputes(bench(tmp_path, rows=3_000))


def test_the_whole_job_and_its_peers_write_the_same(tmp_path: Path) -> None:
    said = whole.job(bench(tmp_path, rows=400))
    assert "| redress signals |" in said
    assert said.count("way, ") == 2


def test_the_simulation_gives_the_same_bytes_each_time_and_no_bad_row(tmp_path: Path) -> None:
    said = simulate.simulate(Workbench(tmp_path, DATA, rows=1_000, runs=2))
    assert "the same bytes in all 2 runs, no bad row" in said
    assert "| redress simulate |" in said


def test_folders_that_differ_are_told_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    made.card_payments(one, 50, seed=1)
    simulate.copied(one, other)
    assert simulate.same(one, other)
    made.card_payments(tmp_path / "third", 50, seed=2)
    assert not simulate.same(one, tmp_path / "third")
    assert simulate.digest(one) != simulate.digest(tmp_path / "third")


def test_the_check_finds_what_was_planted_and_so_does_its_peer(tmp_path: Path) -> None:
    assert "orders 9,998 good and 4 bad" in check.check(bench(tmp_path, rows=10_000))


def test_the_peer_of_the_check_knows_placeholders(tmp_path: Path) -> None:
    made.marketplace(tmp_path / "ledger", 60_000)
    (shared,) = rules.judged(tmp_path / "ledger")["placeholders"].values()
    orders = pd.read_parquet(tmp_path / "ledger" / "orders", filters=[("amount", ">=", 0)])
    assert shared == orders.groupby("device_id")["buyer_id"].nunique().max()


def test_an_error_of_a_command_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"exit 2: .*none"):
        run(tmp_path, ["ls", "none"])


def test_the_peak_of_a_command_is_its_own_and_not_its_starter_s(tmp_path: Path) -> None:
    held = np.ones(50_000_000)
    found = run(tmp_path, ["true"])
    assert 0 < found.peak < 100_000_000 < held.nbytes


def test_ways_that_disagree_are_not_timed() -> None:
    with pytest.raises(AssertionError, match="found different values"):
        by_turns({"one": lambda: 1, "two": lambda: 2}, 1, lambda a, b: a == b)


def test_predictors_share_their_resamples_so_that_a_copy_differs_by_nothing() -> None:
    def hits(yes: np.ndarray, p: np.ndarray, *, sample_weight: np.ndarray) -> float:
        return float(np.average(yes == (p > 0.5), weights=sample_weight))

    yes, p = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    found = draws(hits, yes, {"one": [p], "other": [p, p, 1 - p]})
    assert found["one"][0] == 0.75
    assert interval(found["one"] - found["other"]) == "0.000 [0.000, 0.000]"


def test_a_table_is_markdown() -> None:
    rows: list[dict[str, object]] = [
        {"way": "a", "rows": 1234, "seconds": 0.01234},
        {"way": "b", "rows": 5, "seconds": 123.4},
    ]
    assert markdown(rows).splitlines()[2:] == ["| a | 1,234 | 0.0123 |", "| b | 5 | 123 |"]


def payments(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    at = pd.Timestamp("2018-06-01") + pd.to_timedelta(np.sort(rng.choice(60 * 24, rows, replace=False)), unit="h")
    return pd.DataFrame(
        {
            "TRANSACTION_ID": np.arange(rows),
            "TX_DATETIME": at,
            "CUSTOMER_ID": rng.integers(0, 9, rows),
            "TERMINAL_ID": rng.integers(0, 5, rows),
            "TX_AMOUNT": rng.integers(1, 99, rows).astype(float),
            "TX_FRAUD": rng.integers(0, 2, rows),
        }
    )


def test_the_book_s_features_are_those_of_its_own_rolling_windows() -> None:
    found = handbook.featured(payments())
    for days in (1, 7, 30):
        customer = found.set_index("TX_DATETIME").groupby("CUSTOMER_ID")["TX_AMOUNT"].rolling(f"{days}D")
        expected = customer.mean().reset_index().sort_values("TX_DATETIME")["TX_AMOUNT"]
        np.testing.assert_allclose(found[f"customer_mean_{days}d"], expected)
        terminal = found.set_index("TX_DATETIME").groupby("TERMINAL_ID")["TX_FRAUD"]
        wide, late = (
            terminal.rolling(f"{span}D")
            .agg(["sum", "count"])
            .reset_index()
            .sort_values("TX_DATETIME")[["sum", "count"]]
            .to_numpy()
            for span in (days + 7, 7)
        )
        frauds, count = (wide - late).T
        np.testing.assert_array_equal(found[f"terminal_count_{days}d"], count)
        np.testing.assert_allclose(
            found[f"terminal_risk_{days}d"], np.divide(frauds, count, out=np.zeros(400), where=count > 0)
        )


@pytest.mark.parametrize(
    ("fraud_on", "customer_leaves_from"),
    [
        ("2018-07-03", None),
        ("2018-07-04", 18),
        ("2018-07-10", 18),
        ("2018-07-11", 19),
        ("2018-07-15", 23),
        ("2018-07-17", None),
    ],
)
def test_a_compromised_customer_leaves_the_book_s_test_week_eight_days_after_the_fraud(
    fraud_on: str, customer_leaves_from: int | None
) -> None:
    week = pd.date_range("2018-07-18 12:00", periods=7)
    at = [pd.Timestamp(fraud_on) + DAY / 2, *week]
    frame = pd.DataFrame({"TX_DATETIME": at, "CUSTOMER_ID": 1, "TX_FRAUD": [1] + [0] * 7})
    left = handbook.test_week(frame, pd.Timestamp("2018-07-18"))["TX_DATETIME"].dt.day.tolist()
    assert left == list(range(18, customer_leaves_from or 25))


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA / "tsa").is_dir(), reason="no public data: set REDRESS_DATA to a directory that holds tsa"
)
def test_real_data_run_the_commands_of_the_readme(tmp_path: Path) -> None:
    assert "| difference |" in real.tsa(bench(tmp_path))


def test_an_error_of_calibration_is_a_mean_distance_over_bins_of_as_many_rows() -> None:
    yes, p = np.repeat([0.0, 1.0], 15), np.repeat([0.25, 0.5], 15)
    assert real.gap(yes, p, np.ones(30)) == pytest.approx(
        (7 * 0.5 + 7 * 1.0 + 0.25) / 30
    )  # two a bin, the middle mixed
    assert real.gap(yes, p, np.repeat([1.0, 0.0], 15)) == pytest.approx(0.25)


def filed(*cases: tuple[str, tuple[str, ...]]) -> effects.World:
    """Chargebacks of 50.00 on Visa of a misunderstanding, by reason family and what was filed; scans and prior orders hold."""
    names = [f"c{i}" for i in range(len(cases))]
    families = [family for family, _ in cases]
    told = pd.DataFrame({"chargeback_id": names, "family": families, "network": "visa", "cause": "misunderstanding"})
    told = told.assign(amount=5_000, at=0, valid_scans=True, eligible=True)
    truth = Truth(0, {}, Mechanism(turn=0, noise=0.0), {"chargebacks": told})
    frame, won = pd.DataFrame({"ask_id": names}), np.zeros(len(cases), np.int8)
    return effects.World(frame, won, [frozenset(kinds) for _, kinds in cases], families, truth)


def test_the_true_effect_of_an_item_is_that_of_adding_it_or_taking_it_away() -> None:
    here = filed(("fraud", ()), ("fraud", ("identity_match",)), ("credit", ("identity_match",)))
    one = Treatment("identity_match", ("identity_match",))
    with_it, without = 1 / (1 + np.exp(1.25 - 2.3)), 1 / (1 + np.exp(1.25))  # base, item 0.3 and set 2.0; base
    assert effects.true(here, one, np.array([True, True, False])) == pytest.approx(with_it - without)
    assert effects.true(here, one, np.array([True, True, True])) == pytest.approx(2 / 3 * (with_it - without))


def test_a_whole_set_is_held_against_what_others_of_its_family_lack() -> None:
    pair = ("tracking", "delivery_certificate")
    here = filed(("not_received", pair), ("not_received", ()), ("not_received", pair[:1]), ("fraud", ()))
    assert effects.lacked(here, frozenset(pair))["not_received"] == {frozenset(): 0.5, frozenset(pair[:1]): 0.5}
    whole, none, half = (1 / (1 + np.exp(1.05 - adds)) for adds in (2.1 + 0.2 + 0.2, 0.0, 0.2))
    found = [effects.true(here, Treatment("pair", pair), np.arange(4) == i) for i in range(3)]
    assert found == pytest.approx([whole - (none + half) / 2, whole - none, whole - half])


@pytest.mark.slow
def test_effects_are_held_against_the_true_ones(tmp_path: Path) -> None:
    pytest.importorskip("doubleml")
    said = effects.effects(bench(tmp_path, rows=20_000))
    assert "| effect |" in said
    assert "| 1 | correspondence |" in said


@pytest.mark.slow
def test_the_service_is_measured_beside_another_with_the_same_model(tmp_path: Path) -> None:
    told = serving.serving(bench(tmp_path, rows=8_000)).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in told if line.startswith("|")]
    found = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}
    assert list(found) == ["redress, POST /v1/decide", "redress, GET /healthz", "MLflow, POST /invocations"]
    assert {row["refused"] for row in found.values()} == {"0"}
    assert found["MLflow, POST /invocations"]["times MLflow"] == "1"


@pytest.mark.slow
def test_the_soak_has_a_short_form_in_which_nothing_is_lost_differs_or_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--orders", "2000", "--kills", "1", "--cases", "40", "--minutes", "0.1"]
    assert soak.main(words) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    ways = {line.split("|")[1].strip() for line in told}
    assert {"in process, LMDB", "over HTTP, LMDB"} <= ways
    assert programs() is None or {"in process, PostgreSQL", "over HTTP, PostgreSQL"} <= ways


def test_how_a_load_went_is_told_of_its_warm_part_alone() -> None:
    load = Load(appended=3)
    load.at, load.took = [0.0, 40.0, 60.0, 80.0, 100.0], [9.0, 0.001, 0.001, 0.002, 0.002]
    load.memory = [(0.0, 10**9), (60.0, 200_000_000), (120.0, 206_000_000)]
    row = load.row("by hand", 2.0)
    assert (row["decisions"], row["facts"], row["p50, ms"]) == (5, 3, pytest.approx(1.5))
    assert (row["times slower at the end"], row["MB a minute"]) == (pytest.approx(2.0), pytest.approx(6.0))
    assert over(row) == ["MB a minute", "times slower at the end"]
