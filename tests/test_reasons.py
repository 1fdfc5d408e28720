"""The closed list of reasons: it covers every signal once, in its part, and each voice says what it may and nothing else."""

import re
from fnmatch import fnmatchcase

import pytest

from features import RedressError
from features.asking import ASKED
from features.dictionary import dictionary
from models.explain import GROUPS
from models.questions import QUESTIONS
from models.reasons import REASONS, WHOLE, place
from models.telling import HEARINGS, IN_FAVOUR, PARTIES, SUPPLY, heard

DECLARED = {one.name: one for question in ASKED for one in dictionary(question)}
CODES = [reason.code for reason in REASONS]
UNTOLD = {
    "buyer": re.compile(
        r"\b(device|ip|e-?mail|instrument|card|address|connection|network|score|model|signal|algorithm|threshold|probab\w*"
        r"|log-odds|detect\w*|hash|metadata|links?|linked|shar\w+|suspicio\w*|suspect\w*|fraud\w*|malic\w*|abus\w*|risk\w*"
        r"|credit|report\w*|finding|found|block\w*|refus\w*|ring|buyers|others?|shop|dishonest\w*|li(e|ar)s?)\b",
        re.I,
    ),
    "seller": re.compile(
        r"\b(buyers?|customers?|cardholder|account|device|ip|e-?mail|instrument|card|score|model|signal|threshold|malic\w*"
        r"|suspicio\w*|suspect\w*|fraud\w*|credit|history|findings?|chargebacks|others?|linked|shar\w+)\b",
        re.I,
    ),
}
"""Words that a party never hears: how anything is found out, a judgement, or what is somebody else's."""
HIDDEN = {"shared_findings", "shared_complaints", "shared_use", "prior_orders", "proof_of_buyer", "order_checks"}


def sentences(party: str) -> list[tuple[str, str, str]]:
    """Question, code and sentence of all that a party can hear."""
    return [
        (question, reason.code, heard(question, party, reason, way))
        for question in ASKED
        for reason in REASONS
        for way in (1, -1)
    ]


def untold(party: str) -> list[str]:
    return [f"{code}: {says}" for _, code, says in sentences(party) if UNTOLD[party].search(says)]


def test_every_declared_signal_has_one_reason_which_lies_in_its_part() -> None:
    strayed = [
        (name, REASONS[place(name)].code) for name, one in DECLARED.items() if REASONS[place(name)].part != one.part
    ]
    assert strayed == []
    assert len(DECLARED) > 2000


def test_a_signal_without_a_reason_is_an_error_that_says_where_to_add_it() -> None:
    with pytest.raises(RedressError, match=r"got none for weather_count; add it to models/reasons\.py"):
        place("weather_count")


def test_no_reason_and_no_pattern_is_idle() -> None:
    used = {
        (place(name), pattern)
        for name in DECLARED
        for pattern in REASONS[place(name)].signals
        if fnmatchcase(name, pattern)
    }
    idle = [(CODES[i], pattern) for i, one in enumerate(REASONS) for pattern in one.signals if (i, pattern) not in used]
    assert idle == []


