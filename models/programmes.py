"""Network programmes: the chance that a month ends at or beyond their thresholds, and what one more case costs.

Cases come at a rate that recent days tell: Poisson given the rate, which is Gamma given those days, so that the rest of a month
is negative binomial (Gelman et al., Bayesian Data Analysis, third edition, 2013, section 2.6).
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.special import betainc

from features import Ledger, RedressError
from features.background import is_word
from features.codes import CODES
from features.kernel import DAY, Flag, Int
from models.deadlines import moment, shown
from models.sections import number
from models.thresholds import STRIPE, THRESHOLDS, Fine, Threshold, fine, in_force


@dataclass(frozen=True)
class Programmes:
    """What is assumed of a month's cases and sales; the section `programmes` of a policy."""

    recent: float = number(28.0, "days", "before the moment asked, whose cases and sales tell the rate")
    prior_cases: float = number(
        0.5, "cases", "known of the rate beforehand", "Jeffreys' prior of a Poisson rate (1946)"
    )
    prior_days: float = number(0.0, "days", "in which those came", "Jeffreys' prior of a Poisson rate (1946)")
    visa_share: float = number(
        1.0, "share", "of orders, paid with Visa", "a ledger does not tell: all, a ratio's lower bound"
    )
    mastercard_share: float = number(
        1.0, "share", "of orders, paid with Mastercard", "a ledger does not tell, as with Visa"
    )
    reports: int = number(
        1, "cases", "fraud reports to Visa beside each chargeback for fraud", f"counted twice: {STRIPE}"
    )
    negligible: float = number(
        1e-6, "share", "a probability, below which and as near to 1 one more case changes nothing"
    )


@dataclass(frozen=True, kw_only=True)
class Month:
    """A calendar month in UTC as known before `as_of`: `cases` as the network counts them, sales this month and the one before.

    `recent` chargebacks and `recent_sales` are those of the last `days`; each such chargeback counts for `weight` cases.
    `denominator` says what sales are.
    """

    network: str
    as_of: int
    start: int
    end: int
    cases: int
    sales: int
    previous_sales: int
    recent: int
    recent_sales: int
    days: float
    weight: float
    denominator: str

    @property
    def left(self) -> float:
        """Days of the month that are left."""
        return (self.end - self.as_of) / DAY

    def sales_of(self, threshold: Threshold) -> int:
        """The sales that a threshold is of: those of the month before, or this month's, the rest at the recent rate."""
        coming = round(self.recent_sales * self.left / self.days) if self.days else 0
        return self.previous_sales if threshold.lagged else self.sales + coming


@dataclass(frozen=True)
class Outlook:
    """The least count of cases that reaches a threshold this month, of what sales, and the probability that it will be."""

    threshold: Threshold
    sales: int
    least: int
    probability: float


def exceeding(month: Month, least: int, programmes: Programmes, *, extra: int = 0) -> float:
    """The probability that a month ends with at least so many cases if `extra` come beside those that are expected.

    With n chargebacks in D recent days and a prior of a in b, d days before its end: P(X ≥ m) = I(d / (b + D + d); m, a + n),
    the regularised incomplete beta function.

    >>> day = 86_400_000_000
    >>> half = Month(network="visa", as_of=15 * day, start=0, end=30 * day, cases=7, sales=0, previous_sales=0, recent=1,
    ...              recent_sales=0, days=15.0, weight=1.0, denominator="")
    >>> plain = Programmes(prior_cases=0)  # one case in as many days as are left: each next one has an even chance
    >>> [exceeding(half, least, plain) for least in (7, 8, 9, 10)]
    [1.0, 0.5, 0.25, 0.125]
    """
    more = ceil((least - month.cases - extra) / month.weight)
    shape, days = programmes.prior_cases + month.recent, programmes.prior_days + month.days
    if more <= 0 or not shape:
        return float(more <= 0)
    return float(betainc(more, shape, month.left / (days + month.left)))


def forecast(month: Month, programmes: Programmes, *, role: str = "merchant") -> tuple[Outlook, ...]:
    """How likely a month is to end at or beyond each threshold that is in force when it begins."""
    told = []
    for threshold in in_force(month.network, month.start, role=role):
        sales = month.sales_of(threshold)
        least = threshold.least(sales)
        told.append(Outlook(threshold, sales, least, exceeding(month, least, programmes)))
    return tuple(told)


