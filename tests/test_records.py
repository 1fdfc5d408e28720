"""Decision records: made again to the bit, chained, valid by their schema, and what would change an answer."""

import json
import re
from dataclasses import replace
from hashlib import blake2b
from math import nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from features import RedressError
from models.records import FIRST, SCHEMA, Grounds, Record, chained, of_buyer, opened, record, replayed, would_change
from models.refunds import Case, Refunds, Scores, decide
from models.signs import TOLD

POLICY = Refunds()
GROUNDS = Grounds("ab" * 16, {"malicious_dispute": "cd" * 16}, "default", "ef" * 8)
CASE = Case("d1", "o1", 1_700_000_000_000_000, "quality", 4_000)


def made(case: Case = CASE, scores: Scores | None = None, previous: str = FIRST) -> Record:
    score = scores or Scores(0.1, parts={"buyer_part": -2.0})
    return record(case, score, decide(case, score, POLICY), POLICY, GROUNDS, previous=previous)


@pytest.mark.parametrize(
    "scores", [Scores(0.1), Scores(0.95, parts={"order_part": 1.5}), Scores(nan), Scores(0.3, abstain=True)]
)
def test_a_record_is_valid_json_by_its_schema(scores: Scores) -> None:
    told = json.loads(json.dumps(made(scores=scores), allow_nan=False))
    Draft202012Validator.check_schema(dict(SCHEMA))
    assert list(Draft202012Validator(SCHEMA).iter_errors(told)) == []
    assert list(Draft202012Validator(SCHEMA).iter_errors(told | {"mood": "bad"}))
    assert list(Draft202012Validator(SCHEMA).iter_errors(told | {"action": "shrug"}))


def test_a_buyer_is_given_his_own_record_and_nothing_of_how_he_was_found_out() -> None:
    case = replace(CASE, confirmed=("upheld_report",))
    score = Scores(0.95, parts={"buyer_part": 3.0})
    said = {
        "reviewer": ["shares a device"],
        "seller": ["Supply the receipt."],
        "buyer": ["We look at the whole order."],
    }
    told = of_buyer(record(case, score, decide(case, score, POLICY), POLICY, GROUNDS, reasons=said))
    assert told["action"] == "refuse"
    assert told["reasons"] == ["Your claim was turned down.", TOLD["upheld_report"], "We look at the whole order."]
    assert "a person looks at this again" in str(told["appeal"])
    text = json.dumps(told)
    for hidden in ("0.95", "upheld_report", "device", "receipt", "buyer_part", "malicious", "costs"):
        assert hidden not in text


def test_the_same_decision_has_the_same_id_and_another_has_another() -> None:
    assert made()["decision_id"] == made(previous="12" * 16)["decision_id"]
    others = [made(replace(CASE, at=1)), made(scores=Scores(0.2)), made(replace(CASE, claimed=1))]
    score = Scores(0.1, parts={"buyer_part": -2.0})
    others += [record(CASE, score, decide(CASE, score, POLICY), POLICY, replace(GROUNDS, version="00" * 8))]
    assert len({str(one["decision_id"]) for one in [made(), *others]}) == 5


def test_what_differs_is_named() -> None:
    assert replayed(made(), made()) == []
    told = replayed(made(), made(scores=Scores(0.95)))
    assert told[0] == 'action: was "refund_full", now "review"'
    assert any(line.startswith("probabilities: was") for line in told)
    assert replayed(made(), made(previous="12" * 16)) == []


def test_a_chain_tells_of_every_record_edited_taken_out_or_moved() -> None:
    chain = [made()]
    for i in range(3):
        chain.append(made(replace(CASE, dispute_id=f"d{i}"), previous=str(chain[-1]["hash"])))
    assert list(chained(chain)) == []
    edited = [*chain[:1], chain[1] | {"amount": 1}, *chain[2:]]
    assert list(chained(edited)) == ["record 1: want the hash of what it says, got another; it was edited"]
    assert list(chained([chain[0], *chain[2:]])) == [
        "record 1: want the one before named, got another; one was taken out, put in or moved"
    ]
    assert list(chained([chain[1], chain[0], *chain[2:]]))
    assert list(chained(chain[1:]))


def test_an_edited_record_is_not_opened() -> None:
    whole = made()
    assert opened(json.dumps(whole), "r") == whole
    for text, says in (
        (json.dumps(whole | {"amount": 1}), "r: want a record as it was written, got one edited"),
        ("{", "r: want a decision record in JSON, got"),
        ("[]", "r: want a decision record of format 1"),
        (json.dumps(whole | {"format": 9}), "r: want a decision record of format 1"),
        ('{"format": 1}', "r: want a decision record, got one without abstain"),
    ):
        with pytest.raises(RedressError, match=f"^{says}"):
            opened(text, "r")


def rehashed(told: Record, **other: object) -> Record:
    """A record that says something else, or lacks what is None, with the hash of what it says."""
    rest = {name: value for name, value in (told | other).items() if name != "hash" and value is not None}
    return rest | {"hash": blake2b(json.dumps(rest, sort_keys=True).encode(), digest_size=16).hexdigest()}


