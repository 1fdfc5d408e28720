"""Off-policy value: what another policy would have cost on average, from decisions that were logged with their propensities.

A decision was drawn with a known probability, its propensity μ, so a case stands for w = π / μ cases in the world of a target
policy that would have taken the logged action with probability π:

    IPS                mean of w c                                      (Horvitz and Thompson 1952)
    self-normalised    Σ w c / Σ w                                      (Hájek 1971; Swaminathan and Joachims 2015)
    doubly robust      mean of Σ_a π(a) m(a) + w (c - m(logged))        (Dudík, Erhan, Langford and Li 2014)

with c the cost observed and m(a) that of a cost model, which may be as wrong as it likes where propensities are right: it
then costs precision alone. A model that learnt from the case itself is not allowed; `crossfitted` makes one that didn't.

Intervals hold 95 %: the normal one around the mean of the estimator's influence function, with its variance summed over
buyers where they are told, for cases of a buyer come together. It errs where few cases carry all weight, and `warnings` say
so. Clipped weights trade variance for bias, which no interval covers, so nothing is clipped unless asked for, and then said.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from features import RedressError
from models.curves import Floats
from models.sections import number
from models.trees import SMALLEST_LEAF, Rows, grown, said

Codes = NDArray[np.int64]

Z: Final = 1.959963984540054
"""The normal quantile of a 95 % interval."""
_WINDOW: Final = "cardholders have about 120 days to go to their bank"
SURE: Final = 3.0
"""Standard errors by which the mean of the weights may differ from 1 by chance."""


@dataclass(frozen=True)
class Overlap:
    """Where the log and a target policy are too far apart for an estimate to be trusted."""

    propensity_at_least: float = number(0.02, "share", "an action that is logged more rarely is hardly tried")
    hardly_tried_at_most: float = number(0.05, "share", "of what the target does may be hardly tried")
    effective_at_least: float = number(0.05, "share", "of the cases is what the weighted ones are worth")
    largest_at_most: float = number(0.05, "share", "of all weight may lie on one case")
    followed: float = number(
        120.0, "days", "after a decision, in which what it cost is counted; a younger one is left out", _WINDOW
    )
    fewest: int = number(100, "cases", "logged decisions without which nothing is estimated")
    unsettled_at_most: float = number(0.05, "share", "of the cases may have costs that are not settled")


@dataclass(frozen=True)
class Log:
    """Logged decisions: the action of each case (n,) as a position in `actions`, its propensity, and the cost observed.

    `propensity` is (n,) that of the logged action or, better, (n, actions) of all. `buyer` codes (n,) tell whose cases come
    together, -1 unknown.
    """

    actions: tuple[str, ...]
    action: Codes
    propensity: Floats
    cost: Floats
    buyer: Codes | None = None

    @property
    def taken(self) -> Floats:
        """The propensity (n,) of what was done."""
        return self.propensity if self.propensity.ndim == 1 else _of(self.propensity, self.action)


@dataclass(frozen=True)
class Estimate:
    """The mean cost of a case under the target policy, by one estimator, with its 95 % interval; in the units of the costs."""

    name: str
    cost: float
    low: float
    high: float


@dataclass(frozen=True)
class Value:
    """What a target policy would have cost: estimates, how many cases the weighted ones are worth, and what warns of them.

    `beyond` are the same less what each case cost as logged: an interval that leaves out 0 tells the two apart.
    """

    n: int
    estimates: tuple[Estimate, ...]
    effective: float
    hardly_tried: float
    largest: float
    clipped: int
    warnings: tuple[str, ...]
    beyond: tuple[Estimate, ...] = ()

    def by(self, name: str) -> Estimate:
        """The estimate of that name: ips, self-normalised ips, or doubly robust."""
        return next(one for one in self.estimates if one.name == name)


def value(
    log: Log,
    target: ArrayLike,
    predicted: ArrayLike | None = None,
    *,
    clip: float = np.inf,
    overlap: Overlap | None = None,
) -> Value:
    """What a policy that takes actions with probabilities `target` (n, actions) would have cost, by every estimator.

    `predicted` (n, actions) are a cost model's, without which nothing is doubly robust. Weights above `clip` count as that.
    Raises RedressError that names an action of the target that the log never takes.

    >>> log = Log(("refund", "review"), np.array([0, 0, 1, 1]), np.full(4, 0.5), np.array([10.0, 30.0, 6.0, 2.0]))
    >>> always_review = np.tile([0.0, 1.0], (4, 1))
    >>> found = value(log, always_review, np.tile([20.0, 4.0], (4, 1)))
    >>> [(one.name, one.cost) for one in found.estimates]  # reviewed cases cost 6 and 2; each counts twice
    [('ips', 4.0), ('self-normalised ips', 4.0), ('doubly robust', 4.0)]
    >>> found.effective, found.largest
    (2.0, 0.5)
    """
    floors = Overlap() if overlap is None else overlap
    does = _checked(log, target)
    full = _of(does, log.action) / log.taken
    weight, code = np.minimum(full, clip), _together(log.buyer, len(full))
    if not weight.any():
        raise RedressError(
            "off-policy.target: want an action that was ever logged in its case, got none; explore it first"
        )
    influences = _influences(log, does, weight, predicted)
    effective, largest = float(weight.sum() ** 2 / (weight @ weight)), float(weight.max() / weight.sum())
    rare, clipped = _hardly_tried(log, does, full, floors), int((full > clip).sum())
    warnings = _warnings(floors, effective, rare, largest, _estimate("weight", full, code), len(does))
    if clipped:
        warnings = (f"{clipped:,} weights above {clip:g} are clipped, which no interval allows for", *warnings)
    found, beyond = (
        tuple(_estimate(name, one - base, code) for name, one in influences.items()) for base in (0.0, log.cost)
    )
    return Value(len(does), found, effective, rare, largest, clipped, warnings, beyond)


def _influences(log: Log, does: Floats, weight: Floats, predicted: ArrayLike | None) -> dict[str, Floats]:
    """What each case says of the mean cost (n,), by estimator, whose mean it is."""
    weighted = weight * log.cost
    normal = weighted.sum() / weight.sum()
    found = {"ips": weighted, "self-normalised ips": normal + weight * (log.cost - normal) / weight.mean()}
    if predicted is not None:
        model = _shaped(predicted, does.shape, "predicted")
        found["doubly robust"] = (does * model).sum(axis=1) + weight * (log.cost - _of(model, log.action))
    return found


def own(log: Log) -> Estimate:
    """What a case cost as it was logged.

    >>> told = own(Log(("refund", "review"), np.array([0, 1]), np.full(2, 0.5), np.array([10.0, 30.0])))
    >>> told.cost, round(told.high - told.cost, 1)  # 1.96 standard errors: 14.1 over the root of 2
    (20.0, 19.6)
    """
    return _estimate("as logged", log.cost, _together(log.buyer, len(log.cost)))


def supported(log: Log, target: ArrayLike) -> NDArray[np.bool_]:
    """Cases (n,) of which a log of propensities (n,) can tell what `target` (n, actions) would cost.

    Where nothing was drawn, those in which the target does what was done; elsewhere those in which it does nothing that was
    never drawn. Both are known before anything is drawn, so these cases are a sample of cases like them.

    >>> half, names = np.array([0.5, 0.5, 0.5, 1, 1]), ("refund", "review", "refuse")
    >>> log = Log(names, np.array([0, 1, 1, 2, 2]), half, np.zeros(5))
    >>> supported(log, np.eye(3)[[1, 0, 2, 2, 0]]).tolist()  # refusing was never drawn, and the last was sure to be refused
    [True, True, False, True, False]
    """
    does, drawn = _shaped(target, (len(log.action), len(log.actions)), "target"), log.taken < 1
    kept, told = np.zeros_like(drawn), np.ones_like(drawn)
    while (kept != told).any():
        kept = told
        never = ~np.isin(np.arange(len(log.actions)), log.action[kept & drawn])
        told = kept & np.where(drawn, ~does[:, never].any(axis=1), _of(does, log.action) == 1)
    return np.asarray(kept, np.bool_)


def crossfitted(features: ArrayLike, log: Log, *, folds: int = 5, trees: int = 100, seed: int = 0) -> Floats:
    """Costs (n, actions) by trees on `features` (n, signals), each case's by models that learnt without its buyer.

    There is one model for each action; one of few cases says their mean, one of none the mean of all.

    >>> log = Log(("refund", "review"), np.array([0, 0, 1, 1]), np.full(4, 0.5), np.array([10.0, 10.0, 6.0, 6.0]))
    >>> crossfitted(np.zeros((4, 1)), log, folds=4).tolist()
    [[10.0, 6.0], [10.0, 6.0], [10.0, 6.0], [10.0, 6.0]]
    """
    matrix, code = np.asarray(features, np.float32), _together(log.buyer, len(log.action))
    fold = (np.random.default_rng(seed).permutation(code.max() + 1) % folds)[code]
    found = np.empty((len(matrix), len(log.actions)))
    for held in np.unique(fold):
        for k in range(len(log.actions)):
            learns = (fold != held) & (log.action == k)
            learns = learns if learns.any() else fold != held
            found[fold == held, k] = _foretold(matrix[learns], log.cost[learns], matrix[fold == held], trees)
    return found


def _foretold(matrix: NDArray[np.float32], cost: Floats, asked: NDArray[np.float32], trees: int) -> Floats:
    """Mean costs of the rows `asked`, by trees grown on others; as shares of their range, whose mean cross entropy finds."""
    low, wide = cost.min(), np.ptp(cost)
    if len(cost) < 2 * SMALLEST_LEAF[0] or wide == 0:
        return np.full(len(asked), cost.mean())
    names = [f"signal_{i}" for i in range(matrix.shape[1])]
    rows = Rows(names, matrix, (cost - low) / wide, np.ones(len(cost)), None)
    return np.asarray(low + wide * expit(said(grown(rows, {}, trees), asked)))


def _of(values: Floats, action: Codes) -> Floats:
    """The value (n,) of each row's action."""
    return np.asarray(values[np.arange(len(action)), action])


