"""What an answer says for itself: every why has words in each voice; the refused hear why, and nothing in their favour."""

import re
from dataclasses import replace
from itertools import product
from math import nan

import pytest

from features.tables import EVIDENCE
from models.exploring import explored
from models.records import Grounds, Record, of_buyer, record
from models.refunds import ACTIONS, WHY, Case, Decision, Refunds, Scores, decide
from models.signs import CONFIRMED, TOLD
from models.spoken import BESIDES, FAVOUR, ITEMS, VOICES, spoken
from models.telling import IN_FAVOUR

POLICY = Refunds()
CASE = Case("d1", "o1", 0, "quality", 4_000)
LACKS = ("unit_weight_photo", "carrier_weight_certificate")
OCCUR: dict[str, tuple[str, ...]] = {
    "cheapest": ACTIONS,
    "plain": ACTIONS[:-1],
    "explored": ("refund_full", "request_evidence", "review"),
    "tier": ("request_evidence", "review"),
    **dict.fromkeys(("out_of_scope", "unscored", "thin", "unsure"), ("review",)),
    **dict.fromkeys(("unconfirmed", "suspect", "beyond", "large", "unborne"), ("review",)),
}
"""The actions that each why can come with."""
PAIRS = [(why, action) for why, actions in OCCUR.items() for action in actions]
DETECTION = re.compile(
    r"\b(\d\.\d|score|model|signal|threshold|probab\w*|detect\w*|suspicio\w*|suspect\w*|fraud\w*|malic\w*|abus\w*|risk\w*"
    r"|weight|scale|key|confirmed|tier|device|automatic\w*|without a person|likely|large)\b|_",
    re.I,
)
"""What would tell a buyer how disputes are looked at."""


def answer(action: str, why: str, confirmed: tuple[str, ...] = (), borne_by: str = "platform") -> Decision:
    amount = {"refund_full": 4_000, "return_and_refund": 4_000, "refund_partial": 1_250}.get(action, 0)
    return Decision(action, amount, borne_by, why, (0.0,) * len(ACTIONS), confirmed, {})


def made(case: Case, score: Scores, policy: Refunds = POLICY, said: dict[str, list[str]] | None = None) -> Record:
    return record(case, score, decide(case, score, policy), policy, Grounds("ab" * 16, {}, "p", "cd" * 8), reasons=said)


def reasons(told: Record) -> dict[str, list[str]]:
    found = told["reasons"]
    assert isinstance(found, dict)
    return found


def test_the_pairs_of_why_and_action_are_those_that_policies_give() -> None:
    found = set[tuple[str, str]]()
    policies = (POLICY, replace(POLICY, ask=0, review=3_000), replace(POLICY, review=0, explores=0.9))
    cases = product(
        ("quality", "wrong_item", "billing"),
        (500, 4_000, 60_000),
        ((), ("upheld_report",)),
        ((), LACKS),
        (nan, 0.0, 0.3),
    )
    for i, (reason, claimed, confirmed, lacking, owed) in enumerate(cases):
        for tier, left in product(("standard", "evidence_first", "restricted"), (None, 100)):
            case = Case(f"d{i}", "o1", 0, reason, claimed, confirmed, lacking, owed, "platform", tier, left)
            for m, abstain, plain in product((nan, 0.0, 0.1, 0.4, 0.6, 0.8, 0.99), (False, True), (False, True)):
                score = Scores(m, abstain, plain)
                for policy in policies:
                    one = explored(case, score, decide(case, score, policy), policy)[0]
                    found.add((one.why, one.action))
    assert found == set(PAIRS)
    assert OCCUR.keys() == WHY.keys()


@pytest.mark.parametrize(("why", "action"), PAIRS)
def test_every_why_has_its_words_in_each_voice(why: str, action: str) -> None:
    told = spoken(answer(action, why), replace(CASE, lacking=LACKS, tier="restricted"))
    assert list(told) == list(VOICES)
    for lines in told.values():
        assert lines
        assert all(line and "{" not in line and line.strip() == line for line in lines)
    assert told["reviewer"][0].startswith(f"{action}, {why}: ")
    assert told["reviewer"][0].endswith(WHY[why])
    assert not any(DETECTION.search(line) for line in told["buyer"])
    assert not any("buyer" in line for line in told["seller"])


