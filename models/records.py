"""Decision records: what was decided on what grounds, each chained to the one before, so that a decision can be replayed."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from math import isnan
from typing import Final

from features import RedressError
from features.decisions import LEFT, LEFT_OF_CASE
from models.deadlines import moment
from models.exploring import WHY as EXPLORED
from models.refunds import ACTIONS, WHY, Case, Decision, Refunds, Scores
from models.signs import CONFIRMED
from models.spoken import VOICES, spoken
from models.tiers import TIERS
from models.turns import turns

FORMAT: Final = 1
FIRST: Final = "0" * 32
"""The hash that the first record of a chain names as the one before."""
_GRAVE: Final = ("policy", "models", "ledger", "action", "amount")
"""What is told first of what differs."""
_OF_CHAIN: Final = ("previous", "hash")
_OF_FILES: Final = ("ledger", "decision_id")
"""What differs where a ledger's files are others that say the same."""
APPEAL: Final = "You can ask that a person looks at this again, and add whatever helps to understand what happened."
"""What every buyer is told of how to go on."""
_TEXT: Final[Mapping[str, object]] = {"type": "string"}
_HASH: Final[Mapping[str, object]] = {"type": "string", "pattern": "^[0-9a-f]{16,64}$"}
_SHARE: Final[Mapping[str, object]] = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_CENTS: Final[Mapping[str, object]] = {"type": ["number", "null"]}
_TEXTS: Final[Mapping[str, object]] = {"type": "array", "items": _TEXT}
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    **{"object": Mapping, "array": list, "string": str, "boolean": bool, "null": type(None)},
    **{"integer": int, "number": (int, float)},
}
"""What is of a type that a schema names; a truth value is no number."""
_OF_CASE: Final = tuple(one.name for one in fields(Case))
_SORTED: Final = json.JSONEncoder(sort_keys=True, allow_nan=False)

Record = dict[str, object]


