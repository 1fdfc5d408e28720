"""Platform: how its own cases ended of late, for a model's intercept to follow when officers, banks or fraud change."""

from typing import Final

from features.signal import Entity, Family, On, Pattern

PLATFORM: Final = Entity("platform", (), "base")
ANSWERS: Final = {
    "chargeback_risk": ("matured_orders.charged", "matured_orders.uncharged"),
    "dispute_outcome": ("rulings.granted", "rulings.refused"),
    "malicious_dispute": ("findings.malicious", "findings.honest"),
}
"""What counts as a yes and as a no of each question, at the moment at which it was known.

The wins of late are left out: what ends first is mostly lost, and an intercept that followed it would miss by more.
"""
LATELY: Final = {
    "chargeback_risk": "90d",
    "dispute_outcome": "90d",
    "malicious_dispute": "365d",
}
"""A quarter, or a year where answers are few."""


def _followed(question: str) -> Pattern:
    """The log-odds of a yes among the answers of a window, drawn towards those of all answers so far."""
    stands = question == "malicious_dispute"  # a finding leaves a column of each window by itself
    lately = tuple(f"{answer}_{{window}}@ever" if stands else answer for answer in ANSWERS[question])
    ever = tuple(f"{answer}_ever@ever" if stands else f"{answer}@ever" for answer in ANSWERS[question])
    says = "log-odds of a yes among the answers that the {entity} learnt, drawn towards those of all so far"
    return Pattern("answers_log_odds", "log_odds", (*lately, *ever), "log-odds", says, (LATELY[question],))


FAMILY: Final = Family(
    "platform",
    "How the question was answered of late, whoever it was about: what a model's intercept follows.",
    tuple(On(PLATFORM, (_followed(question),), (question,)) for question in ANSWERS),
)