@pytest.mark.parametrize("key", CONFIRMED)
def test_a_refusal_names_the_second_key_to_the_reviewer_and_its_fair_wording_to_the_buyer(key: str) -> None:
    favour = {voice: [*lines.values(), "Dates matter here."] for voice, lines in IN_FAVOUR.items()}
    told = made(replace(CASE, confirmed=(key,)), Scores(0.95), said=favour)
    assert told["action"] == "refuse"
    lines = reasons(told)
    assert lines["reviewer"] == [
        "refuse, cheapest: pays nothing, with both keys; it is expected to cost least",
        f"second key, {key}: {CONFIRMED[key]}",
    ]
    assert lines["buyer"] == ["Your claim was turned down.", TOLD[key], "Dates matter here."]
    assert of_buyer(told)["reasons"] == lines["buyer"]
    assert (lines["seller"][1] == "Your proof of what was in the parcel is complete, and was relied on.") == (
        key == "weight_complete"
    )


def test_what_is_no_key_of_the_policy_is_no_reason_of_a_refusal() -> None:
    case = replace(CASE, confirmed=("earlier_finding", "reused_evidence"))
    lines = reasons(made(case, Scores(0.95), replace(POLICY, keys=("reused_evidence",))))
    assert [line.split(":")[0] for line in lines["reviewer"][1:]] == [
        "confirmed, earlier_finding",
        "second key, reused_evidence",
    ]
    assert lines["buyer"] == ["Your claim was turned down.", TOLD["reused_evidence"]]


@pytest.mark.parametrize(("why", "action"), PAIRS)
def test_only_a_buyer_who_is_paid_hears_that_something_counts_in_his_favour(why: str, action: str) -> None:
    case = replace(CASE, lacking=LACKS, confirmed=("upheld_report",))
    told = spoken(answer(action, why, case.confirmed), case, scored={"buyer": sorted(FAVOUR)})
    paid = action in ("refund_full", "refund_partial", "return_and_refund")
    assert any("favour" in line for line in told["buyer"]) == paid
    assert (TOLD["upheld_report"] in told["buyer"]) == (action == "refuse")


def test_whatever_sends_a_dispute_to_a_person_for_a_look_the_buyer_hears_the_same() -> None:
    quiet = [why for why, actions in OCCUR.items() if "review" in actions and why not in BESIDES]
    assert {"suspect", "unsure", "unconfirmed", "large", "thin", "cheapest"} <= set(quiet)
    heard = {tuple(spoken(answer("review", why), CASE)["buyer"]) for why in quiet}
    assert heard == {
        (
            "A person looks at your dispute before it is answered. You can add whatever helps us to understand what happened.",
        )
    }


def test_a_request_for_evidence_names_what_lacks_to_the_seller_and_says_to_the_buyer_that_he_was_asked() -> None:
    case = replace(CASE, reason="short_quantity", lacking=(*LACKS, "shipping_receipt"), tier="evidence_first")
    told = made(case, Scores(0.1))
    assert (told["action"], told["why"]) == ("request_evidence", "tier")
    lines = reasons(told)
    assert lines["seller"] == [
        "Supply a photo of one unit on a scale, the carrier's certificate of the weight and the receipt of the hand-over to "
        "the carrier; the dispute is answered when it is there, or the time for it is over."
    ]
    assert lines["reviewer"][1] == "lacking: unit_weight_photo, carrier_weight_certificate, shipping_receipt"
    assert lines["buyer"][0].startswith("We asked the seller for proof about this order")
    assert lines["buyer"][1:] == [
        "As your dispute rules stand, we ask for evidence that is missing before anything is paid in a dispute of yours."
    ]


def test_every_kind_of_evidence_has_words() -> None:
    assert list(ITEMS) == list(EVIDENCE)
    assert ITEMS["tracking"] == "the tracking record"
    assert len(set(ITEMS.values())) == len(ITEMS)


@pytest.mark.parametrize(
    ("bearer", "seller"), [("platform", "the platform"), ("seller", "you"), ("insurer", "the insurer")]
)
def test_a_partial_refund_says_how_much_of_how_much_and_who_bears_it(bearer: str, seller: str) -> None:
    told = spoken(answer("refund_partial", "cheapest", borne_by=bearer), replace(CASE, owed=0.3125))
    assert told["reviewer"] == [
        f"refund_partial, cheapest: pays 12.50 of 40.00, what the weight bears out, borne by the {bearer}; it is expected to "
        "cost least"
    ]
    assert told["seller"] == [
        f"Of the 40.00 asked for 12.50 is paid, as much as the proof bears out, borne by {seller}."
    ]
    assert told["buyer"][0].startswith("You are refunded 12.50 of the 40.00 you asked for")


def test_the_score_is_told_after_the_decision_and_a_sentence_once() -> None:
    own = "You are refunded 40.00."
    told = made(CASE, Scores(0.02), said={"reviewer": ["+1.20 | late"], "buyer": ["Dates matter here.", own]})
    assert reasons(told)["buyer"] == [own, "Dates matter here."]
    assert reasons(told)["reviewer"][1:] == ["+1.20 | late"]
