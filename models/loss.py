"""Expected loss of an order: the probability of a chargeback, times the money that does not come back and the fees."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from math import nan
from operator import add
from typing import Final, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from features import Ledger
from features.asking import Askings
from features.kernel import Flag, Int
from models.curves import Floats
from models.denominators import NEEDS, SHARES, ending_shares, states

PRICED: Final = ("chargeback_risk",)
"""Questions whose probability is that of a loss."""
BANDS: Final = 5
"""Equal-mass bands of the amount."""
RESAMPLES: Final = 500


@dataclass(frozen=True)
class Fee:
    """A fee in cents, the day since which it is taken, and who says so; the `share` of the card is how often it falls due."""

    name: str
    cents: int
    since: datetime
    share: str
    source: str


_RECEIVED: Final = "Stripe, US dispute fee, in force since before the first day given"
_COUNTERED: Final = "Stripe, June 2025 pricing updates for disputes: when a dispute is countered, returned if it is won"
FEES: Final = (
    Fee("arrived", 1_500, datetime(2016, 1, 1, tzinfo=UTC), "", _RECEIVED),
    Fee("contested", 1_500, datetime(2025, 6, 17, tzinfo=UTC), "contested_share", _COUNTERED),
    Fee("returned when won", -1_500, datetime(2025, 6, 17, tzinfo=UTC), "win_share", _COUNTERED),
)
"""Fees of a processor in the United States; none that came later or is paid elsewhere."""


def shares(ledger: Ledger, as_of: int) -> dict[str, float]:
    """How chargebacks end, as known before `as_of`; nothing where a ledger does not tell."""
    return ending_shares(states(ledger, as_of)) if set(NEEDS) <= ledger.facts.keys() else {}


def kept(question: str, ledger: Ledger, as_of: int) -> dict[str, float]:
    """What the card of a model keeps to price an order by: `shares` where the question is priced, else nothing."""
    return shares(ledger, as_of) if question in PRICED else {}


def priced(card: Mapping[str, object]) -> dict[str, float]:
    """How chargebacks end, as a model's card has it; nothing where it does not.

    >>> priced({"win_share": 0.25, "withdrawn_share": 0.0, "contested_share": 0.5, "rows": 9})["win_share"]
    0.25
    """
    return {name: float(str(card[name])) for name in SHARES} if SHARES.keys() <= card.keys() else {}


@overload
def fees(at: int, told: Mapping[str, float]) -> float: ...
@overload
def fees(at: Int, told: Mapping[str, float]) -> Floats: ...
def fees(at: int | Int, told: Mapping[str, float]) -> float | Floats:
    """The fees that a chargeback of an order of a moment, or of many, is expected to cost, in cents, by those of the day.

    >>> days = np.array(["2025-06-16", "2025-06-17"], "M8[us]").astype(np.int64)
    >>> told = {"win_share": 0.2, "withdrawn_share": 0.0, "contested_share": 0.6}
    >>> fees(days, told).tolist(), fees(int(days[1]), told)
    ([1500.0, 2100.0], np.float64(2100.0))
    """
    shares = {fee: told[fee.share] if fee.share else 1.0 for fee in FEES}
    return reduce(
        add, [np.asarray((at >= since) * (fee.cents * shares[fee]), np.float64) for fee, since in _SINCE.items()]
    )


def _instant(fee: Fee) -> int:
    return round(fee.since.timestamp()) * 1_000_000


_SINCE: Final = {fee: _instant(fee) for fee in FEES}


def expected_loss(probability: Floats, amount: Floats, at: Int, told: Mapping[str, float]) -> Floats:
    """probability × ((1 − won − withdrawn) × amount + fees) in cents, NaN where the amount is not known.

    >>> told = {"win_share": 0.2, "withdrawn_share": 0.05, "contested_share": 0.6}
    >>> expected_loss(np.array([0.01]), np.array([10_000.0]), np.array([1_700_000_000_000_000]), told).tolist()
    [90.0]
    """
    return np.asarray(probability * (_lost(told) * amount + fees(at, told)))


def loss_of(probability: float, amount: int | None, at: int, told: Mapping[str, float]) -> float:
    """The same of one order, by its amount in cents; NaN too where nothing is told of how chargebacks end.

    >>> told = {"win_share": 0.2, "withdrawn_share": 0.05, "contested_share": 0.6}
    >>> loss_of(0.01, 10_000, 1_700_000_000_000_000, told), loss_of(0.01, None, 0, told), loss_of(0.01, 10_000, 0, {})
    (90.0, nan, nan)
    """
    return float(probability * (_lost(told) * amount + fees(at, told))) if told and amount is not None else nan


def _lost(told: Mapping[str, float]) -> float:
    """The share of an amount that a chargeback takes for good."""
    return 1 - told["win_share"] - told["withdrawn_share"]


def amounts(ledger: Ledger, asks: Askings) -> Floats:
    """The amount of the order that each asking of a priced question is about, in cents, NaN where it is not known."""
    cents, known = ledger.facts["orders"].numbers("amount")
    return np.where(known, cents, np.nan)[asks.row]


def expected_losses(ledger: Ledger, asks: Askings, probability: Floats, told: Mapping[str, float]) -> Floats:
    """The expected loss of the order that each asking of a priced question is about, in cents."""
    return expected_loss(probability, amounts(ledger, asks), asks.at, told)


def observed_loss(
    ledger: Ledger, asks: Askings, horizon: int, as_of: int, told: Mapping[str, float]
) -> tuple[Floats, Flag]:
    """What each order lost to chargebacks that came within the horizon, in cents, and whether all of them had ended.

    A chargeback won or withdrawn cost its fees alone, any other that ended its amount, even where it was lost in part, which a
    ledger does not tell; one not yet ended is counted at the shares `told`.
    """
    charges, bank = ledger.facts["chargebacks"], states(ledger, as_of)
    order, at = charges.points["orders"][bank.index], charges.at[bank.index]
    kept = np.where(bank["ended"], bank["won"] | bank["withdrawn"], told["win_share"] + told["withdrawn_share"])
    cents = (1 - kept.astype(np.float64)) * bank["amount"].fillna(0).to_numpy() + _paid(bank, at, told)
    ordered = ledger.facts["orders"].at
    counts = at <= ordered[order] + horizon
    lost = np.bincount(order[counts], cents[counts], len(ordered)).astype(np.float64)
    open_ = np.bincount(order[counts], ~bank["ended"].to_numpy()[counts], len(ordered))
    return lost[asks.row], np.asarray(open_[asks.row] == 0, np.bool_)


def _paid(bank: pd.DataFrame, at: Int, told: Mapping[str, float]) -> Floats:
    """The fees that each chargeback has cost, or where it has not ended, may cost."""
    ended, paid = bank["ended"].to_numpy(np.bool_), np.zeros(len(bank))
    for fee in FEES:
        how = np.where(ended, bank[SHARES[fee.share]], told[fee.share]) if fee.share else 1.0
        paid += np.where(at >= _instant(fee), fee.cents * how, 0.0)
    return paid


def money(
    predicted: ArrayLike, observed: ArrayLike, amount: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Predicted and observed loss by equal-mass bands of the amount, and of all together, in cents.

    Columns: band (its least and largest amount), n, predicted, observed with low and high, gap = observed − predicted with
    gap_low and gap_high, and off where that leaves out zero. Intervals hold 95 % of the totals of resampled orders; those of
    gap hold as much more as there are rows to be off (Bonferroni).

    >>> found = money([10.0, 30.0], [0.0, 40.0], [100.0, 300.0], resamples=0)
    >>> found[["band", "n", "predicted", "observed"]].to_dict("split")["data"]
    [['1.00', 1, 10.0, 0.0], ['3.00', 1, 30.0, 40.0], ['all', 2, 40.0, 40.0]]
    """
    p, o, cents = (np.asarray(values, np.float64) for values in (predicted, observed, amount))
    edges = np.unique(np.quantile(cents, np.arange(1, BANDS) / BANDS, method="higher"))
    band = np.searchsorted(edges[edges > cents.min()], cents, side="right")
    totals = _totals(band, p, o, resamples, seed)
    n = totals.shape[1]
    rows = [_band(cents[band == b], totals[:, b], n) for b in range(n - 1)]
    return pd.DataFrame([*rows, _band(cents, totals[:, -1], n) | {"band": "all"}])


