"""Effects of evidence: right where a mere difference is wrong, named an association where sides are not comparable."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from features import RedressError
from features.evidence import RULES
from features.signal import Float
from features.tables import EVIDENCE
from models.effects import ADJUSTED, TREATMENTS, Effect, Treatment, association, effects, learner, tabled
from models.overlap import Diagnostics, Overlap, by_chance, differences, lacking
from models.robust import Estimate
from pipelines.effecting import effects_section
from pipelines.report import Cell

TRACKING = Treatment("tracking", ("tracking",))
PAIR = Treatment("pair", ("tracking", "delivery_certificate"), "case_delivery_set_missing")
PLAIN = LogisticRegression()
"""Quick, and right of what is linear."""
NAN = float("nan")


def made(n: int, seed: int, *, lean: float = 0.4, effect: float = 0.1) -> tuple[pd.DataFrame, Float]:
    """Cases of which half are large; those have the item more often, and win more often.

    The item is there with probability 0.5 ± lean, a case is won with probability 0.35 ± 0.25, and `effect` more with it. Of the
    cases with the item 0.5 + lean are large, of those without 0.5 − lean: win rates differ by effect + 0.5 × 2 × lean.
    """
    rng = np.random.default_rng(seed)
    large = rng.random(n) < 0.5
    item = rng.random(n) < 0.5 + lean * np.where(large, 1, -1)
    won = rng.random(n) < 0.35 + 0.25 * np.where(large, 1, -1) + effect * item
    frame = pd.DataFrame({"order_amount": large, "order_hour": rng.normal(size=n), "case_items_tracking": item})
    return frame.astype(np.float32), won.astype(np.float64)


def one(frame: pd.DataFrame, won: Float, of: Treatment = TRACKING, limits: Overlap | None = None) -> Effect:
    pytest.importorskip("doubleml")
    (only,) = effects(frame, won, [of], overlap=limits, learns=PLAIN)
    return only


def adjusted(found: Effect) -> Estimate:
    assert found.found is not None, found.because
    return found.found.adjusted


def within(true: float, interval: Estimate) -> bool:
    return interval.low <= true <= interval.high


def test_a_difference_that_is_wrong_is_made_right() -> None:
    found = one(*made(6_000, 1))
    assert found.verdict == "effect"
    assert found.association.estimate == pytest.approx(0.1 + 0.4, abs=0.03)
    assert not within(0.1, found.association)
    assert within(0.1, adjusted(found))
    assert adjusted(found).high - adjusted(found).low < 0.12
    assert found.overlap.imbalance_before > 1 > 0.1 > found.overlap.imbalance


def test_trees_see_what_no_line_does() -> None:
    rng = np.random.default_rng(3)
    far = rng.normal(size=6_000)
    outer = np.abs(far) > 0.7
    item = rng.random(6_000) < np.where(outer, 0.8, 0.2)
    won = (rng.random(6_000) < np.where(outer, 0.7, 0.2)).astype(np.float64)
    frame = pd.DataFrame({"order_amount": far, "case_items_tracking": item}, dtype=np.float32)
    pytest.importorskip("doubleml")
    (by_lines,), (found,) = (effects(frame, won, [TRACKING], learns=how) for how in (PLAIN, learner()))
    assert abs(adjusted(by_lines).estimate) > 0.2
    assert adjusted(found).estimate == pytest.approx(0.0, abs=0.05)


def test_where_nothing_confounds_both_say_the_same() -> None:
    found = one(*made(6_000, 2, lean=0.0))
    assert adjusted(found).estimate == pytest.approx(found.association.estimate, abs=0.01)
    assert found.overlap.treated_kept == found.overlap.untreated_kept == 1.0
    assert found.overlap.treated_effective == pytest.approx(found.treated, rel=0.01)


def test_intervals_hold_the_true_effect_as_often_as_they_say() -> None:
    seeds = range(100)
    held = [within(0.1, adjusted(one(*made(800, seed, lean=0.25)))) for seed in seeds]
    mere = [
        within(0.1, association(frame["case_items_tracking"].to_numpy() > 0, won)) for frame, won in map(_small, seeds)
    ]
    assert 89 <= sum(held) <= 99  # 95 of 100, and three standard deviations of chance below
    assert sum(mere) < 5


def _small(seed: int) -> tuple[pd.DataFrame, Float]:
    return made(800, seed, lean=0.25)


def test_without_overlap_it_is_an_association() -> None:
    found = one(*made(3_000, 1, lean=0.5))
    assert (found.verdict, found.found) == ("association", None)
    assert found.because == "0 % of the cases with it have a counterpart"
    assert found.association.estimate == pytest.approx(0.1 + 0.5, abs=0.04)


def test_cases_without_a_counterpart_are_left_out_and_counted() -> None:
    frame, won = made(6_000, 4, lean=0.1)
    never = np.arange(6_000) % 4 == 0
    frame["order_platform_logistics_count"] = never.astype(np.float32)
    frame.loc[never, "case_items_tracking"] = 0
    found = one(frame, won)
    assert found.rows.tolist() == (~never).tolist()
    assert found.overlap.treated_kept == 1.0
    assert found.overlap.untreated_kept == pytest.approx(2_250 / 3_750, abs=0.02)
    frame.loc[never, "case_items_tracking"] = 1
    found = one(frame, won, limits=Overlap(kept=0.7))
    assert found.because == f"{100 * found.overlap.treated_kept:.0f} % of the cases with it have a counterpart"
    assert found.overlap.treated_kept == pytest.approx(2_250 / 3_750, abs=0.02)


def test_too_few_of_a_kind_is_a_sentence() -> None:
    frame, won = made(400, 5)
    won[frame["case_items_tracking"] > 0] = 1
    found = one(frame, won)
    assert found.verdict == "too few"
    assert found.because == "0 comparable cases with it were not won, of 20 at least"
    assert one(*made(30, 5)).verdict == "too few"


@pytest.mark.parametrize(
    ("frame", "answers", "says"),
    [
        (made(50, 0)[0], np.ones(50), "effects: want chargebacks won and not won, got 50 won of 50; widen the span"),
        (made(0, 0)[0], np.ones(0), "effects: want chargebacks won and not won, got 0 won of 0; widen the span"),
        (
            made(50, 0)[0][["order_amount"]],
            np.arange(50) % 2,
            r"effects: want signals of evidence, case_items_\*, got none; import a table evidence",
        ),
    ],
)
def test_what_cannot_be_judged_at_all_is_one_sentence(frame: pd.DataFrame, answers: Float, says: str) -> None:
    with pytest.raises(RedressError, match=f"^{says}$"):
        effects(frame, answers)


def test_without_the_library_it_says_which_one_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "doubleml", None)
    with pytest.raises(
        RedressError, match=r"^effects: want DoubleML, got none; pip install DoubleML, or redress\[effects\]$"
    ):
        effects(*made(1_000, 0), [TRACKING], learns=PLAIN)


def test_a_set_is_judged_where_it_is_asked_for_and_needs_every_item() -> None:
    frame, won = made(4_000, 6, lean=0.1)
    other = np.random.default_rng(0).random(4_000) < 0.5
    frame["case_items_delivery_certificate"] = other.astype(np.float32)
    frame["case_delivery_set_missing"] = np.where(
        np.arange(4_000) < 3_000, 2 - frame["case_items_tracking"] - other, np.nan
    )
    found = one(frame, won, PAIR)
    both = (frame["case_items_tracking"] > 0) & other
    assert found.treated == int(both[:3_000].sum())
    assert found.treated + found.untreated == 3_000
    assert not found.rows[3_000:].any()
    assert found.verdict == "effect"


def test_other_items_are_held_equal_and_those_of_the_treatment_are_not() -> None:
    rng = np.random.default_rng(7)
    strong = rng.random(6_000) < 0.5
    tracking = rng.random(6_000) < np.where(strong, 0.8, 0.2)
    won = (rng.random(6_000) < np.where(strong, 0.7, 0.3)).astype(np.float64)
    frame = pd.DataFrame({"order_hour": rng.normal(size=6_000), "case_items_tracking": tracking}, dtype=np.float32)
    assert adjusted(one(frame, won)).estimate > 0.15
    with_other = frame.assign(case_items_correspondence=strong.astype(np.float32))
    assert within(0.0, adjusted(one(with_other, won)))
    made_of_it = frame.assign(case_evidence_count=frame["case_items_tracking"], case_delivery_set_missing=NAN)
    assert one(made_of_it, won) == one(frame, won)


def test_what_is_hidden_is_not_held_equal_and_the_strength_that_it_takes_is_told() -> None:
    frame, won = made(6_000, 8)
    found = one(frame.drop(columns="order_amount"), won)
    assert found.found is not None
    assert not within(0.1, found.found.adjusted)
    weak, strong = (one(*made(6_000, 8, lean=0.1, effect=size)).found for size in (0.03, 0.3))
    assert weak is not None
    assert strong is not None
    assert 0 <= weak.robustness_low < weak.robustness < strong.robustness_low < strong.robustness < 1
    for each in (weak, strong):
        assert each.wide.low < each.adjusted.low < each.adjusted.estimate < each.adjusted.high < each.wide.high


def test_no_hidden_confounder_leaves_the_interval_as_it_is() -> None:
    found = one(*made(3_000, 9), limits=Overlap(hidden=0.0)).found
    assert found is not None
    assert (found.wide.low, found.wide.high) == pytest.approx((found.adjusted.low, found.adjusted.high), abs=1e-6)


def test_it_is_the_same_each_time_in_any_order_of_columns_and_touches_no_global_draws() -> None:
    frame, won = made(1_500, 10)
    before = repr(np.random.get_state())
    first = one(frame, won)
    assert first == one(frame, won) == one(frame[frame.columns[::-1]], won)
    assert repr(np.random.get_state()) == before
    (again,) = effects(frame, won, [TRACKING], learns=PLAIN, seed=1)
    assert again != first


def test_unknown_signals_and_such_as_are_known_of_one_side_alone_do_no_harm() -> None:
    frame, won = made(3_000, 11)
    frame["order_transit_days"] = np.where(frame["case_items_tracking"] > 0, NAN, frame["order_hour"])
    frame["order_days_to_ship"] = NAN
    pytest.importorskip("doubleml")
    (found,) = effects(frame, won, [TRACKING], learns=learner())
    assert found.verdict == "association"  # known or not is whether the item is there
    frame["order_transit_days"] = np.where(np.arange(3_000) % 3, NAN, frame["order_hour"])
    (found,) = effects(frame, won, [TRACKING], learns=learner())
    assert within(0.1, adjusted(found))


def test_every_kind_and_every_set_is_a_treatment_and_no_evidence_is_adjusted_for_by_pattern() -> None:
    assert [one.name for one in TREATMENTS] == [*EVIDENCE, *(f"{rule.name} set" for rule in RULES)]
    assert all(one.items == rule.items for one, rule in zip(TREATMENTS[len(EVIDENCE) :], RULES, strict=True))
    assert not any(pattern.startswith(("case", "*")) for pattern in ADJUSTED)


def test_differences_of_means_count_the_weights() -> None:
    signals, treated = np.array([[0.0, 1.0], [4.0, 1.0], [2.0, 1.0], [6.0, 1.0]]), np.array([False, False, True, True])
    # means 2 and 4, each side's deviation is 2; weighted 3 to 1 the first side's mean is 1, and the second column does not vary
    assert differences(signals, treated, np.ones(4)).tolist() == [1.0, 0.0]
    assert differences(signals, treated, np.array([3.0, 1.0, 1.0, 1.0])).tolist() == [1.5, 0.0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"treated_kept": 0.49}, "49 % of the cases with it have a counterpart"),
        ({"untreated_kept": 0.2}, ""),
        ({"treated_effective": 99.0}, "99 effective cases with it"),
        ({"untreated_effective": 7.0}, "7 effective cases without it"),
        ({"imbalance": 0.25}, "a signal differs by 0.25 standard deviations still"),
        ({"imbalance": 0.25, "chance": 0.3}, ""),
    ],
)
def test_overlap_lacks_what_its_limits_say(change: dict[str, float], says: str) -> None:
    good = {"treated_kept": 0.5, "untreated_kept": 0.5, "treated_effective": 100.0, "untreated_effective": 100.0}
    good |= {"imbalance_before": 0.5, "imbalance": 0.1, "chance": 0.05}
    assert lacking(Diagnostics(**good | change), Overlap()) == says


def test_chance_gives_differences_as_large_as_is_said() -> None:
    rng, treated = np.random.default_rng(12), np.arange(400) < 150
    seen = [np.abs(differences(rng.normal(size=(400, 50)), treated, np.ones(400))).max() for _ in range(60)]
    assert np.mean(np.array(seen) <= by_chance(50, 150.0, 250.0)) > 0.7


def test_a_report_says_effect_or_association_and_why() -> None:
    frame, won = made(3_000, 13)
    frame["case_items_correspondence"] = (frame["order_hour"] > 0).astype(np.float32)
    frame["case_items_refund_proof"] = np.float32(0)
    pytest.importorskip("doubleml")
    found = effects(frame, won, learns=PLAIN)
    section = effects_section(found)
    assert section.table is not None
    (first, *_, last) = section.table.rows
    assert [row[0] for row in section.table.rows] == [Cell("tracking"), Cell("correspondence")]
    (tracking,) = (each for each in found if each.treatment.name == "tracking")
    assert first[1] == f"{tracking.treated:,} and {tracking.untreated:,}"
    assert isinstance(last[3], Cell)
    assert last[3].text == "association"
    assert section.prose[-1] == "Too rare to be judged: refund proof."
    table = tabled(found).set_index("treatment")
    assert table["verdict"].to_dict() == {
        "correspondence": "association",
        "tracking": "effect",
        "refund_proof": "too few",
    }
    assert table.loc["tracking", ["effect_low", "effect", "effect_high"]].is_monotonic_increasing
    assert table.loc[["correspondence", "refund_proof"], ["effect", "robustness"]].isna().all(axis=None)
