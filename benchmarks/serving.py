"""What an answer over HTTP costs, beside MLflow's own scoring server with the same model and the same client, in one run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

import mlflow
import numpy as np
import pandas as pd

from benchmarks.command import ROOT
from benchmarks.knocking import Found, Work
from benchmarks.places import filled
from benchmarks.workbench import Workbench, markdown
from features import Ledger, signals
from features.asking import askings
from models import load
from models.deciding import QUESTION
from models.skill import Skill

ORDERS: Final = 30_000
CONNECTIONS: Final = 8
SECONDS: Final = 4.0
"""How long each is asked in a turn; one second where the ledger is smaller than the full one."""
CASES: Final = 200
MOMENTS: Final = 100
"""At how many moments, a second apart, each dispute is asked about in a turn: all decisions are new, none is looked up."""
LATER: Final = pd.Timedelta("1h")
"""How long after it was opened a dispute is asked about."""
OURS: Final = "redress, POST /v1/decide"
WAY: Final = "redress, GET /healthz"
THEIRS: Final = "MLflow, POST /invocations"
TIMES: Final = 3
MILLISECONDS: Final = 10


def serving(bench: Workbench) -> str:
    """Answers a second over HTTP by one worker to 8 connections, beside MLflow's scoring server; 3 times, p99 10 ms."""
    ledger, models, tracking = trained(bench)
    asks, rows = _asked(ledger, models)
    store = str(bench.folder / "online")
    filled(store, Ledger.open(ledger)).close()
    limits = {
        "REDRESS_STORE": store,
        "REDRESS_MODELS": str(models),
        "REDRESS_OPEN": "1",
    }
    limits |= {"REDRESS_RATE": "1000000", "REDRESS_BURST": "1000000", "REDRESS_MILLISECONDS": "60000"}
    ours = [sys.executable, "-m", "uvicorn", "serve:app", "--factory", "--no-access-log", "--log-level", "warning"]
    theirs = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--workers", "1"]
    theirs += ["--model-uri", f"models:/{QUESTION}/1"]
    seconds = SECONDS if bench.rows is None else 1.0
    with (
        server(ours, limits, bench.folder) as one,
        server(theirs, {"MLFLOW_TRACKING_URI": tracking}, bench.folder) as other,
    ):
        found = {name: list[Found]() for name in (OURS, WAY, THEIRS)}
        for turn in range(bench.runs):
            for name, port, path, bodies in (
                (OURS, one, "/v1/decide", _cases(asks, turn)),
                (WAY, one, "/healthz", ("",)),
                (THEIRS, other, "/invocations", rows),
            ):
                found[name].append(knocked(Work(port, path, bodies, {}, CONNECTIONS, seconds), bench.folder))
    peer = median(run.pace for run in found[THEIRS])
    told = [_row(name, runs, peer) for name, runs in found.items()]
    says = f"{CONNECTIONS} connections, one worker each, on loopback; the client is a process of its own on the same cores."
    return (
        f"{says} Of {QUESTION} redress draws signals, decides and records, without reasons; "
        f"MLflow is sent the signals and scores them. "
        f"Target: {TIMES} times the pace, 99 % of answers within {MILLISECONDS} ms.\n\n{markdown(told)}"
    )


def _row(name: str, runs: Sequence[Found], peer: float) -> dict[str, object]:
    pace = median(run.pace for run in runs)
    times = {"median, ms": median(run.median for run in runs), "p99, ms": median(run.p99 for run in runs)}
    refused = sum(run.refused for run in runs)
    return {"what": name, "answers a second": pace, "times MLflow": pace / peer} | times | {"refused": refused}


def trained(bench: Workbench) -> tuple[Path, Path, str]:
    """A ledger, a directory with a model of it, and the tracking server where the same model is registered; made once.

    The model's card says that it has skill, which too few askings of so small a ledger tell: without, it would not be asked.
    """
    ledger, models, tracking = bench.folder / "shop", bench.folder / "models", f"sqlite:///{bench.folder / 'served.db'}"
    if not models.is_dir():
        bench.redress("simulate", "--out", ledger, "--orders", bench.rows or ORDERS, "--seed", 1)
        bench.redress("train", QUESTION, "--ledger", ledger, "--tracking", tracking, "--out", models)
        model = load(models / QUESTION)
        replace(model, card={**model.card, "skill": Skill(0, 1.0).to_json()}).save(models / QUESTION)
    mlflow.set_tracking_uri(tracking)
    return ledger, models, tracking


def _asked(ledger: Path, models: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Disputes and moments, and what MLflow is sent of them."""
    facts, model = Ledger.open(ledger), load(models / QUESTION)
    every = askings(facts, QUESTION)
    some = every.take(np.linspace(0, len(every) - 1, min(CASES, len(every)), dtype=np.int64))
    asks = pd.DataFrame({"ask_id": some.ids.to_pandas(), "at": pd.to_datetime(some.at, unit="us", utc=True) + LATER})
    inputs = mlflow.models.get_model_info(f"models:/{QUESTION}/1").signature.inputs.input_names()
    frame = signals(facts, QUESTION, asks=asks, prior=model.prior)
    rows = [
        frame[inputs].iloc[[i]].to_json(orient="split", index=False, double_precision=15) for i in range(len(frame))
    ]
    return asks, tuple(f'{{"dataframe_split": {row}}}' for row in rows)


def _cases(asks: pd.DataFrame, turn: int) -> tuple[str, ...]:
    """What redress is sent in a turn."""
    seconds = range(turn * MOMENTS, (turn + 1) * MOMENTS)
    told = ((name, at + pd.Timedelta(seconds=s)) for s in seconds for name, at in asks.itertuples(index=False))
    return tuple(json.dumps({"ask_id": name, "at": at.isoformat(), "reasons": False}) for name, at in told)


@contextmanager
def server(words: Sequence[str], environ: Mapping[str, str], folder: Path) -> Iterator[int]:
    """A server on a port of its own, which answers by the time the port is given, and ends with the block."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # MLflow looks for uvicorn
    told = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": beside, **environ}
    with (folder / f"{port}.log").open("w") as log:
        process = subprocess.Popen(
            [*words, "--port", str(port)], env=told, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not _listens(port):
                if process.poll() is not None:
                    raise RuntimeError(f"{words}: {Path(log.name).read_text()[-2000:]}")
                time.sleep(0.1)
            yield port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _listens(port: int) -> bool:
    with closing(socket.socket()) as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def knocked(work: Work, folder: Path) -> Found:
    """How fast a server answers a client in a process of its own."""
    plan = folder / "work.json"
    plan.write_text(json.dumps(vars(work)), encoding="utf-8")
    words = [sys.executable, "-m", "benchmarks.knocking", str(plan)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return Found(**json.loads(ended.stdout))
