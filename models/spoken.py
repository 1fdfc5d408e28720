"""What an answer says for itself: why it was given, to the reviewer in full, to the seller what to supply, to the buyer fairly.

The seller hears nothing of the buyer, and the buyer nothing of how anything is found out: whatever sends a dispute to a person
for a look, large or suspect, he hears the same.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from features.tables import EVIDENCE
from models.obtaining import Obtaining
from models.reasons import HELD
from models.refunds import ACTIONS, ASK, REFUSE, REVIEW, WHY, Case, Decision
from models.signs import CONFIRMED, TOLD
from models.telling import IN_FAVOUR, SUPPLY, listed, money
from models.tiers import SAYS

VOICES: Final = ("reviewer", "seller", "buyer")
PAID: Final = ACTIONS[:ASK]
"""Answers that pay."""
FAVOUR: Final = frozenset(IN_FAVOUR["buyer"].values())
"""What only a buyer who is paid hears; if some of the others heard it, the rest could tell what is thought of them."""
_SAYS: Final = {one.name: str(one.metadata["says"]) for one in fields(Obtaining)}
ITEMS: Final[Mapping[str, str]] = {kind: _SAYS[f"{kind}_cents"].removeprefix("to obtain ") for kind in EVIDENCE}
"""Each kind of evidence in words."""


@dataclass(frozen=True)
class Words:
    """What each voice says of an answer, with places for money, its bearer and items; a buyer may hear more than a sentence."""

    reviewer: str
    seller: str
    buyer: str


ANSWERS: Final[Mapping[str, Words]] = {
    "refund_full": Words(
        "pays {paid}, borne by the {bearer}",
        "The claim is paid in full, {paid}, borne by {whom}.",
        "You are refunded {paid}.",
    ),
    "refund_partial": Words(
        "pays {paid} of {claimed}, what the weight bears out, borne by the {bearer}",
        "Of the {claimed} asked for {paid} is paid, as much as the proof bears out, borne by {whom}.",
        "You are refunded {paid} of the {claimed} you asked for, as much as the proof at hand bears out. If it was more, you "
        "can show us.",
    ),
    "return_and_refund": Words(
        "pays {paid} for goods that come back, borne by the {bearer}",
        "The goods come back to you, and {paid} is paid, borne by {whom}.",
        "Send the goods back, and you are refunded {paid}.",
    ),
    "request_evidence": Words(
        "asks the seller for {items}",
        "{supply} {items}; the dispute is answered when it is there, or the time for it is over.",
        "We asked the seller for proof about this order, and answer when it is there or the time for it is over. You can add "
        "original pictures, and tell us what happened.",
    ),
    "review": Words(
        "a person looks at it",
        f"A person looks at this dispute before it is answered. {HELD}",
        "A person looks at your dispute before it is answered. You can add whatever helps us to understand what happened.",
    ),
    "refuse": Words(
        "pays nothing, with both keys",
        "The claim was turned down, as what is confirmed speaks against it. Keep the originals of your proof: a person may be "
        "asked to look again.",
        "Your claim was turned down.",
    ),
}
"""What each answer says, by action."""
BESIDES: Final[Mapping[str, str]] = {
    "out_of_scope": "Claims with the reason you gave are always for a person to decide.",
    "beyond": "More is asked for than is left of this order after what was paid back. You can tell us what it covers.",
    "tier": "As your dispute rules stand, {rules}.",
}
"""What a buyer hears of why, by code; of the others there is nothing that would not say how disputes are looked at."""
PROVED: Final[Mapping[str, str]] = {
    "weight_complete": "Your proof of what was in the parcel is complete, and was relied on.",
}
"""What a seller hears of a second key: what is his own."""


def spoken(
    decision: Decision,
    case: Case,
    *,
    keys: Collection[str] = tuple(CONFIRMED),
    scored: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, list[str]]:
    """Why a dispute is answered so, by voice: first the answer's own why, then what was `scored`; each sentence once.

    `keys` are the policy's second keys. A buyer who is not paid never hears that something counts in his favour.

    >>> from models.refunds import Refunds, Scores, decide
    >>> case = Case("d1", "o1", 0, "quality", 4_000, confirmed=("upheld_report",))
    >>> told = spoken(decide(case, Scores(0.95), Refunds()), case)
    >>> told["reviewer"][1], told["buyer"][1]  # doctest: +NORMALIZE_WHITESPACE
    ("second key, upheld_report: a seller's report of this buyer was upheld",
     'A seller reported an order of yours, and the report was upheld.')
    """
    own = {"reviewer": _reviewer, "seller": _seller, "buyer": _buyer}
    words, paid = _filled(decision, case), decision.action in PAID
    held = tuple(key for key in case.confirmed if key in keys)
    found = {voice: [*own[voice](words, decision, case, held), *(scored or {}).get(voice, ())] for voice in VOICES}
    found["buyer"] = [line for line in found["buyer"] if paid or line not in FAVOUR]
    return {voice: list(dict.fromkeys(lines)) for voice, lines in found.items()}


def _filled(decision: Decision, case: Case) -> Words:
    """The words of an answer with money, bearer and items in their places."""
    says, bearer = ANSWERS[decision.action], decision.borne_by
    places = {
        "paid": money(decision.amount),
        "claimed": money(case.claimed),
        "bearer": bearer,
        "whom": "you" if bearer == "seller" else f"the {bearer}",
        "items": listed([ITEMS[kind] for kind in case.lacking]),
        "supply": SUPPLY["malicious_dispute"],
    }
    return Words(*(getattr(says, voice).format(**places) for voice in VOICES))


def _reviewer(words: Words, decision: Decision, case: Case, held: Sequence[str]) -> Iterator[str]:
    yield f"{decision.action}, {decision.why}: {words.reviewer}; {WHY[decision.why]}"
    turned = held if decision.action == ACTIONS[REFUSE] else ()
    for key in case.confirmed:
        yield f"{'second key' if key in turned else 'confirmed'}, {key}: {CONFIRMED[key]}"
    if decision.action == ACTIONS[ASK]:
        yield f"lacking: {', '.join(case.lacking)}"


def _seller(words: Words, decision: Decision, case: Case, held: Sequence[str]) -> Iterator[str]:
    yield words.seller
    if decision.action == ACTIONS[REFUSE]:
        yield from (PROVED[key] for key in held if key in PROVED)


def _buyer(words: Words, decision: Decision, case: Case, held: Sequence[str]) -> Iterator[str]:
    yield words.buyer
    if decision.action == ACTIONS[REFUSE]:
        yield from (TOLD[key] for key in held)
    if decision.action in (ACTIONS[ASK], ACTIONS[REVIEW]) and decision.why in BESIDES:
        yield BESIDES[decision.why].format(rules=SAYS[case.tier])
