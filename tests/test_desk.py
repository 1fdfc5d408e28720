"""A dispute answered at the desk leaves the record that the batch would write of it, to the bit, whatever is unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from trained import every_question, happened

from features import Ledger, RedressError
from features.asking import askings, named_askings
from features.build import gathered
from features.dictionary import dictionary
from features.kernel import DAY
from models import Model
from models.claims import SIGNALS, Dispute, claims
from models.deciding import QUESTION, Sight, one_record
from models.desk import Desk
from models.policy import Policy
from models.policy import opened as policy_at
from models.records import FIRST, Grounds, chained
from models.signs import CONFIRMED
from models.skill import instead

GROUNDS = Grounds("a" * 32, {QUESTION: "b" * 32}, "default", "c" * 16)
STRICTER = ("evidence_first", "restricted", "unheard of")
LATER = 10 * DAY


@dataclass(frozen=True)
class Shop:
    """Disputes ten days after they were opened: their facts, rows of signals by name, and what the batch sees of them."""

    model: Model
    disputes: list[Dispute]
    names: list[str]
    rows: NDArray[np.float32]
    sight: Sight


def adjusted() -> dict[str, pa.Table]:
    """The tables of a small world in which some claims are unknown, and the rules of every other buyer were adjusted."""
    some = dict(happened())
    disputes, orders = some["disputes"], some["orders"]
    claimed = [None if i % 9 == 0 else cents for i, cents in enumerate(disputes["claimed"].to_pylist())]
    place = disputes.column_names.index("claimed")
    some["disputes"] = disputes.set_column(place, "claimed", pa.array(claimed, pa.int64()))
    buyers = sorted({one for one in orders["buyer_id"].to_pylist() if one})[::2]
    first = min(row["at"] for row in naive.plain({"orders": orders})["orders"])
    changes = [
        {
            "buyer_id": buyer,
            "at": first + i,
            "tier": STRICTER[i % 3],
            "reason": "upheld_report",
            "expires_at": None if i % 2 else first + 150 * DAY,
        }
        for i, buyer in enumerate(buyers)
    ]
    return some | naive.tables({"tiers": changes})


def facts(rows: Mapping[str, Sequence[naive.Row]], dispute_id: str, at: int) -> Dispute:
    """The plain facts of a dispute as of a moment, by loops over rows."""
    one = next(row for row in rows["disputes"] if row["dispute_id"] == dispute_id)
    order = next(row for row in rows["orders"] if row["order_id"] == one["order_id"])
    back = [
        row["amount"] or 0
        for name in ("refunds", "chargebacks")
        for row in rows[name]
        if row["order_id"] == one["order_id"] and row["at"] < at
    ]
    tier = "standard"
    for row in rows["tiers"]:
        if row["buyer_id"] == order["buyer_id"] and row["at"] < at < (row["expires_at"] or at + 1):
            tier = row["tier"] if row["tier"] in STRICTER[:2] else "restricted"
    told = (one["reason"], one["claimed"], order["amount"], order["quantity"])
    return Dispute(dispute_id, one["order_id"], at, *told, sum(back), tier)


def mixed(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with what claims are made of drawn anew, a quarter of it unknown: much of it no small world has."""
    rng = np.random.default_rng(0)
    drawn = {name: rng.integers(0, 3, len(frame)) for name in SIGNALS}
    drawn["order_weight_carrier_log_ratio"] = rng.choice([2, 3], len(frame))
    return frame.assign(
        **{
            name: np.where(rng.random(len(frame)) < 0.25, np.nan, values).astype(np.float32)
            for name, values in drawn.items()
        }
    )


@pytest.fixture(scope="module")
def shop() -> Shop:
    found = every_question()[QUESTION].model
    model = replace(found, card=dict(found.card) | {"skill": {"askings": 100, "gain": 0.1}})
    tables = adjusted()
    ledger, rows = Ledger.of(tables), naive.plain(tables)
    opened = askings(ledger, QUESTION)
    at = pd.to_datetime(opened.at + LATER, unit="us", utc=True)
    asks = named_askings(ledger, QUESTION, pd.DataFrame({"ask_id": opened.ids.to_pandas(), "at": at}))
    only = sorted({*model.columns, *SIGNALS} & {one.name for one in dictionary(QUESTION)})
    frame = mixed(gathered(ledger, asks, horizon=model.horizon, prior=model.prior, only=only))
    sight = Sight(
        claims(ledger, asks, frame), model.scored(frame, with_reasons=True), asks.row, (), instead(model.card)
    )
    disputes = [facts(rows, str(name), int(t)) for name, t in zip(asks.ids.to_pylist(), asks.at, strict=True)]
    return Shop(model, disputes, only, frame[only].to_numpy(np.float32), sight)


