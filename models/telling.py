"""Reasons in three voices: the reviewer hears everything, the seller what to supply, the buyer what is fair to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isnan
from typing import Final

import numpy as np
import pandas as pd

from features.kernel import Int
from features.signal import Float
from models.explain import MOST, NONE, SLAB, Weighed, declared, weighed
from models.questions import asked
from models.reasons import REASONS, Reason

TOLD: Final = ("reason_codes", "reasons", "reasons_seller", "reasons_buyer")
"""Names of the columns of reasons: their codes and the reviewer's lines, one for each, then what seller and buyer are told."""

PARTIES: Final = ("seller", "buyer")


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> listed(["a photo"]), listed(["a photo", "a film", "the receipt"])
    ('a photo', 'a photo, a film and the receipt')
    """
    return " and ".join(", ".join(some) for some in (words[:-1], words[-1:]) if some)


def money(cents: float) -> str:
    """Cents in whole currency, a dash where unknown.

    >>> money(-1_250), money(-0.4), money(float("nan"))
    ('-12.50', '0.00', '–')
    """
    return "–" if isnan(cents) else f"{round(cents) / 100:,.2f}"


@dataclass(frozen=True)
class Hearing:
    """How a party hears the reasons of a question: the sign of log-odds against it, and one sentence for all, if so."""

    against: int
    instead: str = ""


HEARINGS: Final[Mapping[str, Mapping[str, Hearing]]] = {
    "chargeback_risk": {
        "seller": Hearing(against=1),
        "buyer": Hearing(
            1, "We may check this order before it ships. You can confirm the order and its delivery with us."
        ),
    },
    "dispute_outcome": {"seller": Hearing(against=1), "buyer": Hearing(against=-1)},
    "malicious_dispute": {"seller": Hearing(against=-1), "buyer": Hearing(against=1)},
    "chargeback_win": {
        "seller": Hearing(against=-1),
        "buyer": Hearing(
            1, "Your bank decides about this charge. You can still settle with us: tell us what would put it right."
        ),
    },
}
"""How seller and buyer hear each question; before shipment and before a bank the buyer has nothing to prove to us."""

SUPPLY: Final[Mapping[str, str]] = dict.fromkeys(HEARINGS, "Supply") | {"chargeback_risk": "Keep"}
"""What the seller does with proof; while there is no case yet, it is kept."""

IN_FAVOUR: Final[Mapping[str, Mapping[str, str]]] = {
    "seller": {
        "order": "What is known of this order counts in your favour.",
        "product": "The product's page and record count in your favour.",
        "buyer": "What is known of this order counts in your favour.",
        "seller": "Your shop's record counts in your favour.",
        "carrier": "The carrier's records count in your favour; keep the delivery certificate.",
        "evidence": "The proof at hand counts in your favour; keep the originals.",
        "base": "What is known of this order counts in your favour.",
    },
    "buyer": {
        "order": "What is known of this order counts in your favour.",
        "product": "What is known of this product counts in your favour.",
        "buyer": "What is known of your orders with us counts in your favour.",
        "seller": "What is known of this order counts in your favour.",
        "carrier": "What is known of the parcel counts in your favour.",
        "evidence": "The proof at hand counts in your favour.",
        "base": "What is known of this order counts in your favour.",
    },
}
"""What a party hears of a reason that weighs in its favour, by part."""


def heard(question: str, voice: str, reason: Reason, sign: int) -> str:
    """What seller or buyer hears of a reason that raises (1) or lowers (-1) the probability of yes.

    >>> from models.reasons import place
    >>> heard("dispute_outcome", "seller", REASONS[place("order_scans_lost_count")], 1)
    "Check that the tracking number is valid. Supply the carrier's own record of the parcel."
    """
    hearing = HEARINGS[question][voice]
    if sign != hearing.against:
        return IN_FAVOUR[voice][reason.part]
    told = reason.seller if voice == "seller" else reason.buyer
    return hearing.instead or told.format(supply=SUPPLY[question])


def reasons(
    question: str, signals: Sequence[str], frame: pd.DataFrame, contributions: Float, most: int = MOST
) -> pd.DataFrame:
    """What is told of each row, lists of words under the names of TOLD: up to `most` reasons that raise, then that lower.

    `contributions` (n, signals + 1) are what the signals, columns of the frame, add to the log-odds of the question.
    """
    told = []
    for lo in range(0, max(1, len(frame)), SLAB):
        added, values = contributions[lo : lo + SLAB], frame.iloc[lo : lo + SLAB][list(signals)]
        found = weighed(signals, added, most)
        lines = _lines(question, values, added, found)
        told.append(_told(question, found, lines))
    return pd.concat(told, ignore_index=True)


def _told(question: str, found: Weighed, lines: list[str]) -> pd.DataFrame:
    there = found.reason != NONE
    codes = [REASONS[of].code for of in found.reason[there].tolist()]
    ours = [_split(words, there.sum(axis=1)) for words in (codes, lines)]
    told = ours + [_voiced(question, party, found) for party in PARTIES]
    return pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in zip(TOLD, told, strict=True)})


def _lines(question: str, values: pd.DataFrame, contributions: Float, found: Weighed) -> list[str]:
    """The reviewer's lines of all rows: what a reason is about, which answer it speaks for, and its signals with values."""
    about, there = asked(question), found.reason != NONE
    said = _split(_said(question, values, contributions, found.signal), (found.signal != NONE).sum(axis=2)[there])
    chosen = zip(found.reason[there].tolist(), found.weight[there].tolist(), said, strict=True)
    return [
        f"{REASONS[of].says}: speaks for {about.yes if weight > 0 else about.no}, {weight:+.2f} | {' | '.join(some)}"
        for of, weight, some in chosen
    ]


