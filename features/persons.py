"""Persons: all that a store holds of one buyer: his registration, his tiers, his orders and all about them."""

from collections.abc import Iterator

from features.homes import Fact, home, unpacked
from features.indices import OF_BUYER, listed, orders_under
from features.keys import Snapshot


def homes_of(snapshot: Snapshot, buyer: str) -> dict[bytes, list[Fact]]:
    """The homes of a buyer and of his orders with their facts; none where nothing is known of him."""
    named = [home("buyer", buyer), *orders_of(snapshot, buyer)]
    kept = zip(named, snapshot.many(named), strict=True)
    return {where: unpacked(facts) for where, facts in kept if facts is not None}


def orders_of(snapshot: Snapshot, buyer: str) -> Iterator[bytes]:
    """The homes of a buyer's orders."""
    return orders_under(snapshot, listed(OF_BUYER, buyer))