def _together(buyer: Codes | None, n: int) -> Codes:
    """Codes without a gap of cases that come together; an unknown buyer is one by himself."""
    if buyer is None:
        return np.arange(n)
    return np.unique(np.where(buyer < 0, buyer.max(initial=-1) + 1 + np.arange(n), buyer), return_inverse=True)[1]


def _estimate(name: str, influence: Floats, code: Codes) -> Estimate:
    """The mean of an influence function, and the normal interval of so many buyers' sums."""
    mean, n = float(influence.mean()), len(influence)
    sums = np.bincount(code, influence - mean)
    buyers = len(sums)
    half = Z * float(np.sqrt(sums @ sums * buyers / max(buyers - 1, 1))) / n if buyers > 1 else np.inf
    return Estimate(name, mean, mean - half, mean + half)


def _hardly_tried(log: Log, does: Floats, weight: Floats, floors: Overlap) -> float:
    """The share of what the target does whose propensity is below the floor; estimated where only logged ones are told."""
    if log.propensity.ndim == 2:
        return float(does[log.propensity < floors.propensity_at_least].sum() / len(does))
    return float(weight[log.taken < floors.propensity_at_least].sum() / len(does))


def _warnings(
    floors: Overlap, effective: float, rare: float, largest: float, mean: Estimate, n: int
) -> tuple[str, ...]:
    """What is wrong with the overlap, in words."""
    found = []
    if rare > floors.hardly_tried_at_most:
        least = f"with a propensity below {100 * floors.propensity_at_least:g} %"
        found.append(
            f"{100 * rare:.1f} % of what the target does was hardly tried, {least}: explore more, or change less"
        )
    if effective < floors.effective_at_least * n:
        found.append(f"{n:,} cases are worth {effective:,.0f} to this target: log more, or change less")
    if largest > floors.largest_at_most:
        found.append(f"one case carries {100 * largest:.1f} % of all weight: intervals are too narrow")
    if abs(mean.cost - 1) > max(SURE / Z * (mean.high - mean.cost), 1e-9):
        told = f"{mean.cost:.2f} [{mean.low:.2f}, {mean.high:.2f}], which is 1 where propensities are right"
        found.append(f"weights have a mean of {told} and every action of the target may be logged: check them")
    return tuple(found)


