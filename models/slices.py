"""Slices of askings: new buyers, a country, a reason, a seller's size; and whether probabilities mean what they say in each.

The gate of promotion judges the same slices, under the same names.

A slice is off when the interval of observed − predicted leaves out zero by more than a miss that matters. Many slices are
looked at, so those intervals are wide enough that with a reliable model one evaluation in twenty calls any slice off
(Bonferroni); the interval printed with a slice is its own 95 % one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import beta

from features import Ledger
from features.asking import ASKED, Askings
from features.background import order_rows
from features.kernel import Flag, Int
from models.curves import Floats, wilson
from models.questions import QUESTIONS

MISS: Final = 0.1
"""The miss in log-odds that a slice may have without being off; about a tenth of a rare probability."""
CHANCE: Final = 0.05
"""How often a reliable model has any slice that is called off, at most."""
MOST: Final = 8
"""Values of a word that are slices of their own, those of most askings; the others are one slice together."""
BANDS: Final = 5
"""Equal-mass bands of an amount."""
REST: Final = "the rest"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Slicing:
    """A way to slice askings: by the words of a ledger column `table.column`, or by a signal.

    A signal is cut at `edges`, each the first value of the next slice, which the `labels` name; without edges it is an
    amount in cents and cut into bands of equal mass.
    """

    name: str
    source: str
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sliced:
    """Askings sliced in one way: the slice of each as a position (n,) in `values`, -1 where it is not known."""

    name: str
    place: Int
    values: tuple[str, ...]


def _buyer(own: int) -> Slicing:
    """How often the buyer bought before, `own` being the orders that the asking itself is about and history holds."""
    labels = ("first order", "1 to 4 orders before", "5 or more before")
    return Slicing("buyer", "buyer_orders_count_ever", (1 + own, 5 + own), labels)


_SELLER: Final = Slicing(
    "seller",
    "seller_orders_count_ever",
    (10, 100, 1_000),
    ("under 10 orders", "10 to 99 orders", "100 to 999 orders", "1,000 orders or more"),
)
_COUNTRY: Final = Slicing("country", "orders.ship_country")
_SHIPPED: Final = Slicing("shipped", "order_ships_abroad", (1,), ("at home", "abroad"))


def _slicings(question: str, own: int, *reasons: Slicing) -> tuple[Slicing, ...]:
    return _buyer(own), *reasons, _COUNTRY, _SHIPPED, Slicing("amount", QUESTIONS[question].amount), _SELLER


SLICINGS: Final[Mapping[str, tuple[Slicing, ...]]] = {
    "chargeback_risk": _slicings("chargeback_risk", 0),
    "dispute_outcome": _slicings("dispute_outcome", 1, Slicing("reason", "disputes.reason")),
    "malicious_dispute": _slicings("malicious_dispute", 1, Slicing("reason", "disputes.reason")),
    "chargeback_win": _slicings("chargeback_win", 1, Slicing("reason", "chargebacks.reason_code")),
}
"""How the askings of each question are sliced; what a ledger lacks is left out."""


def sliced(ledger: Ledger, asks: Askings, frame: pd.DataFrame) -> list[Sliced]:
    """Askings sliced in every way that their question declares and the ledger allows; `frame` has their signals."""
    found = []
    for one in SLICINGS[asks.question]:
        table, _, column = one.source.partition(".")
        if column and table in ledger.facts and ledger.facts[table].has(column):
            found.append(_by_word(one, ledger, asks, table, column))
        elif one.source in frame:
            found.append(by_edge(one, frame[one.source].to_numpy(np.float64)))
    return [one for one in found if (one.place >= 0).any()]


def _by_word(one: Slicing, ledger: Ledger, asks: Askings, table: str, column: str) -> Sliced:
    asked, words = ASKED[asks.question], ledger.facts[table].codes(column)
    row = asks.row if table == asked else order_rows(ledger, asked)[asks.row]
    return by_code(one.name, np.append(words.codes, -1)[row].astype(np.int64), words.values.to_pylist())


def by_code(name: str, codes: Int, values: Sequence[str]) -> Sliced:
    """The most frequent words by themselves, most frequent first, and the others together.

    >>> by_code("country", np.array([1, 1, 0, -1]), ["BR", "US"]).values
    ('US', 'BR', 'the rest')
    """
    n = np.bincount(codes[codes >= 0], minlength=len(values))
    kept = [int(i) for i in np.argsort(-n, kind="stable")[:MOST] if n[i]]
    place = np.full(len(values) + 1, len(kept), np.int64)
    place[kept], place[-1] = np.arange(len(kept)), -1
    return Sliced(name, place[codes], (*(str(values[i]) for i in kept), REST))


def by_edge(one: Slicing, values: Floats) -> Sliced:
    """The bands of a number, cut at declared edges or into equal masses.

    >>> by_edge(Slicing("size", "n", (10,), ("few", "many")), np.array([9.0, 10.0, np.nan])).place
    array([ 0,  1, -1])
    >>> by_edge(Slicing("amount", "cents"), np.array([100.0, 200, 300, 400, 500])).values
    ('under 2.00', '2.00 to 3.00', '3.00 to 4.00', '4.00 to 5.00', '5.00 and more')
    """
    edges, labels = (np.array(one.edges), one.labels) if one.edges else _bands(values)
    place = np.searchsorted(edges, values, side="right")
    return Sliced(one.name, np.where(np.isnan(values), -1, place), labels)


def _bands(cents: Floats) -> tuple[Floats, tuple[str, ...]]:
    known = cents[~np.isnan(cents)]
    cuts = np.quantile(known, np.arange(1, BANDS) / BANDS, method="higher") if len(known) else known
    edges = np.unique(cuts[cuts > known.min(initial=np.inf)])
    said = [f"{edge / 100:,.2f}" for edge in edges]
    if not said:
        return edges, ("all",)
    between = (f"{low} to {high}" for low, high in pairwise(said))
    return edges, (f"under {said[0]}", *between, f"{said[-1]} and more")


def slice_name(slicing: str, value: str) -> str:
    """The name of a slice wherever it is told of.

    >>> slice_name("country", "BR")
    'country BR'
    """
    return f"{slicing} {value}"


def masks(slices: Sequence[Sliced]) -> dict[str, Flag]:
    """Which askings (n,) are in each slice that has any, by its name.

    >>> {name: mask.tolist() for name, mask in masks([Sliced("country", np.array([1, -1]), ("BR", "US"))]).items()}
    {'country US': [True, False], 'country unknown': [False, True]}
    """
    found = {
        slice_name(one.name, value): one.place == place
        for one in slices
        for place, value in [*enumerate(one.values), (-1, UNKNOWN)]
    }
    return {name: mask for name, mask in found.items() if mask.any()}


def reliability(answers: ArrayLike, probability: ArrayLike, slices: Sequence[Sliced]) -> pd.DataFrame:
    """Predicted and observed rate of each slice that has askings.

    Columns: slicing, slice, n, yes, predicted (the mean probability), observed with its 95 % interval low and high (Wilson),
    gap = observed − predicted with gap_low and gap_high, corrected for how many slices there are, and off.

    >>> two = Sliced("seller", np.array([0] * 100 + [1] * 100), ("small", "large"))
    >>> found = reliability([1] * 40 + [0] * 60 + [1] * 21 + [0] * 79, np.full(200, 0.2), [two])
    >>> found[["slice", "n", "yes", "observed", "off"]].to_dict("list")
    {'slice': ['small', 'large'], 'n': [100, 100], 'yes': [40, 21], 'observed': [0.4, 0.21], 'off': [True, False]}
    """
    yes, p = np.asarray(answers, np.float64), np.asarray(probability, np.float64)
    parts = [_counted(yes, p, one) for one in slices]
    found = pd.concat(parts or [_counted(yes[:0], p[:0], Sliced("", np.zeros(0, np.int64), ()))], ignore_index=True)
    predicted, observed, n = (found[name].to_numpy(np.float64) for name in ("predicted", "observed", "n"))
    found["low"], found["high"] = wilson(observed, n)
    low, high = _exact(found["yes"].to_numpy(np.float64), n)
    found["gap"], found["gap_low"], found["gap_high"] = observed - predicted, low - predicted, high - predicted
    matters = MISS * predicted * (1 - predicted)
    found["off"] = (found["gap_low"] > matters) | (found["gap_high"] < -matters)
    return found


def _exact(yes: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Intervals of rates that all hold but for CHANCE, however few or rare (Clopper and Pearson, 1934)."""
    tail = CHANCE / 2 / max(len(n), 1)
    low = np.where(yes > 0, beta.ppf(tail, yes, n - yes + 1), 0.0)
    return low, np.where(yes < n, beta.isf(tail, yes + 1, n - yes), 1.0)


