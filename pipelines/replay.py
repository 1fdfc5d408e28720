"""The job of replaying: decisions made again from their records' ledger, models and policy, or what differs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features import Ledger, RedressError
from features.asking import askings
from models import Model
from models.deciding import QUESTION, one_record, sights
from models.policy import Policy
from models.policy import opened as policy_at
from models.records import Grounds, Record, chained, replayed
from models.records import opened as record_at
from pipelines.opening import Said, opened
from pipelines.score import able, model_at


def replay(records: Path, ledger: Path, models: Path, *, policy: str | None, said: Said) -> dict[str, object]:
    """Makes recorded decisions again, one or a chain of them; RedressError that says what differs, unless all are the same.

    `records` holds one record a line. The policy is the shipped one of the records' name, unless another file is named.
    """
    told = records_at(records)
    model = model_at(str(models), QUESTION, "")
    chosen = policy_at(policy or _policy(told[0])).informed(model.card)
    facts = opened(ledger, said)
    able(model, facts, QUESTION)
    differs = [f"{records}: {fault}" for fault in chained(told)] if len(told) > 1 else []
    grounds = Grounds(facts.fingerprint(), {QUESTION: model.version}, chosen.name, chosen.version)
    differs += _again(told, facts, model, chosen, grounds)
    if differs:
        more = f"; and {len(differs) - 1:,} more" if len(differs) > 1 else ""
        raise RedressError(f"{records}: want the same decisions, got what differs: {differs[0]}{more}")
    closing: dict[str, object] = {"decisions": len(told), "policy": f"{chosen.name} ({chosen.version})"}
    return closing | {"ledger": _grown(told, grounds.ledger), "replayed": "the same to the bit"}


def _grown(told: Sequence[Record], now: str) -> str:
    """Whether the ledger's files are those that records name: other files are no fault, as a ledger grows."""
    others = sum(one["ledger"] != now for one in told)
    if not others:
        return "the files that the records name"
    return f"other files than {others:,} of {len(told):,} records name; it grew, was written anew, or is another"


def records_at(path: Path) -> list[Record]:
    """The records of a file, one a line; RedressError for a file that is none, or a record that was edited."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise RedressError(
            f"{path}: want decision records, one a line of JSON, got no text; name another file"
        ) from None
    told = [record_at(line, f"{path}, line {i + 1}") for i, line in enumerate(lines)]
    if not told:
        raise RedressError(f"{path}: want decision records, one a line, got none; name another file")
    return told


def _policy(record: Record) -> str:
    named = record["policy"]
    assert isinstance(named, dict)
    return str(named["name"])


def about(record: Record, name: str = "dispute_id") -> str:
    """What a record says of its case: the dispute, unless another name is asked for."""
    case = record["case"]
    assert isinstance(case, dict)
    return str(case[name])


def _again(told: Sequence[Record], ledger: Ledger, model: Model, policy: Policy, grounds: Grounds) -> list[str]:
    """What differs in each record that is made again, at the moment at which the policy looks at its dispute."""
    named = {about(one) for one in told}
    own = askings(ledger, QUESTION)
    ids = own.ids.to_pylist()
    asks = own.take(np.flatnonzero(np.isin(np.array(ids, object), list(named))))
    if lost := sorted(named - set(asks.ids.to_pylist())):
        return [f"{lost[0]}: was a dispute, now there is none in {ledger.name}"]
    first, second = sights(ledger, model, asks, policy.refunds)
    place = {name: i for i, name in enumerate(first.claims.ids)}
    found = []
    for one in told:
        i = place[about(one)]
        ways = [one_record(first, i, policy, grounds, askable=True)]
        if ways[0]["action"] == "request_evidence":
            ways.append(one_record(second, i, policy, grounds, askable=False))
        faults = [replayed(one, way) for way in ways]
        found += [f"{one['decision_id']}: {fault}" for fault in min(faults, key=len)]
    return found
