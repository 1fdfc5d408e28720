"""Off-policy values by hand, against a naive twin, and over drawn worlds: do intervals hold what is true?"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from features import RedressError
from models.curves import Floats
from models.offpolicy import Log, Overlap, Value, crossfitted, own, supported, value
from models.sections import described, read

ACTIONS = ("refund", "review", "refuse")
REPLICATIONS = 400
LEAST = 0.95 - 2 * float(np.sqrt(0.95 * 0.05 / REPLICATIONS))
"""The coverage of a 95 % interval may fall short by two standard errors of a share of so many replications: 92.8 %."""


@dataclass(frozen=True)
class World:
    """Cases with a risk x: what each action costs on average (n, actions), how it is logged, and what the target does."""

    x: Floats
    mean: Floats
    logged: Floats
    target: Floats

    @classmethod
    def of(cls, x: Floats) -> "World":
        mean = np.column_stack([4_000 * x, np.full(len(x), 1_300.0), 3_000 * (1 - x) ** 2])
        odds = np.exp(np.column_stack([1 - 2 * x, np.zeros(len(x)), 2 * x - 1]))
        best = np.eye(3)[mean.argmin(axis=1)]
        return cls(x, mean, 0.1 + 0.7 * odds / odds.sum(axis=1, keepdims=True), 0.9 * best + 0.1 / 3)

    def log(self, rng: Generator) -> Log:
        action = (rng.random((len(self.x), 1)) > self.logged.cumsum(axis=1)).sum(axis=1).clip(max=2)
        cost = rng.gamma(2, self.mean[np.arange(len(self.x)), action] / 2)
        return Log(ACTIONS, action, self.logged, cost)


WHOLE = World.of((np.arange(100_000) + 0.5) / 100_000)
TRUE = float((WHOLE.target * WHOLE.mean).sum(axis=1).mean())
"""The mean cost of the target over all risks."""


def models(world: World) -> dict[str, Floats]:
    return {"right": world.mean, "wrong": 9_000 - 2 * world.mean[:, ::-1], "nothing": np.zeros_like(world.mean)}


def values(n: int, model: str) -> list[Value]:
    rng, found = default_rng(11), []
    for _ in range(REPLICATIONS):
        world = World.of(rng.random(n))
        found.append(value(world.log(rng), world.target, models(world)[model]))
    return found


@pytest.mark.parametrize("model", ["right", "wrong", "nothing"])
def test_intervals_hold_the_true_value_as_often_as_they_say_whatever_the_cost_model(model: str) -> None:
    found = values(500, model)
    for name in ("ips", "self-normalised ips", "doubly robust"):
        some = [one.by(name) for one in found]
        held = np.mean([one.low <= TRUE <= one.high for one in some])
        assert LEAST <= held <= 0.99, name  # an interval that always holds it would say little
        costs = np.array([one.cost for one in some])
        assert abs(costs.mean() - TRUE) < 3 * costs.std() / np.sqrt(REPLICATIONS), name


def test_a_right_cost_model_narrows_the_interval_and_a_wrong_one_widens_it() -> None:
    width = {
        model: np.mean([one.by("doubly robust").high - one.by("doubly robust").low for one in values(500, model)])
        for model in ("right", "wrong", "nothing")
    }
    assert width["right"] < 0.8 * width["nothing"]
    assert width["nothing"] < width["wrong"]


def test_a_policy_that_costs_more_is_told_from_one_that_costs_less() -> None:
    world = World.of(default_rng(3).random(4_000))
    log = world.log(default_rng(4))
    refund = np.tile([1.0, 0.0, 0.0], (4_000, 1))
    assert value(log, world.target).by("ips").high < value(log, refund).by("ips").low


def by_hand() -> Log:
    """Four cases; the propensities are of what was done."""
    return Log(ACTIONS, np.array([0, 1, 2, 0]), np.array([0.5, 0.25, 0.25, 0.8]), np.array([100.0, 40.0, 60.0, 20.0]))


def test_estimates_are_those_worked_out_by_hand() -> None:
    target = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.4, 0.6, 0]])  # weights 1, 2, 2, 0.5
    model = np.array([[80, 40, 0], [0, 50, 10], [20, 0, 70], [10, 20, 0]])
    found = value(by_hand(), target, model)
    assert found.by("ips").cost == pytest.approx((100 + 80 + 120 + 10) / 4)
    assert found.by("self-normalised ips").cost == pytest.approx((100 + 80 + 120 + 10) / 5.5)
    robust = [60 + 1 * 20, 30 - 2 * 10, 45 - 2 * 10, 16 + 0.5 * 10]
    assert found.by("doubly robust").cost == pytest.approx(sum(robust) / 4)
    half = 1.959963984540054 * np.std(robust, ddof=1) / 2
    assert found.by("doubly robust").high == pytest.approx(sum(robust) / 4 + half)
    assert found.effective == pytest.approx(5.5**2 / (1 + 4 + 4 + 0.25))
    assert found.largest == pytest.approx(2 / 5.5)


def test_clipped_weights_are_counted_and_said() -> None:
    target = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.4, 0.6, 0]])
    found = value(by_hand(), target, clip=1.5)
    assert found.by("ips").cost == pytest.approx((100 + 60 + 90 + 10) / 4)
    assert found.clipped == 2
    assert found.warnings[0] == "2 weights above 1.5 are clipped, which no interval allows for"
    assert value(by_hand(), target, clip=2).clipped == 0


def naive(log: Log, target: Floats, model: Floats) -> list[float]:
    ips, weights, robust = 0.0, 0.0, 0.0
    for i, (a, mu, cost) in enumerate(zip(log.action, log.propensity, log.cost, strict=True)):
        w = target[i, a] / mu
        ips, weights = ips + w * cost, weights + w
        robust += sum(target[i, k] * model[i, k] for k in range(3)) + w * (cost - model[i, a])
    n = len(log.cost)
    return [ips / n, ips / weights, robust / n]


@given(st.integers(0, 2**32), st.integers(3, 40))
def test_estimates_equal_a_plain_loop(seed: int, n: int) -> None:
    rng = default_rng(seed)
    action = np.concatenate([np.arange(3), rng.integers(0, 3, n - 3)])
    log = Log(ACTIONS, action, rng.uniform(0.05, 1, n), rng.normal(0, 900, n))
    target, model = rng.dirichlet(np.ones(3), n), rng.normal(0, 900, (n, 3))
    found = value(log, target, model)
    assert [one.cost for one in found.estimates] == pytest.approx(naive(log, target, model), rel=1e-9, abs=1e-6)


@given(st.integers(0, 2**32))
def test_the_log_s_own_policy_costs_what_was_observed(seed: int) -> None:
    world = World.of(default_rng(seed).random(60))
    log = world.log(default_rng(seed + 1))
    for one in value(log, world.logged).estimates if set(log.action) == {0, 1, 2} else ():
        assert one.cost == pytest.approx(log.cost.mean())
        assert one.high - one.cost == pytest.approx(1.959963984540054 * log.cost.std(ddof=1) / np.sqrt(60))


def test_cases_of_a_buyer_count_together() -> None:
    world = World.of(default_rng(1).random(300))
    log = world.log(default_rng(2))
    twice = Log(ACTIONS, np.tile(log.action, 2), np.tile(log.propensity, (2, 1)), np.tile(log.cost, 2))
    alone = value(log, world.target).by("ips")
    naively = value(twice, np.tile(world.target, (2, 1))).by("ips")
    together = value(replace(twice, buyer=np.tile(np.arange(300), 2)), np.tile(world.target, (2, 1))).by("ips")
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert naively.high - naively.low == pytest.approx((alone.high - alone.low) / np.sqrt(2), rel=0.01)
    unknown = value(replace(twice, buyer=np.full(600, -1)), np.tile(world.target, (2, 1))).by("ips")
    assert unknown == naively


def rare(n: int, propensity: float, whole: bool) -> tuple[Log, Floats]:
    """A log that refuses only now and then, and a target that always does."""
    rng = default_rng(6)
    action = np.where(rng.random(n) < propensity, 2, 0)
    every = np.tile([1 - propensity, 0.0, propensity], (n, 1))
    log = Log(ACTIONS, action, every if whole else every[np.arange(n), action], np.full(n, 100.0))
    return log, np.tile([0.0, 0.0, 1.0], (n, 1))


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_hardly_tried_is_said_in_words(whole: bool) -> None:
    found = value(*rare(5_000, 0.01, whole))
    assert found.hardly_tried == pytest.approx(1.0, abs=0 if whole else 0.3)
    assert "of what the target does was hardly tried, with a propensity below 2 %" in found.warnings[0]
    assert found.warnings[1].startswith("5,000 cases are worth ")
    assert value(*rare(5_000, 0.2, whole)).warnings == ()


def test_one_case_with_all_the_weight_is_said_in_words() -> None:
    found = value(*rare(300, 0.05, True), overlap=Overlap(hardly_tried_at_most=1, effective_at_least=0))
    assert found.warnings == (f"one case carries {100 * found.largest:.1f} % of all weight: intervals are too narrow",)


def test_a_log_that_never_does_in_some_cases_what_the_target_does_shows_in_the_mean_of_weights() -> None:
    risky = np.arange(1_000) % 2 == 1
    action = np.where(risky, 0, np.arange(1_000) // 2 % 2 * 2)  # the risky are always paid, the others by a coin
    log = Log(ACTIONS, action, np.where(risky, 1.0, 0.5), np.full(1_000, 100.0))
    (said,) = value(log, np.tile([0.0, 0.0, 1.0], (1_000, 1))).warnings
    assert said.startswith("weights have a mean of 0.50 [0.45, 0.55]")
    honest = value(log, np.column_stack([risky, np.zeros(1_000), ~risky]).astype(np.float64))
    assert honest.warnings == ()


COIN = Log(ACTIONS, np.array([0, 1]), np.array([0.5, 0.5]), np.array([100.0, 200.0]))
"""Two cases, one refunded and one reviewed by the toss of a coin."""


@pytest.mark.parametrize(
    ("log", "target", "says"),
    [
        (COIN, [0.0, 0.0, 1.0], "got refuse in 2 cases that it never tries it in; explore it first"),
        (replace(COIN, propensity=np.array([[0.5, 0.5, 0], [0, 1, 0]])), [1.0, 0, 0], "got refund in 1 cases"),
        (
            replace(COIN, propensity=np.full((2, 3), 1 / 3)),
            [0.5, 0, 0.5],
            "got refuse in 2 cases",
        ),  # it might, and did not
        (replace(COIN, propensity=np.array([0.5, 0.0])), [0.5, 0.5, 0.0], "got 0 of review; log the probability"),
        (replace(COIN, propensity=np.array([0.5, 1.5])), [0.5, 0.5, 0.0], "got 1.5 of review"),
        (replace(COIN, propensity=np.array([0.5, np.nan])), [0.5, 0.5, 0.0], "got nan of review"),
        (replace(COIN, propensity=np.array([0.5])), [0.5, 0.5, 0.0], "off-policy.propensity: want "),
        (replace(COIN, cost=np.array([1.0, np.nan])), [0.5, 0.5, 0.0], "off-policy.cost"),
        (replace(COIN, action=np.array([0, 3])), [0.5, 0.5, 0.0], "off-policy.action"),
        (COIN, [0.5, 0.6, 0.0], "off-policy.target: want probabilities that sum to 1"),
        (COIN, [1.5, -0.5, 0.0], "off-policy.target: want probabilities that sum to 1"),
    ],
)
def test_a_log_that_cannot_speak_is_refused_and_the_action_named(log: Log, target: list[float], says: str) -> None:
    with pytest.raises(RedressError, match=says):
        value(log, np.tile(target, (2, 1)))


def test_a_target_that_never_does_what_was_done_is_refused() -> None:
    with pytest.raises(RedressError, match="want an action that was ever logged in its case"):
        value(COIN, [[0, 1, 0], [1, 0, 0]])
    with pytest.raises(RedressError, match=r"off-policy\.predicted"):
        value(COIN, [[1, 0, 0], [1, 0, 0]], [[1.0, 2.0]])


def test_a_crossfitted_model_finds_the_costs_and_never_those_of_the_same_buyer() -> None:
    world = World.of(default_rng(8).random(4_000))
    log = world.log(default_rng(9))
    found = crossfitted(world.x[:, None], log)
    assert np.mean((found - world.mean) ** 2) < 0.1 * np.mean((log.cost.mean() - world.mean) ** 2)
    paid = value(log, world.target, found).by("doubly robust"), value(log, world.target).by("ips")
    assert paid[0].high - paid[0].low < 0.9 * (paid[1].high - paid[1].low)
    mine = np.arange(4_000) // 8  # a buyer's cost, whatever the signals, tells nothing of his own
    odd = replace(log, buyer=mine, cost=np.where(mine == 17, 1e9, log.cost))
    assert crossfitted(world.x[:, None], odd, trees=5)[mine == 17].max() < 1e5


def test_an_action_of_few_cases_costs_their_mean_and_one_of_none_that_of_all() -> None:
    log = Log(ACTIONS, np.array([0, 0, 0, 1]), np.full(4, 0.5), np.array([10.0, 10.0, 10.0, 50.0]))
    found = crossfitted(np.zeros((4, 1)), log, folds=4)
    assert found[0].tolist() == [10.0, 50.0, pytest.approx(70 / 3)]
    assert found[3].tolist() == [10.0, 10.0, 10.0]  # without it nothing was reviewed


def test_the_section_is_read_like_any_other() -> None:
    assert read(Overlap, {"largest_at_most": 0.1}, "overlap", start=Overlap()) == Overlap(largest_at_most=0.1)
    assert len(described(Overlap)) == 7


def test_what_was_logged_has_an_interval_by_buyers() -> None:
    cost = np.array([10.0, 30.0, 20.0, 40.0])  # around 25 the first buyer's sum is -10, the others' -5 and 15
    log = Log(ACTIONS, np.zeros(4, np.int64), np.ones(4), cost, np.array([0, 0, -1, -1]))
    half = 1.959964 * np.sqrt((100 + 25 + 225) * 3 / 2) / 4
    found = own(log)
    assert (found.name, found.cost) == ("as logged", 25)
    assert [found.low, found.high] == pytest.approx([25 - half, 25 + half], rel=1e-6)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 2)), min_size=1, max_size=12))
def test_of_cases_that_are_supported_the_log_speaks(rows: list[tuple[int, bool, int]]) -> None:
    action, sure, does = (np.array(column) for column in zip(*rows, strict=True))
    log = Log(ACTIONS, action, np.where(sure, 1.0, 0.5), np.arange(len(rows), dtype=np.float64))
    kept = supported(log, np.eye(3)[does])
    tried = set(action[kept & ~sure].tolist())
    for i, inside in enumerate(kept.tolist()):
        if inside:
            assert does[i] == action[i] if sure[i] else does[i] in tried
        elif sure[i]:
            assert does[i] != action[i]
    if set(does[~sure].tolist()) <= set(action[~sure].tolist()):  # all that it does was drawn somewhere
        assert (kept == (~sure | (does == action))).all()
    some = Log(ACTIONS, action[kept], log.propensity[kept], log.cost[kept])
    if (does == action)[kept].any():
        value(some, np.eye(3)[does[kept]])  # does not raise
