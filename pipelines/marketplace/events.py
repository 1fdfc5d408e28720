"""Events: everything that happens in a simulated marketplace, in the order in which one thing leads to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.random import Generator

from features import RedressError
from features.background import NOT_YET
from features.kernel import Flag, Int
from pipelines.marketplace import banks, claims, defences, endings, officers, platform, proofs, talk
from pipelines.marketplace.draws import end, turn
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.trade import Trade, trade
from pipelines.marketplace.winning import Mechanism


@dataclass(frozen=True)
class Quarrels:
    """Disputes and what follows at the platform; `goes` and `lag` tell who would go to the bank if refused, and how late."""

    opened: claims.Claims
    answered: Int
    shown: proofs.Proofs
    decided: officers.Policy
    ruled: officers.Rulings
    found: officers.Findings
    told: platform.Reports
    goes: Flag
    lag: Int


@dataclass(frozen=True)
class Charges:
    """Chargebacks, how they are answered, with what, and how they end."""

    charged: banks.Chargebacks
    done: defences.Contests
    filed: proofs.Proofs
    ended: endings.Endings


@dataclass(frozen=True)
class Events:
    """All that happens, what is hidden included, with the parameters and the seed that it comes from.

    `spared` are the chargebacks that would have come had the platform refused where it did not.
    """

    parameters: Marketplace
    seed: int
    mechanism: Mechanism
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


STAGES: Final = tuple(
    "people sellers products listings orders registered halted parcels scans intents claims denied answers proofs policy "
    "rulings rings reports reported to_bank notices real spared issuers early refunds blocks feedback messages secured".split()
)
"""Stages that draw at random, each from a generator of its own, so that a parameter of one leaves the others' draws alone."""


def happen(m: Marketplace, *, seed: int) -> Events:
    """Everything that happens in a marketplace; the same seed gives the same events."""
    if seed < 0:
        raise RedressError(f"seed: want a whole number from 0, got {seed}")
    draw = dict(zip(STAGES, np.random.default_rng(seed).spawn(len(STAGES)), strict=True))
    mechanism = Mechanism(turn(m), m.issuer_noise, m.leniency)
    traded = trade(draw, m)
    meant = claims.intents(draw["intents"], m, traded)
    had = _quarrels(draw, m, traded, meant)
    early = platform.early_refunds(draw["early"], m, traded)
    charges, spared = _charges(draw, m, traded, had, meant, early, mechanism)
    opened, bank = had.opened, (charges.charged, charges.ended)
    late = endings.issuer_findings(draw["issuers"], m, opened, *bank)
    reported = platform.reported_findings(draw["reported"], m, had.told)
    had = replace(had, found=officers.together([had.found, reported, late]))
    made = platform.decisions(had.decided, charges.charged, charges.done, traded.stops)
    return Events(
        parameters=m,
        seed=seed,
        mechanism=mechanism,
        trade=traded,
        quarrels=had,
        charges=charges,
        spared=spared,
        refunds=platform.refunds(draw["refunds"], traded, early, opened, had.decided, had.ruled, *bank),
        blocks=platform.blocks(draw["blocks"], traded, *bank),
        decisions=made,
        feedback=platform.feedback(draw["feedback"], made, opened, had.ruled),
        tiers=platform.tiers(traded, opened, had.found),
        messages=talk.messages(draw["messages"], traded, opened, had.answered, had.ruled),
        secured=proofs.secured_proofs(draw["secured"], traded),
    )


def _quarrels(draw: Mapping[str, Generator], m: Marketplace, traded: Trade, meant: claims.Intents) -> Quarrels:
    opened = claims.claims(draw["claims"], m, traded, meant, to_bank=False)
    answered = officers.answers(draw["answers"], traded, opened)
    shown = proofs.dispute_proofs(draw["proofs"], m, traded, opened)
    decided = officers.policy(draw["policy"], m, traded, opened)
    ruled, found = officers.rulings(draw["rulings"], m, traded, opened, shown, answered, decided)
    shown = shown.before(ruled.closing(len(opened)))
    found = officers.together([found, officers.rings_found(draw["rings"], traded, opened, shown)])
    told = platform.reports(draw["reports"], m, traded, opened)
    return Quarrels(
        opened, answered, shown, decided, ruled, found, told, *banks.to_the_bank(draw["to_bank"], m, opened)
    )


def _charges(
    draw: Mapping[str, Generator],
    m: Marketplace,
    traded: Trade,
    had: Quarrels,
    meant: claims.Intents,
    early: platform.Refunds,
    mechanism: Mechanism,
) -> tuple[Charges, Charges]:
    """The chargebacks that come, and those that would have come had the platform refused where it did not."""
    opened, n = had.opened, len(traded.bought)
    denied = claims.claims(draw["denied"], m, traded, meant, to_bank=True)
    coming, spared = banks.notices(draw["notices"], denied, opened, had.ruled, had.goes, had.lag, end(m))
    unasked, spoilt = (np.full(n, NOT_YET) for _ in range(2))
    some = had.ruled.refunded > 0
    np.minimum.at(unasked, early.order, early.at)
    paid = unasked.copy()
    np.minimum.at(paid, opened.order[had.ruled.dispute[some]], had.ruled.at[some])
    np.minimum.at(spoilt, opened.order, opened.at)
    np.minimum.at(spoilt, coming.order, coming.at)

    def charges(rng: Generator, notices: banks.Notices, until: int, paid: Int) -> Charges:
        notice, contest, filing, ending = rng.spawn(4)
        charged = banks.chargebacks(notice, m, traded, notices, until)
        done = defences.contests(contest, m, traded, charged, paid, spoilt, mechanism)
        filed = defences.filings(filing, traded, charged, done)
        return Charges(charged, done, filed, endings.endings(ending, m, charged, done))

    return charges(draw["real"], coming, end(m), paid), charges(draw["spared"], spared, NOT_YET, unasked)
