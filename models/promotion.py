"""The gate: whether a challenger takes the champion's place, judged on askings that neither has learnt from.

The champion is asked as it serves, for it is that which would be replaced; a recipe of its grown anew would be another
model. So that it has no start, the challenger's recipe is tried as of no earlier moment than that which the champion knew
up to. Where the champion is the older, what the trial learnt since is what retraining brings, and counts for it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.kernel import DAY
from models.curves import plain
from models.evaluate import Evaluation, evaluate
from models.fit import FEWEST
from models.questions import NO, YES
from models.resampling import Draws

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Groups = Mapping[str, Mask]
Numbers = Mapping[str, Mapping[str, float]]
Outcome = Literal["first", "promoted", "not promoted", "undecided", "not compared", "overridden"]

EVERYONE: Final = "everyone"
LARGE: Final = 100
"""Rows from which a group is judged by itself."""
SUSPECTED: Final = 0.05
"""Share of the rows, the most suspected, whose owners a platform may look into."""
TOLERATED: Final = 0.01
"""How much more of a group's honest may be among the most suspected, as a share of them."""
MISS: Final = (0.25, 0.05)
"""How far a predicted share may lie from the observed one: as a share of the rarer answer's, and at most."""
NAMED: Final = 3
"""Groups too small to judge that a sentence names; the tables have those that are judged."""
KEPT: Final = ("difference", "difference_low", "difference_high")
HONEST: Final[Mapping[str, int]] = {
    "chargeback_risk": NO,
    "dispute_outcome": YES,
    "malicious_dispute": NO,
    "chargeback_win": NO,
}
"""The answer, by question, of those whom a wrong probability harms: a high one where it is no, a low one where it is yes."""


@dataclass(frozen=True)
class Check:
    """One condition of the gate: if it holds, its numbers by metric or group, and a sentence that tells them."""

    name: str
    passed: bool
    numbers: Numbers
    says: str


@dataclass(frozen=True)
class Verdict:
    """What became of a challenger and why, with the checks it went through and the champion's version it met."""

    outcome: Outcome
    says: str
    checks: tuple[Check, ...] = ()
    champion: str = ""

    @property
    def promoted(self) -> bool:
        """Whether it is the champion from now on."""
        return self.outcome in ("first", "promoted", "overridden")

    def metrics(self) -> dict[str, float]:
        """Every number by a name that begins with `gate_`, the checks themselves as 1 or 0.

        >>> Verdict("promoted", "better", (Check("better", True, {"log_loss": {"low": -0.5}}, "better"),)).metrics()
        {'gate_promoted': 1.0, 'gate_better': 1.0, 'gate_better_log_loss_low': -0.5}
        """
        return {"gate_promoted": float(self.promoted)} | {name: v for name, v in self._numbers() if np.isfinite(v)}

    def _numbers(self) -> Iterator[tuple[str, float]]:
        for check in self.checks:
            yield f"gate_{check.name}", float(check.passed)
            for whose, numbers in check.numbers.items():
                slug = re.sub(r"[^a-z0-9]+", "_", whose.lower()).strip("_")
                yield from ((f"gate_{check.name}_{slug}_{name}", value) for name, value in numbers.items())

    def to_json(self) -> dict[str, object]:
        """The same as plain types, NaN as None."""
        return {
            "outcome": self.outcome,
            "promoted": self.promoted,
            "says": self.says,
            "champion": self.champion or None,
            "checks": [_json(check) for check in self.checks],
        }


def _json(check: Check) -> dict[str, object]:
    numbers = {whose: {name: plain(v) for name, v in row.items()} for whose, row in check.numbers.items()}
    return {"name": check.name, "passed": check.passed, "says": check.says, "numbers": numbers}


