"""People: who buys, in what spirit, when each account was opened, and which homes, groups and cards are shared."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, SECOND, Flag, Int
from features.signal import Float
from pipelines.marketplace.draws import START, Members, activity, chance, end, joining, pick, repeated
from pipelines.marketplace.parameters import Marketplace

SPIRITS: Final = ("honest", "opportunist", "serial_abuser", "ring", "colluder", "stranger")
HONEST, OPPORTUNIST, SERIAL, RING, COLLUDER, STRANGER = range(6)
"""What an account is; a colluder's places a seller's fake orders, a stranger's pays with stolen instruments."""
COUNTRIES: Final = {"US": 0.4, "GB": 0.15, "DE": 0.15, "FR": 0.12, "BR": 0.1, "AU": 0.08}
EAGER: Final = np.array([1.0, 1.0, 1.6, 1.5, 0.4, 0.0])
"""How much more an account of each spirit buys than an honest one."""


@dataclass(frozen=True)
class People:
    """Accounts in order of joining: spirit, moment of joining, group (its own number when alone), home, and manners."""

    spirit: Int
    joined: Int
    activity: Float
    group: Int
    home: Int
    country: Int
    cards: Int
    temper: Float
    forgetful: Flag

    def __len__(self) -> int:
        return len(self.spirit)

    def members(self) -> Members:
        """The accounts to choose a buyer from."""
        return Members(np.maximum(self.joined, START), np.cumsum(self.activity))


def people(rng: Generator, m: Marketplace) -> People:
    """All accounts but those of strangers."""
    n = max(1, round(m.orders * (1 - m.stolen_rate) / m.orders_per_buyer))
    spirit, group = _spirits(rng, m, n)
    joined = _joined(rng, m, spirit, group)
    order = np.argsort(joined, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first = place[_first(group)][order]  # the group goes by one member's number
    spirit, joined = spirit[order], joined[order]
    count = len(order)
    home = _homes(rng, spirit, first)
    return People(
        spirit=spirit,
        joined=joined,
        activity=activity(rng, m, count) * EAGER[spirit],
        group=first,
        home=home,
        country=pick(rng, [*COUNTRIES.values()], count)[home],
        cards=rng.integers(1, 4, count),
        temper=rng.gamma(1.5, 1 / 1.5, count),
        forgetful=chance(rng, m.forgetful_share, count) & (spirit == HONEST),
    )


def _spirits(rng: Generator, m: Marketplace, n: int) -> tuple[Int, Int]:
    """Spirit and group of each account; the first is honest, and everyone alone is a group of his own."""
    colluders = round(n * m.faker_share * 0.5)
    counts = [round(n * share) for share in (m.opportunist_share, m.serial_share, m.ring_share)]
    honest = max(1, n - sum(counts) - colluders)
    spirit = np.repeat([HONEST, OPPORTUNIST, SERIAL, RING, COLLUDER], [honest, *counts, colluders])
    group = np.arange(len(spirit))
    for kind, mean in ((SERIAL, m.serial_accounts), (RING, m.ring_accounts)):
        some = np.flatnonzero(spirit == kind)
        group[some] = len(spirit) * (kind + 1) + repeated(rng, mean, len(some))
    return spirit, group


def _first(group: Int) -> Int:
    """The position of the first of each one's group."""
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(first[which], np.int64)


def _joined(rng: Generator, m: Marketplace, spirit: Int, group: Int) -> Int:
    """When each account was opened: a serial abuser's one after the other, a ring's within weeks."""
    n = len(spirit)
    joined = joining(rng, m, n)
    joined[0] = START - DAY - round(rng.exponential(90 * DAY))  # somebody honest is there from the first moment
    apart = np.where(spirit == SERIAL, 45.0, 15.0)
    later = joined[_first(group)] + (rng.exponential(1.0, n) * apart * DAY).astype(np.int64)
    earlier = START - DAY - (rng.exponential(150 * DAY, n)).astype(np.int64)
    joined = np.where(spirit == COLLUDER, np.minimum(joined, earlier), joined)
    grouped = (_first(group) != np.arange(n)) & np.isin(spirit, (SERIAL, RING))
    return np.where(grouped & (later < end(m)), later, joined)


def _homes(rng: Generator, spirit: Int, first: Int) -> Int:
    """Whose home each lives in: the honest by themselves or with the one before, abusers by themselves or with their group."""
    n = len(spirit)
    row = np.arange(n)
    family = np.maximum.accumulate(np.where(chance(rng, 0.4, n) & (row > 0), 0, row))
    shared = rng.random(n) < np.array([0.0, 0.0, 0.5, 0.15, 0.0, 0.0])[spirit]
    return np.where(np.isin(spirit, (SERIAL, RING)), np.where(shared, first, row), family)


def registered(rng: Generator, folk: People, buyer: Int, at: Int) -> Int:
    """When each account was opened, in the light of its orders: most who are new register to buy, days before or at once."""
    n = len(folk)
    first = np.full(n, NOT_YET)
    own = buyer < n
    np.minimum.at(first, buyer[own], at[own])
    wait = 600 * SECOND + (np.exp(rng.normal(np.log(1.0), 2.0, n)) * DAY).astype(np.int64)
    fresh = (folk.joined >= START) & (first < NOT_YET) & chance(rng, 0.75, n)
    return np.where(fresh, np.maximum(folk.joined, np.where(fresh, first, 0) - wait), folk.joined)
