"""What a report says beyond its averages: slices, money, how long answers take, and what a share of chargebacks won is of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.asking import ASKED
from features.kernel import DAY, Int
from features.signal import Float
from models.curves import plain
from models.denominators import NEEDS, states, win_shares
from models.loss import PRICED, amounts, expected_losses, money, money_error, observed_loss, shares, shortfall
from models.maturity import arrivals, cohorts, delays
from models.promotion import LARGE
from models.questions import Answer
from models.slices import complaints, reliability, slice_name, sliced
from pipelines import plots
from pipelines.learning import Cases
from pipelines.opening import Said
from pipelines.report import Section, bracketed, table

SHOWN: Final = 24
"""Months of asking that a report shows at most, the latest."""


@dataclass(frozen=True)
class Judged:
    """Askings that a model was tested on: positions `rows`, their signals and answers, its probabilities.

    `rate` is the share of yes among what it had learnt from, `known_by` the moment before which it knew that.
    """

    rows: Int
    frame: pd.DataFrame
    answer: Answer
    probability: Float
    rate: float
    known_by: int


@dataclass(frozen=True)
class Audit:
    """What was found beside an evaluation: tables by name, and sections that show them."""

    tables: dict[str, pd.DataFrame]
    tested: tuple[Section, ...]
    known: tuple[Section, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The tables as plain types, each a list of rows."""
        return {
            name: [dict(zip(frame, map(plain, row), strict=True)) for row in frame.to_numpy(object)]
            for name, frame in self.tables.items()
        }


def audited(work: Cases, tested: Sequence[Judged], as_of: int, said: Said) -> Audit:
    """What can be said of the tests and of what is known before `as_of`; says which slices are off."""
    tables = _known(work, as_of)
    known = [*_maturity_sections(tables, work, as_of), *_win_sections(tables)]
    sections, warnings = list[Section](), list[str]()
    if tested:
        tables["slices"] = _slices(work, tested)
        off = complaints(tables["slices"])
        sections.append(_slices_section(tables["slices"], off))
        warnings += [f"the slice {told}" for told in off]
        lost = _money(work, tested, as_of)
        if lost is not None:
            tables["expected_loss"], unended = lost
            off = shortfall(tables["expected_loss"])
            sections.append(_money_section(tables["expected_loss"], unended, off))
            warnings += [f"the {told}" for told in off]
    for warning in warnings:
        said(f"warning: {warning}")
    return Audit(tables, tuple(sections), tuple(known), tuple(warnings))


def _known(work: Cases, as_of: int) -> dict[str, pd.DataFrame]:
    """How long answers take, the months of asking, and where there are chargebacks, how they ended."""
    horizon = work.horizon if work.question.horizon else None
    start, age = _start(work), work.labelled(as_of).maturity
    found = {
        "arrivals": arrivals(*delays(start, work.found, as_of, horizon)),
        "cohorts": cohorts(start, work.found, as_of, age),
    }
    if work.question.name == "chargeback_win":
        found["win_shares"] = win_shares(states(work.ledger, as_of))
    return found


def _start(work: Cases) -> Int:
    """The moment from which the answer of each asking takes time."""
    return work.asked_at if work.question.horizon else work.asks.at


def _slices(work: Cases, tested: Sequence[Judged]) -> pd.DataFrame:
    asks = work.asks.take(np.concatenate([one.rows for one in tested]))
    frame = pd.concat([one.frame for one in tested], ignore_index=True)
    answer = np.concatenate([one.answer for one in tested])
    return reliability(answer, np.concatenate([one.probability for one in tested]), sliced(work.ledger, asks, frame))


def _slices_section(found: pd.DataFrame, off: Sequence[str]) -> Section:
    shown = pd.DataFrame(
        {
            "": list(map(slice_name, found["slicing"], found["slice"])),
            "askings": found["n"].map("{:,}".format),
            "yes": found["yes"].map("{:,}".format),
            "predicted": found["predicted"].map(_percent),
            "observed": [_ranged(*row) for row in found[["observed", "low", "high"]].to_numpy(np.float64).tolist()],
            "standing": np.select([found["off"], found["n"] < LARGE], ["◆ off", "too few to say"], "within chance"),
        }
    )
    says = (
        "The model's mean probability and the rate observed, for askings that are alike. A slice is off when observed − "
        f"predicted leaves out zero by more than a miss of 0.1 in log-odds, allowing for {len(found)} slices being looked "
        "at; the brackets are the 95 % interval of one slice by itself (Wilson). Where fewer than "
        f"{LARGE} askings are not surely off, they are too few to say.",
        *(f"Off: {told}." for told in off),
    )
    return Section("Slice by slice", says, table(shown), plots.slices(found) if len(found) else None)


def _money(work: Cases, tested: Sequence[Judged], as_of: int) -> tuple[pd.DataFrame, int] | None:
    """Predicted and observed loss by band, and how many orders have a chargeback not yet ended; None without losses."""
    if work.question.name not in PRICED or not set(NEEDS) <= work.ledger.facts.keys():
        return None
    parts = [_losses(work, one, as_of) for one in tested]
    predicted, observed, amount, ended = (np.concatenate(some) for some in zip(*parts, strict=True))
    known = ~np.isnan(amount)
    if not known.any():
        return None
    return money(predicted[known], observed[known], amount[known]), int((~ended[known].astype(np.bool_)).sum())


