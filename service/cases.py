"""A case as a request tells it: its schema, and the check at the door."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from features import RedressError
from features.asking import ASKED
from features.receiving import AHEAD
from features.requests import INSTANT, LONGEST, TIME, facts, moment, short
from features.tables import CASES
from models.advising import QUESTIONS

FIELDS: Final[Mapping[str, Mapping[str, object]]] = {
    "question": {
        "enum": list(ASKED),
        "description": "What is asked; malicious_dispute where neither it nor a kind is told.",
    },
    "kind": {"enum": list(CASES), "description": "What ask_id names."},
    "ask_id": {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST["id"],
        "description": "The dispute, order or chargeback.",
    },
    "at": dict(TIME)
    | {"description": "The moment of which the answer is; what was learnt at it or later is not known."},
    "evidence_asked": {"type": "boolean", "description": "True once evidence was asked for and waited for."},
    "reasons": {"type": "boolean", "description": "False for a record without the score's reasons, which is quicker."},
    "facts": {"$ref": "#/components/schemas/facts"},
}
"""The fields of a case; the last are facts to take first, as POST /v1/events would, which wants the scope append too."""
NEEDED: Final = ("ask_id", "at")
WEIGHED: Final[Mapping[str, Mapping[str, object]]] = {
    "kind": {"enum": list(QUESTIONS), "description": "What ask_id names."},
    "ask_id": dict(FIELDS["ask_id"]) | {"description": "The dispute or chargeback."},
    "at": FIELDS["at"],
}
"""The fields of a case that evidence is planned for, all of which are wanted."""


def schema() -> dict[str, object]:
    """The JSON Schema of a case."""
    return {
        "type": "object",
        "properties": dict(FIELDS),
        "required": list(NEEDED),
        "additionalProperties": False,
    }


def weighed_schema() -> dict[str, object]:
    """The JSON Schema of a case that evidence is planned for."""
    return {
        "type": "object",
        "properties": dict(WEIGHED),
        "required": list(WEIGHED),
        "additionalProperties": False,
    }


def weighed(told: object, now: int) -> dict[str, object]:
    """A case that evidence is planned for; RedressError that names the field.

    >>> weighed({"kind": "order", "ask_id": "o1", "at": "1970-01-01T00:05:00Z"}, 0)
    Traceback (most recent call last):
    features.errors.RedressError: case.kind: want one of dispute, chargeback, got order; correct it
    """
    found = _named(told, WEIGHED, WEIGHED, "case")
    if found["kind"] not in tuple(QUESTIONS):
        raise RedressError(f"case.kind: want one of {', '.join(QUESTIONS)}, got {short(found['kind'])}; correct it")
    _judge_moment(found["at"], now, "case")
    return found


def case(told: object, most: int, now: int, where: str = "case") -> dict[str, object]:
    """A case as a scorer takes it; RedressError that names the field.

    >>> case({"ask_id": "d1", "at": "1970-01-01T00:05:00Z"}, 100, 0)["ask_id"]
    'd1'
    >>> case({"ask_id": "d1", "at": "1970-01-01T00:05:00.000001Z"}, 100, 0)
    Traceback (most recent call last):
    features.errors.RedressError: case.at: want at most five minutes ahead, got 1970-01-01T00:05:00.000001Z; set the clock right
    """
    found = _named(told, FIELDS, NEEDED, where)
    _judge_moment(found["at"], now, where)
    _judge_rest(found, most, where)
    return found


def _named(told: object, fields: Collection[str], needed: Iterable[str], where: str) -> dict[str, object]:
    """The fields of a case by name, those that are needed among them, and none besides."""
    if not isinstance(told, dict):
        raise RedressError(f"{where}: want its fields by name, got {short(told)}; give an object")
    strange = next((name for name in told if name not in fields), None)
    if strange is not None:
        raise RedressError(f"{where}.{short(strange)}: want one of {', '.join(fields)}, got another; leave it out")
    lost = next((name for name in needed if name not in told), None)
    if lost is not None:
        raise RedressError(f"{where}.{lost}: want it told, got none; give it")
    if not isinstance(told["ask_id"], str) or not 0 < len(told["ask_id"]) <= LONGEST["id"]:
        came = short(told["ask_id"])
        raise RedressError(f"{where}.ask_id: want a string of 1 to {LONGEST['id']} characters, got {came}; correct it")
    return told


def _judge_moment(at: object, now: int, where: str) -> None:
    t = moment(at)
    if t is None:
        raise RedressError(f"{where}.at: want {INSTANT}, got {short(at)}; correct it")
    if t > now + AHEAD:  # a decision of tomorrow would make all that comes until then late
        raise RedressError(f"{where}.at: want at most five minutes ahead, got {short(at)}; set the clock right")


def _judge_rest(told: Mapping[str, object], most: int, where: str) -> None:
    for name, words in (("question", tuple(ASKED)), ("kind", tuple(CASES))):
        if name in told and told[name] not in words:
            came = short(told[name])
            raise RedressError(f"{where}.{name}: want one of {', '.join(words)}, got {came}; correct or leave it out")
    for name in ("evidence_asked", "reasons"):
        if not isinstance(told.get(name, False), bool):
            raise RedressError(f"{where}.{name}: want true or false, got {short(told[name])}; say which")
    if "facts" in told:
        facts(told["facts"], most, f"{where}.facts")
