"""Advice on evidence: what a plan says, as plain types for a program and as a table for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan
from typing import Final

from features.candidates import Candidate
from models.answering import Answer
from models.deadlines import shown
from models.evidence import Line, Plan, SetState
from models.obtaining import Item
from pipelines.opening import moment

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

    def closing(self) -> dict[str, object]:
        """All of it as JSON holds it; money in cents, what is not known is null; at stake for an order is its
        amount times the probability of a chargeback."""
        plan = self.plan
        return {
            "case": self.case_id,
            "kind": self.kind,
            "as of": moment(self.t),
            "deadline": None if self.deadline is None else moment(self.deadline),
            "at stake": _number(plan.amount),
            "probability of": self.outcome,
            "probability without": _number(plan.without),
            "probability with": _number(plan.together),
            "recommended": [item.kind for item in plan.recommended],
            "recommended by": "rules" if self.ruled else "model",
            "cost": plan.cents,
            "worth beyond cost": _number(plan.worth),
            "hours in parallel": plan.hours,
            "completes": list(plan.completes),
            "items": [self._line(line) for line in plan.lines],
            "cannot be obtained": {item.kind: item.barred for item in self.barred},
            "sets": [_set(one, plan) for one in plan.sets],
            "prior transactions": [_programme(one) for one in self.programmes],
            "gains are": CAUTION,
            **({"fair": FAIR} if self.kind == "dispute" else {}),
            **self.more,
            "answer": None if self.answer is None else _answer(self.answer),
            "blocks": list(self.blocks),
            "notes": list(self.notes),
            "advice": self.sentence(),
        }

    def table(self) -> dict[str, object]:
        """A short table, an item a row, those recommended with a star, and a sentence."""
        found: dict[str, object] = {"at stake": self._stake()}
        found["item"] = f"{'cost':>8}{'hours':>8}{'gain alone':>12}{'in the set':>12}  completes"
        for line in self.plan.lines:
            found[f"{'*' if line.recommended else ' '} {line.item.kind}"] = self._row(line)
        found |= {f"set {one.name}": self._state(one) for one in self.plan.sets if one.asked}
        found |= {f"{one.name}, from the {one.anchor}": _priors(one) for one in self.programmes}
        wanted = {kind for one in self.plan.sets for kind in one.barred}
        found |= {f"  {item.kind}": item.barred for item in self.barred if item.kind in wanted}
        found |= {name: _shown(name, value) for name, value in self.more.items() if isinstance(value, float)}
        found |= {f"at shipment {i}": step for i, step in enumerate(self._steps(), 1)}
        found |= {f"block {i}": block for i, block in enumerate(self.blocks, 1)}
        found |= {} if self.answer is None else _answer_rows(self.answer, self.zone)
        found |= {f"note {i}" if i > 1 else "note": note for i, note in enumerate(self.notes, 1)}
        found |= {"fair": FAIR} if self.kind == "dispute" else {}
        found |= {} if self.ruled else {"gains are": CAUTION}
        return found | {"advice": self.sentence()}

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
        sets = f" This completes {_listed(asked)}." if asked else ""
        sets += f" It completes {_listed(besides)} as well, which the reason does not ask for." if besides else ""
        return f"{self._obtain()}{odds}.{sets}{self._named()}"

    def _by_rules(self) -> str:
        """What the rules ask for, and no word on what it is worth, since nothing tells that."""
        plan, asked = self.plan, [one for one in self.plan.sets if not one.complete]
        if not plan.sets:
            return "The rules ask for no set of evidence here, and nothing tells what an item changes: none is recommended."
        if not asked:
            return f"All that the rules ask for is there: {_listed([one.name for one in plan.sets])}."
        if not plan.recommended:
            sets = _listed([one.name for one in asked])
            return f"The rules ask for {sets}, which cannot be completed {self._by()}: nothing is recommended."
        without = "" if isnan(plan.without) else f" Without it the probability of {self.outcome} is {plan.without:.1%}."
        sets = f"This completes {_listed(plan.completes)}; what that changes is not known."
        return f"The rules ask to {_lower(self._obtain())}. {sets}{without}"

    def _obtain(self) -> str:
        plan = self.plan
        kinds = _listed([item.kind for item in plan.recommended])
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
        lacks = " and ".join(f"{one.name}, which {_listed(one.missing)} would complete" for one in able)
        return f" The reason asks for {lacks}." if lacks and self.kind != "order" else ""

    def _named(self) -> str:
        """The earlier orders that a defence names where a programme applies."""
        there = [one for one in self.programmes if len(one.qualifying) >= one.wanted]
        return "".join(f" {one.name} applies: name {_listed(one.qualifying[: one.wanted])}." for one in there[:1])

    def _stake(self) -> str:
        word = {"order": "the amount times the probability of a chargeback", "dispute": "claimed"}
        return f"{money(self.plan.amount):>8}  {word.get(self.kind, 'charged back')}"

    def _steps(self) -> list[str]:
        steps = self.more.get("steps", [])
        assert isinstance(steps, list)
        return [str(one["step"]) for one in steps if one["recommended"]]

    def _state(self, one: SetState) -> str:
        whole = self.plan.whole.get(one.name)
        gain = "" if whole is None or isnan(whole) else money((whole - self.plan.without) * self.plan.amount)
        return f"{_state(one)}{f'; the whole set gains {gain}' if gain else ''}"

    def _line(self, line: Line) -> dict[str, object]:
        beside = None if line.beside is None else _number(line.beside * self.plan.amount)
        return {
            "item": line.item.kind,
            "cost": line.item.cents,
            "hours": line.item.hours,
            "recommended": line.recommended,
            "gain alone": _number(line.alone * self.plan.amount),
            "gain in the set": beside,
            "probability gained alone": _number(line.alone),
            "probability gained in the set": None if line.beside is None else _number(line.beside),
            "completes": [{"set": name, "with": list(others)} for name, others in line.with_others],
            "adds nothing alone": line.alone_nothing,
        }

    def _row(self, line: Line) -> str:
        amount = self.plan.amount
        alone = "nothing" if line.alone_nothing else money(line.alone * amount)
        beside = "" if line.beside is None else money(line.beside * amount)
        others = {one.name for one in self.plan.sets if not one.asked}
        sets = "; ".join(
            f"{name}{f' with {_listed(rest)}' if rest else ''}{', not asked for' if name in others else ''}"
            for name, rest in line.with_others
        )
        return f"{money(line.item.cents):>8}{line.item.hours:>8g}{alone:>12}{beside:>12}  {sets}".rstrip()


def _answer(one: Answer) -> dict[str, object]:
    """An answer as JSON holds it."""
    told = asdict(one) | {"deadline": moment(one.deadline), "ready_by": moment(one.ready_by)}
    told["values"] = {name: _number(value) for name, value in one.values.items()}
    return told | {
        "settle_first": _number(one.settle_first),
        "lacks": {name: list(some) for name, some in one.lacks.items()},
    }


def _answer_rows(one: Answer, zone: str) -> dict[str, object]:
    """An answer as rows of a table."""
    values = ", ".join(f"{name} {money(value)}" for name, value in one.values.items())
    turn = "" if one.what_would_change is None else f"; contesting begins at a chance of {one.what_would_change:.1%}"
    found: dict[str, object] = {
        "answer": f"{one.action} ({one.branch}), ready by {shown(one.ready_by, zone)}; deadline {one.local}",
        "expected values": f"{values}; a settlement sought first {money(one.settle_first)}{turn}",
    }
    found |= {f"because {i}": reason for i, reason in enumerate(one.reasons, 1)}
    return found | {f"warning {i}": warning for i, warning in enumerate(one.warnings, 1)}


def money(cents: float) -> str:
    """Cents in whole currency, a dash where unknown.

    >>> money(-1_250), money(float("nan"))
    ('-12.50', '–')
    """
    return "–" if isnan(cents) else f"{cents / 100:,.2f}"


def _shown(name: str, value: float) -> str:
    return f"{value:.2%}" if name.startswith("probability") else money(value)


def _number(value: float) -> float | None:
    return None if isnan(value) else float(value)


def _listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _set(one: SetState, plan: Plan) -> dict[str, object]:
    held, missing, barred = (list(kinds) for kinds in (one.held, one.missing, one.barred))
    whole = plan.whole.get(one.name)
    return {
        "set": one.name,
        "asked for": one.asked,
        "complete": one.complete,
        "held": held,
        "missing": missing,
        "cannot be obtained": barred,
        "gain if completed": None if whole is None else _number((whole - plan.without) * plan.amount),
    }


def _state(one: SetState) -> str:
    if one.complete:
        return "complete"
    never = f"; cannot be completed, {_listed(one.barred)} being out of reach" if one.barred else ""
    whole = len(one.held) + len(one.missing)
    return f"incomplete, {len(one.held)} of {whole}: lacks {_listed(one.missing)}{never}"


def _programme(one: Programme) -> dict[str, object]:
    return {
        "programme": one.name,
        "anchor": one.anchor,
        "wanted": one.wanted,
        "applies": len(one.qualifying) >= one.wanted,
        "qualifying": list(one.qualifying),
        "nearly": [
            {
                "order_id": near.order_id,
                "lacks": list(near.lacks),
                "matches": list(near.matches),
                "could": list(near.could),
            }
            for near in one.nearly
        ],
    }


def _priors(one: Programme) -> str:
    enough = len(one.qualifying) >= one.wanted
    says = f"qualifying orders {len(one.qualifying)}{_in_brackets(one.qualifying)}, wanted {one.wanted}"
    nearly = () if enough else one.nearly[:3]
    return f"{'applies' if enough else 'lacks'}: {says}" + "".join(f"; {n.order_id} lacks {n.lacks[0]}" for n in nearly)


def _in_brackets(words: Iterable[str]) -> str:
    there = list(words)
    return f" ({', '.join(there[:5])}{', …' if len(there) > 5 else ''})" if there else ""
