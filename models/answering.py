"""Answering a chargeback: wait for the platform, contest, settle or accept, by its kind, its deadline and expected money."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Final

from features import RedressError
from features.codes import CODES
from features.kernel import HOUR
from models.deadlines import shown
from models.stakes import Answering, Case, break_even, due, lacking, worth
from models.telling import money

QUESTION: Final = "chargeback_win"
"""The question whose probability an answer goes by."""


@dataclass(frozen=True)
class Branch:
    """A kind of case: the first action of `tries` that is worth more than nothing is taken, or the last.

    With `whole` the first of `tries`, to contest, is left out unless a set of evidence is complete.
    """

    name: str
    theft: bool
    notice: tuple[bool, ...]
    tries: tuple[str, ...]
    whole: bool
    says: str


BRANCHES: Final = (
    Branch(
        "card theft, delivery notice filled",
        True,
        (True,),
        ("wait",),
        False,
        "The platform files with the card company, with order details and shipping information: check that name, address, "
        "carrier and dates are right and that the number is one that scans answer to.",
    ),
    Branch(
        "card theft, no delivery notice",
        True,
        (False,),
        ("contest", "settle", "accept"),
        True,
        "Nobody can file for a parcel without a number, and every set that answers card theft needs it: if the parcel has "
        "left, fill in the delivery notice and the platform files; if it has not, do not ship.",
    ),
    Branch(
        "refusal of goods or another kind",
        False,
        (True, False),
        ("contest", "settle", "accept"),
        False,
        "The seller appeals through the notice, before its deadline, where that is worth more than it costs.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to do about a chargeback, by when, and why.

    `values` are expected cents of each action, NaN where not known, against 0 for accepting; `settle_first` those of seeking
    a settlement and, if that fails, doing as answered (after a review, of accepting). `lacks` names the items that each set
    asked for lacks. `what_would_change` is the win probability above which one contests and at or below which not; None where
    no probability makes one contest, or the platform files anyway.
    """

    chargeback_id: str
    action: str
    branch: str
    values: Mapping[str, float]
    settle_first: float
    deadline: int
    ready_by: int
    local: str
    lacks: Mapping[str, tuple[str, ...]]
    what_would_change: float | None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def worth(self) -> float:
        """Expected cents of the action without a settlement, which where one settles or a person decides is accepting."""
        return self.values[self.action] if self.action in ("wait", "contest") else 0.0


def answer(
    case: Case,
    scores: Mapping[str, float | None],
    answering: Answering,
    *,
    marginal: float = 0.0,
    zone: str = "UTC",
) -> Answer:
    """The answer to a chargeback; `scores` has its probability of being won, `marginal` what one more costs in a programme.

    Raises RedressError for a case that has no order, was contested or has ended, or whose deadline is over, and for what is no
    probability.

    >>> case = Case(chargeback_id="c", order_id="o", at=0, charged_at=0, amount=10_000, reason_code="13.1")
    >>> told = answer(case, {"chargeback_win": 0.5}, Answering(handling=1_000))
    >>> told.action, told.values["contest"], told.what_would_change  # in 1970 there was no fee for countering
    ('contest', 4000.0, 0.1)
    >>> answer(case, {"chargeback_win": 0.1}, Answering(handling=1_000)).action
    'settle'
    """
    deadline, p = _judged(case, answering), _probability(scores)
    branch = next(one for one in BRANCHES if one.theft == case.theft and case.notice in one.notice)
    lacks, values = lacking(case), worth(case, p, answering, marginal)
    tries = branch.tries[1:] if _barred(branch, lacks) else branch.tries
    action = next((one for one in tries if values[one] > 0), tries[-1])
    found = Answer(
        chargeback_id=case.chargeback_id,
        action="review" if case.amount is None or isnan(p) else action,
        branch=branch.name,
        values=values,
        settle_first=values["settle"],
        deadline=deadline,
        ready_by=deadline - round(answering.margin * HOUR),
        local=shown(deadline, zone),
        lacks=lacks,
        what_would_change=break_even(case, answering, marginal) if "contest" in tries else None,
    )
    found = replace(found, settle_first=values["settle"] + (1 - answering.agreeing) * found.worth)
    return replace(
        found,
        reasons=tuple(_reasons(case, branch, found, marginal)),
        warnings=tuple(_warnings(case, found, zone)),
    )


