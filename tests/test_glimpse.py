"""The glimpse: what signals say of each asking, without what was said of it."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.glimpse import glimpsed


def told(n: int) -> tuple[pd.DataFrame, NDArray[np.int8]]:
    """Signals of n askings and answers that follow the first of them; a column of another type is none."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.normal(size=n).astype(np.float32) for name in ("told", "noise")})
    return frame.assign(ask=np.arange(n)), (frame["told"] > 0).to_numpy().astype(np.int8)


def test_what_signals_say_of_a_dispute_is_said_without_its_own_finding() -> None:
    frame, answer = told(300)
    seen = glimpsed(frame, answer, seed=0)
    turned = answer.copy()
    turned[0] = 1 - turned[0]
    assert glimpsed(frame, turned, seed=0)[0] == seen[0]
    assert np.mean(expit(seen) > 0.5) == pytest.approx(0.5, abs=0.1)
    assert np.mean((seen > 0) == (answer == 1)) > 0.9


def test_nor_is_its_own_soft_label_heard() -> None:
    frame, answer = told(300)
    soft = np.where(answer == 1, 0.9, 0.2)
    seen = glimpsed(frame, soft, seed=0, folds=3)
    soft[0] = 0.5
    turned = glimpsed(frame, soft, seed=0, folds=3)
    assert turned[0] == seen[0]
    assert (turned != seen).any()


def test_those_without_an_answer_teach_nothing() -> None:
    frame, answer = told(300)
    answer[200:] = -1
    other = frame.copy()
    other.loc[250:, "told"] *= -1
    seen, turned = (glimpsed(one, answer, seed=0, folds=3) for one in (frame, other))
    assert turned[:250].tolist() == seen[:250].tolist()
    assert np.mean((seen[200:] > 0) == (frame["told"][200:] > 0)) > 0.9


def test_soft_labels_that_say_nothing_give_their_share() -> None:
    frame, _ = told(300)
    assert expit(glimpsed(frame, np.full(300, 0.3), seed=0, folds=3)) == pytest.approx(0.3, abs=0.01)
