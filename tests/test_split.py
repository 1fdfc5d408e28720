"""Which answers may be learnt from: hand-worked edges of horizon and maturity, the naive twin, and folds."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import naive
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Ledger, RedressError
from features.asking import ASKED, Askings, askings, named_askings
from models.questions import LEFT_OUT, NO, OPEN, YES, Answers, answers
from models.split import Labelled, folds, labelled, maturity_age

WORDS = {YES: "yes", NO: "no", LEFT_OUT: "neither", OPEN: None}
NOT_YET = 2**63 - 1


def town(
    orders: Mapping[str, int],
    chargebacks: Sequence[tuple[str, int]] = (),
    disputes: Mapping[str, int] | None = None,
    rulings: Sequence[tuple[str, int, str]] = (),
    findings: Sequence[tuple[str, int, bool | None, str]] = (),
    defences: Sequence[tuple[str, int]] = (),
    endings: Sequence[tuple[str, int, str]] = (),
) -> Ledger:
    """A ledger of `orders` and `disputes` at their moments, chargebacks "0", "1" … of orders, and what became of them."""
    first = next(iter(orders))
    return Ledger.of(
        naive.tables(
            {
                "orders": [{"order_id": o, "at": at} for o, at in orders.items()],
                "chargebacks": [
                    {"chargeback_id": str(i), "order_id": o, "at": at} for i, (o, at) in enumerate(chargebacks)
                ],
                "disputes": [{"dispute_id": d, "order_id": first, "at": at} for d, at in (disputes or {}).items()],
                "rulings": [{"dispute_id": d, "at": at, "outcome": outcome} for d, at, outcome in rulings],
                "findings": [
                    {"dispute_id": d, "at": at, "malicious": malicious, "source": source}
                    for d, at, malicious, source in findings
                ],
                "representments": [{"chargeback_id": c, "at": at} for c, at in defences],
                "chargeback_rulings": [
                    {"chargeback_id": c, "at": at, "outcome": outcome} for c, at, outcome in endings
                ],
            }
        )
    )


def learnt(
    ledger: Ledger, question: str, as_of: int, horizon: int = 10, later: int = 0
) -> tuple[dict[str, str | None], Labelled]:
    """The answers usable as of a moment by id, of every row asked about at its own moment or later."""
    own = askings(ledger, question)
    at = pd.to_datetime(own.at + later, unit="us", utc=True)
    asks = named_askings(ledger, question, pd.DataFrame({"ask_id": own.ids.to_pandas(), "at": at}))
    found = labelled(asks, answers(ledger, asks, horizon), as_of, horizon, own.at)
    return {asks.ids[int(i)].as_py(): WORDS[int(y)] for i, y in zip(found.which, found.answer, strict=True)}, found


@pytest.mark.parametrize(
    ("order", "chargeback", "as_of", "want"),
    [
        (100, None, 111, "no"),  # the horizon of 10 ended at 110, the moment before
        (100, None, 110, "immature"),  # at + horizon == T
        (100, None, 105, "immature"),
        (100, 105, 110, "immature"),  # charged back already, and still immature: both sides leave together
        (100, 105, 111, "yes"),
        (100, 110, 111, "yes"),  # exactly at orders.at + horizon: the end counts
        (100, 111, 112, "no"),  # a microsecond too late
        (100, 111, 999, "no"),
        (100, 100, 111, "yes"),  # in the moment of the order
        (100, None, 100, "later"),  # not asked before T
        (100, 105, 99, "later"),
    ],
)
def test_an_order_is_learnt_from_once_its_horizon_ended(
    order: int, chargeback: int | None, as_of: int, want: str
) -> None:
    ledger = town({"o": order}, [] if chargeback is None else [("o", chargeback)])
    found, data = learnt(ledger, "chargeback_risk", as_of)
    assert found == ({"o": want} if want in ("yes", "no") else {})
    assert data.counts["immature"] == (want == "immature")
    assert data.counts["asked"] == (want != "later")
    assert data.counts["yes"] == (want == "yes")
    assert data.maturity == 10


@pytest.mark.parametrize(
    ("chargeback", "later", "want"),
    [
        (105, 5, {"o": "yes"}),  # known at the moment of asking: not before it
        (105, 6, {}),
        (None, 10, {"o": "no"}),  # no is known when the horizon ends
        (None, 11, {}),
        (111, 11, {}),  # what came after the horizon changes nothing
    ],
)
def test_an_answer_known_before_the_asking_is_left_out_and_counted(
    chargeback: int | None, later: int, want: dict[str, str]
) -> None:
    ledger = town({"o": 100}, [] if chargeback is None else [("o", chargeback)])
    found, data = learnt(ledger, "chargeback_risk", 999, later=later)
    assert found == want
    assert data.counts["answered before asking"] == 1 - len(want)


def test_the_first_chargeback_counts_and_a_late_one_does_not_undo_it() -> None:
    ledger = town({"a": 100, "b": 100}, [("a", 120), ("a", 104), ("b", 120), ("b", 111)])
    asks = askings(ledger, "chargeback_risk")
    found = answers(ledger, asks, 10)
    assert asks.ids.to_pylist() == ["a", "b"]
    assert (found.answer.tolist(), found.known_at.tolist()) == ([YES, NO], [104, 110])


DISPUTES = {"granted": 10, "refused": 20, "settled": 30, "withdrawn": 40, "appealed": 50, "open": 60, "young": 109}
RULED = [
    ("granted", 12, "refund_partial"),  # after 2
    ("refused", 24, "refused"),  # 4
    ("settled", 31, "settled"),  # 1
    ("withdrawn", 43, "withdrawn"),  # 3
    ("appealed", 55, "refused"),  # 5, and the appeal is not trained on
    ("appealed", 70, "refund_full"),
]


def test_the_first_ruling_answers_a_dispute_and_what_is_neither_is_counted() -> None:
    found, data = learnt(town({"o": 1}, disputes=DISPUTES, rulings=RULED), "dispute_outcome", 112)
    assert found == {"granted": "yes", "refused": "no", "appealed": "no"}
    assert data.maturity == 5  # the 95th percentile of 1, 2, 3, 4, 5
    assert data.counts == {
        "asked": 7,
        "immature": 1,  # young: 109 + 5 >= 112
        "answered before asking": 0,
        "no answer": 1,
        "neither yes nor no": 2,
        "learnt from": 3,
        "yes": 1,
    }


@pytest.mark.parametrize(
    ("as_of", "want", "maturity"),
    [
        (12, {}, 0),  # the first ruling comes at 12, and is not yet known
        (13, {"granted": "yes"}, 2),  # granted is 3 old, more than 2
        (24, {"granted": "yes"}, 2),
        (25, {"granted": "yes", "refused": "no"}, 4),
        (55, {"granted": "yes", "refused": "no"}, 4),
        (56, {"granted": "yes", "refused": "no", "appealed": "no"}, 5),
        (71, {"granted": "yes", "refused": "no", "appealed": "no"}, 5),
    ],
)
def test_a_ruling_is_learnt_from_once_it_is_known(as_of: int, want: dict[str, str], maturity: int) -> None:
    found, data = learnt(town({"o": 1}, disputes=DISPUTES, rulings=RULED), "dispute_outcome", as_of)
    assert (found, data.maturity) == (want, maturity)


@pytest.mark.parametrize(("later", "want"), [(2, "granted refused appealed"), (3, "refused appealed"), (6, "")])
def test_a_dispute_asked_about_after_its_ruling_is_left_out(later: int, want: str) -> None:
    ledger = town({"o": 1}, disputes=DISPUTES, rulings=RULED)
    assert " ".join(learnt(ledger, "dispute_outcome", 999, later=later)[0]) == want


@pytest.mark.parametrize(
    ("delays", "want"),
    [([], 0), ([7], 7), ([1, 9], 9), ([*range(1, 21)], 19), ([*range(1, 22)], 20), ([*range(1, 101)], 95)],
)
def test_the_maturity_age_is_the_delay_that_19_of_20_answers_do_not_exceed(delays: list[int], want: int) -> None:
    n = len(delays)
    found = Answers(np.full(n, YES, np.int8), np.array([50 + d for d in delays], np.int64))
    assert maturity_age(asked("dispute_outcome", [50] * n), found, 999) == want


def test_a_question_without_the_tables_of_its_answers_is_an_error() -> None:
    ledger = Ledger.of(naive.tables({"orders": [{"order_id": "o", "at": 1}], "disputes": []}))
    for question, table in (("chargeback_risk", "chargebacks"), ("dispute_outcome", "rulings")):
        with pytest.raises(RedressError, match=f"{question}: want answers from a table {table}"):
            answers(ledger, askings(ledger, question), 10)


def asked(question: str, at: Sequence[int]) -> Askings:
    ids = pa.array([str(i) for i in range(len(at))], pa.large_string())
    return Askings(question, np.arange(len(at)), np.array(at, np.int64), ids)


@st.composite
def fates(draw: st.DrawFn) -> list[naive.Asked]:
    """Askings in time order, some later than their row, with answers that come whenever they like."""
    moment = st.integers(0, 30)
    asks = []
    for at in sorted(draw(st.lists(moment, max_size=25))):
        answer = draw(st.sampled_from(["yes", "no", "neither", None]))
        known_at = None if answer is None else draw(moment)
        asks.append(naive.Asked(at, at - draw(st.sampled_from([0, 0, 3])), answer, known_at))
    return asks


@pytest.mark.parametrize("question", ["chargeback_risk", "dispute_outcome"])
@given(fate=fates(), as_of=st.integers(-1, 45), horizon=st.sampled_from([0, 1, 5, 20]))
def test_learning_equals_its_naive_twin_and_never_uses_an_answer_before_it_was_known(
    question: str, fate: list[naive.Asked], as_of: int, horizon: int
) -> None:
    codes = {word: code for code, word in WORDS.items()}
    answer = np.array([codes[one.answer] for one in fate], np.int8)
    known_at = np.array([NOT_YET if one.known_at is None else one.known_at for one in fate], np.int64)
    row_at = np.array([one.row_at for one in fate], np.int64)
    found = labelled(asked(question, [one.at for one in fate]), Answers(answer, known_at), as_of, horizon, row_at)
    want, counts = naive.labelled(fate, as_of, horizon if question == "chargeback_risk" else None)
    assert dict(zip(found.which.tolist(), [WORDS[int(y)] for y in found.answer], strict=True)) == want
    assert found.counts == counts
    assert sum(counts.values()) - counts["yes"] == 2 * counts["asked"]  # everybody goes to one place
    for i in found.which:
        assert fate[i].at <= known_at[i] < as_of


@st.composite
def ruled_and_charged(draw: st.DrawFn) -> Ledger:
    moment = st.integers(0, 15)
    orders = {f"o{i}": draw(moment) for i in range(draw(st.integers(1, 4)))}
    first = orders["o0"]
    disputes = {f"d{i}": first + draw(moment) for i in range(draw(st.integers(0, 4)))}
    charged = draw(st.lists(st.tuples(st.sampled_from(sorted(orders)), moment), max_size=6))
    outcomes = st.sampled_from(
        ["refund_full", "refund_partial", "return_and_refund", "refused", "settled", "withdrawn"]
    )
    named = st.tuples(st.sampled_from(sorted(disputes) or ["d0"]), moment)
    ruled = draw(st.dictionaries(named, outcomes, max_size=6)) if disputes else {}
    sources = st.tuples(named, st.sampled_from(["officer", "audit"])).map(lambda one: (*one[0], one[1]))
    found = draw(st.dictionaries(sources, st.sampled_from([True, False, None]), max_size=6)) if disputes else {}
    places = st.tuples(st.integers(0, max(0, len(charged) - 1)), moment)
    defended = draw(st.sets(places, max_size=5)) if charged else set[tuple[int, int]]()
    ends = st.sampled_from(["won", "lost", "partial", "accepted", "no_response", "withdrawn", "pre_arbitration"])
    ended = draw(st.dictionaries(places, ends, max_size=8)) if charged else {}
    return town(
        orders,
        [(o, orders[o] + wait) for o, wait in charged],
        disputes,
        [(d, disputes[d] + wait, outcome) for (d, wait), outcome in ruled.items()],
        [(d, disputes[d] + wait, says, source) for (d, wait, source), says in found.items()],
        [(str(c), orders[charged[c][0]] + charged[c][1] + wait) for c, wait in defended],
        [(str(c), orders[charged[c][0]] + charged[c][1] + wait, outcome) for (c, wait), outcome in ended.items()],
    )


FINDINGS = [
    ("taken back", 12, True, "officer"),
    ("taken back", 20, False, "audit"),
    ("both at once", 15, False, "officer"),
    ("both at once", 15, True, "audit"),
    ("says nothing", 16, None, "audit"),
]


@pytest.mark.parametrize(
    ("as_of", "want"),
    [
        (20, {"taken back": "yes", "both at once": "yes"}),  # of one moment the gravest
        (21, {"taken back": "no", "both at once": "yes"}),  # the latest holds
        (12, {}),
    ],
)
def test_the_latest_finding_answers_whether_a_dispute_is_malicious_and_silence_is_no_answer(
    as_of: int, want: dict[str, str]
) -> None:
    disputes = dict.fromkeys(("taken back", "both at once", "says nothing", "unexamined"), 2)
    found, data = learnt(town({"o": 1}, disputes=disputes, findings=FINDINGS), "malicious_dispute", as_of)
    assert found == {name: answer for name, answer in want.items() if 2 + data.maturity < as_of}
    assert data.counts["neither yes nor no"] == 0


ENDED = [
    ("0", 30, "accepted"),  # before the defence: not an ending of what was asked
    ("0", 50, "pre_arbitration"),
    ("0", 60, "won"),
    ("0", 70, "lost"),
    ("1", 50, "partial"),
    ("2", 50, "withdrawn"),
    ("4", 50, "won"),
]


def test_the_first_ending_after_the_first_defence_answers_whether_a_chargeback_is_won() -> None:
    orders = {f"o{i}": 10 for i in range(5)}
    defences = [("0", 40), ("0", 65), ("1", 40), ("2", 40), ("3", 40)]
    ledger = town(orders, [(o, 20) for o in orders], defences=defences, endings=ENDED)
    found, data = learnt(ledger, "chargeback_win", 999)
    assert found == {"0": "yes", "1": "no"}
    assert (
        data.counts | {"asked": 4, "neither yes nor no": 1, "no answer": 1, "learnt from": 2, "yes": 1} == data.counts
    )


@settings(max_examples=30)
@given(ledger=ruled_and_charged(), horizon=st.sampled_from([0, 1, 5, 12]))
def test_answers_equal_their_naive_twin(ledger: Ledger, horizon: int) -> None:
    rows = naive.plain({name: source.parts[0].to_table() for name, source in ledger.sources.items()})
    for question in ASKED:
        asks = askings(ledger, question)
        found = answers(ledger, asks, horizon)
        want = [naive.answer(rows, question, ask, horizon) for ask in asks.ids.to_pylist()]
        assert [WORDS[int(y)] for y in found.answer] == [word for word, _ in want]
        assert found.known_at.tolist() == [NOT_YET if at is None else at for _, at in want]


@pytest.mark.parametrize(
    ("stop", "n", "train", "gap", "test", "start", "want"),
    [
        (100, 1, None, 0, 10, 0, [(0, 90, 90, 100)]),
        (100, 3, None, 5, 10, 40, [(40, 65, 70, 80), (40, 75, 80, 90), (40, 85, 90, 100)]),
        (100, 2, 30, 5, 10, 50, [(50, 75, 80, 90), (55, 85, 90, 100)]),  # no train span begins before the start
    ],
)
def test_folds_end_at_the_stop_with_test_spans_side_by_side(
    stop: int, n: int, train: int | None, gap: int, test: int, start: int, want: list[tuple[int, int, int, int]]
) -> None:
    found = folds(stop, n, train=train, gap=gap, test=test, start=start)
    assert [(f.train_from, f.train_to, f.test_from, f.test_to) for f in found] == want


@given(n=st.integers(1, 6), train=st.none() | st.integers(1, 50), gap=st.integers(0, 20), test=st.integers(1, 20))
def test_no_fold_trains_within_its_gap_or_on_what_it_tests(n: int, train: int | None, gap: int, test: int) -> None:
    found = folds(1000, n, train=train, gap=gap, test=test, start=3)
    assert len(found) == n
    assert all(fold.test_from - fold.train_to == gap for fold in found)
    assert all(one.test_to == other.test_from for one, other in pairwise(found))
    assert found[-1].test_to == 1000
