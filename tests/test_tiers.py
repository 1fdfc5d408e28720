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
from models.tiers import (
    STEPS,
    Adjustment,
    Rules,
    Standing,
    adjusted,
    appealable,
    appealed,
    recovered,
    standing,
    standings,
)

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


HELD = [Adjustment("b", 0, "restricted", "upheld_report", 180 * DAY)]


def test_an_appeal_in_time_restores_where_a_person_grants_it() -> None:
    made = appealed("b", HELD, 30 * DAY, granted=True, rules=RULES)
    assert made is not None
    assert made.tier == "standard"
    assert appealed("b", HELD, 30 * DAY, granted=False, rules=RULES) is None
    with pytest.raises(RedressError, match=r"appeal: want it within 30 days, got it 0\.5 days late"):
        appealed("b", HELD, 30 * DAY + DAY // 2, granted=True, rules=RULES)
    with pytest.raises(RedressError, match="appeal: want a tier to appeal against, got standard for b"):
        appealed("b", [], DAY, granted=True, rules=RULES)


def test_an_appeal_filed_in_time_may_be_ruled_on_late_and_not_before_it_was_filed() -> None:
    made = appealed("b", HELD, 90 * DAY, granted=True, rules=RULES, filed=30 * DAY)
    assert made is not None
    assert (made.at, made.tier, made.reason, made.expires_at) == (90 * DAY, "standard", "appeal_granted", None)
    with pytest.raises(RedressError, match=r"got it 1\.0 days late"):
        appealed("b", HELD, 90 * DAY, granted=True, rules=RULES, filed=31 * DAY)
    with pytest.raises(RedressError, match="appeal: want it filed before it is ruled on, got it after"):
        appealed("b", HELD, 20 * DAY, granted=True, rules=RULES, filed=20 * DAY + 1)


def change(day: int, tier: str, reason: str, ends: int | None = None) -> Adjustment:
    return Adjustment("b", day * DAY, tier, reason, None if ends is None else ends * DAY)


HISTORY = [
    change(10, "evidence_first", "upheld_report", 40),
    change(50, "restricted", "earlier_finding", 90),  # of its own: the first was over
    change(60, "evidence_first", "recovered", 90),
    change(70, "restricted", "upheld_report", 95),
]


@pytest.mark.parametrize(
    ("filed", "at", "since", "row"),
    [
        (10, 39, 10, True),  # at the moment it began
        (20, 39, 10, True),
        (20, 40, 10, False),  # expired before the person ruled
        (40, 41, 10, False),  # its last moment, which is his last to appeal
        (20, 55, 10, False),  # replaced by a newer one, which stays
        (55, 58, 50, True),
        (55, 65, 50, True),  # a step milder, which rests on it
        (65, 69, 60, True),
        (55, 75, 50, False),  # adjusted again, by another dispute
        (75, 94, 70, True),
        (75, 99, 70, False),
    ],
)
def test_an_appeal_is_against_the_tier_that_stood_when_it_was_filed(filed: int, at: int, since: int, row: bool) -> None:
    held = appealable("b", HISTORY, at * DAY, rules=RULES, filed=filed * DAY)
    assert held.since == since * DAY
    made = appealed("b", HISTORY, at * DAY, granted=True, rules=RULES, filed=filed * DAY)
    assert made == (Adjustment("b", at * DAY, "standard", "appeal_granted", says=made.says) if made else None)
    assert (made is not None) == row
    assert appealed("b", HISTORY, at * DAY, granted=False, rules=RULES, filed=filed * DAY) is None


@pytest.mark.parametrize(
    ("filed", "at", "says"),
    [
        (9, 20, "want it filed once the tier of b had begun, got it before; name when he appealed"),
        (45, 55, "want it filed once the tier of b had begun, got it before; name when he appealed"),
        (45, 48, "want a tier to appeal against, got standard for b; nothing is adjusted then"),
        (99, 99, "want a tier to appeal against, got standard for b; nothing is adjusted then"),
        (9, 10, "want a tier to appeal against, got standard for b; nothing is adjusted then"),
    ],
)
def test_an_appeal_against_what_did_not_stand_when_it_was_filed_is_refused(filed: int, at: int, says: str) -> None:
    with pytest.raises(RedressError, match=f"^appeal: {says}$"):
        appealed("b", HISTORY, at * DAY, granted=True, rules=RULES, filed=filed * DAY)


def test_nobody_is_told_to_appeal_after_his_tier_is_over_and_the_last_moment_told_is_in_time() -> None:
    short = Rules(lasts=20.0, appeal=30.0)
    made = adjusted("b", Standing(), 10 * DAY, 1.0, ["upheld_report"], short)
    assert made is not None
    assert (made.appeal_by, made.expires_at) == (30 * DAY, 30 * DAY)
    assert "can be appealed against as long as it lasts, and" in made.says
    assert appealable("b", [made], 99 * DAY, rules=short, filed=made.appeal_by).tier == "evidence_first"
    with pytest.raises(RedressError, match="nothing is adjusted then"):
        appealable("b", [made], 99 * DAY, rules=short, filed=30 * DAY + 1)
    milder = recovered("b", Standing("restricted", 0, "upheld_report", 180 * DAY), 170 * DAY, 5, RULES)
    assert milder is not None
    assert (milder.appeal_by, milder.expires_at) == (180 * DAY, 180 * DAY)


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
