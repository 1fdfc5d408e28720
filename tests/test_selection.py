"""Which cases were chosen: those like many that were not stand for more, within bounds."""

import numpy as np
import pytest

from features import Ledger
from features.asking import askings
from features.background import NOT_YET
from features.kernel import DAY
from models.questions import QUESTIONS
from models.selection import BOUND, selection
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables

WIN = QUESTIONS["chargeback_win"]


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    made = tables(happen(world("chargeback_rich", orders=4_000, contested=0.5), seed=4))
    return Ledger.of({name: made[name] for name in ("orders", "chargebacks", "representments", "disputes")})


def test_the_contested_stand_for_all_chargebacks(ledger: Ledger) -> None:
    assert WIN.choice is not None
    asks = askings(ledger, WIN.name)
    found = selection(ledger, asks, WIN.choice, NOT_YET, horizon=120 * DAY)
    assert found.share == pytest.approx(len(asks) / len(ledger.facts["chargebacks"]), abs=0.02)
    assert (found.weight >= 1 / BOUND).all()
    assert (found.weight <= BOUND).all()
    assert found.weight.mean() == pytest.approx(1, abs=0.05)
    amount = ledger.facts["chargebacks"].numbers("amount")[0]
    asked, every = np.log(amount[asks.row]), np.log(amount)
    gap = abs(np.average(asked, weights=found.weight) - every.mean())
    assert gap < abs(asked.mean() - every.mean()) / 2
    assert 0.5 * len(asks) < found.effective < len(asks)


def test_where_all_are_contested_each_stands_for_itself(ledger: Ledger) -> None:
    assert WIN.choice is not None
    asks = askings(ledger, WIN.name)
    every = type(WIN.choice)(lambda facts, _: np.ones(len(facts.facts["chargebacks"]), np.bool_), WIN.choice.signals)
    found = selection(ledger, asks, every, NOT_YET, horizon=120 * DAY)
    assert found.share == 1
    assert (found.weight == 1).all()
