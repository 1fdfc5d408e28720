"""Reason codes of the card networks by family (Visa Core Rules; Mastercard Chargeback Guide)."""

from typing import Final

CODES: Final = {
    "fraud": ("10.1", "10.2", "10.3", "10.4", "10.5", "4837", "4840", "4849", "4863", "4870", "4871"),
    "authorisation": ("11.1", "11.2", "11.3", "4808"),
    "processing": ("12.1", "12.2", "12.3", "12.4", "12.5", "12.6", "12.6.1", "12.6.2", "12.7", "4834"),
    "not_received": ("13.1",),
    "not_as_described": ("13.3",),
    "counterfeit": ("13.4",),
    "misrepresentation": ("13.5",),
    "credit_not_processed": ("13.6",),
    "cancelled": ("13.7",),
    "cardholder_dispute": ("4853",),
}
"""The codes of each family."""
