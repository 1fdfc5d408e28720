"""Events: everything that happens in a simulated marketplace, in the order in which one thing leads to the next."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from features import RedressError
from features.kernel import Flag, Int
from features.streams import NOT_YET
from pipelines.marketplace import banks, claims, goods, officers, parcels, people, platform, proofs, talk
from pipelines.marketplace.draws import end, turn
from pipelines.marketplace.orders import Orders, Strangers, orders
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.winning import Mechanism


@dataclass(frozen=True)
class Trade:
    """Who there is, what is sold, what was ordered, and what became of it."""

    folk: people.People
    strangers: Strangers
    who: goods.Sellers
    what: goods.Products
    pages: goods.Listings
    bought: Orders
    stops: parcels.Halted
    sent: parcels.Parcels
    scans: parcels.Scans


@dataclass(frozen=True)
class Quarrels:
    """Disputes and what follows from them at the platform."""

    opened: claims.Claims
    answered: Int
    proofs: proofs.Proofs
    decided: officers.Policy
    ruled: officers.Rulings
    found: officers.Findings
    told: platform.Reports
    goes: Flag
    lag: Int


@dataclass(frozen=True)
class Charges:
    """Chargebacks and how they are answered and end."""

    charged: banks.Chargebacks
    done: banks.Contests
    proofs: proofs.Proofs
    ended: banks.Endings
    mechanism: Mechanism


@dataclass(frozen=True)
class Events:
    """All that happens, with the parameters and the seed that it comes from; what is hidden included."""

    parameters: Marketplace
    seed: int
    trade: Trade
    quarrels: Quarrels
    charges: Charges
    spared: Charges
    refunds: platform.Refunds
    blocks: platform.Blocks
    decisions: platform.Decisions
    feedback: platform.Feedback
    tiers: platform.Tiers
    messages: talk.Messages
    secured: proofs.Proofs


STAGES = (
    *("people", "sellers", "products", "listings", "orders", "halted", "parcels", "scans", "intents", "claims"),
    *("denied", "answers", "proofs", "policy", "rulings", "rings", "reports", "reported", "to_bank", "notices"),
    *("real", "spared", "issuers", "early", "refunds", "blocks", "feedback", "messages", "secured"),
)
"""Stages that draw at random, each from a generator of its own, so that a parameter of one leaves the others' draws alone."""


def happen(m: Marketplace, *, seed: int) -> Events:
    """Everything that happens in a marketplace; the same seed gives the same events."""
    if seed < 0:
        raise RedressError(f"seed: want a whole number from 0, got {seed}")
    draw = dict(zip(STAGES, np.random.default_rng(seed).spawn(len(STAGES)), strict=True))
    trade = _trade(draw, m)
    meant = claims.intents(draw["intents"], m, trade.folk, trade.bought, trade.sent, trade.who, trade.pages)
    quarrels = _quarrels(draw, m, trade, meant)
    early = platform.early_refunds(draw["early"], m, trade.bought, trade.stops, trade.sent)
    charges, spared = _charges(draw, m, trade, quarrels, meant, early)
    told, opened = quarrels.told, quarrels.opened
    late = banks.issuer_findings(draw["issuers"], m, opened, charges.charged, charges.ended)
    reported = platform.reported_findings(draw["reported"], m, told)
    found = officers.together([quarrels.found, reported, late])
    quarrels = Quarrels(**{**vars(quarrels), "found": found})
    decided = platform.decisions(quarrels.decided, charges.charged, charges.done, trade.stops)
    bank = charges.charged, charges.ended
    return Events(
        **{"parameters": m, "seed": seed, "trade": trade, "quarrels": quarrels},
        **{"charges": charges, "spared": spared},
        refunds=platform.refunds(draw["refunds"], early, opened, quarrels.decided, quarrels.ruled, *bank),
        blocks=platform.blocks(draw["blocks"], trade.bought, trade.stops, trade.who, *bank),
        decisions=decided,
        feedback=platform.feedback(draw["feedback"], decided, opened, quarrels.ruled),
        tiers=platform.tiers(opened, trade.bought, found),
        messages=talk.messages(
            draw["messages"], trade.bought, trade.stops, opened, quarrels.answered, quarrels.ruled, trade.who
        ),
        secured=proofs.secured_proofs(draw["secured"], trade.bought, trade.sent, trade.who, trade.what),
    )


def _trade(draw: dict[str, Generator], m: Marketplace) -> Trade:
    folk = people.people(draw["people"], m)
    who = goods.sellers(draw["sellers"], m)
    what = goods.products(draw["products"], m, who)
    pages = goods.listings(draw["listings"], m, who, what)
    bought, strangers = orders(draw["orders"], m, folk, who, what, pages)
    stops = parcels.halted(draw["halted"], m, bought)
    sent = parcels.parcels(draw["parcels"], m, bought, stops, who, what, pages)
    seen = parcels.scans(draw["scans"], bought, sent, who, end(m))
    return Trade(folk, strangers, who, what, pages, bought, stops, sent, seen)


def _quarrels(draw: dict[str, Generator], m: Marketplace, trade: Trade, meant: claims.Intents) -> Quarrels:
    bought, who, what = trade.bought, trade.who, trade.what
    opened = claims.claims(draw["claims"], m, bought, trade.sent, meant, to_bank=False)
    answered = officers.answers(draw["answers"], opened, bought, who)
    shown = proofs.dispute_proofs(draw["proofs"], m, opened, trade.folk, bought, trade.sent, who, what)
    decided = officers.policy(draw["policy"], m, opened, bought)
    ruled, found = officers.rulings(draw["rulings"], m, opened, bought, trade.sent, shown, answered, decided)
    rings = officers.rings_found(draw["rings"], opened, shown, bought)
    told = platform.reports(draw["reports"], m, opened, bought, who)
    goes, lag = banks.to_the_bank(draw["to_bank"], m, opened)
    return Quarrels(opened, answered, shown, decided, ruled, officers.together([found, rings]), told, goes, lag)


def _charges(
    draw: dict[str, Generator], m: Marketplace, trade: Trade, had: Quarrels, meant: claims.Intents, early: platform.Refunds
) -> tuple[Charges, Charges]:
    """The chargebacks that come, and those that would have come had the platform refused where it did not."""
    bought, opened = trade.bought, had.opened
    denied = claims.claims(draw["denied"], m, bought, trade.sent, meant, to_bank=True)
    coming, spared = banks.notices(draw["notices"], denied, opened, had.ruled, had.goes, had.lag)
    paid, spoilt = (np.full(len(bought), NOT_YET) for _ in range(2))
    np.minimum.at(paid, early.order, early.at)
    some = had.ruled.refunded > 0
    np.minimum.at(paid, opened.order[had.ruled.dispute[some]], had.ruled.at[some])
    for concern in (opened, coming):
        np.minimum.at(spoilt, concern.order, concern.at)
    mechanism, made = Mechanism(turn(m), m.issuer_noise, m.leniency), []
    for some_notices, rng, until in ((coming, draw["real"], end(m)), (spared, draw["spared"], NOT_YET)):
        notice, contest, filing, ending = rng.spawn(4)
        charged = banks.chargebacks(notice, m, bought, some_notices, until)
        done = banks.contests(
            contest, m, charged, bought, trade.sent, trade.scans, trade.who, trade.what, paid, spoilt, mechanism
        )
        filed = banks.filings(filing, charged, done, bought)
        made.append(Charges(charged, done, filed, banks.endings(ending, m, charged, done), mechanism))
    return made[0], made[1]
