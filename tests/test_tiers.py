"""Tiers of buyers: two keys up, steps down, appeals in time, and what the ledger said just before a moment."""

from math import nan

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import Ledger, RedressError
from features.kernel import DAY
from models.signs import CONFIRMED, TOLD
from models.tiers import STEPS, Adjustment, Rules, Standing, adjusted, appealed, recovered, standing, standings

RULES = Rules()


@pytest.mark.parametrize(
    ("now", "malicious", "confirmed", "tier"),
    [
        ("standard", 0.9, ["upheld_report"], "evidence_first"),
        ("evidence_first", 0.95, ["earlier_finding"], "restricted"),
        ("restricted", 0.95, ["earlier_finding"], "restricted"),
        ("standard", 0.89, ["upheld_report"], None),
        ("standard", 1.0, [], None),
        ("standard", nan, ["upheld_report"], None),
    ],
)
def test_a_tier_needs_the_score_and_a_confirmed_signal(
    now: str, malicious: float, confirmed: list[str], tier: str | None
) -> None:
    made = adjusted("b", Standing(now), 10 * DAY, malicious, confirmed, RULES)
    assert (made.tier if made else None) == tier
    if made:
        assert (made.expires_at, made.appeal_by) == (190 * DAY, 40 * DAY)
        assert made.reason == confirmed[0]
        assert "can be appealed against for 30 days" in made.says


def test_a_signal_that_the_rules_do_not_take_is_no_key() -> None:
    assert adjusted("b", Standing(), 0, 1.0, ["upheld_report"], Rules(keys=("earlier_finding",))) is None


def test_recovery_is_a_step_at_a_time_and_the_standard_does_not_end() -> None:
    held = Standing("restricted", 0, "upheld_report", 180 * DAY)
    first = recovered("b", held, DAY, 5, RULES)
    assert first is not None
    assert (first.tier, first.expires_at, first.appeal_by) == ("evidence_first", 180 * DAY, 31 * DAY)
    second = recovered("b", Standing(first.tier, DAY, first.reason, first.expires_at), 2 * DAY, 7, RULES)
    assert second is not None
    assert (second.tier, second.expires_at) == ("standard", None)
    assert recovered("b", held, DAY, 4, RULES) is None
    assert recovered("b", Standing(), DAY, 50, RULES) is None


def test_an_appeal_in_time_restores_where_a_person_grants_it() -> None:
    held = Standing("restricted", 0, "upheld_report", 180 * DAY)
    made = appealed("b", held, 30 * DAY, granted=True, rules=RULES)
    assert made is not None
    assert made.tier == "standard"
    assert appealed("b", held, 30 * DAY, granted=False, rules=RULES) is None
    with pytest.raises(RedressError, match=r"appeal: want it within 30 days, got it 0\.5 days late"):
        appealed("b", held, 30 * DAY + DAY // 2, granted=True, rules=RULES)
    with pytest.raises(RedressError, match="appeal: want a tier to appeal against, got standard for b"):
        appealed("b", Standing(), DAY, granted=True, rules=RULES)


def test_an_appeal_filed_in_time_may_be_ruled_on_late_and_not_before_it_was_filed() -> None:
    held = Standing("restricted", 0, "upheld_report", 180 * DAY)
    made = appealed("b", held, 90 * DAY, granted=True, rules=RULES, filed=30 * DAY)
    assert made is not None
    assert (made.at, made.tier, made.reason, made.expires_at) == (90 * DAY, "standard", "appeal_granted", None)
    with pytest.raises(RedressError, match=r"got it 1\.0 days late"):
        appealed("b", held, 90 * DAY, granted=True, rules=RULES, filed=31 * DAY)
    with pytest.raises(RedressError, match="appeal: want it filed before it is ruled on, got it after"):
        appealed("b", held, 20 * DAY, granted=True, rules=RULES, filed=20 * DAY + 1)


@pytest.mark.parametrize("key", CONFIRMED)
def test_a_buyer_is_told_why_what_follows_and_his_appeal_and_nothing_of_how_it_was_found(key: str) -> None:
    made = adjusted("b", Standing(), 0, 0.987, [key], RULES)
    assert made is not None
    assert made.says.startswith(TOLD[key])
    assert "a person decides" in made.says
    for hidden in ("0.98", "score", "malicious", "both keys", "picture", "buyer", CONFIRMED[key]):
        assert hidden not in made.says


def test_a_tier_is_what_was_said_last_before_a_moment() -> None:
    said = [
        Adjustment("b", 5, "evidence_first", "upheld_report", 90),
        Adjustment("b", 7, "restricted", "earlier_finding", 90),
        Adjustment("b", 9, "evidence_first", "recovered", 90),
        Adjustment("b", 11, "banned", "other", None),
    ]
    found = [(one.tier, one.since, one.rests_on) for one in (standing(said, t) for t in (5, 6, 9, 10, 12))]
    assert found == [
        ("standard", None, ""),
        ("evidence_first", 5, "upheld_report"),
        ("restricted", 7, "earlier_finding"),
        ("evidence_first", 9, "earlier_finding"),
        ("restricted", 11, ""),
    ]
    assert [standing(said[:3], t).tier for t in (90, 89)] == ["standard", "evidence_first"]
    again = Adjustment("b", 95, "evidence_first", "recovered", 99)  # of a tier that was over: it rests on nothing known
    assert standing([*said[:3], again], 96).rests_on == ""


def test_a_probability_that_is_none_is_refused() -> None:
    with pytest.raises(RedressError, match=r"scores\.malicious: want a probability from 0 to 1, or NaN, got 1\.5"):
        adjusted("b", Standing(), 0, 1.5, ["upheld_report"], RULES)


FACTS = st.lists(
    st.tuples(
        st.sampled_from("abz"), st.integers(1, 9), st.sampled_from([*STEPS, "banned"]), st.none() | st.integers(1, 9)
    ),
    max_size=12,
    unique_by=lambda fact: fact[:2],
)


@given(FACTS, st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10)), min_size=1, max_size=10))
def test_standings_are_those_told_last_before_a_moment_and_not_expired(
    facts: list[tuple[str, int, str, int | None]], asked: list[tuple[str, int]]
) -> None:
    def times(days: list[int | None]) -> pa.Array:
        return pa.array([None if d is None else d * DAY for d in days], pa.timestamp("us", "UTC"))

    orders = {
        "order_id": [*"123"],
        "at": times([0, 0, 0]),
        "buyer_id": [*"abc"],
        "seller_id": [*"sss"],
        "amount": [1, 1, 1],
    }
    tables = {"orders": pa.table(orders)}
    if facts:
        told = {"buyer_id": [fact[0] for fact in facts], "at": times([fact[1] for fact in facts])}
        told |= {"tier": [fact[2] for fact in facts], "reason": ["upheld_report"] * len(facts)}
        tables["tiers"] = pa.table(told | {"expires_at": times([fact[3] for fact in facts])})
    ledger = Ledger.of(tables)
    names = ledger.facts["orders"].codes("buyer_id").values.to_pylist()
    found = standings(ledger, np.array([names.index(b) for b, _ in asked]), np.array([t * DAY for _, t in asked]))
    for (who, t), step in zip(asked, found.tolist(), strict=True):
        mine = sorted(fact for fact in facts if fact[0] == who and fact[1] < t)
        _, _, tier, ends = max(mine, key=lambda fact: fact[1]) if mine else (who, 0, "standard", None)
        over = ends is not None and ends <= t
        assert step == (0 if over else STEPS.index(tier) if tier in STEPS else 2)
