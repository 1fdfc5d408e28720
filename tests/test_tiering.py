"""Tiers over a simulated marketplace: rows that go into the ledger, rest on two keys, and can be appealed against."""

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from told import told_the_truth

from features import Ledger, RedressError
from features.asking import askings
from features.kernel import DAY, HOUR
from features.tables import TABLES
from models import load
from models.deciding import QUESTION, later
from models.policy import opened as policy_at
from models.tiers import STEPS, Adjustment, standing, told
from pipelines.__main__ import main, time
from pipelines.appealing import appeal
from pipelines.marketplace import world
from pipelines.simulate import simulate_ledger
from pipelines.tiering import tiers, walk_of

START, STOP = time("2024-01-01"), time("2030-01-01")
EAGER = """
name = "eager"
extends = "default"
[tiers]
adjust_at = 0.6
keys = ["upheld_report", "reused_evidence", "weight_complete", "earlier_finding"]
recovers = 2
quiet = 10.0
lasts = 60.0
"""
"""A policy that adjusts more often than a real one would."""
BAD = {"serial_share": 0.15, "serial_claims": 0.5, "examined_rate": 0.9, "finding_days": 10.0, "report_rate": 0.8}
"""A marketplace of which a real one need not be afraid."""


def quiet(line: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A small marketplace without tiers, a model that has been told who is malicious in it, and a policy."""
    ledger, models = tmp_path_factory.mktemp("ledger") / "shop", tmp_path_factory.mktemp("models")
    simulate_ledger(world("enriched", orders=4_000, days=400, orders_per_buyer=20.0, **BAD), ledger, seed=5, said=quiet)
    (ledger / "tiers.parquet").unlink()
    told_the_truth(ledger, models)
    (models / "eager.toml").write_text(EAGER)
    return ledger, models, models / "eager.toml"


@pytest.fixture(scope="module")
def done(shop: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """What `redress tiers` leaves, and its closing table."""
    out = tmp_path_factory.mktemp("tiers")
    return out, tiers(*shop[:2], str(shop[2]), out, start=START, stop=STOP, said=quiet)


def rows(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(out / "tiers.parquet").to_pylist()
    return found


def notices(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "notices.jsonl").read_text(encoding="utf-8").splitlines()]


def grown(ledger: Path, out: Path, to: Path) -> Path:
    """A copy of a ledger into which the rows have been put."""
    shutil.copytree(ledger, to)
    shutil.copy(out / "tiers.parquet", to / "tiers.parquet")
    return to


def test_every_change_is_a_row_of_the_ledger_s_table_and_a_notice(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    out, closing = done
    made, said = rows(out), notices(out)
    assert [row["at"] for row in made] == sorted(row["at"] for row in made)
    assert [(row["buyer_id"], row["at"].isoformat(), row["tier"]) for row in made] == [
        (one["buyer_id"], one["at"], one["tier"]) for one in said
    ]
    reasons = [row["reason"] for row in made]
    policy = policy_at(shop[2]).tiers
    assert len(made) > 10
    assert {"recovered"} < set(reasons) <= {*policy.keys, "recovered", "overturned"}
    assert closing["adjustments"] == sum(reason in policy.keys for reason in reasons)
    assert closing["a step milder after undisputed orders"] == reasons.count("recovered")
    for key in policy.keys:
        assert closing[f"adjustments by {key}"] == reasons.count(key)
    adjusted = [row for row in made if row["reason"] in policy.keys]
    assert closing["buyers adjusted"] == len({row["buyer_id"] for row in adjusted})
    by_tier = [closing[f"adjustments to {tier}"] for tier in STEPS[1:]]
    assert by_tier == [sum(row["tier"] == tier for row in adjusted) for tier in STEPS[1:]]
    schema = pq.read_schema(out / "tiers.parquet")
    assert schema.names == [c.name for c in TABLES["tiers"].columns if c.name != "happened_at"]
    ledger = Ledger.open(grown(shop[0], out, tmp_path / "grown"))
    assert ledger.warnings == []
    assert len(ledger.facts["tiers"]) == len(made)
    known = told(ledger)
    after = [standing(known[name], ledger.last_at + 1).tier for name in known]
    assert [closing[f"{tier} at the end"] for tier in STEPS[1:]] == [after.count(tier) for tier in STEPS[1:]]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "adjustments by an honest dispute" in page
    assert "upheld_report" in page


def test_no_rules_are_adjusted_without_a_score_and_something_that_confirms_it(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]]
) -> None:
    policy = policy_at(shop[2])
    ledger, place = Ledger.open(shop[0]), shop[0]
    asks = askings(ledger, QUESTION)
    sight = later(ledger, load(shop[1] / QUESTION), asks, policy.refunds.after)
    at = dict(zip(sight.claims.ids, sight.claims.at.tolist(), strict=True))
    score = dict(zip(sight.claims.ids, sight.malicious.tolist(), strict=True))
    disputes, orders, reports = (
        pd.read_parquet(place / f"{name}.parquet") for name in ("disputes", "orders", "reports")
    )
    buyer_of = orders.set_index("order_id")["buyer_id"]
    disputes["buyer_id"], reports["buyer_id"] = disputes["order_id"].map(buyer_of), reports["order_id"].map(buyer_of)
    findings = pd.read_parquet(place / "findings.parquet").merge(disputes[["dispute_id", "buyer_id"]], on="dispute_id")
    upheld = pd.read_parquet(place / "report_rulings.parquet").query("upheld").merge(reports, on="report_id")
    adjusted = [one for one in notices(done[0]) if one["dispute_id"]]
    reason = {(row["buyer_id"], row["at"].isoformat()): row["reason"] for row in rows(done[0])}
    assert len(adjusted) > 5
    seen = set()
    for one in adjusted:
        t = pd.Timestamp(one["at"])
        assert at[one["dispute_id"]] == t.value // 1000
        assert score[one["dispute_id"]] >= policy.tiers.adjust_at
        assert disputes.set_index("dispute_id")["buyer_id"][one["dispute_id"]] == one["buyer_id"]
        why = reason[one["buyer_id"], one["at"]]
        seen.add(why)
        mine = {
            "earlier_finding": findings[findings["malicious"]],
            "upheld_report": upheld.rename(columns={"at_x": "at"}),
        }
        if why in mine:
            facts = mine[why]
            assert ((facts["buyer_id"] == one["buyer_id"]) & (facts["at"] < t)).any()
    assert seen >= {"earlier_finding", "upheld_report"}


def test_a_score_that_the_model_abstains_from_or_has_shown_no_skill_for_adjusts_nobody(
    shop: tuple[Path, Path, Path],
) -> None:
    policy, ledger = policy_at(shop[2]), Ledger.open(shop[0])
    asks = askings(ledger, QUESTION)
    sight = later(ledger, load(shop[1] / QUESTION), asks, policy.refunds.after)
    for abstain, prior, some in ((False, None, True), (True, None, False), (False, 0.99, False)):
        told_so = replace(sight, told=sight.told.assign(abstain=abstain), prior=prior)
        assert bool(walk_of(ledger, asks, told_so, policy, START, STOP).made) is some


def test_what_is_in_the_ledger_already_is_not_made_again(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    ledger = grown(shop[0], done[0], tmp_path / "grown")
    again = tiers(ledger, shop[1], str(shop[2]), tmp_path / "out", start=START, stop=STOP, said=quiet)
    assert rows(tmp_path / "out") == []
    assert again["restricted at the end"] == done[1]["restricted at the end"]
    assert again["expired"] == done[1]["expired"] != 0


def test_what_came_later_changes_no_tier_and_two_spans_are_one(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    cut = pd.Timestamp("2024-08-01", tz="UTC")
    whole = rows(done[0])
    early = [row for row in whole if row["at"] < cut]
    assert 3 < len(early) < len(whole) - 3
    shutil.copytree(shop[0], tmp_path / "cut", ignore=shutil.ignore_patterns("truth"))
    for path in (tmp_path / "cut").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.filter(pc.less(table["at"], pa.scalar(cut, table["at"].type))), path)
    said: list[str] = []
    found = tiers(tmp_path / "cut", shop[1], str(shop[2]), tmp_path / "early", start=START, stop=STOP, said=said.append)
    assert rows(tmp_path / "early") == early
    assert "adjustments by an honest dispute" not in found
    assert any(line.startswith("warning: the ledger ends at 2024-07-31") for line in said)
    ledger = grown(shop[0], tmp_path / "early", tmp_path / "grown")
    start = cut.value // 1000
    tiers(ledger, shop[1], str(shop[2]), tmp_path / "late", start=start, stop=STOP, said=quiet)
    assert [*early, *rows(tmp_path / "late")] == whole


def test_a_finding_that_is_reversed_ends_the_tier_that_rests_on_it(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    first = next(row for row in rows(done[0]) if row["reason"] == "earlier_finding")
    shutil.copytree(shop[0], tmp_path / "ledger", ignore=shutil.ignore_patterns("truth"))
    orders, disputes = (pd.read_parquet(shop[0] / f"{name}.parquet") for name in ("orders", "disputes"))
    mine = disputes[disputes["order_id"].isin(orders[orders["buyer_id"] == first["buyer_id"]]["order_id"])]
    findings, at = pq.read_table(shop[0] / "findings.parquet"), pd.Timestamp(first["at"]) + pd.Timedelta("1h")
    known = findings.to_pandas()
    known = known[known["dispute_id"].isin(mine["dispute_id"]) & (known["at"] < at) & known["malicious"]]
    audits = known.assign(at=at, malicious=False, source="audit").drop_duplicates("dispute_id")
    both = pa.concat_tables([findings, pa.Table.from_pylist(audits.to_dict("records"), findings.schema)])
    pq.write_table(both, tmp_path / "ledger" / "findings.parquet")
    tiers(tmp_path / "ledger", shop[1], str(shop[2]), tmp_path / "out", start=START, stop=STOP, said=quiet)
    changes = [row for row in rows(tmp_path / "out") if row["buyer_id"] == first["buyer_id"]]
    place = changes.index(first)
    after = changes[place + 1]
    assert (after["tier"], after["reason"], after["at"]) == ("standard", "overturned", at + pd.Timedelta("1us"))


def test_a_day_without_disputes_is_walked_all_the_same(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    ledger, t = Ledger.open(shop[0]), pd.Timestamp(rows(done[0])[0]["at"]).value // 1000
    alone = tiers(*shop[:2], str(shop[2]), tmp_path, start=t + 1, stop=t + 2, said=quiet)
    assert alone["disputes answered"] == len(rows(tmp_path)) == 0
    held = grown(shop[0], done[0], tmp_path / "held")
    free = next(row for row in rows(done[0]) if row["reason"] == "recovered")
    t = pd.Timestamp(free["at"]).value // 1000
    table = pq.read_table(held / "tiers.parquet")
    pq.write_table(table.filter(pc.less(table["at"], pa.scalar(free["at"], table["at"].type))), held / "tiers.parquet")
    tiers(held, shop[1], str(shop[2]), tmp_path / "out", start=t, stop=t + 1, said=quiet)
    assert free in rows(tmp_path / "out")
    assert not (ledger.facts["disputes"].at == t).any()


def test_a_span_counts_disputes_when_they_are_answered(shop: tuple[Path, Path, Path], tmp_path: Path) -> None:
    ledger = Ledger.open(shop[0])
    opened = ledger.facts["disputes"].at
    day = int(opened[20])
    words = (shop[0], shop[1], str(shop[2]), tmp_path / "out")
    before = tiers(*words, start=day - 400 * HOUR, stop=day + 24 * HOUR, said=quiet)
    with_it = tiers(*words, start=day - 400 * HOUR, stop=day + 24 * HOUR + 1, said=quiet)
    counts = [one["disputes answered"] for one in (before, with_it)]
    assert counts[0] != counts[1]
    alone = tiers(*words, start=day + 24 * HOUR, stop=day + 24 * HOUR + 1, said=quiet)
    assert alone["disputes answered"] == 1


def test_a_dispute_of_nobody_known_is_left_out_and_counted(shop: tuple[Path, Path, Path], tmp_path: Path) -> None:
    shutil.copytree(shop[0], tmp_path / "ledger")
    orders = pq.read_table(shop[0] / "orders.parquet")
    some = pq.read_table(shop[0] / "disputes.parquet")["order_id"][0].as_py()
    names = [
        None if one == some else who
        for one, who in zip(orders["order_id"].to_pylist(), orders["buyer_id"].to_pylist(), strict=True)
    ]
    column = orders.schema.get_field_index("buyer_id")
    pq.write_table(
        orders.set_column(column, "buyer_id", pa.array(names, pa.string())), tmp_path / "ledger" / "orders.parquet"
    )
    said: list[str] = []
    tiers(tmp_path / "ledger", shop[1], str(shop[2]), tmp_path / "out", start=START, stop=STOP, said=said.append)
    assert any("left out 1 disputes of nobody known" in line for line in said)


@pytest.mark.parametrize(
    ("start", "stop", "says"),
    [
        (START, START, "--from: want it before --to and before .* ends at .*, got 2024-01-01"),
        (STOP, STOP + DAY, "--from: want it before --to and before .* ends at 202"),
    ],
)
def test_a_span_that_is_none_is_one_sentence_and_leaves_nothing(
    start: int, stop: int, says: str, shop: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(RedressError, match=f"^{says}"):
        tiers(*shop[:2], "default", tmp_path / "out", start=start, stop=stop, said=quiet)
    assert not (tmp_path / "out").exists()


# Appeals


@pytest.fixture(scope="module")
def held(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Adjustment]:
    """A ledger with tiers in it, and the change of a buyer whose tier has lasted for a day and more."""
    ledger = grown(shop[0], done[0], tmp_path_factory.mktemp("held") / "ledger")
    for changes in told(Ledger.open(ledger)).values():
        if changes[-1].tier != "standard":
            return ledger, changes[-1]
    raise AssertionError("nobody has a tier")


def test_an_appeal_that_is_granted_is_a_row_that_restores_the_buyer(
    held: tuple[Path, Adjustment], tmp_path: Path
) -> None:
    ledger, last = held
    at = last.at + 3 * DAY
    closing = appeal(last.buyer_id, ledger, "default", tmp_path, granted=True, at=at, filed=None, said=quiet)
    assert (closing["tier before"], closing["tier now"], closing["rows for the ledger"]) == (last.tier, "standard", 1)
    (row,) = rows(tmp_path)
    assert (row["buyer_id"], row["tier"], row["reason"], row["expires_at"]) == (
        last.buyer_id,
        "standard",
        "appeal_granted",
        None,
    )
    table = pa.concat_tables([pq.read_table(ledger / "tiers.parquet"), pq.read_table(tmp_path / "tiers.parquet")])
    tables = {"orders": pq.read_table(ledger / "orders.parquet"), "tiers": table}
    changes = told(Ledger.of(tables))[last.buyer_id]
    assert [standing(changes, t).tier for t in (at, at + 1)] == [last.tier, "standard"]
    (said,) = notices(tmp_path)
    assert "The appeal was granted" in said["says"]


def test_an_appeal_that_is_refused_is_no_row_and_the_buyer_is_told_what_stays(
    held: tuple[Path, Adjustment], tmp_path: Path
) -> None:
    ledger, last = held
    assert last.expires_at is not None
    at = last.at + 3 * DAY
    closing = appeal(last.buyer_id, ledger, "default", tmp_path, granted=False, at=at, filed=None, said=quiet)
    assert rows(tmp_path) == []
    ends = pd.Timestamp(last.expires_at, unit="us", tz="UTC").isoformat()
    assert closing["tier now"] == f"{last.tier}, until {ends} at most"
    (said,) = notices(tmp_path)
    assert said["tier"] == last.tier
    assert "did not grant it. As before " in said["says"]


def test_an_appeal_granted_after_the_tier_was_over_is_no_row_and_the_buyer_is_told_that_it_was_granted(
    held: tuple[Path, Adjustment], tmp_path: Path
) -> None:
    ledger, last = held
    assert last.expires_at is not None
    at, filed = last.expires_at + DAY, last.at + DAY
    closing = appeal(last.buyer_id, ledger, "default", tmp_path, granted=True, at=at, filed=filed, said=quiet)
    assert rows(tmp_path) == []
    assert (closing["appealed against"], closing["since"]) == (last.tier, stamp(last.at))
    assert (closing["appeal"], closing["tier before"], closing["tier now"]) == ("granted", "standard", "standard")
    (said,) = notices(tmp_path)
    assert (said["tier"], said["expires_at"]) == ("standard", None)
    assert said["says"] == (
        "A person looked at your appeal and granted it. What it was against is over already. "
        "Now your disputes are answered as anybody's are."
    )


def run(*words: object) -> tuple[int, str, str]:
    """Exit code and what a command printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue().splitlines()[-1] if err.getvalue() else ""


def stamp(t: int) -> str:
    return pd.Timestamp(t, unit="us", tz="UTC").isoformat()


def test_an_appeal_too_late_or_against_nothing_is_one_sentence(held: tuple[Path, Adjustment], tmp_path: Path) -> None:
    ledger, last = held
    words = ("--ledger", ledger, "--granted", "--out", tmp_path / "out")
    late = ("appeal", last.buyer_id, *words, "--at", stamp(last.at + 31 * DAY))
    assert run(*late) == (1, "", "redress: appeal: want it within 30 days, got it 1.0 days late; see what recovers")
    code, out, _ = run(*late, "--filed", stamp(last.at + 30 * DAY), "--json")
    assert (code, json.loads(out)["tier now"]) == (0, "standard")
    shutil.rmtree(tmp_path / "out")
    for words_more, says in (
        (("nobody", "--at", "2024-05-01"), "appeal: want a tier to appeal against, got standard for nobody"),
        ((last.buyer_id, "--at", stamp(last.at)), "--at: want a moment at which nothing else was said of "),
        (
            (last.buyer_id, "--at", stamp(last.at + DAY), "--filed", stamp(last.at + DAY + 1)),
            "appeal: want it filed before it is ruled on",
        ),
    ):
        code, out, err = run("appeal", *words_more, *words)
        assert (code, out) == (1, "")
        assert err.startswith(f"redress: {says}")
    assert not (tmp_path / "out").exists()


def test_the_command_says_in_json_what_it_did(
    shop: tuple[Path, Path, Path], done: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    words = ("--from", "2024-01-01", "--to", "2030-01-01", "--policy", shop[2], "--out", tmp_path)
    code, out, _ = run("tiers", "--ledger", shop[0], "--models", shop[1], *words, "--json")
    files = {"tiers.parquet", "notices.jsonl", "report"}
    closing = json.loads(out)
    assert code == 0
    assert {k: v for k, v in closing.items() if k not in files} == {k: v for k, v in done[1].items() if k not in files}
    assert all(Path(closing[name]).is_file() for name in files)
    assert rows(tmp_path) == rows(done[0])
