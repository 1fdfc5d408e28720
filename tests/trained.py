"""Models of every question over all signals of one small world, trained once for all tests that ask what models say."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa

from features import Ledger, signals
from features.asking import ASKED, askings
from features.kernel import DAY
from models import Model, fit
from models.questions import QUESTIONS, answers
from pipelines.marketplace import happen, world
from pipelines.marketplace.ledger import tables

HORIZON = 30 * DAY


@dataclass(frozen=True)
class Trained:
    """A model of a question with bags and a rival, and a frame that it was partly trained on."""

    model: Model
    frame: pd.DataFrame


@cache
def happened() -> dict[str, pa.Table]:
    """The tables of a small world with many chargebacks."""
    return tables(happen(world("chargeback_rich", orders=1_500, days=300, misunderstanding_rate=0.4), seed=5))


@cache
def marketplace() -> Ledger:
    """The ledger of that world."""
    return Ledger.of(happened())


@cache
def every_question() -> dict[str, Trained]:
    """A model of every question, with a calibration that changes something."""
    return {question: train(marketplace(), question) for question in ASKED}


def train(ledger: Ledger, question: str) -> Trained:
    """A model of a question and the frame's first rows; its rival tells dear orders from others."""
    asks = askings(ledger, question)
    answer = answers(ledger, asks, HORIZON).answer
    frame = signals(ledger, question, horizon=HORIZON)
    known = answer >= 0
    quick = {"num_leaves": 8, "min_data_in_leaf": 10, "learning_rate": 0.3}
    asked, some = QUESTIONS[question], frame[known]
    model = fit(
        some,
        answer[known],
        parameters=quick,
        monotone=asked.monotone,
        follows=asked.follows,
        terms=asked.terms,
        bags=3,
    )
    dear = (some["order_amount"] > some["order_amount"].median()).to_numpy().astype(np.int8)
    card = dict(model.card) | {"question": question, "horizon_days": HORIZON / DAY}
    rival = fit(some, dear, parameters=quick)
    return Trained(replace(model, slope=0.8, intercept=-0.3, card=card, rival=rival), frame[:500])
