"""Automatic refunds: the largest probability of malice below which nobody looks, so that few enough of them are malicious.

"At most 5 % of automatic refunds are malicious, with 95 % confidence" is a promise about a ratio, malicious automatic refunds
over all automatic ones, whose denominator moves with the threshold: a false discovery proportion, which may fall as well as
rise with it. Conformal risk control (Angelopoulos et al. 2024) wants a loss that is monotone in the threshold and promises
its mean alone, so it does not apply. Clopper and Pearson (1934) bound the ratio at one threshold given beforehand, not at one
that was looked for. Learn then Test (Angelopoulos et al. 2021) does: each threshold of a grid, which is declared here and not
drawn from data, is a hypothesis "more than that are malicious below it", and they are tested one after another, each at the
full level, until one is not rejected (fixed-sequence testing). The last rejected is the threshold.

A sequence must begin where it will hardly fail: at the threshold that, were the probabilities right, is rejected most
surely. That, and how many cases lie below each, is chosen by probabilities and weights alone. Given these, labels are
independent draws, so whatever they choose leaves each test valid:

- Labels 0 and 1, all of one weight: the number malicious below a threshold has no heavier tails than a binomial number of
  the same mean (Hoeffding 1956), so the exact binomial test holds, and its bound is that of Clopper and Pearson.
- Weights or soft labels: Hoeffding's bound (1963, theorem 1) with the Kullback-Leibler divergence, for a sum of independent
  terms in [0, 1], here weight × label over the largest weight below the threshold. It holds for any weights, also where all
  malice sits in the few cases that stand for many; a binomial test of the effective sample size (Kish 1965) allows more but
  breaks its promise there. The price is that n cases count as their weights' sum over the largest.

Both speak of cases like those that were examined, once weighted, and of later ones from the same world. Labels must be mature:
all answers of those cases known, not the quick ones alone. A ring's cases are not independent: keep one of them, for the bound
is too low where many go together. Nothing here reads a clock or draws.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincinv, expit, rel_entr

from features import RedressError
from models.curves import Floats
from models.sections import number

GRID: Final = (*(float(f"{expit(step / 10):.3g}") for step in range(-80, 61)), 1.0)
"""Thresholds that may be chosen, in steps of a tenth in log-odds."""


@dataclass(frozen=True)
class Automation:
    """What is promised of automatic refunds."""

    malicious_at_most: float = number(0.05, "share", "automatic refunds that are malicious, at most")
    confidence: float = number(0.95, "share", "how surely no more of them are")
    fewest: int = number(100, "cases", "examined cases below a threshold without which it is not tried")


@dataclass(frozen=True)
class Limit:
    """Cases whose probability of malice is below `threshold` are automatic; where it is 0, nothing may be.

    Of the `n` examined cases below it `malicious` were (a sum of soft labels), a `share` when weighted, which is at most
    `bound` with the confidence wanted; where nothing may be automatic, these are of the first threshold that was tried.
    `automatic` is the share of all cases that become so.
    """

    threshold: float
    n: int
    malicious: float
    share: float
    bound: float
    automatic: float
    says: str


@dataclass(frozen=True)
class _Below:
    """Examined cases below each threshold: how many, their weight, and that of the malicious, in units of the largest."""

    n: Floats
    weight: Floats
    malicious: Floats


def limit(
    probability: ArrayLike,
    malicious: ArrayLike,
    section: Automation | None = None,
    *,
    weights: ArrayLike | None = None,
) -> Limit:
    """The largest threshold on `probability` (n,) that keeps the promise of `section`, from mature labels (n,) in [0, 1].

    `weights` (n,) above 0 are how many cases each examined one stands for. Too few cases are no error: nothing is automatic
    then, and the sentence says why.

    >>> found = limit(np.full(59, 0.01), np.zeros(59), Automation(fewest=50))  # 0.95 ** 59 < 0.05 <= 0.95 ** 58
    >>> found.threshold, round(found.bound, 4), found.automatic
    (0.011, 0.0495, 1.0)
    >>> limit(np.full(58, 0.01), np.zeros(58), Automation(fewest=50)).says
    'nothing is automatic: 58 examined cases are too few, for 5 % with 95 % confidence want 59 even if none is malicious'
    """
    promised = Automation() if section is None else section
    p, y, w = _cases(probability, malicious, weights)
    exact = bool(np.isin(y, (0, 1)).all() and (w == w[:1]).all())
    test, bound = (_binomial, _clopper_pearson) if exact else (_hoeffding, _hoeffding_bound)
    order = np.argsort(p, kind="stable")
    p, y, w = p[order], y[order], w[order]
    below = _below(p, y, w)
    tried = below.n >= max(promised.fewest, 1)
    if not tried.any() or len(p) < _needed(promised):
        share = _ratio(float(w @ y), float(w.sum()))
        return Limit(0.0, len(p), float(y.sum()), share, 1.0, 0.0, _too_few(len(p), promised))
    foretold = test(_below(p, p, w), promised.malicious_at_most)
    first = int(np.argmin(np.where(tried, foretold, np.inf)))
    passed = test(below, promised.malicious_at_most)[first:] <= 1 - promised.confidence
    last = first + int(np.argmin(np.append(passed, False))) - 1
    here = int(np.searchsorted(below.n, below.n[max(first, last)]))  # where no more cases lie, nothing was learnt
    n, share = int(below.n[here]), _ratio(below.malicious[here], below.weight[here])
    most = bound(below, here, promised.confidence)
    threshold, automatic = (GRID[here], _ratio(w[:n].sum(), w.sum())) if passed[0] else (0.0, 0.0)
    says = _sentence(GRID[here], n, share, most, automatic, promised)
    return Limit(threshold, n, float(y[:n].sum()), share, most, automatic, says)


def _cases(probability: ArrayLike, malicious: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    p, y = np.asarray(probability, np.float64), np.asarray(malicious, np.float64)
    w = np.ones(len(p)) if weights is None else np.asarray(weights, np.float64)
    if not len(p) == len(y) == len(w):
        raise RedressError(
            f"automation: want one label and weight for each probability, got {len(p)}, {len(y)} and {len(w)}; align them"
        )
    for name, values in (("probability", p), ("malicious", y)):
        if not ((values >= 0) & (values <= 1)).all():
            raise RedressError(
                f"automation.{name}: want numbers from 0 to 1, got others or unknown; leave out cases not examined"
            )
    if not ((w > 0) & np.isfinite(w)).all():
        raise RedressError("automation.weights: want numbers above 0, got others; leave out cases that stand for none")
    return p, y, w


def _below(p: Floats, y: Floats, w: Floats) -> _Below:
    """What lies below each threshold of the grid, of cases in order of their probability."""
    n = np.searchsorted(p, GRID)
    largest = np.maximum.accumulate(np.append(0.0, w))[n]
    weight, found = (np.cumsum(np.append(0.0, one))[n] / np.where(n > 0, largest, 1.0) for one in (w, w * y))
    return _Below(n.astype(np.float64), weight, found)


def _binomial(below: _Below, share: float) -> Floats:
    """The probability of so few malicious or fewer, were `share` of cases below each threshold so."""
    n, k = below.n, below.malicious
    return np.asarray(np.where(k < n, betainc(np.maximum(n - k, 1e-9), k + 1, 1 - share), 1.0))


def _clopper_pearson(below: _Below, here: int, confidence: float) -> float:
    n, k = below.n[here], below.malicious[here]
    return float(betaincinv(k + 1, n - k, confidence)) if k < n else 1.0


def _hoeffding(below: _Below, share: float) -> Floats:
    """A bound on the same probability for weighted and soft labels: exp(-n KL(observed mean, mean if `share` were so))."""
    n = np.maximum(below.n, 1)
    observed, mean = below.malicious / n, share * below.weight / n
    apart = rel_entr(observed, mean) + rel_entr(1 - observed, 1 - mean)
    return np.asarray(np.where(observed < mean, np.exp(-n * apart), 1.0))


def _hoeffding_bound(below: _Below, here: int, confidence: float) -> float:
    """The largest share that is not rejected, by bisection."""
    one = _Below(*(values[here : here + 1] for values in (below.n, below.weight, below.malicious)))
    low, high = _ratio(one.malicious[0], one.weight[0]), 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if _hoeffding(one, middle)[0] <= 1 - confidence else (middle, high)
    return high


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0


def _needed(section: Automation) -> float:
    """Cases below which no threshold passes even if none of them is malicious.

    >>> _needed(Automation()), _needed(Automation(malicious_at_most=0.0))
    (59.0, inf)
    """
    if section.malicious_at_most == 0 or section.confidence == 1:
        return np.inf
    if section.malicious_at_most == 1:
        return 0.0
    return float(np.ceil(np.log1p(-section.confidence) / np.log1p(-section.malicious_at_most)))


def _too_few(n: int, section: Automation) -> str:
    least = _needed(section)
    wanted = (
        f"{max(least, section.fewest):,.0f} even if none is malicious" if least < np.inf else "more than there can be"
    )
    promise = f"{100 * section.malicious_at_most:g} % with {100 * section.confidence:g} % confidence"
    return f"nothing is automatic: {n:,} examined cases are too few, for {promise} want {wanted}"


def _sentence(threshold: float, n: int, share: float, bound: float, automatic: float, section: Automation) -> str:
    found = (
        f"of {n:,} examined cases {100 * share:.1f} % were malicious, with {100 * section.confidence:g} % confidence"
    )
    most = f"at most {100 * bound:.1f} %"
    if automatic == 0:
        may = f"{100 * section.malicious_at_most:g} % may be"
        return f"nothing is automatic: already below {threshold:g}, {found} {most}, and {may}"
    return f"automatic below {threshold:g}: {found} {most}; {100 * automatic:.1f} % of cases become automatic"
