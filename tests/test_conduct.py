"""Conduct: a buyer's tiers through time, worked out by hand and by a naive twin that looks at every moment."""

from dataclasses import replace
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import Row, tables

from features import Ledger
from features.background import NOT_YET
from features.kernel import DAY
from models.conduct import Answered, Change, Conduct, Turn, conducts, expired, walked
from models.signs import CONFIRMED
from models.tiers import STEPS, Adjustment, Rules, appealed, standing

RULES = Rules(lasts=180.0, recovers=5, quiet=30.0, appeal=30.0)


def dispute(day: int, malicious: float, *confirmed: str, name: str = "") -> Answered:
    return Answered(day * DAY, name or f"d{day}", malicious, confirmed)


def told(changes: list[Change]) -> list[tuple[int, str, str, str]]:
    """Day, tier before, tier and reason of each change."""
    return [(one.made.at // DAY, one.was, one.made.tier, one.made.reason) for one in changes]


def test_a_buyer_is_adjusted_twice_recovers_a_step_is_free_again_and_appeals() -> None:
    orders = {21: 0, 22: 0, 23: 40, 24: 0, 25: 0, 26: 0, 27: 0}  # the day paid, and the day disputed
    buyer = Conduct(
        "b",
        disputes=[
            dispute(5, 0.99),  # no second key
            dispute(6, 0.89, "upheld_report"),  # no first key
            dispute(10, 0.95, "upheld_report"),
            dispute(20, 0.92, "earlier_finding"),
            dispute(200, 0.95, "weight_complete"),  # the second tier expires at this very moment
        ],
        paid=[day * DAY for day in orders],
        disputed=[day * DAY or NOT_YET for day in orders.values()],
    )
    found = walked(buyer, RULES, 0, 300 * DAY)
    assert told(found) == [
        (10, "standard", "evidence_first", "upheld_report"),
        (20, "evidence_first", "restricted", "earlier_finding"),
        (56, "restricted", "evidence_first", "recovered"),  # of 21 to 26 all but 23 are 30 days old
        (200, "standard", "evidence_first", "weight_complete"),
    ]
    made = [one.made for one in found]
    assert [one.expires_at and one.expires_at // DAY for one in made] == [190, 200, 200, 380]
    assert [one.appeal_by and one.appeal_by // DAY for one in made] == [40, 50, 86, 230]
    assert [one.dispute_id for one in found] == ["d10", "d20", "", "d200"]
    assert expired(made, 0, 300 * DAY) == 1
    free = appealed("b", made, 230 * DAY, granted=True, rules=RULES)
    assert free is not None
    assert standing([*made, free], 231 * DAY).tier == "standard"


def test_of_disputes_at_one_moment_the_gravest_adjusts_by_one_step_whatever_their_order() -> None:
    grave = [
        dispute(3, 0.91, "upheld_report", name="a"),
        dispute(3, 0.97, "upheld_report", name="c"),
        dispute(3, 0.97, "earlier_finding", name="b"),
        dispute(3, 1.0, name="unconfirmed"),
        dispute(3, nan, "upheld_report", name="unscored"),
    ]
    for some in (grave, grave[::-1], grave[2:] + grave[:2]):
        found = walked(Conduct("b", disputes=some), RULES, 0, 9 * DAY)
        assert told(found) == [(3, "standard", "evidence_first", "earlier_finding")]
        assert found[0].dispute_id == "b"


def test_who_recovers_when_he_is_adjusted_is_adjusted() -> None:
    held = Adjustment("b", 0, "restricted", "upheld_report", 180 * DAY)
    quiet = [DAY * day for day in range(1, 6)]
    buyer = Conduct("b", [held], [dispute(35, 0.95, "upheld_report")], paid=quiet, disputed=[NOT_YET] * 5)
    assert told(walked(buyer, RULES, DAY, 90 * DAY)) == [(35, "restricted", "restricted", "upheld_report")]
    assert told(walked(replace(buyer, disputes=()), RULES, DAY, 90 * DAY)) == [
        (35, "restricted", "evidence_first", "recovered")
    ]


@pytest.mark.parametrize(
    ("key", "reason", "was", "after"),
    [
        ("earlier_finding", "earlier_finding", "restricted", [(50, "restricted", "standard", "overturned")]),
        ("upheld_report", "earlier_finding", "restricted", []),
        ("upheld_report", "malicious_finding", "restricted", []),  # another's reason: what it rests on is not known
    ],
)
def test_a_tier_is_over_just_after_what_it_rests_on_was_taken_back(
    key: str, reason: str, was: str, after: list[tuple[int, str, str, str]]
) -> None:
    held = Adjustment("b", 9 * DAY, was, reason, 180 * DAY)
    buyer = Conduct("b", [held], turns=[Turn(DAY, key, True), Turn(50 * DAY, key, False)])
    found = walked(buyer, RULES, 0, 90 * DAY)
    assert told(found) == after
    assert all(one.made.at == 50 * DAY + 1 for one in found)
    milder = Adjustment("b", 20 * DAY, "evidence_first", "recovered", 180 * DAY)
    assert len(walked(replace(buyer, changes=[held, milder]), RULES, 0, 90 * DAY)) == len(after)


def test_what_is_taken_back_when_a_tier_begins_ends_it_just_after_and_other_keys_begin_anew() -> None:
    buyer = Conduct(
        "b",
        disputes=[dispute(20, 0.95, "upheld_report"), Answered(20 * DAY + 1, "next", 0.95, ("weight_complete",))],
        turns=[Turn(DAY, "upheld_report", True), Turn(20 * DAY, "upheld_report", False)],
    )
    found = walked(replace(buyer, disputes=buyer.disputes[:1]), RULES, 0, 90 * DAY)
    assert [(one.made.at, one.made.reason) for one in found] == [
        (20 * DAY, "upheld_report"),
        (20 * DAY + 1, "overturned"),
    ]
    _, then = walked(buyer, RULES, 0, 90 * DAY)  # of the step that was taken back nothing is left to add one to
    assert (then.made.at, then.was, then.made.tier) == (20 * DAY + 1, "evidence_first", "evidence_first")


def test_what_was_taken_back_before_the_span_ends_a_tier_at_its_start() -> None:
    held = Adjustment("b", 9 * DAY, "restricted", "upheld_report", 180 * DAY)
    buyer = Conduct("b", [held], turns=[Turn(DAY, "upheld_report", True), Turn(10 * DAY, "upheld_report", False)])
    assert told(walked(buyer, RULES, 20 * DAY, 90 * DAY)) == [(20, "restricted", "standard", "overturned")]


def test_a_span_holds_its_first_moment_and_not_its_last() -> None:
    buyer = Conduct("b", disputes=[dispute(3, 0.95, "upheld_report"), dispute(5, 0.95, "upheld_report")])
    assert [one[0] for one in told(walked(buyer, RULES, 3 * DAY, 5 * DAY))] == [3]


MOMENTS = st.integers(0, 12).map(lambda day: day * DAY)
DISPUTES = st.builds(
    Answered,
    MOMENTS,
    st.sampled_from(["d1", "d2", "d3"]),
    st.sampled_from([nan, 0.2, 0.5, 0.9, 0.95, 1.0]),
    st.lists(st.sampled_from([*CONFIRMED]), max_size=2, unique=True).map(tuple),
)
CHANGES = st.lists(
    st.builds(
        Adjustment,
        st.just("b"),
        MOMENTS,
        st.sampled_from([*STEPS, "banned"]),
        st.sampled_from(["upheld_report", "earlier_finding", "recovered", "expired", "malicious_finding"]),
        st.none() | MOMENTS,
    ),
    max_size=3,
    unique_by=lambda one: one.at,
).map(lambda some: sorted(some, key=lambda one: one.at))
ORDERS = st.lists(st.tuples(MOMENTS, MOMENTS | st.just(NOT_YET)), max_size=9)
TURNS = st.lists(
    st.builds(Turn, MOMENTS, st.sampled_from(["upheld_report", "earlier_finding"]), st.booleans()), max_size=4
)
CONDUCTS = st.builds(
    lambda changes, disputes, turns, orders: Conduct(
        "b", changes, disputes, turns, [one[0] for one in orders], [one[1] for one in orders]
    ),
    CHANGES,
    st.lists(DISPUTES, max_size=6, unique_by=lambda one: (one.at, one.dispute_id)),
    TURNS,
    ORDERS,
)
SHORT = st.builds(
    Rules,
    adjust_at=st.sampled_from([0.5, 0.9]),
    keys=st.sampled_from([tuple(CONFIRMED), ("upheld_report",)]),
    lasts=st.sampled_from([2.0, 5.0, 50.0]),
    recovers=st.integers(1, 3),
    quiet=st.sampled_from([0.0, 1.0, 3.0]),
)


def naive_walk(of: Conduct, rules: Rules, start: int, stop: int) -> list[tuple[int, str, str]]:
    """Moment, tier and reason of each change: at every moment there is, by all that was said before it."""
    rows = {one.at: (one.tier, one.reason, one.expires_at) for one in of.changes}
    new: tuple[str, str, int | None]
    found = []
    for t in sorted(day * DAY + late for day in range(16) for late in (0, 1)):
        if not start <= t < stop or t in rows:
            continue
        step, since, key = 0, 0, ""
        ends: int | None = None
        for at in sorted(at for at in rows if at < t):
            tier, reason, until = rows[at]
            gone = ends is not None and ends <= at
            key = reason if reason in CONFIRMED else key if reason == "recovered" and not gone else ""
            step, since, ends = (STEPS.index(tier) if tier in STEPS else 2), at, until
            if step == 0:
                key = ""
        if ends is not None and ends <= t:
            step, key = 0, ""
        back = step > 0 and any(not one.stands and one.key == key and since <= one.at < t for one in of.turns)
        both = [
            (-one.malicious, one.dispute_id, next(name for name in rules.keys if name in one.confirmed))
            for one in of.disputes
            if one.at == t and one.malicious >= rules.adjust_at and set(one.confirmed) & set(rules.keys)
        ]
        quiet = max(1, int(rules.quiet) * DAY)
        good = [
            paid
            for paid, bad in zip(of.paid, of.disputed, strict=True)
            if step > 0 and paid > since and paid + quiet <= t and not bad < t
        ]
        if both:
            new = (STEPS[min(2, 1 if back else step + 1)], min(both)[2], t + int(rules.lasts) * DAY)
        elif back:
            new = ("standard", "overturned", None)
        elif step > 0 and len(good) >= rules.recovers:
            until = min(x for x in (ends, t + int(rules.lasts) * DAY) if x is not None)
            new = (STEPS[step - 1], "recovered", until if step > 1 else None)
        else:
            continue
        rows[t] = new
        found.append((t, new[0], new[1]))
    return found


@given(CONDUCTS, SHORT, MOMENTS)
def test_a_walk_is_what_a_look_at_every_moment_gives(of: Conduct, rules: Rules, start: int) -> None:
    found = walked(of, rules, start, 16 * DAY)
    assert [(one.made.at, one.made.tier, one.made.reason) for one in found] == naive_walk(of, rules, start, 16 * DAY)


@given(CONDUCTS, SHORT)
def test_nobody_is_adjusted_without_both_keys_and_by_more_than_a_step(of: Conduct, rules: Rules) -> None:
    for one in walked(of, rules, 0, 16 * DAY):
        by = STEPS.index(one.made.tier) - STEPS.index(one.was)
        if one.dispute_id:
            (its,) = (d for d in of.disputes if (d.at, d.dispute_id) == (one.made.at, one.dispute_id))
            assert not isnan(its.malicious)
            assert its.malicious >= rules.adjust_at
            assert one.made.reason in set(its.confirmed) & set(rules.keys)
            assert by <= 1
        else:
            assert by < 0
            assert one.made.reason in ("recovered", "overturned")


@given(CONDUCTS, SHORT, MOMENTS)
def test_what_came_later_changes_nothing_earlier(of: Conduct, rules: Rules, cut: int) -> None:
    known = [
        (paid, bad if bad < cut else NOT_YET) for paid, bad in zip(of.paid, of.disputed, strict=True) if paid < cut
    ]
    early = Conduct(
        "b",
        [one for one in of.changes if one.at < cut],
        [one for one in of.disputes if one.at < cut],
        [one for one in of.turns if one.at < cut],
        [one[0] for one in known],
        [one[1] for one in known],
    )
    whole = walked(of, rules, 0, 16 * DAY)
    assert walked(early, rules, 0, cut) == [one for one in whole if one.made.at < cut]


@given(CONDUCTS, SHORT, MOMENTS)
def test_a_span_in_two_parts_is_the_span_in_one(of: Conduct, rules: Rules, cut: int) -> None:
    first = walked(of, rules, 0, cut)
    grown = sorted([*of.changes, *(one.made for one in first)], key=lambda one: one.at)
    then = walked(replace(of, changes=grown), rules, cut, 16 * DAY)
    assert [*first, *then] == walked(of, rules, 0, 16 * DAY)
    again = sorted([*grown, *(one.made for one in then)], key=lambda one: one.at)
    assert walked(replace(of, changes=again), rules, 0, 16 * DAY) == []


@given(CHANGES, MOMENTS)
def test_tiers_that_end_by_themselves_are_those_that_nothing_ended_before(
    changes: list[Adjustment], start: int
) -> None:
    naive = 0
    for i, one in enumerate(changes):
        last = i + 1 == len(changes)
        if one.tier != "standard" and one.expires_at is not None and one.at + 1 < one.expires_at:
            naive += start <= one.expires_at and (last or changes[i + 1].at >= one.expires_at)
    assert expired(changes, start, 99 * DAY) == naive


def order(name: str, day: int, buyer: str | None, seller: str = "s") -> Row:
    return {"order_id": name, "at": day * DAY, "buyer_id": buyer, "seller_id": seller, "amount": 100}


def filed(name: str, day: int, order_id: str) -> Row:
    return {"dispute_id": name, "at": day * DAY, "order_id": order_id, "reason": "quality", "claimed": 100}


def found(name: str, day: int, malicious: bool, source: str = "officer") -> Row:
    return {"dispute_id": name, "at": day * DAY, "malicious": malicious, "source": source}


LEDGER: dict[str, list[Row]] = {
    "orders": [
        *(order("o1", 1, "b"), order("o2", 2, "b"), order("o3", 3, "b"), order("o4", 4, "b", "faker")),
        *(order("o5", 5, "b"), order("x1", 5, "x"), order("n1", 6, None)),
    ],
    "cancellations": [{"order_id": "o3", "at": 8 * DAY, "party": "buyer"}],
    "disputes": [filed("d2", 20, "o2"), filed("d1", 30, "o1")],
    "findings": [found("d2", 25, True), found("d2", 40, False, "audit")],
    "chargebacks": [{"chargeback_id": "c", "at": 15 * DAY, "order_id": "o2", "amount": 100}],
    "blocks": [
        {
            "block_id": "k",
            "at": 9 * DAY,
            "kind": "seller_integrity",
            "seller_id": "faker",
            "cause": "false_transactions",
        }
    ],
    "releases": [{"block_id": "k", "at": 12 * DAY, "result": "upheld"}],
    "reports": [{"report_id": "r", "at": 6 * DAY, "order_id": "o4"}],
    "report_rulings": [{"report_id": "r", "at": 10 * DAY, "upheld": True}],
    "tiers": [{"buyer_id": "gone", "at": 3 * DAY, "tier": None, "reason": None}],
}


def test_conduct_is_what_a_ledger_knows_of_a_buyer() -> None:
    asked = [dispute(day, 0.9, *CONFIRMED) for day in (29, 41, 12, 25)]
    buyer, gone = conducts(Ledger.of(tables(LEDGER)), {"b": asked})
    assert [paid // DAY for paid in buyer.paid] == [1, 2, 3, 4, 5]
    assert [bad if bad == NOT_YET else bad // DAY for bad in buyer.disputed] == [30, 15, 8, 12, NOT_YET]
    assert buyer.turns == [
        *(Turn(10 * DAY, "upheld_report", True), Turn(12 * DAY, "upheld_report", False)),
        *(Turn(25 * DAY, "earlier_finding", True), Turn(40 * DAY, "earlier_finding", False)),
    ]
    assert list(buyer.disputes) == asked
    assert [len(each) for each in (gone.changes, gone.disputes, gone.turns, gone.paid)] == [1, 0, 0, 0]
    assert standing(gone.changes, 4 * DAY).tier == "restricted"


def test_conduct_does_with_less() -> None:
    bare = {name: LEDGER[name] for name in ("orders", "disputes")}
    (buyer,) = conducts(Ledger.of(tables(bare)), {"b": [dispute(29, 0.9, *CONFIRMED)]})
    assert [bad if bad == NOT_YET else bad // DAY for bad in buyer.disputed] == [30, 20, NOT_YET, NOT_YET, NOT_YET]
    assert (buyer.turns, buyer.changes) == ([], ())
    honest = LEDGER | {"findings": [found("d2", 25, False)], "report_rulings": []}
    buyer, _ = conducts(Ledger.of(tables(honest)), {"b": []})
    assert buyer.turns == []