def marginal_cost(month: Month, programmes: Programmes, *, adds: int = 1, nth: int = 2) -> float:
    """Expected cents of fines that a chargeback more costs, which counts for `adds` cases; it would be the `nth` month beyond.

    Of each tier: (its fine at the threshold − the fine of the tier below) × (P(beyond with one more) − P(beyond without)), and
    once beyond what each case costs there. Exactly 0 where P(beyond with it) is negligible, and as soon as P(beyond without)
    is as near to 1, but for what each case costs. The first month of Mastercard's is free, so the second is the default.
    """
    total, below = 0.0, Fine("", 0, moment(0), 0, 0, 0, "")
    for threshold in in_force(month.network, month.start):
        cost = fine(threshold.tier, month.start, nth)
        if cost is None:
            continue
        least = threshold.least(month.sales_of(threshold))
        jump, slope = cost.of(least) - below.of(least), cost.each - below.each
        chances = [exceeding(month, least, programmes, extra=extra) for extra in range(adds + 1)]
        total += jump * _gained(chances[0], chances[-1], programmes.negligible)
        dear = max(least, cost.above)
        paid = [exceeding(month, dear, programmes, extra=extra) for extra in range(adds)]
        total += slope * sum(p for p in paid if p >= programmes.negligible)
        below = cost
    return total


def _gained(without: float, beyond: float, negligible: float) -> float:
    return 0.0 if beyond < negligible or without > 1 - negligible else beyond - without


def month(ledger: Ledger, network: str, as_of: int, programmes: Programmes) -> Month:
    """The month that `as_of` falls in, from what was known before it.

    Chargebacks count on the day the platform learnt of them, and with Visa those for fraud as reports too; reports without a
    chargeback are in no ledger. Sales are all orders that were paid, times the share that is assumed to be the network's.
    """
    came = _chargebacks(ledger, network)
    orders = ledger.facts["orders"].at
    if as_of <= orders[0]:
        raise RedressError(
            f"as_of: want a moment after the first order, {shown(int(orders[0]))}, got {shown(as_of)}; ask later"
        )
    start, end = _months(as_of, 0), _months(as_of, 1)
    since = max(as_of - round(programmes.recent * DAY), int(orders[0]))
    fraud = is_word(ledger.facts["chargebacks"].codes("reason_code"), *CODES["fraud"])[came]
    at = ledger.facts["chargebacks"].at[came]
    twice = programmes.reports if network == "visa" else 0
    share = {"visa": programmes.visa_share, "mastercard": programmes.mastercard_share}[network]
    recent, frauds = _within(at, since, as_of), _counted(at[fraud], since, as_of)
    return Month(
        network=network,
        as_of=as_of,
        start=start,
        end=end,
        cases=_counted(at, start, as_of) + twice * _counted(at[fraud], start, as_of),
        sales=round(share * _counted(orders, start, as_of)),
        previous_sales=round(share * _counted(orders, _months(as_of, -1), start)),
        recent=int(np.count_nonzero(recent)),
        recent_sales=round(share * _counted(orders, since, as_of)),
        days=(as_of - since) / DAY,
        weight=1 + twice * frauds / max(int(np.count_nonzero(recent)), 1),
        denominator=f"{share:.0%} of all orders paid, since a ledger does not tell which network paid",
    )


def _chargebacks(ledger: Ledger, network: str) -> Int:
    """The rows of chargebacks of a network; RedressError where a ledger does not tell, or for one that has no programme."""
    networks = sorted({one.network for one in THRESHOLDS})
    if network not in networks:
        raise RedressError(f"network: want {' or '.join(networks)}, got {network}; others have no programme here")
    facts = ledger.facts.get("chargebacks")
    if facts is None or not facts.has("network"):
        raise RedressError(f"{ledger.name}: want chargebacks with their network, got none; import chargebacks.network")
    return np.flatnonzero(is_word(facts.codes("network"), network))


def _within(at: Int, since: int, until: int) -> Flag:
    return np.asarray((at >= since) & (at < until), np.bool_)


def _counted(at: Int, since: int, until: int) -> int:
    return int(np.count_nonzero(_within(at, since, until)))


def _months(at: int, step: int) -> int:
    """The first moment of the month that is `step` months after that of a moment."""
    first = np.int64(at).astype("M8[us]").astype("M8[M]") + step
    return int(first.astype("M8[us]").astype(np.int64))
