"""Every denominator by hand, at every moment."""

import naive
import numpy as np
import pandas as pd
import pytest

from features import Ledger
from models.curves import wilson
from models.denominators import DENOMINATORS, ending_shares, states, win_shares

CASES = {  # chargeback: cents, moment of the defence, endings
    "won": (100, 20, [(40, "won"), (60, "lost")]),
    "lost": (300, 20, [(30, "pre_arbitration"), (40, "lost")]),
    "part": (100, 20, [(40, "partial")]),
    "withdrawn": (100, 20, [(40, "withdrawn")]),
    "open": (200, 20, [(30, "pre_arbitration")]),
    "late": (100, 25, [(22, "no_response"), (45, "won")]),
    "accepted": (100, None, [(15, "accepted")]),
    "unanswered": (None, None, []),
}


def bank(defences: bool = True) -> Ledger:
    rows = [{"chargeback_id": c, "order_id": "o", "at": 10, "amount": cents} for c, (cents, _, _) in CASES.items()]
    defended = [{"chargeback_id": c, "at": at} for c, (_, at, _) in CASES.items() if at is not None]
    ended = [{"chargeback_id": c, "at": at, "outcome": how} for c, (_, _, ends) in CASES.items() for at, how in ends]
    orders = [{"order_id": "o", "at": 1}]
    kept: naive.Rows = {"orders": orders, "chargebacks": rows, "representments": defended, "chargeback_rulings": ended}
    found = naive.tables(kept)
    return Ledger.of({name: table for name, table in found.items() if defences or name != "representments"})


def told(as_of: int, defences: bool = True) -> dict[str, str]:
    ledger = bank(defences)
    found = states(ledger, as_of)
    letters = {"contested": "c", "ended": "e", "won": "w", "withdrawn": "-"}
    ids = ledger.facts["chargebacks"].strings("chargeback_id").to_pylist()
    flags = found[list(letters)].to_numpy(np.bool_).tolist()
    words = ("".join(word for word, held in zip(letters.values(), row, strict=True) if held) for row in flags)
    return dict(zip((ids[i] for i in found.index), words, strict=True))


def test_a_contested_chargeback_ends_at_the_first_ending_after_its_defence() -> None:
    assert told(99) == {
        **{"won": "cew", "lost": "ce", "part": "ce", "withdrawn": "ce-", "open": "c", "late": "cew"},
        **{"accepted": "e", "unanswered": ""},
    }


@pytest.mark.parametrize(
    ("as_of", "won", "late"),
    [
        (11, "", ""),
        (20, "", ""),
        (21, "c", ""),
        (23, "c", "e"),
        (26, "c", "c"),
        (40, "c", "c"),
        (41, "cew", "c"),
        (46, "cew", "cew"),
    ],
)
def test_only_what_was_known_by_then_counts(as_of: int, won: str, late: str) -> None:
    assert (told(as_of)["won"], told(as_of)["late"]) == (won, late)


def test_a_chargeback_that_had_not_come_is_none() -> None:
    assert states(bank(), 10).empty
    assert win_shares(states(bank(), 10)).empty


def test_without_defences_nothing_was_contested() -> None:
    found = told(99, defences=False)
    assert (found["won"], found["late"], found["open"]) == ("ew", "e", "")


def test_each_denominator_has_its_own_share() -> None:
    found = win_shares(states(bank(), 99)).set_index("among")
    assert found["won"].tolist() == [2] * 8
    assert found["n"].to_dict() == {
        "contested": 6,
        "contested and ended": 5,
        "contested, without withdrawn": 5,
        "contested and ended, without withdrawn": 4,
        "all chargebacks": 8,
        "all that ended": 6,
        "all chargebacks, without withdrawn": 7,
        "all that ended, without withdrawn": 5,
    }
    assert found["share"].to_numpy() == pytest.approx(2 / found["n"].to_numpy())
    assert found["immature"].to_numpy() == pytest.approx([1 / 6, 0, 1 / 5, 0, 2 / 8, 0, 2 / 7, 0])
    assert found["amount"].tolist() == [900, 700, 800, 600, 1000, 800, 900, 700]  # one amount is not known
    assert found["amount_share"].to_numpy() == pytest.approx(200 / found["amount"].to_numpy())
    assert found["amount_immature"].to_numpy() == pytest.approx([2 / 9, 0, 2 / 8, 0, 2 / 10, 0, 2 / 9, 0])


def test_every_denominator_is_named_apart() -> None:
    assert len({one.name for one in DENOMINATORS}) == len(DENOMINATORS) == 8


def test_one_large_amount_says_no_more_than_one_chargeback() -> None:
    flags = {"contested": True, "ended": True, "withdrawn": False}
    frame = pd.DataFrame(flags | {"won": [True] + [False] * 9, "amount": [10_000.0] + [1.0] * 9})
    found = win_shares(frame).iloc[0]
    low, high = wilson(np.array(10_000 / 10_009), np.array(10_009**2 / (10_000**2 + 9)))
    assert (found["amount_low"], found["amount_high"]) == pytest.approx((low, high))
    assert found["amount_low"] < 0.25
    assert (found["low"], found["high"]) == pytest.approx(wilson(np.array(0.1), np.array(10)))


@pytest.mark.parametrize(("ended", "won", "share"), [(0, 0, 0.25), (20, 0, 0.125), (20, 20, 0.625), (2_000, 500, 0.25)])
def test_few_endings_stay_near_what_is_known_beforehand(ended: int, won: int, share: float) -> None:
    frame = pd.DataFrame({"ended": np.ones(ended, np.bool_), "won": np.arange(ended) < won})
    frame = frame.assign(contested=frame["won"], withdrawn=False)
    open_ = pd.DataFrame({"ended": [False], "won": [False], "contested": [True], "withdrawn": [False]})
    assert ending_shares(pd.concat([frame, open_]))["win_share"] == pytest.approx(share)
