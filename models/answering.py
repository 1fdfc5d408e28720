"""Answering a chargeback: wait for the platform, contest, settle or accept, by its kind, its deadline and expected money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Final

from features import RedressError
from features.codes import CODES
from features.kernel import DAY, HOUR
from models.deadlines import shown
from models.stakes import Answering, Case, break_even, lacking, worth

QUESTION: Final = "chargeback_win"
"""The question whose probability an answer goes by."""


@dataclass(frozen=True)
class Branch:
    """A kind of case: the first action of `tries` that is worth more than nothing is taken, or the last.

    With `whole` one contests only where a set of evidence is complete.
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
    no probability changes the action.
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
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    what_would_change: float | None


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
    deadline = _judged(case, answering)
    p = _probability(scores)
    branch = next(one for one in BRANCHES if one.theft == case.theft and case.notice in one.notice)
    lacks = lacking(case)
    barred = branch.whole and () not in lacks.values()
    values = worth(case, p, answering, marginal)
    known = case.amount is not None and not isnan(p)
    action = _chosen(branch, values, barred) if known else "review"
    ready_by = deadline - round(answering.margin * HOUR)
    flips = None if "contest" not in branch.tries or barred else break_even(case, answering, marginal)
    otherwise = values[action] if action in ("wait", "contest") else 0.0
    first = values["settle"] + (1 - answering.agreeing) * otherwise
    return Answer(
        chargeback_id=case.chargeback_id,
        action=action,
        branch=branch.name,
        values=values,
        settle_first=first,
        deadline=deadline,
        ready_by=ready_by,
        local=shown(deadline, zone),
        lacks=lacks,
        reasons=tuple(_reasons(case, branch, action, values, barred, flips, (first, otherwise), marginal)),
        warnings=tuple(_warnings(case, action, lacks, ready_by, zone)),
        what_would_change=flips,
    )


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
    days = {"visa": answering.visa, "mastercard": answering.mastercard}.get(case.network or "", answering.other)
    deadline = case.charged_at + round(days * DAY) if case.respond_by is None else case.respond_by
    if deadline <= case.at:
        how = f" ({days:g} days after it came)" if case.respond_by is None else ""
        raise RedressError(
            f"{where}.respond_by: want a moment after {shown(case.at)}, got {shown(deadline)}{how}; "
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


def _chosen(branch: Branch, values: Mapping[str, float], barred: bool) -> str:
    tried = [one for one in branch.tries if not (barred and one == "contest")]
    return next((one for one in tried if values[one] > 0), tried[-1])


def _money(cents: float) -> str:
    return f"{cents / 100:,.2f}"


def _reasons(
    case: Case,
    branch: Branch,
    action: str,
    values: Mapping[str, float],
    barred: bool,
    flips: float | None,
    settlement: Sequence[float],
    marginal: float,
) -> list[str]:
    """Why, in sentences; amounts are whole currency."""
    first, otherwise = settlement
    said = [f"{branch.name[0].upper()}{branch.name[1:]}. {branch.says}"]
    if case.amount is None:
        said.append("The amount is not known, so a person decides.")
    elif action == "review":
        said.append("The probability of winning is not known, and it is not guessed, so a person decides.")
    if barred:
        said.append(
            "A defence would lack a part of every set that this reason asks for, and it is final: it is not filed."
        )
    elif flips is not None:
        said.append(
            f"Contesting pays from a win probability above {flips:.1%}, and is worth {_money(values['contest'])}."
        )
    elif "contest" in branch.tries and case.amount is not None:
        said.append("Contesting costs more than even a sure win brings.")
    if case.amount is not None:
        better = "more than" if first > otherwise else "no more than"
        said.append(
            f"To seek a settlement first is worth {_money(first)}, {better} the {_money(otherwise)} without one."
        )
    if marginal > 0:
        said.append(f"One more case in this month's count costs {_money(marginal)} in a programme of the network.")
    return said


def _warnings(case: Case, action: str, lacks: Mapping[str, tuple[str, ...]], ready_by: int, zone: str) -> list[str]:
    """What to mind before acting."""
    said = list[str]()
    if case.at > ready_by:
        said.append(f"The answer was to be ready by {shown(ready_by, zone)}: act now.")
    if action == "contest" and lacks and () not in lacks.values():
        what = "; ".join(f"the set {name} lacks {', '.join(items)}" for name, items in lacks.items())
        said.append(f"A defence is final, nothing can be added later: {what}. Obtain one set before it is filed.")
    elif action == "contest" and not lacks:
        said.append(
            "A defence is final, nothing can be added later, and no set of evidence is declared for this reason."
        )
    if case.reason_code is not None and not any(case.reason_code in codes for codes in CODES.values()):
        said.append(f"The reason code {case.reason_code} is not known, and is taken for no card theft.")
    return said
