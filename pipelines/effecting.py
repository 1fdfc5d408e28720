"""What a report says of the effects of evidence: a table beside mere differences in win rates, and what it rests on."""

from collections.abc import Sequence
from math import isnan
from typing import Final

import pandas as pd

from models.effects import ADJUSTED, Effect
from models.overlap import Overlap
from models.robust import Estimate
from pipelines.report import Cell, Section, Table

MINUS: Final = "\N{MINUS SIGN}"


def effects_section(found: Sequence[Effect], overlap: Overlap | None = None) -> Section:
    """A section for a report of chargebacks: what each item and each whole set does to the chance of winning."""
    limits = overlap or Overlap()
    said = [one for one in found if one.verdict != "too few"]
    rare = [one.treatment.name.replace("_", " ") for one in found if one.verdict == "too few"]
    ranked = sorted(said, key=lambda one: (one.verdict != "effect", -_size(one), one.treatment.name))
    header = (
        "evidence",
        "cases with and without",
        "difference in win rates",
        "effect",
        "hidden confounding",
        "overlap",
    )
    return Section(
        "What evidence does to winning",
        (*_reading(limits), *([f"Too rare to be judged: {', '.join(rare)}."] if rare else [])),
        Table(header, tuple(_row(one) for one in ranked)) if ranked else None,
    )


def _reading(limits: Overlap) -> tuple[str, ...]:
    share = f"{100 * limits.hidden:g} %"
    return (
        "Among contested chargebacks; a set among those whose reason code asks for it. The difference in win rates compares "
        "cases with the evidence and without as they are: stronger cases bring more evidence, so it is an association.",
        f"The effect holds equal what was known when the defence was filed ({', '.join(ADJUSTED)}) and the other items. It is "
        "doubly robust, in points of probability with a 95 % interval, over cases that have a counterpart: those in which the "
        f"evidence was neither all but sure to be filed nor all but sure not to be ({limits.edge:g} to {1 - limits.edge:g}). "
        "Where too few have one, or the sides differ even so, there is no effect to tell.",
        "What nobody wrote down is not held equal. The column of hidden confounding says how much of what is left of the "
        "answer and of the evidence it would have to explain to bring the effect to zero, and the interval were it "
        f"{share} of both.",
    )


def _size(one: Effect) -> float:
    return one.association.estimate if one.found is None else one.found.adjusted.estimate


def _row(one: Effect) -> tuple[str | Cell, ...]:
    name = Cell(one.treatment.name.replace("_", " "), "" if one.treatment.asked == "" else "where asked for")
    sides = f"{one.treated:,} and {one.untreated:,}"
    if one.found is None:
        return (
            name,
            sides,
            _points(one.association),
            Cell("association", lines=(f"{one.because}.",)),
            "–",
            _alike(one),
        )
    hidden = Cell(f"{100 * one.found.robustness:.1f} %", _between(one.found.wide))
    return (name, sides, _points(one.association), _points(one.found.adjusted), hidden, _alike(one))


def _alike(one: Effect) -> str | Cell:
    """The shares with counterparts, and the largest imbalance before and after."""
    seen = one.overlap
    kept = f"{100 * seen.treated_kept:.0f} % and {100 * seen.untreated_kept:.0f} %"
    return Cell(kept, "" if isnan(seen.imbalance) else f"{seen.imbalance_before:.2f} to {seen.imbalance:.2f}")


def _points(one: Estimate) -> str | Cell:
    """A difference in points of probability, its interval below."""
    return "–" if pd.isna(one.estimate) else Cell(_signed(one.estimate), _between(one))


def _between(one: Estimate) -> str:
    return f"[{_signed(one.low)}, {_signed(one.high)}]"


def _signed(share: float) -> str:
    """A share in points, with its sign.

    >>> _signed(0.0567), _signed(-0.004), _signed(-0.0002)
    ('+5.7', '−0.4', '0.0')
    """
    text = f"{100 * share:+z.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)
