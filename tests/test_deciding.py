"""Refunds over a simulated marketplace: policies walk through history, leave records, and are replayed to the bit."""

import json
import shutil
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from told import told_the_truth

from features import Ledger, RedressError, signals
from features.asking import Askings, askings
from features.kernel import DAY, HOUR
from models import fit, load
from models.automation import Automation, limit
from models.deciding import QUESTION, Sight, answered, sights
from models.officers import Officers, granted
from models.policy import opened as policy_at
from models.questions import answers
from models.queue import Review
from models.records import FIRST, chained, identity
from models.refunds import ASK, FULL, REFUSE, REVIEW, Refunds
from models.split import labelled
from pipelines.automating import automatic, automation_section
from pipelines.comparing import ORACLE, Compared, Way, compared, oracle, way
from pipelines.harm import FAULTY, harmed
from pipelines.marketplace import world
from pipelines.queueing import queue_section, queued
from pipelines.refunded import fact, saved
from pipelines.refunds import refunds
from pipelines.replay import replay
from pipelines.report import Page, html
from pipelines.simulate import simulate_ledger
from pipelines.valuing import expected_worth, true_worth
from serve import Scorer

LAST = 4_000_000_000_000_000
"""Microseconds since 1970, later than all."""


def quiet(line: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small marketplace with its truth, and a model that has been told who is malicious in it."""
    ledger, models = tmp_path_factory.mktemp("ledger") / "shop", tmp_path_factory.mktemp("models")
    simulate_ledger(world("enriched", orders=3_000, days=300), ledger, seed=5, said=quiet)
    told_the_truth(ledger, models)
    return ledger, models


@pytest.fixture(scope="module")
def done(shop: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `redress refunds` leaves of two policies."""
    out = tmp_path_factory.mktemp("refunds")
    refunds(*shop, ["default", "strict"], out, start=0, stop=LAST, said=quiet)
    return out


@pytest.fixture(scope="module")
def walk(shop: tuple[Path, Path]) -> tuple[Ledger, Askings, Sight, Sight]:
    """The disputes of the marketplace as they were known when they were answered."""
    ledger, model = Ledger.open(shop[0]), load(shop[1] / QUESTION)
    asks = askings(ledger, QUESTION)
    return ledger, asks, *sights(ledger, model, asks, Refunds())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def looks_of(ledger: Path, hours: int) -> dict[str, int]:
    """When each dispute in scope of a ledger is looked at: so long after it came, or when first ruled about."""
    disputes, rulings = (pq.read_table(ledger / f"{name}.parquet") for name in ("disputes", "rulings"))
    ruled: dict[str, list[int]] = {}
    for name, at in zip(rulings["dispute_id"].to_pylist(), moments(rulings), strict=True):
        ruled.setdefault(name, []).append(at)
    scope = disputes.filter(pc.is_in(disputes["reason"], pa.array(Refunds().reasons)))
    return {
        name: min(at + hours * HOUR, max(at, min(ruled.get(name, [LAST]))))
        for name, at in zip(scope["dispute_id"].to_pylist(), moments(scope), strict=True)
    }


def moments(table: pa.Table) -> list[int]:
    """When the rows of a table were known, in microseconds."""
    found: list[int] = table["at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return found


def in_time(ledger: Path, hours: int) -> tuple[set[str], set[str]]:
    """The disputes in scope that are looked at no later than a ledger's last moment, and those that are later."""
    last = max(max(moments(pq.read_table(path)), default=0) for path in ledger.glob("*.parquet"))
    looks = looks_of(ledger, hours)
    return {name for name, at in looks.items() if at <= last}, {name for name, at in looks.items() if at > last}


@pytest.mark.parametrize(("late", "answered"), [(0, True), (1, False)])
def test_what_is_to_be_answered_after_the_ledger_ends_is_left_out_and_counted(
    late: int, answered: bool, shop: tuple[Path, Path], tmp_path: Path
) -> None:
    one, at = sorted(looks_of(shop[0], 24).items(), key=lambda look: look[1])[60]
    ends = pd.Timestamp(at - late, unit="us", tz="UTC")
    shutil.copytree(shop[0], tmp_path / "ledger", ignore=shutil.ignore_patterns("truth"))
    for path in (tmp_path / "ledger").glob("*.parquet"):
        rows = pq.read_table(path)
        kept = rows.filter(pc.less_equal(rows["at"], pa.scalar(ends, rows["at"].type)))
        if path.stem == "orders":  # the last fact of all is at the very end
            last = kept.slice(0, 1)
            last = last.set_column(last.schema.get_field_index("order_id"), "order_id", pa.array(["the last"]))
            last = last.set_column(last.schema.get_field_index("at"), "at", pa.array([ends], rows["at"].type))
            kept = pa.concat_tables([kept, last.cast(kept.schema)])
        pq.write_table(kept, path)
    found, beyond = in_time(tmp_path / "ledger", 24)
    assert (one in found, one in beyond) == (answered, not answered)
    said: list[str] = []
    refunds(tmp_path / "ledger", shop[1], ["default"], tmp_path / "out", start=0, stop=LAST, said=said.append)
    assert set(pd.read_parquet(tmp_path / "out" / "decisions.parquet")["dispute_id"]) == found
    warned = [line for line in said if "after the ledger ends" in line]
    assert warned == [
        f"warning: left out {len(beyond):,} disputes to be answered after the ledger ends at {ends.isoformat()}; "
        "what will be known then nobody knows yet"
    ] * bool(beyond)


def test_every_dispute_in_scope_has_an_answer_and_a_record_of_each_in_one_chain(
    shop: tuple[Path, Path], done: Path
) -> None:
    decisions = pd.read_parquet(done / "decisions.parquet")
    scope, _ = in_time(shop[0], 24)
    for name in ("default", "strict"):
        mine, records = decisions[decisions["policy"] == name], lines(done / f"records.{name}.jsonl")
        assert sorted(mine["dispute_id"]) == sorted(scope)
        assert list(chained(records)) == []
        assert len(records) == len(mine) + mine["asked_for_evidence"].sum() > len(mine) - 1
        assert [record["at"] for record in records] == sorted(str(record["at"]) for record in records)
        last = {one["case"]["dispute_id"]: one for one in records}
        assert {name: (one["action"], one["amount"], one["why"]) for name, one in last.items()} == {
            row.dispute_id: (row.action, row.amount, row.why) for row in mine.itertuples()
        }
    assert (done / "report.html").stat().st_size > 10_000


def test_a_policy_that_is_not_surely_cheaper_than_a_fair_plain_way_is_told_so(done: Path) -> None:
    told = json.loads((done / "refunds.json").read_text(encoding="utf-8"))
    page = (done / "report.html").read_text(encoding="utf-8")
    shares = {one["way"]: one for one in told["saved"] if one["kind"] == "fair"}
    assert set(shares) == {"default", "strict"}
    for name, one in shares.items():
        if abs(one["low"]) > 0.02:  # the share's interval and the difference's may disagree near zero
            assert (f"{name} is not surely cheaper here than to" in page) == (one["low"] < 0)


@pytest.mark.parametrize(
    ("oracle", "says", "saves"),
    [
        (
            600.0,
            "50% [50%, 50%] saved, 0.00% of the honest refused",
            "saves 50% [50%, 50%] of the gap between refuse all",
        ),
        (
            1_000.0,
            "nothing to save, 0.00% of the honest refused",
            "is held against refuse all, which the oracle does not",
        ),
        (
            1_100.0,
            "nothing to save, 0.00% of the honest refused",
            "is held against refuse all, which the oracle does not",
        ),
    ],
)
def test_where_there_is_no_gap_to_the_oracle_it_is_said_in_words(oracle: float, says: str, saves: str) -> None:
    ways = {
        name: Way(np.full(10, cost), np.zeros(10, np.bool_), np.zeros(10))
        for name, cost in (("mine", 800.0), ("refuse all", 1_000.0), ("oracle", oracle))
    }
    told = Compared(ways, ("refuse all",), ways.pop("oracle"), np.ones(10), np.ones(10), np.arange(10))
    assert fact(told, "mine") == ("mine: of the gap from refuse all to the oracle", says)
    assert saved(told, "mine", "refuse all").startswith(saves)


def test_records_are_replayed_to_the_bit(shop: tuple[Path, Path], done: Path, tmp_path: Path) -> None:
    found = replay(done / "records.strict.jsonl", *shop, policy=None, said=quiet)
    assert found["replayed"] == "the same to the bit"
    whole = (done / "records.default.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "one.json").write_text(whole[7] + "\n")
    assert replay(tmp_path / "one.json", *shop, policy=None, said=quiet)["decisions"] == 1


def test_a_replay_notes_another_ledger_and_finds_a_forged_name(
    shop: tuple[Path, Path], done: Path, tmp_path: Path
) -> None:
    records = lines(done / "records.default.jsonl")[:3]
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps(one) for one in records))
    found = replay(tmp_path / "r.jsonl", *shop, policy=None, said=quiet)
    assert found["ledger"] == "the files that the records name"
    forged = rechained([one | {"decision_id": "12" * 16} if i == 1 else one for i, one in enumerate(records)])
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps(one) for one in forged))
    with pytest.raises(RedressError, match=r"r\.jsonl, line 2: want the decision_id of the record's own case"):
        replay(tmp_path / "r.jsonl", *shop, policy=None, said=quiet)
    other = [one | {"ledger": "12" * 16} if i else one for i, one in enumerate(records)]
    other = rechained([one | {"decision_id": identity(one)} for one in other])
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps(one) for one in other))
    found = replay(tmp_path / "r.jsonl", *shop, policy=None, said=quiet)
    assert found["replayed"] == "the same to the bit"
    assert found["ledger"] == "other files than 2 of 3 records name; it grew, was written anew, or is another"


