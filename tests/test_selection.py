"""Which cases were chosen: those like many that were not stand for more, within bounds."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
WORLD = world("chargeback_rich", orders=4_000, contested=0.5)
TABLES = ("orders", "chargebacks", "representments", "disputes")
US = pa.timestamp("us", "UTC")


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    made = tables(happen(WORLD, seed=4))
    return Ledger.of({name: made[name] for name in TABLES})


def until(moment: int) -> Ledger:
    """The same ledger without the rows of a moment and later."""
    made = tables(happen(WORLD, seed=4))
    return Ledger.of({name: made[name].filter(pc.field("at") < pa.scalar(moment, US)) for name in TABLES})


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


def test_what_came_after_a_moment_chose_nothing_by_then(ledger: Ledger) -> None:
    assert WIN.choice is not None
    asks = askings(ledger, WIN.name)
    moment = int(np.median(asks.at))
    found, early = (
        selection(facts, askings(facts, WIN.name, stop=moment), WIN.choice, moment, horizon=120 * DAY)
        for facts in (ledger, until(moment))
    )
    assert found.share == early.share
    assert found.weight.tolist() == early.weight.tolist()


def test_the_share_is_of_the_chargebacks_that_came_no_later_than_the_last_asked_about(ledger: Ledger) -> None:
    assert WIN.choice is not None
    asks = askings(ledger, WIN.name)
    at, moment = ledger.facts["chargebacks"].at, int(np.median(asks.at))
    some = asks.take(np.arange(len(asks) // 4))  # asked about long before the moment
    defended = asks.row[(asks.at < moment) & (at[asks.row] <= at[some.row].max())]
    found = selection(ledger, some, WIN.choice, moment, horizon=120 * DAY)
    assert found.share == len(defended) / (at <= at[some.row].max()).sum()
