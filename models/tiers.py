"""Tiers: how far a buyer's dispute rules are adjusted, why, until when, and how he gets out of it again.

Adjusting needs two keys, as refusing does. Nothing lasts: a tier expires, recovers with orders that nobody disputed, is over
when what confirmed it is taken back, and can be appealed against, which a person decides.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np

from features import Ledger, RedressError
from features.kernel import DAY, Int
from models.sections import number, words
from models.signs import CONFIRMED, TOLD

TIERS: Final[Mapping[str, str]] = {
    "standard": "disputes are answered as anybody's are",
    "evidence_first": "evidence that lacks is asked for before anything is paid",
    "restricted": "a person reviews every dispute that is not refused by both keys",
}
"""What each tier means, the strictest last."""
STEPS: Final = tuple(TIERS)
STANDARD: Final = STEPS[0]
SAYS: Final[Mapping[str, str]] = {
    "standard": "your disputes are answered as anybody's are",
    "evidence_first": "we ask for evidence that is missing before anything is paid in a dispute of yours",
    "restricted": "a person looks at a dispute of yours before anything is paid",
}
"""What each tier means to the buyer."""
RECOVERED: Final = "recovered"
OVERTURNED: Final = "overturned"
GRANTED: Final = "appeal_granted"
_DELAY: Final = "the median delay of disputes on such platforms, 20 to 30 days; measure your own"


@dataclass(frozen=True)
class Rules:
    """When a buyer's dispute rules are adjusted, for how long, and how they recover."""

    adjust_at: float = number(0.9, "share", "probability of malice from which an adjustment has its first key")
    keys: tuple[str, ...] = words(tuple(CONFIRMED), tuple(CONFIRMED), "confirmed signals that may be its second key")
    lasts: float = number(180.0, "days", "until a tier expires by itself")
    recovers: int = number(5, "cases", "orders without a dispute since, after which it is one step milder")
    quiet: float = number(30.0, "days", "without a dispute, until an order counts for that", _DELAY)
    appeal: float = number(30.0, "days", "in which a buyer may appeal")


@dataclass(frozen=True)
class Standing:
    """A buyer's tier at a moment, since when, why, and until when; `reason` and moments are empty for the standard.

    `rests_on` is the confirmed signal without which the tier would not be, also where it has recovered by a step since.
    """

    tier: str = STANDARD
    since: int | None = None
    reason: str = ""
    expires_at: int | None = None
    rests_on: str = ""

    def by(self, t: int) -> "Standing":
        """The same, or the standard where it has expired."""
        return Standing() if self.expires_at is not None and self.expires_at <= t else self

    def after(self, made: "Adjustment") -> "Standing":
        """What a change leaves; a tier that is none of ours is taken for the strictest.

        >>> held = Standing("restricted", 0, "upheld_report", 9, "upheld_report")
        >>> held.after(Adjustment("b", 5, "evidence_first", RECOVERED))
        Standing(tier='evidence_first', since=5, reason='recovered', expires_at=None, rests_on='upheld_report')
        """
        if made.tier == STANDARD:
            return Standing()
        tier = made.tier if made.tier in TIERS else STEPS[-1]
        kept = self.by(made.at).rests_on if made.reason == RECOVERED else ""
        return Standing(tier, made.at, made.reason, made.expires_at, made.reason if made.reason in CONFIRMED else kept)


@dataclass(frozen=True)
class Adjustment:
    """A change of tier, as the ledger's table `tiers` holds it, the last moment of an appeal, and what the buyer is told."""

    buyer_id: str
    at: int
    tier: str
    reason: str
    expires_at: int | None = None
    appeal_by: int | None = None
    says: str = ""


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
    expires = at + round(rules.lasts * DAY)
    appeal_by, appeal = _appeal(at, expires, rules)
    says = (
        f"{TOLD[held[0]]} From now on {SAYS[tier]}. This ends by itself after {rules.lasts:g} days, and becomes milder by a "
        f"step with {rules.recovers} orders without a dispute for {rules.quiet:g} days. {appeal}"
    )
    return Adjustment(buyer_id, at, tier, held[0], expires, appeal_by, says)


def recovered(buyer_id: str, now: Standing, at: int, undisputed: int, rules: Rules) -> Adjustment | None:
    """One step milder after enough orders without a dispute since the tier began; None where there is nothing to recover.

    Who recovers is not held for longer than he would have been.

    >>> recovered("b", Standing("restricted", 0, "upheld_report", 180 * DAY), DAY, 5, Rules()).tier
    'evidence_first'
    """
    if now.tier == STANDARD or undisputed < rules.recovers:
        return None
    tier = STEPS[STEPS.index(now.tier) - 1]
    says = f"{undisputed} orders came without a dispute. From now on {SAYS[tier]}."
    if tier == STANDARD:
        return Adjustment(buyer_id, at, tier, RECOVERED, says=says)
    expires = at + round(rules.lasts * DAY)
    expires = expires if now.expires_at is None else min(now.expires_at, expires)
    appeal_by, appeal = _appeal(at, expires, rules)
    return Adjustment(buyer_id, at, tier, RECOVERED, expires, appeal_by, f"{says} {appeal}")


def _appeal(at: int, expires: int, rules: Rules) -> tuple[int, str]:
    """The last moment of an appeal, no later than the tier's own, and what the buyer is told of it."""
    by = at + round(rules.appeal * DAY)
    days = f"for {rules.appeal:g} days" if by <= expires else "as long as it lasts"
    return min(by, expires), f"It can be appealed against {days}, and a person decides."