def _losses(work: Cases, one: Judged, as_of: int) -> tuple[Float, Float, Float, Float]:
    """Predicted and observed loss, amount, and whether it is final, of each order that was tested."""
    asks, told = work.asks.take(one.rows), shares(work.ledger, one.known_by)
    lost, ended = observed_loss(work.ledger, asks, work.horizon, as_of, told)
    expected = expected_losses(work.ledger, asks, one.probability, told)
    return expected, lost, amounts(work.ledger, asks), ended.astype(np.float64)


def _money_section(found: pd.DataFrame, unended: int, off: Sequence[str]) -> Section:
    columns = {"predicted": ("predicted",), "observed": ("observed", "low", "high")}
    columns |= {"observed − predicted": ("gap", "gap_low", "gap_high")}
    cents = {name: found[list(of)].to_numpy(np.float64).tolist() for name, of in columns.items()}
    shown = pd.DataFrame({"amount of the order": found["band"], "orders": found["n"].map("{:,}".format)})
    shown = shown.assign(**{name: [_whole(*row) for row in rows] for name, rows in cents.items()})
    shown["standing"] = np.where(found["off"], "◆ off", "within chance")
    error = money_error(found)
    says = (
        "Expected loss of an order is its probability × ((1 − share won or withdrawn) × amount + fees), with the shares of "
        "chargebacks that had ended when the model was trained. It is held against the amounts and fees lost, in whole "
        "currency; a chargeback lost in part counts as lost. In brackets the 95 % interval of resampled orders, of the "
        "difference widened for as many rows as there are.",
        f"The bands' misses add up to {_percent(error)} of what was lost."
        if np.isfinite(error)
        else "Nothing was lost.",
        f"{unended:,} orders have a chargeback that has not ended, which is counted at those shares.",
        *(f"Off: {told}." for told in off),
    )
    return Section("Expected loss", says, table(shown), plots.losses(found))


def _maturity_sections(tables: dict[str, pd.DataFrame], work: Cases, as_of: int) -> list[Section]:
    curve, months, age = tables["arrivals"], tables["cohorts"], work.labelled(as_of).maturity / DAY
    what = f"{work.question.yes}" if work.question.horizon else "answered"
    drawn = float(curve["answered"].iloc[-1]) > 0
    takes = (
        "Estimated from all askings by the product-limit estimator (Kaplan and Meier): a young one counts as unanswered up "
        f"to its age. In the end {_percent(curve['answered'].iloc[-1])} are {what}. An asking is due at {age:.3g} days.",
    )
    return [
        Section("How long answers take", takes, figure=plots.arrivals(curve, age) if drawn else None),
        _cohorts_section(months, ASKED[work.question.name]),
    ]


def _cohorts_section(months: pd.DataFrame, asked: str) -> Section:
    young = months[months["due"] < months["n"]]
    shown = months.tail(SHOWN)
    counts = {name: shown[name].map("{:,}".format) for name in ("n", "due", "answered", "yes")}
    counts |= {name: counts[name].where(shown["due"] > 0, "–") for name in ("answered", "yes")}
    frame = pd.DataFrame({"month": shown["month"], "asked": counts.pop("n")} | counts | {"standing": shown["standing"]})
    waiting = int((young["n"] - young["due"]).sum())
    says = (
        f"Months in which {asked} were asked about. Answers are counted among those that are due alone, for of the others "
        "only the quick ones are known.",
        f"{waiting:,} askings are not yet due, and nothing is reported of them.",
    )
    return Section("Month by month", says, table(frame))


def _win_sections(tables: dict[str, pd.DataFrame]) -> list[Section]:
    if "win_shares" not in tables:
        return []
    found = tables["win_shares"]
    rates = {
        name: found[[f"{name}{c}" for c in ("share", "low", "high")]].to_numpy().tolist() for name in ("", "amount_")
    }
    shown = pd.DataFrame(
        {
            "won among": found["among"],
            "chargebacks": found["n"].map("{:,}".format),
            "won": [_ranged(*row) for row in rates[""]],
            "not yet ended": found["immature"].map(_percent),
            "amount": (found["amount"] / 100).map("{:,.0f}".format),
            "won by amount": [_ranged(*row) for row in rates["amount_"]],
            "not yet ended by amount": found["amount_immature"].map(_percent),
        }
    )
    says = (
        "The same chargebacks over every denominator in use; none of these shares says anything without its own. Won in part "
        "is not won. The model's own are the contested and ended, without withdrawn.",
    )
    return [Section("What share is won", says, table(shown))]


def _ranged(estimate: float, low: float, high: float) -> str:
    return f"{_percent(estimate)} [{_percent(low)}, {_percent(high)}]"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _whole(*cents: float) -> str:
    """Cents in whole currency, the second and third in brackets."""
    return bracketed(",.0f", *(one / 100 for one in cents))
