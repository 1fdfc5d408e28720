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
TOLD: Final[Mapping[str, str]] = {
    "earlier_finding": "A person looked into an earlier dispute of yours and found against you.",
    "upheld_report": "A seller reported an order of yours, and the report was upheld.",
    "reused_evidence": "What was sent in as proof of a dispute of yours could not be relied on.",
    "weight_complete": "The seller's proof of what was in a parcel to you is complete and speaks against your dispute.",
}
"""What a buyer is told of each, without how it is found out."""
