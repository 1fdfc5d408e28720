"""Deciding as history went: disputes as they were known when they were answered, what a policy answers, and its records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import logit

from features import Ledger
from features.asking import Askings, named_askings
from features.background import first_at
from features.build import gathered
from features.dictionary import dictionary
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from models import Model
from models.claims import SIGNALS, Claims, claims
from models.explain import COLUMNS
from models.exploring import explored
from models.policy import Policy
from models.records import FIRST, Grounds, Record, record
from models.refunds import ACTIONS, ASK, WHY, Case, Decision, Decisions, Refunds, Scores, decide, decide_many
from models.rules import RULES, fired, usable
from models.skill import instead
from models.slices import SLICINGS, Sliced, sliced
from models.spoken import VOICES as NAMES
from models.telling import TOLD

QUESTION: Final = "malicious_dispute"
VOICES: Final = dict(zip(NAMES, TOLD[1:], strict=True))
"""The columns of reasons by voice."""


@dataclass(frozen=True)
class Sight:
    """Disputes as of a moment each: what decisions know of them, what the model says, how many plain rules hold, slices.

    `prior` is how common malice is, where that stands in place of the model's probabilities.
    """

    claims: Claims
    told: pd.DataFrame
    fired: Int
    slices: tuple[Sliced, ...]
    prior: float | None = None

    @property
    def plain(self) -> bool:
        """Whether the model has shown nothing, so that it is not asked."""
        return self.prior is not None

    @property
    def malicious(self) -> Float:
        """The probability of malice (n,) that decisions go by."""
        if self.prior is not None:
            return np.full(len(self.told), self.prior)
        return self.told["probability"].to_numpy(np.float64)

    @property
    def abstain(self) -> Flag:
        """Where the model abstains (n,)."""
        none = np.zeros(len(self.told), np.bool_)
        return self.told["abstain"].to_numpy(np.bool_) if "abstain" in self.told and not self.plain else none

    def take(self, which: Int) -> "Sight":
        """Those at the positions `which`."""
        told = self.told.iloc[which].reset_index(drop=True)
        slices = tuple(replace(one, place=one.place[which]) for one in self.slices)
        return Sight(self.claims.take(which), told, self.fired[which], slices, self.prior)

    def decided(self, policy: Refunds, *, askable: bool) -> Decisions:
        """What a policy answers."""
        cases = self.claims.cases(self.malicious, self.abstain, policy, askable=askable, plain=self.plain)
        found = decide_many(cases, policy)
        if not policy.explores:
            return found
        each = [self.decision(i, policy, askable=askable)[0] for i in range(len(self.told))]
        action, why = np.array([[ACTIONS.index(one.action), list(WHY).index(one.why)] for one in each]).reshape(-1, 2).T
        return Decisions(action, why, np.array([one.amount for one in each], np.int64), found.costs)

    def decision(self, i: int, policy: Refunds, *, askable: bool) -> tuple[Decision, float]:
        """What a policy answers to one, and with which probability it would have answered just that."""
        return decided(self.claims.case(i, askable=askable), self.scores(i), policy)

    def scores(self, i: int) -> Scores:
        """The scores of one."""
        known = bool(self.claims.known[i])
        if self.prior is not None:
            return unasked(self.prior, known=known)
        parts = {name: float(self.told[name].to_numpy(np.float64)[i]) for name in COLUMNS}
        return Scores(float(self.malicious[i]), bool(self.abstain[i]) or not known, False, parts)

    def reasons(self, i: int) -> dict[str, list[str]]:
        """Why one is scored as it is, by voice; nothing where reasons were not asked for, or the model is not."""
        if self.plain:
            return {}
        names = {voice: name for voice, name in VOICES.items() if name in self.told}
        return {voice: list(map(str, self.told[name].to_numpy(object)[i])) for voice, name in names.items()}


def unasked(prior: float, *, known: bool) -> Scores:
    """The scores of a dispute where the model is not asked: how common malice is; it abstains unless the claim is `known`."""
    parts = dict.fromkeys(COLUMNS, 0.0) | {COLUMNS[-1]: float(logit(prior))}
    return Scores(prior, not known, True, parts)


def decided(case: Case, scores: Scores, policy: Refunds) -> tuple[Decision, float]:
    """What a policy answers to a case, and with which probability it would have answered just that."""
    return explored(case, scores, decide(case, scores, policy), policy)


def seen(ledger: Ledger, model: Model, asks: Askings, *, with_reasons: bool = False) -> Sight:
    """Disputes as known at the moments asked."""
    declared = {one.name for one in dictionary(QUESTION)}
    plain = {name for rule in RULES[QUESTION] for name in rule.signals}
    cut = {one.source for one in SLICINGS[QUESTION]}
    only = sorted(set(model.columns) | (set(SIGNALS) | plain | cut) & declared)
    frame = gathered(ledger, asks, horizon=model.horizon, prior=model.prior, only=only)
    rules = fired(frame, usable(RULES[QUESTION], frame))
    told = model.scored(frame, with_reasons=with_reasons)
    cuts = tuple(sliced(ledger, asks, frame))
    return Sight(claims(ledger, asks, frame), told, rules, cuts, instead(model.card))


def looked_at(ledger: Ledger, asks: Askings, hours: float) -> Int:
    """When disputes are looked at so long after they were opened (n,): no later than they were first ruled about."""
    at = asks.at + int(hours * HOUR)
    if "rulings" not in ledger.facts:
        return at
    rulings = ledger.facts["rulings"]
    ruled = first_at(rulings.points["disputes"], rulings.at, len(ledger.facts["disputes"]))[asks.row]
    return np.maximum(asks.at, np.minimum(at, ruled))


def looks(policy: Refunds) -> tuple[float, float]:
    """Hours after a dispute was opened at which a policy answers it, and answers it again once evidence was waited for."""
    return policy.after, policy.after + policy.ask_days * DAY / HOUR


def later(ledger: Ledger, model: Model, asks: Askings, hours: float, *, with_reasons: bool = False) -> Sight:
    """Disputes so long after they were opened, or when they were first ruled about if that was earlier, in their order."""
    at = pd.to_datetime(looked_at(ledger, asks, hours), unit="us", utc=True)
    named = pd.DataFrame({"ask_id": asks.ids.to_pandas(), "at": at})
    found = seen(ledger, model, named_askings(ledger, QUESTION, named), with_reasons=with_reasons)
    place = {name: i for i, name in enumerate(found.claims.ids)}
    return found.take(np.array([place[name] for name in asks.ids.to_pylist()], np.int64))


def sights(ledger: Ledger, model: Model, asks: Askings, policy: Refunds) -> tuple[Sight, Sight]:
    """Disputes when a policy answers them, and once evidence that it asks for has been waited for."""
    first, second = (later(ledger, model, asks, hours, with_reasons=True) for hours in looks(policy))
    return first, second


@dataclass(frozen=True)
class Answered:
    """What a policy answers disputes: at first, and in the end, which differs where evidence was asked for."""

    first: Decisions
    last: Decisions
    asked: Flag
    owed: Float


def modelled(first: Sight, policy: Refunds) -> float | None:
    """The share of disputes whose first answer would be another, were all as probably malicious as the mean of them.

    None where the model is not asked.
    """
    if first.plain:
        return None
    same = np.full(len(first.malicious), first.malicious.mean()) if len(first.malicious) else first.malicious
    usual = decide_many(first.claims.cases(same, np.zeros(len(same), np.bool_), policy), policy)
    found = decide_many(first.claims.cases(first.malicious, first.abstain, policy), policy)
    return float((usual.action != found.action).mean()) if len(same) else 0.0


def answered(first: Sight, second: Sight, policy: Refunds) -> Answered:
    """What a policy answers to disputes, twice where it asks for evidence."""
    begun, then = first.decided(policy, askable=True), second.decided(policy, askable=False)
    asked = begun.action == ASK
    action, why, amount = (
        np.where(asked, one, other)
        for one, other in ((then.action, begun.action), (then.why, begun.why), (then.amount, begun.amount))
    )
    last = Decisions(action, why, amount, np.where(asked[:, None], then.costs, begun.costs))
    return Answered(begun, last, asked, np.where(asked, second.claims.owed, first.claims.owed))


def recorded(first: Sight, second: Sight, made: Answered, policy: Policy, grounds: Grounds) -> Iterator[Record]:
    """The records of what a policy answered, chained in the order of time."""
    turns = [(int(first.claims.at[i]), i, first, True) for i in range(len(made.asked))]
    turns += [(int(second.claims.at[i]), i, second, False) for i in np.flatnonzero(made.asked).tolist()]
    before = FIRST
    for _, i, sight, askable in sorted(turns, key=lambda turn: (turn[0], first.claims.ids[turn[1]], not turn[3])):
        one = one_record(sight, i, policy, grounds, askable=askable, previous=before)
        before = str(one["hash"])
        yield one


def one_record(
    sight: Sight, i: int, policy: Policy, grounds: Grounds, *, askable: bool, previous: str = FIRST
) -> Record:
    """The record of what a policy answers to one dispute."""
    case, scores = sight.claims.case(i, askable=askable), sight.scores(i)
    return of_case(case, scores, policy, grounds, reasons=sight.reasons(i), previous=previous)


def of_case(
    case: Case,
    scores: Scores,
    policy: Policy,
    grounds: Grounds,
    *,
    reasons: Mapping[str, Sequence[str]],
    previous: str = FIRST,
) -> Record:
    """The record of what a policy answers to a case, with the reasons of its scores by voice."""
    decision, propensity = decided(case, scores, policy.refunds)
    rules = policy.refunds
    return record(case, scores, decision, rules, grounds, reasons=reasons, propensity=propensity, previous=previous)