def test_codes_are_names_of_their_own_and_parts_come_one_after_the_other() -> None:
    assert len(set(CODES)) == len(CODES)
    assert [code for code in CODES if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []
    assert list(dict.fromkeys(reason.part for reason in REASONS)) == list(GROUPS)
    assert len({reason.says for reason in REASONS}) == len(REASONS)


@pytest.mark.parametrize(
    ("signal", "code"),
    [
        ("order_amount", "order_itself"),
        ("buyer_credit", "buyer_credit"),
        ("buyer_credit_lost_malicious", "buyer_found_malicious"),
        ("buyer_orders_count_30d", "buyer_history"),
        ("buyer_orders_faked_count_30d", "buyer_history"),
        ("buyer_seller_orders_count_30d", "buyer_history"),
        ("buyer_orders_amount_mean_30d", "buyer_spending"),
        ("buyer_disputes_excused_count_ever", "buyer_found_honest"),
        ("buyer_chargebacks_after_sellers_refund_count_ever", "buyer_refunds"),
        ("device_malicious_sharers_count", "shared_findings"),
        ("content_malicious_sharers_count", "doubtful_proof"),
        ("product_disputes_quality_per_order_90d", "product_complaints"),
        ("lane_promised_to_usual_90d", "order_promise"),
        ("lane_late_rate_90d", "carrier_background"),
        ("order_scans_delivered_count", "delivery"),
        ("order_scans_lost_count", "tracking"),
        ("order_weight_separation", "weight"),
        ("case_weight_set_missing", "weight"),
        ("case_items_tracking", "proof_of_delivery"),
        ("case_evidence_from_the_future_count", "doubtful_proof"),
        ("case_evidence_by_seller_count", "proof_at_hand"),
    ],
)
def test_a_signal_is_told_under(signal: str, code: str) -> None:
    assert signal in DECLARED
    assert REASONS[place(signal)].code == code


def test_what_the_platform_paid_or_decided_is_no_reason_to_find_malice() -> None:
    told = {one.name for one in dictionary("malicious_dispute")}
    refunds = {name for name in told if REASONS[place(name)].code == "buyer_refunds"}
    assert {
        name for name in refunds if not re.match(r"buyer_(refunds_begun|chargebacks_after_sellers_refund)_", name)
    } == set()
    assert {name for name in told if REASONS[place(name)].code in ("order_checks", "order_remedies")} == set()


def test_what_is_against_whom_is_said_of_every_question() -> None:
    assert HEARINGS.keys() == SUPPLY.keys() == QUESTIONS.keys()
    against = {name: tuple(heard[party].against for party in PARTIES) for name, heard in HEARINGS.items()}
    assert against == {
        "chargeback_risk": (1, 1),
        "dispute_outcome": (1, -1),
        "malicious_dispute": (-1, 1),
        "chargeback_win": (-1, 1),
    }
    assert [list(heard) for heard in HEARINGS.values()] == [list(PARTIES)] * len(HEARINGS)
    assert {party: tuple(says) for party, says in IN_FAVOUR.items()} == dict.fromkeys(PARTIES, GROUPS)


@pytest.mark.parametrize("party", PARTIES)
def test_a_party_hears_nothing_of_how_things_are_found_out_or_of_others(party: str) -> None:
    assert untold(party) == []


@pytest.mark.parametrize(
    ("party", "says"),
    [
        ("buyer", "Your device was used by others."),
        ("buyer", "Your score is above the threshold."),
        ("buyer", "An IP of this order looks suspicious."),
        ("seller", "The buyer has three chargebacks."),
        ("seller", "The credit of this customer is low."),
    ],
)
def test_a_word_that_is_not_to_be_told_is_caught(party: str, says: str) -> None:
    assert UNTOLD[party].search(says)


@pytest.mark.parametrize("party", PARTIES)
def test_sentences_are_whole_polite_and_without_blanks(party: str) -> None:
    said = {says for _, _, says in sentences(party)}
    assert [says for says in said if not re.fullmatch(r"[A-Z][^{}|!?]{20,160}\.", says)] == []
    assert [says for says in said if re.search(r"\b(must|never|guilty|wrong of you)\b", says)] == []


def test_the_buyer_is_always_told_what_to_add_or_to_ask_for() -> None:
    against = [heard(name, "buyer", one, HEARINGS[name]["buyer"].against) for name in ASKED for one in REASONS]
    assert [says for says in against if not re.search(r"\b[Yy]ou can ", says)] == []


def test_the_seller_is_always_told_what_to_do() -> None:
    against = [heard(name, "seller", one, HEARINGS[name]["seller"].against) for name in ASKED for one in REASONS]
    assert [says for says in against if not re.match(r"(Supply|Keep|Answer|Check|Leave) ", says)] == []


def test_hidden_reasons_sound_to_the_buyer_as_harmless_ones_do() -> None:
    assert set(CODES) >= HIDDEN
    assert {reason.buyer for reason in REASONS if reason.code in HIDDEN} == {WHOLE}
    assert {reason.code for reason in REASONS if reason.buyer == WHOLE} > HIDDEN


def test_the_buyer_s_record_sounds_the_same_to_the_seller_whatever_it_holds() -> None:
    said = {reason.seller for reason in REASONS if reason.part == "buyer" and reason.code != "buyer_conduct"}
    assert len(said) == 1


@pytest.mark.parametrize(
    ("question", "party", "signal", "way", "says"),
    [
        (
            "chargeback_risk",
            "seller",
            "listing_imitates",
            1,
            "Keep the brand's authorisation, and take words of imitation off",
        ),
        (
            "dispute_outcome",
            "seller",
            "listing_imitates",
            1,
            "Supply the brand's authorisation, and take words of imitation off",
        ),
        ("dispute_outcome", "seller", "listing_imitates", -1, "The product's page and record count in your favour."),
        ("chargeback_win", "seller", "case_weight_set_missing", -1, "Supply all four: "),
        ("dispute_outcome", "buyer", "order_scans_lost_count", -1, "The parcel's way matters here."),
        ("dispute_outcome", "buyer", "order_scans_lost_count", 1, "What is known of the parcel counts in your favour."),
        ("malicious_dispute", "buyer", "buyer_credit", 1, "Your earlier orders with us are part of the picture."),
        ("chargeback_risk", "buyer", "buyer_credit", 1, "We may check this order before it ships."),
        ("chargeback_win", "buyer", "order_scans_lost_count", 1, "Your bank decides about this charge."),
    ],
)
def test_one_reason_sounds_as_question_voice_and_way_ask(
    question: str, party: str, signal: str, way: int, says: str
) -> None:
    assert heard(question, party, REASONS[place(signal)], way).startswith(says)


def test_a_reviewer_s_words_never_hold_the_mark_between_signals() -> None:
    assert [one.name for one in DECLARED.values() if "|" in one.meaning + one.unit] == []
    assert [reason.code for reason in REASONS if "|" in reason.says] == []
