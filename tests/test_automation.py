"""Automatic refunds by hand, against a naive twin, and over a thousand drawn worlds: is the promise kept?"""

from collections.abc import Callable
from math import comb, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, default_rng
from scipy.special import expit
from scipy.stats import norm

from features import RedressError
from models.automation import GRID, Automation, Limit, limit
from models.curves import Floats
from models.sections import described, read

WORLDS = 1_000
ERROR = 2 * float(np.sqrt(0.05 * 0.95 / WORLDS))
"""Two standard errors of a rate of 5 % among so many worlds."""
Drawn = tuple[Floats, Floats, Floats | None]


def logits(rng: Generator, n: int) -> Floats:
    return rng.normal(-2.2, 1.5, n)


def binary(rng: Generator) -> Drawn:
    """Probabilities that are right, and answers to them."""
    p = expit(logits(rng, 1_500))
    return p, (rng.random(1_500) < p).astype(np.float64), None


def selected(rng: Generator) -> Drawn:
    """The suspected are examined more often; weights make the examined stand for all."""
    p = expit(logits(rng, 4_000))
    looked = np.clip(0.1 + 2 * p, 0.2, 1)
    seen = rng.random(4_000) < looked
    p, looked = p[seen], looked[seen]
    return p, (rng.random(len(p)) < p).astype(np.float64), 1 / looked


def soft(rng: Generator) -> Drawn:
    """Labels that are themselves probabilities, spread around the right one."""
    p = expit(logits(rng, 1_500))
    return p, rng.beta(2 * p, 2 * (1 - p)), None


def overconfident(rng: Generator) -> Drawn:
    """The right answers, with log-odds that are twice too far from zero."""
    p, y, _ = binary(rng)
    return p**2 / (p**2 + (1 - p) ** 2), y, None


def share_below(threshold: float) -> float:
    """Of cases with a right probability below the threshold, how many are malicious, by numerical integration."""
    z = np.linspace(-12, 8, 20_001)
    density = norm.pdf(z, -2.2, 1.5) * (expit(z) < threshold)
    return float((density * expit(z)).sum() / density.sum())


SHARES = {t: share_below(t) for t in GRID}
MOST = max(t for t in GRID if SHARES[t] <= 0.05)


def limits(world: Callable[[Generator], Drawn], worlds: int = WORLDS) -> list[Limit]:
    rng = default_rng(7)
    return [limit(p, y, weights=w) for p, y, w in (world(rng) for _ in range(worlds))]


@pytest.mark.parametrize("world", [binary, selected, soft])
def test_more_than_promised_are_malicious_in_at_most_one_world_of_twenty(world: Callable[[Generator], Drawn]) -> None:
    found = limits(world)
    broken = np.mean([one.threshold > MOST for one in found])
    assert broken <= 0.05 + ERROR
    assert np.mean([one.threshold > 0 for one in found]) > 0.2  # a promise kept by doing nothing would be cheap


def test_wrong_probabilities_cost_cases_and_never_the_promise() -> None:
    right, wrong = limits(binary, 300), limits(overconfident, 300)
    most = MOST**2 / (MOST**2 + (1 - MOST) ** 2)
    assert np.mean([one.threshold > most for one in wrong]) <= 0.05 + ERROR * np.sqrt(WORLDS / 300)
    assert 0 < np.mean([one.automatic for one in wrong]) < 1.1 * np.mean([one.automatic for one in right])


@pytest.mark.parametrize(("n", "ever"), [(400, False), (1_000, True)])  # of 400 no heavy one is malicious once in eight
def test_the_promise_holds_where_all_malice_sits_in_the_few_that_stand_for_many(n: int, ever: bool) -> None:
    rng, broken = default_rng(5), 0
    for _ in range(WORLDS):  # 5 % stand for 20 each, of whom so many are malicious that it is 5.01 % of all
        heavy = rng.random(n) < 0.05
        y = (heavy & (rng.random(n) < 0.0501 * 1.95)).astype(np.float64)
        broken += limit(np.full(n, 0.01), y, weights=np.where(heavy, 20.0, 1.0)).threshold > 0
    assert broken / WORLDS <= 0.05 + ERROR
    assert (broken > 0) == ever


def test_sequences_do_not_go_on_past_a_threshold_that_fails() -> None:
    p = np.repeat([0.02, 0.2, 0.5], [200, 200, 5_000])
    y = np.concatenate([np.zeros(200), np.repeat([1.0, 0.0], [60, 140]), np.zeros(5_000)])
    found = limit(p, y)
    assert (found.n, found.malicious, found.threshold) == (200, 0.0, next(t for t in GRID if t > 0.02))
    assert found.automatic == pytest.approx(200 / 5_400)
    assert 60 / 5_400 < found.bound < 0.05  # all together are few enough, which is not asked any more


def test_the_sequence_begins_where_it_is_surest_by_the_probabilities() -> None:
    p = np.repeat([0.004, 0.01], [100, 900])
    y = np.concatenate([np.repeat([1.0, 0.0], [4, 96]), np.repeat([1.0, 0.0], [5, 895])])
    assert limit(p[:100], y[:100]).threshold == 0  # 4 of 100 are too many by themselves
    assert (limit(p, y).n, limit(p, y).malicious) == (1_000, 9.0)