def without(told: Record, name: str, key: str) -> Record:
    inner = told[name]
    assert isinstance(inner, dict)
    return rehashed(told, **{name: {one: value for one, value in inner.items() if one != key}})


SHAPES: dict[str, tuple[Record, str]] = {
    "no dispute": (without(made(), "case", "dispute_id"), "got one without case.dispute_id"),
    "no order": (without(made(), "case", "order_id"), "got one without case.order_id"),
    "no name": (without(made(), "policy", "name"), "got one without policy.name"),
    "no probability": (without(made(), "probabilities", "malicious"), "got one without probabilities.malicious"),
    "no words for him": (without(made(), "reasons", "buyer"), "got one without reasons.buyer"),
    "a case of text": (rehashed(made(), case="d1"), "got one whose case is no object"),
    "a list of policies": (rehashed(made(), policy=["default"]), "got one whose policy is no object"),
    "reasons of one voice": (rehashed(made(), reasons=1), "got one whose reasons is no object"),
    "a flag for money": (rehashed(made(), amount=True), "got one whose amount is no integer"),
    "a word for a share": (
        rehashed(made(), probabilities={"malicious": "high"}),
        "got one whose probabilities.malicious is no number or null",
    ),
    "no amount": (rehashed(made(), amount=None), "got one without amount"),
}


@pytest.mark.parametrize("how", SHAPES)
def test_a_record_of_another_shape_is_refused_with_the_field_though_its_hash_is_of_what_it_says(how: str) -> None:
    told, says = SHAPES[how]
    assert rehashed(made()) == made()
    assert list(Draft202012Validator(SCHEMA).iter_errors(told))
    with pytest.raises(RedressError, match=f"^r: want a decision record, {re.escape(says)}; name another file$"):
        opened(json.dumps(told), "r")


@pytest.mark.parametrize("scores", [Scores(0.1), Scores(nan), Scores(0.3, True, True, {"base_part": 1})])
def test_whatever_is_recorded_can_be_opened(scores: Scores) -> None:
    for case in (CASE, replace(CASE, owed=0.5, left=7, lacking=("tracking",), confirmed=("upheld_report",))):
        assert opened(json.dumps(made(case, scores)), "r") == made(case, scores)


@pytest.mark.parametrize(
    "other",
    [
        {"decision_id": "12" * 16},
        {"ledger": "12" * 16},
        {"models": {"malicious_dispute": "12" * 16}},
        {"policy": {"name": "default", "version": "12" * 8}},
        {"parts": {"buyer_part": -3.0}},
        {"probabilities": {"malicious": 0.2}},
        {"abstain": True},
        {"plain": True},
    ],
)
def test_a_decision_id_that_is_not_of_the_record_s_own_case_scores_and_versions_is_found(other: Record) -> None:
    with pytest.raises(
        RedressError, match=r"^r: want the decision_id of the record's own case, scores and versions, got"
    ):
        opened(json.dumps(rehashed(made(), **other)), "r")


@pytest.mark.parametrize("number", ["NaN", "1e999"])
def test_a_number_that_json_has_not_is_refused(number: str) -> None:
    text = json.dumps(made()).replace('"propensity": 1.0', f'"propensity": {number}')
    assert number in text
    with pytest.raises(RedressError, match=r"^r: want a decision record in JSON, got"):
        opened(text, "r")


@given(
    st.floats(0.001, 0.999),
    st.integers(1, 60_000),
    st.sampled_from([(), ("upheld_report",)]),
    st.sampled_from([nan, 0.3]),
    st.sampled_from([(), ("tracking",)]),
)
def test_between_here_and_what_would_change_it_the_answer_stays_and_beyond_it_is_the_one_told(
    m: float, claimed: int, confirmed: tuple[str, ...], owed: float, lacking: tuple[str, ...]
) -> None:
    assume(m not in (POLICY.automatic_below, POLICY.refuse_at))  # at a limit itself the answer below it is another
    case = replace(CASE, claimed=claimed, confirmed=confirmed, owed=owed, lacking=lacking)
    now = decide(case, Scores(m), POLICY).action
    found = [one for one in would_change(case, Scores(m), POLICY) if one["malicious"] != m]
    for one in found:
        edge = float(str(one["malicious"]))
        for i in range(1, 20):
            assert decide(case, Scores(m + (edge - m) * i / 20.001), POLICY).action == now
        assert decide(case, Scores(edge + (1e-7 if edge > m else -1e-7)), POLICY).action == one["action"] != now
    sides = {float(str(one["malicious"])) > m for one in found}
    for side, ends in ((False, (0.0, m)), (True, (m, 1.0))):
        if side not in sides:
            probes = [ends[0] + (ends[1] - ends[0]) * i / 50 for i in range(1, 50)]
            assert {decide(case, Scores(p), POLICY).action for p in probes} <= {now}


def test_a_second_key_is_told_where_it_would_turn_the_answer() -> None:
    assert {"malicious": 0.95, "confirmed": True, "action": "refuse"} in would_change(CASE, Scores(0.95), POLICY)
    assert would_change(CASE, Scores(nan), POLICY) == []