def _checked(log: Log, target: ArrayLike) -> Floats:
    """The target's probabilities; RedressError where the log cannot speak of them."""
    n, k = len(log.action), len(log.actions)
    does = _shaped(target, (n, k), "target")
    if n == 0 or log.cost.shape != (n,) or not np.isfinite(log.cost).all():
        raise RedressError(
            "off-policy.cost: want one known cost for each of one case or more, got others; wait for answers"
        )
    if (log.action < 0).any() or (log.action >= k).any():
        raise RedressError(f"off-policy.action: want positions among {k} actions, got others; name all actions")
    if (does < 0).any() or not np.allclose(does.sum(axis=1), 1):
        raise RedressError(
            "off-policy.target: want probabilities that sum to 1 in each case, got others; normalise them"
        )
    if log.propensity.shape not in ((n,), (n, k)):
        raise RedressError(f"off-policy.propensity: want ({n},) or ({n}, {k}), got {log.propensity.shape}; align them")
    taken = log.taken
    wrong = ~((taken > 0) & (taken <= 1))
    if wrong.any():
        name = log.actions[log.action[np.argmax(wrong)]]
        raise RedressError(
            f"off-policy.propensity: want more than 0 and at most 1 of what was done, got {taken[wrong][0]:g} of {name}; "
            "log the probability with which it was drawn"
        )
    _refuse_untried(log, does)
    return does


def _refuse_untried(log: Log, does: Floats) -> None:
    for k, name in enumerate(log.actions):
        never = np.full(len(does), not (log.action == k).any())
        if log.propensity.ndim == 2:
            never |= log.propensity[:, k] <= 0
        cases = int((never & (does[:, k] > 0)).sum())
        if cases:
            raise RedressError(
                f"off-policy: want actions that the log tries, got {name} in {cases:,} cases that it never tries it in; "
                "explore it first, or leave it out of the target"
            )


def _shaped(values: ArrayLike, shape: tuple[int, ...], name: str) -> Floats:
    found = np.asarray(values, np.float64)
    if found.shape != shape or not np.isfinite(found).all():
        raise RedressError(
            f"off-policy.{name}: want {shape} known numbers, got {found.shape} or unknown ones; align them"
        )
    return found
