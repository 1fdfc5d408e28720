"""Answers to chargebacks by hand: kinds, money, deadlines, what is final, and where an action flips."""

from dataclasses import replace
from datetime import UTC, datetime
from math import isnan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features import RedressError
from features.codes import CODES
from features.kernel import DAY, HOUR
from features.tables import ACTIONS
from models.answering import BRANCHES, Answer, answer
from models.deadlines import moment, shown
from models.loss import FEES
from models.sections import described, read
from models.stakes import Answering, Case, break_even, fee, lacking, worth


def at(text: str) -> int:
    """A moment of ISO 8601 in microseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW = at("2026-05-10")
PLAIN = Answering(handling=1_000, offer_handling=200, offered=0.4, agreeing=0.25)
CASE = Case(
    chargeback_id="c1",
    order_id="o1",
    at=NOW,
    charged_at=NOW - DAY,
    amount=20_000,
    network="visa",
    reason_code="13.1",
    respond_by=NOW + 9 * DAY,
)
THEFT = replace(CASE, reason_code="10.4")


def told(case: Case = CASE, p: float | None = 0.5, answering: Answering = PLAIN, marginal: float = 0.0) -> Answer:
    return answer(case, {"chargeback_win": p}, answering, marginal=marginal)


@pytest.mark.parametrize(
    ("p", "contest"),
    [
        (0.0, -1_500 - 1_000),
        (0.1, 0.1 * 20_000 - 0.9 * 1_500 - 1_000),  # -350
        (0.5, 10_000 - 750 - 1_000),
        (1.0, 20_000 - 1_000),  # the second fee comes back
    ],
)
def test_contesting_is_worth_what_is_won_less_the_fee_that_is_lost_and_the_work(p: float, contest: float) -> None:
    found = worth(CASE, p, PLAIN)
    assert found["contest"] == pytest.approx(contest)
    assert found["settle"] == pytest.approx(0.25 * 0.6 * 20_000 - 200)  # 2,800
    assert found["accept"] == 0.0
    assert found["wait"] == 0.0  # nobody files: a loss, as if accepted


def test_where_the_platform_files_waiting_spares_the_work() -> None:
    found = worth(replace(THEFT, notice=True), 0.5, PLAIN)
    assert found["wait"] == pytest.approx(10_000 - 750)
    assert found["wait"] - found["contest"] == PLAIN.handling


@pytest.mark.parametrize(("day", "countered"), [("2025-06-16T23:59:59", 0), ("2025-06-17", 1_500)])
def test_countering_costs_from_the_day_of_its_fee_on(day: str, countered: int) -> None:
    early = replace(CASE, at=at(day))
    assert worth(early, 0.0, PLAIN)["contest"] == -1_000 - countered
    assert worth(early, 1.0, PLAIN)["contest"] == 19_000


def test_fees_are_those_that_losses_are_counted_with() -> None:
    shares = {one.share for one in FEES}
    assert sum(fee(NOW, share) for share in shares) == sum(one.cents for one in FEES)
    assert fee(NOW, "contested_share") == 1_500 == -fee(NOW, "win_share")


@pytest.mark.parametrize(
    ("case", "p", "action", "branch"),
    [
        (replace(THEFT, notice=True), 0.9, "wait", 0),
        (replace(THEFT, notice=True), 0.0, "wait", 0),
        (replace(THEFT, notice=True, reason_code="4837", network="mastercard"), 0.5, "wait", 0),
        (replace(THEFT, evidence=("tracking",)), 0.9, "settle", 1),  # no set is whole
        (replace(THEFT, evidence=("tracking", "delivery_certificate")), 0.9, "contest", 1),
        (replace(THEFT, evidence=("tracking", "identity_match")), 0.9, "contest", 1),
        (replace(THEFT, evidence=("tracking", "identity_match")), 0.1, "settle", 1),
        (CASE, 0.5, "contest", 2),
        (replace(CASE, notice=True), 0.5, "contest", 2),
        (CASE, 0.1, "settle", 2),
        (replace(CASE, amount=1_000), 0.5, "accept", 2),  # 500 - 750 - 1,000, and 150 - 200
        (replace(CASE, reason_code=None), 0.5, "contest", 2),
        (CASE, None, "review", 2),
        (CASE, float("nan"), "review", 2),
        (replace(THEFT, notice=True), None, "review", 0),
        (replace(CASE, amount=None), 0.5, "review", 2),
    ],
)
def test_each_kind_has_its_answer(case: Case, p: float | None, action: str, branch: int) -> None:
    found = told(case, p)
    assert (found.action, found.branch) == (action, BRANCHES[branch].name)
    assert {found.action, *found.values} <= set(ACTIONS)
    assert found.values.keys() == {"wait", "contest", "settle", "accept"}
    assert BRANCHES[branch].says in found.reasons[0]


def test_every_case_has_exactly_one_branch() -> None:
    for theft in (True, False):
        for notice in (True, False):
            assert sum(one.theft == theft and notice in one.notice for one in BRANCHES) == 1
    assert all(
        replace(CASE, reason_code=code).theft == (code in CODES["fraud"]) for of in CODES.values() for code in of
    )


def test_what_is_not_known_is_not_guessed() -> None:
    found = told(p=None)
    assert isnan(found.values["contest"])
    assert "The probability of winning is not known, and it is not guessed, so a person decides." in found.reasons
    assert answer(CASE, {}, PLAIN).action == "review"
    assert "Contesting pays from a win probability above 11.6%." in found.reasons
    assert not any("nan" in one for one in (*found.reasons, *told(replace(CASE, amount=None)).reasons))
    assert all(
        isnan(value) for name, value in told(replace(CASE, amount=None)).values.items() if name in ("contest", "settle")
    )
    assert "The amount is not known, so a person decides." in told(replace(CASE, amount=None)).reasons


@pytest.mark.parametrize("p", [-0.01, 1.01, float("inf")])
def test_what_is_no_probability_is_refused_by_name(p: float) -> None:
    with pytest.raises(RedressError, match=r"scores.chargeback_win: want a probability from 0 to 1, got .*; give"):
        told(p=p)


def test_a_case_without_an_order_is_refused() -> None:
    with pytest.raises(RedressError, match=r"chargeback c1.order_id: want the order it is about, got none; find it"):
        told(replace(CASE, order_id=None))


def test_a_defence_is_filed_once() -> None:
    late = replace(CASE, contested=True, at=NOW + 100 * DAY)
    with pytest.raises(RedressError, match=r"got one with a representment; wait for the ruling, a defence is final"):
        told(late)
    with pytest.raises(
        RedressError, match=r"chargeback c1: want one that is open, got one that has ended; there is nothing"
    ):
        told(replace(CASE, ended=True))


def test_a_defence_that_lacks_items_is_final_and_says_so() -> None:
    (warning,) = told(replace(CASE, evidence=("tracking",))).warnings
    assert warning.startswith(
        "A defence is final, nothing can be added later: the set delivery lacks delivery_certificate."
    )
    assert told(replace(CASE, evidence=("tracking", "delivery_certificate"))).warnings == ()
    assert "no set of evidence is declared" in told(replace(CASE, reason_code="12.1")).warnings[0]
    assert told(replace(CASE, evidence=("tracking",)), p=0.0).warnings == ()  # nothing is filed


def test_of_several_sets_those_of_the_dispute_s_reason_are_asked_for() -> None:
    other = replace(CASE, reason_code="4853", network="mastercard")
    assert lacking(other).keys() == {"weight", "delivery", "description"}
    assert lacking(replace(other, dispute="short_quantity")).keys() == {"weight"}
    assert lacking(replace(other, dispute="service")).keys() == {"weight", "delivery", "description"}
    assert len(lacking(replace(other, dispute="short_quantity"))["weight"]) == 4
    assert lacking(replace(CASE, reason_code=None)) == {}


def test_a_code_that_no_network_has_is_told() -> None:
    assert told(replace(CASE, reason_code="99")).warnings[-1].startswith("The reason code 99 is not known")
    assert told(replace(CASE, reason_code=None), p=0.1).warnings == ()


@pytest.mark.parametrize(("network", "days"), [("visa", 30), ("mastercard", 45), ("other", 20), (None, 20)])
def test_without_a_deadline_the_network_s_window_counts_from_the_chargeback(network: str | None, days: int) -> None:
    found = told(replace(CASE, network=network, respond_by=None))
    assert found.deadline == NOW - DAY + days * DAY
    assert found.ready_by == found.deadline - 48 * HOUR
    assert told(replace(CASE, network=network)).deadline == NOW + 9 * DAY


@pytest.mark.parametrize("past", [NOW, NOW - 1])
def test_a_deadline_in_the_past_is_refused(past: int) -> None:
    with pytest.raises(
        RedressError, match=r"chargeback c1.respond_by: want a moment after 2026-05-10T00:00:00\+00:00 UTC"
    ):
        told(replace(CASE, respond_by=past))
    assert told(replace(CASE, respond_by=NOW + 1)).deadline == NOW + 1


def test_evidence_that_has_yet_to_be_obtained_is_paid_for_whoever_files() -> None:
    """550 cents go from what a defence is worth, and the chance from which it pays rises by 550 of what winning brings."""
    for case in (CASE, replace(THEFT, notice=True)):
        free, paid = (worth(replace(case, obtaining=cents), 0.5, PLAIN) for cents in (0, 550))
        defended = ("contest", "wait") if case.theft else ("contest",)
        assert {name: free[name] - paid[name] for name in free} == {n: 550 * (n in defended) for n in free}
    turn, later = (break_even(replace(CASE, obtaining=cents), PLAIN) for cents in (0, 550))
    won = worth(CASE, 1.0, PLAIN)["contest"] - worth(CASE, 0.0, PLAIN)["contest"]
    assert turn is not None
    assert later == pytest.approx(turn + 550 / won)


def test_a_window_that_is_over_is_refused_with_its_days() -> None:
    with pytest.raises(
        RedressError,
        match=r"by chargebacks\.other of the policy, 20 days; book it as no_response, or correct the deadline",
    ):
        told(replace(CASE, network=None, respond_by=None, charged_at=NOW - 20 * DAY))


def test_within_the_margin_it_is_urgent() -> None:
    assert "act now" in told(replace(CASE, respond_by=NOW + 48 * HOUR - 1), p=0.1).warnings[0]
    assert told(replace(CASE, respond_by=NOW + 48 * HOUR), p=0.1).warnings == ()


@pytest.mark.parametrize(
    ("utc", "zone", "local"),
    [
        ("2026-03-29T00:59:59", "Europe/Berlin", "2026-03-29T01:59:59+01:00 Europe/Berlin"),
        ("2026-03-29T01:00:00", "Europe/Berlin", "2026-03-29T03:00:00+02:00 Europe/Berlin"),  # there is no 02:30
        ("2026-10-25T00:30:00", "Europe/Berlin", "2026-10-25T02:30:00+02:00 Europe/Berlin"),  # 02:30 comes twice
        ("2026-10-25T01:30:00", "Europe/Berlin", "2026-10-25T02:30:00+01:00 Europe/Berlin"),
        ("2026-11-01T05:30:00", "America/New_York", "2026-11-01T01:30:00-04:00 America/New_York"),
        ("2026-11-01T06:30:00", "America/New_York", "2026-11-01T01:30:00-05:00 America/New_York"),
        ("2026-07-01T00:00:00", "Asia/Kolkata", "2026-07-01T05:30:00+05:30 Asia/Kolkata"),
        ("2026-07-01T00:00:00", "UTC", "2026-07-01T00:00:00+00:00 UTC"),
    ],
)
def test_a_deadline_is_one_instant_on_every_clock(utc: str, zone: str, local: str) -> None:
    due = replace(CASE, at=at("2026-01-01"), respond_by=at(utc))
    found = answer(due, {"chargeback_win": 0.5}, PLAIN, zone=zone)
    assert found.local == shown(at(utc), zone) == local
    assert datetime.fromisoformat(local.split()[0]) == moment(found.deadline)


def test_a_window_is_days_of_24_hours_across_a_change_of_clocks() -> None:
    came = replace(CASE, at=at("2026-03-10T12:00:00"), charged_at=at("2026-03-10T11:00:00"), respond_by=None)
    found = answer(came, {"chargeback_win": 0.5}, PLAIN, zone="Europe/Berlin")
    assert shown(came.charged_at, "Europe/Berlin").startswith("2026-03-10T12:00")
    assert found.local.startswith("2026-04-09T13:00")


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../x", "/etc/passwd"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(RedressError, match=r"zone: want a name of the IANA time zone database, got .*; use one like"):
        answer(CASE, {"chargeback_win": 0.5}, PLAIN, zone=name)


@pytest.mark.parametrize(
    ("case", "p", "first"),
    [
        (CASE, 0.5, 2_800 + 0.75 * (10_000 - 750 - 1_000)),
        (CASE, 0.1, 2_800.0),  # if it fails one accepts
        (replace(THEFT, notice=True), 0.5, 2_800 + 0.75 * (10_000 - 750)),
        (CASE, None, 2_800.0),
    ],
)
def test_a_settlement_is_priced_whatever_the_kind(case: Case, p: float | None, first: float) -> None:
    found = told(case, p)
    assert found.settle_first == pytest.approx(first)
    assert any(one.startswith("To seek a settlement first is worth") for one in found.reasons)


def test_a_settlement_is_better_sought_first_where_an_agreement_saves_more_than_a_defence() -> None:
    assert any("more than the 82.50" in one and "no more" not in one for one in told(p=0.5).reasons)
    assert any("no more than the 190.00" in one for one in told(p=1.0).reasons)


@pytest.mark.parametrize(
    ("case", "flips"),
    [
        (CASE, 2_500 / 21_500),
        (replace(CASE, amount=1_000), 1.0),  # 2,500 / 2,500: even a sure win pays nothing
        (replace(CASE, amount=999), None),
        (replace(CASE, amount=None), None),
        (replace(THEFT, notice=True), None),  # the platform files at any
        (THEFT, None),  # no set is whole at any
    ],
)
def test_the_flip_is_where_contesting_is_worth_nothing(case: Case, flips: float | None) -> None:
    found = told(case, 0.05).what_would_change
    assert found == (None if flips in (None, 1.0) else pytest.approx(flips))


@given(
    amount=st.integers(0, 10**7),
    handling=st.integers(0, 10_000),
    marginal=st.floats(0, 1e6),
    counts=st.floats(0, 1),
    code=st.sampled_from(["10.4", "13.1", "4853", None]),
)
def test_the_action_flips_at_what_would_change_it_and_nowhere_else(
    amount: int, handling: int, marginal: float, counts: float, code: str | None
) -> None:
    case = replace(CASE, amount=amount, reason_code=code, evidence=("tracking", "delivery_certificate"))
    with_costs = replace(PLAIN, handling=handling, won_counts=counts)
    flips = told(case, 0.5, with_costs, marginal).what_would_change
    contests = [told(case, i / 64, with_costs, marginal).action == "contest" for i in range(65)]
    if flips is None:
        assert not any(contests)
        return
    assume(all(abs(i / 64 - flips) > 1e-9 for i in range(65)))
    assert contests == [i / 64 > flips for i in range(65)]


def test_without_any_cost_only_a_sure_loss_is_not_contested() -> None:
    free = replace(PLAIN, handling=0)
    early = replace(CASE, at=at("2025-01-01"))
    assert told(early, 0.0, free).what_would_change == 0.0
    assert told(early, 0.0, free).action == "settle"
    assert told(early, 1e-9, free).action == "contest"


def test_a_programme_s_cost_moves_only_endings_that_take_the_case_off_its_count() -> None:
    assert worth(CASE, 0.5, PLAIN, 50_000.0) == worth(CASE, 0.5, PLAIN)  # counted whatever comes of it
    spared = replace(PLAIN, won_counts=0.2, settled_counts=0.5)
    found, without = worth(CASE, 0.5, spared, 50_000.0), worth(CASE, 0.5, spared)
    assert found["contest"] - without["contest"] == pytest.approx(0.5 * 0.8 * 50_000)
    assert found["settle"] - without["settle"] == pytest.approx(0.25 * 0.5 * 50_000)
    assert found["accept"] == 0.0
    assert break_even(CASE, spared, 50_000.0) == pytest.approx(2_500 / (21_500 + 40_000))
    assert any("costs 500.00 in a programme" in one for one in told(marginal=50_000.0).reasons)


def test_compelling_evidence_takes_a_fraud_case_off_visa_s_count() -> None:
    proof = replace(THEFT, compelling=True, evidence=("tracking", "identity_match"))
    assert told(proof, 0.05, marginal=50_000.0).action == "contest"  # 0.05 × 71,500 − 2,500
    assert told(proof, 0.05, marginal=50_000.0).values["contest"] == pytest.approx(1_075)
    assert told(replace(proof, compelling=False), 0.05, marginal=50_000.0).action == "settle"
    assert told(replace(proof, reason_code="13.1"), 0.05, marginal=50_000.0).action == "settle"


def test_the_section_says_of_every_number_what_it_is_and_where_it_is_from() -> None:
    assert all(len(line.split(" | ")) == 3 and line.split(" | ")[2] for line in described(Answering).values())
    assert read(Answering, {"visa": 20}, "chargebacks", start=Answering()).visa == 20.0
    with pytest.raises(RedressError, match=r"chargebacks.agreeing: want share from 0 to 1, got 2"):
        read(Answering, {"agreeing": 2}, "chargebacks", start=Answering())


def test_the_same_case_has_the_same_answer() -> None:
    assert told() == told()
