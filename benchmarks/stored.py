"""What one case takes over a store: its signals, the decision and the record, in a directory and in PostgreSQL."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

import mlflow
import numpy as np
import pandas as pd

from benchmarks.places import filled, places
from benchmarks.serving import trained
from benchmarks.workbench import Workbench, markdown
from features import Ledger, signals
from features.asking import askings
from models.deciding import QUESTION
from models.policy import opened as policy_at
from serve import Scorer
from service.overledger import OverLedger
from service.overstore import OverStore

CASES: Final = 1_000
SERVED: Final = 100
"""Cases that MLflow is asked about, and that are compared with the batch, both of which take as long as hundreds of ours."""
LATER: Final = (pd.Timedelta(0), pd.Timedelta("1h"))
"""How long after it was opened a dispute is asked about, turn and turn about."""
OF_FILES: Final = ("ledger", "decision_id", "previous", "hash")
"""What a record over a store says of where it comes from, which is another place than the ledger's."""

Case = Mapping[str, object]
Way = Callable[[Case], object]


def stored(bench: Workbench) -> str:
    """Milliseconds to decide a dispute and keep the record: p50 0.4 quickly, 1.0 with reasons, p99 3; PostgreSQL p50 2."""
    path, models, tracking = trained(bench)
    ledger = Ledger.open(path)
    batch = OverLedger(ledger, read := Scorer.open(path, models).models, Scorer.open(path, models).policy)
    cases = _cases(ledger)
    told = list[dict[str, object]]()
    with places(bench.folder) as kinds:
        for where, place in kinds.items():
            with closing(filled(place("store"), ledger)) as store:
                scorer = OverStore(store, read, batch.policy, "benchmark")
                _same(batch, scorer, [{**case, "at": _after(case, 3)} for case in cases[:SERVED]])
                told += _told(where, scorer, OverStore(store, read, policy_at("strict"), "quick"), cases)
    told.append(
        _row("MLflow pyfunc, one row of signals scored", _times(_served(ledger, batch, tracking), cases[:SERVED]))
    )
    return (
        f"{len(ledger.facts['orders']):,} orders, {len(cases):,} disputes, as opened and an hour later in turn; "
        f"a model of {len(read[QUESTION].signals)} signals with its rival and {len(read[QUESTION].bags)} bags.\n\n"
        f"{markdown(told)}"
    )


def _told(where: str, scorer: OverStore, hurried: OverStore, cases: list[Case]) -> list[dict[str, object]]:
    """How long each way takes over one store; what is decided is new each time, for the hurried goes by another policy."""

    def drawn(case: Case) -> object:
        at = int(pd.Timestamp(str(case["at"])).value) // 1_000
        with scorer.store.keys.reading() as snapshot:
            return scorer.drawn(snapshot, QUESTION, str(case["ask_id"]), at)

    quick: list[Case] = [{**case, "reasons": False} for case in cases]
    ways: dict[str, tuple[Way, list[Case]]] = {
        "signals alone": (drawn, cases),
        "without reasons": (hurried.decide, quick),
        "with reasons": (scorer.decide, cases),
    }
    return [_row(f"redress, {where}, {name}", _times(way, some)) for name, (way, some) in ways.items()]


def _row(name: str, seconds: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, object]:
    p50, p99 = np.percentile(seconds * 1e3, [50, 99])
    return {"what": name, "p50, ms": float(p50), "p99, ms": float(p99)}


def _times(way: Way, cases: list[Case]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    for case in cases[:20]:
        way({**case, "at": _after(case, 2)})
    found = np.zeros(len(cases))
    for i, case in enumerate(cases):
        begun = time.perf_counter()
        way(case)
        found[i] = time.perf_counter() - begun
    return found


def _after(case: Case, microseconds: int) -> str:
    return (pd.Timestamp(str(case["at"])) + pd.Timedelta(microseconds, "us")).isoformat()


def _cases(ledger: Ledger) -> list[Case]:
    """Disputes over the whole span whose answer was not known an hour later."""
    asks = askings(ledger, QUESTION)
    some = asks.take(np.linspace(0, len(asks) - 1, min(CASES, len(asks)), dtype=np.int64))
    at = pd.to_datetime(some.at, unit="us", utc=True)
    return [
        {"ask_id": name, "at": (t + LATER[i % 2]).isoformat()}
        for i, (name, t) in enumerate(zip(some.ids.to_pylist(), at, strict=True))
    ]


def _same(batch: OverLedger, scorer: OverStore, cases: list[Case]) -> None:
    """AssertionError unless records are those of the batch to the bit."""
    for case in cases:
        one, other = ({k: v for k, v in by.decide(case).items() if k not in OF_FILES} for by in (batch, scorer))
        assert one == other, f"{case} is decided otherwise over the store"


def _served(ledger: Ledger, batch: OverLedger, tracking: str) -> Way:
    """MLflow's own way to score a row of the model, whose signals it is given."""
    mlflow.set_tracking_uri(tracking)
    loaded = mlflow.pyfunc.load_model(f"models:/{QUESTION}/1")
    names = loaded.metadata.signature.inputs.input_names()
    asks = askings(ledger, QUESTION)
    frame = signals(ledger, QUESTION, prior=batch.models[QUESTION].prior, only=names)
    frame = frame.assign(ask_id=asks.ids.to_pandas()).set_index("ask_id")[names]
    return lambda case: loaded.predict(frame.loc[[str(case["ask_id"])]])
