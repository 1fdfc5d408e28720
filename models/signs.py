"""Confirmed signals: what may be the second key to a refusal or to an adjustment of a buyer's rules, beside the score."""

from collections.abc import Mapping
from typing import Final

CONFIRMED: Final[Mapping[str, str]] = {
    "earlier_finding": "an earlier dispute of this buyer was found malicious and stands",
    "upheld_report": "a seller's report of this buyer was upheld",
    "reused_evidence": "a picture of this dispute was shown before about another order",
    "weight_complete": "the four items of weight are there, and the carrier's weight says that all units were",
}
"""What each says, by name."""
