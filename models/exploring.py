"""Exploration: now and then another answer that harms nobody, drawn by the case itself, so that policies can be compared.

What a policy never tries, nobody can say the worth of. The draw is a hash, so the same case is answered the same way again.
"""

from dataclasses import replace
from hashlib import blake2b
from typing import Final

import numpy as np

from models.refunds import ACTIONS, ASK, EXPLORED, FULL, REVIEW, Case, Decision, Refunds, Scores, payable
from models.refunds import WHY as REASONS

SAFE: Final = (FULL, ASK, REVIEW)
"""Answers that are tried: to pay, to ask for evidence, and to have a person look."""
WHY: Final = tuple(REASONS)[EXPLORED]
"""Why another answer was given."""


def explored(case: Case, scores: Scores, decision: Decision, policy: Refunds) -> tuple[Decision, float]:
    """The decision, or now and then another that is open and safe, and the probability with which it would be just that.

    Only an answer that is safe itself gives way to another; money is not tried where the policy would not pay without a person.

    >>> from models.refunds import decide
    >>> case, policy = Case("d1", "o1", 0, "quality", 4_000), Refunds(explores=0.2)
    >>> usual = decide(case, Scores(0.1), policy)
    >>> found, propensity = explored(case, Scores(0.1), usual, policy)
    >>> found.action, round(propensity, 2), explored(case, Scores(0.1), usual, Refunds())[1]
    ('refund_full', 0.9, 1.0)
    """
    if not policy.explores:
        return decision, 1.0
    found, usual, drawn = chances(case, scores, decision, policy), ACTIONS.index(decision.action), draw(case)
    chosen = usual if drawn >= policy.explores else [*found][int(drawn / policy.explores * len(found))]
    if chosen == usual:
        return decision, found[usual]
    amount = case.claimed if chosen == FULL else 0
    return replace(decision, action=ACTIONS[chosen], amount=amount, why=WHY), found[chosen]


def chances(case: Case, scores: Scores, decision: Decision, policy: Refunds) -> dict[int, float]:
    """With which probability a policy gives each answer, by its place in ACTIONS, where `decision` is the usual one.

    >>> from models.refunds import decide
    >>> case, policy = Case("d1", "o1", 0, "quality", 4_000), Refunds(explores=0.2)
    >>> chances(case, Scores(0.1), decide(case, Scores(0.1), policy), policy)  # to pay, as usual, or to review
    {0: 0.9, 4: 0.1}
    """
    tries = [action for action in SAFE if _open(action, case, scores, decision, policy)]
    usual = ACTIONS.index(decision.action)
    if not policy.explores or usual not in tries or len(tries) < 2:
        return {usual: 1.0}
    share = policy.explores / len(tries)
    return {action: share + (1 - policy.explores) * (action == usual) for action in tries}


def draw(case: Case) -> float:
    """A number from 0 to 1, drawn by a dispute and the moment at which it is answered."""
    digest = blake2b(f"{case.dispute_id} {case.at}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _open(action: int, case: Case, scores: Scores, decision: Decision, policy: Refunds) -> bool:
    """Whether an answer may be tried: what has no cost is not open, and money is paid only where rules let it be."""
    return payable(case, scores, policy) if action == FULL else bool(np.isfinite(decision.costs[action]))