POLICIES = {
    "default": policy_at("default"),
    "strict": policy_at("strict"),
    "curious": replace(policy_at("default"), refunds=replace(policy_at("default").refunds, explores=0.9)),
    "bold": replace(policy_at("default"), refunds=replace(policy_at("default").refunds, refuse_at=0.5, wrongful=0)),
}


@pytest.mark.parametrize("askable", [True, False])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=[*POLICIES])
def test_a_record_is_that_of_the_batch_to_the_bit(shop: Shop, policy: Policy, askable: bool) -> None:
    desk, before, found = Desk.of(shop.model, shop.names), FIRST, []
    for i, (dispute, row) in enumerate(zip(shop.disputes, shop.rows, strict=True)):
        found.append(desk.record(dispute, row, policy, GROUNDS, askable=askable, previous=before))
        assert found[-1] == one_record(shop.sight, i, policy, GROUNDS, askable=askable, previous=before)
        before = str(found[-1]["hash"])
    assert list(chained(found)) == []
    assert len({one["action"] for one in found}) >= 3
    assert any(one["propensity"] != 1 for one in found) == (policy.refunds.explores > 0)


def test_the_world_has_what_the_facts_could_be_wrong_about(shop: Shop) -> None:
    cases = [shop.sight.claims.case(i) for i in range(len(shop.disputes))]
    assert {one.tier for one in cases} == {"standard", *STRICTER[:2]}
    assert {one.borne_by for one in cases} == {"platform", "insurer", "seller"}
    assert len({one.claimed is None for one in shop.disputes}) == len({one.paid_back > 0 for one in shop.disputes}) == 2
    assert any(0 < one.owed < 1 for one in cases)
    assert any(np.isnan(one.owed) for one in cases)
    assert any(one.lacking for one in cases)
    assert {key for one in cases for key in one.confirmed} == set(CONFIRMED)
    assert len({len(lines) for lines in shop.sight.told["reason_codes"]}) > 1


def test_a_model_that_has_shown_nothing_is_not_asked_here_either(shop: Shop) -> None:
    model = replace(shop.model, card={name: told for name, told in shop.model.card.items() if name != "skill"})
    desk, sight = Desk.of(model, shop.names), replace(shop.sight, prior=instead(model.card))
    assert sight.plain
    for i, (dispute, row) in enumerate(zip(shop.disputes, shop.rows, strict=True)):
        found = desk.record(dispute, row, POLICIES["default"], GROUNDS)
        assert found == one_record(sight, i, POLICIES["default"], GROUNDS, askable=True)
        assert found["plain"] is True


def test_what_rows_lack_is_unknown_to_claims_as_to_the_batch(shop: Shop) -> None:
    names = [name for name in shop.names if not name.startswith(("case_", "seller_"))]
    desk, kept = Desk.of(shop.model, names), [shop.names.index(name) for name in names]
    for dispute, row in zip(shop.disputes[:30], shop.rows, strict=False):
        case = desk.case(dispute, row[kept])
        assert (case.lacking, {*case.confirmed} & {"reused_evidence", "weight_complete"}) == ((), set())
        assert case.borne_by in ("platform", "insurer")


def test_a_decision_is_that_of_the_record(shop: Shop) -> None:
    desk, policy = Desk.of(shop.model, shop.names), POLICIES["curious"]
    for dispute, row in zip(shop.disputes[:40], shop.rows, strict=False):
        told = desk.record(dispute, row, policy, GROUNDS)
        decision, propensity = desk.decision(dispute, row, policy.refunds)
        assert (decision.action, decision.amount, propensity) == (told["action"], told["amount"], told["propensity"])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"order_id": ""}, "case.order_id: want the order of dispute"),
        ({"reason": ""}, "case.reason: want one of"),
        ({"claimed": -1}, "case.claimed: want whole cents"),
        ({"tier": "lenient"}, "case.tier: want one of"),
    ],
)
def test_facts_that_cannot_be_decided_about_are_refused_by_name(shop: Shop, wrong: dict[str, Any], says: str) -> None:
    desk = Desk.of(shop.model, shop.names)
    with pytest.raises(RedressError, match=says):
        desk.record(replace(shop.disputes[1], **wrong), shop.rows[1], POLICIES["default"], GROUNDS)
