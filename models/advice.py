"""Advice on evidence: what a plan says of a case, and what to do about it in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Final

from features.candidates import Candidate
from models.answering import Answer
from models.deadlines import shown
from models.evidence import Plan
from models.obtaining import Item
from models.telling import listed, money

CAUTION: Final = "association, not effect"
"""What a difference of probabilities that a model tells is: it was learnt from what was brought, and not by bringing it."""
FAIR: Final = (
    "evidence shows what happened; where the buyer is right, what is owed is owed: refund or replace, do not defend"
)
"""What goes with advice on a dispute: a refusal is no aim in itself."""
LEADS: Final = {
    "contest": "Contest.",
    "wait": "Wait: the platform files.",
    "settle": "Offer a settlement.",
    "accept": "Accept it.",
    "review": "A person decides.",
}
"""The answer to a chargeback in words."""
DEFENDED: Final = ("contest", "wait")


@dataclass(frozen=True)
class Programme:
    """A network's programme for a case: how many earlier orders it wants, by age from an anchor, and those there are."""

    name: str
    anchor: str
    wanted: int
    found: tuple[Candidate, ...]

    @property
    def qualifying(self) -> tuple[str, ...]:
        """The orders that qualify."""
        return tuple(one.order_id for one in self.found if one.qualifies)

    @property
    def nearly(self) -> tuple[Candidate, ...]:
        """The orders that lack one thing alone."""
        return tuple(one for one in self.found if one.near)


@dataclass(frozen=True)
class Advice:
    """What to obtain for a case: the plan, what cannot be obtained, until when, and what the case's numbers are called.

    `outcome` is what the probability is of; `notes` are sentences and `more` numbers besides. Without a deadline it is to
    be done at shipment. What is `ruled` is what the rules ask for, without a model. People read times in a `zone`.
    """

    case_id: str
    kind: str
    t: int
    deadline: int | None
    plan: Plan
    barred: tuple[Item, ...]
    outcome: str
    programmes: tuple[Programme, ...] = ()
    notes: tuple[str, ...] = ()
    answer: Answer | None = None
    blocks: tuple[str, ...] = ()
    more: Mapping[str, object] = field(default_factory=dict)
    ruled: bool = False
    zone: str = "UTC"

    def sentence(self) -> str:
        """What to do, in words."""
        told = self._by_rules() if self.ruled else self._by_worth()
        if self.answer is None:
            return told
        action = self.answer.action
        if action in DEFENDED or not self.plan.recommended:
            return f"{LEADS[action]} {told}"
        return f"{LEADS[action]} Should it come to a defence after all, {_lower(told)}"

    def _by_worth(self) -> str:
        plan, odds = self.plan, self._chance()
        if not plan.recommended:
            return f"Nothing that can be obtained {self._by()} is worth its cost{odds}.{self._open_sets()}"
        completes = [one for one in plan.sets if one.name in plan.completes]
        asked, besides = ([one.name for one in completes if one.asked is way] for way in (True, False))
        sets = f" This completes {listed(asked)}." if asked else ""
        sets += f" It completes {listed(besides)} as well, which the reason does not ask for." if besides else ""
        return f"{self._obtain()}{odds}.{sets}{self._named()}"

    def _by_rules(self) -> str:
        """What the rules ask for, and no word on what it is worth, since nothing tells that."""
        plan, asked = self.plan, [one for one in self.plan.sets if not one.complete]
        if not plan.sets:
            return "The rules ask for no set of evidence here, and nothing tells what an item changes: none is recommended."
        if not asked:
            return f"All that the rules ask for is there: {listed([one.name for one in plan.sets])}."
        if not plan.recommended:
            sets = listed([one.name for one in asked])
            return f"The rules ask for {sets}, which cannot be completed {self._by()}: nothing is recommended."
        without = "" if isnan(plan.without) else f" Without it the probability of {self.outcome} is {plan.without:.1%}."
        sets = f"This completes {listed(plan.completes)}; what that changes is not known."
        return f"The rules ask to {_lower(self._obtain())}. {sets}{without}"

    def _obtain(self) -> str:
        plan = self.plan
        kinds = listed([item.kind for item in plan.recommended])
        return f"Obtain {kinds} {self._by()}: in parallel this takes {plan.hours:g} hours and costs {money(plan.cents)}"

    def _by(self) -> str:
        return "at shipment" if self.deadline is None else f"by {shown(self.deadline, self.zone)}"

    def _chance(self) -> str:
        plan = self.plan
        if isnan(plan.without):
            return ""
        if not plan.recommended:
            return f"; the probability of {self.outcome} stays {plan.without:.1%}"
        change = f"goes with a probability of {self.outcome} of {plan.together:.1%} in place of {plan.without:.1%}"
        return f"; it {change}, worth {money(plan.worth)} beyond the cost"

    def _open_sets(self) -> str:
        """What would complete the sets that the reason asks for, which is no recommendation."""
        able = [one for one in self.plan.sets if one.asked and one.name in self.plan.whole]
        lacks = ", and for ".join(f"{one.name}, which {listed(one.missing)} would complete" for one in able)
        return f" The reason asks for {lacks}." if lacks and self.kind != "order" else ""

    def _named(self) -> str:
        """The earlier orders that a defence names where a programme applies."""
        there = [one for one in self.programmes if len(one.qualifying) >= one.wanted]
        return "".join(f" {one.name} applies: name {listed(one.qualifying[: one.wanted])}." for one in there[:1])


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
