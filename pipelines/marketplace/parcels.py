"""Parcels: what was cancelled, shipped, weighed and scanned, and what truly became of each order's goods."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from pipelines.marketplace.draws import after, chance, days, pick_by, turn
from pipelines.marketplace.goods import (
    HANDLING_DAYS,
    SHORT_LOADER,
    SLOPPY,
    Products,
    Sellers,
)
from pipelines.marketplace.orders import Orders, usual_days
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.people import RING, SERIAL, STRANGER

CARRIERS: Final = ("northline", "parcelo", "citycourier", "swiftway", "tradepost", "oceanbridge")
OURS: Final = 3
"""So many of them, the first, are logistics that the platform designates."""
FAULTS: Final = np.array([0.5, 0.7, 0.9, 1.0, 1.5, 2.2])
"""How often each carrier loses, damages and misreports, against a mean one."""
PACE: Final = np.array([0.9, 1.0, 0.95, 0.85, 1.1, 1.25])
"""How long each takes, against what is usual."""
DECLINING: Final = 3
"""The carrier that gets worse."""
BACKLOG: Final = (1.9, 0.6)
"""How often parcels handed over on Mondays, and on other days, are lost and damaged, against the mean."""
TURNED_AWAY: Final = 0.002
"""Share of parcels refused at the door."""
PROBLEMS: Final = (
    *("none", "lost", "false_scan", "short_loaded", "wrong_item", "counterfeit", "faulty_product", "damaged", "late"),
    "refused",
)
NONE, LOST, FALSE_SCAN, SHORT, WRONG, COUNTERFEIT, FAULTY, DAMAGED, LATE, REFUSED = range(10)
"""What truly is wrong with an order; of several the first in this order."""


@dataclass(frozen=True)
class Halted:
    """Orders that never shipped or nearly did not: moments by order, NOT_YET where not."""

    cancelled: Int
    party: Int
    changed: Int
    checked: Int
    risky: Flag
    released: Int
    closed: Flag


@dataclass(frozen=True)
class Parcels:
    """By order: hand-over, carrier, papers, weights, when it is due at the door, true and reported delivery, what is wrong."""

    shipped: Int
    carrier: Int
    tracked: Flag
    receipt: Flag
    packed: Int
    declared: Int
    weighed: Int
    arrives: Int
    delivered: Int
    reported: Int
    problem: Int
    missing: Float

    def seen(self, at: Int, order: Int) -> Flag:
        """Whether a delivery was reported before each moment."""
        return self.reported[order] < at


def halted(rng: Generator, m: Marketplace, bought: Orders) -> Halted:
    """Cancellations, and changes of address after payment, which the platform checks, and blocks where they look risky."""
    n, at = len(bought), bought.at
    eager = np.where(bought.spirit == STRANGER, 8.0, np.where(np.isin(bought.spirit, (SERIAL, RING)), 2.0, 1.0))
    moved = chance(rng, m.address_change_rate * eager, n)
    changed = np.where(moved, at + HOUR + (rng.exponential(7.0, n) * HOUR).astype(np.int64), NOT_YET)
    looked = chance(rng, 0.02, n) & ~moved
    checked = np.where(moved, after(changed, np.full(n, HOUR // 4)), np.where(looked, at + HOUR // 2, NOT_YET))
    odd = np.where(bought.stolen, 0.65, np.where(moved, 0.3, 0.02))
    risky = (moved | looked) & chance(rng, odd, n)
    hours = np.minimum(1 + rng.exponential(9.0, n), 23.5) * HOUR
    closed = risky & chance(rng, np.where(bought.stolen, 0.85, 0.35), n)
    late = at + HOUR // 2 + (rng.exponential(10.0, n) * HOUR).astype(np.int64)
    dropped = chance(rng, m.cancel_rate, n) & ~moved & ~looked & ~bought.fake
    return Halted(
        cancelled=np.where(dropped, late, NOT_YET),
        party=pick_by(rng, np.array([[0.6, 0.3, 0.1]]), np.zeros(n, np.int64)),
        changed=changed,
        checked=checked,
        risky=risky,
        closed=closed,
        released=np.where(risky, after(checked, hours.astype(np.int64)), NOT_YET),
    )


def parcels(rng: Generator, m: Marketplace, bought: Orders, stops: Halted, who: Sellers, what: Products) -> Parcels:
    """Every order's shipment and fate; what goes wrong depends on the carrier and the moment, how long it takes on the lane."""
    n, trade = len(bought), who.trade[bought.seller]
    carrier = _carriers(rng, m, bought, who)
    handling = days(rng, HANDLING_DAYS[trade], n, 0.5)
    begin = np.maximum(bought.at, np.where(stops.risky, stops.released, 0))
    begin = np.maximum(begin, np.where(stops.changed < NOT_YET, stops.changed, 0))
    shipped = np.where((stops.cancelled < NOT_YET) | stops.closed, NOT_YET, _working(begin + handling))
    usual = usual_days(who.country[bought.seller], bought.ship)
    transit = days(rng, usual * PACE[carrier], n, m.delay) + _customs(rng, m, bought, who)
    arrives = np.where(shipped < NOT_YET, _working(np.where(shipped < NOT_YET, shipped, 0) + transit), NOT_YET)
    worse = (carrier == DECLINING) & (bought.at >= turn(m))
    backlog = np.where(_weekday(shipped) == 0, *BACKLOG)
    faults = FAULTS[carrier] * np.where(worse, m.carrier_decline, 1.0) * backlog
    problem, missing = _problems(rng, m, bought, what, faults, trade)
    problem[(problem == NONE) & (arrives > bought.promised + DAY)] = LATE
    problem[shipped == NOT_YET] = NONE
    lost = np.isin(problem, (LOST, FALSE_SCAN, REFUSED))
    tracked = chance(rng, np.where(trade == SLOPPY, 0.75, 0.9), n)
    noted = chance(rng, np.where(problem == LOST, 0.12, np.where(carrier < OURS, 0.93, 0.82)), n)
    reported = np.where(tracked & noted & (problem != REFUSED), arrives, NOT_YET)
    units = what.pack[bought.product] * bought.quantity
    weighed, declared = _weights(rng, m, bought, what, carrier, units, missing)
    return Parcels(
        shipped=shipped,
        carrier=carrier,
        tracked=tracked,
        problem=problem,
        missing=missing,
        receipt=chance(rng, np.where(trade == SLOPPY, 0.5, 0.85), n),
        packed=np.where(chance(rng, np.array([0.4, 0.9, 0.1, 0.3, 0.3, 0.6])[trade], n), units, -1),
        declared=declared,
        weighed=weighed,
        arrives=arrives,
        delivered=np.where(lost, NOT_YET, arrives),
        reported=reported,
    )