def _barred(branch: Branch, lacks: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether one may not contest, since no set of evidence is complete."""
    return branch.whole and () not in lacks.values()


def _judged(case: Case, answering: Answering) -> int:
    """The deadline of a case that can be answered; RedressError for one that cannot."""
    where = f"chargeback {case.chargeback_id}"
    if not case.order_id:
        raise RedressError(
            f"{where}.order_id: want the order it is about, got none; find it, a defence tells its details"
        )
    if case.contested:
        raise RedressError(
            f"{where}: want one that was not defended, got one with a representment; wait for the ruling, a defence is final"
        )
    if case.ended:
        raise RedressError(f"{where}: want one that is open, got one that has ended; there is nothing left to answer")
    deadline, field = due(answering, case.charged_at, case.network, case.respond_by)
    if deadline <= case.at:
        raise RedressError(
            f"{where}.respond_by: want a moment after {shown(case.at)}, got {shown(deadline)} by {field}; "
            "book it as no_response, or correct the deadline"
        )
    return deadline


def _probability(scores: Mapping[str, float | None]) -> float:
    """The win probability, NaN where it is missing; RedressError for what is none."""
    p = scores.get(QUESTION)
    if p is None or isnan(p):
        return nan
    if not 0 <= p <= 1:
        raise RedressError(
            f"scores.{QUESTION}: want a probability from 0 to 1, got {p:g}; give the model's probability"
        )
    return float(p)


def _reasons(case: Case, branch: Branch, found: Answer, marginal: float) -> list[str]:
    """Why, in sentences; amounts are whole currency."""
    said = [f"{branch.name[0].upper()}{branch.name[1:]}. {branch.says}"]
    if case.amount is None:
        said.append("The amount is not known, so a person decides.")
    elif found.action == "review":
        said.append("The probability of winning is not known, and it is not guessed, so a person decides.")
    if _barred(branch, found.lacks):
        said.append(
            "Every set of evidence that this reason asks for lacks a part, and a defence is final: none is filed."
        )
    elif found.what_would_change is not None:
        here = "" if found.action == "review" else f", and is worth {money(found.values['contest'])} here"
        said.append(f"Contesting pays from a win probability above {found.what_would_change:.1%}{here}.")
    elif "contest" in branch.tries and case.amount is not None:
        said.append("Contesting costs more than even a sure win brings.")
    if case.amount is not None:
        better = "more than" if found.settle_first > found.worth else "no more than"
        told = f"{money(found.settle_first)}, {better} the {money(found.worth)} without one"
        said.append(f"To seek a settlement first is worth {told}.")
    if marginal > 0:
        said.append(f"One more case in this month's count costs {money(marginal)} in a programme of the network.")
    return said


def _warnings(case: Case, found: Answer, zone: str) -> list[str]:
    """What to mind before acting."""
    said = list[str]()
    if case.at > found.ready_by:
        said.append(f"The answer was to be ready by {shown(found.ready_by, zone)}: act now.")
    if found.action == "contest" and () not in found.lacks.values():
        what = "; ".join(f"the set {name} lacks {', '.join(items)}" for name, items in found.lacks.items())
        ask = (
            f"{what}. Where one can be had, obtain it before it is filed."
            if what
            else "no set of evidence is declared for this reason."
        )
        said.append(f"A defence is final, nothing can be added later: {ask}")
    if case.reason_code is not None and not any(case.reason_code in codes for codes in CODES.values()):
        said.append(f"The reason code {case.reason_code} is not known, and is taken for no card theft.")
    return said
