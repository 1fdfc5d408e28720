"""What a model costs beside the bare LightGBM that it is made of: training, and scoring."""

from dataclasses import replace
from operator import eq
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.turns import Pace, by_turns
from benchmarks.workbench import Workbench, markdown
from features.dictionary import dictionary
from features.signal import Float
from models import Model, fit
from models.explain import COLUMNS
from models.fit import BAGS
from models.questions import QUESTIONS
from models.trees import blanked, sized

ROWS: Final = 1_000_000
SIGNALS: Final = 200
SCORED: Final = 20_000
RISK: Final = QUESTIONS["chargeback_risk"]


def made(rows: int, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.int8]]:
    """Random signals by the names of real ones, a fifth of them gappy, and answers of which about 5 % are yes."""
    declared = [one for one in dictionary(RISK.name) if one.name != RISK.follows][:SIGNALS]
    names, flags = [one.name for one in declared], [i for i, one in enumerate(declared) if one.unit == "0 or 1"]
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, SIGNALS), np.float32)
    matrix[:, flags] = matrix[:, flags] > 0
    matrix[:, ::5][rng.random((rows, SIGNALS // 5), np.float32) < 0.3] = np.nan
    odds = -3.6 + matrix[:, 1] + 0.7 * matrix[:, 2] * matrix[:, 3] + 0.5 * np.abs(matrix[:, 4])
    return pd.DataFrame(matrix, columns=names), (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)


def training(bench: Workbench) -> str:
    """Seconds to train a calibrated model on 1 M rows of 200 signals, beside the bare fit of the same trees; target 1.3."""
    frame, answers = made(bench.rows or ROWS)
    rounds = int(str(fit(frame, answers).card["rounds"]))
    parameters = sized(*frame.shape) | {"seed": 0}
    matrix = blanked(frame.to_numpy(np.float32, copy=True), 0)

    def bare() -> Float:
        data = lgb.Dataset(matrix, answers, feature_name=list(frame.columns))
        trees = lgb.train(parameters, data, rounds).model_to_string()
        return _first(Model(trees, tuple(frame.columns)), frame)

    paces = by_turns({"redress": lambda: _first(fit(frame, answers), frame), "bare": bare}, bench.runs, _same)
    told = {"redress": "redress: trial, calibration, the same trees", "bare": "bare LightGBM, its trees known before"}
    apart = by_turns({"intervals": lambda: fit(frame, answers, bags=BAGS).intercept}, 1, eq)["intervals"]
    closing = (
        f"With intervals from {BAGS} more models: {apart.seconds:.0f} seconds, {apart.core_seconds:.0f} core seconds."
    )
    return f"{len(frame):,} rows, {rounds} trees.\n\n{_beside(paces, told, 'bare', 'at most 1.3')}\n\n{closing}"


def scoring(bench: Workbench) -> str:
    """Rows a second: probabilities beside bare LightGBM, target 0.9 of its pace; with parts and reasons, target 5,000."""
    frame, answers = made(min(bench.rows or ROWS, ROWS))
    model = fit(frame.head(len(frame) // 5), answers[: len(frame) // 5], bags=BAGS)
    matrix, booster = frame[list(model.signals)].to_numpy(np.float32), model.booster

    def bare() -> Float:
        raw = model.intercept + model.slope * np.asarray(booster.predict(matrix, raw_score=True))
        return np.asarray(1 / (1 + np.exp(-raw)))

    paces = by_turns({"redress": lambda: model.predict_proba(frame)[:, 1], "bare": bare}, bench.runs, _same)
    some = frame.head(SCORED)
    more = {"parts and reasons": lambda: _explained(model, some), "intervals": lambda: model.errors(some)}
    whole = {name: by_turns({name: way}, bench.runs, _same)[name] for name, way in more.items()}
    rows = [_row("redress, probabilities", len(frame), paces["redress"], "0.9 of bare")]
    rows += [_row("bare LightGBM", len(frame), paces["bare"], "")]
    rows += [_row("redress, with parts and reasons", len(some), whole["parts and reasons"], "≥ 5,000")]
    rows += [_row(f"redress, with intervals from {BAGS} models", len(some), whole["intervals"], "")]
    return f"{model.card['rounds']} trees.\n\n{markdown(rows)}"


def _first(model: Model, frame: pd.DataFrame) -> Float:
    """What the trees alone say of the first rows, to compare them by."""
    return replace(model, slope=1.0, intercept=0.0).logit(frame.head(1000))


def _same(one: Float, other: Float) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=1e-9))


def _explained(model: Model, frame: pd.DataFrame) -> Float:
    """Scores with parts and reasons; the probability's log-odds, which the parts sum to."""
    told = replace(model, bags=(), card={"question": RISK.name}).scored(frame, with_reasons=True)
    return told[list(COLUMNS)].sum(axis=1).to_numpy()


def _beside(paces: dict[str, Pace], told: dict[str, str], peer: str, target: str) -> str:
    """A table of seconds, each beside those of the peer."""
    rows: list[dict[str, object]] = []
    for name, pace in paces.items():
        ratio = pace.core_seconds / paces[peer].core_seconds
        wanted = "" if name == peer else target
        rows.append({"way": told[name], **pace._asdict(), "of the peer's core seconds": ratio, "target": wanted})
    return markdown(rows)


def _row(way: str, rows: int, pace: Pace, target: str) -> dict[str, object]:
    return {
        "way": way,
        "rows a second": rows / pace.seconds,
        "a core second": rows / pace.core_seconds,
        "target": target,
    }
