"""The questions as data: what each asks about, what its answers are, and when they become known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import Ledger, RedressError
from features.asking import ASKED, Askings
from features.background import NOT_YET, first_at, first_rulings
from features.kernel import Flag, Int

Answer = NDArray[np.int8]

YES: Final = 1
NO: Final = 0
OPEN: Final = -1
"""No answer, or none yet."""
LEFT_OUT: Final = -2
"""Ended in a way that is neither yes nor no."""


@dataclass(frozen=True)
class Answers:
    """What became of each asking: `answer` (n,) YES, NO, OPEN or LEFT_OUT, and `known_at` (n,) when that was known."""

    answer: Answer
    known_at: Int


@dataclass(frozen=True)
class Question:
    """A question: the tables its answers need, how they are found, and the words for yes and no.

    With a `horizon` an asking is mature once that has passed since the row's own `at`, whatever came; without one, once it
    is as old as nearly all answers were when they came.
    """

    name: str
    says: str
    needs: tuple[str, ...]
    answers: Callable[[Ledger, Askings, int], Answers]
    horizon: bool
    yes: str
    no: str
    amount: str
    history: tuple[str, str]


def _charged(ledger: Ledger, asks: Askings, horizon: int) -> Answers:
    orders = ledger.facts["orders"]
    end = orders.at[asks.row] + horizon
    charges = ledger.facts["chargebacks"]
    first = first_at(charges.points["orders"], charges.at, len(orders))[asks.row]
    charged = first <= end
    return Answers(np.where(charged, YES, NO).astype(np.int8), np.where(charged, first, end))


def _granted(ledger: Ledger, asks: Askings, horizon: int) -> Answers:
    rows, granted, refused = first_rulings(ledger)
    facts, disputes = ledger.facts["rulings"], len(ledger.facts["disputes"])
    answer, known_at = np.full(disputes, OPEN, np.int8), np.full(disputes, NOT_YET)
    dispute = facts.points["disputes"][rows]
    answer[dispute] = np.select([granted, refused], [YES, NO], LEFT_OUT)
    known_at[dispute] = facts.at[rows]
    return Answers(answer[asks.row], known_at[asks.row])


QUESTIONS: Final = {
    q.name: q
    for q in (
        Question(
            "chargeback_risk",
            "will a chargeback come for this order within the horizon?",
            ("orders", "chargebacks"),
            _charged,
            True,
            "charged back",
            "not charged back",
            "order_amount",
            ("seller_chargebacks_matured_count_ever", "seller_matured_orders_count_ever"),
        ),
        Question(
            "dispute_outcome",
            "will the first ruling be for the buyer?",
            ("disputes", "rulings"),
            _granted,
            False,
            "granted",
            "refused",
            "dispute_claimed",
            ("seller_rulings_granted_count_ever", "seller_rulings_count_ever"),
        ),
    )
}
"""Every question by name."""


def asked(name: str) -> Question:
    """The question of a name; RedressError for one that is none, or has signals and no answers yet."""
    if name not in QUESTIONS:
        why = ", which has signals and no model yet; redress signals writes them" if name in ASKED else ""
        raise RedressError(f"question: want one of {', '.join(QUESTIONS)}, got {name}{why}")
    return QUESTIONS[name]


def answers(ledger: Ledger, asks: Askings, horizon: int) -> Answers:
    """The answer to each asking and when it became known; RedressError when the ledger has no answers to give."""
    question = asked(asks.question)
    for table in question.needs:
        if table not in ledger.facts:
            raise RedressError(
                f"{question.name}: want answers from a table {table}, got {', '.join(ledger.facts)}; import it"
            )
    return question.answers(ledger, asks, horizon)


def answered(ledger: Ledger, asks: Askings, horizon: int) -> Flag:
    """Where an asking comes after its answer was known, as far as the ledger can tell; such a one is not scored."""
    if any(table not in ledger.facts for table in QUESTIONS[asks.question].needs):
        return np.zeros(len(asks), np.bool_)
    return np.asarray(answers(ledger, asks, horizon).known_at < asks.at, np.bool_)
