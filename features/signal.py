"""What a signal is: a declaration with a computed name, a unit, a part and a meaning, over one entity or the case itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.kernel import DAY, NEVER, Int

Float = NDArray[np.float64]

PARTS: Final = ("order", "product", "buyer", "seller", "carrier", "evidence")
WINDOWS: Final = {"1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY, "ever": 0}
"""Window lengths in microseconds by the word that names them; 0 means always."""
LATEST: Final = {"last_1": -1, "last_3": -3, "last_10": -10}
"""Windows that hold the last facts, however old, as negative numbers of them."""
EDGES: Final = WINDOWS | LATEST
"""Every window as the kernel takes it."""


@dataclass(frozen=True)
class Entity:
    """Whom a history is about: the columns of `orders` that name it, the part it belongs to, and the partners it meets.

    A `link` (a device, an address …) ties buyers together, and is a placeholder once too many buyers share it.
    """

    name: str
    columns: tuple[str, ...]
    part: str
    partners: tuple[str, ...] = ()
    link: bool = False


@dataclass(frozen=True)
class Pattern:
    """A family of signals, one for each entity and window: operands are `stream.measure`, `case.amount` or `stream.first`."""

    name: str
    formula: str
    operands: tuple[str, ...]
    unit: str
    meaning: str
    windows: tuple[str, ...] = tuple(WINDOWS)

    def streams(self) -> set[str]:
        """Names of the streams that the operands come from."""
        return {operand.partition(".")[0] for operand in self.operands} - {"case"}


@dataclass(frozen=True)
class Signal:
    """One signal: its name, part, unit and meaning, and the tables and columns of the ledger that it needs."""

    name: str
    part: str
    unit: str
    meaning: str
    needs: tuple[str, ...]


def ratio(over: Float, under: Float) -> Float:
    """over / under, NaN where nothing stands under."""
    quotient: Float = np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)
    return quotient


def _known_sum(cents: Float, known: Float, count: Float) -> Float:
    """A sum of the known amounts; NaN where there are facts and none of their amounts is known."""
    return np.where((known == 0) & (count > 0), np.nan, cents)


def _known_share(cents: Float, known: Float, count: Float, under: Float) -> Float:
    """A sum of the known amounts over another; NaN where there are facts and none of their amounts is known."""
    return ratio(_known_sum(cents, known, count), under)


def _to_mean(here: Float, cents: Float, known: Float) -> Float:
    """The case's amount as a multiple of the mean one."""
    return ratio(here, ratio(cents, known))


def _deviation(here: Float, major: Float, squares: Float, known: Float) -> Float:
    """Distance of the case's amount from the mean in standard deviations of at least one major unit; NaN below two facts."""
    mean = ratio(major, known)
    spread = np.sqrt(np.maximum(ratio(squares, known) - mean * mean, 1.0))
    return np.where(known < 2, np.nan, (here / 100 - mean) / spread)


def _days(here: Float, moment: Float) -> Float:
    """Days from a moment to the asking, NaN where there was none."""
    return np.where(moment == NEVER, np.nan, (here - moment) / DAY)


FORMULAS: Final[dict[str, Callable[..., Float]]] = {
    "total": lambda total: total,
    "known_sum": _known_sum,
    "ratio": ratio,
    "known_share": _known_share,
    "to_mean": _to_mean,
    "deviation": _deviation,
    "days": _days,
}
"""How a signal is computed from its operands, float64 arrays of one length; exact below 2**53."""


def signal(entity: Entity, pattern: Pattern, window: str | None, needs: tuple[str, ...]) -> Signal:
    """The declaration of one signal, its name computed."""
    name = f"{entity.name}_{pattern.name}" + (f"_{window}" if window else "")
    meaning = pattern.meaning.format(entity=entity.name.replace("_", " and ")) + over(window)
    return Signal(name, entity.part, pattern.unit, meaning, needs)


def over(window: str | None) -> str:
    """What a window adds to a meaning.

    >>> over("7d"), over("ever"), over("last_3")
    (', last 7d', ', ever', ', last 3 of them')
    """
    if window is None or window == "ever":
        return "" if window is None else ", ever"
    return f", last {LATEST[window] * -1} of them" if window in LATEST else f", last {window}"


def compute(pattern: Pattern, found: Mapping[str, Int | Float]) -> NDArray[np.float32]:
    """A signal's values from its operands by name."""
    return FORMULAS[pattern.formula](*(found[o].astype(np.float64) for o in pattern.operands)).astype(np.float32)
