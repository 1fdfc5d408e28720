"""The families of signals, in the order of the dictionary."""

from typing import Final

from features import (
    buyer,
    chargeback,
    conversation,
    evidence,
    links,
    order,
    parcel,
    platform,
    product,
    seller,
    transaction,
    weight,
)
from features.signal import Family

FAMILIES: Final[tuple[Family, ...]] = tuple(
    family.FAMILY
    for family in (
        order,
        transaction,
        buyer,
        links,
        product,
        seller,
        parcel,
        weight,
        conversation,
        evidence,
        chargeback,
        platform,
    )
)
"""Every family of signals."""
