"""Advice on evidence: what a plan says, as plain types for a program and as a table for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan
from typing import Final

from features.candidates import Candidate
from models.answering import Answer
from models.evidence import Line, Plan, SetState
from models.obtaining import Item
from pipelines.opening import moment

CAUTION: Final = "association, not effect"
"""What a difference of probabilities that a model tells is: it was learnt from what was brought, and not by bringing it."""


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
    be done at shipment.
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
            "cost": plan.cents,
            "worth beyond cost": _number(plan.worth),
            "hours in parallel": plan.hours,
            "completes": list(plan.completes),
            "items": [self._line(line) for line in plan.lines],
            "cannot be obtained": {item.kind: item.barred for item in self.barred},
            "sets": [_set(one) for one in plan.sets],
            "prior transactions": [_programme(one) for one in self.programmes],
            "gains are": CAUTION,
            **self.more,
            "answer": None if self.answer is None else _answer(self.answer),
            "blocks": list(self.blocks),
            "notes": list(self.notes),
            "advice": self.sentence(),
        }

    def table(self) -> dict[str, object]:
        """A short table, an item a row, those recommended with a star, and a sentence."""
        found: dict[str, object] = {"item": f"{'cost':>8}{'hours':>8}{'gain alone':>12}{'in the set':>12}  completes"}
        for line in self.plan.lines:
            found[f"{'*' if line.recommended else ' '} {line.item.kind}"] = self._row(line)
        found |= {f"set {one.name}": _state(one) for one in self.plan.sets}
        found |= {f"{one.name}, from the {one.anchor}": _priors(one) for one in self.programmes}
        wanted = {kind for one in self.plan.sets for kind in one.barred}
        found |= {f"  {item.kind}": item.barred for item in self.barred if item.kind in wanted}
        found |= {name: _shown(name, value) for name, value in self.more.items() if isinstance(value, float)}
        found |= {f"block {i}": block for i, block in enumerate(self.blocks, 1)}
        found |= {} if self.answer is None else _answer_rows(self.answer)
        found |= {f"note {i}" if i > 1 else "note": note for i, note in enumerate(self.notes, 1)}
        return found | {"gains are": CAUTION, "advice": self.sentence()}

    def sentence(self) -> str:
        """What to do, in words."""
        plan = self.plan
        by = "at shipment" if self.deadline is None else f"by {moment(self.deadline)}"
        if not plan.recommended:
            lacks = "completes a set that the reason asks for" if self.kind == "dispute" else "is worth its cost"
            return f"Nothing that can be obtained {by} {lacks}{self._chance()}."
        kinds = _listed([item.kind for item in plan.recommended])
        says = f"Obtain {kinds} {by}: in parallel this takes {plan.hours:g} hours and costs {money(plan.cents)}"
        sets = f" This completes {_listed(plan.completes)}." if plan.completes else ""
        return f"{says}{self._chance()}.{sets}"

    def _chance(self) -> str:
        plan = self.plan
        if isnan(plan.without):
            return ""
        if not plan.recommended:
            return f"; the probability of {self.outcome} stays {plan.without:.1%}"
        change = f"goes with a probability of {self.outcome} of {plan.together:.1%} in place of {plan.without:.1%}"
        return f"; it {change}, worth {money(plan.worth)} beyond the cost"

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
        sets = "; ".join(f"{name}{f' with {_listed(rest)}' if rest else ''}" for name, rest in line.with_others)
        return f"{money(line.item.cents):>8}{line.item.hours:>8g}{alone:>12}{beside:>12}  {sets}".rstrip()


def _answer(one: Answer) -> dict[str, object]:
    """An answer as JSON holds it."""
    told = asdict(one) | {"deadline": moment(one.deadline), "ready_by": moment(one.ready_by)}
    told["values"] = {name: _number(value) for name, value in one.values.items()}
    return told | {
        "settle_first": _number(one.settle_first),
        "lacks": {name: list(some) for name, some in one.lacks.items()},
    }


def _answer_rows(one: Answer) -> dict[str, object]:
    """An answer as rows of a table."""
    values = ", ".join(f"{name} {money(value)}" for name, value in one.values.items())
    turn = "" if one.what_would_change is None else f"; contesting begins at a chance of {one.what_would_change:.1%}"
    found: dict[str, object] = {
        "answer": f"{one.action} ({one.branch}), ready by {moment(one.ready_by)}; deadline {moment(one.deadline)}, {one.local}",
        "expected values": f"{values}; a settlement sought first {money(one.settle_first)}{turn}",
    }
    if one.action in ("settle", "accept", "review"):
        found["evidence"] = "what is recommended is for a defence, should it come to one after all"
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


def _set(one: SetState) -> dict[str, object]:
    held, missing, barred = (list(kinds) for kinds in (one.held, one.missing, one.barred))
    return {"set": one.name, "complete": one.complete, "held": held, "missing": missing, "cannot be obtained": barred}


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
