"""What is saved is loaded the same or refused, and a probability with what rivals it sums to one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import RedressError
from models import Model, fit, load
from models.model import RIVALS


def frame() -> pd.DataFrame:
    x = np.arange(400) % 20
    return pd.DataFrame({"x": x, "y": np.arange(400) % 7}).astype(np.float32)


def divided() -> Model:
    """A model of x above 9, whose rival is of y above 3."""
    own, other = (
        fit(frame(), (frame()[name] > limit).to_numpy().astype(np.int8)) for name, limit in (("x", 9), ("y", 3))
    )
    return replace(own, rival=other)


def test_the_rivals_and_the_probability_sum_to_one_and_go_with_the_rival_alone() -> None:
    model = divided()
    found, no = model.rivals(frame()), model.predict_proba(frame())[:, 0]
    assert tuple(found) == RIVALS
    assert found.sum(axis=1).to_numpy() == pytest.approx(no, abs=1e-15)
    assert (found >= 0).all(axis=None)
    share = found["fault_probability"] / no
    assert share[frame()["y"] > 3].min() > 0.9 > 0.1 > share[frame()["y"] <= 3].max()


def test_without_a_rival_nothing_is_divided() -> None:
    found = replace(divided(), rival=None).rivals(frame())
    assert found.shape == (400, 0)


def test_a_rival_changes_neither_probability_nor_parts() -> None:
    model = divided()
    plain = replace(model, rival=None)
    np.testing.assert_array_equal(model.logit(frame()), plain.logit(frame()))
    np.testing.assert_array_equal(model.contributions(frame()), plain.contributions(frame()))


def test_a_model_with_a_rival_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    model = divided()
    model.save(tmp_path)
    assert load(tmp_path) == model
    pd.testing.assert_frame_equal(load(tmp_path).rivals(frame()), model.rivals(frame()), check_exact=True)


def test_a_rival_that_was_edited_is_refused(tmp_path: Path) -> None:
    divided().save(tmp_path)
    path = tmp_path / "model.json"
    told = json.loads(path.read_text("utf-8"))
    told["rival"]["slope"] += 1
    path.write_text(json.dumps(told), "utf-8")
    with pytest.raises(RedressError, match="as they were saved, got them edited"):
        load(tmp_path)


def test_an_interval_of_one_row_is_that_of_the_batch_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    some = pd.DataFrame(rng.normal(size=(400, 3)).astype(np.float32), columns=list("xyz"))
    model = fit(some, (some["x"] > rng.normal(size=400)).to_numpy().astype(np.int8), bags=10, rounds=20)
    alone = np.concatenate([model.interval(some.iloc[[i]]) for i in range(200)])
    np.testing.assert_array_equal(alone, model.interval(some)[:200])


@pytest.mark.parametrize(
    ("came", "says"),
    [
        (np.inf, "late: want numbers that float32 can hold"),
        (1e300, "late: want numbers"),
        ("a", "late: want a column of"),
    ],
)
def test_what_a_model_follows_is_a_number_as_its_signals_are(came: float | str, says: str) -> None:
    given = frame().assign(late=np.linspace(-1, 1, 400, dtype=np.float32))
    yes = (given["x"] > 9).to_numpy().astype(np.int8)
    model = fit(given, yes, follows="late", rounds=5)
    with pytest.raises(RedressError, match=says):
        model.predict_proba(given.assign(late=came))
    with pytest.raises(RedressError, match="late: want"):
        fit(given.assign(late=came), yes, follows="late", rounds=5)


def test_what_a_model_follows_is_there_once() -> None:
    given = frame().assign(late=np.linspace(-1, 1, 400, dtype=np.float32))
    model = fit(given, (given["x"] > 9).to_numpy().astype(np.int8), follows="late", rounds=5)
    with pytest.raises(RedressError, match="late: want one column of that name"):
        model.contributions(pd.concat([given, given[["late"]]], axis=1))