def gate(
    answers: ArrayLike,
    champion: ArrayLike,
    challenger: ArrayLike,
    *,
    at: ArrayLike,
    buyer: ArrayLike,
    groups: Groups,
    knew: tuple[int, int],
    honest: int = NO,
    resamples: int = 500,
    seed: int = 0,
) -> Verdict:
    """Promotes the challenger if it is better, calibrated in every large group, and harms no honest group newly.

    `answers` (n,) is 1 for yes; the probabilities (n,) are about the same askings, which neither learnt from; `buyer` codes,
    -1 unknown; `groups` masks (n,), which may overlap; `knew` are the moments that the champion and the challenger's trial
    knew up to. With `honest` NO a high probability harms the honest, with YES a low one. Undecided where it is not even.
    """
    yes, old, new = (np.asarray(values, np.float64) for values in (answers, champion, challenger))
    start = even(yes, *knew)
    if not start.passed:
        return Verdict("undecided", start.says, (start,))
    beside = {"challenger": new, "champion": old}
    draws = Draws(np.asarray(buyer, np.int64), resamples, seed)
    checks = (
        start,
        better(evaluate(yes, beside, at=at, buyer=buyer, resamples=resamples, seed=seed)),
        calibrated(yes, new, groups, draws),
        unharmed(yes, old, new, groups, draws, honest=honest),
    )
    failed = [check.says for check in checks if not check.passed]
    says = "; ".join(failed or [checks[1].says, "calibrated and no honest group newly harmed"])
    return Verdict("not promoted" if failed else "promoted", says, checks)


def even(answers: ArrayLike, champion: int, challenger: int) -> Check:
    """Whether FEWEST of each answer are new to both, and the champion knew up to no later moment than the challenger's trial.

    >>> even([1, 0] * 10, 0, 2 * DAY).numbers
    {'askings': {'rows': 20.0, 'rarer': 10.0}, 'champion': {'days_ahead': -2.0}}
    >>> even([1, 0] * 9, 0, 0).says.partition(";")[0]
    'too few answers since the champion learnt: 18 askings, 9 of one answer, where 10 are wanted'
    """
    yes = np.asarray(answers, np.float64)
    rarer, ahead = float(min(yes.sum(), (1 - yes).sum())), (champion - challenger) / DAY
    numbers = {"askings": {"rows": float(len(yes)), "rarer": rarer}, "champion": {"days_ahead": ahead}}
    knew = f"the champion knew until {_moment(champion)}, the challenger's trial until {_moment(challenger)}"
    if rarer < FEWEST:
        came = f"{len(yes):,} askings, {rarer:.0f} of one answer, where {FEWEST} are wanted"
        says = f"too few answers since the champion learnt: {came}; {knew}; train again when more have come"
    else:
        came = f"{len(yes):,} askings that neither had learnt"
        says = f"even: {came}; {knew}" if ahead <= 0 else f"the champion is ahead: {knew}"
    return Check("even", rarer >= FEWEST and ahead <= 0, numbers, says)


def _moment(t: int) -> str:
    return f"{np.datetime_as_string(np.datetime64(t, 'us'), unit='m').replace('T', ' ')} UTC"


def better(found: Evaluation) -> Check:
    """Whether the log loss of the first predictor is surely less than that of the second, resampled in pairs."""
    _, beside = found.curves
    numbers = {name: found.numbers(name, beside) for name in ("log_loss", "average_precision")}
    told = {name: {k.removeprefix("difference_"): row[k] for k in KEPT} for name, row in numbers.items()}
    passed = told["log_loss"]["high"] < 0
    says = f"log loss differs from the {beside}'s by {_between(told['log_loss'], '.4f')} over {found.n:,} askings"
    ranks = f"average precision by {_between(told['average_precision'], '.4f')}"
    return Check("better", passed, told, f"{'surely' if passed else 'not surely'} better: {says}, {ranks}")


