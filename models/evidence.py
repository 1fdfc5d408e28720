"""The evidence planner: the items that are worth most beyond their cost, found exactly, and what completes which set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from features.evidence import RULES, Rule
from features.kernel import Flag
from features.signal import Float
from models.obtaining import Item

Chances = Callable[[Flag], Float]
"""The probability (m,) with each of the sets (m, k) of items."""
WIDEST: Final = 20
"""Items that the search takes at most: all kinds of evidence that there are, and a million sets."""
FINEST: Final = 6
"""Decimals of a cent to which values are told apart, beyond what adding in another order changes."""
NEGLIGIBLE: Final = 0.001
"""A change of the probability that counts as none."""


def every_set(k: int) -> Flag:
    """Every set of k items (2 ** k, k), the empty one first.

    >>> every_set(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(1 << k)[:, None] >> np.arange(k) & 1).astype(np.bool_)


def best(chances: Chances, cents: Sequence[int], amount: float, reads: Sequence[bool] | None = None) -> Flag:
    """The set (k,) of items with the largest (p(set) − p(none)) × amount − cost, by trying every one.

    Of sets of equal value it is the one of fewest items, then the one of the earliest. Those that `reads` says the
    probability does not depend on are in no such set, and are not tried.

    >>> both = lambda sets: np.where(sets[:, 0] & sets[:, 1], 0.75, 0.25)
    >>> best(both, [300, 1_000], 10_000.0).tolist(), best(both, [300, 5_000], 10_000.0).tolist()
    ([True, True], [False, False])
    """
    tried = np.flatnonzero(np.ones(len(cents), np.bool_) if reads is None else np.asarray(reads, np.bool_))
    if len(tried) > WIDEST:
        raise AssertionError(f"want at most {WIDEST} items to search, got {len(tried)}")
    sets = every_set(len(tried))
    whole = np.zeros((len(sets), len(cents)), np.bool_)
    whole[:, tried] = sets
    p = chances(whole)
    value = np.round((p - p[0]) * amount - whole @ np.asarray(cents, np.float64), FINEST)
    equal = np.flatnonzero(value == value.max())
    sizes = whole[equal].sum(axis=1)
    return np.asarray(whole[equal[np.argmin(sizes)]], np.bool_)


@dataclass(frozen=True)
class SetState:
    """A set of evidence: what of it is held, what lacks, what of that cannot be had, and whether the reason asks for it."""

    name: str
    held: tuple[str, ...]
    missing: tuple[str, ...]
    barred: tuple[str, ...]
    asked: bool = True

    @property
    def complete(self) -> bool:
        """Whether every item is there; three of four are an incomplete set."""
        return not self.missing


def asked_sets(*, code: str = "", reason: str = "") -> tuple[Rule, ...]:
    """The sets that a reason code of a bank, or the reason of a dispute, asks for.

    >>> [rule.name for rule in asked_sets(code="13.6")], [rule.name for rule in asked_sets(reason="short_quantity")]
    (['terms', 'remedy'], ['weight'])
    """
    return tuple(rule for rule in RULES if code in rule.codes or reason in rule.reasons)


def set_states(
    rules: Sequence[Rule], held: frozenset[str], barred: frozenset[str], *, asked: bool = True
) -> tuple[SetState, ...]:
    """How far each set is with what is held, where some kinds cannot be obtained."""
    return tuple(
        SetState(
            rule.name,
            tuple(kind for kind in rule.items if kind in held),
            missing := tuple(kind for kind in rule.items if kind not in held),
            tuple(kind for kind in missing if kind in barred),
            asked,
        )
        for rule in rules
    )


@dataclass(frozen=True)
class Line:
    """An item that can be obtained: what it adds to the probability alone and, where recommended, beside the others.

    `with_others` are the items that complete a set together with it, by the set's name; `alone_nothing` says that alone it
    adds nothing and belongs to such a set.
    """

    item: Item
    recommended: bool
    alone: float
    beside: float | None
    with_others: tuple[tuple[str, tuple[str, ...]], ...]
    alone_nothing: bool


@dataclass(frozen=True)
class Plan:
    """What to obtain: an item each line, the probability without and with what is recommended, and what is at stake.

    `whole` has the probability with all that lacks of a set, by the name of each that can be completed.
    """

    lines: tuple[Line, ...]
    sets: tuple[SetState, ...]
    without: float
    together: float
    amount: float
    whole: Mapping[str, float]

    @property
    def recommended(self) -> tuple[Item, ...]:
        """The items to obtain."""
        return tuple(line.item for line in self.lines if line.recommended)

    @property
    def cents(self) -> int:
        """What they cost."""
        return sum(item.cents for item in self.recommended)

    @property
    def worth(self) -> float:
        """What they are worth beyond their cost, in cents."""
        return (self.together - self.without) * self.amount - self.cents

    @property
    def hours(self) -> float:
        """How long it takes until all are there, obtained in parallel."""
        return max((item.hours for item in self.recommended), default=0.0)

    @property
    def completes(self) -> tuple[str, ...]:
        """The sets that they complete."""
        there = {item.kind for item in self.recommended}
        return tuple(one.name for one in self.sets if one.missing and set(one.missing) <= there)


def planned(
    items: Sequence[Item], chances: Chances, amount: float, sets: Sequence[SetState], chosen: ArrayLike
) -> Plan:
    """What each of the `items` adds alone and beside the others that are `chosen` (k,), and what that completes."""
    k, some, kinds = len(items), np.asarray(chosen, np.bool_), [item.kind for item in items]
    able = [one for one in sets if one.missing and set(one.missing) <= set(kinds)]
    whole = np.array([[kind in one.missing for kind in kinds] for one in able], np.bool_).reshape(len(able), k)
    each = np.eye(k, dtype=np.bool_)
    p = chances(np.vstack([np.zeros((1, k), np.bool_), each, some & ~each, some, whole]))
    together = 1 + 2 * k
    lines = []
    for i, item in enumerate(items):
        others = tuple((one.name, _others(one, item.kind)) for one in sets if item.kind in one.missing)
        alone = float(p[1 + i] - p[0])
        nothing = abs(alone) < NEGLIGIBLE and any(rest for _, rest in others)
        beside = float(p[together] - p[1 + k + i]) if some[i] else None
        lines.append(Line(item, bool(some[i]), alone, beside, others, nothing))
    told = dict(zip([one.name for one in able], p[together + 1 :].tolist(), strict=True))
    return Plan(tuple(lines), tuple(sets), float(p[0]), float(p[together]), amount, told)


def _others(one: SetState, kind: str) -> tuple[str, ...]:
    return tuple(other for other in one.missing if other != kind)
