"""The job of planning evidence: what to obtain for one case before its deadline, and what that is worth."""

from dataclasses import replace
from pathlib import Path

from models.advice import Advice
from models.advising import QUESTIONS, advised
from models.answers import held
from models.deadlines import zone as known_zone
from models.located import located
from models.policy import Policy
from models.policy import opened as policy_at
from pipelines.opening import Said, opened
from pipelines.securing import of_order
from pipelines.trained import trained, untrained


def evidence(
    case_id: str,
    ledger: Path,
    models: Path,
    *,
    as_of: int | None = None,
    kind: str | None = None,
    policy: Policy | None = None,
    zone: str = "UTC",
    said: Said,
) -> Advice:
    """What to obtain for a chargeback or a dispute, or to secure for an order, at a moment; the ledger's end unless given.

    With a chargeback goes the answer to it, and with an order what its open blocks ask for. People read times in a `zone`.
    """
    chosen = policy or policy_at("default")
    known_zone(zone)
    facts = opened(ledger, said)
    case = located(facts, case_id, kind, facts.last_at + 1 if as_of is None else as_of)
    if case.kind == "order":
        return replace(of_order(case, models, chosen, said), blocks=held(case, chosen, zone), zone=zone)
    question = QUESTIONS[case.kind]
    model, lost = trained(models, question), untrained(models, question, facts)
    return advised(case, model, chosen, lost=lost, zone=zone, said=said)
