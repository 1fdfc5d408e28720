"""How signals are computed from their operands: every formula by name, on float64 arrays of one length."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features import credit, weight
from features.kernel import DAY, HOUR, NEVER
from features.made import SATURATED
from features.priors import COMPELLING, FIRST_PARTY

Float = NDArray[np.float64]


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


def _to_mean(here: Float, total: Float, known: Float) -> Float:
    """The case's number as a multiple of the mean one."""
    return ratio(here, ratio(total, known))


def _deviation(here: Float, major: Float, squares: Float, known: Float) -> Float:
    """Distance of the case's amount from the mean in standard deviations of at least one major unit; NaN below two facts."""
    mean = ratio(major, known)
    spread = np.sqrt(np.maximum(ratio(squares, known) - mean * mean, 1.0))
    return np.where(known < 2, np.nan, (np.minimum(here / 100, SATURATED) - mean) / spread)


def _moment(moment: Float) -> Float:
    return np.where(moment == NEVER, np.nan, moment)


def _days(later: Float, earlier: Float) -> Float:
    """Days from one moment to another, NaN where there was none of either."""
    return (_moment(later) - _moment(earlier)) / DAY


def _days_after(t: Float, moment: Float, known: Float) -> Float:
    """Days from the moment of a fact to another, NaN where there is no such fact."""
    return np.where(known > 0, t - moment, np.nan) / DAY


def _disputed_value(disputed: Float, disputes: Float, all_cents: Float, known: Float) -> Float:
    """Mean amount of disputed orders over that of the others."""
    return ratio(ratio(disputed, disputes), ratio(all_cents - disputed, known - disputes))


def _to_usual(promised: Float, paid: Float, transit: Float, known: Float) -> Float:
    """The time promised for delivery over the usual time it took."""
    return ratio(promised - paid, ratio(transit, known))


def _missing(applies: Float, *items: Float) -> Float:
    """How many of a set's items are not there; NaN where nothing asks for the set."""
    return np.where(applies > 0, sum((item <= 0).astype(np.float64) for item in items), np.nan)


def _lacking(wanted: int) -> Callable[..., Float]:
    """How many more there must be where a rule applies; NaN where it does not."""
    return lambda applies, there: np.where(applies > 0, np.maximum(wanted - there, 0.0), np.nan)


DRAWN: Final = 50
"""Answers that those of all time are worth beside those of a window; fewer of all time tell of no rate."""


def _log_odds(yes: Float, no: Float, ever: Float, never: Float) -> Float:
    """Log-odds of a yes among the answers of a window and DRAWN more at the rate of all of them; NaN without as many."""
    rate = ratio(ever + 0.5, np.where(ever + never >= DRAWN, ever + never + 1, 0.0))
    return np.log((yes + DRAWN * rate) / (no + DRAWN * (1 - rate)))


FORMULAS: Final[dict[str, Callable[..., Float]]] = {
    "value": lambda value: value,
    "known_sum": _known_sum,
    "ratio": ratio,
    "share": lambda over, under: np.minimum(ratio(over, under), 1.0),
    "known_share": _known_share,
    "to_mean": _to_mean,
    "deviation": _deviation,
    "days": _days,
    "days_after": _days_after,
    "mean_days": lambda total, known: ratio(total, known) / DAY,
    "mean_hours": lambda total, known: ratio(total, known) / HOUR,
    "hour": lambda moment: moment % DAY / HOUR,
    "weekday": lambda moment: (moment // DAY + 3) % 7,
    "less": lambda more, less: np.maximum(more - less, 0.0),
    "less_share": lambda more, less: ratio(np.maximum(more - less, 0.0), more),
    "any": lambda count: np.where(np.isnan(count), np.nan, (count > 0).astype(np.float64)),
    "known_difference": lambda total, known, less: np.where(known > 0, total, np.nan) - less,
    "millionths": lambda total: total / 1e6,
    "without": lambda one, other: np.where(one > 0, 1.0 - other, np.nan),
    "disputed_value": _disputed_value,
    "to_usual": _to_usual,
    "missing": _missing,
    "log_odds": _log_odds,
    "compelling": _lacking(COMPELLING.transactions),
    "first_party": _lacking(FIRST_PARTY.transactions),
    **weight.FORMULAS,
    **credit.FORMULAS,
}
"""Each formula by the name that a pattern gives it; those of whole numbers are exact below 2**53."""