def _said(question: str, values: pd.DataFrame, contributions: Float, signal: Int) -> list[str]:
    """Meaning, value, unit and contribution of each signal that is told."""
    row, column = np.nonzero(signal != NONE)[0], signal[signal != NONE]
    words = [(one.meaning, one.unit) for one in declared(question, list(values.columns))]
    told = zip(
        column.tolist(),
        values.to_numpy(np.float32)[row, column].tolist(),
        contributions[row, column].tolist(),
        strict=True,
    )
    return [f"{words[of][0]} = {_valued(value, words[of][1])} ({added:+.2f})" for of, value, added in told]


def _valued(value: float, unit: str) -> str:
    """A value with its unit.

    >>> _valued(2.0, "disputes"), _valued(float("nan"), "days"), _valued(1.0, "0 or 1"), _valued(1.0, "buyers")
    ('2 disputes', 'unknown', 'yes', '1 buyer')
    >>> _valued(123_450.0, "cents")
    '1,234.50'
    """
    if isnan(value):
        return "unknown"
    if unit == "cents":
        return f"{value / 100:,.2f}"
    if unit == "0 or 1":
        return ("no", "yes")[int(value)]
    return f"{value:.6g} {unit if value != 1 else unit.removesuffix('es' if unit.endswith('sses') else 's')}"


def _voiced(question: str, party: str, found: Weighed) -> list[list[str]]:
    """What a party is told of each row: first what weighs against it, each sentence once."""
    against, most = HEARINGS[question][party].against, found.reason.shape[1] // 2
    says = {(of, way): heard(question, party, one, way) for of, one in enumerate(REASONS) for way in (1, -1)}
    ways = [against] * most + [-against] * most
    rows = (found.reason if against > 0 else np.roll(found.reason, most, axis=1)).tolist()
    return [list(dict.fromkeys(says[of, way] for of, way in zip(row, ways, strict=True) if of != NONE)) for row in rows]


def _split(words: Sequence[str], counts: Int) -> list[list[str]]:
    """Words in lists of the given lengths.

    >>> _split(["a", "b", "c"], np.array([2, 0, 1]))
    [['a', 'b'], [], ['c']]
    """
    left = iter(words)
    return [list(islice(left, count)) for count in counts.tolist()]
