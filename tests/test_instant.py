"""One row without a frame is told what the batch tells it, to the bit, by every kind of model and whatever is unknown."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from trained import Trained, every_question

from features import RedressError
from features.asking import ASKED
from models import Model
from models.explain import COLUMNS
from models.instant import Instant, Scored
from models.model import RIVALS
from models.telling import TOLD
from models.trees import said


@pytest.fixture(scope="module")
def trained() -> dict[str, Trained]:
    return every_question()


def batch(model: Model, frame: pd.DataFrame) -> list[dict[str, object]]:
    """What `Model.scored` tells of each row of a frame, NaN in words."""
    return [plain(row) for row in model.scored(frame, with_reasons=True).to_dict("records")]


def plain(row: Mapping[Hashable, object]) -> dict[str, object]:
    return {str(name): "unknown" if value != value else value for name, value in row.items()}


def named(frame: pd.DataFrame) -> list[str]:
    """The signals of a frame, in the order of their names."""
    return sorted(str(name) for name in frame.select_dtypes(np.float32))


def instant(found: Scored, model: Model) -> dict[str, object]:
    """The same of one row, in the words of the batch."""
    assert found.told is not None
    words = (found.told.codes, found.told.reviewer, found.told.seller, found.told.buyer)
    doubt = [("low", found.low), ("high", found.high), ("abstain", found.abstain)] if model.bags else []
    told = zip(TOLD, map(list, words), strict=True)
    return plain(dict([("probability", found.probability), *doubt, *found.rivals.items(), *found.parts.items(), *told]))


def gappy(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The same rows, a third of their numbers unknown, and of the last all."""
    numbers = frame.select_dtypes(np.float32)
    gone = np.random.default_rng(seed).random(numbers.shape) < 1 / 3
    gone[-1] = True
    return frame.assign(**numbers.mask(gone))


def rows(frame: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    return frame[list(names)].to_numpy(np.float32)


def agree(model: Model, frame: pd.DataFrame) -> None:
    """Every row of a frame is told by itself what it is told among the others."""
    names = named(frame)
    ready = Instant.of(model, names)
    wanted = batch(model, frame)
    assert len({row["probability"] for row in wanted}) > 1
    for row, want in zip(rows(frame, names), wanted, strict=True):
        assert instant(ready.told(row, with_reasons=True), model) == want


@pytest.mark.parametrize("question", ASKED)
def test_every_asking_is_told_what_the_batch_tells_to_the_bit(question: str, trained: dict[str, Trained]) -> None:
    model, frame = trained[question].model, trained[question].frame
    assert len(model.bags) == 3
    assert model.rival is not None
    agree(model, frame)
    agree(model, gappy(frame))


def test_trees_say_in_the_batch_what_lightgbm_says_to_the_bit(trained: dict[str, Trained]) -> None:
    compared = 0
    for one in trained.values():
        for model in (one.model, *one.model.bags, one.model.rival):
            if model is not None and model.trees:
                matrix = rows(gappy(one.frame), model.signals)
                raw = replace(model, slope=1.0, intercept=0.0, follows=None, linear=None, bags=(), rival=None)
                wanted = said(model.booster, matrix)
                assert (raw.logit(gappy(one.frame)) == wanted).all()
                compared += len(set(wanted)) > 1
    assert compared > 12


def test_models_follow_and_have_terms(trained: dict[str, Trained]) -> None:
    assert any(one.model.follows for one in trained.values())
    assert trained["chargeback_win"].model.linear is not None


@pytest.mark.parametrize("question", ASKED)
def test_a_model_with_less_beside_it_is_told_as_the_batch_tells_it(question: str, trained: dict[str, Trained]) -> None:
    model, frame = trained[question].model, gappy(trained[question].frame[:40])
    agree(replace(model, bags=(), rival=None), frame)
    agree(replace(model, bags=model.bags[:1]), frame)
    agree(replace(model, follows=None, bags=()), frame)
    if model.trees:
        agree(replace(model, linear=None, bags=()), frame)
    agree(replace(model, rival=replace(model, rival=None)), frame)  # one that follows and has terms itself


def test_it_abstains_where_the_batch_does(trained: dict[str, Trained]) -> None:
    model, frame = trained["chargeback_risk"].model, trained["chargeback_risk"].frame
    limit = float(np.median(model.errors(frame)))
    thin = replace(model, card=dict(model.card) | {"thin_from": limit})
    assert 0 < thin.scored(frame)["abstain"].sum() < len(frame)
    agree(thin, frame)


def test_a_model_of_terms_alone_is_told_as_the_batch_tells_it(trained: dict[str, Trained]) -> None:
    model, frame = trained["chargeback_win"].model, trained["chargeback_win"].frame
    agree(replace(model, trees="", bags=()), gappy(frame))


@pytest.mark.parametrize(
    "setting",
    [{"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, {"num_leaves": 200, "min_data_in_leaf": 1}],
)
def test_trees_that_only_lightgbm_runs_are_run_by_it(setting: dict[str, object], trained: dict[str, Trained]) -> None:
    model, frame = trained["chargeback_risk"].model, trained["chargeback_risk"].frame
    data = lgb.Dataset(rows(frame, model.signals), frame["order_amount"] > 3_000, params={"verbose": -1})
    trees = lgb.train({"verbose": -1, "objective": "binary", "seed": 1} | setting, data, 5).model_to_string()
    other = replace(model, trees=trees)
    assert other.tables is None
    agree(other, frame[:60])


@pytest.mark.parametrize("question", ASKED)
def test_a_signal_that_rows_lack_is_unknown(question: str, trained: dict[str, Trained]) -> None:
    model, frame = trained[question].model, trained[question].frame[:30]
    lost = set(model.columns[::3])
    names = [name for name in named(frame) if name not in lost]
    ready = Instant.of(model, names)
    wanted = batch(model, frame.assign(**dict.fromkeys(lost, np.float32(np.nan))))
    assert [instant(ready.told(row, with_reasons=True), model) for row in rows(frame, names)] == wanted


def test_what_was_not_wanted_is_not_told_and_changes_nothing(trained: dict[str, Trained]) -> None:
    model, frame = trained["malicious_dispute"].model, trained["malicious_dispute"].frame
    names = list(model.columns)
    ready = Instant.of(model, names)
    for row in rows(frame[:20], names):
        whole = ready.told(row, with_reasons=True)
        assert ready.told(row) == replace(whole, told=None)
        assert ready.told(row, with_parts=False) == replace(whole, told=None, parts={})
        assert set(whole.parts) == set(COLUMNS)
        assert tuple(whole.rivals) == RIVALS


def test_parts_sum_to_the_log_odds(trained: dict[str, Trained]) -> None:
    for one in trained.values():
        names = list(one.model.columns)
        ready = Instant.of(one.model, names)
        for row in rows(gappy(one.frame[:40]), names):
            found = ready.told(row)
            odds = np.log(found.probability / (1 - found.probability))
            assert sum(found.parts.values()) == pytest.approx(odds, abs=1e-9)


def test_an_infinity_is_refused_by_name_as_in_the_batch(trained: dict[str, Trained]) -> None:
    model, frame = trained["chargeback_risk"].model, trained["chargeback_risk"].frame
    name = model.signals[3]
    row = rows(frame[:1].assign(**{name: np.float32(np.inf)}), model.columns)[0]
    with pytest.raises(RedressError, match=f"{name}: want numbers that float32 can hold"):
        Instant.of(model, model.columns).told(row)
