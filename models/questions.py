"""The questions as data: what each asks about, what its answers are, and when they become known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import Ledger, RedressError
from features.asking import Askings
from features.background import NOT_YET, first_at, first_rows, first_rulings, is_ending, is_word
from features.kernel import Flag, Int, positions
from models.selection import Choice
from models.sources import SAYING, Source
from models.terms import REASONS, WINNING, Term

Answer = NDArray[np.int8]

YES: Final = 1
NO: Final = 0
OPEN: Final = -1
"""No answer, or none yet."""
LEFT_OUT: Final = -2
"""Ended in a way that is neither yes nor no."""


@dataclass(frozen=True)
class Answers:
    """What became of each asking: `answer` (n,) YES, NO, OPEN or LEFT_OUT, and `known_at` (n,) when that was known.

    Where answers are revised, `turns` are the asking, the moment and the answer of each that was given, in time order.
    """

    answer: Answer
    known_at: Int
    turns: tuple[Int, Int, Answer] | None = None

    def as_of(self, t: int) -> "Answers":
        """The same with the latest answers given before `t`, for askings that had any by then."""
        if self.turns is None:
            return self
        which, at, answer = self.turns
        latest, kept = self.answer.copy(), at < t
        latest[which[kept]] = answer[kept]  # of several for one asking NumPy keeps the last
        return Answers(latest, self.known_at, self.turns)


@dataclass(frozen=True)
class Question:
    """A question: the tables its answers need, how they are found, and the words for yes and no.

    With a `horizon` an asking is mature once that has passed since the row's own `at`, whatever came; without one, once it
    is as old as nearly all answers were when they came. `amount` is the signal of the money at stake; `history` those of
    past answers: how many yes, and those that add up to all; `follows` is that which a model's intercept follows; `monotone`
    says of signals, by pattern, that more of them never lowers (1) or never raises (-1) the probability; `terms` are what a
    linear model is made of before trees are grown; `choice` is how cases come to be answered, where that is chosen; `sources`
    are those of the soft labels it is learnt from, if any.
    """

    name: str
    says: str
    needs: tuple[str, ...]
    answers: Callable[[Ledger, Askings, int], Answers]
    horizon: bool
    yes: str
    no: str
    amount: str
    history: tuple[str, ...]
    follows: str | None
    monotone: Mapping[str, int] = field(default_factory=dict)
    terms: tuple[Term, ...] = ()
    choice: Choice | None = None
    sources: tuple[Source, ...] = ()


MORE_EVIDENCE: Final[Mapping[str, int]] = {
    "case_evidence_count": 1,
    "case_evidence_carrier_issued_count": 1,
    **{f"case_evidence_by_{party}_count": 1 for party in ("seller", "platform", "carrier")},
    "case_items_*": 1,
    "case_*_set_missing": -1,
}
"""One more item of our own never lowers the chance of winning, nor does an item that completes a set."""


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


def _won(ledger: Ledger, asks: Askings, horizon: int) -> Answers:
    """The first ending after the first defence; a chargeback without a defence has no answer, whatever became of it."""
    chargebacks, endings = len(ledger.facts["chargebacks"]), ledger.facts["chargeback_rulings"]
    defences = ledger.facts["representments"]
    defended = np.append(first_at(defences.points["chargebacks"], defences.at, chargebacks), NOT_YET)
    outcome, of = endings.codes("outcome"), endings.points["chargebacks"]
    ends = is_ending(outcome) & (endings.at > defended[of])
    rows = np.flatnonzero(ends)[first_rows(of[ends], chargebacks)]
    answer, known_at = np.full(chargebacks, OPEN, np.int8), np.full(chargebacks, NOT_YET)
    won, withdrawn = (is_word(outcome, word)[rows] for word in ("won", "withdrawn"))
    answer[of[rows]] = np.select([won, withdrawn], [YES, LEFT_OUT], NO)
    known_at[of[rows]] = endings.at[rows]
    return Answers(answer[asks.row], known_at[asks.row])


def _contested(ledger: Ledger, as_of: int) -> Flag:
    """Which chargebacks have a defence by then."""
    defences, chosen = ledger.facts["representments"], np.zeros(len(ledger.facts["chargebacks"]), np.bool_)
    chosen[defences.points["chargebacks"][defences.at < as_of]] = True
    return chosen


_BEFORE: Final = ("chargeback_amount", "chargeback_is_visa", "chargeback_is_mastercard", *REASONS)
"""What a bank's notice says, by which it is chosen what to contest."""


