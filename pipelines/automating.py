"""Risk-controlled automation over history: below which score refunds may be automatic, by what was found out of the span."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from features import Ledger
from features.asking import Askings, askings
from features.kernel import DAY
from models.automation import Automation, Limit, limit
from models.deciding import Sight
from models.policy import Policy
from models.questions import OPEN, Answer, answers
from models.sources import votes
from models.split import MATURE_SHARE, maturity_age
from pipelines.report import Section

RANDOM: Final = "finding by audit"
"""The findings whose disputes are drawn at random."""


@dataclass(frozen=True)
class Automatic:
    """The limit that a promise allows, whether audits alone tell it, and how old a dispute is once its answer counts.

    `young` answers are about disputes younger than `age` microseconds, and left out.
    """

    limit: Limit
    by_audit: bool
    age: int
    young: int


def automatic(ledger: Ledger, asks: Askings, first: Sight, section: Automation) -> Automatic:
    """The limit that a promise allows by the mature findings known at the ledger's end.

    Audits tell it alone where there are enough of them; of all findings, most are of disputes that were suspected, which makes
    them more often malicious at the same score than those that nobody looked into, and the limit stricter than need be.
    """
    as_of = ledger.last_at + 1
    found, age = _found(ledger, asks, as_of)
    young = asks.at + age >= as_of
    audited = votes(ledger, asks, as_of).said[RANDOM]
    by_audit = bool(((audited >= 0) & ~young).sum() >= section.fewest)
    label = audited if by_audit else found
    known = np.asarray((label >= 0) & ~young, np.bool_)
    told = limit(first.malicious[known], label[known], section)
    return Automatic(told, by_audit, age, int(((label >= 0) & young).sum()))


def _found(ledger: Ledger, asks: Askings, as_of: int) -> tuple[Answer, int]:
    """What is known of each asking (n,), and the age from which answers count: by all of the ledger, as in training."""
    if "findings" not in ledger.facts:
        return np.full(len(asks), OPEN, np.int8), 0
    every = askings(ledger, asks.question)
    age = maturity_age(every, answers(ledger, every, 0).as_of(as_of), as_of)
    return answers(ledger, asks, 0).as_of(as_of).answer, age


def promised(policy: Policy, told: Automatic) -> Policy:
    """The same policy, which pays without a person no more than the promise allows: nothing, where too little is known."""
    below = min(policy.refunds.automatic_below, told.limit.threshold)
    rules = replace(policy.refunds, automatic_below=below)
    return replace(
        policy, name=f"{policy.name}-promised", says="Pays without a person as far as is promised.", refunds=rules
    )


def automation_section(told: Automatic, section: Automation, at: float) -> Section:
    """What it says, and whether a policy's own limit `at` keeps the promise."""
    whose = (
        "These are audits, drawn at random."
        if told.by_audit
        else "Audits are too few, so all findings are used, most of them of disputes that were suspected: the limit is "
        "stricter than need be."
    )
    kept = "keeps" if 0 < at <= told.limit.threshold else "is not shown to keep"
    says = (
        f"Wanted: of refunds without a person at most {100 * section.malicious_at_most:g} % malicious, with "
        f"{100 * section.confidence:g} % confidence, from what was found out of the span's disputes by the ledger's end "
        "(fixed-sequence testing; Angelopoulos et al. 2021).",
        f"Answers count once a dispute is {told.age / DAY:.3g} days old, by when {MATURE_SHARE:.0%} of those known had come; "
        f"of younger disputes {told.young:,} answers are left out, for the quick ones are not a sample of all.",
        f"{told.limit.says[:1].upper()}{told.limit.says[1:]}. {whose}",
        f"The policy pays without a person below {at:g}, which {kept} the promise; `promised.toml` beside this report is the "
        "same policy with the limit that does, for a later span.",
    )
    return Section("How much may be automatic", says)
