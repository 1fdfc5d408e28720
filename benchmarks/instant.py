"""How long one row takes: a model made ready for it, beside MLflow's own way to serve the same model, and bare LightGBM."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

from benchmarks.learning import RISK, made
from benchmarks.workbench import Workbench, markdown
from models import Model, fit
from models.explain import COLUMNS
from models.fit import BAGS
from models.instant import Instant, Scored
from models.registry import CODE

ROWS: Final = 50_000
ASKED: Final = 2_000
SERVED: Final = 200
"""Rows that MLflow is asked about, each of which takes it as long as hundreds take us."""

Way = Callable[[int], object]


def instant(bench: Workbench) -> str:
    """Microseconds for one row: probability and interval, then with parts, then with reasons, beside MLflow's pyfunc."""
    frame, answers = made(bench.rows or ROWS)
    model = fit(frame, answers, bags=BAGS, rounds=270, patience=270)
    model = replace(model, card=dict(model.card) | {"question": RISK.name})
    names, some = list(frame.columns), frame.tail(min(ASKED, len(frame)))
    rows, ready, own = (
        some.to_numpy(np.float32),
        Instant.of(model, names),
        some[list(model.signals)].to_numpy(np.float32),
    )
    served = _served(model, some, bench.folder / "served")
    ways: dict[str, Way] = {
        "redress, probability and interval": lambda i: ready.told(rows[i], with_parts=False),
        "redress, with parts": lambda i: ready.told(rows[i]),
        "redress, with parts and reasons": lambda i: ready.told(rows[i], with_reasons=True),
        "bare LightGBM, the probability's trees alone": lambda i: model.booster.predict(own[i : i + 1], raw_score=True),
    }
    peer: dict[str, Way] = {"MLflow pyfunc, with parts": lambda i: served(some.iloc[i : i + 1])}
    for i in range(min(SERVED, len(some))):
        _same(ready.told(rows[i]), served(some.iloc[i : i + 1]))
    paces = _paced(ways, len(rows)) | _paced(peer, min(SERVED, len(rows)))
    told = [
        {"way": name, "p50, microseconds": float(p50), "p99, microseconds": float(p99)}
        for name, (p50, p99) in paces.items()
    ]
    return f"{model.card['rounds']} trees, {BAGS} bags of as many; {len(rows):,} rows.\n\n{markdown(told)}"


def _served(model: Model, example: pd.DataFrame, folder: Path) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The model as MLflow serves it, from the code and with the signature that redress registers."""
    folder.mkdir(parents=True)
    model.save(folder / "saved")
    (folder / "served.py").write_text(CODE)
    mlflow.pyfunc.save_model(
        folder / "pyfunc",
        python_model=str(folder / "served.py"),
        artifacts={"model": str(folder / "saved")},
        signature=infer_signature(example.head(), model.scored(example.head())),
        pip_requirements=[],
    )
    loaded = mlflow.pyfunc.load_model(str(folder / "pyfunc"))

    def predict(frame: pd.DataFrame) -> pd.DataFrame:
        found = loaded.predict(frame)
        assert isinstance(found, pd.DataFrame)
        return found

    return predict


def _same(one: Scored, other: pd.DataFrame) -> None:
    """AssertionError unless both tell the same to the bit."""
    names = ["probability", "low", "high", "abstain", *COLUMNS]
    told = [one.probability, one.low, one.high, one.abstain, *one.parts.values()]
    assert told == other[names].iloc[0].tolist(), "one row differs from MLflow's"


def _paced(ways: Mapping[str, Way], rows: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The median and the 99th percentile of each way, row by row in turn, in microseconds."""
    taken = np.zeros((len(ways), rows))
    for way in ways.values():
        way(0)
    for i in range(rows):
        for k, way in enumerate(ways.values()):
            begun = time.perf_counter()
            way(i)
            taken[k, i] = time.perf_counter() - begun
    return dict(zip(ways, np.percentile(taken * 1e6, [50, 99], axis=1).T, strict=True))
