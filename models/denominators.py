"""Shares of chargebacks won, over every denominator that is in use, each with its size and how much of it is not yet ended.

Published win rates mix them: among the contested or among all, with or without the withdrawn and those not yet ended. Won is
an ending in favour of the seller; a partial one is not. A contested chargeback ends at its first ending after its first
defence, as in the question chargeback_win; any other at its first ending.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import pandas as pd

from features import Ledger
from features.background import NOT_YET, first_at, first_rows, is_ending, is_word
from features.kernel import Flag, Int
from models.curves import Floats, wilson

NEEDS: Final = ("chargebacks", "chargeback_rulings")
SHARES: Final = {"win_share": "won", "withdrawn_share": "withdrawn", "contested_share": "contested"}
"""Shares that a model's card holds of the chargebacks that have ended, and the column of `states` that each is of."""
BEFORE: Final = {"won": 0.25, "withdrawn": 0.0, "contested": 0.5}
"""What they are before any is known; 70 to 80 % end as the merchant's loss (Kansas City Fed, 2016)."""
WORTH: Final = 20.0
"""Chargebacks that what is known beforehand counts for."""


@dataclass(frozen=True)
class Denominator:
    """Which chargebacks a share of won is taken among: the contested alone or all, and what is left out of them."""

    contested: bool
    withdrawn: bool
    unended: bool

    @property
    def name(self) -> str:
        """What it is called."""
        names = ("contested", "contested and ended") if self.contested else ("all chargebacks", "all that ended")
        return names[not self.unended] + ("" if self.withdrawn else ", without withdrawn")

    def of(self, bank: pd.DataFrame) -> Flag:
        """The chargebacks of `states` that it counts."""
        kept = bank["contested"] | (not self.contested)
        kept &= ~bank["withdrawn"] | self.withdrawn
        return np.asarray(kept & (bank["ended"] | self.unended), np.bool_)


DENOMINATORS: Final = tuple(Denominator(*kept) for kept in product((True, False), (True, False), (True, False)))
"""Every denominator: the contested first, each with less and less in it."""


def states(ledger: Ledger, as_of: int) -> pd.DataFrame:
    """What is known before `as_of` of each chargeback that had come: contested, ended, won, withdrawn, amount (NaN unknown)."""
    charges, endings = ledger.facts["chargebacks"], ledger.facts["chargeback_rulings"]
    defended = _defended(ledger, as_of)
    outcome, of = endings.codes("outcome"), endings.points["chargebacks"]
    after = (endings.at > defended[of]) | (defended[of] == NOT_YET)
    ends = np.flatnonzero(is_ending(outcome) & (endings.at < as_of) & after)
    rows = ends[first_rows(of[ends], len(charges))]
    cents, known = charges.numbers("amount")
    told = {
        "contested": defended < NOT_YET,
        "ended": _marked(of[rows], len(charges)),
        "won": _marked(of[rows][is_word(outcome, "won")[rows]], len(charges)),
        "withdrawn": _marked(of[rows][is_word(outcome, "withdrawn")[rows]], len(charges)),
        "amount": np.where(known, cents, np.nan),
    }
    return pd.DataFrame(told)[charges.at < as_of]


def _defended(ledger: Ledger, as_of: int) -> Int:
    """When each chargeback was first contested, NOT_YET where it was not before `as_of`."""
    charges = len(ledger.facts["chargebacks"])
    if "representments" not in ledger.facts:
        return np.full(charges, NOT_YET)
    defences = ledger.facts["representments"]
    first = first_at(defences.points["chargebacks"], defences.at, charges)
    return np.where(first < as_of, first, NOT_YET)


def _marked(rows: Int, n: int) -> Flag:
    marks = np.zeros(n, np.bool_)
    marks[rows] = True
    return marks


def win_shares(bank: pd.DataFrame) -> pd.DataFrame:
    """The share won over each of DENOMINATORS that has chargebacks, by count and by amount, from `states`.

    Columns: among, n, won, share, low, high, immature (the share of n that has not ended), and the same by amount for those
    whose amount is known: amount (cents), amount_won, amount_share, amount_low, amount_high, amount_immature. Intervals are
    95 % (Wilson, 1927); that by amount counts as many chargebacks as, all of one amount, would say as much (Kish, 1965).

    >>> four = {"contested": [1, 1, 1, 0], "ended": [1, 1, 0, 1], "won": [1, 0, 0, 0], "withdrawn": [0, 0, 0, 0]}
    >>> found = win_shares(pd.DataFrame(four).astype(bool).assign(amount=[300.0, 100.0, 200.0, 400.0]))
    >>> found.iloc[[0, 1, 5]][["among", "n", "share", "amount_share"]].round(3).to_dict("split")["data"]
    [['contested', 3, 0.333, 0.5], ['contested and ended', 2, 0.5, 0.75], \
['all that ended', 3, 0.333, 0.375]]
    """
    rows = [{"among": one.name} | _share(bank[one.of(bank)]) for one in DENOMINATORS if one.of(bank).any()]
    return pd.DataFrame(rows, columns=["among", *_NUMBERS])


_BY_COUNT: Final = ("n", "won", "share", "low", "high", "immature")
_NUMBERS: Final = (*_BY_COUNT, *("amount" if name == "n" else f"amount_{name}" for name in _BY_COUNT))


def _share(some: pd.DataFrame) -> dict[str, float]:
    won, open_ = some["won"].to_numpy(np.float64), ~some["ended"].to_numpy(np.bool_)
    cents = some["amount"].to_numpy(np.float64)
    known = ~np.isnan(cents)
    counted = _weighed(won, open_, np.ones(len(some)))
    return dict(zip(_NUMBERS, (*counted, *_weighed(won[known], open_[known], cents[known])), strict=True)) | {
        "n": len(some),
        "won": int(won.sum()),
    }


def _weighed(won: Floats, open_: Flag, weight: Floats) -> tuple[float, ...]:
    """Weight, weight won, its share with an interval, and the share not yet ended; NaN where nothing weighs."""
    total = float(weight.sum())
    if not total:
        return (0.0, 0.0, *[np.nan] * 4)
    share = float(won @ weight) / total
    low, high = wilson(np.array(share), np.array(total**2 / float(weight @ weight)))
    return total, float(won @ weight), share, float(low), float(high), float(weight[open_].sum()) / total


def ending_shares(bank: pd.DataFrame) -> dict[str, float]:
    """Of the chargebacks that have ended, the shares won, withdrawn and contested, drawn to what is known beforehand.

    >>> ended = pd.DataFrame({"contested": [True] * 20, "ended": True, "won": True, "withdrawn": False})
    >>> ending_shares(ended)
    {'win_share': 0.625, 'withdrawn_share': 0.0, 'contested_share': 0.75}
    """
    ended = bank[bank["ended"]]
    return {name: (float(ended[c].sum()) + WORTH * BEFORE[c]) / (len(ended) + WORTH) for name, c in SHARES.items()}