def _customs(rng: Generator, m: Marketplace, bought: Orders, who: Sellers) -> Int:
    """Days that customs hold some parcels from abroad."""
    n = len(bought)
    held = (who.country[bought.seller] != bought.ship) & ~bought.fake & chance(rng, m.customs_rate, n)
    return np.where(held, (rng.exponential(6.0, n) * DAY).astype(np.int64), 0)


def _working(at: Int) -> Int:
    """The same hour of the next Monday for what falls on a weekend: nobody hands over or delivers then."""
    weekday = _weekday(at)
    return np.asarray(at + np.where(weekday >= 5, 7 - weekday, 0) * DAY)


def _weekday(at: Int) -> Int:
    """Monday is 0; 1970-01-01 was a Thursday."""
    return np.asarray((at // DAY + 3) % 7)


def _carriers(rng: Generator, m: Marketplace, bought: Orders, who: Sellers) -> Int:
    """Each seller's own carrier or the platform's, now and then another."""
    n, sellers = len(bought), len(who.trade)
    ours = chance(rng, m.platform_logistics, n)
    usual = np.stack([rng.integers(OURS, len(CARRIERS), sellers), rng.integers(0, OURS, sellers)])
    mostly = chance(rng, 0.8, n)
    strays = np.where(ours, rng.integers(0, OURS, n), rng.integers(OURS, len(CARRIERS), n))
    return np.where(mostly, usual[ours.astype(np.int64), bought.seller], strays)


def _problems(
    rng: Generator, m: Marketplace, bought: Orders, what: Products, faults: Float, trade: Int
) -> tuple[Int, Float]:
    """What is wrong with each order's goods or parcel, and which share of the units is missing."""
    n, product = len(bought), bought.product
    units = what.pack[product] * bought.quantity
    draw = rng.random((8, n))
    short = (trade == SHORT_LOADER) & (units > 1) & (draw[0] < m.short_rate)
    found = [
        (LOST, draw[1] < m.loss_rate * faults),
        (FALSE_SCAN, draw[2] < m.false_scan_rate * faults),
        (SHORT, short),
        (WRONG, draw[3] < m.wrong_item_rate * np.where(trade == SLOPPY, 5.0, 1.0)),
        (COUNTERFEIT, what.counterfeit[product]),
        (FAULTY, what.faulty[product] & (bought.at >= what.faulty_from[product]) & (draw[4] < m.faulty_units)),
        (DAMAGED, draw[5] < m.damage_rate * faults),
        (REFUSED, draw[6] < TURNED_AWAY),
    ]
    problem = np.select([where for _, where in found], [kind for kind, _ in found], NONE)
    problem[bought.fake] = NONE
    lacking = np.maximum(1, np.floor(units * rng.uniform(0.1, 0.5, n)))
    return problem, np.where(problem == SHORT, np.minimum(lacking, units - 1) / np.maximum(units, 1), 0.0)


def _weights(
    rng: Generator, m: Marketplace, bought: Orders, what: Products, carrier: Int, units: Int, missing: Float
) -> tuple[Int, Int]:
    """Grams that the carrier's scales showed and that the seller declared, -1 where nobody weighed; fakes ship empty boxes."""
    n, product = len(bought), bought.product
    goods, packaging = what.unit_weight[product] * units, what.packaging[product]
    spread = np.exp(rng.normal(0, 0.03, n))
    inside = np.where(bought.fake & chance(rng, 0.5, n), 0.05, 1 - missing) * goods
    true = inside * spread + packaging * np.exp(rng.normal(0, 0.15, n))
    shown = np.maximum(1, true * (1 + rng.normal(0, m.weighing_error, n)) + rng.normal(0, 5, n))
    said = np.maximum(1, (goods * np.exp(rng.normal(0, 0.02, n)) + packaging).round(-1))
    on_scales = chance(rng, np.where(carrier < OURS, 0.9, 0.5), n)
    declares = chance(rng, 0.6, n)
    return np.where(on_scales, shown, -1).astype(np.int64), np.where(declares, said, -1).astype(np.int64)


@dataclass(frozen=True)
class Scans:
    """Carrier events in time order: the order, a position in SCANS, and what was noted (-1 unknown)."""

    at: Int
    order: Int
    kind: Int
    match: Int
    signed: Int
    late: Int


ACCEPTED, IN_TRANSIT, CUSTOMS, OUT, DELIVERED, REFUSAL, RETURNED, LOSS, EXCEPTION = range(9)
"""Positions in features.tables.SCANS."""


def scans(rng: Generator, bought: Orders, sent: Parcels, who: Sellers, until: int) -> Scans:
    """What carriers scanned of tracked parcels until the ledger's end; some scans are uploaded late."""
    tracked = np.flatnonzero(sent.tracked & (sent.shipped < until))
    at, n = sent.shipped[tracked], len(tracked)
    problem, carrier = sent.problem[tracked], sent.carrier[tracked]
    gone, told = problem == LOST, sent.reported[tracked] < NOT_YET
    span = np.where(gone & ~told, 3 * DAY, sent.arrives[tracked] - at)
    abroad = who.country[bought.seller[tracked]] != bought.ship[tracked]
    share = np.sort(rng.uniform(0.08, 0.85, (3, n)), axis=0)
    steps = [
        (ACCEPTED, at + (rng.uniform(0.005, 0.06, n) * span).astype(np.int64), np.full(n, 0.97)),
        (IN_TRANSIT, at + (share[0] * span).astype(np.int64), np.full(n, 0.9)),
        (CUSTOMS, at + (share[1] * span).astype(np.int64), np.where(abroad, 0.8, 0.0)),
        (EXCEPTION, at + (share[2] * span).astype(np.int64), np.where(problem == LATE, 0.35, 0.02)),
        (OUT, at + (0.97 * span).astype(np.int64), np.where(gone & ~told, 0.0, 0.85)),
        (DELIVERED, at + span, told),
        (REFUSAL, at + span, np.where(problem == REFUSED, 1.0, 0.0)),
        (RETURNED, at + span + days(rng, 8.0, n), np.where(problem == REFUSED, 0.8, 0.0)),
        (LOSS, bought.promised[tracked] + days(rng, 12.0, n), np.where(gone & ~told, 0.4, 0.0)),
    ]
    moment, row, kind = [], [], []
    for word, when, often in steps:
        met = np.flatnonzero(chance(rng, often, n) & (when < until))
        moment.append(np.maximum(when[met], at[met] + 1))
        row.append(met)
        kind.append(np.full(len(met), word))
    scanned, which, what = (np.concatenate(values) for values in (moment, row, kind))
    return _noted(rng, scanned, which, what, tracked, sent, problem, carrier)


def _noted(
    rng: Generator, at: Int, row: Int, kind: Int, tracked: Int, sent: Parcels, problem: Int, carrier: Int
) -> Scans:
    """Scans in time order with what was noted at the door: a false one matches the address less often, and nobody signs."""
    order = np.argsort(at, kind="stable")
    at, row, kind = at[order], row[order], kind[order]
    n, door = len(at), kind == DELIVERED
    false = np.isin(problem[row], (FALSE_SCAN, LOST))
    noted = door & chance(rng, np.where(carrier[row] < OURS, 0.9, 0.55), n)
    match = chance(rng, np.where(false, 0.6, 0.97), n)
    signed = chance(rng, np.where(false, 0.12, 0.4), n)
    slow = chance(rng, 0.15, n) & (kind < OUT)
    delay = np.minimum(rng.exponential(6.0, n) * HOUR, 0.9 * (at - sent.shipped[tracked[row]])).astype(np.int64)
    return Scans(
        at=at,
        order=tracked[row],
        kind=kind,
        match=np.where(noted, match, -1),
        signed=np.where(noted, signed, -1),
        late=np.where(slow, delay, 0),
    )
