"""What to do about one case besides its evidence: the answer to a chargeback, and what an order's open blocks ask for."""

from dataclasses import replace
from typing import Final

from models.advice import Advice
from models.answering import Answer, answer
from models.blocks import open_blocks
from models.located import Case
from models.pending import case as charged
from models.policy import Policy
from models.programmes import marginal_cost

COUNTED: Final = ("visa", "mastercard")
"""Networks that have a programme."""
UNCOUNTED: Final = (
    "what one more chargeback costs in the network's programme is left out, since that takes the month's counts of all orders "
    "and chargebacks; redress evidence over a ledger reckons with it"
)
"""What is said of an answer where a month cannot be told."""


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
    counted = known.network in COUNTED
    month = case.month(str(known.network), policy.programmes) if counted else None
    more = 0.0 if month is None else marginal_cost(month, policy.programmes)
    found = answer(known, {"chargeback_win": plan.together}, policy.chargebacks, marginal=more, zone=zone)
    return replace(found, warnings=(*found.warnings, UNCOUNTED)) if counted and month is None else found


def held(case: Case, policy: Policy, zone: str) -> tuple[str, ...]:
    """A sentence for each block of an order that is open: what the seller must supply, by when, and what happens then."""
    blocks = open_blocks(case.ledger, case.t, policy.blocks, zone=zone)
    return tuple(
        f"blocked ({row['kind'] or 'unknown'}): supply {', '.join([*row['items'], *row['words']])} by {row['local']}; "
        f"{row['then']}"
        for row in blocks[blocks["order_id"] == case.name].to_dict("records")
    )