def calibrated(answers: ArrayLike, probability: ArrayLike, groups: Groups, draws: Draws) -> Check:
    """Whether in every large group what is predicted may lie within MISS of what is observed.

    A group fails where its whole interval of predicted - observed lies beyond; the intervals hold for all groups together.
    One in which FEWEST of an answer are not expected says too little.
    """
    yes, p = np.asarray(answers, np.float64), np.asarray(probability, np.float64)
    expected = {name: min(p[mask].sum(), (1 - p[mask]).sum()) for name, mask in groups.items()}
    told_of = {name: mask for name, mask in groups.items() if expected[name] >= FEWEST}
    large = _large(told_of, np.ones(len(yes), np.bool_))
    numbers = draws.means(p - yes, large)
    for name, row in numbers.items():
        observed = float(yes[large[name]].mean())
        bound = _tolerance(observed)
        row |= {"observed": observed, "predicted": observed + row["difference"], "tolerance": bound}
        row["held"] = float(max(row["low"], -row["high"]) <= bound)
    missed = [name for name, row in numbers.items() if not row["held"]]
    told = [f"{name} ({numbers[name]['predicted']:.1%} for {numbers[name]['observed']:.1%})" for name in missed]
    says = f"predicted too far from observed in {', '.join(told)}" if missed else "calibrated within bounds"
    return Check("calibrated", not missed, numbers, f"{says}{_judged(groups, large)}")


def unharmed(
    answers: ArrayLike, champion: ArrayLike, challenger: ArrayLike, groups: Groups, draws: Draws, *, honest: int = NO
) -> Check:
    """Whether no large group has surely, and by more than TOLERATED, more of its honest among the most suspected."""
    old, new = (suspected(np.asarray(p, np.float64) * (1 if honest == NO else -1)) for p in (champion, challenger))
    large = _large(groups, np.asarray(answers) == honest)
    numbers = draws.means(new - old, large)
    for name, row in numbers.items():
        row |= {"champion": float(old[large[name]].mean()), "challenger": float(new[large[name]].mean())}
        row["held"] = float(row["low"] <= 0 or row["difference"] <= TOLERATED)
    harmed = [name for name, row in numbers.items() if not row["held"]]
    told = [f"{name} ({numbers[name]['challenger']:.1%} after {numbers[name]['champion']:.1%})" for name in harmed]
    says = (
        f"more of the honest are among the most suspected in {', '.join(told)}" if harmed else "no group newly harmed"
    )
    return Check("unharmed", not harmed, numbers, f"{says}{_judged(groups, large)}")


def suspected(p: Floats, share: float = SUSPECTED) -> Floats:
    """How much of each row belongs to the `share` of highest scores: 1, 0, or for equal scores at its edge a part.

    >>> suspected(np.array([0.9, 0.5, 0.5, 0.1]), share=0.5)
    array([1. , 0.5, 0.5, 0. ])
    """
    room = share * len(p)
    cut = np.sort(p)[len(p) - max(1, int(np.ceil(room)))]
    above, edge = p > cut, p == cut
    part: Floats = above + edge * (room - above.sum()) / edge.sum()
    return part


def _large(groups: Groups, of: Mask) -> dict[str, Mask]:
    """Everyone, and the groups with at least LARGE of the rows `of`; each without its other rows."""
    held = {name: mask & of for name, mask in groups.items()}
    return {EVERYONE: of} | {name: mask for name, mask in held.items() if mask.sum() >= LARGE}


def _judged(groups: Groups, large: Groups) -> str:
    """How many groups a sentence is about, and which are too small to be judged, of many the first.

    >>> _judged({name: np.ones(1, np.bool_) for name in "abcdef"}, {EVERYONE: np.ones(1, np.bool_)})
    ' (everyone and 0 groups judged; too small to judge: a, b, c and 3 more)'
    """
    small = [name for name in groups if name not in large]
    more = f" and {len(small) - NAMED} more" if len(small) > NAMED else ""
    said = f"; too small to judge: {', '.join(small[:NAMED])}{more}" if small else ""
    return f" ({EVERYONE} and {len(large) - 1} groups judged{said})"


def _tolerance(observed: float) -> float:
    """How far a prediction may lie from an observed share: a quarter of the rarer answer's, five points at most.

    >>> _tolerance(0.004), _tolerance(0.5)
    (0.001, 0.05)
    """
    share, most = MISS
    return min(share * min(observed, 1 - observed), most)


def _between(row: Mapping[str, float], style: str) -> str:
    """A difference with its interval."""
    estimate, low, high = (f"{row[k]:+z{style}}".replace("-", "\N{MINUS SIGN}") for k in ("difference", "low", "high"))
    return f"{estimate} [{low}, {high}]"
