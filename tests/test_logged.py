"""What the log says: estimates by hand, over a simulated log whose truth is known, and a policy by its own log."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.random import Generator, default_rng
from told import told_the_truth

from features import Ledger
from features.asking import askings
from features.background import is_word
from features.kernel import DAY
from models import load
from models.deciding import QUESTION
from models.observed import ANSWERS, Logged, logged, observed
from models.offpolicy import Overlap, crossfitted
from models.policy import opened
from models.refunds import ACTIONS, ASK, FULL, REFUSE, REVIEW, Refunds
from pipelines.logged import BY, Heard, by_log, weighed
from pipelines.marketplace import world
from pipelines.refunds import refunds
from pipelines.simulate import simulate_ledger

LAST = 4_000_000_000_000_000
"""Microseconds since 1970, later than all."""
FEW = Overlap(fewest=2, largest_at_most=1.0, effective_at_least=0.0)
ESTIMATES = list(BY)


def quiet(line: str) -> None:
    """Says nothing."""


def answers(actions: Sequence[int]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.eye(len(ANSWERS))[list(actions)]


def by_hand(action: Sequence[int], propensity: Sequence[float], cost: Sequence[float], guess: float = 0.0) -> Heard:
    """A log of five disputes, the last two of one buyer, and a guess that is the same for all."""
    n, none = len(action), np.zeros(len(action), np.int64)
    log = Logged(none, none, none, np.array(action), np.array(propensity))
    guessed = np.full((n, len(set(action))), guess)
    followed = {"cost": np.array(cost), "unpaid": np.zeros(n)}
    return Heard(log, np.array([0, 1, 2, 3, 3][:n]), followed, {"cost": guessed, "unpaid": 0 * guessed})


def test_estimates_are_those_worked_out_by_hand() -> None:
    actions, shares = [FULL, REVIEW, ASK, ASK, REFUSE], [0.5, 0.5, 0.5, 0.25, 1.0]
    heard = by_hand(actions, shares, [3_000, 9_600, 2_200, 1_500, 4_300], guess=1_000)
    rows, says = weighed("mine", answers([FULL, REVIEW, REVIEW, ASK, REFUSE]), heard, FEW)  # weights 2, 2, 0, 4, 1
    told = {row["by"]: row for row in rows}
    assert {by: row["cost"] for by, row in told.items()} == pytest.approx(
        {
            "as logged": 20_600 / 5,
            "ips": (6_000 + 19_200 + 6_000 + 4_300) / 5,
            "self-normalised ips": 35_500 / 9,
            "doubly robust": 1_000 + (35_500 - 9 * 1_000) / 5,
        }
    )
    # weighted costs less 7,100, by buyer: -1,100, 12,100, -7,100, and -1,100 with -2,800; their squares sum to 213,240,000
    half = 1.959964 * np.sqrt(213_240_000 * 4 / 3) / 5
    assert told["ips"]["cost_high"] == pytest.approx(7_100 + half, rel=1e-6)
    assert told["ips"]["cost_low"] == pytest.approx(7_100 - half, rel=1e-6)
    assert {row["effective"] for row in rows} == {81 / 25}
    # less what they cost, 3,000, 9,600, -2,200, 4,500 and 0 with a mean of 2,980: 20, 6,620, -5,180, and 1,520 with -2,980
    more = 1.959964 * np.sqrt((20**2 + 6_620**2 + 5_180**2 + 1_460**2) * 4 / 3) / 5
    beyond = [told["ips"][f"cost_beyond{end}"] for end in ("", "_low", "_high")]
    assert beyond == pytest.approx([2_980, 2_980 - more, 2_980 + more], rel=1e-6)
    assert told["as logged"]["cost_beyond"] == 0
    assert says.startswith("mine: in 0 disputes it would answer what the log never tries there")
    assert "The other 5, 4 of them answered as it may, tell as much as 3 of its own." in says


def test_disputes_in_which_a_policy_does_what_the_log_never_tries_are_left_out_on_both_sides() -> None:
    actions, shares = [FULL, REVIEW, REVIEW, REFUSE, REFUSE], [0.5, 0.5, 0.5, 1.0, 1.0]
    heard = by_hand(actions, shares, [100, 200, 400, 800, 1_600])
    rows, says = weighed("mine", answers([FULL, REVIEW, REFUSE, REFUSE, FULL]), heard, FEW)
    told = {row["by"]: row["cost"] for row in rows}
    assert told["as logged"] == pytest.approx((100 + 200 + 800) / 3)
    assert told["ips"] == pytest.approx((200 + 400 + 800) / 3)
    assert {(row["disputes"], row["outside"]) for row in rows} == {(3, 2)}
    assert says.startswith("mine: in 2 disputes it would answer what the log never tries there")


@pytest.mark.parametrize(
    ("target", "fewest", "says"),
    [
        ([REVIEW, FULL], 2, "of the other 2 it would answer 0 as they were, which is too little"),
        ([FULL, REVIEW], 3, "of the other 2 it would answer 2 as they were, which is too little"),
        ([REFUSE, REFUSE], 2, "in 2 disputes it would answer what the log never tries"),
    ],
)
def test_where_too_little_overlaps_nothing_is_estimated(target: list[int], fewest: int, says: str) -> None:
    rows, told = weighed(
        "mine", answers(target), by_hand([FULL, REVIEW], [0.5, 0.5], [1, 2]), replace(FEW, fewest=fewest)
    )
    assert rows == []
    assert says in told
    assert "[refunds] explores above 0" in told


def drawn(rng: Generator, n: int) -> tuple[Ledger, np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """A ledger whose decisions were drawn, the claims, and what it truly costs a dispute to pay small claims and review others.

    Two disputes come of each buyer. Whoever reviews grants more the less is claimed; a seventh of those refused go to the bank.
    """
    claim = np.round(rng.lognormal(8, 0.8, n)).astype(np.int64)
    grants = rng.random(n) < 0.9 - 0.3 * (claim > 3_000)
    banks = (rng.random(n) < 1 / 7) & ~grants
    usual = np.where(claim > 6_000, 1, 0)  # 0 pays and 1 reviews; one in five is drawn
    reviewed = np.where(rng.random(n) < 0.2, rng.integers(0, 2, n), usual) == 1
    propensity = 0.1 + 0.8 * (reviewed == usual)
    if_reviewed = np.where(grants, claim, banks * (claim + 4_300)) + 1_300
    true = float(np.where(claim > 3_000, if_reviewed, claim).mean())
    pays = ~reviewed | grants
    rows: Mapping[str, Sequence[naive.Row]] = {
        "orders": [
            {"order_id": str(i), "at": i, "buyer_id": str(i // 2), "seller_id": "s", "amount": int(claim[i])}
            for i in range(n)
        ],
        "disputes": [
            {"dispute_id": str(i), "at": n + i, "order_id": str(i), "reason": "quality", "claimed": int(claim[i])}
            for i in range(n)
        ],
        "decisions": [
            {"decision_id": str(i), "at": 2 * n + i, "case_id": str(i), "case_kind": "dispute", "policy": "p"}
            | {"action": "review" if reviewed[i] else "refund_full", "propensity": float(propensity[i])}
            for i in range(n)
        ],
        "refunds": [
            {"order_id": str(i), "at": 3 * n + i, "amount": int(claim[i]), "funded_by": "seller"}
            for i in np.flatnonzero(pays).tolist()
        ],
        "chargebacks": [
            {"chargeback_id": str(i), "order_id": str(i), "at": 3 * n + i, "amount": int(claim[i])}
            for i in np.flatnonzero(reviewed & banks).tolist()
        ],
        "chargeback_rulings": [
            {"chargeback_id": str(i), "at": 4 * n + i, "outcome": "lost"}
            for i in np.flatnonzero(reviewed & banks).tolist()
        ],
    }
    return Ledger.of(naive.tables(rows)), claim.astype(np.float64), true


def test_intervals_hold_what_a_policy_truly_costs() -> None:
    n, rng = 600, default_rng(3)
    held, runs, section = dict.fromkeys(ESTIMATES[1:], 0), 60, Overlap()
    for _ in range(runs):
        ledger, claim, true = drawn(rng, n)
        log = logged(ledger)
        came = observed(ledger, log, Refunds(review=1_300, bank_fees=4_300), 9 * n)
        heard = Heard(log, np.arange(n) // 2, {"cost": came.cost}, {})
        guess = np.column_stack([claim, 0.8 * claim + 1_500])
        heard = replace(heard, guessed={"cost": guess})
        rows, says = weighed("mine", answers(np.where(claim > 3_000, REVIEW, FULL).tolist()), heard, section)
        assert "Warning" not in says
        for row in rows[1:]:
            held[str(row["by"])] += float(str(row["cost_low"])) <= true <= float(str(row["cost_high"]))
    least = 0.95 - 2 * np.sqrt(0.95 * 0.05 / runs)  # two standard errors of so many runs: 89 %
    assert {name: k / runs >= least for name, k in held.items()} == dict.fromkeys(held, True), held


def known_by(place: Path, seed: int, **numbers: float) -> tuple[Heard, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """What followed decisions in a simulated marketplace, and where the reason alone says that a person looks."""
    simulate_ledger(world("enriched", orders=12_000, days=400, **numbers), place, seed=seed, said=quiet)
    ledger = Ledger.open(place)
    log = logged(ledger)
    log = log.take(log.at + 120 * DAY <= ledger.last_at)
    came, disputes = observed(ledger, log, Refunds(), 120 * DAY), ledger.facts["disputes"]
    buyer = ledger.facts["orders"].codes("buyer_id").codes[log.order].astype(np.int64)
    heard = Heard(log, buyer, {"cost": came.cost, "unpaid": came.unpaid}, {})
    claim = disputes.numbers("claimed")[0][log.dispute, None]
    heard = replace(heard, guessed={name: crossfitted(claim, heard.of(name)) for name in heard.followed})
    return heard, is_word(disputes.codes("reason"), "not_received", "billing")[log.dispute]


def test_intervals_hold_what_comes_of_a_policy_in_a_marketplace_that_follows_it(tmp_path: Path) -> None:
    off: list[list[float]] = []
    for seed in (1, 2, 3):
        heard, plain = known_by(tmp_path / f"log-{seed}", seed, auto_refunds=0.3, exploration=0.4)
        other, _ = known_by(tmp_path / f"other-{seed}", seed, auto_refunds=0.0, exploration=0.001)
        assert (
            other.log.dispute.tolist() == heard.log.dispute.tolist()
        )  # the same disputes, none of which is paid unseen
        assert (other.log.action == np.where(plain, REVIEW, ASK)).mean() > 0.99
        rows, says = weighed("mine", answers(np.where(plain, REVIEW, ASK).tolist()), heard, Overlap())
        assert "Warning" not in says
        told = {
            str(row["by"]): {name: float(str(n)) for name, n in row.items() if name not in ("way", "by")}
            for row in rows
        }
        for what, true in ((name, values.mean()) for name, values in other.followed.items()):
            for by in ESTIMATES[1:]:
                assert told[by][f"{what}_low"] <= true <= told[by][f"{what}_high"], (seed, what, by)
            off.append([abs(told[by][what] - true) for by in ("as logged", "doubly robust")])
    logged_off, estimated_off = np.array(off)[1::2].sum(
        axis=0
    )  # of what is left unpaid, which paying unseen changes most
    assert estimated_off < logged_off


def test_a_model_of_costs_learns_from_the_log_alone() -> None:
    ledger, claim, true = drawn(default_rng(1), 2_000)
    log = logged(ledger)
    heard = Heard(log, np.arange(2_000) // 2, {"cost": observed(ledger, log, Refunds(), 20_000).cost}, {})
    heard = replace(heard, guessed={"cost": crossfitted(claim[:, None], heard.of("cost"))})
    rows, _ = weighed("mine", answers(np.where(claim > 3_000, REVIEW, FULL).tolist()), heard, Overlap())
    wide = {str(row["by"]): float(str(row["cost_high"])) - float(str(row["cost_low"])) for row in rows}
    best = rows[-1]
    assert best["by"] == "doubly robust"
    assert float(str(best["cost_low"])) <= true <= float(str(best["cost_high"]))
    assert wide["doubly robust"] < wide["ips"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small marketplace, and a model that has been told who is malicious in it."""
    ledger, models = tmp_path_factory.mktemp("ledger") / "shop", tmp_path_factory.mktemp("models")
    simulate_ledger(world("enriched", orders=3_000, days=300), ledger, seed=5, said=quiet)
    told_the_truth(ledger, models, rounds=30)
    return ledger, models


