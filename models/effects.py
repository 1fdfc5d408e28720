"""Effects: what an item or a whole set of evidence does to the chance of winning, beside the mere difference in win rates.

Contested chargebacks with a treatment are compared with those without, other things held equal. Where enough of both sides are
comparable the difference is called an effect, else an association; what nobody wrote down may bear on both sides all the same.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier

from features.errors import RedressError
from features.evidence import RULES
from features.kernel import Flag, Int
from features.tables import EVIDENCE
from models.baselines import regression, varying
from models.curves import Floats, wilson
from models.overlap import UNSEEN, Diagnostics, Overlap, counterparts, diagnosed, lacking, shared
from models.robust import NOTHING, Estimate, Robust, folds, propensities, robust

Verdict = Literal["effect", "association", "too few"]

ADJUSTED: Final = ("chargeback_*", "order_*", "priors_*", "listing_*", "days_since_order", "buyer_credit")
"""Signals, by pattern, that are held equal: the bank's notice, the order with its parcel and messages, prior transactions, the
page, and the buyer's credit. All are known when a defence is filed and none is evidence; of evidence the items themselves are
held equal, but for those of the treatment, and no signal that is made of them."""


@dataclass(frozen=True)
class Treatment:
    """Items that are all there or not, among the cases in which the signal `asked` is known, or among all."""

    name: str
    items: tuple[str, ...]
    asked: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """The signals that tell of it."""
        return (*_counts(self.items), *filter(None, [self.asked]))


def _counts(kinds: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"case_items_{kind}" for kind in kinds)


TREATMENTS: Final = (
    *(Treatment(kind, (kind,)) for kind in EVIDENCE),
    *(Treatment(f"{rule.name} set", rule.items, f"case_{rule.name}_set_missing") for rule in RULES),
)
"""Every item, among all cases, and every set, among those whose reason code asks for it."""


@dataclass(frozen=True)
class Effect:
    """What is found of a treatment: the mere difference in win rates, the verdict and why, and the adjusted difference.

    The latter is the mean over those cases that have a counterpart, which are the `rows` of the frame.
    """

    treatment: Treatment
    verdict: Verdict
    because: str
    treated: int
    untreated: int
    association: Estimate
    found: Robust | None = None
    overlap: Diagnostics = UNSEEN
    rows: Flag = field(default_factory=lambda: np.zeros(0, np.bool_), compare=False, repr=False)


def learner(seed: int = 0) -> ClassifierMixin:
    """What propensity and outcome are learnt by: small boosted trees of the signals and of what a logistic regression says."""
    trees = HistGradientBoostingClassifier(
        **{"learning_rate": 0.15, "max_iter": 40, "max_leaf_nodes": 8, "max_bins": 31, "min_samples_leaf": 40},
        **{"l2_regularization": 5.0, "early_stopping": False, "random_state": seed},
    )
    return StackingClassifier([("linear", regression(0.1))], trees, cv=2, passthrough=True)


def effects(
    frame: pd.DataFrame,
    answers: ArrayLike,
    treatments: Sequence[Treatment] = TREATMENTS,
    *,
    overlap: Overlap | None = None,
    adjusted: Sequence[str] = ADJUSTED,
    learns: ClassifierMixin | None = None,
    seed: int = 0,
) -> tuple[Effect, ...]:
    """What each treatment that a frame of signals tells of does to the answers (n,), 1 won and 0 not won.

    `adjusted` are patterns of what is held equal, `learns` is a classifier of scikit-learn. Raises RedressError for answers of
    one kind, where no signal tells of evidence, and without DoubleML.
    """
    won = np.asarray(answers, np.float64)
    if not 0 < won.sum() < len(won):
        came = f"{int(won.sum()):,} won of {len(won):,}"
        raise RedressError(f"effects: want chargebacks won and not won, got {came}; widen the span")
    told = [one for one in treatments if set(one.needs) <= set(frame.columns)]
    if not told:
        raise RedressError("effects: want signals of evidence, case_items_*, got none; import a table evidence")
    study = _Study(_held(frame, adjusted), won, overlap or Overlap(), learns or learner(seed), seed)
    return tuple(study.effect(one, frame) for one in told)


def _held(frame: pd.DataFrame, patterns: Sequence[str]) -> pd.DataFrame:
    """What is held equal, in the order of the names: signals of the patterns, and whether each item is there."""
    names = sorted(n for n in map(str, frame.select_dtypes("number")) if any(fnmatchcase(n, some) for some in patterns))
    items = sorted(set(_counts(EVIDENCE)) & set(frame.columns))
    return pd.concat([frame[names], frame[items] > 0], axis=1).astype(np.float32)


@dataclass(frozen=True)
class _Study:
    """What is held equal (n rows), the answers, and by what all treatments are judged."""

    held: pd.DataFrame
    won: Floats
    limits: Overlap
    learns: ClassifierMixin
    seed: int

    def effect(self, one: Treatment, frame: pd.DataFrame) -> Effect:
        """The effect of a treatment among the cases in which it is asked for."""
        asked = np.flatnonzero(frame[one.asked].notna()) if one.asked else np.arange(len(frame))
        had = (frame[list(_counts(one.items))] > 0).all(axis=1).to_numpy(np.bool_)
        told = Effect(
            *(one, "too few", self._few(had[asked], self.won[asked])),
            *(int(had[asked].sum()), int((~had[asked]).sum()), association(had[asked], self.won[asked])),
        )
        if told.because:
            return told
        signals = self._signals(one, asked)
        p = propensities(signals, had[asked], folds(had[asked], self.won[asked], self.seed), self.learns)
        common = counterparts(p, self.limits)
        rows = np.zeros(len(frame), np.bool_)
        rows[asked[common]] = True
        told = replace(told, verdict="association", rows=rows, overlap=shared(had[asked], common))
        few = lacking(told.overlap, self.limits) or self._few(had[rows], self.won[rows])
        return replace(told, because=few) if few else self._compared(told, signals[common], had[rows])

    def _compared(self, told: Effect, signals: Floats, had: Flag) -> Effect:
        """The adjusted difference between sides that have counterparts, unless they are not alike even so."""
        won = self.won[told.rows]
        parts = folds(had, won, self.seed)
        found, p = robust(signals, had, won, parts, self.learns, hidden=self.limits.hidden)
        alike = diagnosed(told.overlap, _standardised(signals), had, p)
        because = lacking(alike, self.limits)
        if because:
            return replace(told, because=because, overlap=alike)
        return replace(told, verdict="effect", found=found, overlap=alike)

    def _few(self, had: Flag, won: Floats) -> str:
        """Which of the four kinds of cases is too rare, in words."""
        for side, of in (("with", had), ("without", ~had)):
            for how, ended in (("won", won[of] > 0), ("not won", won[of] == 0)):
                if ended.sum() < self.limits.cell:
                    return f"{ended.sum():,} comparable cases {side} it were {how}, of {self.limits.cell} at least"
        return ""

    def _signals(self, one: Treatment, rows: Int) -> Floats:
        """What is held equal (n, m) at some rows, without the items of the treatment."""
        return complete(self.held.drop(columns=list(_counts(one.items))).to_numpy(np.float32)[rows])


def complete(signals: NDArray[np.float32]) -> Floats:
    """Signals of which each varies, the median for what is not known, and columns that say what is not; one of zeros at least.

    >>> complete(np.array([[1.0, np.nan, 7.0], [3.0, 2.0, 7.0], [5.0, 4.0, 7.0]], np.float32)).tolist()
    [[1.0, 3.0, 1.0], [3.0, 2.0, 0.0], [5.0, 4.0, 0.0]]
    """
    seen = signals[:, varying(signals)]
    unknown = ~np.isfinite(seen)
    filled = np.where(unknown, np.nanmedian(np.where(unknown, np.nan, seen), axis=0), seen) if seen.size else seen
    absent = np.unique(~np.isfinite(signals), axis=1).astype(np.float64)
    found = np.column_stack([filled, absent[:, varying(absent.astype(np.float32))]]).astype(np.float64)
    return found if found.size else np.zeros((len(signals), 1))


def _standardised(signals: Floats) -> Floats:
    """Signals as the regression sees them, by which balance is judged."""
    return np.asarray(regression(1.0)[:-1].fit_transform(signals), np.float64)


def association(had: Flag, won: Floats) -> Estimate:
    """The difference in win rates as it is, with its 95 % interval (Newcombe 1998, from Wilson's for each rate).

    >>> found = association(np.repeat([True, False], 10), np.repeat([1.0, 0.0, 1.0, 0.0], [5, 5, 2, 8]))
    >>> round(found.estimate, 3), round(found.low, 3), round(found.high, 3)
    (0.3, -0.107, 0.6)
    """
    if had.all() or not had.any():
        return Estimate(*[float("nan")] * 3)
    rate, n = np.array([won[side].mean() for side in (had, ~had)]), np.array([had.sum(), (~had).sum()])
    low, high = wilson(rate, n)
    one, other = rate
    down, up = np.hypot(one - low[0], high[1] - other), np.hypot(high[0] - one, other - low[1])
    return Estimate(float(one - other), float(one - other - down), float(one - other + up))


def tabled(found: Sequence[Effect]) -> pd.DataFrame:
    """Effects as a table, a row for each treatment; NaN is what is not said.

    Columns: treatment, verdict, because, treated and untreated (cases), association, effect and wide with low and high,
    robustness and robustness_low, then the diagnostics of overlap.
    """
    return pd.DataFrame([_row(one) for one in found])


def _row(one: Effect) -> dict[str, object]:
    told = {"treatment": one.treatment.name, "verdict": one.verdict, "because": one.because}
    told_n = {"treated": one.treated, "untreated": one.untreated}
    robust = one.found or NOTHING
    spans = {"association": one.association, "effect": robust.adjusted, "wide": robust.wide}
    numbers = {
        name if part == "estimate" else f"{name}_{part}": value
        for name, span in spans.items()
        for part, value in asdict(span).items()
    }
    strength = {"robustness": robust.robustness, "robustness_low": robust.robustness_low}
    return told | told_n | numbers | strength | asdict(one.overlap)