@pytest.mark.parametrize(
    ("n", "malicious", "automatic"),
    [(58, 0, False), (59, 0, True), (92, 1, False), (93, 1, True), (123, 2, False), (124, 2, True)],  # Clopper-Pearson
)
def test_so_many_are_enough_and_one_less_is_not(n: int, malicious: int, automatic: bool) -> None:
    y = (np.arange(n) < malicious).astype(np.float64)
    found = limit(np.full(n, 0.01), y, Automation(fewest=1))
    at_most = sum(comb(n, k) * 0.05**k * 0.95 ** (n - k) for k in range(malicious + 1))
    assert (found.threshold > 0) == automatic == (at_most <= 0.05)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 9)), min_size=1, max_size=60))
def test_a_weighted_bound_is_where_the_divergence_says(rows: list[tuple[float, float, float]]) -> None:
    p, y, w = (np.array(column) for column in zip(*rows, strict=True))
    section = Automation(malicious_at_most=0.3, confidence=0.8, fewest=1)
    found = limit(p, np.where(y == 1, 0.99, y), section, weights=w)  # soft, so that the binomial is not used
    if len(p) < 5 or p.min() == 1:  # 0.7 ** 4 > 0.2: too few, whatever they are
        assert (found.threshold, found.n, found.bound) == (0, len(p), 1)
        return
    below = p < (found.threshold or next(t for t in GRID if (p < t).sum() == found.n))
    weight, malicious = (one[below].sum() / w[below].max() for one in (w, w * np.where(y == 1, 0.99, y)))
    assert found.n == below.sum()
    assert (found.threshold > 0) <= (found.bound <= 0.3 + 1e-9)
    assert found.automatic == pytest.approx(w[below].sum() / w.sum() if found.threshold else 0)
    if found.bound < 0.999:  # nearer to 1 the divergence is too steep to compare
        a, b = malicious / found.n, found.bound * weight / found.n
        apart = (a * log(a / b) if a else 0.0) + (1 - a) * log((1 - a) / (1 - b))
        assert found.n * apart == pytest.approx(log(5), rel=1e-6)


@given(st.integers(0, 2**32), st.sampled_from([1.0, 3.0, 0.001]))
def test_the_order_of_rows_and_the_unit_of_weights_do_not_matter(seed: int, unit: float) -> None:
    p, y, w = selected(rng := default_rng(seed))
    order = rng.permutation(len(p))
    assert w is not None
    one, two = limit(p, y, weights=w), limit(p[order], y[order], weights=unit * w[order])
    assert (one.threshold, one.n, one.malicious) == (two.threshold, two.n, two.malicious)
    assert one.bound == pytest.approx(two.bound, abs=1e-9)


def test_equal_weights_are_none() -> None:
    p, y, _ = binary(default_rng(1))
    assert limit(p, y, weights=np.full(len(p), 3.5)) == limit(p, y)


def test_nothing_is_automatic_where_too_few_were_examined() -> None:
    found = limit(np.full(99, 0.01), np.zeros(99))
    assert (found.threshold, found.automatic, found.n, found.bound) == (0.0, 0.0, 99, 1.0)
    assert found.says.endswith(
        "99 examined cases are too few, for 5 % with 95 % confidence want 100 even if none is malicious"
    )
    assert limit([], []).threshold == 0
    assert "more than there can be" in limit([0.1], [0], Automation(malicious_at_most=0.0)).says
    assert limit(np.full(500, 0.1), np.zeros(500), Automation(confidence=1.0)).threshold == 0


def test_sentences_tell_the_numbers() -> None:
    y = np.repeat([1.0, 0.0], [30, 170])
    assert limit(np.full(200, 0.1), y).says == (
        "nothing is automatic: already below 0.109, of 200 examined cases 15.0 % were malicious, "
        "with 95 % confidence at most 19.8 %, and 5 % may be"
    )
    found = limit(np.repeat([0.02, 0.9], [200, 200]), np.repeat([0.0, 1.0], [200, 200]))
    assert found.says == (
        "automatic below 0.0219: of 200 examined cases 0.0 % were malicious, "
        "with 95 % confidence at most 1.5 %; 50.0 % of cases become automatic"
    )


@pytest.mark.parametrize(
    ("p", "y", "w", "says"),
    [
        ([0.1], [0, 1], None, "want one label"),
        ([0.1], [np.nan], None, "automation.malicious"),
        ([1.1], [0], None, "automation.probability"),
        ([0.1], [0], [0.0], "automation.weights"),
        ([0.1], [0], [np.inf], "automation.weights"),
    ],
)
def test_odd_cases_are_refused_in_a_sentence(p: list[float], y: list[float], w: list[float] | None, says: str) -> None:
    with pytest.raises(RedressError, match=says):
        limit(p, y, weights=w)


def test_the_section_is_read_like_any_other() -> None:
    assert read(Automation, {"fewest": 50}, "automation", start=Automation()) == Automation(fewest=50)
    assert set(described(Automation)) == {"malicious_at_most", "confidence", "fewest"}
