"""Reasons in three voices: the reviewer hears everything, the seller what to supply, the buyer what is fair to say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.kernel import Int
from features.signal import Float
from models.explain import MOST, NONE, declared, heaviest, placed
from models.questions import asked
from models.reasons import REASONS, Reason

TOLD: Final = ("reason_codes", "reasons", "reasons_seller", "reasons_buyer")
"""Names of the columns of reasons: their codes and the reviewer's lines, one for each, then what seller and buyer are told."""

PARTIES: Final = ("seller", "buyer")
SLAB: Final = 4096
"""Rows taken at a time, which bounds memory."""


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


@dataclass(frozen=True)
class Told:
    """The reasons of one answer: their codes and a reviewer's lines, one for each, and what seller and buyer are told."""

    codes: tuple[str, ...]
    reviewer: tuple[str, ...]
    seller: tuple[str, ...]
    buyer: tuple[str, ...]


def reasons(
    question: str, signals: Sequence[str], frame: pd.DataFrame, contributions: Float, most: int = MOST
) -> pd.DataFrame:
    """What is told of each row, lists of words under the names of TOLD: up to `most` reasons that raise, then that lower.

    `contributions` (n, signals + 1) are what the signals, columns of the frame, add to the log-odds of the question.
    """
    speech, columns = Speech.of(question, signals), list[list[list[str]]]([[] for _ in TOLD])
    for lo in range(0, len(frame), SLAB):
        values = frame.iloc[lo : lo + SLAB][list(signals)].to_numpy(np.float32)
        for told in speech.told(values, contributions[lo : lo + SLAB], most):
            for column, words in zip(columns, (told.codes, told.reviewer, told.seller, told.buyer), strict=True):
                column.append(list(words))
    return pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in zip(TOLD, columns, strict=True)})


@dataclass(frozen=True)
class Speech:
    """What can be said of a question's signals, made ready once: the place of each one's reason, and its meaning and unit.

    `ways` are the words for yes and for no, `heard` what each party hears of a reason, by its place in REASONS and sign.
    """

    group: Int
    meanings: tuple[tuple[str, str], ...]
    ways: tuple[str, str]
    heard: Mapping[str, Mapping[tuple[int, int], str]]
    against: Mapping[str, int]

    @classmethod
    def of(cls, question: str, signals: Sequence[str]) -> "Speech":
        """What can be said of some signals of a question."""
        about, hearings = asked(question), HEARINGS[question]
        says = {
            party: {(of, way): heard(question, party, one, way) for of, one in enumerate(REASONS) for way in (1, -1)}
            for party in PARTIES
        }
        meanings = tuple((one.meaning, one.unit) for one in declared(question, signals))
        against = {party: hearings[party].against for party in PARTIES}
        return cls(placed(signals), meanings, (about.yes, about.no), says, against)

    def told(self, values: NDArray[np.float32], contributions: Float, most: int = MOST) -> Iterator[Told]:
        """What is told of each row of signals (n, m), by what they add to the log-odds (n, m + 1)."""
        found = heaviest(contributions, self.group, most)
        rows = zip(found.reason.tolist(), found.weight.tolist(), found.signal.tolist(), strict=True)
        for row, (reason, weight, signal) in enumerate(rows):
            there = [slot for slot in range(2 * most) if reason[slot] != NONE]
            yield Told(
                tuple(REASONS[reason[slot]].code for slot in there),
                tuple(
                    self._line(reason[slot], weight[slot], signal[slot], values[row], contributions[row])
                    for slot in there
                ),
                *(
                    self._voiced(party, [(reason[slot], 1 if slot < most else -1) for slot in there])
                    for party in PARTIES
                ),
            )

    def _line(
        self, reason: int, weight: float, signal: Sequence[int], values: NDArray[np.float32], added: Float
    ) -> str:
        """The reviewer's line: what a reason is about, which answer it speaks for, and its signals with values."""
        said = [self._said(of, float(values[of]), float(added[of])) for of in signal if of != NONE]
        return f"{REASONS[reason].says}: speaks for {self.ways[weight <= 0]}, {weight:+.2f} | {' | '.join(said)}"

    def _said(self, of: int, value: float, added: float) -> str:
        """Meaning, value, unit and contribution of a signal that is told."""
        meaning, unit = self.meanings[of]
        return f"{meaning} = {_valued(value, unit)} ({added:+.2f})"

    def _voiced(self, party: str, chosen: Sequence[tuple[int, int]]) -> tuple[str, ...]:
        """What a party is told of reasons and their signs: first what weighs against it, each sentence once."""
        says, against = self.heard[party], self.against[party]
        ordered = [one for way in (against, -against) for one in chosen if one[1] == way]
        return tuple(dict.fromkeys(says[one] for one in ordered))


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