def _counted(yes: Floats, p: Floats, one: Sliced) -> pd.DataFrame:
    """The counts and rates of the slices of one slicing, the unknown last."""
    names = [*one.values, UNKNOWN]
    place = np.where(one.place < 0, len(one.values), one.place)
    n, had, sure = (np.bincount(place, weight, len(names)) for weight in (None, yes, p))
    there = n > 0
    rates = {"predicted": sure[there] / n[there], "observed": had[there] / n[there]}
    told = {"slicing": one.name, "slice": np.array(names, object)[there], "n": n[there]}
    return pd.DataFrame(told | {"yes": had[there].astype(np.int64)} | rates)


def complaints(found: pd.DataFrame) -> list[str]:
    """A sentence for each slice that is off.

    >>> row = {"slicing": "country", "slice": "BR", "n": 1200, "yes": 60, "predicted": 0.02, "observed": 0.05}
    >>> complaints(pd.DataFrame([row | {"low": 0.039, "high": 0.064, "off": True}]))
    ['country BR: predicted 2.00 %, observed 5.00 % [3.90 %, 6.40 %] among 1,200 askings']
    """
    return [
        f"{slice_name(row['slicing'], row['slice'])}: predicted {_percent(row['predicted'])}, "
        f"observed {_percent(row['observed'])} [{_percent(row['low'])}, {_percent(row['high'])}] among {row['n']:,} askings"
        for row in found[found["off"]].to_dict("records")
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
