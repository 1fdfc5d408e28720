"""Claims: which orders are disputed and why in truth, with which words, when and for how much, and which go to the bank."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from features.tables import REASONS
from pipelines.marketplace.draws import chance, days, end, pick_by, turn
from pipelines.marketplace.goods import SLOPPY
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.parcels import FALSE_SCAN, LATE, LOST, NONE, PROBLEMS, REFUSED, SHORT
from pipelines.marketplace.people import RING, SERIAL, STRANGER
from pipelines.marketplace.trade import Trade

CAUSES: Final = (
    *PROBLEMS[:REFUSED],
    *("misunderstanding", "forgotten", "stolen_card", "opportunism", "serial_abuse", "ring_abuse"),
)
"""What a claim truly comes from; those up to "late" are what is wrong with the order."""
MISUNDERSTOOD, FORGOTTEN, STOLEN, OPPORTUNISM, SERIAL_ABUSE, RING_ABUSE = range(LATE + 1, LATE + 7)
MALICE: Final = (OPPORTUNISM, SERIAL_ABUSE, RING_ABUSE)
SIDES: Final = ("buyer", "seller", "product", "carrier", "stranger", "mistake")
"""Who or what is at fault."""
SIDE: Final = np.array([5, 3, 3, 1, 1, 1, 2, 3, 3, 5, 5, 4, 0, 0, 0])
"""For each of CAUSES a position in SIDES."""
VOICE: Final = np.array([0.0, 0.8, 0.85, 0.75, 0.8, 0.16, 0.9, 0.8, 0.05, 0.3])
"""How readily an honest buyer disputes each of PROBLEMS."""
OWED: Final = np.array([0, 1, 1, 0, 1, 1, 0.8, 0.75, 0.15, 0.15, 0, 1, 0, 0, 0])
"""What share of the claim each cause justifies; of a short parcel that share which is missing."""
# not_received short_quantity not_as_described quality damaged counterfeit wrong_item billing service other
WORDS: Final = np.array(
    [
        [10, 10, 10, 10, 10, 10, 10, 10, 10, 10],
        [80, 2, 3, 0, 1, 0, 2, 2, 6, 4],
        [72, 4, 4, 0, 2, 0, 4, 2, 7, 5],
        [7, 58, 19, 4, 3, 1, 4, 0, 2, 2],
        [4, 5, 32, 7, 2, 3, 44, 0, 1, 2],
        [2, 1, 41, 20, 1, 30, 2, 0, 1, 2],
        [2, 2, 48, 30, 7, 5, 2, 0, 2, 2],
        [3, 4, 18, 14, 53, 0, 3, 0, 2, 3],
        [55, 0, 5, 3, 1, 0, 2, 2, 26, 6],
        [20, 12, 15, 11, 7, 5, 6, 8, 6, 10],
        [22, 2, 6, 2, 1, 1, 2, 52, 2, 10],
        [26, 2, 5, 2, 1, 2, 2, 46, 3, 11],
        [33, 14, 20, 13, 8, 4, 4, 2, 1, 1],
        [35, 15, 17, 10, 9, 6, 5, 1, 1, 1],
        [22, 20, 20, 11, 11, 8, 5, 1, 1, 1],
    ]
)
"""Percent of each cause's claims that give each of REASONS."""
PATTERN: Final = np.array([[5, 58, 12, 0, 12, 6, 7, 0, 0, 0]])
"""The reasons of the new pattern: parts of dear parcels are said to be missing, with a borrowed film of the unboxing."""


def in_bad_faith(cause: Int) -> Flag:
    """Whether the buyer knows that it isn't so."""
    return np.isin(cause, MALICE)


@dataclass(frozen=True)
class Claims:
    """Claims by moment: the order, true cause, reason given, cents claimed, share truly owed, and if it's the new pattern."""

    at: Int
    order: Int
    cause: Int
    reason: Int
    claimed: Int
    owed: Float
    happened: Int
    pattern: Flag

    def __len__(self) -> int:
        return len(self.at)

    @property
    def malicious(self) -> Flag:
        """Whether the buyer knows that it isn't so."""
        return in_bad_faith(self.cause)


@dataclass(frozen=True)
class Intents:
    """What buyers make of their orders: the cause by order, or NONE, and who of them goes to the bank at once."""

    cause: Int
    to_bank: Flag


