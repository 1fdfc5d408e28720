"""Candidates: the earlier orders of a card holder one by one, and what each lacks to count in a network's programme."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.background import Background
from features.kernel import DAY, Flag, Int
from features.ledger import Ledger
from features.priors import COMPELLING, FIRST_PARTY, MATCHES, Programme, crowded_at, objected_at

PROGRAMMES: Final = {
    "10.4": ("Compelling Evidence 3.0", COMPELLING),
    "4837": ("First-Party Trust", FIRST_PARTY),
}
"""The programme that each reason code opens, and its name."""
STRONG: Final = MATCHES[:2]
"""Matches of which there must be one."""
Crowds = Callable[[str], bool]
"""Whether the id that an order names in a column was a placeholder by the moment asked."""


@dataclass(frozen=True)
class Candidate:
    """An earlier order with the same instrument: its age in days, what of it matches, and what it lacks to qualify.

    `near` is whether one thing alone is lacking: its age, that it was objected to, or one more match, which `could` be.
    """

    order_id: str
    days: float
    matches: tuple[str, ...]
    lacks: tuple[str, ...]
    could: tuple[str, ...] = ()
    near: bool = False

    @property
    def qualifies(self) -> bool:
        """Whether it lacks nothing."""
        return not self.lacks


def lacking_match(same: frozenset[str], programme: Programme) -> tuple[int, tuple[str, ...]]:
    """How many more matches an order needs, and which of the others could be the next.

    >>> lacking_match(frozenset({"login", "address"}), COMPELLING)
    (1, ('ip', 'device'))
    >>> lacking_match(frozenset({"ip"}), COMPELLING)
    (1, ('device', 'address', 'login'))
    >>> lacking_match(frozenset(), COMPELLING)[0], lacking_match(frozenset({"ip", "login"}), COMPELLING)
    (2, (0, ()))
    """
    strong = programme.matches > 0 and not same & set(STRONG)
    short = max(programme.matches - len(same), int(strong))
    among = STRONG if strong and short == 1 else MATCHES
    return short, tuple(name for name in among if name not in same) if short else ()


def crowds(ledger: Ledger, order: int, t: int) -> Crowds:
    """Which ids of a row of `orders` were placeholders before `t`, by how many buyers the ledger's orders name them."""
    bg = Background(ledger, 0, "orders")
    return lambda column: bool(crowded_at(bg, column)[order] < t)


def candidates(
    ledger: Ledger,
    order: int,
    t: int,
    programme: Programme,
    *,
    anchor: int | None = None,
    crowded: Crowds | None = None,
) -> list[Candidate]:
    """The orders before a row of `orders` with the same instrument as known before `t`, the latest first.

    Age is counted back from the moment `anchor`, without which from that order's; none where the instrument is unknown.
    A ledger that lacks orders with the same ids is told by `crowded` which were placeholders.
    """
    judged = crowded or crowds(ledger, order, t)
    bg, facts = Background(ledger, 0, "orders"), ledger.facts["orders"]
    if not facts.has("instrument_id"):
        return []
    instrument = facts.codes("instrument_id").codes
    if instrument[order] < 0 or judged("instrument_id"):
        return []
    rows = np.flatnonzero((instrument == instrument[order]) & (facts.at < min(t, int(facts.at[order]))))[::-1]
    age = (int(facts.at[order]) if anchor is None else anchor) - facts.at[rows]
    objected = objected_at(bg)[rows] < t
    same, ids = _same(bg, order, rows, judged), facts.strings("order_id").take(rows).to_pylist()
    return [
        _candidate(str(name), int(days), bool(spoilt), frozenset(m for m in same if same[m][i]), programme)
        for i, (name, days, spoilt) in enumerate(zip(ids, age, objected, strict=True))
    ]


def _same(bg: Background, order: int, rows: Int, crowded: Crowds) -> dict[str, Flag]:
    """Where each of MATCHES is known and the same; an id that was a placeholder by then matches nobody."""
    facts, found = bg.facts("orders"), dict[str, Flag]()
    for name in MATCHES:
        codes = facts.codes(f"{name}_id").codes
        ours = codes[order] >= 0 and not crowded(f"{name}_id")
        found[name] = (codes[rows] == codes[order]) & bool(ours)
    return found


def _candidate(order_id: str, age: int, objected: bool, same: frozenset[str], programme: Programme) -> Candidate:
    short, could = lacking_match(same, programme)
    lacks = [f"{_days(programme.youngest - age)} older"] if age < programme.youngest else []
    lacks += [f"{_days(age - programme.oldest)} younger"] if age > programme.oldest else []
    lacks += ["disputed, charged back or cancelled"] if objected else []
    few = f"{short} more match{'es' if short > 1 else ''} of {', '.join(could)}"
    near = len(lacks) + short == 1
    matches = tuple(name for name in MATCHES if name in same)
    return Candidate(order_id, age / DAY, matches, (*lacks, *([few] if short else [])), could, near)


def _days(length: int) -> str:
    return f"{length / DAY:.1f} days"