def rechained(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records with the hash of what each says, which names the one before."""
    before, found = FIRST, []
    for one in told:
        rest = {name: value for name, value in one.items() if name != "hash"} | {"previous": before}
        before = blake2b(json.dumps(rest, sort_keys=True).encode(), digest_size=16).hexdigest()
        found.append(rest | {"hash": before})
    return found


def test_a_replay_says_what_differs(shop: tuple[Path, Path], done: Path, tmp_path: Path) -> None:
    records = done / "records.default.jsonl"
    with pytest.raises(
        RedressError, match=r"want the same decisions, got what differs: [0-9a-f]{32}: policy: was .* more"
    ):
        replay(records, *shop, policy="strict", said=quiet)
    whole = records.read_text(encoding="utf-8").splitlines()
    (tmp_path / "short.jsonl").write_text("\n".join(whole[:3] + whole[4:]))
    with pytest.raises(RedressError, match="record 3: want the one before named, got another"):
        replay(tmp_path / "short.jsonl", *shop, policy=None, said=quiet)
    (tmp_path / "short.jsonl").write_text("\n".join(whole[1:]))
    with pytest.raises(RedressError, match="record 0: want the one before named, got another"):
        replay(tmp_path / "short.jsonl", *shop, policy=None, said=quiet)
    with pytest.raises(RedressError, match="want decision records, one a line of JSON, got no text"):
        replay(done / "decisions.parquet", *shop, policy=None, said=quiet)
    (tmp_path / "none.jsonl").write_text("\n")
    with pytest.raises(RedressError, match="want decision records, one a line, got none"):
        replay(tmp_path / "none.jsonl", *shop, policy=None, said=quiet)
    ledger = tmp_path / "ledger"
    shutil.copytree(shop[0], ledger)
    orders = pq.read_table(ledger / "orders.parquet")
    pq.write_table(orders.slice(0, len(orders) - 1), ledger / "orders.parquet")
    assert (
        replay(records, ledger, shop[1], policy=None, said=quiet)["replayed"] == "the same to the bit"
    )  # the last order is no case
    disputes = pq.read_table(ledger / "disputes.parquet")
    dearer = disputes.set_column(disputes.schema.get_field_index("claimed"), "claimed", pc.add(disputes["claimed"], 1))
    pq.write_table(dearer, ledger / "disputes.parquet")
    with pytest.raises(RedressError, match=r"got what differs: [0-9a-f]{32}: "):
        replay(records, ledger, shop[1], policy=None, said=quiet)


def test_what_came_after_an_answer_changes_nothing_of_it(shop: tuple[Path, Path], done: Path, tmp_path: Path) -> None:
    cut = pd.Timestamp("2024-07-01", tz="UTC")
    shutil.copytree(shop[0], tmp_path / "ledger", ignore=shutil.ignore_patterns("truth"))
    for path in (tmp_path / "ledger").glob("*.parquet"):
        rows = pq.read_table(path)
        pq.write_table(rows.filter(pc.less(rows["at"], pa.scalar(cut, rows["at"].type))), path)
    refunds(tmp_path / "ledger", shop[1], ["default"], tmp_path / "out", start=0, stop=LAST, said=quiet)
    early, whole = (lines(folder / "records.default.jsonl") for folder in (tmp_path / "out", done))
    ends = (cut - pd.Timedelta(days=7)).isoformat()
    ours = {(one["at"], one["case"]["dispute_id"]): one for one in whole if str(one["at"]) < ends}
    theirs = {(one["at"], one["case"]["dispute_id"]): one for one in early if str(one["at"]) < ends}
    skipped = ("ledger", "decision_id", "previous", "hash")
    assert len(ours) > 30
    assert {key: {k: v for k, v in one.items() if k not in skipped} for key, one in ours.items()} == {
        key: {k: v for k, v in one.items() if k not in skipped} for key, one in theirs.items()
    }


def test_a_policy_that_keeps_the_promise_lies_beside_the_report(
    shop: tuple[Path, Path], done: Path, tmp_path: Path
) -> None:
    kept = policy_at(done / "promised.toml")
    assert kept.name == "default-promised"
    ledger, asks = Ledger.open(shop[0]), askings(Ledger.open(shop[0]), QUESTION)
    default = policy_at("default")
    allowed = automatic(
        ledger, asks, sights(ledger, load(shop[1] / QUESTION), asks, default.refunds)[0], default.automation
    )
    assert kept.refunds.automatic_below == min(allowed.limit.threshold, default.refunds.automatic_below) < 0.5
    assert replace(kept.refunds, automatic_below=default.refunds.automatic_below) == default.refunds
    refunds(*shop, [str(done / "promised.toml")], tmp_path, start=0, stop=LAST, said=quiet)
    again = pd.read_parquet(tmp_path / "decisions.parquet")
    paid = again[again["action"].isin(["refund_full", "refund_partial", "return_and_refund"])]
    assert (paid["probability"] < kept.refunds.automatic_below).all()
    assert (again["why"] == "suspect").any()


def test_a_model_that_has_shown_no_skill_is_not_asked(shop: tuple[Path, Path], tmp_path: Path) -> None:
    model = load(shop[1] / QUESTION)
    card = dict(model.card) | {"skill": {"askings": 80, "gain": -0.01}}
    replace(model, card=card).save(tmp_path / QUESTION)
    found = refunds(shop[0], tmp_path, ["default"], tmp_path / "out", start=0, stop=LAST, said=quiet)
    assert found["default, answers by the model"] == "none: the model has shown no skill"
    decided = pd.read_parquet(tmp_path / "out" / "decisions.parquet")
    assert decided["probability"].nunique() == 1
    assert decided["probability"][0] == pytest.approx(float(str(card["yes"])) / float(str(card["rows"])))
    usual = decided[decided["why"] == "plain"]
    assert len(usual) > 0.7 * len(decided)
    paid = usual[usual["action"] == "refund_full"]["claimed"]
    assert paid.max() < usual[usual["action"] == "review"]["claimed"].max()
    assert not (decided["action"] == "refuse").any()
    records = lines(tmp_path / "out" / "records.default.jsonl")
    assert all(one["plain"] for one in records)
    for one in records:  # the score tells nothing, so what is told is the decision's own
        assert all(one["reasons"][voice] for voice in ("reviewer", "seller", "buyer"))
        assert one["reasons"]["reviewer"][0].startswith(f"{one['action']}, {one['why']}: ")
    assert {part for one in records for part, value in one["parts"].items() if value} == {"base_part"}
    assert replay(tmp_path / "out" / "records.default.jsonl", shop[0], tmp_path, policy=None, said=quiet)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "The model has not shown that it knows more than how common malice is" in page


def test_what_officers_were_measured_to_grant_is_in_records_that_are_replayed_to_the_bit(
    shop: tuple[Path, Path], done: Path, tmp_path: Path
) -> None:
    model, officers = load(shop[1] / QUESTION), Officers(500, (0.9, 0.8, 1.0), (0.01, 0.0, 0.02))
    replace(model, card=dict(model.card) | {"officers": officers.to_json()}).save(tmp_path / "models" / QUESTION)
    refunds(shop[0], tmp_path / "models", ["default"], tmp_path / "out", start=0, stop=LAST, said=quiet)
    path = tmp_path / "out" / "records.default.jsonl"
    records, before = lines(path), lines(done / "records.default.jsonl")
    version = policy_at("default").informed({"officers": officers.to_json()}).version
    assert {one["policy"]["version"] for one in records} == {version} != {one["policy"]["version"] for one in before}
    kinds = [[one["action"] for one in some] for some in (records, before)]
    assert kinds[0].count("review") > kinds[1].count("review")  # people who err less are asked more
    found = replay(path, shop[0], tmp_path / "models", policy=None, said=quiet)
    assert (found["replayed"], found["policy"]) == ("the same to the bit", f"default ({version})")
    case = {"ask_id": records[0]["case"]["dispute_id"], "at": records[0]["at"]}
    assert Scorer.open(shop[0], tmp_path / "models").decide(case)["hash"] == records[0]["hash"]


def test_the_scorer_decides_as_the_job_does_to_the_bit(shop: tuple[Path, Path], done: Path) -> None:
    scorer = Scorer.open(*shop, policy="strict")
    records = lines(done / "records.strict.jsonl")
    again = {one["case"]["dispute_id"] for one in records if one["action"] == "request_evidence"}
    some = [one for i, one in enumerate(records) if i % 12 == 0 or one["case"]["dispute_id"] in again][:40]
    asked = set[str]()
    for one in some:
        dispute = one["case"]["dispute_id"]
        case = {"ask_id": dispute, "at": one["at"], "evidence_asked": dispute in asked}
        found = scorer.decide(case)
        asked |= {dispute} if one["action"] == "request_evidence" else set()
        chain = ("previous", "hash")
        assert {k: v for k, v in found.items() if k not in chain} == {k: v for k, v in one.items() if k not in chain}
    assert not hasattr(found, "__setitem__")


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"at": "2024-06-01T00:00:00Z"}, "want question, ask_id and at, got no ask_id"),
        ({"ask_id": "nobody", "at": "2024-06-01T00:00:00Z"}, "nobody"),
        (
            {"ask_id": "d00000003", "at": "2024-06-01T00:00:00Z", "question": "chargeback_risk"},
            "case.question: want malicious",
        ),
        ([("ask_id", "d00000003")], "case: want its fields by name, got list; give a dict"),
        (None, "case: want its fields by name, got NoneType; give a dict"),
        ({"ask_id": "d00000003", "at": "2024-06-01"}, "case.at: want an ISO 8601 time with its zone"),
        ({"ask_id": "d00000003", "at": "2024-06-01T00:00:00Z", "evidence_asked": "no"}, "want true or false, got no"),
    ],
)
def test_a_case_that_cannot_be_decided_is_refused_with_the_field(shop: tuple[Path, Path], case: Any, says: str) -> None:
    with pytest.raises(RedressError, match=says):
        Scorer.open(*shop).decide(case)


def test_evidence_that_was_asked_for_is_waited_for_and_asked_for_once(
    walk: tuple[Ledger, Askings, Sight, Sight],
) -> None:
    _, asks, first, second = walk
    eager = Refunds(ask=0, asked_catches=0.9, asked_spares=1.0, automatic_below=0.2)
    made = answered(first, second, eager)
    assert made.asked.sum() > 5
    assert not (made.last.action == ASK).any()
    assert (second.claims.at >= first.claims.at).all()
    assert (first.claims.at >= asks.at).all()
    assert (second.claims.at - asks.at).max() <= (1 + eager.ask_days) * DAY


def test_what_answers_cost_by_the_truth(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, _ = walk
    policy = Refunds()
    found = true_worth(ledger, asks, policy)
    told = (
        pd.read_parquet(Path(ledger.name) / "truth" / "disputes.parquet")
        .set_index("dispute_id")
        .loc[list(first.claims.ids)]
    )
    bad = told["malicious"].to_numpy()
    assert found.paid.tolist() == told["cost_if_refunded"].tolist()
    assert found.refused[bad].tolist() == told["cost_if_refused"][bad].tolist()
    fees = 1_500 * (told["goes_to_bank"] * 1 + (told["contested"] & told["lost_at_bank"])) + 1_300 * told["contested"]
    wronged = fees + first.claims.claimed + policy.wrongful
    assert found.refused[~bad] == pytest.approx(wronged[~bad].to_numpy())
    dearer = true_worth(ledger, asks, replace(policy, wrongful=policy.wrongful + 100))
    assert (dearer.refused - found.refused).tolist() == pytest.approx((100.0 * ~bad).tolist())
    assert (found.oracle[:, 0] == np.where(bad, np.minimum(found.paid, found.refused), found.paid)).all()
    assert (found.oracle[bad, 1] == found.oracle[bad, 0]).all()
    share = granted(ledger, asks)
    enough, wronged_in_full = ~bad & (share >= found.owed), ~bad & (share == 0) & (found.owed == 1)
    assert min(enough.sum(), wronged_in_full.sum()) > 2
    assert found.judged[enough] == pytest.approx((share * found.paid)[enough])  # what was never owed is no wrong
    assert found.judged[wronged_in_full] == pytest.approx(found.refused[wronged_in_full])
    none = np.full(len(bad), np.nan)
    everyone = {action: found.costs(np.full(len(bad), action), none, policy) for action in (FULL, REVIEW, REFUSE)}
    assert everyone[FULL].tolist() == found.paid.tolist()
    assert everyone[REFUSE].tolist() == found.refused.tolist()
    reviewed = found.judged + policy.review + policy.wait * policy.review_days * ~bad
    assert everyone[REVIEW] == pytest.approx(reviewed)
    assert found.oracle[~bad, 1] == pytest.approx(reviewed[~bad])
    half = true_worth(ledger, asks, policy, repeat=0.5)
    assert (half.paid - first.claims.claimed) * 2 == pytest.approx(found.paid - first.claims.claimed)


def test_without_a_truth_costs_are_those_that_the_policy_expects(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, _ = walk
    policy = Refunds()
    found = expected_worth(ledger, asks, first.malicious, policy, np.zeros(len(asks)))
    made = first.decided(policy, askable=False)
    for action, share in ((FULL, 0.0), (REVIEW, policy.withheld * policy.wrongly), (REFUSE, 1.0)):
        everyone, none = np.full(len(asks), action), np.full(len(asks), np.nan)
        assert found.costs(everyone, none, policy) == pytest.approx(made.costs[:, action])
        unpaid = share * (1 - first.malicious) * first.claims.claimed
        assert found.unpaid(everyone, none, policy) == pytest.approx(unpaid)
    assert (found.oracle[:, 0] <= np.minimum(found.paid, found.refused) + 1e-6).all()


def test_policies_stand_beside_plain_ways_and_the_oracle(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, second = walk
    policy, buyer = Refunds(), np.arange(len(asks)) // 2
    worth = true_worth(ledger, asks, policy)
    told = compared(first, second, worth, {"default": (policy, answered(first, second, policy))}, policy, buyer)
    rows = told.rows(told.best()).set_index("way")
    assert list(rows.loc[told.best(), ["beyond", "low", "high"]]) == [0, 0, 0]
    assert rows["cost"].min() == rows.loc[ORACLE, "cost"]
    waited = policy.wait * policy.after / 24 * (1 - worth.malicious).mean()
    assert rows.loc["refund all", "cost"] == pytest.approx(worth.paid.mean() + waited)
    assert rows.loc["refuse all", "honest_refused"] == 1
    assert told.refused(told.best(0.005)) <= 0.005
    share, low, high = told.saved("default", "refund all")
    gap = worth.paid.mean() + waited - oracle(worth).cost.mean()
    assert oracle(worth).cost.mean() <= worth.oracle[:, 0].mean()
    assert share == pytest.approx((worth.paid.mean() + waited - rows.loc["default", "cost"]) / gap)
    assert low < share < high
    assert share > 0  # the model was told who is malicious


def test_what_the_honest_were_owed_and_did_not_get_is_told_of_each_way(
    walk: tuple[Ledger, Askings, Sight, Sight], done: Path
) -> None:
    ledger, asks, first, _ = walk
    truth = pd.read_parquet(Path(ledger.name) / "truth" / "disputes.parquet").set_index("dispute_id")
    decided = pd.read_parquet(done / "decisions.parquet")
    share = pd.Series(granted(ledger, asks), list(first.claims.ids))[decided["dispute_id"].unique()]
    person = share.fillna(share[~truth["malicious"].loc[share.index]].mean()).to_dict()
    due, kept, hidden = 0.0, {"review all": 0.0, "default": 0.0}, truth.to_dict("index")
    for one in decided[decided["policy"] == "default"].to_dict("records"):
        told, ruled, claimed = hidden[one["dispute_id"]], person[one["dispute_id"]], one["claimed"]
        if not told["malicious"]:
            paid = {"review": ruled, "refuse": 0.0}.get(one["action"], one["amount"] / max(claimed, 1))
            due += told["owed_share"] * claimed
            kept["review all"] += max(told["owed_share"] - ruled, 0) * claimed
            kept["default"] += max(told["owed_share"] - paid, 0) * claimed
    found = json.loads((done / "refunds.json").read_text(encoding="utf-8"))
    ways = {one["way"]: one["unpaid"] for one in found["ways"]}
    assert {name: ways[name] for name in kept} == pytest.approx({name: k / due for name, k in kept.items()})
    assert (ways["refund all"], ways["refuse all"]) == (0.0, pytest.approx(1.0))
    assert 0 <= ways[ORACLE] < ways["review all"]
    assert ways["review all"] > 0.02
    assert found["harm"][0]["unpaid"] == pytest.approx(ways["default"])
    page = (done / "report.html").read_text(encoding="utf-8")
    assert "owed to the honest, not paid" in page


def test_a_policy_is_charged_the_time_that_it_waits_itself(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, second = walk
    prices = Refunds()
    worth, made = true_worth(ledger, asks, prices), answered(first, second, prices)
    quick, slow = (
        way(made, worth, prices, Refunds(after=hours, ask_days=days)).cost for hours, days in ((24, 5), (72, 7))
    )
    assert slow - quick == pytest.approx(prices.wait * 2 * (1 - worth.malicious) * (1 + made.asked))


def test_who_was_refunded_by_a_policy_was_not_judged_by_a_person(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, _ = walk
    decided = pd.read_parquet(Path(ledger.name) / "decisions.parquet")
    unseen = np.isin(first.claims.ids, decided[decided["action"] == "refund_full"]["case_id"])
    share = granted(ledger, asks)
    assert unseen.sum() > 20
    assert np.isnan(share[unseen]).all()
    assert set(share[~unseen]) > {0.0, 1.0}
    worth = true_worth(ledger, asks, Refunds())
    bad = unseen & (worth.malicious > 0)
    mean = np.nanmean(share[worth.malicious > 0])  # nobody ruled about him, so he is granted what the like are
    assert worth.judged[bad] == pytest.approx((mean * worth.paid + (1 - mean) * worth.refused)[bad])


def test_what_may_be_automatic_is_told_by_what_was_found_out(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, _ = walk
    latest = pd.read_parquet(Path(ledger.name) / "findings.parquet").sort_values(["at", "malicious"])
    found = (
        latest.drop_duplicates("dispute_id", keep="last").set_index("dispute_id")["malicious"].reindex(first.claims.ids)
    )
    mature = labelled(asks, answers(ledger, asks, 0), ledger.last_at + 1, 0, asks.at)
    known, counts = found.notna().to_numpy(), np.isin(np.arange(len(asks)), mature.which)
    wide = Automation(malicious_at_most=0.6, fewest=20)
    told = automatic(ledger, asks, first, wide)
    assert not told.by_audit
    assert told.limit == limit(first.malicious[counts], found[counts].astype(int).to_numpy(), wide)
    assert told.limit.threshold > 0
    assert (told.age, told.young) == (mature.maturity, (known & ~counts).sum())
    assert told.young > 0
    assert 20 * DAY < told.age < 120 * DAY


def test_an_answer_about_a_young_dispute_is_left_out_and_counted(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, _ = walk
    wide = Automation(malicious_at_most=0.6, fewest=20)
    whole = automatic(ledger, asks, first, wide)
    old = np.flatnonzero(asks.at + whole.age < ledger.last_at + 1)
    assert len(old) < len(asks)
    some = automatic(ledger, asks.take(old), first.take(old), wide)
    assert (some.limit, some.young) == (whole.limit, 0)
    late = np.arange(len(asks) * 2 // 3, len(asks))  # of a late span alone the quick answers are known
    assert (
        labelled(asks.take(late), answers(ledger, asks.take(late), 0), ledger.last_at + 1, 0, asks.at[late]).maturity
        < whole.age
    )
    assert automatic(ledger, asks.take(late), first.take(late), wide).age == whole.age
    page = html(Page("", (), (), (automation_section(whole, wide, 0.5),)))
    assert f"once a dispute is {whole.age / DAY:.3g} days old, by when 95% of those known had come" in page
    assert f"of younger disputes {whole.young} answers are left out" in page


def test_audits_count_alone_where_enough_of_them_are_mature(shop: tuple[Path, Path], tmp_path: Path) -> None:
    findings = pq.read_table(shop[0] / "findings.parquet")
    audits = pa.array(["audit"] * len(findings), findings["source"].type)
    ledger = Ledger.open(changed(shop[0], tmp_path / "audited", "findings", source=audits))
    asks, model = askings(ledger, QUESTION), load(shop[1] / QUESTION)
    first = sights(ledger, model, asks, Refunds())[0]
    known = labelled(asks, answers(ledger, asks, 0), ledger.last_at + 1, 0, asks.at).which
    edge = automatic(ledger, asks, first, Automation(fewest=len(known)))
    beyond = automatic(ledger, asks, first, Automation(fewest=len(known) + 1))
    assert (edge.by_audit, beyond.by_audit) == (True, False)
    assert edge.young == beyond.young > 0
    assert edge.limit.n == len(known)


def test_the_honest_of_each_slice_who_are_refused_and_reviewed_are_counted(
    walk: tuple[Ledger, Askings, Sight, Sight],
) -> None:
    ledger, asks, first, second = walk
    hasty = Refunds(refuse_at=0.5, automatic_below=0.05)
    worth, made = true_worth(ledger, asks, hasty), answered(first, second, hasty)
    rows = harmed(first, made, worth, hasty).to_dict("records")
    found = {(row["slicing"], row["slice"]): row for row in rows}
    told = pd.read_parquet(Path(ledger.name) / "truth" / "disputes.parquet").set_index("dispute_id")
    told = told.loc[list(first.claims.ids)].assign(
        refused=made.last.action == REFUSE, reviewed=made.last.action == REVIEW
    )
    honest = told[~told["malicious"]]
    cents = worth.unpaid(made.last.action, made.owed, hasty), worth.due
    unpaid, due = (pd.Series(one, list(first.claims.ids)) for one in cents)
    for name, some in (
        (("all", ""), honest),
        (FAULTY, honest[honest["side"].isin(["seller", "product"])]),
        (("reason", "not_received"), honest[np.array(first.claims.reason)[~told["malicious"]] == "not_received"]),
    ):
        row = found[name]
        assert row["honest"] == len(some) > 10
        assert [row["refused"], row["reviewed"]] == pytest.approx(some[["refused", "reviewed"]].mean().tolist())
        assert row["unpaid"] == pytest.approx(unpaid[some.index].sum() / due[some.index].sum())
        assert row["reviewed_low"] - 1e-9 < row["reviewed"] < row["reviewed_high"] + 1e-9
    assert found["all", ""]["reviewed"] > 0.1


def test_policies_that_wait_differently_see_what_was_known_when_they_answered(
    shop: tuple[Path, Path], done: Path, tmp_path: Path
) -> None:
    (tmp_path / "slow.toml").write_text('name = "slow"\nextends = "default"\n[refunds]\nafter = 72.0\n')
    refunds(*shop, ["default", str(tmp_path / "slow.toml")], tmp_path / "out", start=0, stop=LAST, said=quiet)
    quick, slow = (lines(tmp_path / "out" / f"records.{name}.jsonl") for name in ("default", "slow"))
    found, beyond = in_time(shop[0], 72)
    assert len(beyond) == 1  # of all policies, as the last of them can not answer it
    alone = [one for one in lines(done / "records.default.jsonl") if one["case"]["dispute_id"] in found]
    assert quick == rechained(alone)
    at = {one["case"]["dispute_id"]: one["case"]["at"] for one in quick[::-1]}
    later = [one["case"]["at"] - at[one["case"]["dispute_id"]] for one in slow]
    assert max(later) >= 2 * DAY
    assert min(later) >= 0
    again = replay(tmp_path / "out" / "records.slow.jsonl", *shop, policy=str(tmp_path / "slow.toml"), said=quiet)
    assert again["decisions"] == len(slow)


def test_what_is_tried_now_and_then_is_recorded_with_its_propensity_and_replayed(
    shop: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "curious.toml").write_text('name = "curious"\nextends = "default"\n[refunds]\nexplores = 0.4\n')
    policy = str(tmp_path / "curious.toml")
    refunds(*shop, [policy], tmp_path / "out", start=0, stop=LAST, said=quiet)
    records = lines(tmp_path / "out" / "records.curious.jsonl")
    tried = [one for one in records if one["why"] == "explored"]
    assert 0.1 < len(tried) / len(records) < 0.4
    assert {round(one["propensity"], 9) for one in tried} <= {0.2, round(0.4 / 3, 9)}
    assert {one["action"] for one in tried} <= {"refund_full", "request_evidence", "review"}
    assert replay(tmp_path / "out" / "records.curious.jsonl", *shop, policy=policy, said=quiet)["decisions"] == len(
        records
    )


WARY = Refunds(automatic_below=0.1, automatic_most=5_000)


def test_the_queue_reviews_what_is_worth_most_where_there_is_less_time(
    walk: tuple[Ledger, Askings, Sight, Sight],
) -> None:
    ledger, asks, first, second = walk
    worth, made = true_worth(ledger, asks, WARY), answered(first, second, WARY)
    found = queued(first, second, made, worth, WARY, Review(), np.arange(len(asks)) // 2)
    reviews = int((made.last.action == REVIEW).sum())
    assert found["reviewed"].max() <= reviews
    assert found["time"][~found["own"]].tolist() == [1.0] * 3 + [0.5] * 3 + [0.25] * 3
    for _, rows in found.groupby(["own", "time"]):
        by = rows.set_index("rule")
        assert by["expected"]["value"] >= max(by["expected"]["first_come"], by["expected"]["by_amount"])
        assert (by["realised"]["value"] - by["realised"]).tolist() == pytest.approx(by["beyond"].tolist())
        assert by.loc[["value"], ["beyond", "low", "high"]].to_numpy().tolist() == [[0, 0, 0]]
        assert (by["low"] <= by["beyond"]).all()
        assert (by["beyond"] <= by["high"]).all()
    assert (found["low"] < found["high"]).sum() >= 4
    assert reviews > 20


def test_the_queue_has_the_people_that_the_policy_says(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, asks, first, second = walk
    worth, made = true_worth(ledger, asks, WARY), answered(first, second, WARY)
    at = np.where(made.asked, second.claims.at, first.claims.at)[made.last.action == REVIEW]
    n, whose = len(at), np.arange(len(asks))
    many, few = Review(reviewers=3, minutes_a_day=400, minutes_a_case=50), Review(reviewers=1, minutes_a_day=10)
    wanted = n * 50 / (np.ptp(at) / DAY)
    found = queued(first, second, made, worth, WARY, many, whose)
    own = found[found["own"]].set_index("rule")
    assert own["time"].tolist() == pytest.approx([1_200 / wanted] * 3)
    assert own["reviewed"]["first_come"] == own["reviewed"]["by_amount"] == n
    page = html(Page("", (), (), (queue_section(found, many),)))
    assert (
        f"says 3 people with 400 minutes a day each, {1_200 / wanted:.1f} times the {wanted:,.0f} that its {n} " in page
    )
    assert "They get to every review in time, so the order matters little" in page
    assert "50% of what is wanted" in page
    found = queued(first, second, made, worth, WARY, few, whose)
    done = int(found[found["own"]].set_index("rule")["reviewed"]["first_come"])
    assert done < n
    page = html(Page("", (), (), (queue_section(found, few),)))
    assert f"First come, first served they get to {done} in time, so the order matters." in page
    nobody = replace(made, last=replace(made.last, action=np.full(len(asks), FULL)))
    found = queued(first, second, nobody, worth, WARY, many, whose)
    assert found[["reviews", "reviewed", "expected", "realised", "beyond", "low", "high"]].to_numpy().sum() == 0


def changed(place: Path, to: Path, name: str, **columns: pa.Array) -> Path:
    """A copy of a ledger in which columns of a table are others."""
    shutil.copytree(place, to)
    rows = pq.read_table(to / f"{name}.parquet")
    for column, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(column), column, values)
    pq.write_table(rows, to / f"{name}.parquet")
    return to


def test_more_than_an_order_cost_is_paid_by_no_policy_without_a_person(shop: tuple[Path, Path], tmp_path: Path) -> None:
    claimed = pq.read_table(shop[0] / "disputes.parquet")["claimed"]
    ledger = changed(shop[0], tmp_path / "dear", "disputes", claimed=pc.multiply(claimed, 3))
    refunds(ledger, shop[1], ["default"], tmp_path / "out", start=0, stop=LAST, said=quiet)
    records = lines(tmp_path / "out" / "records.default.jsonl")
    beyond = [one for one in records if one["why"] == "beyond"]
    assert len(beyond) > 20
    assert all(one["action"] == "review" and one["case"]["claimed"] > one["case"]["left"] for one in beyond)
    assert all(one["amount"] <= one["case"]["left"] for one in records)


def test_what_was_paid_back_already_is_not_paid_again(walk: tuple[Ledger, Askings, Sight, Sight]) -> None:
    ledger, _, first, _ = walk
    orders = pd.read_parquet(Path(ledger.name) / "orders.parquet").set_index("order_id")["amount"]
    paid = [
        pd.read_parquet(Path(ledger.name) / f"{name}.parquet")[["order_id", "at", "amount"]]
        for name in ("refunds", "chargebacks")
    ]
    back, some = pd.concat(paid), 0
    for i, order in enumerate(first.claims.order):
        at = pd.Timestamp(int(first.claims.at[i]), unit="us", tz="UTC")
        mine = back[(back["order_id"] == order) & (back["at"] < at)]["amount"].sum()
        assert first.claims.left[i] == orders[order] - mine
        some += mine > 0
    assert some > 0


def test_disputes_without_an_order_or_a_claim_are_left_to_a_person_and_counted(
    shop: tuple[Path, Path], tmp_path: Path
) -> None:
    disputes = pq.read_table(shop[0] / "disputes.parquet")
    gone = np.arange(len(disputes)) % 2 == 0
    unknown = pa.array(disputes["claimed"].to_pylist(), pa.int64(), mask=gone)
    ledger = changed(shop[0], tmp_path / "unknown", "disputes", claimed=unknown)
    said: list[str] = []
    refunds(ledger, shop[1], ["default"], tmp_path / "out", start=0, stop=LAST, said=said.append)
    decided = pd.read_parquet(tmp_path / "out" / "decisions.parquet")["dispute_id"]
    assert not set(decided) & set(disputes.filter(pa.array(gone))["dispute_id"].to_pylist())
    told = next(line for line in said if "left out, for a person to decide" in line)
    scope = pc.is_in(disputes["reason"], pa.array(Refunds().reasons)).to_numpy()
    assert f"{int((scope & gone).sum()):,} disputes without an order or a claim" in told


@pytest.mark.parametrize("table", ["rulings", "evidence", "findings", "tiers", "refunds", "truth"])
def test_a_ledger_without_a_table_is_answered_all_the_same(table: str, shop: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(shop[0], tmp_path / "ledger", ignore=shutil.ignore_patterns(f"{table}.parquet", table))
    model = load(shop[1] / QUESTION)
    frame = signals(Ledger.open(tmp_path / "ledger"), QUESTION)
    answer = np.arange(len(frame)) % 3 == 0
    few = fit(frame, answer.astype(np.int8), rounds=3)
    replace(few, card=dict(model.card) | dict(few.card)).save(tmp_path / "models" / QUESTION)
    found = refunds(
        tmp_path / "ledger", tmp_path / "models", ["default"], tmp_path / "out", start=0, stop=LAST, said=quiet
    )
    assert found["disputes answered"] == len(pd.read_parquet(tmp_path / "out" / "decisions.parquet"))


def test_a_span_of_one_dispute_is_reported(shop: tuple[Path, Path], tmp_path: Path) -> None:
    disputes = pq.read_table(shop[0] / "disputes.parquet")
    scope = disputes.filter(pc.is_in(disputes["reason"], pa.array(Refunds().reasons)))
    for i, at in enumerate(scope["at"].cast(pa.int64()).to_pylist()[:3]):
        refunds(*shop, ["default"], tmp_path / str(i), start=at, stop=at + 1, said=quiet)
        assert (tmp_path / str(i) / "report.html").exists()


@pytest.mark.parametrize(
    ("policies", "stop", "says"),
    [
        (["default", "default"], LAST, "--policy: want policies of different names, got default twice"),
        (["nice"], LAST, "nice: want a policy in TOML, or default, generous, strict, got no such file"),
        (
            ["default"],
            1,
            "want disputes between --from and --to that a policy pays for, got none",
        ),
    ],
)
def test_what_cannot_be_answered_is_one_sentence_and_leaves_nothing(
    policies: list[str], stop: int, says: str, shop: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(RedressError, match=says):
        refunds(*shop, policies, tmp_path / "out", start=0, stop=stop, said=quiet)
    assert not (tmp_path / "out").exists()
