"""What a signal is: a declaration with a computed name, a unit, a part and a meaning, over one entity or the case itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.kernel import DAY
from features.operand import Operand, operand

Float = NDArray[np.float64]

PARTS: Final = ("order", "product", "buyer", "seller", "carrier", "evidence")
WINDOWS: Final = {"1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY, "ever": 0}
"""Window lengths in microseconds by the word that names them; 0 means always."""
YEAR: Final = {"365d": 365 * DAY}
"""The window of a year, where habits are slow."""
LATEST: Final = {"last_1": -1, "last_3": -3, "last_10": -10}
"""Windows that hold the last facts, however old, as negative numbers of them."""
EDGES: Final = WINDOWS | YEAR | LATEST
"""Every window as the kernel takes it."""
SLOW: Final = ("30d", "90d", "365d", "ever")
"""The windows of conduct: a month, a quarter, a year, always."""
ONCE: Final[tuple[str, ...]] = ()
"""No window: always, and the name does not say so."""

RISK: Final = ("chargeback_risk",)
DISPUTES: Final = ("dispute_outcome", "malicious_dispute")
CASES: Final = (*DISPUTES, "chargeback_win")
QUESTIONS: Final = (*RISK, *CASES)
"""The questions that a declaration may be for."""


@dataclass(frozen=True)
class Entity:
    """Whom a history is about: the columns that name it, the part it belongs to, and the partners it meets.

    A `link` (a device, an address …) ties buyers together, and is a placeholder once too many buyers share it.
    """

    name: str
    columns: tuple[str, ...]
    part: str
    partners: tuple[str, ...] = ()
    link: bool = False


@dataclass(frozen=True)
class Pattern:
    """A family of signals, one for each entity and window: a formula over operands, in the words of `features.operand`."""

    name: str
    formula: str
    operands: tuple[str, ...]
    unit: str
    meaning: str
    windows: tuple[str, ...] = tuple(WINDOWS)
    part: str = ""

    def over(self, window: str | None) -> tuple[Operand, ...]:
        """The operands of the signal of one window, whose word stands for {window} in them."""
        return tuple(operand(text.format(window=window)) for text in self.operands)


@dataclass(frozen=True)
class On:
    """Patterns over the history of one entity, or with none of the case itself, and the questions they are for."""

    entity: Entity | None
    patterns: tuple[Pattern, ...]
    questions: tuple[str, ...] = QUESTIONS


@dataclass(frozen=True)
class Family:
    """Signals that belong together: a name, a sentence about them, and their declarations."""

    name: str
    says: str
    declared: tuple[On, ...]


@dataclass(frozen=True)
class Signal:
    """One signal: where it is declared, the tables and columns of the ledger that it `needs`, and those it `uses` if there."""

    family: str
    entity: Entity | None
    pattern: Pattern
    window: str | None
    needs: tuple[str, ...]
    uses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its computed name."""
        return "_".join(word for word in (self.entity and self.entity.name, self.pattern.name, self.window) if word)

    @property
    def part(self) -> str:
        """The part of a score that it belongs to."""
        return self.pattern.part or (self.entity.part if self.entity else "")

    @property
    def unit(self) -> str:
        """What its values count."""
        return self.pattern.unit

    @property
    def meaning(self) -> str:
        """One sentence, or less."""
        who = self.entity.name.replace("_", " and ") if self.entity else ""
        return self.pattern.meaning.format(entity=who) + over(self.window)

    @cached_property
    def operands(self) -> tuple[Operand, ...]:
        """What its formula takes."""
        return self.pattern.over(self.window)

    def at(self, one: Operand) -> str:
        """The window that an operand is summed over."""
        return one.window or self.window or "ever"


def counted(name: str, operand_: str, unit: str, says: str) -> Pattern:
    """A total of conduct, over the windows of conduct."""
    return Pattern(name, "value", (operand_,), unit, f"{says} of this {{entity}}", SLOW)


def over(window: str | None) -> str:
    """What a window adds to a meaning.

    >>> over("7d"), over("ever"), over("last_3")
    (', last 7d', ', ever', ', last 3 of them')
    """
    if window is None or window == "ever":
        return "" if window is None else ", ever"
    return f", last {LATEST[window] * -1} of them" if window in LATEST else f", last {window}"


def signals_of(family: Family, question: str) -> Iterator[tuple[Entity | None, Pattern, str | None]]:
    """Every entity, pattern and window of a family that a question has."""
    for on in family.declared:
        if question in on.questions:
            for pattern in on.patterns:
                for window in pattern.windows or (None,):
                    yield on.entity, pattern, window