def _object(of: Mapping[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": of, "required": list(of), "additionalProperties": False}


_CASE: Final[Mapping[str, object]] = {
    **dict.fromkeys(("dispute_id", "order_id"), _TEXT),
    "at": {"type": "integer"},
    "reason": _TEXT,
    "claimed": {"type": "integer", "minimum": 0},
    "confirmed": {"type": "array", "items": {"enum": list(CONFIRMED)}},
    "lacking": _TEXTS,
    "owed": _SHARE,
    "borne_by": _TEXT,
    "tier": {"enum": list(TIERS)},
    "left": {"type": ["integer", "null"]},
}
_FIELDS: Final[Mapping[str, object]] = {
    "format": {"const": FORMAT},
    "decision_id": _HASH,
    "at": {"type": "string", "format": "date-time"},
    "case_kind": {"const": "dispute"},
    "case": _object(_CASE),
    "inputs": _HASH,
    "ledger": _HASH,
    "models": {"type": "object", "additionalProperties": _HASH},
    "policy": _object({"name": _TEXT, "version": _HASH}),
    "probabilities": _object({"malicious": _SHARE}),
    "abstain": {"type": "boolean"},
    "plain": {"type": "boolean"},
    "parts": {"type": "object", "additionalProperties": {"type": "number"}},
    "action": {"enum": list(ACTIONS)},
    "amount": {"type": "integer", "minimum": 0},
    "borne_by": _TEXT,
    "why": {"enum": list(WHY)},
    "costs": _object(dict.fromkeys(ACTIONS, _CENTS)),
    "propensity": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "reasons": _object(dict.fromkeys(VOICES, _TEXTS)),
    "would_change": {
        "type": "array",
        "items": _object({"malicious": _SHARE, "confirmed": {"type": "boolean"}, "action": {"enum": list(ACTIONS)}}),
    },
    "previous": _HASH,
    "hash": _HASH,
}
SCHEMA: Final[Mapping[str, object]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A refund decision of redress",
    **_object(_FIELDS),
}
"""The JSON Schema of a record."""
EMPTIED: Final[Mapping[str, object]] = {
    "title": "What is left of a refund decision about a buyer who was erased",
    **_object(
        {
            **{name: _FIELDS[name] for name in LEFT},
            "case": _object({name: _CASE[name] for name in LEFT_OF_CASE}),
            "erased": {"const": True},
        }
    ),
}
"""The JSON Schema of what is left of one that was erased."""


@dataclass(frozen=True)
class Grounds:
    """What a decision rests on beside the case: the ledger's and the models' versions, and the policy's name and version."""

    ledger: str
    models: Mapping[str, str]
    policy: str
    version: str


def record(
    case: Case,
    scores: Scores,
    decision: Decision,
    policy: Refunds,
    grounds: Grounds,
    *,
    reasons: Mapping[str, Sequence[str]] | None = None,
    propensity: float = 1.0,
    previous: str = FIRST,
) -> Record:
    """The record of a decision, as JSON holds it: NaN is null; `hash` is of all the rest, which names the one before.

    `decision_id` is a hash of case, time, probabilities and versions, so the same decision has the same name. `reasons` are
    those of the score, which are told after the decision's own.
    """
    found: Record = {
        "format": FORMAT,
        "decision_id": "",
        "at": moment(case.at).isoformat(),
        "case_kind": "dispute",
        "case": {name: _plain(getattr(case, name)) for name in _OF_CASE},
        "inputs": "",
        "ledger": grounds.ledger,
        "models": dict(grounds.models),
        "policy": {"name": grounds.policy, "version": grounds.version},
        "probabilities": {"malicious": _plain(scores.malicious)},
        "abstain": scores.abstain,
        "plain": scores.plain,
        "parts": _plain(dict(scores.parts)),
        "action": decision.action,
        "amount": decision.amount,
        "borne_by": decision.borne_by,
        "why": decision.why,
        "costs": _plain(dict(zip(ACTIONS, decision.costs, strict=True))),
        "propensity": propensity,
        "reasons": spoken(decision, case, keys=policy.keys, scored=reasons),
        "would_change": [] if decision.why == EXPLORED else would_change(case, scores, policy),
        "previous": previous,
    }
    inputs = _SORTED.encode(_inputs(found))
    found |= {"decision_id": _identity(found, inputs), "inputs": _digest(inputs)}
    return found | {"hash": _hash(found)}


def following(record: Mapping[str, object], previous: str) -> Record:
    """The same record as the one after another in a chain."""
    rest = {name: value for name, value in record.items() if name != "hash"} | {"previous": previous}
    return rest | {"hash": _hash(rest)}


def would_change(case: Case, scores: Scores, policy: Refunds) -> list[Record]:
    """What would change the usual answer: the nearest probabilities with another action on either side, and a second key.

    >>> case = Case("d1", "o1", 0, "quality", 4_000)
    >>> [(round(float(str(one["malicious"])), 3), one["action"]) for one in would_change(case, Scores(0.1), Refunds())]
    [(0.489, 'review')]
    """
    if isnan(scores.malicious):
        return []
    confirmed = not policy.second.isdisjoint(case.confirmed)
    found, keyed = turns(case, scores, policy)
    told: list[Record] = [{"malicious": one.malicious, "confirmed": confirmed, "action": one.action} for one in found]
    if not confirmed and keyed is not None:
        told.append({"malicious": scores.malicious, "confirmed": True, "action": keyed})
    return told


def replayed(told: Mapping[str, object], again: Mapping[str, object]) -> list[str]:
    """What differs between a record and the one made again, field by field; none where it is the same to the bit.

    Where all else is the same, other files of the ledger are no difference: it grows, or is written anew.
    """
    names = [name for name in dict.fromkeys((*_GRAVE, *told, *again)) if name not in _OF_FILES]
    return [
        f"{name}: was {_short(told.get(name))}, now {_short(again.get(name))}"
        for name in names
        if name not in _OF_CHAIN and told.get(name) != again.get(name)
    ]


def chained(records: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """A sentence for every record whose hash is not of what it says, or which does not name the one before.

    What was taken off the end, and a chain that was made anew as a whole, only its last hash, kept elsewhere, can show. Of a
    record that was erased the hash stands for what it said, and the next one vouches for it.
    """
    before = FIRST
    for i, one in enumerate(records):
        rest = {name: value for name, value in one.items() if name != "hash"}
        if one.get("hash") != _hash(rest) and not is_erased(one):
            yield f"record {i}: want the hash of what it says, got another; it was edited"
        if one.get("previous") != before:
            yield f"record {i}: want the one before named, got another; one was taken out, put in or moved"
        before = str(one.get("hash"))


def is_erased(told: Mapping[str, object]) -> bool:
    """Whether a record was emptied, as its person was erased."""
    return told.get("erased") is True and told.keys() == {*LEFT, "erased"}


def of_buyer(told: Mapping[str, object]) -> Record:
    """What a buyer is given of a record of his own: what was asked and answered, why in his words, and how to go on.

    Nothing of how anything is found out, and nothing of what others hear.
    """
    case, reasons = told["case"], told["reasons"]
    assert isinstance(case, dict)
    assert isinstance(reasons, dict)
    own = {name: case[name] for name in ("dispute_id", "order_id", "reason", "claimed")}
    answer = {name: told[name] for name in ("decision_id", "at", "action", "amount", "hash")}
    return (
        own
        | answer
        | {"reasons": reasons["buyer"], "decided by a person": told["action"] == "review", "appeal": APPEAL}
    )


def opened(text: str, where: str) -> Record:
    """A record from JSON; RedressError when it is none, or its hash or its `decision_id` is not of what it says."""
    try:
        told = json.loads(text)
        own = _hash({name: value for name, value in told.items() if name != "hash"} if isinstance(told, dict) else told)
    except (ValueError, RecursionError) as error:
        raise RedressError(f"{where}: want a decision record in JSON, got {error}; name another file") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise RedressError(f"{where}: want a decision record of format {FORMAT}, got another; name another file")
    if is_erased(told):
        raise RedressError(f"{where}: want a record with what it said, got one that was erased; leave it out")
    if fault := next(_amiss(told, SCHEMA), ""):
        raise RedressError(f"{where}: want a decision record, got one {fault}; name another file")
    if told["hash"] != own:
        raise RedressError(f"{where}: want a record as it was written, got one edited; take it from the records again")
    if told["decision_id"] != identity(told):
        raise RedressError(
            f"{where}: want the decision_id of the record's own case, scores and versions, got another; "
            "take it from the records again"
        )
    return told


def identity(told: Record) -> str:
    """The `decision_id` that a record's own case, scores and versions give."""
    return _identity(told, _SORTED.encode(_inputs(told)))


def _identity(told: Record, inputs: str) -> str:
    """The same, where what a decision was made by is in JSON already."""
    policy = told["policy"]
    assert isinstance(policy, dict)
    versions = {"ledger": told["ledger"], "models": told["models"], "policy": policy["version"]}
    return _digest(f'{{"inputs": {inputs}, "versions": {_SORTED.encode(versions)}}}')


def _inputs(told: Record) -> dict[str, object]:
    """What a decision was made by, as its record tells it."""
    shares = told["probabilities"]
    assert isinstance(shares, dict)
    return {"malicious": shares["malicious"]} | {name: told[name] for name in ("case", "abstain", "plain", "parts")}


def _amiss(told: object, schema: object, name: str = "") -> Iterator[str]:
    """What of a value has not the shape that a schema wants, each field by its name: keys that lack, and types."""
    assert isinstance(schema, Mapping)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(
        isinstance(told, _TYPES[kind]) and (kind == "boolean" or not isinstance(told, bool)) for kind in kinds
    ):
        yield f"whose {name} is no {' or '.join(kinds)}"
    elif isinstance(told, Mapping):
        inner = {one: f"{name}.{one}" if name else one for one in (*schema.get("required", []), *told)}
        yield from (f"without {inner[one]}" for one in sorted(schema.get("required", [])) if one not in told)
        for one in told:
            yield from _amiss(told[one], schema.get("properties", {}).get(one, {}), inner[one])


def _plain(value: object) -> object:
    """The same as JSON holds it: NaN is null, and tuples are lists."""
    if isinstance(value, float):
        return None if isnan(value) else float(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _hash(told: object) -> str:
    return _digest(_SORTED.encode(told))


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:80]}…"
