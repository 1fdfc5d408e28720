"""Decision records: what was decided on what grounds, each chained to the one before, so that a decision can be replayed."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import combinations, pairwise
from math import isnan
from typing import Final

from features import RedressError
from models.deadlines import moment
from models.exploring import WHY as EXPLORED
from models.refunds import ACTIONS, WHY, Case, Decision, Refunds, Scores, decide
from models.signs import CONFIRMED
from models.spoken import VOICES, spoken
from models.tiers import TIERS

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

Record = dict[str, object]


def _object(of: Mapping[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": of, "required": list(of), "additionalProperties": False}


SCHEMA: Final[Mapping[str, object]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A refund decision of redress",
    **_object(
        {
            "format": {"const": FORMAT},
            "decision_id": _HASH,
            "at": {"type": "string", "format": "date-time"},
            "case_kind": {"const": "dispute"},
            "case": _object(
                {
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
            ),
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
                "items": _object(
                    {"malicious": _SHARE, "confirmed": {"type": "boolean"}, "action": {"enum": list(ACTIONS)}}
                ),
            },
            "previous": _HASH,
            "hash": _HASH,
        }
    ),
}
"""The JSON Schema of a record."""


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
    inputs = {
        "case": asdict(case),
        "malicious": scores.malicious,
        "abstain": scores.abstain,
        "plain": scores.plain,
        "parts": dict(scores.parts),
    }
    told = _plain(inputs)
    versions = {"ledger": grounds.ledger, "models": dict(grounds.models), "policy": grounds.version}
    found = {
        "format": FORMAT,
        "decision_id": _hash({"inputs": told, "versions": versions}),
        "at": moment(case.at).isoformat(),
        "case_kind": "dispute",
        "case": told["case"],
        "inputs": _hash(told),
        "ledger": grounds.ledger,
        "models": dict(grounds.models),
        "policy": {"name": grounds.policy, "version": grounds.version},
        "probabilities": {"malicious": told["malicious"]},
        "abstain": scores.abstain,
        "plain": scores.plain,
        "parts": told["parts"],
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
    return found | {"hash": _hash(found)}


def would_change(case: Case, scores: Scores, policy: Refunds) -> list[Record]:
    """What would change the usual answer: the nearest probabilities with another action on either side, and a second key.

    >>> case = Case("d1", "o1", 0, "quality", 4_000)
    >>> [(round(float(str(one["malicious"])), 3), one["action"]) for one in would_change(case, Scores(0.1), Refunds())]
    [(0.489, 'review')]
    """
    if isnan(scores.malicious):
        return []
    now, found = decide(case, scores, policy).action, list[Record]()
    confirmed = not policy.second.isdisjoint(case.confirmed)
    edges = [*_edges(case, policy)]
    above = [scores.malicious, *(p for p in edges if p > scores.malicious)]
    below = [scores.malicious, *(p for p in reversed(edges) if p < scores.malicious)]
    for side in (below, above):
        for near, far in pairwise(side):
            other = decide(case, replace(scores, malicious=(near + far) / 2), policy).action
            if other != now:
                found.append({"malicious": near, "confirmed": confirmed, "action": other})
                break
    held = decide(replace(case, confirmed=(*case.confirmed, *policy.keys[:1])), scores, policy).action
    if held != now and not confirmed:
        found.append({"malicious": scores.malicious, "confirmed": True, "action": held})
    return found


def _edges(case: Case, policy: Refunds) -> list[float]:
    """Probabilities between which the answer stays: the limits, and where the costs of two actions, straight lines, cross."""
    sides = [decide(case, Scores(p), policy).costs for p in (0.0, 1.0)]
    lines = [(at_0, at_1 - at_0) for at_0, at_1 in zip(*sides, strict=True) if not isnan(at_0)]
    crossed = [(a - c) / (d - b) for (a, b), (c, d) in combinations(lines, 2) if b != d]
    return sorted({0.0, 1.0, policy.refuse_at, policy.automatic_below, *(p for p in crossed if 0 < p < 1)})


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

    What was taken off the end, and a chain that was made anew as a whole, only its last hash, kept elsewhere, can show.
    """
    before = FIRST
    for i, one in enumerate(records):
        rest = {name: value for name, value in one.items() if name != "hash"}
        if one.get("hash") != _hash(rest):
            yield f"record {i}: want the hash of what it says, got another; it was edited"
        if one.get("previous") != before:
            yield f"record {i}: want the one before named, got another; one was taken out, put in or moved"
        before = str(one.get("hash"))


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
    """A record from JSON; RedressError when it is none, or its hash is not of what it says."""
    try:
        told = json.loads(text)
    except ValueError as error:
        raise RedressError(f"{where}: want a decision record in JSON, got {error}; name another file") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise RedressError(f"{where}: want a decision record of format {FORMAT}, got another; name another file")
    if lost := sorted(_wanted() - told.keys()):
        raise RedressError(f"{where}: want a decision record, got one without {lost[0]}; name another file")
    if told.get("hash") != _hash({name: value for name, value in told.items() if name != "hash"}):
        raise RedressError(f"{where}: want a record as it was written, got one edited; take it from the records again")
    return told


def _wanted() -> set[str]:
    required = SCHEMA["required"]
    assert isinstance(required, list)
    return set(required)


def _plain(told: Mapping[str, object]) -> dict[str, object]:
    """The same as JSON holds it: NaN is null, and tuples are lists."""
    found: dict[str, object] = json.loads(json.dumps(_without_nan(told)))
    return found


def _without_nan(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and isnan(value) else value


def _hash(told: object) -> str:
    return blake2b(json.dumps(told, sort_keys=True, allow_nan=False).encode(), digest_size=16).hexdigest()


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:80]}…"
