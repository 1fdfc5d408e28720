"""Decision records: made again to the bit, chained, valid by their schema, and what would change an answer."""

import json
from dataclasses import replace
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
