"""Tiers: how far a buyer's dispute rules are adjusted, why, until when, and how he gets out of it again.

Adjusting needs two keys, as refusing does. Nothing lasts: a tier expires, recovers with orders that nobody disputed, and can be
appealed against, which a person decides.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np

from features import Ledger, RedressError
from features.kernel import DAY, Int
from models.sections import number, words
from models.signs import CONFIRMED

TIERS: Final[Mapping[str, str]] = {
    "standard": "disputes are answered as anybody's are",
    "evidence_first": "evidence that lacks is asked for before anything is paid",
    "restricted": "a person reviews every dispute that is not refused by both keys",
}
"""What each tier means, the strictest last."""
STEPS: Final = tuple(TIERS)
STANDARD: Final = STEPS[0]


@dataclass(frozen=True)
class Rules:
    """When a buyer's dispute rules are adjusted, for how long, and how they recover."""

    adjust_at: float = number(0.9, "share", "probability of malice from which an adjustment has its first key")
    keys: tuple[str, ...] = words(tuple(CONFIRMED), tuple(CONFIRMED), "confirmed signals that may be its second key")
    lasts: float = number(180.0, "days", "until a tier expires by itself")
    recovers: int = number(5, "cases", "orders without a dispute since, after which it is one step milder")
    appeal: float = number(30.0, "days", "in which a buyer may appeal")


@dataclass(frozen=True)
class Standing:
    """A buyer's tier at a moment, since when, why, and until when; `reason` and moments are empty for the standard."""

    tier: str = STANDARD
    since: int | None = None
    reason: str = ""
    expires_at: int | None = None


@dataclass(frozen=True)
class Adjustment:
    """A change of tier, as the ledger's table `tiers` holds it, with the last moment of an appeal and what is said of it."""

    buyer_id: str
    at: int
    tier: str
    reason: str
    expires_at: int | None
    appeal_by: int | None
    says: str


def adjusted(
    buyer_id: str, now: Standing, at: int, malicious: float, confirmed: Collection[str], rules: Rules
) -> Adjustment | None:
    """The next stricter tier where a dispute's score and a confirmed signal both speak for it; None where not.

    A buyer who has the strictest keeps it, for as long again. Raises RedressError for a probability that is none.

    >>> rules = Rules(lasts=180.0)
    >>> made = adjusted("b", Standing(), 0, 0.95, ["upheld_report"], rules)
    >>> made.tier, made.expires_at // DAY, adjusted("b", Standing(), 0, 0.95, [], rules)
    ('evidence_first', 180, None)
    """
    if not 0 <= malicious <= 1 and not isnan(malicious):
        raise RedressError(f"scores.malicious: want a probability from 0 to 1, or NaN, got {malicious}; score it again")
    held = [key for key in rules.keys if key in confirmed]
    if isnan(malicious) or malicious < rules.adjust_at or not held:
        return None
    tier = STEPS[min(STEPS.index(now.tier) + 1, len(STEPS) - 1)]
    expires, appeal_by = at + round(rules.lasts * DAY), at + round(rules.appeal * DAY)
    says = (
        f"{CONFIRMED[held[0]].capitalize()}. From now on {TIERS[tier]}. This ends by itself after {rules.lasts:g} days, "
        f"sooner with {rules.recovers} orders without a dispute, and can be appealed against for {rules.appeal:g} days."
    )
    return Adjustment(buyer_id, at, tier, held[0], expires, appeal_by, says)


def recovered(buyer_id: str, now: Standing, at: int, undisputed: int, rules: Rules) -> Adjustment | None:
    """One step milder after enough orders without a dispute since the tier began; None where there is nothing to recover.

    >>> recovered("b", Standing("restricted", 0, "upheld_report", 180 * DAY), DAY, 5, Rules()).tier
    'evidence_first'
    """
    if now.tier == STANDARD or undisputed < rules.recovers:
        return None
    tier = STEPS[STEPS.index(now.tier) - 1]
    expires = None if tier == STANDARD else at + round(rules.lasts * DAY)
    says = f"{undisputed} orders came without a dispute. From now on {TIERS[tier]}."
    return Adjustment(buyer_id, at, tier, "recovered", expires, None, says)


def appealed(buyer_id: str, now: Standing, at: int, *, granted: bool, rules: Rules) -> Adjustment | None:
    """The standard again where a person granted an appeal; None where it was not.

    Raises RedressError for an appeal against nothing, and for one that came too late.
    """
    if now.tier == STANDARD or now.since is None:
        raise RedressError(f"appeal: want a tier to appeal against, got {STANDARD} for {buyer_id}; nothing is adjusted")
    late = at - now.since - round(rules.appeal * DAY)
    if late > 0:
        raise RedressError(
            f"appeal: want it within {rules.appeal:g} days, got it {late / DAY:.1f} days late; see what recovers"
        )
    return (
        Adjustment(buyer_id, at, STANDARD, "appeal_granted", None, None, "The appeal was granted.") if granted else None
    )


def standings(ledger: Ledger, buyers: Int, at: Int) -> Int:
    """The step (n,) of the tier that each buyer, a code of `orders.buyer_id`, had just before a moment: 0 is the standard.

    A tier that is none of ours is taken for the strictest, and one that has expired for the standard.
    """
    found = np.zeros(len(buyers), np.int64)
    if "tiers" not in ledger.facts:
        return found
    facts, names = ledger.facts["tiers"], ledger.facts["orders"].codes("buyer_id").values.to_pylist()
    place = {name: code for code, name in enumerate(names)}
    whose = facts.codes("buyer_id")
    code = np.array([*(place.get(name, -2) for name in whose.values.to_pylist()), -2])[whose.codes]
    tier = facts.codes("tier")
    strict = len(STEPS) - 1
    step = np.array([*(STEPS.index(t) if t in STEPS else strict for t in tier.values.to_pylist()), strict])[tier.codes]
    expires, known = facts.numbers("expires_at")
    order = np.lexsort((facts.at, code))
    code, when = code[order], facts.at[order]
    for i, (buyer, t) in enumerate(zip(buyers.tolist(), at.tolist(), strict=True)):
        lo, hi = np.searchsorted(code, [buyer, buyer + 1])
        last = lo + int(np.searchsorted(when[lo:hi], t)) - 1
        if buyer >= 0 and last >= lo:
            row = order[last]
            found[i] = 0 if known[row] and expires[row] <= t else step[row]
    return found