def _malicious(ledger: Ledger, asks: Askings, horizon: int) -> Answers:
    """What a finding says, the latest where several do, of one moment the gravest; without one there is no answer."""
    facts, disputes = ledger.facts["findings"], len(ledger.facts["disputes"])
    says, known = facts.numbers("malicious")
    of = facts.points["disputes"]
    rows = np.flatnonzero(known)
    rows = rows[np.lexsort((says[rows], facts.at[rows]))]
    order = np.argsort(asks.row, kind="stable")
    lo, hi = (np.searchsorted(asks.row[order], of[rows], side) for side in ("left", "right"))
    which, place = positions(lo, hi)
    turns = order[place], facts.at[rows][which], says[rows][which].astype(np.int8)
    known_at = first_at(of[rows], facts.at[rows], disputes)[asks.row]
    return Answers(np.full(len(asks), OPEN, np.int8), known_at, turns).as_of(NOT_YET)


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
            "platform_answers_log_odds_90d",
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
            "platform_answers_log_odds_90d",
        ),
        Question(
            "malicious_dispute",
            "is this dispute malicious?",
            ("disputes", "findings"),
            _malicious,
            False,
            "found malicious",
            "found honest",
            "dispute_claimed",
            (
                "buyer_found_malicious_count_ever",
                "buyer_found_malicious_count_ever",
                "buyer_found_honest_count_ever",
            ),
            "platform_answers_log_odds_365d",
            sources=SAYING,
        ),
        Question(
            "chargeback_win",
            "will this chargeback be won with the evidence at hand?",
            ("chargebacks", "representments", "chargeback_rulings"),
            _won,
            False,
            "won",
            "not won",
            "chargeback_amount",
            (
                "buyer_chargebacks_won_count_ever",
                "buyer_chargebacks_won_count_ever",
                "buyer_chargebacks_lost_count_ever",
            ),
            None,
            MORE_EVIDENCE,
            WINNING,
            Choice(_contested, _BEFORE),
        ),
    )
}
"""Every question by name."""


def asked(name: str) -> Question:
    """The question of a name; RedressError for one that is none."""
    if name not in QUESTIONS:
        raise RedressError(f"question: want one of {', '.join(QUESTIONS)}, got {name}")
    return QUESTIONS[name]


def answers(ledger: Ledger, asks: Askings, horizon: int) -> Answers:
    """The answer to each asking and when it became known; RedressError when the ledger has no answers to give."""
    return answerable(ledger, asks.question).answers(ledger, asks, horizon)


def answerable(ledger: Ledger, name: str) -> Question:
    """The question of a name; RedressError when the ledger has no answers to give."""
    question = asked(name)
    for table in question.needs:
        if table not in ledger.facts:
            raise RedressError(
                f"{question.name}: want answers from a table {table}, got {', '.join(ledger.facts)}; import it"
            )
    return question


def answered(ledger: Ledger, asks: Askings, horizon: int) -> Flag:
    """Where an asking comes after its answer was known, as far as the ledger can tell; such a one is not scored."""
    if any(table not in ledger.facts for table in QUESTIONS[asks.question].needs):
        return np.zeros(len(asks), np.bool_)
    return np.asarray(answers(ledger, asks, horizon).known_at < asks.at, np.bool_)
