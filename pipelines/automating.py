"""Risk-controlled automation over history: below which score refunds may be automatic, by what was found out of the span."""

import numpy as np

from features import Ledger
from features.asking import Askings
from features.background import NOT_YET
from models.automation import Automation, Limit, limit
from models.questions import answers
from models.sources import votes
from pipelines.deciding import Sight
from pipelines.report import Section

RANDOM = "finding by audit"
"""The findings whose disputes are drawn at random."""


def automatic(ledger: Ledger, asks: Askings, first: Sight, section: Automation) -> tuple[Limit, bool]:
    """The limit that a promise allows by the findings known at the ledger's end, and whether audits alone tell it.

    Audits do where there are enough of them; of all findings, most are of disputes that were suspected, which makes them
    more often malicious at the same score than those that nobody looked into, and the limit stricter than need be.
    """
    found = votes(ledger, asks, NOT_YET).said[RANDOM]
    by_audit = bool((found >= 0).sum() >= section.fewest)
    known_by_any = "findings" in ledger.facts and not by_audit
    label = answers(ledger, asks, 0).answer if known_by_any else found
    known = np.asarray(label >= 0, np.bool_)
    return limit(first.malicious[known], label[known], section), by_audit


def automation_section(told: Limit, section: Automation, at: float, *, by_audit: bool) -> Section:
    """What it says, and whether a policy's own limit `at` keeps the promise."""
    whose = (
        "These are audits, drawn at random."
        if by_audit
        else "Audits are too few, so all findings are used, most of them of disputes that were suspected: the limit is "
        "stricter than need be."
    )
    kept = "keeps" if 0 < at <= told.threshold else "is not shown to keep"
    says = (
        f"Wanted: of refunds without a person at most {100 * section.malicious_at_most:g} % malicious, with "
        f"{100 * section.confidence:g} % confidence, from what was found out of the span's disputes by the ledger's end "
        "(fixed-sequence testing; Angelopoulos et al. 2021).",
        f"{told.says[:1].upper()}{told.says[1:]}. {whose}",
        f"The policy pays without a person below {at:g}, which {kept} the promise.",
    )
    return Section("How much may be automatic", says)