@pytest.fixture(scope="module")
def curious(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A policy that tries other answers now and then."""
    path = tmp_path_factory.mktemp("policies") / "curious.toml"
    path.write_text('name = "curious"\nextends = "default"\n[refunds]\nexplores = 0.5\n[logged]\nfewest = 30\n')
    return str(path)


@pytest.fixture(scope="module")
def carried_out(shop: tuple[Path, Path], curious: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same ledger with the decisions that the curious policy drew, as this command writes them, and what it wrote."""
    out, ledger = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("own") / "ledger"
    refunds(*shop, [curious], out, start=0, stop=LAST, said=quiet)
    shutil.copytree(shop[0], ledger)
    (ledger / "decisions.parquet").unlink()
    (ledger / "decisions").mkdir()
    shutil.copy(out / "decisions.curious.parquet", ledger / "decisions")
    return ledger, out


def test_records_become_rows_of_the_ledger_s_decisions(carried_out: tuple[Path, Path]) -> None:
    ledger, out = carried_out
    records = [json.loads(line) for line in (out / "records.curious.jsonl").read_text("utf-8").splitlines()]
    rows = pd.read_parquet(out / "decisions.curious.parquet")
    for name in ("decision_id", "action", "propensity", "case_kind"):
        assert rows[name].tolist() == [one[name] for one in records]
    assert rows["case_id"].tolist() == [one["case"]["dispute_id"] for one in records]
    assert rows["at"].map(pd.Timestamp.isoformat).tolist() == [one["at"] for one in records]
    assert set(rows["policy"]) == {f"curious {records[0]['policy']['version']}"}
    held = Ledger.open(ledger)
    assert len(held.facts["decisions"]) == len(records)
    assert [line for line in held.warnings if "decisions" in line] == []
    assert len(held.bad["decisions"]) == 0


def test_a_policy_costs_by_its_own_log_what_the_log_cost(
    carried_out: tuple[Path, Path], shop: tuple[Path, Path], curious: str, tmp_path: Path
) -> None:
    found = refunds(carried_out[0], shop[1], [curious, "default"], tmp_path, start=0, stop=LAST, said=quiet)
    rows = json.loads((tmp_path / "refunds.json").read_text(encoding="utf-8"))["logged"]
    mine = {row["by"]: row for row in rows if row["way"] == "curious"}
    assert mine["ips"]["disputes"] > 30
    assert mine["ips"]["outside"] == 0
    for what in ("cost", "unpaid"):
        for by in ("ips", "self-normalised ips"):
            for end in ("", "_low", "_high"):
                assert mine[by][what + end] == pytest.approx(mine["as logged"][what + end])
    assert mine["ips"]["effective"] == pytest.approx(mine["ips"]["disputes"])
    other = {row["by"]: row for row in rows if row["way"] == "default"}
    assert other["ips"]["effective"] < mine["ips"]["effective"]
    assert other["ips"]["cost"] != pytest.approx(mine["ips"]["cost"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("as it was answered") == 3  # of the two policies, and a heading
    assert "curious: in 0 disputes it would answer what the log never tries there" in page
    assert str(found["curious, cost of a dispute by the log"]).endswith(
        f"as logged {mine['as logged']['cost'] / 100:,.2f} "
        f"[{mine['as logged']['cost_low'] / 100:,.2f}, {mine['as logged']['cost_high'] / 100:,.2f}]"
    )


def without(place: Path, to: Path, *tables: str) -> Path:
    shutil.copytree(place, to, ignore=shutil.ignore_patterns(*(f"{name}.parquet" for name in tables)))
    return to


@pytest.mark.parametrize("table", ["decisions", "refunds", "chargeback_rulings"])
def test_a_ledger_that_cannot_tell_says_what_would_be_needed(
    table: str, shop: tuple[Path, Path], tmp_path: Path
) -> None:
    ledger, model = Ledger.open(without(shop[0], tmp_path / "ledger", table)), load(shop[1] / QUESTION)
    found = by_log(ledger, model, askings(ledger, QUESTION), [opened("default")], Overlap())
    assert found.says[0].startswith(
        f"Nothing: the ledger has no table {table}. To know it, let a policy try other safe"
    )
    assert (len(found.rows), found.fact("default")) == (0, "not known")


def with_others(place: Path, to: Path, table: str, column: str, values: pa.Scalar) -> Ledger:
    """The ledger with one value in all rows of a column."""
    shutil.copytree(place, to)
    rows = pq.read_table(to / f"{table}.parquet")
    rows = rows.set_column(rows.schema.get_field_index(column), column, pa.repeat(values, len(rows)))
    pq.write_table(rows, to / f"{table}.parquet")
    return Ledger.open(to)


@pytest.mark.parametrize(
    ("propensity", "section", "says"),
    [
        (1.0, Overlap(), r"Nothing: 0 decisions about these disputes were drawn, and 100 are wanted; left out: "),
        (None, Overlap(), r"of [\d,]+ answer or propensity is unknown\. To know it"),
        (0.5, Overlap(followed=3_000.0), r"Nothing: 0 decisions .* are younger than 3000 days\. "),
        (0.5, Overlap(fewest=1_000_000), r"and 1,000,000 are wanted"),
    ],
)
def test_what_the_log_cannot_tell_is_one_sentence(
    propensity: float | None, section: Overlap, says: str, shop: tuple[Path, Path], tmp_path: Path
) -> None:
    shares = pa.scalar(propensity, pa.float64())
    ledger = with_others(shop[0], tmp_path / "ledger", "decisions", "propensity", shares)
    found = by_log(ledger, load(shop[1] / QUESTION), askings(ledger, QUESTION), [opened("default")], section)
    assert len(found.says) == 1
    assert pd.Series(found.says).str.contains(says).all(), found.says
    assert not len(found.rows)


def test_costs_that_are_not_settled_are_not_guessed(shop: tuple[Path, Path], tmp_path: Path) -> None:
    ledger = with_others(shop[0], tmp_path / "ledger", "refunds", "amount", pa.scalar(None, pa.int64()))
    model, asks = load(shop[1] / QUESTION), askings(Ledger.open(shop[0]), QUESTION)
    found = by_log(ledger, model, asks, [opened("default")], Overlap(fewest=20))
    assert len(found.says) == 1
    assert re.match(
        r"Nothing: what \d+\.\d% of the \d+ logged disputes cost is not settled: chargebacks have not ended, or amounts are "
        r"unknown\. To know it",
        found.says[0],
    )
    assert (
        by_log(Ledger.open(shop[0]), model, asks, [opened("default")], Overlap(fewest=20)).fact("default")
        != "not known"
    )


def test_answers_that_a_policy_gives_are_those_of_refunds() -> None:
    assert [ANSWERS[i] for i in (FULL, ASK, REVIEW, REFUSE)] == [ACTIONS[i] for i in (FULL, ASK, REVIEW, REFUSE)]