def intents(rng: Generator, m: Marketplace, trade: Trade) -> Intents:
    """Which orders are complained of: malice where nothing is wrong, else what is wrong, and misunderstandings."""
    folk, bought, sent = trade.folk, trade.bought, trade.sent
    n = len(bought)
    held = bought.spirit != STRANGER
    mood = np.minimum(np.where(held, folk.temper[np.where(held, bought.buyer, 0)], 1.0), 4.0)
    fine = np.isin(sent.problem, (NONE, LATE)) & (sent.shipped < NOT_YET) & ~bought.fake
    rate = np.array([0.0, m.opportunist_claims, m.serial_claims, m.ring_claims, 0.0, 0.0])[bought.spirit]
    bad = fine & chance(rng, rate, n)
    good = ~bought.fake & held & (sent.shipped < NOT_YET)
    wronged = good & chance(rng, m.complaint_rate * VOICE[sent.problem] * mood, n)
    unclear, sloppy = trade.pages.stated[bought.version] < 0, trade.who.trade[bought.seller] == SLOPPY
    vague = np.where(unclear, 2.0, 1.0) * np.where(sloppy, 1.6, 1.0)
    puzzled = good & chance(rng, m.misunderstanding_rate * mood * vague, n)
    forgetful = held & folk.forgetful[np.where(held, bought.buyer, 0)]
    forgot = forgetful & (sent.shipped < NOT_YET) & chance(rng, m.forgotten_rate, n)
    robbed = bought.stolen & (sent.shipped < NOT_YET) & chance(rng, m.stolen_charged, n)
    spirit = np.select([bought.spirit == SERIAL, bought.spirit == RING], [SERIAL_ABUSE, RING_ABUSE], OPPORTUNISM)
    real = np.where(sent.problem == REFUSED, MISUNDERSTOOD, sent.problem)
    cause = np.select([robbed, bad, wronged, puzzled, forgot], [STOLEN, spirit, real, MISUNDERSTOOD, FORGOTTEN], NONE)
    at_once = np.select([bad, robbed, forgot], [m.bank_first, 0.96, 0.9], 0.015)
    return Intents(cause, chance(rng, at_once, n))


def claims(rng: Generator, m: Marketplace, trade: Trade, meant: Intents, *, to_bank: bool) -> Claims:
    """The claims that are made before the ledger's end and within the window, at the platform or at the bank."""
    bought, sent = trade.bought, trade.sent
    order = np.flatnonzero((meant.cause != NONE) & (meant.to_bank == to_bank))
    cause, n = meant.cause[order], len(order)
    late = (bought.at[order] >= turn(m)) & np.isin(cause, (SERIAL_ABUSE, RING_ABUSE))
    several = bought.quantity[order] * trade.what.pack[bought.product[order]] > 1
    pattern = late & several & chance(rng, m.new_pattern, n)
    reason = np.where(pattern, pick_by(rng, PATTERN, 0 * order), pick_by(rng, WORDS, cause))
    share = _asked(rng, cause, sent.missing[order], pattern)
    noticed = _noticed(rng, trade, order, cause, reason)
    haste = np.select([np.isin(cause, MALICE), cause == MISUNDERSTOOD], [0.85, 1.2], 1.0)
    slowly = days(rng, haste * (m.charged_days if to_bank else m.dispute_days), n)
    soonest = noticed + HOUR + (rng.exponential(2.0, n) * haste * DAY).astype(np.int64)
    at = np.maximum(bought.at[order] + slowly, soonest)
    keep = np.flatnonzero((at < end(m)) & (at - bought.at[order] <= m.window_days * DAY))
    keep = keep[np.argsort(at[keep], kind="stable")]
    known = chance(rng, 0.7, n) & (noticed <= at)
    owed = np.where(cause == SHORT, np.minimum(1.0, sent.missing[order] / share), OWED[cause])
    return Claims(
        at=at[keep],
        order=order[keep],
        cause=cause[keep],
        reason=reason[keep],
        claimed=np.ceil(bought.amount[order] * share).astype(np.int64)[keep],
        owed=owed[keep],
        happened=np.where(known, noticed, NOT_YET)[keep],
        pattern=pattern[keep],
    )


def _asked(rng: Generator, cause: Int, missing: Float, pattern: Flag) -> Float:
    """The share of the order's amount that is claimed: mostly all of it."""
    n = len(cause)
    part = np.where(pattern, rng.uniform(0.4, 0.9, n), rng.uniform(0.2, 1.0, n))
    whole = chance(rng, np.where(pattern, 0.15, np.where(np.isin(cause, MALICE), 0.78, 0.55)), n)
    return np.where((cause == SHORT) & ~whole, np.maximum(missing, 0.05), np.where(whole, 1.0, part))


def _noticed(rng: Generator, trade: Trade, order: Int, cause: Int, reason: Int) -> Int:
    """When the buyer can know of it: at delivery, at the promised date when nothing came, some impatient ones before."""
    bought, sent = trade.bought, trade.sent
    n, promised = len(order), bought.promised[order]
    came = sent.arrives[order]
    absent = np.isin(cause, (LOST, LATE)) | ((reason == REASONS.index("not_received")) & (cause != FALSE_SCAN))
    awaited = promised + np.where(chance(rng, 0.15, n), -1, 1) * (rng.exponential(1.5, n) * DAY).astype(np.int64)
    noticed = np.where(absent, awaited, came)
    billed = bought.at[order] + HOUR + (rng.exponential(3.0, n) * DAY).astype(np.int64)
    noticed = np.where(np.isin(cause, (STOLEN, FORGOTTEN)), billed, noticed)
    return np.asarray(np.maximum(noticed, bought.at[order] + HOUR))