def _totals(band: Int, predicted: Floats, observed: Floats, resamples: int, seed: int) -> Floats:
    """Sums of predicted and observed loss by band and of all, first as they are, then of each resample of the orders."""
    rng, n, bands = np.random.default_rng(seed), len(band), int(band.max()) + 1
    totals = np.zeros((resamples + 1, bands + 1, 2))
    for draw in range(resamples + 1):
        rows = rng.integers(0, n, n) if draw else np.arange(n)
        for k, values in enumerate((predicted, observed)):
            totals[draw, :-1, k] = np.bincount(band[rows], values[rows], bands)
    totals[:, -1] = totals[:, :-1].sum(axis=1)
    return totals


def _band(cents: Floats, totals: Floats, rows: int) -> dict[str, object]:
    least, most = (f"{edge / 100:,.2f}" for edge in (cents.min(), cents.max()))
    predicted, observed = totals[0].tolist()
    gaps = totals[:, 1] - totals[:, 0]
    low, high = np.percentile(totals[:, 1], (2.5, 97.5)).tolist()
    outer = 2.5 / rows
    gap_low, gap_high = np.percentile(gaps, (outer, 100 - outer)).tolist()
    told = {"band": least if least == most else f"{least} to {most}", "n": len(cents), "predicted": predicted}
    told |= {"observed": observed, "low": low, "high": high, "gap": observed - predicted}
    return told | {"gap_low": gap_low, "gap_high": gap_high, "off": bool(gap_low > 0 or gap_high < 0)}


def shortfall(found: pd.DataFrame) -> list[str]:
    """A sentence, if the expected loss of all orders surely differs from what they lost; in whole currency.

    >>> row = {"n": 900, "predicted": 120_000.0, "observed": 250_000.0, "gap_low": 5_000.0, "gap_high": 240_000.0}
    >>> shortfall(pd.DataFrame([row | {"off": True}]))
    ['expected loss of all: predicted 1,200, lost 2,500, more by 50 to 2,400, among 900 orders']
    """
    row = found.iloc[-1]
    if not row["off"]:
        return []
    way, ends = (
        ("more", (row["gap_low"], row["gap_high"]))
        if row["gap_low"] > 0
        else ("less", (-row["gap_high"], -row["gap_low"]))
    )
    low, high, predicted, lost = (f"{cents / 100:,.0f}" for cents in (*ends, row["predicted"], row["observed"]))
    return [
        f"expected loss of all: predicted {predicted}, lost {lost}, {way} by {low} to {high}, among {row['n']:,} orders"
    ]


def money_error(found: pd.DataFrame) -> float:
    """The sum over bands of |observed − predicted|, as a share of what was observed; NaN where nothing was lost.

    >>> round(money_error(money([10.0, 30.0], [0.0, 40.0], [100.0, 300.0], resamples=0)), 2)
    0.5
    """
    bands, lost = found.iloc[:-1], float(found["observed"].iloc[-1])
    return float(bands["gap"].abs().sum()) / lost if lost else float("nan")
