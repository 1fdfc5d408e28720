"""The job of replaying: decisions made again from their records' ledger, models and policy, or what differs."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from features import Ledger, RedressError
from features.asking import named_askings
from models import Model
from models.policy import Policy
from models.policy import opened as policy_at
from models.records import FIRST, Grounds, Record, chained, replayed
from models.records import opened as record_at
from pipelines.deciding import QUESTION, Sight, one_record, seen
from pipelines.opening import Said, opened
from pipelines.score import able, model_at


def replay(records: Path, ledger: Path, models: Path, *, policy: str | None, said: Said) -> dict[str, object]:
    """Makes recorded decisions again, one or a chain of them; RedressError that says what differs, unless all are the same.

    `records` holds one record a line. The policy is the shipped one of the records' name, unless another file is named.
    """
    lines = [line for line in records.read_text(encoding="utf-8").splitlines() if line.strip()]
    told = [record_at(line, f"{records}, line {i + 1}") for i, line in enumerate(lines)]
    if not told:
        raise RedressError(f"{records}: want decision records, one a line, got none; name another file")
    chosen = policy_at(policy or _policy(told[0]))
    model = model_at(str(models), QUESTION, "")
    facts = opened(ledger, said)
    able(model, facts, QUESTION)
    differs = [] if told[0]["previous"] != FIRST else [f"{records}: {fault}" for fault in chained(told)]
    differs += _again(told, facts, model, chosen)
    if differs:
        more = f"; and {len(differs) - 1:,} more" if len(differs) > 1 else ""
        raise RedressError(f"{records}: want the same decisions, got what differs: {differs[0]}{more}")
    return {"decisions": len(told), "policy": f"{chosen.name} ({chosen.version})", "replayed": "the same to the bit"}


def _policy(record: Record) -> str:
    named = record["policy"]
    assert isinstance(named, dict)
    return str(named["name"])


def _case(record: Record) -> tuple[str, int, bool]:
    """Dispute, moment, and whether evidence could be asked for."""
    case = record["case"]
    assert isinstance(case, dict)
    return str(case["dispute_id"]), int(case["at"]), bool(case["lacking"])


def _again(told: Sequence[Record], ledger: Ledger, model: Model, policy: Policy) -> list[str]:
    """What differs in each record that is made again."""
    asked = pd.DataFrame({_case(one)[:2] for one in told}, columns=["ask_id", "us"])
    asks = asked.assign(at=pd.to_datetime(asked["us"], unit="us", utc=True))
    sight = seen(ledger, model, named_askings(ledger, QUESTION, asks), with_reasons=True)
    place = {(name, int(at)): i for i, (name, at) in enumerate(zip(sight.claims.ids, sight.claims.at, strict=True))}
    grounds = Grounds(ledger.fingerprint(), {QUESTION: model.version}, policy.name, policy.version)
    return [
        f"{one['decision_id']}: {fault}"
        for one in told
        for fault in replayed(one, _made(one, sight, place[_case(one)[:2]], policy, grounds))
    ]


def _made(record: Record, sight: Sight, i: int, policy: Policy, grounds: Grounds) -> Record:
    return one_record(sight, i, policy, grounds, askable=_case(record)[2])
