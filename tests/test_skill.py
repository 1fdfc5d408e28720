"""Skill by hand: what probabilities are worth beside a rate, and what stands in place of a model without any."""

from math import log

import numpy as np
import pytest
from scipy.special import expit, logit

from models.skill import instead, skill


@pytest.mark.parametrize("by", [-2.0, 0.0, 1.5])
@pytest.mark.parametrize(
    ("answers", "gain"),
    [
        ([1, 0], log(0.4 * 0.9 / (0.25 * 0.75)) / 2),  # 0.326
        ([0, 1], log(0.6 * 0.1 / (0.75 * 0.25)) / 2),  # -0.570, as it had it the wrong way round
        ([0, 0], log(0.6 * 0.9 / (0.75 * 0.75)) / 2),  # -0.020
    ],
)
def test_skill_is_by_how_much_the_log_loss_is_below_that_of_the_rate_once_both_know_the_rate(
    answers: list[int], gain: float, by: float
) -> None:
    probability = expit(logit(np.array([0.4, 0.1])) + by)  # moved until their mean is 0.25 they are 0.4 and 0.1
    found = skill(np.array(answers, np.float64), probability, 0.25)
    assert found.askings == 2
    assert found.gain == pytest.approx(gain, abs=1e-9)
    assert found.to_json() == {"askings": 2, "gain": found.gain}


def test_probabilities_of_none_and_one_have_a_finite_skill() -> None:
    found = skill(np.array([1.0, 0.0]), np.array([1.0, 0.0]), 0.5)
    assert found.gain == pytest.approx(log(2))
    assert skill(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.5).gain < -10


@pytest.mark.parametrize(
    ("card", "share"),
    [
        ({}, None),
        ({"class_prior": 0.2}, 0.2),  # a model that was not measured has not shown anything
        ({"skill": None, "class_prior": 0.2}, 0.2),
        ({"skill": {"askings": 80, "gain": 0.0}, "class_prior": 0.2}, 0.2),
        ({"skill": {"askings": 80, "gain": -0.1}, "class_prior": 0.2, "rows": 50, "yes": 5.0}, 0.2),
        ({"skill": {"askings": 80, "gain": 0.0}, "rows": 50, "yes": 5.0}, 0.1),
        ({"rows": 50, "yes": 5.0}, 0.1),
        ({"rows": 0, "yes": 0.0}, None),
        ({"skill": {"askings": 80, "gain": 1e-9}, "class_prior": 0.2, "rows": 50, "yes": 5.0}, None),
    ],
)
def test_a_model_that_has_shown_no_skill_is_replaced_by_how_common_yes_is(
    card: dict[str, object], share: float | None
) -> None:
    assert instead(card) == share
