"""Talk: inquiries and answers on orders and disputes, offers, agreements, and requests for another address."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Int
from pipelines.marketplace.claims import Claims
from pipelines.marketplace.draws import chance
from pipelines.marketplace.officers import SETTLED, Rulings
from pipelines.marketplace.trade import Trade

BUYER, SELLER, PLATFORM = range(3)
TEXT, OFFER, AGREEMENT, ADDRESS_CHANGE = range(4)
"""Positions in the vocabularies of messages.sender and messages.kind."""
ANSWERED: Final = np.array([0.93, 0.98, 0.6, 0.75, 0.9, 0.85])
"""How often sellers of each trade answer an inquiry."""
INQUIRIES: Final = 0.05
"""Share of orders with an inquiry that leads to nothing."""


@dataclass(frozen=True)
class Messages:
    """Messages by moment: the order, the dispute (a row, -1 none), sender and kind."""

    at: Int
    order: Int
    dispute: Int
    sender: Int
    kind: Int


def messages(rng: Generator, trade: Trade, opened: Claims, answered: Int, ruled: Rulings) -> Messages:
    """All that is written; a third of the inquiries of others leads to a dispute, and the seller may stay silent."""
    n, bought, stops = len(opened), trade.bought, trade.stops
    idle = np.flatnonzero(chance(rng, INQUIRIES, len(bought)) & ~bought.fake)
    asked = bought.at[idle] + HOUR + (rng.exponential(5.0, len(idle)) * DAY).astype(np.int64)
    tried = np.flatnonzero(chance(rng, np.where(opened.malicious, 0.45, 0.6), n))
    before = opened.at[tried] - HOUR // 6 - (rng.exponential(30.0, len(tried)) * HOUR).astype(np.int64)
    before = np.maximum(before, bought.at[opened.order[tried]] + HOUR // 12)
    order, when = np.r_[idle, opened.order[tried]], np.r_[asked, before]
    replied, reply = _replies(rng, trade, order, when)
    moved = np.flatnonzero(stops.changed < NOT_YET)
    none = np.full(len(order), -1)
    parts = [
        (when, order, none, BUYER, TEXT),
        (reply, order[replied], none[replied], SELLER, TEXT),
        (stops.changed[moved], moved, np.full(len(moved), -1), BUYER, ADDRESS_CHANGE),
        *_disputed(rng, opened, answered, ruled),
    ]
    at = np.concatenate([part[0] for part in parts])
    sort = np.argsort(at, kind="stable")
    rows, disputes = (np.concatenate([part[i] for part in parts])[sort] for i in (1, 2))
    sender, kind = (np.repeat([p[i] for p in parts], [len(p[0]) for p in parts])[sort] for i in (3, 4))
    return Messages(at[sort], rows, disputes, sender, kind)


def _replies(rng: Generator, trade: Trade, order: Int, when: Int) -> tuple[Int, Int]:
    """Which inquiries are answered, and when."""
    who, seller = trade.who, trade.bought.seller[order]
    hours = who.latency[seller] * np.exp(rng.normal(0, 0.7, len(order)))
    replied = np.flatnonzero(chance(rng, ANSWERED[who.trade[seller]], len(order)))
    return replied, when[replied] + (np.minimum(hours[replied], 700.0) * HOUR).astype(np.int64)


def _disputed(rng: Generator, opened: Claims, answered: Int, ruled: Rulings) -> list[tuple[Int, Int, Int, int, int]]:
    """Messages within disputes: the buyer's, the seller's first answer, offers, the platform's word, and agreements."""
    n, rows = len(opened), np.arange(len(opened))
    says = np.flatnonzero(chance(rng, 0.7, n))
    closed = ruled.closing(n)
    silent = answered >= closed
    replies = np.flatnonzero(~silent)
    offers = np.flatnonzero((np.where(silent, 0, answered) + HOUR // 2 < closed) & ~silent & chance(rng, 0.35, n))
    official = np.flatnonzero(chance(rng, 0.5, n))
    settled = np.flatnonzero(ruled.outcome == SETTLED)
    dispute = ruled.dispute[settled]
    agreed = np.maximum(opened.at[dispute] + HOUR // 12, ruled.at[settled] - HOUR)
    found = [
        (opened.at + HOUR // 12, says, BUYER, TEXT),
        (answered, replies, SELLER, TEXT),
        (answered + np.where(silent, 0, HOUR // 2), offers, SELLER, OFFER),
        (opened.at + HOUR // 4, official, PLATFORM, TEXT),
    ]
    parts = [(at[which], opened.order[which], rows[which], sender, kind) for at, which, sender, kind in found]
    return [*parts, (agreed, opened.order[dispute], dispute, BUYER, AGREEMENT)]
