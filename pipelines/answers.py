"""What to do about one case besides its evidence: the answer to a chargeback, and what an order's open blocks ask for."""

from dataclasses import replace
from typing import Final

from models.answering import Answer, answer
from models.blocks import open_blocks
from models.pending import case as charged
from models.policy import Policy
from models.programmes import marginal_cost, month
from pipelines.advice import Advice
from pipelines.located import Case

COUNTED: Final = ("visa", "mastercard")
"""Networks that have a programme."""


def answered(case: Case, advice: Advice, policy: Policy, zone: str) -> Answer | None:
    """The answer to a chargeback with the evidence that is recommended, which a defence has yet to pay for.

    None where a defence was filed already and the bank asks again.
    """
    known = charged(case.ledger, case.case_id, case.t)
    if known.contested:
        return None
    plan, compelling = advice.plan, any(len(one.qualifying) >= one.wanted for one in advice.programmes)
    shown = (*known.evidence, *(item.kind for item in plan.recommended))
    known = replace(known, compelling=compelling, evidence=shown, respond_by=advice.deadline, obtaining=plan.cents)
    more = 0.0
    if known.network in COUNTED:
        more = marginal_cost(month(case.ledger, known.network, case.t, policy.programmes), policy.programmes)
    return answer(known, {"chargeback_win": plan.together}, policy.chargebacks, marginal=more, zone=zone)


def held(case: Case, policy: Policy, zone: str) -> tuple[str, ...]:
    """A sentence for each block of an order that is open: what the seller must supply, by when, and what happens then."""
    blocks = open_blocks(case.ledger, case.t, policy.blocks, zone=zone)
    return tuple(
        f"blocked ({row['kind'] or 'unknown'}): supply {', '.join([*row['items'], *row['words']])} by {row['local']}; "
        f"{row['then']}"
        for row in blocks[blocks["order_id"] == case.name].to_dict("records")
    )
