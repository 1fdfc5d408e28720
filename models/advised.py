"""Advice as JSON holds it: plain types for a program."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isnan
from typing import Final

from features.tables import CASES
from models.advice import CAUTION, FAIR, LEADS, Advice, Programme
from models.answering import Answer
from models.deadlines import iso
from models.evidence import Line, Plan, SetState

Schema = Mapping[str, object]
_WORDS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_CENTS: Final[Schema] = {"type": ["number", "null"], "description": "Cents; null where it is not known."}
_PROBABILITY: Final[Schema] = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_ROWS: Final[Schema] = {"type": "array", "items": {"type": "object"}}
_TEXT: Final[Schema] = {"type": "string"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
FIELDS: Final[Mapping[str, Schema]] = {
    "case": _TEXT,
    "kind": {"enum": list(CASES)},
    "as of": _TIME,
    "deadline": {**_TIME, "type": ["string", "null"]},
    "at stake": _CENTS,
    "probability of": _TEXT,
    "probability without": _PROBABILITY,
    "probability with": _PROBABILITY,
    "recommended": _WORDS,
    "recommended by": {"enum": ["rules", "model"]},
    "cost": {"type": "integer", "minimum": 0},
    "worth beyond cost": _CENTS,
    "hours in parallel": {"type": "number", "minimum": 0},
    "completes": _WORDS,
    "items": _ROWS,
    "cannot be obtained": {"type": "object", "additionalProperties": _TEXT},
    "sets": _ROWS,
    "prior transactions": _ROWS,
    "gains are": _TEXT,
    "answer": {
        "type": ["object", "null"],
        "description": "What to do about a chargeback; null for a dispute, and where the bank asks again after a defence.",
        "properties": {"action": {"enum": list(LEADS)}, "reasons": _WORDS, "warnings": _WORDS},
    },
    "blocks": _WORDS,
    "notes": _WORDS,
    "advice": _TEXT,
}
"""What is always told, with its JSON Schema."""
SCHEMA: Final[Schema] = {
    "type": "object",
    "description": "What evidence to obtain for a case, and what that is worth.",
    "properties": {**FIELDS, "fair": _TEXT},
    "required": list(FIELDS),
}
"""Advice on a case, as JSON Schema."""


def plain(advice: Advice) -> dict[str, object]:
    """All of it as JSON holds it: money in cents, null for what is not known.

    What is at stake for an order is its amount times the probability of a chargeback.
    """
    plan = advice.plan
    return {
        "case": advice.case_id,
        "kind": advice.kind,
        "as of": iso(advice.t),
        "deadline": None if advice.deadline is None else iso(advice.deadline),
        "at stake": _number(plan.amount),
        "probability of": advice.outcome,
        "probability without": _number(plan.without),
        "probability with": _number(plan.together),
        "recommended": [item.kind for item in plan.recommended],
        "recommended by": "rules" if advice.ruled else "model",
        "cost": plan.cents,
        "worth beyond cost": _number(plan.worth),
        "hours in parallel": plan.hours,
        "completes": list(plan.completes),
        "items": [_line(advice, line) for line in plan.lines],
        "cannot be obtained": {item.kind: item.barred for item in advice.barred},
        "sets": [_set(one, plan) for one in plan.sets],
        "prior transactions": [_programme(one) for one in advice.programmes],
        "gains are": CAUTION,
        **({"fair": FAIR} if advice.kind == "dispute" else {}),
        **advice.more,
        "answer": None if advice.answer is None else _answer(advice.answer),
        "blocks": list(advice.blocks),
        "notes": list(advice.notes),
        "advice": advice.sentence(),
    }


def _line(advice: Advice, line: Line) -> dict[str, object]:
    beside = None if line.beside is None else _number(line.beside * advice.plan.amount)
    return {
        "item": line.item.kind,
        "cost": line.item.cents,
        "hours": line.item.hours,
        "recommended": line.recommended,
        "gain alone": _number(line.alone * advice.plan.amount),
        "gain in the set": beside,
        "probability gained alone": _number(line.alone),
        "probability gained in the set": None if line.beside is None else _number(line.beside),
        "completes": [{"set": name, "with": list(others)} for name, others in line.with_others],
        "adds nothing alone": line.alone_nothing,
    }


def _answer(one: Answer) -> dict[str, object]:
    """An answer as JSON holds it."""
    told = asdict(one) | {"deadline": iso(one.deadline), "ready_by": iso(one.ready_by)}
    told["values"] = {name: _number(value) for name, value in one.values.items()}
    return told | {
        "settle_first": _number(one.settle_first),
        "lacks": {name: list(some) for name, some in one.lacks.items()},
    }


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


def _number(value: float) -> float | None:
    return None if isnan(value) else float(value)