def overturned(buyer_id: str, now: Standing, at: int, key: str) -> Adjustment | None:
    """The standard again where what the tier rests on, a confirmed signal, was taken back; None where it rests on another.

    >>> held = Standing("restricted", 0, "earlier_finding", 180 * DAY, "earlier_finding")
    >>> overturned("b", held, DAY, "earlier_finding").tier, overturned("b", held, DAY, "upheld_report")
    ('standard', None)
    """
    if not key or now.rests_on != key:
        return None
    says = f"What your rules were adjusted for was taken back. From now on {SAYS[STANDARD]}."
    return Adjustment(buyer_id, at, STANDARD, OVERTURNED, says=says)


def appealable(
    buyer_id: str, changes: Sequence[Adjustment], at: int, *, rules: Rules, filed: int | None = None
) -> Standing:
    """The tier that an appeal ruled on at a moment is against: the one that stood when it was `filed`, its last moment too.

    It was filed at the same moment unless told. Raises RedressError for an appeal against nothing, or a tier that was yet to
    begin, for one that came too late, and for one ruled on before it was filed.
    """
    filed = at if filed is None else filed
    if filed > at:
        raise RedressError("appeal: want it filed before it is ruled on, got it after; exchange the two moments")
    known = [made for made in changes if made.at < at]
    found = _last(made for made in known if made.at <= filed).by(filed - 1)
    if found.since is None:
        if any(made.at > filed and made.tier != STANDARD for made in known):
            raise RedressError(
                f"appeal: want it filed once the tier of {buyer_id} had begun, got it before; name when he appealed"
            )
        raise RedressError(
            f"appeal: want a tier to appeal against, got {STANDARD} for {buyer_id}; nothing is adjusted then"
        )
    late = filed - found.since - round(rules.appeal * DAY)
    if late > 0:
        raise RedressError(
            f"appeal: want it within {rules.appeal:g} days, got it {late / DAY:.1f} days late; see what recovers"
        )
    return found


def appealed(
    buyer_id: str, changes: Sequence[Adjustment], at: int, *, granted: bool, rules: Rules, filed: int | None = None
) -> Adjustment | None:
    """The standard again where a person granted an appeal and what it was against still stands, be it a step milder since.

    None where it was not granted, and where that tier is over or was replaced by one with reasons of its own. In time is what
    was `filed` in time, however long the person took. Raises RedressError for what is not `appealable`.

    >>> made = [Adjustment("b", 0, "restricted", "upheld_report", 9), Adjustment("b", 5, "evidence_first", RECOVERED, 9)]
    >>> [bool(appealed("b", made, at, granted=True, rules=Rules(), filed=2)) for at in (4, 8, 9)]
    [True, True, False]
    """
    against = appealable(buyer_id, changes, at, rules=rules, filed=filed)
    if not granted or not _lasts(against, changes, at):
        return None
    says = f"The appeal was granted. From now on {SAYS[STANDARD]}."
    return Adjustment(buyer_id, at, STANDARD, GRANTED, says=says)


def _lasts(held: Standing, changes: Iterable[Adjustment], at: int) -> bool:
    """Whether a tier still stands just before a moment, or became milder by steps and nothing else was said since."""
    now = held
    for made in changes:
        if (held.since or 0) < made.at < at:
            now = now.by(made.at)
            if made.reason != RECOVERED or now.since is None:
                return False
            now = now.after(made)
    return now.by(at).since is not None


def told(ledger: Ledger) -> dict[str, list[Adjustment]]:
    """What the ledger's table `tiers` says of each buyer, in the order of time; a word that is not known is empty."""
    found: dict[str, list[Adjustment]] = {}
    if "tiers" not in ledger.facts:
        return found
    facts = ledger.facts["tiers"]
    words = [[word or "" for word in facts.strings(name).to_pylist()] for name in ("buyer_id", "tier", "reason")]
    ends, known = facts.numbers("expires_at")
    for buyer, tier, reason, at, end, sure in zip(
        *words, facts.at.tolist(), ends.tolist(), known.tolist(), strict=True
    ):
        found.setdefault(buyer, []).append(Adjustment(buyer, at, tier, reason, end if sure else None))
    return found


def standing(changes: Iterable[Adjustment], t: int) -> Standing:
    """What changes, in the order of time, leave just before a moment.

    >>> made = [Adjustment("b", 5, "restricted", "upheld_report", 9)]
    >>> [standing(made, t).tier for t in (5, 6, 9)]
    ['standard', 'restricted', 'standard']
    """
    return _last(made for made in changes if made.at < t).by(t)


def _last(changes: Iterable[Adjustment]) -> Standing:
    """What changes, in the order of time, leave, be it over or not."""
    now = Standing()
    for made in changes:
        now = now.after(made)
    return now


def standings(ledger: Ledger, buyers: Int, at: Int) -> Int:
    """The step (n,) of the tier that each buyer, a code of `orders.buyer_id`, had just before a moment: 0 is the standard.

    A tier that is none of ours is taken for the strictest, and one that has expired for the standard.
    """
    names, changes = ledger.facts["orders"].codes("buyer_id").values.to_pylist(), told(ledger)
    some = [changes.get(names[buyer], []) if buyer >= 0 else [] for buyer in buyers.tolist()]
    tiers = [standing(each, t).tier for each, t in zip(some, at.tolist(), strict=True)]
    return np.array([STEPS.index(tier) for tier in tiers], np.int64)
